/**
 * A change stream as applications read it: `for await`, a Node stream, or a web stream.
 *
 * It reads only as fast as it is read from. Ends when the loop is left, when it is destroyed, when its signal is aborted,
 * and when the server closes.
 */
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { CHANGE_BATCH_CHANGES_MAX } from '../../core/limits.js'
import type { Change } from './change.js'
import type { ChangeSource } from './change-source.js'

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

/**
 * Changes of a catalog, for `for await`; also as a Node stream or as a web stream. It reads the log only as fast as it is
 * read from itself.
 */
export class ChangeStream<Item = Change> implements AsyncIterableIterator<Item, undefined> {
  readonly #batches: AsyncGenerator<Change[], undefined>
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal | undefined
  #batch: Change[] = []
  #next = 0
  /** Steps that are not through: who asks again before they are waits for them. */
  #steps = 0
  #turn: Promise<unknown> = Promise.resolve()
  #isEnded = false

  constructor(source: ChangeSource, signal: AbortSignal | undefined) {
    this.#signal = signal
    this.#batches = source.batches(this.#stop.signal)
    if (signal === undefined) return
    if (signal.aborted) this.#abort()
    else signal.addEventListener('abort', this.#abort, { once: true })
  }

  readonly #abort = (): void => {
    this.#batch = []
    this.#stop.abort(this.#signal?.reason)
  };

  [Symbol.asyncIterator](): this {
    return this
  }

  /** @throws ReplogError HISTORY_LOST, DIVERGED, NOT_FOUND, CORRUPT, CLOSED; the reason of an aborted signal */
  next(): Promise<IteratorResult<Item, undefined>> {
    if (this.#steps === 0 && this.#next < this.#batch.length) {
      return Promise.resolve({ done: false, value: this.#batch[this.#next++] as Item })
    }
    const step = this.#inTurn(this.#steps++ === 0 ? undefined : this.#turn)
    this.#turn = step.catch(() => undefined)
    return step
  }

  /** Ends the stream; what is called when a `for await` is left. What waits for the next change gets the end. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#end()
    this.#stop.abort()
    // What fails in what nobody waits for any more is of no concern.
    await this.#batches.return(undefined).catch(() => undefined)
    return DONE
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  /** As a Node stream of objects. Destroying it ends this stream. */
  readable(): Readable {
    return Readable.from(this, { objectMode: true, highWaterMark: CHANGE_BATCH_CHANGES_MAX })
  }

  /** As a web stream. Cancelling it ends this stream. */
  toReadableStream(): ReadableStream<Item> {
    return new ReadableStream<Item>(
      {
        pull: async (controller) => {
          const result = await this.next()
          if (result.done === true) controller.close()
          else controller.enqueue(result.value)
        },
        cancel: async () => {
          await this.return()
        },
      },
      { highWaterMark: 1 },
    )
  }

  async #inTurn(turn: Promise<unknown> | undefined): Promise<IteratorResult<Item, undefined>> {
    try {
      if (turn !== undefined) await turn
      return await this.#step()
    } finally {
      // Before whoever waits goes on: the next change of the batch is then given without a step.
      this.#steps--
    }
  }

  async #step(): Promise<IteratorResult<Item, undefined>> {
    try {
      if (this.#isEnded) return DONE
      this.#stop.signal.throwIfAborted()
      if (this.#next >= this.#batch.length) {
        const result = await this.#batches.next()
        // It was ended meanwhile.
        if (this.#hasEnded()) return DONE
        this.#stop.signal.throwIfAborted()
        this.#batch = result.value ?? []
        this.#next = 0
        if (result.done === true) {
          this.#end()
          return DONE
        }
      }
      return { done: false, value: this.#batch[this.#next++] as Item }
    } catch (error) {
      if (this.#hasEnded()) return DONE
      this.#end()
      throw error
    }
  }

  #hasEnded(): boolean {
    return this.#isEnded
  }

  #end(): void {
    this.#isEnded = true
    this.#batch = []
    this.#next = 0
    this.#signal?.removeEventListener('abort', this.#abort)
  }
}

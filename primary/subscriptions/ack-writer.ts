/**
 * Makes acknowledged positions of one subscription durable: one transaction at a time, and the newest position wins.
 *
 * Invariant: a position is written only after the one before it, so what is durable never goes back.
 */
import type { Clock } from '../../core/clock.js'
import { isReplogError } from '../../core/errors.js'
import { SUBSCRIPTION_ACK_PAUSE_MS } from '../../core/limits.js'

export class AckWriter {
  readonly #write: (token: string) => Promise<void>
  readonly #clock: Clock
  readonly #onFailed: (error: unknown) => void
  #wanted: string | undefined
  #durable: string | undefined
  /** The transaction that is under way; it never rejects. */
  #writing: Promise<void> | undefined
  #cancelPause: (() => void) | undefined
  /** Of the last attempt. */
  #fault: { readonly error: unknown } | undefined
  #isOver = false

  /** @param onFailed called once, with what no repetition mends; the rest is tried again */
  constructor(
    write: (token: string) => Promise<void>,
    clock: Clock,
    durable: string | undefined,
    onFailed: (error: unknown) => void,
  ) {
    this.#write = write
    this.#clock = clock
    this.#durable = durable
    this.#wanted = durable
    this.#onFailed = onFailed
  }

  /** The newest position that is durable. */
  get durable(): string | undefined {
    return this.#durable
  }

  /** The newest position that is acknowledged. */
  get wanted(): string | undefined {
    return this.#wanted
  }

  /** A newer position; it becomes durable by and by, unless nothing is written any more. */
  want(token: string): void {
    if (this.#isOver || token === this.#wanted) return
    this.#wanted = token
    if (this.#cancelPause === undefined) this.#begin()
  }

  /** Resolves when the newest position is durable. @throws what keeps it from being written, also where that may pass */
  async flush(): Promise<void> {
    while (this.#durable !== this.#wanted || this.#writing !== undefined) {
      this.#cancelPause?.()
      this.#cancelPause = undefined
      this.#begin()
      await this.#writing
      if (this.#fault !== undefined) throw this.#fault.error
      if (this.#isOver) return
    }
  }

  /** Writes no more but what is under way; what is not durable then comes again. */
  stop(): void {
    this.#isOver = true
    this.#cancelPause?.()
    this.#cancelPause = undefined
    this.#wanted = this.#durable
  }

  #begin(): void {
    const isIdle = this.#wanted === this.#durable || this.#isOver
    if (this.#writing !== undefined || isIdle) return
    this.#writing = this.#run(this.#wanted!).finally(() => {
      this.#writing = undefined
      if (this.#isOver) return
      this.#cancelPause = this.#clock.after(SUBSCRIPTION_ACK_PAUSE_MS, () => {
        this.#cancelPause = undefined
        this.#begin()
      })
    })
  }

  async #run(token: string): Promise<void> {
    try {
      await this.#write(token)
      this.#durable = token
      if (this.#isOver) this.#wanted = token
      this.#fault = undefined
    } catch (error) {
      this.#fault = { error }
      if (isPassing(error)) return
      this.#isOver = true
      this.#onFailed(error)
    }
  }
}

/** What is over after a while on a server that goes on. */
function isPassing(error: unknown): boolean {
  return isReplogError(error) && error.retryable && error.code !== 'CLOSED' && error.code !== 'STORE_FAILED'
}

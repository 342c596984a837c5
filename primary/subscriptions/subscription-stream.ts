/**
 * The changes that one worker of a subscription gets, as applications read them:
 *
 *   for await (const { change, ack } of db.subscribe('orders', { worker: 'a' })) { …; ack() }
 *
 * It takes part from the first `next` until the loop is left, its signal is aborted, or the subscription ends. What it has
 * not acknowledged by then goes to other workers, or comes again.
 */
import { ReplogError } from '../../core/errors.js'
import type { SubscriptionChange } from './change-dispatch.js'
import { type Entry, Worker } from './dispatch.js'

/** A change, and the way to say that it is done. */
export interface Delivery {
  readonly change: SubscriptionChange
  /** Of the change; the same when it comes again. */
  readonly token: string
  /** True when a worker had it before and left. What comes again after a restart is not known to have come before. */
  readonly redelivered: boolean
  /**
   * The change is done. It becomes durable by and by, when all before it are done, too. Nothing happens where it went to
   * another worker meanwhile.
   */
  readonly ack: () => void
}

/** What a stream needs of the subscription that it takes part in. */
export interface Membership {
  acknowledge(entry: Entry<SubscriptionChange>, worker: Worker): void
  /** Acknowledges what this worker took up to that of a token, and resolves when that is durable as far as it can be. */
  acknowledgeUpTo(token: string, worker: Worker): Promise<string | undefined>
  leave(worker: Worker): Promise<void>
}

interface Waiter {
  readonly resolve: (result: IteratorResult<Delivery, undefined>) => void
  readonly reject: (error: unknown) => void
}

/** A queue that never runs empty is freed of what was taken. */
const COMPACT_AT = 1024

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** The changes that one worker of a subscription gets: `db.subscribe(name)`. */
export class SubscriptionStream implements AsyncIterableIterator<Delivery, undefined> {
  readonly #join: (stream: SubscriptionStream, worker: Worker) => Promise<Membership>
  readonly #signal: AbortSignal | undefined
  readonly #worker: Worker
  #joining: Promise<Membership | undefined> | undefined
  #membership: Membership | undefined
  #queue: Entry<SubscriptionChange>[] = []
  #next = 0
  readonly #waiters: Waiter[] = []
  /** Why it ended; told to the first who asks, and then it is done. */
  #failure: { readonly error: unknown } | undefined
  #isEnded = false

  constructor(
    join: (stream: SubscriptionStream, worker: Worker) => Promise<Membership>,
    worker: string,
    signal: AbortSignal | undefined,
  ) {
    this.#join = join
    this.#worker = new Worker(worker)
    this.#signal = signal
    if (signal?.aborted === true) this.#abort()
    else signal?.addEventListener('abort', this.#abort, { once: true })
  }

  /** Name of this worker. */
  get worker(): string {
    return this.#worker.name
  }

  /** Itself, for `for await`. */
  [Symbol.asyncIterator](): this {
    return this
  }

  /**
   * @throws ReplogError NOT_FOUND (subscription), HISTORY_LOST where the log was purged that it needs, DIVERGED, CLOSED,
   * FENCED, LIMIT (workers); the reason of an aborted signal
   */
  next(): Promise<IteratorResult<Delivery, undefined>> {
    if (this.#joining === undefined && !this.#isEnded) this.#joining = this.#enter()
    const delivery = this.take()
    if (delivery !== undefined) return Promise.resolve({ done: false, value: delivery })
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      if (this.#isEnded) this.#tell()
    })
  }

  /** Takes part from now on, before the first `next`. @throws as `next`, where it is known at once */
  async join(): Promise<void> {
    if (this.#joining === undefined && !this.#isEnded) this.#joining = this.#enter()
    await this.#joining
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure.error
  }

  /** The next change that is at hand; undefined where `next` would wait. */
  take(): Delivery | undefined {
    const entry = this.#take()
    return entry && this.#taken(entry)
  }

  /**
   * Acknowledges everything that this worker took until it took the change of this token, in the order in which
   * it took them; resolves with the position that is durable by then. Changes of other workers may keep it back.
   * @throws ReplogError INVALID_ARGUMENT; what keeps it from being written, or ended the stream
   */
  async ack(token: string): Promise<string | undefined> {
    const membership = this.#membership ?? (await this.#joining)
    if (membership === undefined) {
      throw new ReplogError('CLOSED', 'this worker takes no part in the subscription; read from it first')
    }
    return membership.acknowledgeUpTo(token, this.#worker)
  }

  /** Leaves; resolves when what this worker acknowledged is durable, as far as other workers let it. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#end(undefined)
    await (await this.#joining)?.leave(this.#worker)
    return DONE
  }

  /** The same as `return`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  /** A change for this worker; it is not to be told of another one from inside. */
  readonly give = (entry: Entry<SubscriptionChange>): void => {
    const waiter = this.#waiters.shift()
    if (waiter === undefined) this.#queue.push(entry)
    else waiter.resolve({ done: false, value: this.#taken(entry) })
  }

  /** The subscription ended, or somebody else took this worker's place. */
  readonly fail = (error: unknown): void => {
    this.#end({ error })
  }

  async #enter(): Promise<Membership | undefined> {
    try {
      this.#membership = await this.#join(this, this.#worker)
    } catch (error) {
      this.#end({ error })
    }
    return this.#membership
  }

  /** The next one that is still this worker's to do. */
  #take(): Entry<SubscriptionChange> | undefined {
    while (this.#next < this.#queue.length) {
      const entry = this.#queue[this.#next++]!
      if (this.#next === this.#queue.length || this.#next >= COMPACT_AT) {
        this.#queue = this.#queue.slice(this.#next)
        this.#next = 0
      }
      if (entry.worker === this.#worker && !entry.isAcknowledged) return entry
    }
    return undefined
  }

  #taken(entry: Entry<SubscriptionChange>): Delivery {
    entry.take()
    const { item, token } = entry.dispatch
    return {
      change: item,
      token,
      redelivered: entry.isRedelivered,
      ack: () => this.#membership?.acknowledge(entry, this.#worker),
    }
  }

  readonly #abort = (): void => {
    this.#end({ error: this.#signal?.reason as unknown })
    void this.return()
  }

  #end(failure: { readonly error: unknown } | undefined): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#failure = failure
    this.#queue = []
    this.#next = 0
    this.#signal?.removeEventListener('abort', this.#abort)
    this.#tell()
  }

  #tell(): void {
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      const failure = this.#failure
      this.#failure = undefined
      if (failure === undefined) resolve(DONE)
      else reject(failure.error)
    }
  }
}

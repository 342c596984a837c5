/**
 * A subscription that somebody reads: one reader of the log, and the workers that share what it reads.
 *
 * Invariants:
 * - what is read and not acknowledged is bounded in number and bytes: the reader waits for the workers;
 * - the durable position is that of a change before which everything is acknowledged;
 * - it ends when its last worker leaves, and with the first fault, which every worker is told.
 */
import type { Clock } from '../../core/clock.js'
import { ReplogError, isReplogError } from '../../core/errors.js'
import {
  SUBSCRIPTION_PROGRESS_MS,
  SUBSCRIPTION_PROGRESS_TRANSACTIONS,
  SUBSCRIPTION_WINDOW_BYTES_MAX,
  SUBSCRIPTION_WINDOW_CHANGES_MAX,
  SUBSCRIPTION_WORKERS_MAX,
} from '../../core/limits.js'
import { LSN_ZERO, type Lsn } from '../../core/position.js'
import type { Change, Heartbeat } from '../../log/changes/change.js'
import { ChangeSource } from '../../log/changes/change-source.js'
import { parseChangeToken } from '../../log/changes/change-token.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { type SubscriptionRow, heldLsn } from '../../log/subscriptions/subscription-row.js'
import type { CatalogIdentifier } from '../../ddl/identifiers.js'
import { AckWriter } from './ack-writer.js'
import { ChangeDispatches, type SubscriptionChange } from './change-dispatch.js'
import type { Entry, Worker } from './dispatch.js'
import { Dispatcher } from './dispatcher.js'
import type { Membership, SubscriptionStream } from './subscription-stream.js'
import { compareTokens } from './token-order.js'

export interface SubscriptionWindow {
  readonly changes: number
  readonly bytes: number
}

export interface ActiveContext {
  readonly state: ReplicatedState
  readonly clock: Clock
  readonly catalog: CatalogIdentifier
  readonly catalogId: number
  readonly window: SubscriptionWindow
  /** Makes a position durable. */
  readonly write: (row: SubscriptionRow, token: string) => Promise<void>
  /** Subscriptions that there are on this server. */
  readonly subscriptions: () => number
}

/** A worker of a subscription. */
export interface WorkerStatus {
  readonly name: string
  /** Changes that it has and has not acknowledged. */
  readonly outstanding: number
}

export const WINDOW_DEFAULT: SubscriptionWindow = {
  changes: SUBSCRIPTION_WINDOW_CHANGES_MAX,
  bytes: SUBSCRIPTION_WINDOW_BYTES_MAX,
}

export class ActiveSubscription implements Membership {
  readonly row: SubscriptionRow
  /** Resolves when it has ended, and everything that was acknowledged is written. */
  readonly ended: Promise<void>
  readonly #context: ActiveContext
  readonly #dispatcher: Dispatcher<SubscriptionChange>
  readonly #streams = new Map<Worker, SubscriptionStream>()
  readonly #dispatches = new ChangeDispatches()
  readonly #writer: AckWriter
  readonly #stop = new AbortController()
  /** Wakes the reader when the window has room. */
  #wake: () => void = () => undefined
  /** Newest token that was read or passed over. */
  #seen: string | undefined
  /** What comes up to here was done elsewhere. */
  #passedOver: string | undefined
  /** Of the dispatcher, as it was when the writer was told last. */
  #settled: string | undefined
  readonly #beganLsn: Lsn
  #isEnding = false
  #failure: { readonly error: unknown } | undefined

  constructor(context: ActiveContext, row: SubscriptionRow) {
    this.#context = context
    this.row = row
    this.#seen = row.token
    this.#beganLsn = context.state.durable.lsn
    this.#dispatcher = new Dispatcher((worker, entry) => {
      this.#streams.get(worker)!.give(entry)
    })
    this.#writer = new AckWriter((token) => context.write(row, token), context.clock, row.token, this.end)
    this.ended = this.#run()
  }

  get catalog(): CatalogIdentifier {
    return this.#context.catalog
  }

  get catalogId(): number {
    return this.#context.catalogId
  }

  get isEnding(): boolean {
    return this.#isEnding
  }

  get workers(): WorkerStatus[] {
    return this.#dispatcher.workers.map(({ name, outstanding }) => ({ name, outstanding }))
  }

  /** The worker of this name. */
  member(name: string): Worker | undefined {
    return this.#dispatcher.workers.find((worker) => worker.name === name)
  }

  /** Up to here there is nothing to do any more, whether or not that is durable. */
  get doneLsn(): Lsn {
    const token = this.#dispatcher.size === 0 ? this.#seen : this.#writer.wanted
    return heldLsn({ name: this.row.name, token }) ?? LSN_ZERO
  }

  /** Behind which its snapshot needs the log, as long as no token says it; undefined otherwise. */
  get snapshotLsn(): Lsn | undefined {
    return this.#writer.durable === undefined ? this.#beganLsn : undefined
  }

  /** @throws ReplogError LIMIT; why it ended */
  join(stream: SubscriptionStream, worker: Worker): void {
    const before = this.member(worker.name)
    if (before === undefined && this.#streams.size >= SUBSCRIPTION_WORKERS_MAX) {
      throw new ReplogError('LIMIT', `a subscription has at most ${SUBSCRIPTION_WORKERS_MAX} workers; close one first`)
    }
    this.#requireUnfailed()
    this.#streams.set(worker, stream)
    this.#dispatcher.join(worker)
    if (before === undefined) return
    // A worker that was cut off and comes again: that its old connection is lost may not be noticed for long. It has
    // joined by now, so what it had comes back to it.
    const message = `another connection takes part as worker ${worker.name}; give each worker a name of its own`
    this.#streams.get(before)!.fail(new ReplogError('CONFLICT', message))
    this.#remove(before)
  }

  acknowledge(entry: Entry<SubscriptionChange>, worker: Worker): void {
    if (this.#dispatcher.acknowledge(entry, worker)) this.#moved()
  }

  async acknowledgeUpTo(token: string, worker?: Worker): Promise<string | undefined> {
    this.#requireUnfailed()
    // What is behind all that was read was read elsewhere: it is passed over here. Of what was read here only that counts
    // which was taken: a token may have overtaken those before it.
    const isAhead = worker === undefined && (this.#seen === undefined || compareTokens(token, this.#seen) > 0)
    if (isAhead) requireOfThisSnapshot({ ...this.row, token: this.#writer.wanted }, token)
    if (isAhead) this.#dispatcher.passOver()
    else this.#dispatcher.acknowledgeTaken(token, worker)
    this.#moved()
    if (isAhead) {
      this.#seen = token
      this.#passedOver = token
      this.#writer.want(token)
    }
    await this.#writer.flush()
    this.#requireUnfailed()
    return this.#writer.durable
  }

  async leave(worker: Worker): Promise<void> {
    this.#remove(worker)
    if (this.#streams.size === 0) {
      this.#stopReading()
      await this.ended
    } else if (!this.#isEnding) await this.#writer.flush().catch(() => undefined)
  }

  /** Ends it for all of its workers. */
  readonly end = (error: unknown): void => {
    if (this.#isEnding) return
    this.#failure = { error }
    for (const stream of this.#streams.values()) stream.fail(error)
    this.#stopReading()
  }

  /** As `end`, without writing what was acknowledged: the subscription is not what it was. */
  abandon(error: unknown): void {
    this.#writer.stop()
    this.end(error)
  }

  /** @throws why it ended */
  #requireUnfailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #remove(worker: Worker): void {
    if (!this.#streams.delete(worker)) return
    this.#dispatcher.leave(worker)
  }

  #stopReading(): void {
    this.#isEnding = true
    this.#stop.abort()
    this.#wake()
  }

  async #run(): Promise<void> {
    try {
      await this.#read(this.#stop.signal)
    } catch (error) {
      if (!this.#stop.signal.aborted)
        this.end(isReplogError(error, 'HISTORY_LOST') ? lostPlace(this.row.name, error) : error)
    }
    this.#isEnding = true
    // What keeps it from being written ended the subscription; its changes come again.
    await this.#writer.flush().catch(() => undefined)
    this.#writer.stop()
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { state, catalog, clock } = this.#context
    const { tables, operations, snapshot, token } = this.row
    const isSnapshot = snapshot && (token === undefined || parseChangeToken(token).place !== undefined)
    const heartbeatMs = SUBSCRIPTION_PROGRESS_MS
    const options = { tables, operations, after: token, snapshot: isSnapshot, heartbeatMs }
    const source = new ChangeSource(state, catalog, options, clock)
    for await (const batch of source.batches(signal)) {
      for (const change of batch) {
        if (change.type === 'heartbeat') this.#progressed(change)
        else await this.#offer(change as Exclude<Change, Heartbeat> & SubscriptionChange, signal)
      }
    }
  }

  async #offer(change: SubscriptionChange, signal: AbortSignal): Promise<void> {
    const dispatch = this.#dispatches.of(change)
    while (!this.#hasRoomFor(dispatch.bytes)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      signal.throwIfAborted()
    }
    if (this.#passedOver !== undefined && compareTokens(dispatch.token, this.#passedOver) <= 0) return
    this.#passedOver = undefined
    this.#seen = dispatch.token
    this.#dispatcher.add(dispatch)
  }

  #hasRoomFor(bytes: number): boolean {
    const { size } = this.#dispatcher
    const { window } = this.#context
    // What is larger than the window goes alone.
    return size === 0 || (size < window.changes && this.#dispatcher.bytes + bytes <= window.bytes)
  }

  /** Nothing to tell up to here. An acknowledgement is a transaction that others pass over, so few are written for that. */
  #progressed({ token, lsn }: Heartbeat): void {
    if (this.#dispatcher.size > 0 || (this.#seen !== undefined && compareTokens(token, this.#seen) <= 0)) return
    this.#seen = token
    const { wanted } = this.#writer
    if (wanted === undefined) return
    const transactions = Math.max(SUBSCRIPTION_PROGRESS_TRANSACTIONS, 4 * this.#context.subscriptions())
    if (lsn - parseChangeToken(wanted).position.lsn >= BigInt(transactions)) this.#writer.want(token)
  }

  #moved(): void {
    const { settled } = this.#dispatcher
    if (settled !== undefined && settled !== this.#settled) this.#writer.want(settled)
    this.#settled = settled
    this.#wake()
  }
}

/**
 * A reset with a snapshot leaves no place behind: the token of a change of the log is then one from before it, or from
 * elsewhere, and would pass over rows that nobody was given.
 * @throws ReplogError INVALID_ARGUMENT
 */
export function requireOfThisSnapshot(row: SubscriptionRow, token: string): void {
  if (!row.snapshot || row.token !== undefined || parseChangeToken(token).place !== undefined) return
  throw new ReplogError(
    'INVALID_ARGUMENT',
    `subscription ${row.name} begins with a snapshot of which nothing is acknowledged yet, and the token is not one of ` +
      'its rows; read it, and acknowledge one of those, or the end of the snapshot while you are connected',
  )
}

/** @param cause names the oldest position, and why it is the oldest */
export function lostPlace(name: string, cause: ReplogError): ReplogError {
  return new ReplogError(
    'HISTORY_LOST',
    `subscription ${name} has lost its place: ${cause.message}. Reset it to take it up again, best with a snapshot`,
    { cause, ...(cause.details && { details: { ...cause.details } }) },
  )
}

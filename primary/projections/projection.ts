/**
 * A projection: a handler that is given the changes of the catalog, in order, and whose writes commit together with the
 * position behind them. So each change counts exactly once in what it writes, through crashes, restarts and promotions.
 *
 *   log ──> whole source transactions, some at once ──> one transaction: handler for each change, position moves ──> next
 *                                                          conflict: again; error: alone, again, or stop
 *
 * A source transaction is never applied in part. A handler that writes what it would be given again is stopped: it would
 * feed itself for ever.
 *
 * Invariants:
 * - the position and the writes that rest on it are in one transaction (`projection-positions.ts`); (G1)
 * - what a handler did before it threw is undone, and the position stays before the change that it threw for;
 * - as long as it runs, and while it does not, the log is held from its position on, up to the hard cap.
 */
import type { Clock } from '../../core/clock.js'
import { type ErrorCode, ReplogError, isReplogError } from '../../core/errors.js'
import {
  PROJECTION_BATCH_CHANGES_MAX,
  PROJECTION_PAUSE_MS_MAX,
  PROJECTION_PROGRESS_MS,
  PROJECTION_PROGRESS_TRANSACTIONS,
} from '../../core/limits.js'
import { type Lsn, formatPosition } from '../../core/position.js'
import type { Change } from '../../log/changes/change.js'
import { ChangeFilter } from '../../log/changes/change-filter.js'
import { ChangeSource } from '../../log/changes/change-source.js'
import { parseChangeToken } from '../../log/changes/change-token.js'
import { type ConsumerHolders, consumerHolderName, lsnHeldBy } from '../../log/purge/consumer-holders.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import type { ConsumerCatalog } from '../system-tables.js'
import type { Transaction } from '../transaction.js'
import type { CheckedOptions, ProjectionHandler } from './projection-options.js'
import { ProjectionPosition } from './projection-positions.js'
import type { RunningProjections } from './running-projections.js'

export interface ProjectionContext {
  readonly state: ReplicatedState
  readonly clock: Clock
  readonly consumers: ConsumerHolders
  readonly projections: RunningProjections
}

/** `waiting`: for the next attempt, after an error. `failed`: it has stopped with an error; its position stays. */
export type ProjectionState = 'starting' | 'running' | 'waiting' | 'stopped' | 'failed'

/** How a projection stands. */
export interface ProjectionStatus {
  readonly state: ProjectionState
  /** Behind what is applied; undefined before it is known where it begins. */
  readonly token: string | undefined
  /** Applied since the projection was begun, by all of its runners. */
  readonly changes: bigint
  /** Whether the rows that were there when it began have not all come yet. */
  readonly inSnapshot: boolean
  /** Transactions of the log that it has not looked at yet. */
  readonly lagTransactions: number
  /** Why it waits, or has failed. */
  readonly error: unknown
}

/** What is applied whole: a transaction of the log, a row of the snapshot, or how far the stream is. */
interface Unit {
  /** What the handler is called with, one after the other. */
  readonly given: readonly Change[]
  /** Changes and rows in it. */
  readonly count: number
  readonly lsn: Lsn
  /** Behind it. */
  readonly token: string
  readonly endsSnapshot: boolean
}

/** Errors after which nothing is tried again. */
const FINAL_CODES: readonly ErrorCode[] = [
  'PROJECTION_MOVED',
  'PROJECTION_FEEDBACK',
  'COMMIT_UNKNOWN',
  'STORE_FAILED',
  'FENCED',
  'CLOSED',
]

/**
 * A function that sees every change exactly once, as far as what it writes in its transaction goes. From
 * `Catalog.project`.
 */
export class Projection {
  readonly name: string
  /** Resolves when it has stopped; rejects with the error with which it failed. */
  readonly done: Promise<void>
  readonly #context: ProjectionContext
  readonly #db: ConsumerCatalog
  readonly #handler: ProjectionHandler<Change>
  readonly #options: CheckedOptions
  readonly #filter: ChangeFilter
  readonly #position: ProjectionPosition
  readonly #stop = new AbortController()
  #state: ProjectionState = 'starting'
  #error: unknown
  #inSnapshot = false
  /** The log is held from here on. */
  #heldLsn: Lsn
  /** All up to here is applied, or is nothing to it. */
  #seenLsn: Lsn

  /** It begins at once. */
  constructor(
    context: ProjectionContext,
    db: ConsumerCatalog,
    name: string,
    handler: ProjectionHandler<Change>,
    options: CheckedOptions,
  ) {
    this.name = name
    this.#context = context
    this.#db = db
    this.#handler = handler
    this.#options = options
    this.#filter = new ChangeFilter(options.filter)
    this.#position = new ProjectionPosition(name)
    this.#heldLsn = this.#seenLsn = context.state.trimFloor
    this.done = this.#live()
    // Who does not look at it reads the status.
    this.done.catch(() => undefined)
  }

  /** How it stands now. */
  get status(): ProjectionStatus {
    const { token, changes } = this.#position.held
    const lagTransactions = Math.max(0, Number(this.#context.state.durable.lsn - this.#seenLsn))
    return {
      state: this.#state,
      token: token ?? undefined,
      changes,
      inSnapshot: this.#inSnapshot,
      lagTransactions,
      error: this.#error,
    }
  }

  /** Stops when the transaction that is under way has ended. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.done.catch(() => undefined)
  }

  async #live(): Promise<void> {
    const { signal } = this.#options
    const abort = (): void => {
      this.#stop.abort()
    }
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort, { once: true })
    const holder = consumerHolderName('projections', this.name, this.#db.name)
    const release = this.#context.consumers.hold(holder, () => this.#heldLsn)
    this.#context.projections.add(this)
    try {
      await this.#follow()
      this.#state = 'stopped'
    } catch (error) {
      if (this.#stop.signal.aborted || isReplogError(error, 'CLOSED')) {
        this.#state = 'stopped'
        return
      }
      this.#state = 'failed'
      this.#error = error
      throw error
    } finally {
      signal?.removeEventListener('abort', abort)
      // From here on its row is what holds the log.
      await this.#context.consumers.refresh()
      release()
      this.#context.projections.delete(this)
    }
  }

  async #follow(): Promise<void> {
    const { clock, state } = this.#context
    const { snapshot, after } = this.#options
    const { signal } = this.#stop
    const { token } = await this.#attempt(() => this.#position.takeOver(this.#db, () => clock.nowUs()))
    signal.throwIfAborted()
    const begun = token === null ? undefined : parseChangeToken(token)
    this.#inSnapshot = begun === undefined ? snapshot : begun.place !== undefined
    if (begun !== undefined) {
      this.#heldLsn = lsnHeldBy(begun)
      this.#seenLsn = begun.position.lsn
    } else if (snapshot) this.#heldLsn = state.durable.lsn
    const from = token ?? (snapshot ? undefined : (after ?? '0'))
    const streamed = {
      ...this.#options.filter,
      // Whole ones, whatever the handler is given.
      transactions: true,
      after: from,
      snapshot: from === undefined,
      heartbeatMs: PROJECTION_PROGRESS_MS,
    }
    const source = new ChangeSource(state, this.#db.name, streamed, clock)
    if (token === null && from !== undefined) await this.#begin(source, from)
    this.#state = 'running'
    for await (const batch of source.batches(signal)) {
      for (const units of this.#chunks(batch)) {
        signal.throwIfAborted()
        const { lsn } = units.at(-1)!
        // Moving the position is a transaction itself.
        const isIdle = units.every(({ given }) => given.length === 0)
        if (!isIdle || lsn - this.#heldLsn >= BigInt(PROJECTION_PROGRESS_TRANSACTIONS)) {
          await this.#apply(units)
          this.#heldLsn = lsn
          if (units.some(({ endsSnapshot }) => endsSnapshot)) this.#inSnapshot = false
        }
        this.#seenLsn = lsn
      }
    }
  }

  /** Writes down where it begins: from then on the log is held from there, though no change has been applied. */
  async #begin(source: ChangeSource, from: string): Promise<void> {
    const { clock } = this.#context
    await source.begin(this.#stop.signal)
    const { position } = source
    // A bare LSN says nothing about the history that it is of.
    const token = /^\d+$/.test(from) ? formatPosition(position) : from
    const next = { token, changes: this.#position.held.changes }
    await this.#attempt(() =>
      this.#db.transaction((transaction) => this.#position.move(transaction, next, clock.nowUs()), { ack: 'local' }),
    )
    this.#position.moved(next)
    this.#heldLsn = this.#seenLsn = position.lsn
  }

  *#chunks(batch: readonly Change[]): Generator<readonly Unit[]> {
    let chunk: Unit[] = []
    let count = 0
    for (const change of batch) {
      const unit = this.#unitOf(change)
      chunk.push(unit)
      count += unit.count
      if (count < PROJECTION_BATCH_CHANGES_MAX) continue
      yield chunk
      chunk = []
      count = 0
    }
    if (chunk.length > 0) yield chunk
  }

  #unitOf(change: Change): Unit {
    const { lsn, token } = change
    const place = { lsn, token, endsSnapshot: change.type === 'snapshotEnd' }
    switch (change.type) {
      case 'transaction': {
        const { changes } = change
        return { given: this.#options.transactions ? [change] : changes, count: changes.length, ...place }
      }
      case 'heartbeat':
        return { given: [], count: 0, ...place }
      case 'snapshotEnd':
        return { given: [change], count: 0, ...place }
      default:
        return { given: [change], count: 1, ...place }
    }
  }

  /** Applies these, together or, when something is wrong with one, up to that one. */
  async #apply(units: readonly Unit[]): Promise<void> {
    if (units.length > 1) {
      try {
        await this.#commit(units)
        return
      } catch (error) {
        if (this.#isFinal(error)) throw error
      }
      for (const unit of units) await this.#attempt(() => this.#commit([unit]))
      return
    }
    await this.#attempt(() => this.#commit(units))
  }

  async #commit(units: readonly Unit[]): Promise<void> {
    const { clock } = this.#context
    const { changes } = this.#position.held
    const next = {
      token: units.at(-1)!.token,
      changes: units.reduce((sum, { count }) => sum + BigInt(count), changes),
    }
    await this.#db.transaction(
      async (transaction) => {
        await transaction.asGuest('a projection', async () => {
          for (const { given } of units) for (const one of given) await this.#handler(one, transaction)
        })
        this.#requireNoFeedback(transaction)
        await this.#position.move(transaction, next, clock.nowUs())
      },
      // What it rests on is in the same log: where that is lost, so is this.
      { ack: 'local' },
    )
    this.#position.moved(next)
  }

  /** @throws ReplogError PROJECTION_FEEDBACK */
  #requireNoFeedback(transaction: Transaction): void {
    const filter = this.#filter
    const fed = transaction.findWritten(
      (schema, table, operation) => filter.hasOperation(operation) && filter.hasTable(schema, table, false),
    )
    if (fed === undefined) return
    throw new ReplogError(
      'PROJECTION_FEEDBACK',
      `projection ${JSON.stringify(this.name)} writes table ${fed}, whose changes it is given, and would never end; name ` +
        'the tables that it reads in `tables`, and write others',
    )
  }

  /** Repeats `work` until it succeeds, or until it has failed as often as it may. */
  async #attempt<Result>(work: () => Promise<Result>): Promise<Result> {
    const { attemptsMax } = this.#options
    let failures = 0
    for (let pauseMs = this.#options.pauseMs; ; pauseMs = Math.min(pauseMs * 2, PROJECTION_PAUSE_MS_MAX)) {
      try {
        const result = await work()
        if (this.#state === 'waiting') this.#state = 'running'
        this.#error = undefined
        return result
      } catch (error) {
        if (this.#isFinal(error)) throw error
        // What passes by itself, such as a full disk, is waited for, however long it takes.
        const isPassing = isReplogError(error) && error.retryable
        if (!isPassing && ++failures >= attemptsMax) throw error
        this.#state = 'waiting'
        this.#error = error
      }
      await this.#pause(pauseMs)
    }
  }

  #isFinal(error: unknown): boolean {
    return this.#stop.signal.aborted || FINAL_CODES.some((code) => isReplogError(error, code))
  }

  /** @throws when it is stopped meanwhile */
  async #pause(pauseMs: number): Promise<void> {
    const { signal } = this.#stop
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel()
        clearInterval(alive)
        signal.removeEventListener('abort', end)
        resolve()
      }
      const cancel = this.#context.clock.after(pauseMs, end)
      // Somebody waits for it, so it keeps the process alive.
      const alive = setInterval(() => undefined, PROJECTION_PAUSE_MS_MAX)
      signal.addEventListener('abort', end, { once: true })
    })
    signal.throwIfAborted()
  }
}

/**
 * The changes of one catalog, from a token on: the rows that are there where a snapshot is asked for, then the log.
 *
 * Invariants:
 * - what is told is durable, whole and in the order of commits, and nothing is left out; what was purged is HISTORY_LOST; (G2, G3, G9)
 * - a token of another history, such as of a transaction that a failover lost, is DIVERGED; (G8)
 * - however far behind the reader is, no more is held than a chunk of the log or a transaction, whichever is larger, and a
 *   batch of changes; of a transaction that is told whole, or beside a snapshot, all changes are a batch.
 */
import { type Clock, systemClock } from '../../core/clock.js'
import { ReplogError } from '../../core/errors.js'
import {
  CHANGE_BATCH_CHANGES_MAX,
  CHANGE_CHUNK_BYTES_TARGET,
  CHANGE_HEARTBEAT_MS_MAX,
  CHANGE_HEARTBEAT_MS_MIN,
  SCAN_PAGE_ROWS_MAX,
} from '../../core/limits.js'
import { requireOptions } from '../../core/options.js'
import { type Lsn, LSN_MAX, type Position, formatPosition, nextLsn, parseLsn } from '../../core/position.js'
import type { CatalogIdentifier } from '../../ddl/identifiers.js'
import { positionAt } from '../position-at.js'
import type { ReplicatedState } from '../replicated-state.js'
import { requireSameHistory } from '../same-history.js'
import { type Change, type RowOrDefinition, type SnapshotEnd, TransactionEvent } from './change.js'
import { ChangeDecoder } from './change-decoder.js'
import { ChangeFilter, type ChangeFilterInput } from './change-filter.js'
import { type ChangeToken, type SnapshotPlace, formatChangeToken, parseChangeToken } from './change-token.js'
import { SnapshotWalk } from './snapshot-walk.js'
import { StreamedTables } from './streamed-tables.js'
import { TransactionReader } from './transaction-reader.js'

/** Where a change stream begins, what it tells of, and when it ends. */
export interface ChangeOptions extends ChangeFilterInput {
  /** Token of the last change that is known, a position, or an LSN ("0": the beginning of the log); from now on when left out. */
  readonly after?: string | undefined
  /** True: each change is a whole transaction, with its rows in `changes`. */
  readonly transactions?: boolean | undefined
  /** True: all rows that are there come first. Not together with `after`, unless that is the token of such a stream. */
  readonly snapshot?: boolean | undefined
  /** False: ends where the log ended when the stream began, and does not wait for more. */
  readonly follow?: boolean | undefined
  /** Without anything to tell for so long, tells how far it is; in milliseconds, 10 to 3,600,000. Never when left out. */
  readonly heartbeatMs?: number | undefined
  /** Ends the stream: what waits for the next change is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export class ChangeSource {
  readonly #state: ReplicatedState
  readonly #catalog: CatalogIdentifier
  readonly #options: ChangeOptions
  readonly #tables: StreamedTables
  readonly #decoder: ChangeDecoder
  readonly #clock: Clock
  readonly #pageRowsMax: number
  /** Where the log ended when the stream was asked for. */
  readonly #asked: Position
  #catalogId = 0
  #reader!: TransactionReader
  #walk: SnapshotWalk | undefined
  /** Changes of the first transaction that were given before. */
  #done = 0
  #toldMs = 0
  /** A stream ends with its catalog. */
  #isDropped = false
  #hasBegun = false

  /** @param pageRowsMax rows of a snapshot that are read at once @throws ReplogError INVALID_ARGUMENT */
  constructor(
    state: ReplicatedState,
    catalog: CatalogIdentifier,
    options: ChangeOptions,
    clock: Clock = systemClock,
    pageRowsMax = SCAN_PAGE_ROWS_MAX,
  ) {
    this.#state = state
    this.#pageRowsMax = pageRowsMax
    this.#catalog = catalog
    this.#options = checked(options)
    const filter = new ChangeFilter(options)
    this.#tables = new StreamedTables(state, filter)
    this.#decoder = new ChangeDecoder(this.#tables, filter)
    this.#clock = clock
    this.#asked = state.durable
  }

  /**
   * Changes in order, some at a time; never none.
   * @throws ReplogError HISTORY_LOST, DIVERGED, NOT_FOUND (catalog), INVALID_ARGUMENT, CORRUPT, CLOSED; the signal's reason
   */
  async *batches(signal: AbortSignal): AsyncGenerator<Change[], undefined> {
    const endLsn = this.#options.follow === false ? this.#state.durable.lsn : LSN_MAX
    await this.begin(signal)
    this.#toldMs = this.#clock.monotonicMs()
    while (this.#walk !== undefined) {
      const walk = this.#walk
      const page = await walk.page()
      yield* this.#changesUpTo(page.position.lsn, signal)
      const rows = walk.accept(page)
      if (rows.length > 0) yield this.#told(rows)
      signal.throwIfAborted()
      if (!walk.isDone) continue
      this.#walk = undefined
      yield this.#told([this.#standing('snapshotEnd')])
    }
    yield* this.#changesUpTo(endLsn, signal)
    return undefined
  }

  /**
   * Finds where the stream begins, for whoever must know whether it can before there is a change. `batches` does it, too.
   * @throws ReplogError HISTORY_LOST, DIVERGED, NOT_FOUND (catalog), INVALID_ARGUMENT, CLOSED; the signal's reason
   */
  async begin(signal: AbortSignal): Promise<void> {
    if (this.#hasBegun) return
    await this.#find(signal)
    this.#hasBegun = true
  }

  /** How far the log was read; ahead of what was told by what is on its way. Once it has begun. */
  get position(): Position {
    return this.#reader.position
  }

  async #find(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { after, snapshot = false } = this.#options
    const token = after === undefined ? undefined : await this.#resolve(after, signal)
    // The catalog and the names of its schemas are those of one LSN, which is not before the first transaction.
    const { dictionary, readDurable } = this.#state
    this.#state.assertOpen()
    this.#catalogId = dictionary.catalog(readDurable, this.#catalog).id
    if (token === undefined) {
      if (snapshot) {
        const { place, position } = await SnapshotWalk.begin(this.#state, this.#catalogId)
        this.#reader = new TransactionReader(this.#state, position)
        this.#walk = this.#walkFrom(place)
      } else this.#reader = new TransactionReader(this.#state, this.#asked)
    } else {
      const { position, done, place } = token
      this.#reader = new TransactionReader(this.#state, done === undefined ? position : await this.#before(position))
      this.#done = done ?? 0
      if (place !== undefined) this.#walk = this.#walkFrom(place)
    }
    await this.#tables.begin(this.#catalogId)
    signal.throwIfAborted()
  }

  #walkFrom(place: SnapshotPlace): SnapshotWalk {
    return new SnapshotWalk(this.#state, this.#catalogId, this.#tables, place, this.#pageRowsMax)
  }

  /** A transaction of which something is left is read again. @throws ReplogError HISTORY_LOST, CORRUPT */
  async #before({ lsn }: Position): Promise<Position> {
    return (await positionAt(this.#state, (lsn - 1n) as Lsn)).position
  }

  /** @throws ReplogError HISTORY_LOST, DIVERGED, INVALID_ARGUMENT */
  async #resolve(after: string, signal: AbortSignal): Promise<ChangeToken> {
    if (isLsn(after)) {
      const lsn = parseLsn(after)
      const { durable } = this.#state
      if (lsn > durable.lsn) {
        throw new ReplogError('INVALID_ARGUMENT', `LSN ${lsn} is ahead of this log, which ends at ${durable.lsn}`)
      }
      return { position: (await positionAt(this.#state, lsn)).position, done: undefined, place: undefined }
    }
    const token = parseChangeToken(after)
    await this.#reach(token.position, signal)
    await requireSameHistory(this.#state, token.position)
    return token
  }

  /** Waits until the log is so far: a replica that lags gets there. @throws ReplogError DIVERGED, CLOSED, STORE_FAILED */
  async #reach(position: Position, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { durable } = this.#state
      if (position.lsn <= durable.lsn) return
      if (position.epoch < durable.epoch) throw lost(position, durable)
      await this.#state.whenDurable(nextLsn(durable.lsn), signal)
      signal.throwIfAborted()
    }
  }

  /** All changes up to an LSN, which may be one that the log has not reached. */
  async *#changesUpTo(endLsn: Lsn, signal: AbortSignal): AsyncGenerator<Change[], undefined> {
    signal.throwIfAborted()
    const reader = this.#reader
    while (reader.lsn < endLsn || this.#decoder.isOpen) {
      const batch = await this.#batch(endLsn, signal)
      if (batch.length > 0) yield this.#told(batch)
      else if (this.#isHeartbeatDue()) yield this.#told([this.#standing('heartbeat')])
      signal.throwIfAborted()
      if (this.#isDropped) throw dropped(this.#catalog)
      if (this.#decoder.isOpen || !reader.isEmpty || reader.lsn >= endLsn) continue
      if (reader.atHead) await this.#wait(signal)
      if (!reader.atHead) await reader.read(CHANGE_CHUNK_BYTES_TARGET)
      signal.throwIfAborted()
    }
    return undefined
  }

  /** What is at hand, about `CHANGE_BATCH_CHANGES_MAX` of it. */
  async #batch(endLsn: Lsn, signal: AbortSignal): Promise<Change[]> {
    const batch: Change[] = []
    const reader = this.#reader
    const decoder = this.#decoder
    while (batch.length < CHANGE_BATCH_CHANGES_MAX && !this.#isDropped) {
      if (!decoder.isOpen) {
        if (!reader.next(endLsn)) break
        const from = this.#done
        this.#done = 0
        if (reader.catalogId !== this.#catalogId) continue
        const transaction = reader.decode()
        if (!this.#tables.knows(transaction)) await this.#tables.learn(transaction, reader.position, signal)
        decoder.open(transaction, reader, from, this.#walk)
      }
      if (this.#options.transactions === true) this.#takeWhole(batch)
      else this.#isDropped = decoder.take(batch as RowOrDefinition[], CHANGE_BATCH_CHANGES_MAX)
    }
    return batch
  }

  #takeWhole(batch: Change[]): void {
    const changes: RowOrDefinition[] = []
    this.#isDropped = this.#decoder.take(changes, Infinity)
    if (changes.length > 0) batch.push(new TransactionEvent(this.#decoder.origin!, changes))
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { heartbeatMs } = this.#options
    const waiting = new AbortController()
    const stop = (): void => {
      waiting.abort()
    }
    signal.addEventListener('abort', stop, { once: true })
    const cancel = heartbeatMs === undefined ? undefined : this.#clock.after(this.#dueInMs(heartbeatMs), stop)
    // Somebody waits for the next change: that keeps the process alive.
    const alive = setInterval(() => undefined, CHANGE_HEARTBEAT_MS_MAX)
    try {
      await this.#reader.wait(waiting.signal)
    } finally {
      clearInterval(alive)
      cancel?.()
      signal.removeEventListener('abort', stop)
    }
  }

  #dueInMs(heartbeatMs: number): number {
    return Math.max(0, this.#toldMs + heartbeatMs - this.#clock.monotonicMs())
  }

  #isHeartbeatDue(): boolean {
    const { heartbeatMs } = this.#options
    // Before the first transaction is read again, the stream stands before what was told of it.
    return heartbeatMs !== undefined && this.#done === 0 && this.#dueInMs(heartbeatMs) === 0
  }

  #standing<Type extends 'heartbeat' | 'snapshotEnd'>(type: Type): { readonly type: Type } & Omit<SnapshotEnd, 'type'> {
    const { position } = this.#reader
    const token = formatChangeToken(formatPosition(position), undefined, this.#walk?.place)
    return { type, lsn: position.lsn, position, token }
  }

  #told(batch: Change[]): Change[] {
    this.#toldMs = this.#clock.monotonicMs()
    return batch
  }
}

/** Rather than a token. */
function isLsn(after: string): boolean {
  return /^\d+$/.test(after)
}

function dropped(catalog: CatalogIdentifier): ReplogError {
  return new ReplogError('NOT_FOUND', `catalog ${JSON.stringify(catalog)} was dropped, and its changes end here`)
}

function lost(position: Position, durable: Position): ReplogError {
  return new ReplogError(
    'DIVERGED',
    `position ${formatPosition(position)} was lost by a failover: the log of epoch ${durable.epoch} does not have it. ` +
      'Take a new snapshot, or go on from the last change that this server has',
  )
}

/** @throws ReplogError INVALID_ARGUMENT */
function checked(options: ChangeOptions): ChangeOptions {
  requireOptions(options)
  const { after, snapshot, transactions, follow, heartbeatMs, signal } = options
  if (after !== undefined && typeof after !== 'string') {
    throw new ReplogError('INVALID_ARGUMENT', '`after` is the token of a change, a position or an LSN, as text')
  }
  for (const [name, value] of Object.entries({ snapshot, transactions, follow })) {
    if (value !== undefined && typeof value !== 'boolean') {
      throw new ReplogError('INVALID_ARGUMENT', `\`${name}\` is true or false`)
    }
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new ReplogError('INVALID_ARGUMENT', '`signal` is an AbortSignal')
  }
  if (
    heartbeatMs !== undefined &&
    !(
      typeof heartbeatMs === 'number' &&
      heartbeatMs >= CHANGE_HEARTBEAT_MS_MIN &&
      heartbeatMs <= CHANGE_HEARTBEAT_MS_MAX
    )
  ) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `\`heartbeatMs\` is a number of milliseconds from ${CHANGE_HEARTBEAT_MS_MIN} to ${CHANGE_HEARTBEAT_MS_MAX}`,
    )
  }
  if (after !== undefined) {
    const place = isLsn(after) ? undefined : parseChangeToken(after).place
    if (snapshot === true && place === undefined) {
      throw new ReplogError(
        'INVALID_ARGUMENT',
        'a stream begins with a snapshot or after a token, not both; only the token of a change that came before the ' +
          'end of a snapshot goes on with it',
      )
    }
  }
  return options
}

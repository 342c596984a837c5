/**
 * The changes of one catalog, from a token on: the rows that are there where a snapshot is asked for, then the log.
 *
 * Invariants:
 * - what is told is durable, whole and in the order of commits, and nothing is left out; what was purged is HISTORY_LOST; (G2, G3, G9)
 * - a token of another history, such as of a transaction that a failover lost, is DIVERGED; (G8)
 * - no more than a chunk of the log and a batch of changes are held, however far behind the reader is.
 */
import { type Clock, systemClock } from '../../core/clock.js'
import { ReplogError } from '../../core/errors.js'
import { CHANGE_BATCH_CHANGES_MAX, CHANGE_HEARTBEAT_MS_MAX, CHANGE_HEARTBEAT_MS_MIN } from '../../core/limits.js'
import { requireOptions } from '../../core/options.js'
import { type Lsn, LSN_MAX, type Position, formatPosition, parseLsn } from '../../core/position.js'
import type { CatalogIdentifier } from '../../ddl/identifiers.js'
import { positionAt } from '../position-at.js'
import type { Transaction } from '../codec/message.js'
import type { ReplicatedState } from '../replicated-state.js'
import { requireSameHistory } from '../same-history.js'
import { type Change, type Heartbeat, type SnapshotEnd, TransactionEvent } from './change.js'
import { ChangeDecoder } from './change-decoder.js'
import { ChangeFilter, type ChangeFilterInput } from './change-filter.js'
import { type ChangeToken, type SnapshotPlace, formatChangeToken, parseChangeToken } from './change-token.js'
import { SnapshotWalk } from './snapshot-walk.js'
import { TransactionReader } from './transaction-reader.js'

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
  readonly #decoder: ChangeDecoder
  readonly #clock: Clock
  #catalogId = 0
  #reader!: TransactionReader
  #walk: SnapshotWalk | undefined
  /** Changes of the first transaction that were given before. */
  #done = 0
  #toldMs = 0
  /** A stream ends with its catalog. */
  #isDropped = false

  /** @throws ReplogError INVALID_ARGUMENT */
  constructor(state: ReplicatedState, catalog: CatalogIdentifier, options: ChangeOptions, clock: Clock = systemClock) {
    this.#state = state
    this.#catalog = catalog
    this.#options = checked(options)
    this.#decoder = new ChangeDecoder(state, new ChangeFilter(options))
    this.#clock = clock
  }

  /**
   * Changes in order, some at a time; never none.
   * @throws ReplogError HISTORY_LOST, DIVERGED, NOT_FOUND (catalog), INVALID_ARGUMENT, CORRUPT, CLOSED; the signal's reason
   */
  async *batches(signal: AbortSignal): AsyncGenerator<Change[], undefined> {
    const endLsn = this.#options.follow === false ? this.#state.durable.lsn : LSN_MAX
    await this.#begin(signal)
    this.#toldMs = this.#clock.monotonicMs()
    if (this.#walk !== undefined) yield* this.#walkThrough(this.#walk, signal)
    while (this.#reader.position.lsn < endLsn) {
      const batch = await this.#batch(endLsn)
      if (batch.length > 0) yield this.#told(batch)
      else if (this.#isHeartbeatDue()) yield this.#told([this.#heartbeat()])
      signal.throwIfAborted()
      if (this.#isDropped) throw dropped(this.#catalog)
      if (!this.#reader.isEmpty) continue
      if (this.#reader.atHead) await this.#wait(signal)
      if (!this.#reader.atHead) await this.#reader.read()
      signal.throwIfAborted()
    }
    return undefined
  }

  async #begin(signal: AbortSignal): Promise<void> {
    const { after, snapshot = false } = this.#options
    const { dictionary, readDurable } = this.#state
    this.#catalogId = dictionary.catalog(readDurable, this.#catalog).id
    if (after === undefined) {
      if (!snapshot) {
        this.#reader = new TransactionReader(this.#state, this.#state.durable)
        return
      }
      const { place, position } = await SnapshotWalk.begin(this.#state, this.#catalogId)
      this.#reader = new TransactionReader(this.#state, position)
      this.#walk = new SnapshotWalk(this.#state, this.#catalogId, this.#decoder, place)
      return
    }
    const { position, done, place } = await this.#resolve(after, signal)
    if (done === undefined) this.#reader = new TransactionReader(this.#state, position)
    else {
      // The transaction is read again, for what is left of it.
      const before = await positionAt(this.#state, (position.lsn - 1n) as Lsn)
      this.#reader = new TransactionReader(this.#state, before.position)
      this.#done = done
    }
    if (place === undefined) return
    this.#walk = new SnapshotWalk(this.#state, this.#catalogId, this.#decoder, place)
  }

  /** @throws ReplogError HISTORY_LOST, DIVERGED, INVALID_ARGUMENT */
  async #resolve(after: string, signal: AbortSignal): Promise<ChangeToken> {
    if (/^\d+$/.test(after)) {
      const { position } = await positionAt(this.#state, parseLsn(after))
      return { position, done: undefined, place: undefined }
    }
    const token = parseChangeToken(after)
    const { lsn, epoch } = token.position
    const { durable } = this.#state
    if (lsn > durable.lsn && epoch < durable.epoch) throw lost(token.position, durable)
    // A replica that lags gets there.
    await this.#state.whenDurable(lsn, signal)
    signal.throwIfAborted()
    await requireSameHistory(this.#state, token.position)
    return token
  }

  /** What is at hand, up to a transaction. */
  async #batch(limit: Lsn): Promise<Change[]> {
    const batch: Change[] = []
    while (batch.length < CHANGE_BATCH_CHANGES_MAX) {
      const whole = this.#reader.take(limit)
      if (whole === undefined) break
      if (whole.catalogId !== this.#catalogId) {
        this.#done = 0
        continue
      }
      const transaction = whole.decode()
      if (!this.#decoder.knows(transaction)) await this.#decoder.learn(transaction, whole.position.lsn)
      this.#tell(transaction, whole.position, batch)
    }
    return batch
  }

  #tell(transaction: Transaction, position: Position, batch: Change[]): void {
    const done = this.#done
    this.#done = 0
    const walk = this.#walk
    const decoded = this.#decoder.decode(transaction, position, walk?.place, walk?.beside)
    walk?.endTransaction()
    if (transaction.statements.some(({ kind }) => kind === 'dropCatalog')) this.#isDropped = true
    const changes = done === 0 ? decoded.changes : decoded.changes.filter(({ ordinal }) => ordinal >= done)
    if (changes.length === 0) return
    if (this.#options.transactions === true) batch.push(new TransactionEvent(decoded.origin, changes))
    else for (const change of changes) batch.push(change)
  }

  async *#walkThrough(walk: SnapshotWalk, signal: AbortSignal): AsyncGenerator<Change[]> {
    while (!walk.isDone) {
      const page = await walk.page()
      signal.throwIfAborted()
      while (this.#reader.position.lsn < page.position.lsn) {
        const batch = await this.#batch(page.position.lsn)
        if (batch.length > 0) yield this.#told(batch)
        signal.throwIfAborted()
        if (this.#reader.isEmpty && this.#reader.position.lsn < page.position.lsn) await this.#reader.read()
      }
      const rows = walk.accept(page)
      if (rows.length > 0) yield this.#told(rows)
      signal.throwIfAborted()
    }
    this.#walk = undefined
    yield this.#told([this.#standing('snapshotEnd')])
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
    return heartbeatMs !== undefined && this.#dueInMs(heartbeatMs) === 0
  }

  #heartbeat(): Heartbeat {
    return this.#standing('heartbeat')
  }

  #standing<Type extends 'heartbeat' | 'snapshotEnd'>(type: Type): { readonly type: Type } & Omit<SnapshotEnd, 'type'> {
    const { position } = this.#reader
    const place: SnapshotPlace | undefined = this.#walk?.place
    return { type, lsn: position.lsn, position, token: formatChangeToken(formatPosition(position), undefined, place) }
  }

  #told(batch: Change[]): Change[] {
    this.#toldMs = this.#clock.monotonicMs()
    return batch
  }
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
    !(heartbeatMs >= CHANGE_HEARTBEAT_MS_MIN && heartbeatMs <= CHANGE_HEARTBEAT_MS_MAX)
  ) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `\`heartbeatMs\` is a number of milliseconds from ${CHANGE_HEARTBEAT_MS_MIN} to ${CHANGE_HEARTBEAT_MS_MAX}`,
    )
  }
  if (after !== undefined) {
    const isLsn = /^\d+$/.test(after)
    const place = isLsn ? undefined : parseChangeToken(after).place
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

/**
 * A transaction as an embedding application uses it: reads at one snapshot, its own writes above that, commit or
 * rollback at the end. Its states are the table in `transaction-states.ts`.
 *
 * Nothing but `commit` commits. A statement that throws leaves the transaction open and as it was before it, but for
 * DEADLOCK and a CONFLICT met by `getForUpdate`, which roll it back. (G5)
 */
import { ReplogError, isReplogError } from '../core/errors.js'
import { LOCK_WAIT_MS_DEFAULT, RESULT_BYTES_MAX, SCAN_RESULT_ROWS_MAX } from '../core/limits.js'
import { requireOptions } from '../core/options.js'
import type { Lsn, Position } from '../core/position.js'
import type { CatalogIdentifier } from '../ddl/identifiers.js'
import type { CompiledTable, RowObject } from '../ddl/compiled-table.js'
import { type Table, tableNameOf } from '../ddl/define-table.js'
import type { Given, Insert, Key, Row, Update } from '../ddl/table-types.js'
import { SnapshotView } from '../log/read-view.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import { type ScanOptions, planScan, scanPages } from '../log/scan.js'
import type { TableNames } from '../log/table-names.js'
import type { TableScan } from '../log/table-scan.js'
import { keyText } from '../store/keys.js'
import type { Snapshot, TextRange } from '../store/versions.js'
import type { AckGate, AckInput } from './ack-gate.js'
import type { Annotations } from './annotations.js'
import type { CommitLane, CommitResult } from './commit-lane.js'
import { requireNoneReferring, runCascades } from './cascades.js'
import { Cursor } from './cursor.js'
import type { LockOwner, LockTable } from './lock-table.js'
import { Holding, type Quotas } from './quotas.js'
import { ReadSet } from './read-set.js'
import { LockedRow } from './locked-row.js'
import { checkIdempotencyKey } from './outcome.js'
import {
  type PointStatementInput,
  type TableChangeInput,
  checkStatement,
  isTableChange,
  runPointStatement,
  runTableChange,
} from './run-statement.js'
import { Savepoints } from './savepoints.js'
import type { CheckInput, RowInput, SetInput, StatementInput, StatementResult } from './statement.js'
import { TableChanges } from './table-changes.js'
import { STAGED_BEGINNING, type TableTest, type TakenChange, findStaged } from './staged-changes.js'
import type { TriggerRun, Triggers } from './triggers.js'
import { StatementTurns } from './statement-turns.js'
import { type BodyMark, TransactionBody } from './transaction-body.js'
import { TRANSACTION_STATES, type TransactionEvent, type TransactionStatus } from './transaction-states.js'
import { TransactionDefinitions } from './transaction-definitions.js'
import { TransactionView } from './transaction-view.js'

export type { TransactionStatus } from './transaction-states.js'

/**
 * `serializable`: committed transactions are equivalent to running one at a time. `snapshot`: of two that write the same
 * row the first committer wins, but what was only read may have changed (write skew).
 */
export type Isolation = 'serializable' | 'snapshot'

export interface TransactionContext {
  readonly state: ReplicatedState
  readonly names: TableNames
  readonly lane: CommitLane
  readonly locks: LockTable
  readonly quotas: Quotas
  readonly acks: AckGate
  readonly triggers: Triggers<Transaction>
  /** Counts transactions since the start; names this one in messages. */
  readonly ordinal: number
  readonly nowUs: bigint
  readonly nowMs: number
  /** Told when the transaction has ended. */
  readonly onEnd: (transaction: Transaction) => void
}

/** How a transaction reads, and what it carries. */
export interface TransactionOptions {
  /** Carried in the log beside the statements, for the application's own use. */
  readonly annotations?: Annotations | undefined
  /** Default `serializable`. */
  readonly isolation?: Isolation | undefined
  /** Refuses statements that write. */
  readonly readOnly?: boolean | undefined
  /** The `priority` of the transaction that this one repeats. */
  readonly priority?: number | undefined
  /** A transaction that whoever waits for this one has open as well: no lock of it is waited for. */
  readonly beside?: LockOwner | undefined
}

/** How a transaction commits. */
export interface CommitOptions {
  /** At most 255 characters; a second commit of the catalog with the same key gets the outcome of the first. */
  readonly idempotencyKey?: string | undefined
  /** How safe it must be before the commit resolves; the default of the server when left out. */
  readonly ack?: AckInput | undefined
}

/**
 * A transaction: it reads at one snapshot and sees its own writes; nobody else sees them before `commit`. From
 * `Catalog.begin` or `Catalog.transaction`. A statement that throws leaves it open and as it was before the statement, but
 * for DEADLOCK and CONFLICT of `getForUpdate`, which roll it back.
 */
export class Transaction extends TransactionDefinitions implements LockOwner {
  /** Monotonic time of the begin, for the age limit. */
  readonly begunMs: number
  readonly isolation: Isolation
  readonly readOnly: boolean
  readonly name: string
  /** Age among those that wait for locks of one another; give it to a repetition so that it does not starve. */
  readonly priority: number
  readonly beside: LockOwner | undefined
  readonly #context: TransactionContext
  readonly #reads: ReadSet
  readonly #base: SnapshotView
  readonly #body: TransactionBody
  readonly #staged: Holding
  #madeView: TransactionView | undefined
  #madeRequiredView: TransactionView | undefined
  #madeChanges: TableChanges | undefined
  #madeSavepoints: Savepoints | undefined
  readonly #turns = new StatementTurns()
  readonly #annotations: Annotations | undefined
  #cursors: Set<Cursor<unknown>> | undefined
  /** Resolves when the last lock request so far has ended, one way or the other. */
  #lastLockRequest: Promise<void> | undefined
  #lockRequests = 0
  #snapshot: Snapshot
  /** Where the log stood at the snapshot. */
  #begin: Position
  #status: TransactionStatus = 'open'
  #endedBecause: ReplogError | undefined
  /** Who runs in this transaction and must not end it; undefined when nobody does. */
  #guest: 'a trigger' | 'a projection' | undefined

  constructor(context: TransactionContext, catalog: CatalogIdentifier, options: TransactionOptions) {
    super()
    requireOptions(options)
    checkOptions(options)
    const { state, names } = context
    this.#context = context
    this.#annotations = options.annotations
    this.isolation = options.isolation ?? 'serializable'
    this.readOnly = options.readOnly === true
    this.name = `transaction ${context.ordinal}`
    this.priority = options.priority ?? context.ordinal
    this.beside = options.beside
    this.begunMs = context.nowMs
    this.#begin = state.durable
    this.#snapshot = state.openSnapshot()
    this.#reads = new ReadSet(this.#snapshot)
    this.#base = new SnapshotView(state, this.#snapshot)
    this.#staged = new Holding(context.quotas, 'stagedBytes', catalog)
    const reads = this.#reads
    const base = this.#base
    try {
      this.#body = new TransactionBody({
        state,
        names,
        catalog,
        base: (key, text) => {
          if (this.#guest === 'a trigger') reads.noteRequiredKey(text)
          else reads.noteKey(text)
          return base.get(key, text)
        },
        peek: (key, text) => base.get(key, text),
        get asOf() {
          return base.lsn
        },
        noteDefinition: (text) => {
          reads.noteDefinition(text)
        },
        noteExisting: (text) => {
          reads.noteExisting(text)
        },
        beforeWrite: undefined,
        quotas: context.quotas,
        staged: this.#staged,
        startUs: context.nowUs,
      })
    } catch (error) {
      state.versions.close(this.#snapshot)
      throw error
    }
  }

  // What few transactions need is made when they ask for it: most of them insert or update a row and commit.

  get #view(): TransactionView {
    const reads = this.#reads
    const note = (range: TextRange): void => {
      if (this.#guest === 'a trigger') reads.noteRequiredRange(range)
      else reads.noteRange(range)
    }
    this.#madeView ??= new TransactionView(this.#base, this.#body, note, () => {
      this.#requireOpen()
    })
    return this.#madeView
  }

  /** Like `#view`, for constraints and definitions: what it passes must be the same under every isolation. */
  get #requiredView(): TransactionView {
    const reads = this.#reads
    this.#madeRequiredView ??= new TransactionView(this.#base, this.#body, reads.noteRequiredRange.bind(reads), () => {
      if (this.#status !== 'committing') this.#requireOpen()
    })
    return this.#madeRequiredView
  }

  get #changes(): TableChanges {
    this.#madeChanges ??= new TableChanges({
      state: this.#context.state,
      quotas: this.#context.quotas,
      body: this.#body,
      view: this.#requiredView,
      requireOpen: () => {
        this.#requireOpen()
      },
      lock: (table) => this.#lockTable(table),
    })
    return this.#madeChanges
  }

  get #savepoints(): Savepoints {
    this.#madeSavepoints ??= new Savepoints(this.#body)
    return this.#madeSavepoints
  }

  /** The name of its catalog. */
  get catalog(): CatalogIdentifier {
    return this.#body.catalog
  }

  /** Whether it is open, and what became of it. */
  get status(): TransactionStatus {
    return this.#status
  }

  /** The LSN that this transaction reads at. */
  get snapshotLsn(): Lsn {
    return this.#snapshot.lsn
  }

  /** Why the transaction was rolled back, when it was not by the user. */
  get endedBecause(): ReplogError | undefined {
    return this.#endedBecause
  }

  /**
   * Adds rows; all of them or, when it throws, none.
   * @param table a handle, or "schema.table"
   * @returns `autoIncrement`: one value for each row, where the table has such a column
   * @throws ReplogError DUPLICATE_KEY, INVALID_VALUE, NOT_FOUND, TRANSACTION_TOO_LARGE
   */
  insert<Of extends Table>(
    table: Of,
    rows: Insert<Of> | readonly Insert<Of>[],
  ): Promise<{ inserted: number; autoIncrement?: readonly bigint[] }>
  insert(
    table: string,
    rows: RowInput | readonly RowInput[],
  ): Promise<{ inserted: number; autoIncrement?: readonly bigint[] }>
  insert(
    table: string | Table,
    rows: RowInput | readonly RowInput[],
  ): Promise<{ inserted: number; autoIncrement?: readonly bigint[] }> {
    const list = Array.isArray(rows) ? (rows as readonly RowInput[]) : [rows as RowInput]
    return this.#writing(() => this.#body.insert({ table: tableNameOf(table), rows: list }))
  }

  /**
   * Changes the row with this primary key. `{ add: n }` as a value adds to the value that the row has when the
   * transaction is ordered, so that a hot counter does not conflict.
   * @param table a handle, or "schema.table"
   * @returns `updated` 0 when there is no such row
   * @throws ReplogError NOT_FOUND, INVALID_VALUE, DUPLICATE_KEY, CHECK_VIOLATION, FOREIGN_KEY_VIOLATION
   */
  update<Of extends Table>(table: Of, key: Key<Of>, set: Update<Of>): Promise<{ updated: 0 | 1 }>
  update(table: string, key: RowInput, set: SetInput): Promise<{ updated: 0 | 1 }>
  update(table: string | Table, key: RowInput, set: SetInput): Promise<{ updated: 0 | 1 }> {
    return this.#cascading(() => this.#body.update({ table: tableNameOf(table), key, set }))
  }

  /**
   * Deletes the row with this primary key.
   * @param table a handle, or "schema.table"
   * @returns `deleted` 0 when there is no such row
   * @throws ReplogError NOT_FOUND, INVALID_VALUE, FOREIGN_KEY_VIOLATION
   */
  delete<Of extends Table>(table: Of, key: Key<Of>): Promise<{ deleted: 0 | 1 }>
  delete(table: string, key: RowInput): Promise<{ deleted: 0 | 1 }>
  delete(table: string | Table, key: RowInput): Promise<{ deleted: 0 | 1 }> {
    return this.#cascading(() => this.#body.delete({ table: tableNameOf(table), key }))
  }

  /**
   * The row with this primary key, or undefined.
   * @param table a handle, or "schema.table"
   * @throws ReplogError NOT_FOUND (the table), INVALID_VALUE (the key)
   */
  get<Of extends Table>(table: Of, key: Key<Of>): Promise<Row<Of> | undefined>
  get(table: string, key: RowInput): Promise<RowObject | undefined>
  async get(table: string | Table, key: RowInput): Promise<RowObject | undefined> {
    while (this.#turns.isTaken) await this.#turns.free()
    return this.#running(() => this.#body.get({ table: tableNameOf(table), key }))
  }

  /**
   * The row, locked until this transaction's commit has its place or it is rolled back. Who else asks for the lock waits
   * in line, and so does who commits a change of the row; a plain `get` does not. The row is read as it is when the lock
   * is granted: where another transaction changed it meanwhile, this one's snapshot moves up, provided that nothing else
   * that it read has changed.
   * @throws ReplogError LOCK_TIMEOUT (the transaction stays open); DEADLOCK, CONFLICT (it is rolled back)
   */
  getForUpdate<Of extends Table>(
    table: Of,
    key: Key<Of>,
    options?: { readonly timeoutMs?: number | undefined },
  ): Promise<Row<Of> | undefined>
  getForUpdate(
    table: string,
    key: RowInput,
    options?: { readonly timeoutMs?: number | undefined },
  ): Promise<RowObject | undefined>
  async getForUpdate(
    given: string | Table,
    key: RowInput,
    options: { readonly timeoutMs?: number | undefined } = {},
  ): Promise<RowObject | undefined> {
    while (this.#turns.isTaken) await this.#turns.free()
    const { state } = this.#context
    const table = tableNameOf(given)
    const text = this.#permitted(() => this.#body.rowText({ table, key }))
    const timeoutMs = checkTimeout(options)
    return this.#locking(text, timeoutMs, () => {
      if (state.versions.changedSince(text, this.#snapshot)) this.#moveUp()
      return this.#body.get({ table, key })
    })
  }

  /** Runs `locked` when this transaction holds a lock and sees what its last holder left. */
  async #locking<Result>(text: string, timeoutMs: number, locked: () => Result): Promise<Result> {
    const { state, locks } = this.#context
    const before = this.#lastLockRequest
    let end: () => void = () => undefined
    this.#lastLockRequest = new Promise<void>((resolve) => (end = resolve))
    this.#lockRequests++
    try {
      // Requests that are not waited for run one after the other: an owner waits for one lock at a time.
      if (this.#lockRequests > 1) {
        await before
        this.#requireOpen()
      }
      await locks.acquire(this, text, timeoutMs)
      this.#requireOpen()
      // Who held the lock before may not be durable yet, and must not be seen before it is. (G2)
      await state.whenDurable(state.head.lsn)
      this.#requireOpen()
      return locked()
    } catch (error) {
      // Who is rolled back while it waits is told why.
      this.#requireOpen()
      if (isReplogError(error) && ENDS_TRANSACTION.has(error.code)) this.expire(error)
      throw error
    } finally {
      this.#lockRequests--
      end()
    }
  }

  /** Whoever commits a change of the table's rows waits from here on; the snapshot moves up to what they are now. */
  #lockTable(table: CompiledTable): Promise<void> {
    return this.#locking(keyText(table.rowPrefix), LOCK_WAIT_MS_DEFAULT, () => {
      if (this.#context.state.head.lsn > this.#snapshot.lsn) this.#moveUp()
    })
  }

  /**
   * States that a row is there, is not there (`exists: false`), or has these values (`equals`).
   * @throws ReplogError CHECK_FAILED when the row is not as stated
   */
  check<Of extends Table>(
    table: Of,
    key: Key<Of>,
    condition?: { readonly exists?: boolean | undefined; readonly equals?: Given<Of> | undefined },
  ): Promise<void>
  check(table: string, key: RowInput, condition?: Omit<CheckInput, 'table' | 'key'>): Promise<void>
  async check(table: string | Table, key: RowInput, condition: Omit<CheckInput, 'table' | 'key'> = {}): Promise<void> {
    while (this.#turns.isTaken) await this.#turns.free()
    this.#running(() => {
      this.#body.check({ table: tableNameOf(table), key, ...condition })
    })
  }

  /** Rows in key order, this transaction's own writes included; what it passes is validated at commit. */
  scan<Of extends Table>(table: Of, options?: TableScan<Of>): AsyncGenerator<Row<Of>>
  scan(table: string, options?: ScanOptions): AsyncGenerator<RowObject>
  async *scan(table: string | Table, options: ScanOptions = {}): AsyncGenerator<RowObject> {
    for await (const { rows } of this.#pages(tableNameOf(table), options)) {
      for (const row of rows) {
        yield row
        this.#requireOpen()
      }
    }
  }

  /** The same, an array of rows at a time; some may be empty. Nothing is held between pages but the key range. */
  scanPages<Of extends Table>(table: Of, options?: TableScan<Of>): AsyncGenerator<Row<Of>[]>
  scanPages(table: string, options?: ScanOptions): AsyncGenerator<RowObject[]>
  async *scanPages(table: string | Table, options: ScanOptions = {}): AsyncGenerator<RowObject[]> {
    for await (const { rows } of this.#pages(tableNameOf(table), options)) yield rows
  }

  async *#pages(
    table: string,
    options: ScanOptions,
  ): AsyncGenerator<{ readonly rows: RowObject[]; readonly bytes: number }> {
    while (this.#turns.isTaken) await this.#turns.free()
    const compiled = this.#running(() => this.#body.table(table))
    const plan = planScan(compiled, options)
    const pages = scanPages(this.#view, compiled, plan)
    for (;;) {
      while (this.#turns.isTaken) await this.#turns.free()
      // What was added to rows meanwhile is seen by the next page, as every other own write is.
      this.#running(() => {
        this.#body.requireUnaltered(compiled)
        this.#body.materializeDeferred(compiled)
      })
      const page = await pages.next()
      if (page.done === true) return
      const { rows, bytes } = page.value
      yield { rows: rows.map((row) => compiled.toObject(row)), bytes }
    }
  }

  /**
   * A cursor over the rows that `scan` with the same options gives, fetched as they are asked for. Several may be open at
   * once; they close with the transaction.
   * @throws ReplogError NOT_FOUND, INVALID_VALUE, INVALID_ARGUMENT
   */
  openCursor<Of extends Table>(table: Of, options?: TableScan<Of>): Cursor<Row<Of>>
  openCursor(table: string, options?: ScanOptions): Cursor
  openCursor(given: string | Table, options: ScanOptions = {}): Cursor {
    const table = tableNameOf(given)
    this.#requireOpen()
    const cursor = new Cursor(
      {
        open: () => {
          this.#requireOpen()
          const compiled = this.#body.table(table)
          this.#body.materializeDeferred(compiled)
          return { table: compiled, view: this.#view }
        },
        onClose: (closed) => this.#cursors?.delete(closed),
      },
      options,
    )
    this.#cursors ??= new Set()
    this.#cursors.add(cursor)
    return cursor
  }

  /** Runs a statement in its object form, as it is sent over HTTP. */
  async execute(statement: StatementInput): Promise<StatementResult> {
    checkStatement(statement)
    if ('getForUpdate' in statement) {
      const { table, key, timeoutMs } = statement.getForUpdate
      return { row: (await this.getForUpdate(table, key, { timeoutMs })) ?? null }
    }
    if (!('scan' in statement)) return this.run(statement)
    const { table, limit = Infinity, ...options } = statement.scan
    const rows: RowObject[] = []
    let bytes = 0
    const bounded = { ...options, limit: Math.min(limit, SCAN_RESULT_ROWS_MAX + 1) }
    for await (const page of this.#pages(table, bounded)) {
      bytes += page.bytes
      for (const row of page.rows) rows.push(row)
      if (rows.length > SCAN_RESULT_ROWS_MAX || bytes > RESULT_BYTES_MAX) {
        throw new ReplogError(
          'TOO_LARGE',
          `the scan finds more than ${SCAN_RESULT_ROWS_MAX} rows or ${RESULT_BYTES_MAX} bytes; set \`limit\` and go on ` +
            'from the last key',
        )
      }
    }
    return { rows }
  }

  /** Runs a statement of replog itself, which may write what is replog's own; no user's statement comes here. */
  async runAsSystem(statement: PointStatementInput): Promise<StatementResult> {
    while (this.#turns.isTaken) await this.#turns.free()
    return this.#permitted(() => this.#body.asSystem(() => runPointStatement(this.#body, statement)))
  }

  /** Sets a savepoint; one of the same name is moved here. @throws ReplogError LIMIT */
  savepoint(name: string): void {
    this.#turns.requireFree()
    this.#running(() => {
      this.#savepoints.set(name)
    })
  }

  /** Forgets a savepoint and those set after it, and keeps what was done. @throws ReplogError NOT_FOUND */
  releaseSavepoint(name: string): void {
    this.#turns.requireFree()
    this.#running(() => {
      this.#savepoints.release(name)
    })
  }

  /**
   * Undoes everything since the savepoint, definitions included, and keeps the savepoint. Locks stay held.
   * @throws ReplogError NOT_FOUND
   */
  rollbackTo(name: string): void {
    if (this.#guest === 'a trigger') this.#requireNoGuest('taken back')
    this.#turns.requireFree()
    this.#running(() => {
      this.#savepoints.rollbackTo(name)
    })
  }

  /**
   * Commits. Resolves when the transaction is durable, and on replicas where `ack` asks for that; on rejection with
   * anything but COMMIT_UNKNOWN and ACK_TIMEOUT it is rolled back.
   * @throws ReplogError CONFLICT, SCHEMA_CHANGED, SNAPSHOT_TOO_OLD, DEADLOCK (retryable), COMMIT_UNKNOWN, NO_TRANSACTION;
   * ACK_TIMEOUT: it is committed here
   */
  async commit(options: CommitOptions = {}): Promise<CommitResult> {
    requireOptions(options)
    const { acks, lane } = this.#context
    acks.check(options.ack)
    const hasWritten = !this.#body.isEmpty
    const result = await this.commitWith(options, undefined)
    if (!hasWritten && !result.replayed) return result
    await acks.confirm(result.position, options.ack)
    // The wait may have been longer than the lease. (W1)
    const unknown = lane.unknownOutcome()
    if (unknown !== undefined) throw unknown
    return result
  }

  /** The same, with what the transaction answers, for repetitions of its idempotency key. */
  async commitWith(options: CommitOptions, outcome: (() => Buffer) | undefined): Promise<CommitResult> {
    this.#requireOpen()
    requireOptions(options)
    checkIdempotencyKey(options.idempotencyKey)
    this.#requireNoGuest('committed')
    this.#requireNothingUnderWay()
    const triggers = this.#context.triggers.begin(this.#body)
    while (triggers !== undefined) {
      const changes = this.#unseen(triggers)
      if (changes.length === 0) break
      // What comes meanwhile is theirs, or of somebody who did not wait for this commit: it is shown to them as well.
      await this.#runTriggers(triggers, changes)
    }
    // Another try would show the triggers again what they have acted upon.
    if (triggers !== undefined) {
      this.#ending(() => {
        this.#requireNothingUnderWay()
      })
    }
    this.#move('commit')
    try {
      if (this.#body.hasForeignKeys) await this.#requireConstraints()
      // A key may have been used even where this run has nothing to write.
      const { idempotencyKey } = options
      const answer = idempotencyKey === undefined ? undefined : outcome?.()
      const isNothing = this.#body.isEmpty && idempotencyKey === undefined
      const result = isNothing
        ? { position: this.#begin, replayed: false }
        : await this.#commitThroughLane(idempotencyKey, answer)
      this.#end('durable')
      return result.replayed && answer === undefined ? { position: result.position, replayed: true } : result
    } catch (error) {
      if (isReplogError(error)) this.#endedBecause = error
      this.#end('refused')
      throw error
    }
  }

  /** Runs `work` of an application inside this transaction, which it must not commit. */
  async asGuest<Result>(guest: 'a trigger' | 'a projection', work: () => Promise<Result>): Promise<Result> {
    this.#guest = guest
    try {
      return await work()
    } finally {
      this.#guest = undefined
    }
  }

  /** A table whose rows this transaction has changed so far and that is of interest, if there is one. */
  findWritten(concerns: TableTest): string | undefined {
    return findStaged(this.#body, STAGED_BEGINNING, concerns)
  }

  /** @throws ReplogError INVALID_ARGUMENT */
  #requireNothingUnderWay(): void {
    if (this.#lockRequests > 0) {
      throw new ReplogError(
        'INVALID_ARGUMENT',
        'a `getForUpdate` of this transaction still waits; await it before commit',
      )
    }
    this.#turns.requireFree()
  }

  /** @throws ReplogError INVALID_ARGUMENT */
  #requireNoGuest(what: string): void {
    if (this.#guest === undefined) return
    throw new ReplogError('INVALID_ARGUMENT', `${this.#guest} runs in the transaction, which is not ${what} from there`)
  }

  /** What no trigger has seen yet. */
  #unseen(triggers: TriggerRun<Transaction>): readonly TakenChange[] {
    return this.#ending(() => {
      this.#requireOpen()
      return triggers.take()
    })
  }

  async #runTriggers(triggers: TriggerRun<Transaction>, changes: readonly TakenChange[]): Promise<void> {
    try {
      await this.asGuest('a trigger', () => triggers.run(changes, this))
    } catch (error) {
      this.#ending(() => {
        throw error
      })
    }
  }

  /** Rolls back when `step` throws. */
  #ending<Result>(step: () => Result): Result {
    try {
      return step()
    } catch (error) {
      if (isReplogError(error)) this.expire(error)
      else this.rollback()
      throw error
    }
  }

  /** Undoes everything; harmless when the transaction has ended already. */
  rollback(): void {
    if (this.#status === 'open') this.#end('rollback')
  }

  /** Rolls back for a reason that later calls are told. */
  expire(reason: ReplogError): void {
    if (this.#status !== 'open') return
    this.#endedBecause = reason
    this.#end('rollback')
  }

  /** A row of this transaction that another one has locked is waited for, like any lock. */
  async #commitThroughLane(idempotencyKey: string | undefined, outcome: Buffer | undefined): Promise<CommitResult> {
    const { lane, locks } = this.#context
    for (;;) {
      try {
        return await lane.commit({
          owner: this,
          body: this.#body,
          reads: this.#reads,
          isolation: this.isolation,
          annotations: this.#annotations,
          idempotencyKey,
          outcome,
        })
      } catch (error) {
        if (!(error instanceof LockedRow)) throw error
        await locks.acquire(this, error.text, LOCK_WAIT_MS_DEFAULT).catch((cause: unknown) => {
          if (!isReplogError(cause, 'LOCK_TIMEOUT')) throw cause
          const message =
            'a row that this transaction writes stays locked by another one; it was rolled back, run it again'
          throw new ReplogError('CONFLICT', message, { cause })
        })
      }
    }
  }

  /** Moves the snapshot up to the newest durable state. @throws ReplogError CONFLICT when something read has changed */
  #moveUp(): void {
    const { state } = this.#context
    this.#reads.validate(state.versions, state.head.lsn)
    const old = this.#snapshot
    this.#begin = state.durable
    this.#snapshot = state.openSnapshot()
    this.#base.rebase(this.#snapshot)
    this.#reads.rebase(this.#snapshot)
    state.versions.close(old)
  }

  #end(event: TransactionEvent): void {
    this.#move(event)
    for (const cursor of this.#cursors ?? []) cursor.close()
    this.#context.state.versions.close(this.#snapshot)
    this.#context.locks.release(this)
    this.#staged.release()
    this.#context.onEnd(this)
  }

  #move(event: TransactionEvent): void {
    this.#status = TRANSACTION_STATES[this.#status][event]
  }

  /** @throws ReplogError FOREIGN_KEY_VIOLATION */
  async #requireConstraints(): Promise<void> {
    const { foreignKeys } = this.#body
    foreignKeys.requireTargets()
    if (foreignKeys.abandoned.length > 0) await requireNoneReferring(this.#body, this.#requiredView)
  }

  protected async run<Result extends StatementResult>(
    statement: TableChangeInput | PointStatementInput,
  ): Promise<Result> {
    if (isTableChange(statement)) {
      while (this.#turns.isTaken) await this.#turns.free()
      return this.#permitted(() =>
        this.#alone(() => runTableChange(this.#changes, this.#body, this.#view, statement) as Promise<Result>),
      )
    }
    const run = (): Result => runPointStatement(this.#body, statement) as Result
    if ('update' in statement || 'delete' in statement) return this.#cascading(run)
    while (this.#turns.isTaken) await this.#turns.free()
    return 'get' in statement || 'check' in statement ? this.#running(run) : this.#permitted(run)
  }

  /** A statement that may give up values that foreign keys of other rows refer to. */
  async #cascading<Result>(statement: () => Result): Promise<Result> {
    while (this.#turns.isTaken) await this.#turns.free()
    const from = this.#body.abandonedValues
    const mark = this.#body.mark()
    const result = this.#permitted(statement)
    if (this.#body.abandonedValues > from)
      await this.#alone(() => runCascades(this.#body, this.#requiredView, from), mark)
    return result
  }

  /** Runs what takes its time, alone; when it throws, nothing of the statement is left. */
  #alone<Result>(work: () => Promise<Result>, mark: BodyMark = this.#body.mark()): Promise<Result> {
    return this.#turns.alone(work, () => {
      if (this.#status === 'open') this.#body.undoTo(mark)
    })
  }

  async #writing<Result>(statement: () => Result): Promise<Result> {
    while (this.#turns.isTaken) await this.#turns.free()
    return this.#permitted(statement)
  }

  #permitted<Result>(statement: () => Result): Result {
    this.#requireOpen()
    if (this.readOnly) {
      throw new ReplogError('READ_ONLY_TRANSACTION', 'the transaction is read-only; begin one that may write')
    }
    return statement()
  }

  #running<Result>(statement: () => Result): Result {
    this.#requireOpen()
    return statement()
  }

  #requireOpen(): void {
    if (this.#status === 'open') return
    if (this.#endedBecause !== undefined) throw this.#endedBecause
    throw new ReplogError('NO_TRANSACTION', `the transaction is ${this.#status}; begin a new one`)
  }
}

/** Errors of a lock request after which the transaction cannot go on. */
const ENDS_TRANSACTION: ReadonlySet<string> = new Set(['DEADLOCK', 'CONFLICT', 'SCHEMA_CHANGED', 'SNAPSHOT_TOO_OLD'])

/** @throws ReplogError INVALID_ARGUMENT: a misspelt isolation must not be taken for a weaker one */
function checkOptions({ isolation, readOnly, priority }: TransactionOptions): void {
  const refuse = (message: string): ReplogError => new ReplogError('INVALID_ARGUMENT', message)
  if (isolation !== undefined && isolation !== 'serializable' && isolation !== 'snapshot') {
    throw refuse('`isolation` is "serializable" or "snapshot"')
  }
  if (readOnly !== undefined && typeof readOnly !== 'boolean') throw refuse('`readOnly` is true or false')
  if (priority !== undefined && !Number.isSafeInteger(priority))
    throw refuse('`priority` is that of another transaction')
}

function checkTimeout(options: { readonly timeoutMs?: unknown } | null): number {
  const timeoutMs = options?.timeoutMs ?? LOCK_WAIT_MS_DEFAULT
  if (typeof timeoutMs === 'number' && timeoutMs >= 0 && timeoutMs <= 0x7fff_ffff) return timeoutMs
  throw new ReplogError('INVALID_ARGUMENT', '`timeoutMs` is a number of milliseconds, 0 or more')
}

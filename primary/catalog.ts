/** One catalog of a primary: reads at the newest durable LSN, and transactions. */
import type { Clock } from '../core/clock.js'
import { ReplogError } from '../core/errors.js'
import { RESULT_BYTES_MAX, SCAN_RESULT_ROWS_MAX, TRANSACTION_ATTEMPTS_MAX } from '../core/limits.js'
import { requireOptions } from '../core/options.js'
import type { Lsn, Position } from '../core/position.js'
import type { CatalogIdentifier } from '../ddl/identifiers.js'
import { CatalogReader } from '../log/catalog-reader.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import { type StoredOutcome, findOutcome } from '../log/stored-outcome.js'
import type { Change, SnapshotEnd, SnapshotRow, TransactionEvent } from '../log/changes/change.js'
import type { ConsumerHolders } from '../log/purge/consumer-holders.js'
import type { TableNames } from '../log/table-names.js'
import type { AckGate, AckInput } from './ack-gate.js'
import { type Annotations, checkAnnotations } from './annotations.js'
import type { CommitLane, CommitResult, OneShot } from './commit-lane.js'
import type { LockOwner } from './lock-table.js'
import { checkIdempotencyKey, decodeResults, encodeResults } from './outcome.js'
import { Projection } from './projections/projection.js'
import {
  type ProjectionChange,
  type ProjectionHandler,
  type ProjectionOptions,
  checkProjection,
} from './projections/projection-options.js'
import { Projections } from './projections/projections.js'
import type { RunningProjections } from './projections/running-projections.js'
import type { Quotas } from './quotas.js'
import { readDurably } from './durable-reads.js'
import {
  type PointStatementInput,
  checkStatement,
  needsSnapshot,
  runPointStatement,
  withStatement,
} from './run-statement.js'
import { Repetition } from './repetition.js'
import { type RowWrite, type RowWriteOptions, RowWrites, checkWrites, writeRowsIn } from './row-writes.js'
import type { StatementInput, StatementResult } from './statement.js'
import type { TransactionBody } from './transaction-body.js'
import { CatalogSubscriptions } from './subscriptions/catalog-subscriptions.js'
import type { SubscribeOptions, SubscriptionServer } from './subscriptions/subscription-server.js'
import type { SubscriptionStream } from './subscriptions/subscription-stream.js'
import type { CommitOptions, Transaction, TransactionOptions } from './transaction.js'
import type { TriggerOf, Triggers } from './triggers.js'
import type { WriteGate } from './write-gate.js'

/** What a one-shot transaction answers. */
export interface ExecuteResult {
  readonly lsn: Lsn
  readonly position: Position
  /** True when the idempotency key had been used: nothing was done, and this is what the first one answered. */
  readonly replayed: boolean
  /** One result per statement, in order. */
  readonly results: readonly StatementResult[]
}

/** How a one-shot transaction runs and commits. */
export interface ExecuteOptions extends TransactionOptions {
  /** Size of the request, for the bound on what waits to commit; estimated when left out. */
  readonly sizeBytes?: number | undefined
  /** At most 255 characters; repeating it gives the first outcome, also after a crash. Not together with a scan. */
  readonly idempotencyKey?: string | undefined
  /** How safe it must be before it is answered; the default of the server when left out. What only reads never waits. */
  readonly ack?: AckInput | undefined
}

/** How `transaction(work)` runs. */
type RepeatedOptions = TransactionOptions & CommitOptions & { readonly attemptsMax?: number }

/** A trigger of an application: see `Catalog.onCommit`. */
export type TriggerFunction = TriggerOf<Transaction>

export interface CatalogContext {
  readonly state: ReplicatedState
  readonly clock: Clock
  readonly names: TableNames
  readonly lane: CommitLane
  readonly quotas: Quotas
  readonly acks: AckGate
  readonly gate: WriteGate
  readonly triggers: Triggers<Transaction>
  /** Told of consumers that run here, for which the log is held. */
  readonly consumers: ConsumerHolders
  readonly projections: RunningProjections
  readonly subscriptions: SubscriptionServer
  begin(catalog: CatalogIdentifier, options: TransactionOptions): Transaction
  /** Counts a run of `transaction(fn)` that met a conflict. */
  noteRetry(): void
}

/** Rough size of a one-shot transaction while it waits for a group, in bytes. */
const ONE_SHOT_STATEMENT_BYTES = 512

type ExecuteStatements = (statements: readonly StatementInput[], options: ExecuteOptions) => Promise<ExecuteResult>

const NO_OPTIONS: ExecuteOptions = Object.freeze({})

/** One catalog of a primary: reads at the newest durable LSN, transactions, change streams. From `Primary.catalog`. */
export class Catalog extends CatalogReader {
  readonly #context: CatalogContext

  constructor(context: CatalogContext, name: CatalogIdentifier) {
    super(context.state, context.names, name)
    this.#context = context
  }

  /**
   * Begins a transaction that the caller commits or rolls back. It reads at the newest durable LSN.
   * @throws ReplogError NOT_FOUND (catalog), CLOSED
   */
  begin(options: TransactionOptions = {}): Transaction {
    return this.#context.begin(this.name, options)
  }

  /**
   * Runs `work` in a transaction and commits it; when `work` throws, everything is rolled back. On a conflict it runs
   * `work` again, so `work` must have no effects but through its argument.
   * @returns what `work` returned
   * @throws what `work` throws; ReplogError CONFLICT after too many attempts, COMMIT_UNKNOWN
   */
  async transaction<Result>(
    work: (transaction: Transaction) => Promise<Result> | Result,
    options: RepeatedOptions = {},
  ): Promise<Result> {
    const { result } = await this.#repeat(work, options)
    return result
  }

  async #repeat<Result>(
    work: (transaction: Transaction) => Promise<Result> | Result,
    options: RepeatedOptions,
  ): Promise<{ readonly result: Result; readonly committed: CommitResult }> {
    requireOptions(options)
    const { attemptsMax = TRANSACTION_ATTEMPTS_MAX } = options
    this.#context.acks.check(options.ack)
    const repetition = new Repetition(this.#context, attemptsMax)
    let { priority } = options
    for (;;) {
      const transaction = this.begin({ ...options, priority })
      priority = transaction.priority
      try {
        const result = await work(transaction)
        const committed = await transaction.commit({ idempotencyKey: options.idempotencyKey, ack: options.ack })
        return { result, committed }
      } catch (error) {
        transaction.rollback()
        await repetition.next(error)
      }
    }
  }

  /**
   * Inserts, updates and deletes rows by their keys as one transaction in the commit lane, on the newest state: it cannot
   * conflict. More writes than a one-shot transaction may have statements run on a snapshot and are repeated on a conflict.
   * @throws ReplogError what the statements throw; nothing is committed then. COMMIT_UNKNOWN; ACK_TIMEOUT
   */
  async writeRows(writes: readonly RowWrite[], options: RowWriteOptions = {}): Promise<CommitResult> {
    requireOptions(options)
    checkWrites(writes)
    const { acks, lane, quotas } = this.#context
    const { ack, annotations } = options
    acks.check(ack)
    const runOnSnapshot = async (): Promise<CommitResult> => {
      const { committed } = await this.#repeat((transaction) => writeRowsIn(transaction, writes), { annotations, ack })
      return committed
    }
    if (writes.length > quotas.bound('oneShotStatements').value) return runOnSnapshot()
    const result = await lane.runOneShot(new RowWrites(this.name, writes, options, runOnSnapshot))
    if (acks.asksReplicas(ack)) await this.#confirm(result.position, ack)
    return result
  }

  /**
   * Runs a projection: `handler` is given the changes of the catalog from its position on, which is a row that moves in the
   * transaction in which the handler writes. Each change counts exactly once, whatever crashes in between. It goes on where
   * it was when it is started again under the same name, also on the server that became the primary.
   *
   *   db.project('totals', async (change, tx) => { await tx.update('totals', { id: 1 }, { n: { add: 1 } }) }, { tables: ['orders'] })
   *
   * Of two that run under one name the newer goes on; the other one stops with PROJECTION_MOVED.
   * @returns at once; `done` and `status` tell what becomes of it
   * @throws ReplogError INVALID_ARGUMENT. `done` rejects with what the handler throws; PROJECTION_MOVED,
   * PROJECTION_FEEDBACK, HISTORY_LOST, NOT_FOUND (catalog), ALREADY_EXISTS (a schema `replog` of users), COMMIT_UNKNOWN
   */
  project(
    name: string,
    handler: ProjectionHandler<TransactionEvent | SnapshotRow | SnapshotEnd>,
    options: ProjectionOptions & { readonly transactions: true },
  ): Projection
  project(name: string, handler: ProjectionHandler<ProjectionChange>, options?: ProjectionOptions): Projection
  project(name: string, handler: unknown, options: ProjectionOptions = {}): Projection {
    const checked = checkProjection(name, handler, options)
    return new Projection(this.#context, this, name, handler as ProjectionHandler<Change>, checked)
  }

  /** The projections of the catalog: where they stand, and an end of them. */
  get projections(): Projections {
    return new Projections(this, this.#context.state, this.#context.clock)
  }

  /**
   * Has a function see what is about to be committed of some tables, inside the transaction that commits, whoever commits
   * it: embedded, over HTTP or in a session. It may refuse it by throwing, and may add reads and writes of its own.
   * @param tables as in `changes`: "orders", "test.*", "*"
   * @returns takes the trigger away
   * @throws ReplogError INVALID_ARGUMENT. The commit then throws what the function throws: a ReplogError as it is, another
   * error as TRIGGER_REFUSED with its message and cause; TRIGGER_LOOP
   */
  onCommit(tables: string | readonly string[], run: TriggerFunction): () => void {
    return this.#context.triggers.add(this.name, tables, run)
  }

  /** Durable, named places in the changes of this catalog, for which the log is kept. */
  get subscriptions(): CatalogSubscriptions {
    const { subscriptions, state } = this.#context
    return new CatalogSubscriptions(subscriptions, state, this)
  }

  /**
   * Takes part in a subscription: the changes behind what is acknowledged, shared by key with its other workers.
   *
   *   for await (const { change, ack } of db.subscribe('orders', { worker: 'a' })) { …; ack() }
   *
   * What is not acknowledged comes again, with equal tokens, here or at another worker.
   * @throws ReplogError INVALID_ARGUMENT; what comes later rejects `next()`
   */
  subscribe(name: string, options?: SubscribeOptions): SubscriptionStream {
    return this.#context.subscriptions.subscribe(this, name, options)
  }

  /**
   * Runs statements as one transaction in the commit lane, on the newest state: it cannot conflict.
   * With a scan among them it runs on a snapshot instead and is repeated on a conflict; where it only gets rows, it is
   * answered at once, at the newest durable LSN.
   * @throws ReplogError with `details.statement`, the ordinal of the statement that failed; nothing is committed then
   */
  execute(statements: readonly StatementInput[], options: ExecuteOptions = NO_OPTIONS): Promise<ExecuteResult> {
    // Not `async`: the promise of the lane is passed on as it is, which saves a busy server two more for each transaction.
    try {
      return this.#execute(statements, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #execute(statements: readonly StatementInput[], options: ExecuteOptions): Promise<ExecuteResult> {
    requireOptions(options)
    if (!Array.isArray(statements)) throw new ReplogError('INVALID_ARGUMENT', '`statements` is a list')
    const { quotas } = this.#context
    const statementsMax = quotas.bound('oneShotStatements')
    if (statements.length > statementsMax.value) {
      const message = `a one-shot transaction has at most ${statementsMax.value} statements; split it`
      throw quotas.beyond(statementsMax, this.name, message)
    }
    let mustSeeRows = false
    let hasScan = false
    let onlyGets = statements.length <= quotas.bound('transactionStatements').value
    // Not `forEach`, which passes over holes.
    for (let ordinal = 0; ordinal < statements.length; ordinal++) {
      const statement = statements[ordinal] as StatementInput
      checkStatement(statement, ordinal)
      hasScan ||= 'scan' in statement
      onlyGets &&= 'get' in statement
      mustSeeRows ||= needsSnapshot(statement)
    }
    if (options.idempotencyKey !== undefined && hasScan) {
      throw new ReplogError(
        'INVALID_ARGUMENT',
        'a transaction with an idempotency key cannot hold a scan; scan before it',
      )
    }
    if (onlyGets && options.idempotencyKey === undefined) {
      checkAnnotations(options.annotations)
      const { position, results } = readDurably(this.#context, this.name, statements)
      return Promise.resolve({ lsn: position.lsn, position, replayed: false, results })
    }
    const { acks, lane } = this.#context
    acks.check(options.ack)
    const executed = mustSeeRows
      ? this.#executeOnSnapshot(statements, options)
      : lane.runOneShot(new OneShotStatements(this.name, statements, options, this.#executeOnSnapshot))
    return acks.asksReplicas(options.ack) ? this.#confirmed(executed, statements, options.ack) : executed
  }

  /**
   * The same in the lane for statements of replog itself, which may write what is replog's own; no user's statement comes
   * here.
   */
  executeAsSystem(statements: readonly PointStatementInput[]): Promise<ExecuteResult> {
    return this.#context.lane.runOneShot(
      new SystemStatements(this.name, statements, NO_OPTIONS, this.#executeOnSnapshot),
    )
  }

  async #confirmed(
    executed: Promise<ExecuteResult>,
    statements: readonly StatementInput[],
    ack: AckInput | undefined,
  ): Promise<ExecuteResult> {
    const result = await executed
    // Who asks what became of a key that nobody has used is told so at once: there is nothing to confirm.
    if (statements.length === 0 && !result.replayed) return result
    await this.#confirm(result.position, ack)
    return result
  }

  async #confirm(position: Position, ack: AckInput | undefined): Promise<void> {
    const { acks, lane } = this.#context
    await acks.confirm(position, ack)
    // The wait may have been longer than the lease. (W1)
    const unknown = lane.unknownOutcome()
    if (unknown !== undefined) throw unknown
  }

  readonly #executeOnSnapshot: ExecuteStatements = async (statements, options) => {
    const { idempotencyKey } = options
    const first = idempotencyKey === undefined ? undefined : await this.#firstOutcome(idempotencyKey)
    if (first !== undefined) return replayOf(first)
    const repetition = new Repetition(this.#context, TRANSACTION_ATTEMPTS_MAX)
    let { priority } = options
    for (;;) {
      const transaction = this.begin({ ...options, priority })
      priority = transaction.priority
      try {
        const results: StatementResult[] = []
        let rows = 0
        for (const [ordinal, statement] of statements.entries()) {
          try {
            const result = await transaction.execute(statement)
            if ('rows' in result) rows += result.rows.length
            if (rows > SCAN_RESULT_ROWS_MAX) {
              throw new ReplogError(
                'TOO_LARGE',
                `the scans return more than ${SCAN_RESULT_ROWS_MAX} rows in all; set \`limit\``,
              )
            }
            results.push(result)
          } catch (error) {
            throw withStatement(error, ordinal)
          }
        }
        const committed = await transaction.commitWith({ idempotencyKey }, () => encodeResults(results))
        const { position, outcome } = committed
        if (committed.replayed && outcome !== undefined) return replayOf({ position, outcome })
        return { lsn: position.lsn, position, replayed: false, results }
      } catch (error) {
        transaction.rollback()
        await repetition.next(error)
      }
    }
  }

  /**
   * The first outcome of an idempotency key, when it is durable; undefined when no transaction with it committed.
   * @throws ReplogError NOT_FOUND (catalog), STORE_FAILED, CLOSED
   */
  async outcome(idempotencyKey: string): Promise<{ readonly position: Position } | undefined> {
    if (idempotencyKey === undefined) throw new ReplogError('INVALID_ARGUMENT', 'an idempotency key is a text')
    const first = await this.#firstOutcome(idempotencyKey)
    return first === undefined ? undefined : { position: first.position }
  }

  async #firstOutcome(idempotencyKey: string): Promise<StoredOutcome | undefined> {
    checkIdempotencyKey(idempotencyKey)
    const { state, names, gate } = this.#context
    // What a fenced server committed may be undone: only the new primary knows the outcome. (G10)
    gate.assertPrimary()
    const { id } = names.lookupCatalog(this.name, state.head.lsn, state.readNewest)
    const first = findOutcome(state.readNewest, state.outcomeFloor, id, idempotencyKey)
    await state.whenDurable(state.head.lsn)
    // Another server may have become the primary in between.
    gate.assertPrimary()
    return first
  }
}

function replayOf({ position, outcome }: StoredOutcome): ExecuteResult {
  return { lsn: position.lsn, position, replayed: true, results: decodeResults(outcome) }
}

/** Statements that run in the lane, and their results. */
class OneShotStatements implements OneShot<ExecuteResult> {
  readonly catalog: CatalogIdentifier
  readonly #executeOnSnapshot: ExecuteStatements
  readonly #statements: readonly StatementInput[]
  readonly #options: ExecuteOptions
  #results: readonly StatementResult[] = []

  constructor(
    catalog: CatalogIdentifier,
    statements: readonly StatementInput[],
    options: ExecuteOptions,
    executeOnSnapshot: ExecuteStatements,
  ) {
    this.catalog = catalog
    this.#executeOnSnapshot = executeOnSnapshot
    this.#statements = statements
    this.#options = options
  }

  get sizeBytes(): number {
    return this.#options.sizeBytes ?? this.#statements.length * ONE_SHOT_STATEMENT_BYTES
  }

  get annotations(): Annotations | undefined {
    return this.#options.annotations
  }

  get idempotencyKey(): string | undefined {
    return this.#options.idempotencyKey
  }

  get beside(): LockOwner | undefined {
    return this.#options.beside
  }

  execute(body: TransactionBody): void {
    const statements = this.#statements
    const results = new Array<StatementResult>(statements.length)
    let ordinal = 0
    try {
      for (; ordinal < statements.length; ordinal++) {
        results[ordinal] = runPointStatement(body, statements[ordinal] as PointStatementInput)
        if (body.resultBytes > RESULT_BYTES_MAX) {
          throw new ReplogError(
            'TOO_LARGE',
            `the statements return more than ${RESULT_BYTES_MAX} bytes; read less at once`,
          )
        }
      }
    } catch (error) {
      throw withStatement(error, ordinal)
    }
    this.#results = results
  }

  outcome(): Buffer {
    return encodeResults(this.#results)
  }

  answer(position: Position): ExecuteResult {
    return { lsn: position.lsn, position, replayed: false, results: this.#results }
  }

  answerAgain(first: StoredOutcome): ExecuteResult {
    return replayOf(first)
  }

  runOnSnapshot(): Promise<ExecuteResult> {
    return this.#executeOnSnapshot(this.#statements, this.#options)
  }
}

/** Statements of replog itself. */
class SystemStatements extends OneShotStatements {
  override execute(body: TransactionBody): void {
    body.asSystem(() => {
      super.execute(body)
    })
  }
}

/**
 * A transaction on a server, as its user sees it: the statements, each a round trip. `transaction-life.ts` has its states.
 *
 * Every call may throw UNREACHABLE (the connection broke, and the transaction is rolled back; run it again) and
 * NO_TRANSACTION (it has ended). An error leaves the transaction open where `error.details.transaction` says "open".
 */
import { ReplogError } from '../../core/errors.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import type { ScanOptions } from '../../log/scan.js'
import type { CheckInput, RowInput, SetInput, StatementInput, StatementResult } from '../../primary/statement.js'
import type { Committed, Inserted, OperationName } from './operations.js'
import type { PortableStatus, PortableTransaction } from './portable-transaction.js'
import { RemoteDefinitions } from './remote-definitions.js'
import { RemoteCursor } from './remote-cursor.js'
import type { CallOptions, CommitOptions } from './transaction-life.js'

/** A transaction on a server; every call is a round trip. From `Client.transaction` or `Session.begin`. */
export class RemoteTransaction extends RemoteDefinitions implements PortableTransaction {
  /** Whether it is open, and what became of it as far as is known. */
  get status(): PortableStatus {
    return this.life.status
  }

  /**
   * Adds rows; all of them or, when it throws, none.
   * @param table "schema.table"
   * @throws ReplogError DUPLICATE_KEY, INVALID_VALUE, NOT_FOUND, TRANSACTION_TOO_LARGE, and as every call UNREACHABLE
   * (the connection broke: the transaction is rolled back) and NO_TRANSACTION (it has ended)
   */
  async insert(table: string, rows: RowInput | readonly RowInput[], options: CallOptions = {}): Promise<Inserted> {
    const list = Array.isArray(rows) ? (rows as readonly RowInput[]) : [rows as RowInput]
    return this.life.call('insert', { table, rows: list }, options)
  }

  /**
   * Changes the row with this primary key. `{ add: n }` as a value adds to the value that the row has when the
   * transaction is ordered, so that a hot counter does not conflict.
   * @returns `updated` 0 when there is no such row
   */
  async update(
    table: string,
    key: RowInput,
    set: SetInput,
    options: CallOptions = {},
  ): Promise<{ readonly updated: 0 | 1 }> {
    return this.life.call('update', { table, key, set }, options)
  }

  /** @returns `deleted` 0 when there is no such row */
  async delete(table: string, key: RowInput, options: CallOptions = {}): Promise<{ readonly deleted: 0 | 1 }> {
    return this.life.call('delete', { table, key }, options)
  }

  /** The row with this primary key, or undefined. */
  async get(table: string, key: RowInput, options: CallOptions = {}): Promise<RowObject | undefined> {
    const { row } = await this.life.call('get', { table, key }, options)
    return row ?? undefined
  }

  /**
   * The row, locked until this transaction commits or is rolled back.
   * @param options `timeoutMs`: how long to wait for the lock
   * @throws ReplogError LOCK_TIMEOUT (the transaction stays open); DEADLOCK, CONFLICT (it is rolled back)
   */
  async getForUpdate(
    table: string,
    key: RowInput,
    options: CallOptions & { readonly timeoutMs?: number | undefined } = {},
  ): Promise<RowObject | undefined> {
    const { timeoutMs, signal } = options
    const { row } = await this.life.call('getForUpdate', { table, key, timeoutMs }, { signal }, timeoutMs)
    return row ?? undefined
  }

  /** @throws ReplogError CHECK_FAILED when the row is not as stated */
  async check(
    table: string,
    key: RowInput,
    condition: Omit<CheckInput, 'table' | 'key'> = {},
    options: CallOptions = {},
  ): Promise<void> {
    await this.life.call('check', { table, key, ...condition }, options)
  }

  /** Rows in key order, page by page, this transaction's own writes included. */
  async *scan(table: string, options: ScanOptions & CallOptions = {}): AsyncGenerator<RowObject, void, undefined> {
    const cursor = await this.openCursor(table, options)
    try {
      for await (const rows of cursor.pages(options)) {
        for (const row of rows) {
          yield row
          this.life.requireOpen()
        }
      }
    } finally {
      await cursor.close()
    }
  }

  /** A scan of which the caller asks for the next rows when it wants them. Several may be open at once. */
  async openCursor(table: string, options: ScanOptions & CallOptions = {}): Promise<RemoteCursor> {
    const { index, prefix, from, to, reverse, limit = Infinity, signal } = options
    if (limit !== Infinity && (!Number.isSafeInteger(limit) || limit < 0)) {
      throw new ReplogError('INVALID_ARGUMENT', '`limit` is a number of rows, 0 or more')
    }
    const { cursor } = await this.life.call('openCursor', { table, index, prefix, from, to, reverse }, { signal })
    return new RemoteCursor(this.life, cursor, limit)
  }

  /** Runs a statement in its object form, as it is sent over HTTP. */
  async execute(statement: StatementInput, options: CallOptions = {}): Promise<StatementResult> {
    const [entry, ...others] = Object.entries(statement)
    if (entry === undefined || others.length > 0) {
      throw new ReplogError('INVALID_ARGUMENT', 'a statement is an object with one key, the name of the statement')
    }
    const name = entry[0]
    const input: unknown = entry[1]
    if (!(STATEMENT_NAMES as readonly string[]).includes(name)) {
      throw new ReplogError('INVALID_ARGUMENT', `${JSON.stringify(name)} is not a statement`)
    }
    return this.life.call(name as (typeof STATEMENT_NAMES)[number], input as never, options)
  }

  /** Sets a savepoint; one of the same name is moved here. @throws ReplogError LIMIT */
  async savepoint(name: string, options: CallOptions = {}): Promise<void> {
    await this.life.call('savepoint', { name }, options)
  }

  /** Forgets a savepoint and those set after it, and keeps what was done. @throws ReplogError NOT_FOUND */
  async releaseSavepoint(name: string, options: CallOptions = {}): Promise<void> {
    await this.life.call('releaseSavepoint', { name }, options)
  }

  /** Undoes everything since the savepoint, definitions included, and keeps it. @throws ReplogError NOT_FOUND */
  async rollbackTo(name: string, options: CallOptions = {}): Promise<void> {
    await this.life.call('rollbackTo', { name }, options)
  }

  /**
   * Commits. Resolves when the transaction is durable. When the answer is lost, the client asks for it by the
   * idempotency key.
   * @throws ReplogError CONFLICT, SCHEMA_CHANGED, SNAPSHOT_TOO_OLD, DEADLOCK, UNREACHABLE (rolled back, retryable);
   * COMMIT_UNKNOWN with `details.idempotencyKey`: run the transaction again and commit with that key; NO_TRANSACTION
   */
  async commit(options: CommitOptions = {}): Promise<Committed> {
    return this.life.commit(options)
  }

  /** Undoes everything; harmless when the transaction has ended already. */
  async rollback(): Promise<void> {
    await this.life.rollback()
  }
}

const STATEMENT_NAMES = [
  'insert',
  'update',
  'delete',
  'get',
  'getForUpdate',
  'check',
  'scan',
  'createTable',
  'createTableAs',
  'alterTable',
  'renameTables',
  'truncateTable',
  'dropTable',
  'createIndex',
  'dropIndex',
  'createSchema',
  'alterSchema',
  'dropSchema',
] as const satisfies readonly OperationName[]

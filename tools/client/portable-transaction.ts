/**
 * What a transaction can do wherever it runs: the embedded `Transaction` and the remote one both satisfy this type, so
 * that code written against it moves from an application that embeds replog to one that connects to it, and back.
 *
 * Where the embedded transaction answers at once and the remote one after a round trip, the type says both, and `await`
 * suits either.
 */
import type { Position } from '../../core/position.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import type { IndexDefinition, TableDefinition } from '../../ddl/table-definition.js'
import type { AckInput } from '../../primary/ack-gate.js'
import type { ScanOptions } from '../../log/scan.js'
import type {
  AlterSchemaInput,
  CheckInput,
  CreateSchemaInput,
  CreateTableAsInput,
  DropSchemaInput,
  RenameInput,
  RowInput,
  ScanInput,
  SetInput,
  StatementInput,
  StatementResult,
} from '../../primary/statement.js'
import type { Altered, Created, Dropped } from './operations.js'

/** What a transaction is, embedded or remote. */
export type PortableStatus =
  | 'open'
  | 'committing'
  | 'committed'
  | 'rolled back'
  /** Of a remote transaction alone: the commit was sent, and what became of it could not be learned. */
  | 'unknown'

/** A cursor of an embedded or of a remote transaction. */
export interface PortableCursor {
  /** The next rows, at most `rows`; fewer, but not none, when they are large. */
  fetch(rows: number): Promise<{ readonly rows: readonly RowObject[]; readonly done: boolean }>
  close(): void | Promise<void>
}

interface IfNotExists {
  readonly ifNotExists?: boolean | undefined
}

interface IfExists {
  readonly ifExists?: boolean | undefined
}

/**
 * What embedded and remote transactions have in common; `await` every call. The methods are described at `Transaction`.
 */
export interface PortableTransaction {
  readonly status: PortableStatus
  insert(
    table: string,
    rows: RowInput | readonly RowInput[],
  ): Promise<{ readonly inserted: number; readonly autoIncrement?: readonly bigint[] }>
  update(table: string, key: RowInput, set: SetInput): Promise<{ readonly updated: 0 | 1 }>
  delete(table: string, key: RowInput): Promise<{ readonly deleted: 0 | 1 }>
  get(table: string, key: RowInput): Promise<RowObject | undefined>
  getForUpdate(
    table: string,
    key: RowInput,
    options?: { readonly timeoutMs?: number | undefined },
  ): Promise<RowObject | undefined>
  check(table: string, key: RowInput, condition?: Omit<CheckInput, 'table' | 'key'>): Promise<void>
  scan(table: string, options?: ScanOptions): AsyncIterable<RowObject>
  openCursor(table: string, options?: ScanOptions): PortableCursor | Promise<PortableCursor>
  createTable(definition: TableDefinition, options?: IfNotExists): Promise<Created>
  createTableAs(table: string, from: ScanInput, options?: Omit<CreateTableAsInput, 'table' | 'from'>): Promise<Created>
  alterTable(table: string, changes: readonly AlterTableChange[]): Promise<Altered>
  renameTables(tables: readonly RenameInput[]): Promise<{ readonly renamed: number }>
  truncateTable(table: string): Promise<{ readonly truncated: true }>
  dropTable(table: string, options?: IfExists): Promise<Dropped>
  createIndex(table: string, index: IndexDefinition, options?: IfNotExists): Promise<Created>
  dropIndex(table: string, index: string, options?: IfExists): Promise<Dropped>
  createSchema(schema: string, options?: Omit<CreateSchemaInput, 'schema'>): Promise<Created>
  alterSchema(schema: string, changes: Omit<AlterSchemaInput, 'schema'>): Promise<Altered>
  dropSchema(schema: string, options?: Omit<DropSchemaInput, 'schema'>): Promise<Dropped>
  execute(statement: StatementInput): Promise<StatementResult>
  savepoint(name: string): void | Promise<void>
  releaseSavepoint(name: string): void | Promise<void>
  rollbackTo(name: string): void | Promise<void>
  commit(options?: {
    readonly idempotencyKey?: string | undefined
    readonly ack?: AckInput | undefined
  }): Promise<{ readonly position: Position; readonly replayed: boolean }>
  rollback(): void | Promise<void>
}

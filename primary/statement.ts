/** Statements as users write them, embedded and over HTTP, and what each answers. */
import type { RowObject } from '../ddl/compiled-table.js'
import type { AlterTableChange } from '../ddl/alter-definition.js'
import type {
  ExpressionDefinition,
  IndexDefinition,
  KeyPartDefinition,
  TableDefinition,
} from '../ddl/table-definition.js'

/** Column names and values; a value may be in its embedded or its JSON form. */
export type RowInput = Readonly<Record<string, unknown>>

/** A new value, or `{ add: n }` to add to the newest value in the commit lane. */
export type SetInput = Readonly<Record<string, unknown>>

/** Rows to add: all of them or none. */
export interface InsertInput {
  /** "schema.table"; the schema `test` may be left out. */
  readonly table: string
  readonly rows: readonly RowInput[]
}

/** New values for the row with a primary key. */
export interface UpdateInput {
  readonly table: string
  /** A value for each primary key column. */
  readonly key: RowInput
  readonly set: SetInput
}

/** A row by its primary key. */
export interface KeyInput {
  readonly table: string
  readonly key: RowInput
}

/** A row to read and to lock until the transaction ends. */
export interface LockInput extends KeyInput {
  /** How long to wait for the lock, in milliseconds. */
  readonly timeoutMs?: number | undefined
}

/** What a row must be like, or CHECK_FAILED. */
export interface CheckInput extends KeyInput {
  /** Whether the row must exist; true when left out. */
  readonly exists?: boolean | undefined
  /** Columns that must have these values. */
  readonly equals?: RowInput | undefined
}

/** Rows in the order of the primary key or of an index: all, those with a prefix, or a range; see `ScanOptions`. */
export interface ScanInput {
  readonly table: string
  readonly index?: string | undefined
  readonly prefix?: RowInput | undefined
  readonly from?: RowInput | undefined
  readonly to?: RowInput | undefined
  readonly limit?: number | undefined
  readonly reverse?: boolean | undefined
}

/** A table to create. */
export interface CreateTableInput {
  readonly table: TableDefinition
  readonly ifNotExists?: boolean | undefined
}

/** A table to drop, with its rows and indexes. */
export interface DropTableInput {
  readonly table: string
  readonly ifExists?: boolean | undefined
}

/** A column of the source, under its own name or another. */
export type ProjectionInput = string | { readonly column: string; readonly as: string }

/** A table to create with columns and rows of a scan. */
export interface CreateTableAsInput {
  /** The new table, "schema.table". */
  readonly table: string
  readonly from: ScanInput
  /** Columns and their order; all of the source when left out. */
  readonly columns?: readonly ProjectionInput[] | undefined
  /** Which rows; all of the scan when left out. */
  readonly where?: ExpressionDefinition | undefined
  /** Of the new table, by its column names; that of the source when left out, where the projection keeps it. */
  readonly primaryKey?: readonly KeyPartDefinition[] | undefined
  readonly ifNotExists?: boolean | undefined
}

/** A table whose rows all go at once. */
export interface TruncateTableInput {
  readonly table: string
}

/** A new name of a table. */
export interface RenameInput {
  /** "schema.table", as it is called before the statement. */
  readonly from: string
  /** "schema.table"; another schema moves it. */
  readonly to: string
}

/** Tables to rename all at once, so that names may be exchanged. */
export interface RenameTablesInput {
  readonly tables: readonly RenameInput[]
}

/** Changes of a table, applied in order; all or none. */
export interface AlterTableInput {
  readonly table: string
  readonly changes: readonly AlterTableChange[]
}

/** An index to create. */
export interface CreateIndexInput {
  readonly table: string
  readonly index: IndexDefinition
  readonly ifNotExists?: boolean | undefined
}

/** An index to drop. */
export interface DropIndexInput {
  readonly table: string
  /** Its name. */
  readonly index: string
  readonly ifExists?: boolean | undefined
}

/** A schema to create. */
export interface CreateSchemaInput {
  /** Its name. */
  readonly schema: string
  readonly comment?: string | undefined
  readonly options?: Readonly<Record<string, string>> | undefined
  readonly ifNotExists?: boolean | undefined
}

/** Changes of a schema; what is left out stays. */
export interface AlterSchemaInput {
  readonly schema: string
  /** A new name. */
  readonly name?: string | undefined
  readonly comment?: string | undefined
  /** A value of null takes the option away. */
  readonly options?: Readonly<Record<string, string | null>> | undefined
}

/** A schema to drop. */
export interface DropSchemaInput {
  readonly schema: string
  readonly ifExists?: boolean | undefined
  /** Drops its tables, too. */
  readonly cascade?: boolean | undefined
}

/** A statement is an object with one key. */
export type StatementInput =
  | { readonly insert: InsertInput }
  | { readonly update: UpdateInput }
  | { readonly delete: KeyInput }
  | { readonly get: KeyInput }
  | { readonly getForUpdate: LockInput }
  | { readonly scan: ScanInput }
  | { readonly check: CheckInput }
  | { readonly createTable: CreateTableInput }
  | { readonly createTableAs: CreateTableAsInput }
  | { readonly alterTable: AlterTableInput }
  | { readonly renameTables: RenameTablesInput }
  | { readonly truncateTable: TruncateTableInput }
  | { readonly dropTable: DropTableInput }
  | { readonly createIndex: CreateIndexInput }
  | { readonly dropIndex: DropIndexInput }
  | { readonly createSchema: CreateSchemaInput }
  | { readonly alterSchema: AlterSchemaInput }
  | { readonly dropSchema: DropSchemaInput }

/** The answer to each statement, in order. */
export type StatementResult =
  /** `autoIncrement`: the values that AUTO_INCREMENT chose or was given, one per row, when the table has such a column. */
  | { readonly inserted: number; readonly autoIncrement?: readonly bigint[] }
  /** 0 when no row has the key. */
  | { readonly updated: 0 | 1 }
  | { readonly deleted: 0 | 1 }
  | { readonly row: RowObject | null }
  | { readonly rows: readonly RowObject[] }
  | { readonly checked: true }
  /** False when `ifNotExists` found one. `inserted`: rows of `createTableAs`. `building`: a job makes the index ready. */
  | { readonly created: boolean; readonly inserted?: number; readonly building?: boolean }
  /** False when the definition was like that before: nothing was written. */
  | { readonly altered: boolean }
  /** Tables with another name or schema than before. */
  | { readonly renamed: number }
  | { readonly truncated: true }
  | { readonly dropped: boolean }

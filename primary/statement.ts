/** Statements as users write them, embedded and over HTTP, and what each answers. */
import type { RowObject } from '../ddl/compiled-table.js'
import type { TableDefinition } from '../ddl/table-definition.js'

/** Column names and values; a value may be in its embedded or its JSON form. */
export type RowInput = Readonly<Record<string, unknown>>

/** A new value, or `{ add: n }` to add to the newest value in the commit lane. */
export type SetInput = Readonly<Record<string, unknown>>

export interface InsertInput {
  /** "schema.table"; the schema `test` may be left out. */
  readonly table: string
  readonly rows: readonly RowInput[]
}

export interface UpdateInput {
  readonly table: string
  /** A value for each primary key column. */
  readonly key: RowInput
  readonly set: SetInput
}

export interface KeyInput {
  readonly table: string
  readonly key: RowInput
}

export interface LockInput extends KeyInput {
  /** How long to wait for the lock, in milliseconds. */
  readonly timeoutMs?: number | undefined
}

export interface CheckInput extends KeyInput {
  /** Whether the row must exist; true when left out. */
  readonly exists?: boolean | undefined
  /** Columns that must have these values. */
  readonly equals?: RowInput | undefined
}

export interface ScanInput {
  readonly table: string
  readonly index?: string | undefined
  readonly prefix?: RowInput | undefined
  readonly from?: RowInput | undefined
  readonly to?: RowInput | undefined
  readonly limit?: number | undefined
  readonly reverse?: boolean | undefined
}

export interface CreateTableInput {
  readonly table: TableDefinition
  readonly ifNotExists?: boolean | undefined
}

export interface DropTableInput {
  readonly table: string
  readonly ifExists?: boolean | undefined
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
  | { readonly dropTable: DropTableInput }

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
  | { readonly created: boolean }
  | { readonly dropped: boolean }

/**
 * The replication message as plain objects. `transaction-codec.ts` turns them into the bytes of `replication.proto`
 * and back; `definition-codec.ts` does so for the dictionary messages.
 */
import type { Epoch, Lsn } from '../../core/position.js'
import type { ColumnType, Row } from './column-type.js'

/** One row's change. insert: after; update: before and after; delete: before. */
export interface RowChange {
  /** Row message of the primary key columns alone; set where `before` is left out. */
  readonly key?: Uint8Array | undefined
  readonly before?: Uint8Array | undefined
  readonly after?: Uint8Array | undefined
  /** The decoded images where the writer has them at hand; never encoded. */
  readonly beforeRow?: Row | undefined
  readonly afterRow?: Row | undefined
}

export interface RowChanges {
  readonly kind: 'insert' | 'update' | 'delete'
  readonly tableId: number
  readonly tableVersion: number
  readonly rows: RowChange[]
}

export type DefinitionStatement =
  | { readonly kind: 'createTable'; readonly after: TableMessage }
  | { readonly kind: 'dropTable'; readonly before: TableMessage }
  | { readonly kind: 'createSchema'; readonly after: SchemaMessage }
  | { readonly kind: 'createCatalog'; readonly after: CatalogMessage }
  | { readonly kind: 'dropCatalog'; readonly before: CatalogMessage }
  | { readonly kind: 'newEpoch'; readonly epoch: Epoch; readonly serverId: Uint8Array }

export type Statement = RowChanges | DefinitionStatement

export interface Transaction {
  readonly lsn: Lsn
  readonly epoch: Epoch
  /** UUID of the committing server; 16 bytes. */
  readonly originServerId: Uint8Array
  readonly catalogId: number
  readonly startTimestampUs: bigint
  readonly commitTimestampUs: bigint
  readonly statements: readonly Statement[]
  readonly annotations?: Readonly<Record<string, string>> | undefined
  /** A later transaction of the catalog with the same key gets this one's outcome instead of running. */
  readonly idempotencyKey?: string | undefined
  /** What the transaction answered, for repetitions of its key. */
  readonly outcome?: Uint8Array | undefined
}

export interface CatalogMessage {
  readonly id: number
  readonly name: string
  readonly createdUs: bigint
}

export interface SchemaMessage {
  readonly id: number
  readonly catalogId: number
  readonly name: string
  readonly createdUs: bigint
}

export type ColumnDefault = { readonly literal: string } | { readonly function: 'NOW' | 'UUID' }

export interface ColumnMessage {
  /** Protobuf field number of the column; `COLUMN_ID_FIRST` or higher. */
  readonly id: number
  readonly name: string
  readonly type: ColumnType
  readonly notNull: boolean
  /** `literal` is JSON text. */
  readonly default?: ColumnDefault | undefined
  readonly autoIncrement: boolean
  /** Rows of an older table version read `missingValue` (JSON text; absent is NULL). */
  readonly addedInVersion: number
  readonly missingValue?: string | undefined
  readonly comment: string
}

export interface KeyPartMessage {
  readonly columnId: number
  readonly descending: boolean
}

export interface IndexMessage {
  readonly id: number
  readonly name: string
  readonly unique: boolean
  readonly parts: readonly KeyPartMessage[]
}

/** One version of a table's definition. */
export interface TableMessage {
  readonly id: number
  readonly version: number
  readonly catalogId: number
  readonly schemaId: number
  readonly name: string
  readonly columns: readonly ColumnMessage[]
  readonly primaryKey: readonly KeyPartMessage[]
  readonly indexes: readonly IndexMessage[]
  readonly nextColumnId: number
  readonly nextIndexId: number
  readonly comment: string
  readonly createdUs: bigint
  readonly changedUs: bigint
}

/** Field 1 of every row holds the table version it was written under; columns start behind it. */
export const ROW_VERSION_FIELD = 1
export const COLUMN_ID_FIRST = 2

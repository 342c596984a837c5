/**
 * The replication message as plain objects. `transaction-codec.ts` turns them into the bytes of `replication.proto`
 * and back; `definition-codec.ts` does so for the dictionary messages.
 */
import type { Epoch, Lsn } from '../../core/position.js'
import type { ColumnType, Row } from './column-type.js'

/** A key of the store, and the same as text. */
export interface StoredKey {
  readonly key: Buffer
  readonly text: string
}

/** One row's change. insert: after; update: before and after; delete: before. */
export interface RowChange {
  /** Row message of the primary key columns alone; set where `before` is left out. */
  readonly key?: Uint8Array | undefined
  readonly before?: Uint8Array | undefined
  readonly after?: Uint8Array | undefined
  /** Where `before` is left out and the writer has it at hand; never encoded. */
  readonly storedBefore?: Uint8Array | undefined
  /** The decoded images, and under which keys they are stored, where the writer has them at hand; never encoded. */
  readonly beforeRow?: Row | undefined
  readonly afterRow?: Row | undefined
  readonly beforeKey?: StoredKey | undefined
  readonly afterKey?: StoredKey | undefined
}

/**
 * Row changes of one kind to one table. `rewrite`: the rows of a table in the storage and under the version that the
 * definition change before it made; their data is the same but for that change, and only `after` is set.
 */
export interface RowChanges {
  readonly kind: 'insert' | 'update' | 'delete' | 'rewrite'
  readonly tableId: number
  readonly tableVersion: number
  readonly rows: RowChange[]
}

/** A table's definition before and after a change. */
export interface TableChange {
  readonly before: TableMessage
  readonly after: TableMessage
}

export type DefinitionStatement =
  | { readonly kind: 'createTable'; readonly after: TableMessage }
  | { readonly kind: 'dropTable'; readonly before: TableMessage }
  /** `autoIncrement`: the highest value given out so far, where the table gets a new storage; else 0. */
  | ({ readonly kind: 'alterTable'; readonly autoIncrement: bigint } & TableChange)
  | ({ readonly kind: 'truncateTable'; readonly autoIncrement: bigint } & TableChange)
  /** All at once, so that names may be exchanged. */
  | { readonly kind: 'renameTables'; readonly tables: readonly TableChange[] }
  | ({ readonly kind: 'createIndex' } & TableChange)
  /** `reason`: why the server dropped it by itself; empty when it was asked to. */
  | ({ readonly kind: 'dropIndex'; readonly reason: string } & TableChange)
  | { readonly kind: 'createSchema'; readonly after: SchemaMessage }
  | { readonly kind: 'alterSchema'; readonly before: SchemaMessage; readonly after: SchemaMessage }
  | { readonly kind: 'dropSchema'; readonly before: SchemaMessage }
  | { readonly kind: 'createCatalog'; readonly after: CatalogMessage }
  | { readonly kind: 'alterCatalog'; readonly before: CatalogMessage; readonly after: CatalogMessage }
  | { readonly kind: 'dropCatalog'; readonly before: CatalogMessage }
  | { readonly kind: 'newEpoch'; readonly epoch: Epoch; readonly serverId: Uint8Array }

/** What a table held after the transaction before the marker. */
export interface TableCount {
  readonly catalogId: number
  readonly storageId: number
  readonly tableId: number
  readonly rows: number
  /** Sum over its rows, see `log/table-stats.ts`; 8 bytes. */
  readonly digest: Uint8Array
}

/** Changes nothing: replicas compare their own counts at this place of the log. */
export interface VerifyMarker {
  readonly kind: 'verifyMarker'
  readonly counts: readonly TableCount[]
}

export type Statement = RowChanges | DefinitionStatement | VerifyMarker

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

/** Options of a catalog, schema or table: names and values that replog carries and does not interpret. */
export type Options = Readonly<Record<string, string>>

export interface CatalogMessage {
  readonly id: number
  readonly name: string
  readonly createdUs: bigint
  readonly comment: string
  readonly options: Options
}

export interface SchemaMessage {
  readonly id: number
  readonly catalogId: number
  readonly name: string
  readonly createdUs: bigint
  readonly comment: string
  readonly options: Options
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
  /** Every change of a row keeps its entries, but older rows may lack theirs: a job makes them. Not readable yet. */
  readonly building: boolean
  /** Unique and still building: whoever began before all entries were made cannot commit any more. */
  readonly validating: boolean
}

export type ReferentialAction = 'RESTRICT' | 'CASCADE' | 'SET_NULL'

/** The values of `columnIds`, unless one is NULL, are those of `targetColumnIds` in a row of the target table. */
export interface ForeignKeyMessage {
  readonly id: number
  readonly name: string
  readonly columnIds: readonly number[]
  readonly targetTableId: number
  readonly targetColumnIds: readonly number[]
  readonly onDelete: ReferentialAction
  readonly onUpdate: ReferentialAction
}

export type ComparisonOperator = 'EQ' | 'NE' | 'LT' | 'LE' | 'GT' | 'GE'

/** `literal` is JSON text. */
export type Operand = { readonly columnId: number } | { readonly literal: string }

/** A condition on one row; true, false or, as in SQL, unknown where a NULL is compared. */
export type Expression =
  | { readonly and: readonly Expression[] }
  | { readonly or: readonly Expression[] }
  | { readonly not: Expression }
  | { readonly comparison: { readonly left: Operand; readonly operator: ComparisonOperator; readonly right: Operand } }
  /** `values`: JSON texts. */
  | { readonly in: { readonly operand: Operand; readonly values: readonly string[] } }
  | { readonly between: { readonly operand: Operand; readonly low: Operand; readonly high: Operand } }
  | { readonly like: { readonly operand: Operand; readonly pattern: string } }
  | { readonly isNull: Operand }

/** No row makes the expression false. */
export interface CheckMessage {
  readonly id: number
  readonly name: string
  readonly expression: Expression
}

/** A foreign key of another table (or the same) that targets this one. */
export interface ReferenceMessage {
  readonly tableId: number
  readonly foreignKeyId: number
}

export type RowImage = 'FULL' | 'MINIMAL'

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
  /** Under which rows, index entries and statistics are stored. The table's id, until a change replaces all rows. */
  readonly storageId: number
  readonly foreignKeys: readonly ForeignKeyMessage[]
  readonly checks: readonly CheckMessage[]
  /** The id that the next foreign key or check gets. */
  readonly nextConstraintId: number
  readonly referencedBy: readonly ReferenceMessage[]
  readonly options: Options
  /** MINIMAL: updates and deletes carry the key instead of the whole row before. */
  readonly rowImage: RowImage
}

/** Field 1 of every row holds the table version it was written under; columns start behind it. */
export const ROW_VERSION_FIELD = 1
export const COLUMN_ID_FIRST = 2

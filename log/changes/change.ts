/**
 * What a change stream gives: changes of rows, of definitions, rows of a snapshot, and how far it is.
 *
 * Each has a `token`, with which another stream goes on behind it; tokens are made when they are asked for. None holds a
 * piece of the log, so that changes can be kept.
 */
import { type Lsn, type Position, formatPosition } from '../../core/position.js'
import type { CompiledTable, RowObject } from '../../ddl/compiled-table.js'
import type { Row as StoredRow } from '../codec/column-type.js'
import type { CatalogMessage, DefinitionStatement, RowChange, SchemaMessage, TableMessage } from '../codec/message.js'
import { type SnapshotPlace, formatChangeToken } from './change-token.js'

export interface ChangeOriginParts {
  readonly position: Position
  readonly commitTimestampUs: bigint
  readonly startTimestampUs: bigint
  /** Hex digits. */
  readonly serverId: string
  readonly annotations: Readonly<Record<string, string>>
  readonly count: number
  readonly place: SnapshotPlace | undefined
}

/** What all changes of one transaction share. */
export class ChangeOrigin {
  /** After the transaction. */
  readonly position: Position
  /** In microseconds since 1970, on the clock of the primary that committed it. */
  readonly commitTimestampUs: bigint
  readonly startTimestampUs: bigint
  /** Id of the server that committed it, hex digits. */
  readonly serverId: string
  readonly annotations: Readonly<Record<string, string>>
  /** Changes that the transaction has in its catalog, those that a filter leaves out as well. */
  readonly count: number
  /** How far the stream's snapshot was before it; undefined when it is complete or was not asked for. */
  readonly place: SnapshotPlace | undefined
  /** How far it was behind it. */
  placeBehind: SnapshotPlace | undefined
  #text: string | undefined

  constructor(parts: ChangeOriginParts) {
    this.position = parts.position
    this.commitTimestampUs = parts.commitTimestampUs
    this.startTimestampUs = parts.startTimestampUs
    this.serverId = parts.serverId
    this.annotations = parts.annotations
    this.count = parts.count
    this.place = parts.place
    this.placeBehind = parts.place
    this.#text = undefined
  }

  /** LSN of the transaction. */
  get lsn(): Lsn {
    return this.position.lsn
  }

  /** When it was committed, in whole milliseconds. */
  get committedAt(): Date {
    return new Date(Number(this.commitTimestampUs / 1000n))
  }

  /** Behind the whole transaction. */
  get token(): string {
    return this.tokenBehind(this.count - 1)
  }

  /** Behind one of its changes; behind -1: before the first one. */
  tokenBehind(ordinal: number): string {
    this.#text ??= formatPosition(this.position)
    return ordinal + 1 < this.count
      ? formatChangeToken(this.#text, ordinal + 1, this.place)
      : formatChangeToken(this.#text, undefined, this.placeBehind)
  }
}

/** What happened to a row; `rewrite` changed nothing but the form in which it is stored. */
export type RowOperation = 'insert' | 'update' | 'delete' | 'rewrite'

/**
 * One row's change. insert: `after`; update: `before` and `after`; delete: `before`; rewrite: `after`, the row as a
 * definition change that replaced all rows of the table stores it, which changes nothing but its form.
 */
export class RowEvent<Row = RowObject> {
  readonly type: RowOperation
  /** "schema.table": the name that the table had at this place of the log; see `schema-names.ts` for its schema's. */
  readonly table: string
  /** Stays when the table is renamed, and is never used again. */
  readonly tableId: number
  /** The version of the definition that `before` and `after` are decoded with. */
  readonly tableVersion: number
  /** The row before the change; undefined for an insert, and for a table with `row_image` minimal, where only `key` is known. */
  readonly before: Row | undefined
  readonly after: Row | undefined
  readonly transaction: ChangeOrigin
  /** Place among the changes of the transaction, from 0. */
  readonly ordinal: number
  readonly #compiled: CompiledTable
  /** The primary key columns, where that is all that is known of the row before the change. */
  readonly #key: StoredRow | undefined

  constructor(
    type: RowOperation,
    table: string,
    compiled: CompiledTable,
    change: RowChange,
    transaction: ChangeOrigin,
    ordinal: number,
  ) {
    this.type = type
    this.table = table
    this.tableId = compiled.id
    this.tableVersion = compiled.version
    const { before, after, key } = change
    // Decoded here, and the images let go: they are views of the log, of which a change that is kept would keep a piece.
    this.before = before === undefined ? undefined : rowOf<Row>(compiled, before)
    this.after = after === undefined ? undefined : rowOf<Row>(compiled, after)
    this.transaction = transaction
    this.ordinal = ordinal
    this.#compiled = compiled
    this.#key = before === undefined && key !== undefined ? compiled.rows.decode(key) : undefined
  }

  /** LSN of the transaction. */
  get lsn(): Lsn {
    return this.transaction.position.lsn
  }

  /** Resumes behind this change. */
  get token(): string {
    return this.transaction.tokenBehind(this.ordinal)
  }

  /** Values of the primary key columns: of the row as it was before the change or, for an insert, of the new one. */
  get key(): Partial<Row> {
    const { columns, keyOrdinals } = this.#compiled
    const row = this.#told
    const named = keyOrdinals.map((ordinal) => [columns[ordinal]!.message.name, row[ordinal]!] as const)
    return Object.fromEntries(named) as Partial<Row>
  }

  /** Names of the primary key columns, in the order of the key. */
  get keyColumns(): readonly string[] {
    return keyColumnsOf(this.#compiled)
  }

  /** Bytes that tell the row's key from all others of its table, whatever the columns are called. */
  get keyBytes(): Buffer {
    return this.#compiled.rowKey(this.#told)
  }

  /** The same of the row after the change: another one where an update changed the primary key. */
  get newKeyBytes(): Buffer {
    return this.after === undefined ? this.keyBytes : this.#compiled.rowKey(storedRow(this.#compiled, this.after))
  }

  /** The row before the change, or what is known of it, or the new one. */
  get #told(): StoredRow {
    return this.#key ?? storedRow(this.#compiled, (this.before ?? this.after)!)
  }
}

/** A table is made, changed or gone; of several that are renamed together each is one event. */
export interface TableEventParts {
  readonly statement:
    'createTable' | 'dropTable' | 'alterTable' | 'truncateTable' | 'renameTable' | 'createIndex' | 'dropIndex'
  readonly before: TableMessage | undefined
  readonly after: TableMessage | undefined
}

export interface SchemaEventParts {
  readonly statement: 'createSchema' | 'alterSchema' | 'dropSchema'
  readonly before: SchemaMessage | undefined
  readonly after: SchemaMessage | undefined
}

export interface CatalogEventParts {
  readonly statement: 'createCatalog' | 'alterCatalog' | 'dropCatalog'
  readonly before: CatalogMessage | undefined
  readonly after: CatalogMessage | undefined
}

export type DefinitionParts = TableEventParts | SchemaEventParts | CatalogEventParts

/** A change of a definition, with the whole message before and after. */
export class DefinitionEvent {
  readonly type = 'definition'
  readonly statement: DefinitionParts['statement']
  /** "schema.table" after the change, or before it where the table is gone; undefined where no table is meant. */
  readonly table: string | undefined
  readonly before: TableMessage | SchemaMessage | CatalogMessage | undefined
  readonly after: TableMessage | SchemaMessage | CatalogMessage | undefined
  readonly transaction: ChangeOrigin
  readonly ordinal: number

  constructor(parts: DefinitionParts, table: string | undefined, transaction: ChangeOrigin, ordinal: number) {
    this.statement = parts.statement
    this.table = table
    this.before = parts.before
    this.after = parts.after
    this.transaction = transaction
    this.ordinal = ordinal
  }

  /** LSN of the transaction. */
  get lsn(): Lsn {
    return this.transaction.position.lsn
  }

  /** Resumes behind this event. */
  get token(): string {
    return this.transaction.tokenBehind(this.ordinal)
  }
}

/** A row that was there before the changes that follow it. */
export class SnapshotRow<Row = RowObject> {
  readonly type = 'snapshot'
  readonly table: string
  readonly tableId: number
  readonly tableVersion: number
  readonly after: Row
  /** The row is as of this position. */
  readonly position: Position
  readonly #compiled: CompiledTable
  readonly #place: SnapshotPlace

  constructor(table: string, compiled: CompiledTable, image: Uint8Array, position: Position, place: SnapshotPlace) {
    this.table = table
    this.tableId = compiled.id
    this.tableVersion = compiled.version
    this.after = rowOf<Row>(compiled, image)
    this.position = position
    this.#compiled = compiled
    this.#place = place
  }

  /** As those of the row's changes. */
  get keyBytes(): Buffer {
    return this.#compiled.rowKeyOfTuple(this.#place.key)
  }

  /** LSN of the transaction. */
  get lsn(): Lsn {
    return this.position.lsn
  }

  /** Resumes behind this event. */
  get token(): string {
    return formatChangeToken(formatPosition(this.position), undefined, this.#place)
  }

  /** Names of the primary key columns, in the order of the key. */
  get keyColumns(): readonly string[] {
    return keyColumnsOf(this.#compiled)
  }
}

/** All rows that were there have come; from here on there are only changes. */
export interface SnapshotEnd {
  readonly type: 'snapshotEnd'
  readonly lsn: Lsn
  readonly position: Position
  readonly token: string
}

/** Nothing to tell, or nothing that the filter lets through, and how far the stream is all the same. */
export interface Heartbeat {
  readonly type: 'heartbeat'
  readonly lsn: Lsn
  readonly position: Position
  readonly token: string
}

/** A whole transaction, where `transactions` is asked for. At least one of its changes passes the filter. */
export class TransactionEvent<Row = RowObject> {
  readonly type = 'transaction'
  readonly origin: ChangeOrigin
  readonly changes: readonly (RowEvent<Row> | DefinitionEvent)[]

  constructor(origin: ChangeOrigin, changes: readonly (RowEvent<Row> | DefinitionEvent)[]) {
    this.origin = origin
    this.changes = changes
  }

  /** LSN of the transaction. */
  get lsn(): Lsn {
    return this.origin.lsn
  }

  /** After the transaction. */
  get position(): Position {
    return this.origin.position
  }

  /** Resumes behind this event. */
  get token(): string {
    return this.origin.token
  }

  /** What the application put beside the transaction. */
  get annotations(): Readonly<Record<string, string>> {
    return this.origin.annotations
  }
}

export type RowOrDefinition<Row = RowObject> = RowEvent<Row> | DefinitionEvent
/** What a change stream gives, told apart by `type`. */
export type Change<Row = RowObject> =
  RowOrDefinition<Row> | TransactionEvent<Row> | SnapshotRow<Row> | SnapshotEnd | Heartbeat

/** The events of a definition statement; none where it concerns no catalog. */
export function definitionParts(statement: DefinitionStatement): readonly DefinitionParts[] {
  const { kind } = statement
  switch (kind) {
    case 'renameTables':
      return statement.tables.map(({ before, after }) => ({ statement: 'renameTable', before, after }))
    case 'createTable':
      return [{ statement: kind, before: undefined, after: statement.after }]
    case 'dropTable':
      return [{ statement: kind, before: statement.before, after: undefined }]
    case 'alterTable':
    case 'truncateTable':
    case 'createIndex':
    case 'dropIndex':
      return [{ statement: kind, before: statement.before, after: statement.after }]
    case 'createSchema':
      return [{ statement: kind, before: undefined, after: statement.after }]
    case 'alterSchema':
      return [{ statement: kind, before: statement.before, after: statement.after }]
    case 'dropSchema':
      return [{ statement: kind, before: statement.before, after: undefined }]
    case 'createCatalog':
      return [{ statement: kind, before: undefined, after: statement.after }]
    case 'alterCatalog':
      return [{ statement: kind, before: statement.before, after: statement.after }]
    case 'dropCatalog':
      return [{ statement: kind, before: statement.before, after: undefined }]
    case 'newEpoch':
      return []
  }
}

export function isTableEvent(parts: DefinitionParts): parts is TableEventParts {
  const { statement } = parts
  return !statement.endsWith('Schema') && !statement.endsWith('Catalog')
}

function keyColumnsOf({ columns, keyOrdinals }: CompiledTable): string[] {
  return keyOrdinals.map((ordinal) => columns[ordinal]!.message.name)
}

function storedRow(compiled: CompiledTable, row: unknown): StoredRow {
  const values = row as RowObject
  return compiled.columns.map(({ message }) => values[message.name]!)
}

function rowOf<Row>(compiled: CompiledTable, image: Uint8Array): Row {
  return compiled.toObject(compiled.rows.decode(image)) as Row
}

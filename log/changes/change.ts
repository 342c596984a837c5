/**
 * What a change stream gives: changes of rows, of definitions, rows of a snapshot, and how far it is.
 *
 * Each has a `token`, with which another stream goes on behind it. Tokens and images are made when they are asked for
 * the first time or before, so that a stream that is only counted costs little.
 */
import { type Lsn, type Position, formatPosition } from '../../core/position.js'
import type { CompiledTable, RowObject } from '../../ddl/compiled-table.js'
import type { CatalogMessage, DefinitionStatement, RowChange, SchemaMessage, TableMessage } from '../codec/message.js'
import { type SnapshotPlace, formatChangeToken } from './change-token.js'

export interface ChangeOriginParts {
  readonly position: Position
  readonly commitTimestampUs: bigint
  readonly startTimestampUs: bigint
  /** 16 bytes. */
  readonly originServerId: Uint8Array
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
  readonly annotations: Readonly<Record<string, string>>
  /** Changes that the transaction has in its catalog, those that a filter leaves out as well. */
  readonly count: number
  /** How far the stream's snapshot was before it; undefined when it is complete or was not asked for. */
  readonly place: SnapshotPlace | undefined
  readonly #originServerId: Uint8Array
  #text: string | undefined

  constructor(parts: ChangeOriginParts) {
    this.position = parts.position
    this.commitTimestampUs = parts.commitTimestampUs
    this.startTimestampUs = parts.startTimestampUs
    this.#originServerId = parts.originServerId
    this.annotations = parts.annotations
    this.count = parts.count
    this.place = parts.place
  }

  get lsn(): Lsn {
    return this.position.lsn
  }

  /** Id of the server that committed it, hex digits. */
  get serverId(): string {
    return Buffer.from(this.#originServerId).toString('hex')
  }

  get committedAt(): Date {
    return new Date(Number(this.commitTimestampUs / 1000n))
  }

  /** Behind the whole transaction. */
  get token(): string {
    return this.tokenBehind(this.count - 1)
  }

  /** Behind one of its changes. */
  tokenBehind(ordinal: number): string {
    this.#text ??= formatPosition(this.position)
    return formatChangeToken(this.#text, ordinal + 1 < this.count ? ordinal + 1 : undefined, this.place)
  }
}

export type RowOperation = 'insert' | 'update' | 'delete' | 'rewrite'

/**
 * One row's change. insert: `after`; update: `before` and `after`; delete: `before`; rewrite: `after`, the row as a
 * definition change that replaced all rows of the table stores it, which changes nothing but its form.
 */
export class RowEvent<Row = RowObject> {
  readonly type: RowOperation
  /** "schema.table": the name that the table had at this place of the log; its schema is called what it is called now. */
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
  readonly #change: RowChange

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
    this.before = change.before && rowOf<Row>(compiled, change.before)
    this.after = change.after && rowOf<Row>(compiled, change.after)
    this.transaction = transaction
    this.ordinal = ordinal
    this.#compiled = compiled
    this.#change = change
  }

  get lsn(): Lsn {
    return this.transaction.position.lsn
  }

  /** Resumes behind this change. */
  get token(): string {
    return this.transaction.tokenBehind(this.ordinal)
  }

  /** Values of the primary key columns: of the row as it was before the change or, for an insert, of the new one. */
  get key(): Partial<Row> {
    const { rows, columns, keyOrdinals } = this.#compiled
    const { key, before, after } = this.#change
    const row = rows.decode((before ?? key ?? after)!)
    const named = keyOrdinals.map((ordinal) => [columns[ordinal]!.message.name, row[ordinal]!] as const)
    return Object.fromEntries(named) as Partial<Row>
  }

  /** Names of the primary key columns, in the order of the key. */
  get keyColumns(): readonly string[] {
    return keyColumnsOf(this.#compiled)
  }

  /** Bytes that tell the row's key from all others of its table, whatever the columns are called. */
  get keyBytes(): Buffer {
    const { rows } = this.#compiled
    const { key, before, after } = this.#change
    return this.#compiled.rowKey(rows.decode((before ?? key ?? after)!))
  }

  /** The same of the row after the change: another one where an update changed the primary key. */
  get newKeyBytes(): Buffer {
    const { after } = this.#change
    return after === undefined ? this.keyBytes : this.#compiled.rowKey(this.#compiled.rows.decode(after))
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

  get lsn(): Lsn {
    return this.transaction.position.lsn
  }

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

  get lsn(): Lsn {
    return this.position.lsn
  }

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

  get lsn(): Lsn {
    return this.origin.lsn
  }

  get position(): Position {
    return this.origin.position
  }

  get token(): string {
    return this.origin.token
  }

  get annotations(): Readonly<Record<string, string>> {
    return this.origin.annotations
  }
}

export type RowOrDefinition<Row = RowObject> = RowEvent<Row> | DefinitionEvent
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

function rowOf<Row>(compiled: CompiledTable, image: Uint8Array): Row {
  return compiled.toObject(compiled.rows.decode(image)) as Row
}

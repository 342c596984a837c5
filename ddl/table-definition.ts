/**
 * The table definition as a user writes it, and its way into a table message and back.
 *
 * Checked here, before anything is staged: names, the bounds on columns, indexes and size, and what no part of a
 * definition can check alone; the rest by the parts (`column-`, `index-`, `check-` and `foreign-key-definition.ts`).
 *
 * Invariant: the definition of a message makes the same message again, but for ids and versions.
 */
import { DEFINITION_BYTES_MAX, TABLE_COLUMNS_MAX } from '../core/limits.js'
import { encodeTableMessage } from '../log/codec/definition-codec.js'
import {
  COLUMN_ID_FIRST,
  type ColumnMessage,
  type IndexMessage,
  type RowImage,
  type TableMessage,
} from '../log/codec/message.js'
import { type CheckDefinition, checkMessageOf, definitionOfCheck } from './check-definition.js'
import {
  type ColumnDefinition,
  byName,
  columnMessageOf,
  definitionOfColumn,
  requireOneAutoIncrement,
} from './column-definition.js'
import {
  type ForeignKeyDefinition,
  definitionOfForeignKey,
  foreignKeyMessageOf,
  targetIdentifierOf,
} from './foreign-key-definition.js'
import { checkName, formatTableName } from './identifiers.js'
import {
  type IndexDefinition,
  type KeyPartDefinition,
  definitionOfIndex,
  definitionOfKey,
  indexMessageOf,
  keyPartsOf,
  requireIndexFits,
} from './index-definition.js'
import { type Invalid, invalidTable, requireObject } from './invalid-definition.js'
import { checkComment, checkOptions } from './options.js'
import { withForeignKeyIndex, withReference } from './reference-keys.js'
import { type ReferencedTables, targetNames } from './referenced-table.js'

export type { CheckDefinition } from './check-definition.js'
export type { ColumnDefinition } from './column-definition.js'
export type { ExpressionDefinition, OperandDefinition } from './expression-definition.js'
export type { ForeignKeyDefinition, ReferentialActionDefinition } from './foreign-key-definition.js'
export type { IndexDefinition, KeyPartDefinition } from './index-definition.js'

/** A table: what `createTable` makes, and what servers show of one. */
export interface TableDefinition {
  /** Defaults to `test`. */
  readonly schema?: string
  readonly name: string
  readonly columns: readonly ColumnDefinition[]
  readonly primaryKey: readonly KeyPartDefinition[]
  readonly indexes?: readonly IndexDefinition[]
  readonly foreignKeys?: readonly ForeignKeyDefinition[]
  readonly checks?: readonly CheckDefinition[]
  readonly comment?: string
  /** Names and values that replog carries and does not interpret. */
  readonly options?: Readonly<Record<string, string>>
  /** What updates and deletes carry in the log: the whole row before (`full`, the default) or its key (`minimal`). */
  readonly rowImage?: 'full' | 'minimal'
}

export interface TablePlace {
  readonly id: number
  readonly catalogId: number
  readonly schemaId: number
  /** The name of the schema. */
  readonly schema: string
  readonly nowUs: bigint
  /**
   * The message of another table of the catalog by its "schema.table" text.
   * @throws ReplogError NOT_FOUND
   */
  target(table: string): TableMessage
}

/**
 * Version 1 of the table message for a definition. Targets of foreign keys are not told of them.
 * @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT, NOT_FOUND (the target of a foreign key)
 */
export function tableMessageOf(definition: TableDefinition, place: TablePlace): TableMessage {
  requireDefinition(definition)
  const name = checkName('table', definition.name)
  const invalid = invalidTable(name)

  if (!Array.isArray(definition.columns) || definition.columns.length === 0) {
    throw invalid('`columns` must list at least one column')
  }
  if (definition.columns.length > TABLE_COLUMNS_MAX) throw invalid(`at most ${TABLE_COLUMNS_MAX} columns`)
  if (!Array.isArray(definition.primaryKey) || definition.primaryKey.length === 0) {
    throw invalid('`primaryKey` must name at least one column; it identifies rows on every replica')
  }

  const columns = columnMessagesOf(definition.columns, invalid)
  const columnOf = byName(columns)
  const primaryKey = keyPartsOf(definition.primaryKey, 'the primary key', columnOf, invalid)
  const keyIds = new Set(primaryKey.map((part) => part.columnId))
  const indexes = indexMessagesOf(listOf(definition.indexes, 'indexes', invalid), columnOf, invalid)

  let message: TableMessage = {
    id: place.id,
    version: 1,
    catalogId: place.catalogId,
    schemaId: place.schemaId,
    name,
    // As in SQL, a primary key column is NOT NULL whether or not the definition says so.
    columns: columns.map((column) => (keyIds.has(column.id) ? { ...column, notNull: true } : column)),
    primaryKey,
    indexes,
    nextColumnId: COLUMN_ID_FIRST + columns.length,
    nextIndexId: 1 + indexes.length,
    comment: checkComment(definition.comment, invalid),
    createdUs: place.nowUs,
    changedUs: place.nowUs,
    storageId: place.id,
    foreignKeys: [],
    checks: [],
    nextConstraintId: 1,
    referencedBy: [],
    options: checkOptions(definition.options, undefined, invalid),
    rowImage: rowImageOf(definition.rowImage, invalid),
  }
  for (const foreignKey of listOf(definition.foreignKeys, 'foreignKeys', invalid)) {
    message = withForeignKey(message, foreignKey, place, invalid)
  }
  for (const check of listOf(definition.checks, 'checks', invalid)) message = withCheck(message, check, invalid)
  checkDefinitionBytes(message, invalid)
  return message
}

/** @throws ReplogError INVALID_DEFINITION when it is not even an object */
export function requireDefinition(definition: unknown): void {
  requireObject(definition, 'a table definition')
}

/** @throws ReplogError INVALID_DEFINITION for a message that is too long when encoded */
export function checkDefinitionBytes(message: TableMessage, invalid: Invalid): void {
  const bytes = encodeTableMessage(message).length
  if (bytes > DEFINITION_BYTES_MAX) {
    throw invalid(`the definition takes ${bytes} bytes, more than ${DEFINITION_BYTES_MAX}; use fewer or shorter names`)
  }
}

/** @throws ReplogError INVALID_DEFINITION */
export function rowImageOf(rowImage: unknown, invalid: Invalid): RowImage {
  if (rowImage === undefined || rowImage === 'full') return 'FULL'
  if (rowImage === 'minimal') return 'MINIMAL'
  throw invalid('`rowImage` is "full" or "minimal"')
}

/** The message of a new table under another id than the provisional one that it was made with. */
export function withTableId(message: TableMessage, id: number): TableMessage {
  return {
    ...message,
    id,
    storageId: id,
    foreignKeys: message.foreignKeys.map((foreignKey) => {
      return foreignKey.targetTableId === message.id ? { ...foreignKey, targetTableId: id } : foreignKey
    }),
    referencedBy: message.referencedBy.map((reference) => {
      return reference.tableId === message.id ? { ...reference, tableId: id } : reference
    }),
  }
}

function withForeignKey(
  message: TableMessage,
  definition: ForeignKeyDefinition,
  place: TablePlace,
  invalid: Invalid,
): TableMessage {
  const identifier = targetIdentifierOf(definition, invalid)
  const self = identifier.schema === place.schema && identifier.table === message.name
  const target = self ? message : place.target(formatTableName(identifier))
  const foreignKey = foreignKeyMessageOf(definition, message.nextConstraintId, message, target, invalid)
  const next = withForeignKeyIndex(message, foreignKey, invalid)
  const owner = {
    ...next,
    foreignKeys: [...next.foreignKeys, foreignKey],
    nextConstraintId: next.nextConstraintId + 1,
  }
  return self ? withReference(owner, { tableId: message.id, foreignKeyId: foreignKey.id }, invalid) : owner
}

function withCheck(message: TableMessage, definition: CheckDefinition, invalid: Invalid): TableMessage {
  const check = checkMessageOf(definition, message.nextConstraintId, message, invalid)
  return { ...message, checks: [...message.checks, check], nextConstraintId: message.nextConstraintId + 1 }
}

function columnMessagesOf(definitions: readonly ColumnDefinition[], invalid: Invalid): ColumnMessage[] {
  const columns: ColumnMessage[] = []
  const names = new Set<string>()
  for (const definition of definitions) {
    const column = columnMessageOf(definition, COLUMN_ID_FIRST + columns.length, 1, invalid)
    if (names.has(column.name)) throw invalid(`column ${JSON.stringify(column.name)} is defined twice`)
    names.add(column.name)
    columns.push(column)
  }
  requireOneAutoIncrement(columns, invalid)
  return columns
}

function indexMessagesOf(
  definitions: readonly IndexDefinition[],
  columns: ReadonlyMap<string, ColumnMessage>,
  invalid: Invalid,
): IndexMessage[] {
  const indexes: IndexMessage[] = []
  for (const definition of definitions) {
    const index = indexMessageOf(definition, 1 + indexes.length, columns, invalid)
    requireIndexFits(index.name, indexes, invalid)
    indexes.push(index)
  }
  return indexes
}

function listOf<Item>(list: readonly Item[] | undefined, name: string, invalid: Invalid): readonly Item[] {
  if (list === undefined) return []
  if (Array.isArray(list)) return list as readonly Item[]
  throw invalid(`\`${name}\` must be a list`)
}

/**
 * The definition that makes a table like this message; `tableMessageOf` is its inverse.
 * @param schema the name of the table's schema
 */
export function definitionOf(message: TableMessage, schema: string, tableOf: ReferencedTables): TableDefinition {
  const { columns, indexes, foreignKeys, checks } = message
  return {
    schema,
    name: message.name,
    columns: columns.map(definitionOfColumn),
    primaryKey: definitionOfKey(message.primaryKey, columns),
    indexes: indexes.map((index) => definitionOfIndex(index, columns)),
    ...(foreignKeys.length === 0
      ? {}
      : {
          foreignKeys: foreignKeys.map((foreignKey) => {
            return definitionOfForeignKey(foreignKey, columns, targetNames(foreignKey, message, schema, tableOf))
          }),
        }),
    ...(checks.length === 0 ? {} : { checks: checks.map((check) => definitionOfCheck(check, columns)) }),
    ...(message.comment === '' ? {} : { comment: message.comment }),
    ...(Object.keys(message.options).length === 0 ? {} : { options: message.options }),
    ...(message.rowImage === 'FULL' ? {} : { rowImage: 'minimal' }),
  }
}

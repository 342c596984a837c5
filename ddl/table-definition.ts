/**
 * The table definition as a user writes it, and its way into a table message.
 *
 * Checked here, before anything is staged: names, types and their parameters, keys over keyable columns, defaults that
 * fit their column, AUTO_INCREMENT on one integer column, the bounds on columns and indexes.
 */
import { ReplogError, isReplogError } from '../core/errors.js'
import { DEFINITION_BYTES_MAX, KEY_COLUMNS_MAX, TABLE_COLUMNS_MAX, TABLE_INDEXES_MAX } from '../core/limits.js'
import type { ColumnType, JsonValue, Value } from '../log/codec/column-type.js'
import {
  COLUMN_ID_FIRST,
  type ColumnDefault,
  type ColumnMessage,
  type IndexMessage,
  type KeyPartMessage,
  type TableMessage,
} from '../log/codec/message.js'
import { encodeTableMessage } from '../log/codec/definition-codec.js'
import { parseColumnType } from '../log/codec/types/sql-text.js'
import { valueCodec } from '../log/codec/type-codecs.js'
import { checkName } from './identifiers.js'

export interface ColumnDefinition {
  readonly name: string
  /** SQL type text, such as `BIGINT`, `VARCHAR(20)`, `DECIMAL(10,2)`, `ENUM('a','b')`. */
  readonly type: string
  readonly notNull?: boolean
  /** A literal of the column's type, or `{ function: 'now' }` (DATE, TIME, TIMESTAMP) or `{ function: 'uuid' }` (UUID). */
  readonly default?: Value | { readonly function: 'now' | 'uuid' }
  /** On one INTEGER or BIGINT column: an insert without a value gets the next one. Values are never reused. */
  readonly autoIncrement?: boolean
  readonly comment?: string
}

/** A column name, or a column with its direction. */
export type KeyPartDefinition = string | { readonly column: string; readonly descending?: boolean }

export interface IndexDefinition {
  readonly name: string
  readonly columns: readonly KeyPartDefinition[]
  readonly unique?: boolean
}

/** A column of the row, or a literal in its embedded or JSON form. */
export type OperandDefinition = { readonly column: string } | Value

/** The condition of a CHECK: an object with one key. A literal takes the type of the column that it is compared with. */
export type ExpressionDefinition =
  | { readonly and: readonly ExpressionDefinition[] }
  | { readonly or: readonly ExpressionDefinition[] }
  | { readonly not: ExpressionDefinition }
  | { readonly eq: readonly [OperandDefinition, OperandDefinition] }
  | { readonly ne: readonly [OperandDefinition, OperandDefinition] }
  | { readonly lt: readonly [OperandDefinition, OperandDefinition] }
  | { readonly le: readonly [OperandDefinition, OperandDefinition] }
  | { readonly gt: readonly [OperandDefinition, OperandDefinition] }
  | { readonly ge: readonly [OperandDefinition, OperandDefinition] }
  | { readonly in: readonly [OperandDefinition, readonly Value[]] }
  /** Operand, lowest and highest, both inclusive. */
  | { readonly between: readonly [OperandDefinition, OperandDefinition, OperandDefinition] }
  /** `%` stands for any characters, `_` for one; a backslash before either means the character itself. */
  | { readonly like: readonly [OperandDefinition, string] }
  | { readonly isNull: OperandDefinition }

export interface CheckDefinition {
  /** `TABLE_check_N` when left out. */
  readonly name?: string
  readonly expression: ExpressionDefinition
}

export type ReferentialActionDefinition = 'restrict' | 'cascade' | 'set null'

export interface ForeignKeyDefinition {
  /** `TABLE_COLUMN…_fkey` when left out. */
  readonly name?: string
  readonly columns: readonly string[]
  readonly references: {
    /** "schema.table"; the schema `test` may be left out. */
    readonly table: string
    /** The primary key or the columns of a unique index; the primary key when left out. */
    readonly columns?: readonly string[]
  }
  /** `restrict` when left out. */
  readonly onDelete?: ReferentialActionDefinition
  readonly onUpdate?: ReferentialActionDefinition
}

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
  readonly nowUs: bigint
}

/**
 * Version 1 of the table message for a definition.
 * @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT
 */
export function tableMessageOf(definition: TableDefinition, place: TablePlace): TableMessage {
  requireDefinition(definition)
  const name = checkName('table', definition.name)
  const invalid = (message: string): ReplogError =>
    new ReplogError('INVALID_DEFINITION', `table ${JSON.stringify(name)}: ${message}`)

  if (!Array.isArray(definition.columns) || definition.columns.length === 0) {
    throw invalid('`columns` must list at least one column')
  }
  if (definition.columns.length > TABLE_COLUMNS_MAX) throw invalid(`at most ${TABLE_COLUMNS_MAX} columns`)
  if (!Array.isArray(definition.primaryKey) || definition.primaryKey.length === 0) {
    throw invalid('`primaryKey` must name at least one column; it identifies rows on every replica')
  }

  const columns: ColumnMessage[] = []
  const byName = new Map<string, ColumnMessage>()
  for (const column of definition.columns as readonly ColumnDefinition[]) {
    const message = columnMessageOf(column, COLUMN_ID_FIRST + columns.length, invalid)
    if (byName.has(message.name)) throw invalid(`column ${JSON.stringify(message.name)} is defined twice`)
    byName.set(message.name, message)
    columns.push(message)
  }
  if (columns.filter((column) => column.autoIncrement).length > 1)
    throw invalid('only one column can be AUTO_INCREMENT')

  const primaryKey = keyPartsOf(definition.primaryKey, 'the primary key', byName, invalid)
  const keyIds = new Set(primaryKey.map((part) => part.columnId))
  const indexes = indexMessagesOf(definition.indexes ?? [], byName, invalid)

  const message: TableMessage = {
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
  }
  const bytes = encodeTableMessage(message).length
  if (bytes > DEFINITION_BYTES_MAX) {
    throw invalid(`the definition takes ${bytes} bytes, more than ${DEFINITION_BYTES_MAX}; use fewer or shorter names`)
  }
  return message
}

type Invalid = (message: string) => ReplogError

function columnMessageOf(column: ColumnDefinition, id: number, invalid: Invalid): ColumnMessage {
  requireObject(column, 'a column definition')
  const name = checkName('column', column.name)
  const at = `column ${JSON.stringify(name)}`
  if (typeof column.type !== 'string') throw invalid(`${at}: \`type\` must be SQL type text such as "BIGINT"`)
  const type = parseColumnType(column.type)
  const autoIncrement = column.autoIncrement === true
  if (autoIncrement && type.kind !== 'INTEGER' && type.kind !== 'BIGINT') {
    throw invalid(`${at}: AUTO_INCREMENT needs INTEGER or BIGINT`)
  }
  const columnDefault = defaultOf(column.default, type, at, invalid)
  if (autoIncrement && columnDefault !== undefined)
    throw invalid(`${at}: AUTO_INCREMENT and a default exclude each other`)
  return {
    id,
    name,
    type,
    notNull: column.notNull === true || autoIncrement,
    default: columnDefault,
    autoIncrement,
    addedInVersion: 1,
    missingValue: undefined,
    comment: checkComment(column.comment, invalid),
  }
}

function defaultOf(
  value: ColumnDefinition['default'],
  type: ColumnType,
  at: string,
  invalid: Invalid,
): ColumnDefault | undefined {
  if (value === undefined || value === null) return undefined
  if (type.kind !== 'JSON' && isFunctionDefault(value)) {
    const name = value.function.toUpperCase()
    if (name === 'NOW' && (type.kind === 'TIMESTAMP' || type.kind === 'DATE' || type.kind === 'TIME')) {
      return { function: 'NOW' }
    }
    if (name === 'UUID' && type.kind === 'UUID') return { function: 'UUID' }
    throw invalid(`${at}: the default function ${value.function} does not give a ${type.kind}`)
  }
  const codec = valueCodec(type)
  try {
    return { literal: JSON.stringify(codec.toJson(codec.accept(value))) }
  } catch (error) {
    if (isReplogError(error, 'INVALID_VALUE')) throw invalid(`${at}: the default does not fit: ${error.message}`)
    throw error
  }
}

function isFunctionDefault(value: unknown): value is { function: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).length === 1 &&
    typeof (value as { function?: unknown }).function === 'string'
  )
}

function indexMessagesOf(
  definitions: readonly IndexDefinition[],
  byName: ReadonlyMap<string, ColumnMessage>,
  invalid: Invalid,
): IndexMessage[] {
  if (!Array.isArray(definitions)) throw invalid('`indexes` must be a list')
  if (definitions.length > TABLE_INDEXES_MAX) throw invalid(`at most ${TABLE_INDEXES_MAX} indexes`)
  const names = new Set<string>()
  return (definitions as readonly IndexDefinition[]).map((definition, ordinal) => {
    requireObject(definition, 'an index definition')
    const name = checkName('index', definition.name)
    if (names.has(name)) throw invalid(`index ${JSON.stringify(name)} is defined twice`)
    names.add(name)
    return {
      id: 1 + ordinal,
      name,
      unique: definition.unique === true,
      parts: keyPartsOf(definition.columns, `index ${JSON.stringify(name)}`, byName, invalid),
    }
  })
}

function keyPartsOf(
  parts: readonly KeyPartDefinition[],
  what: string,
  byName: ReadonlyMap<string, ColumnMessage>,
  invalid: Invalid,
): KeyPartMessage[] {
  if (!Array.isArray(parts) || parts.length === 0) throw invalid(`${what} must name at least one column`)
  if (parts.length > KEY_COLUMNS_MAX) throw invalid(`${what} has more than ${KEY_COLUMNS_MAX} columns`)
  const seen = new Set<number>()
  return (parts as readonly KeyPartDefinition[]).map((part) => {
    const columnName = typeof part === 'string' ? part : part.column
    const column = byName.get(columnName)
    if (column === undefined) throw invalid(`${what} names the unknown column ${JSON.stringify(columnName)}`)
    if (seen.has(column.id)) throw invalid(`${what} names column ${JSON.stringify(columnName)} twice`)
    seen.add(column.id)
    if (valueCodec(column.type).key === undefined) {
      throw invalid(`${what}: a ${column.type.kind} column cannot be part of a key`)
    }
    return { columnId: column.id, descending: typeof part === 'object' && part.descending === true }
  })
}

function checkComment(comment: unknown, invalid: Invalid): string {
  if (comment === undefined || comment === null) return ''
  if (typeof comment !== 'string' || !comment.isWellFormed() || comment.length > 1024) {
    throw invalid('a comment is a string of at most 1024 characters')
  }
  return comment
}

/** @throws ReplogError INVALID_DEFINITION when it is not even an object */
export function requireDefinition(definition: unknown): void {
  requireObject(definition, 'a table definition')
}

function requireObject(value: unknown, what: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ReplogError('INVALID_DEFINITION', `${what} must be an object`)
  }
}

/** The definition that makes a table like this message; `tableMessageOf` is its inverse. */
export function definitionOf(
  message: TableMessage,
  schema: string,
  typeText: (type: ColumnType) => string,
): TableDefinition {
  const nameOf = new Map(message.columns.map((column) => [column.id, column.name]))
  const part = (key: KeyPartMessage): KeyPartDefinition => {
    const column = nameOf.get(key.columnId) ?? ''
    return key.descending ? { column, descending: true } : column
  }
  return {
    schema,
    name: message.name,
    columns: message.columns.map((column) => ({
      name: column.name,
      type: typeText(column.type),
      ...(column.notNull ? { notNull: true } : {}),
      ...(column.default === undefined ? {} : { default: defaultDefinitionOf(column.default) }),
      ...(column.autoIncrement ? { autoIncrement: true } : {}),
      ...(column.comment === '' ? {} : { comment: column.comment }),
    })),
    primaryKey: message.primaryKey.map(part),
    indexes: message.indexes.map((index) => ({
      name: index.name,
      columns: index.parts.map(part),
      ...(index.unique ? { unique: true } : {}),
    })),
    ...(message.comment === '' ? {} : { comment: message.comment }),
  }
}

function defaultDefinitionOf(value: ColumnDefault): NonNullable<ColumnDefinition['default']> {
  if ('literal' in value) return JSON.parse(value.literal) as NonNullable<JsonValue>
  return { function: value.function === 'NOW' ? 'now' : 'uuid' }
}

/**
 * One column as a user writes it, and its way into a column message and back.
 *
 * Checked here: the name, the type and its parameters, a default that fits the type, AUTO_INCREMENT on an integer.
 */
import { isReplogError } from '../core/errors.js'
import type { ColumnType, JsonValue, Value } from '../log/codec/column-type.js'
import type { ColumnDefault, ColumnMessage } from '../log/codec/message.js'
import { formatColumnType, parseColumnType } from '../log/codec/types/sql-text.js'
import { valueCodec } from '../log/codec/type-codecs.js'
import { checkName } from './identifiers.js'
import { type Invalid, requireObject } from './invalid-definition.js'
import { checkComment } from './options.js'

/** A column of a table. */
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

/** Field numbers that protobuf keeps for itself, so that no `.proto` may have them. */
const PROTOBUF_IDS_FIRST = 19_000
const PROTOBUF_IDS_LAST = 19_999

/** The id itself where a column may have it, else the next one that it may have. */
export function nextFreeColumnId(id: number): number {
  return id >= PROTOBUF_IDS_FIRST && id <= PROTOBUF_IDS_LAST ? PROTOBUF_IDS_LAST + 1 : id
}

/** @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT (the name) */
export function columnMessageOf(
  definition: ColumnDefinition,
  id: number,
  addedInVersion: number,
  invalid: Invalid,
): ColumnMessage {
  requireObject(definition, 'a column definition', invalid)
  const name = checkName('column', definition.name)
  const at = `column ${JSON.stringify(name)}`
  if (typeof definition.type !== 'string') throw invalid(`${at}: \`type\` must be SQL type text such as "BIGINT"`)
  const type = parseColumnType(definition.type)
  const autoIncrement = definition.autoIncrement === true
  if (autoIncrement && type.kind !== 'INTEGER' && type.kind !== 'BIGINT') {
    throw invalid(`${at}: AUTO_INCREMENT needs INTEGER or BIGINT`)
  }
  const columnDefault = columnDefaultOf(definition.default, type, at, invalid)
  if (autoIncrement && columnDefault !== undefined) {
    throw invalid(`${at}: AUTO_INCREMENT and a default exclude each other`)
  }
  return {
    id,
    name,
    type,
    notNull: definition.notNull === true || autoIncrement,
    default: columnDefault,
    autoIncrement,
    addedInVersion,
    missingValue: undefined,
    comment: checkComment(definition.comment, (message) => invalid(`${at}: ${message}`)),
  }
}

/** @throws ReplogError INVALID_DEFINITION */
export function requireOneAutoIncrement(columns: readonly ColumnMessage[], invalid: Invalid): void {
  if (columns.filter((column) => column.autoIncrement).length > 1) {
    throw invalid('only one column can be AUTO_INCREMENT')
  }
}

/**
 * @param at names the column in an error: `column "price"`
 * @throws ReplogError INVALID_DEFINITION
 */
export function columnDefaultOf(
  value: unknown,
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

export function byName(columns: readonly ColumnMessage[]): Map<string, ColumnMessage> {
  return new Map(columns.map((column) => [column.name, column]))
}

/** The inverse of `columnMessageOf`. */
export function definitionOfColumn(column: ColumnMessage): ColumnDefinition {
  return {
    name: column.name,
    type: formatColumnType(column.type),
    ...(column.notNull ? { notNull: true } : {}),
    ...(column.default === undefined ? {} : { default: definitionOfDefault(column.default) }),
    ...(column.autoIncrement ? { autoIncrement: true } : {}),
    ...(column.comment === '' ? {} : { comment: column.comment }),
  }
}

function definitionOfDefault(value: ColumnDefault): NonNullable<ColumnDefinition['default']> {
  if ('literal' in value) return JSON.parse(value.literal) as NonNullable<JsonValue>
  return { function: value.function === 'NOW' ? 'now' : 'uuid' }
}

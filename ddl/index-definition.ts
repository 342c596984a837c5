/**
 * Keys and indexes as a user writes them, and their way into table messages and back.
 *
 * Checked here: the name, columns that exist, are named once and have an order.
 */
import { KEY_COLUMNS_MAX, TABLE_INDEXES_MAX } from '../core/limits.js'
import type { ColumnMessage, IndexMessage, KeyPartMessage } from '../log/codec/message.js'
import { valueCodec } from '../log/codec/type-codecs.js'
import { checkName } from './identifiers.js'
import { type Invalid, requireObject } from './invalid-definition.js'
import { nearest } from './nearest.js'

/** A column name, or a column with its direction. */
export type KeyPartDefinition = string | { readonly column: string; readonly descending?: boolean }

/** An index: rows can be scanned in its order. A unique one lets no two rows have equal values, but NULLs. */
export interface IndexDefinition {
  readonly name: string
  readonly columns: readonly KeyPartDefinition[]
  readonly unique?: boolean
}

/**
 * @param what names the key in an error: `the primary key`
 * @throws ReplogError INVALID_DEFINITION
 */
export function keyPartsOf(
  parts: readonly KeyPartDefinition[],
  what: string,
  columns: ReadonlyMap<string, ColumnMessage>,
  invalid: Invalid,
): KeyPartMessage[] {
  if (!Array.isArray(parts) || parts.length === 0) throw invalid(`${what} must name at least one column`)
  if (parts.length > KEY_COLUMNS_MAX) throw invalid(`${what} has more than ${KEY_COLUMNS_MAX} columns`)
  const seen = new Set<number>()
  // Not `map`, which passes over holes.
  return Array.from(parts as readonly KeyPartDefinition[], (part) => {
    const name: unknown = typeof part === 'string' ? part : (part as { column?: unknown } | null)?.column
    if (typeof name !== 'string') {
      throw invalid(`${what}: a column is its name or { "column": name, "descending": true }`)
    }
    const column = columns.get(name)
    if (column === undefined) {
      throw invalid(`${what} names the unknown column ${JSON.stringify(name)}${nearest(name, columns.keys())}`)
    }
    if (seen.has(column.id)) throw invalid(`${what} names column ${JSON.stringify(name)} twice`)
    seen.add(column.id)
    if (valueCodec(column.type).key === undefined) {
      throw invalid(`${what}: a ${column.type.kind} column cannot be part of a key`)
    }
    return { columnId: column.id, descending: typeof part === 'object' && part.descending === true }
  })
}

/** @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT (the name) */
export function indexMessageOf(
  definition: IndexDefinition,
  id: number,
  columns: ReadonlyMap<string, ColumnMessage>,
  invalid: Invalid,
): IndexMessage {
  requireObject(definition, 'an index definition', invalid)
  const name = checkName('index', definition.name)
  return {
    id,
    name,
    unique: definition.unique === true,
    parts: keyPartsOf(definition.columns, `index ${JSON.stringify(name)}`, columns, invalid),
    building: false,
    validating: false,
  }
}

/** @throws ReplogError INVALID_DEFINITION when one more index of that name cannot stand beside `indexes` */
export function requireIndexFits(name: string, indexes: readonly IndexMessage[], invalid: Invalid): void {
  if (indexes.some((index) => index.name === name)) throw invalid(`index ${JSON.stringify(name)} is defined twice`)
  if (indexes.length >= TABLE_INDEXES_MAX) throw invalid(`at most ${TABLE_INDEXES_MAX} indexes`)
}

/** The inverse of `keyPartsOf`. */
export function definitionOfKey(
  parts: readonly KeyPartMessage[],
  columns: readonly ColumnMessage[],
): KeyPartDefinition[] {
  const nameOf = new Map(columns.map((column) => [column.id, column.name]))
  return parts.map(({ columnId, descending }) => {
    const column = nameOf.get(columnId) ?? ''
    return descending ? { column, descending: true } : column
  })
}

/** The inverse of `indexMessageOf`. */
export function definitionOfIndex(index: IndexMessage, columns: readonly ColumnMessage[]): IndexDefinition {
  return {
    name: index.name,
    columns: definitionOfKey(index.parts, columns),
    ...(index.unique ? { unique: true } : {}),
  }
}

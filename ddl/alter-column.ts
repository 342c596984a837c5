/**
 * The changes of ALTER TABLE to columns, but for their types. None of them rewrites a row, except for a new column whose
 * value is another one in each row.
 *
 * Invariants: a column's missing value never changes once rows can read it; a primary key or AUTO_INCREMENT column is
 * NOT NULL; what a key, check or foreign key names exists.
 */
import { ReplogError } from '../core/errors.js'
import { TABLE_COLUMNS_MAX } from '../core/limits.js'
import type { ColumnType } from '../log/codec/column-type.js'
import type { ColumnDefault, ColumnMessage } from '../log/codec/message.js'
import { timestampOf } from '../log/codec/types/timestamp.js'
import type { ChangeBody } from './alter-change.js'
import { type AlteredTable, foreignKeyText, requireNewName } from './altered-table.js'
import { columnDefaultOf, columnMessageOf, requireOneAutoIncrement } from './column-definition.js'
import { checkName } from './identifiers.js'
import { invalidDefinition } from './invalid-definition.js'
import { checkComment } from './options.js'

/** @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT, ALREADY_EXISTS, NOT_FOUND */
export function addColumn(table: AlteredTable, body: ChangeBody<'addColumn'>): void {
  const { first, after, ...definition } = body
  const { columns, version } = table.message
  requireNewName('column', definition.name, columns)
  if (columns.length >= TABLE_COLUMNS_MAX) {
    throw invalidDefinition(`the table has ${TABLE_COLUMNS_MAX} columns, which is the most; drop one first`)
  }
  const made = columnMessageOf(definition, table.newColumnId(), version, invalidDefinition)
  requireOneAutoIncrement([...columns, made], invalidDefinition)
  const missing = missingValueOf(made.default, made.type, table.context.nowUs)
  const column = missing === undefined ? made : { ...made, missingValue: missing }
  const isUuid = column.default !== undefined && missing === undefined
  if (!table.isEmpty) requireValues(column, isUuid)
  table.appendColumn(column, isUuid ? { kind: 'uuid', conversions: [] } : { kind: 'constant' })
  place(table, column, first, after)
}

/** What the rows that are there read, as JSON text; undefined for NULL and for a default that is made for each row. */
function missingValueOf(value: ColumnDefault | undefined, type: ColumnType, nowUs: bigint): string | undefined {
  if (value === undefined) return undefined
  if ('literal' in value) return value.literal
  if (value.function === 'UUID') return undefined
  const instant = timestampOf(nowUs)
  if (type.kind === 'DATE') return JSON.stringify(instant.slice(0, 10))
  return JSON.stringify(type.kind === 'TIME' ? instant.slice(11, -1) : instant)
}

function requireValues(column: ColumnMessage, isUuid: boolean): void {
  const at = `column ${JSON.stringify(column.name)}`
  if (column.autoIncrement) {
    throw invalidDefinition(
      `${at}: the table has rows, and an AUTO_INCREMENT column would have to number them; ` +
        'add it without AUTO_INCREMENT, or make a new table with it and copy the rows into it',
    )
  }
  if (column.notNull && column.missingValue === undefined && !isUuid) {
    throw invalidDefinition(`${at} is NOT NULL and the table has rows; give it a default, or fill it before setNotNull`)
  }
}

/** @throws ReplogError NOT_FOUND, DEPENDENT_OBJECTS, INVALID_DEFINITION */
export function dropColumn(table: AlteredTable, { name }: ChangeBody<'dropColumn'>): void {
  const column = table.column(name)
  const dependents = table.dependentsOf(column.id)
  if (dependents.length > 0) {
    throw new ReplogError(
      'DEPENDENT_OBJECTS',
      `column ${JSON.stringify(name)} is part of ${dependents.join(', ')}; ` +
        (dependents[0] === 'the primary key' ? 'give the table another primary key or keep it' : 'drop that first'),
      { details: { column: name } },
    )
  }
  const columns = table.message.columns.filter(({ id }) => id !== column.id)
  if (columns.length === 0) throw invalidDefinition('a table has at least one column; drop the table instead')
  table.message = { ...table.message, columns }
}

/** @throws ReplogError NOT_FOUND, ALREADY_EXISTS, INVALID_ARGUMENT */
export function renameColumn(table: AlteredTable, { name, to }: ChangeBody<'renameColumn'>): void {
  const column = table.column(name)
  if (name === to) return
  requireNewName('column', checkName('column', to), table.message.columns)
  table.replaceColumn(column.id, { ...column, name: to })
}

/** @throws ReplogError NOT_FOUND, INVALID_DEFINITION */
export function moveColumn(table: AlteredTable, { name, first, after }: ChangeBody<'moveColumn'>): void {
  place(table, table.column(name), first, after)
}

/** Puts a column first, or behind another, or at the end. */
function place(
  table: AlteredTable,
  column: ColumnMessage,
  first: boolean | undefined,
  after: string | undefined,
): void {
  const others = table.message.columns.filter(({ id }) => id !== column.id)
  let ordinal = others.length
  if (first === true) {
    if (after !== undefined) throw invalidDefinition('`first` and `after` exclude each other; give one of them')
    ordinal = 0
  } else if (after !== undefined) {
    const before = table.column(after)
    if (before.id === column.id) throw invalidDefinition('a column cannot stand behind itself; name another one')
    ordinal = others.indexOf(before) + 1
  }
  table.message = { ...table.message, columns: others.toSpliced(ordinal, 0, column) }
}

/** For rows that are inserted from now on. @throws ReplogError NOT_FOUND, INVALID_DEFINITION */
export function setDefault(table: AlteredTable, body: ChangeBody<'setDefault'>): void {
  const column = table.column(body.column)
  const at = `column ${JSON.stringify(column.name)}`
  const value = columnDefaultOf(body.default, column.type, at, invalidDefinition)
  if (column.autoIncrement && value !== undefined) {
    throw invalidDefinition(`${at}: AUTO_INCREMENT and a default exclude each other`)
  }
  table.replaceColumn(column.id, { ...column, default: value })
}

/** @throws ReplogError NOT_FOUND */
export function dropDefault(table: AlteredTable, body: ChangeBody<'dropDefault'>): void {
  const column = table.column(body.column)
  table.replaceColumn(column.id, { ...column, default: undefined })
}

/** @throws ReplogError NOT_FOUND, DEPENDENT_OBJECTS */
export function setNotNull(table: AlteredTable, body: ChangeBody<'setNotNull'>): void {
  makeNotNull(table, table.column(body.column))
}

/** @throws ReplogError DEPENDENT_OBJECTS when a foreign key would set the column to NULL */
export function makeNotNull(table: AlteredTable, column: ColumnMessage): void {
  if (column.notNull) return
  const setter = table.message.foreignKeys.find(
    ({ columnIds, onDelete, onUpdate }) =>
      columnIds.includes(column.id) && (onDelete === 'SET_NULL' || onUpdate === 'SET_NULL'),
  )
  if (setter !== undefined) {
    throw new ReplogError(
      'DEPENDENT_OBJECTS',
      `column ${JSON.stringify(column.name)} is set to NULL by ${foreignKeyText({ foreignKey: setter })}; drop that first`,
      { details: { column: column.name, foreignKey: setter.name } },
    )
  }
  table.replaceColumn(column.id, { ...column, notNull: true })
}

/** @throws ReplogError NOT_FOUND, DEPENDENT_OBJECTS, INVALID_DEFINITION */
export function dropNotNull(table: AlteredTable, body: ChangeBody<'dropNotNull'>): void {
  const column = table.column(body.column)
  const at = `column ${JSON.stringify(column.name)}`
  if (table.message.primaryKey.some(({ columnId }) => columnId === column.id)) {
    throw new ReplogError(
      'DEPENDENT_OBJECTS',
      `${at} is part of the primary key, whose columns are NOT NULL; give the table another primary key first`,
      { details: { column: column.name } },
    )
  }
  if (column.autoIncrement) throw invalidDefinition(`${at} is AUTO_INCREMENT, and such a column is NOT NULL`)
  table.replaceColumn(column.id, { ...column, notNull: false })
}

/** @throws ReplogError NOT_FOUND, INVALID_DEFINITION */
export function setColumnComment(table: AlteredTable, body: ChangeBody<'setColumnComment'>): void {
  const column = table.column(body.column)
  table.replaceColumn(column.id, { ...column, comment: checkComment(body.comment, invalidDefinition) })
}

/** Parts of definitions in the model: columns, keys, indexes, foreign keys and checks as users write them. */
import type { CheckDefinition, ForeignKeyDefinition } from '../../ddl/table-definition.js'
import type {
  ColumnDefinition,
  IndexDefinition,
  KeyPartDefinition,
  TableDefinition,
} from '../../ddl/table-definition.js'
import {
  type Check,
  type Column,
  type ForeignKey,
  type Index,
  type KeyPart,
  type Schema,
  type State,
  type Table,
  columnById,
  columnsOf,
  newId,
  refuse,
  splitName,
  tableOf,
} from './catalog.js'
import { type Expression, expressionOf } from './expressions.js'
import type { Doubts } from './doubts.js'
import { type Type, type Value, accept, isReferable, parseType } from './types.js'
import { EACH_ANOTHER } from './unknown-values.js'

const NAME = /^[a-z][a-z0-9_]*$/

/** Names in this test are lower-case words; what is not must be refused. */
export function requireName(name: string): void {
  if (!NAME.test(name)) refuse('INVALID_ARGUMENT')
}

export function makeColumn(definition: ColumnDefinition): Column {
  requireName(definition.name)
  const type = parseType(definition.type) ?? refuse('INVALID_DEFINITION')
  const autoIncrement = definition.autoIncrement === true
  if (autoIncrement && type.kind !== 'INTEGER' && type.kind !== 'BIGINT') refuse('INVALID_DEFINITION')
  const given = definition.default === undefined ? undefined : acceptDefault(definition.default, type)
  if (definition.default !== undefined && given === undefined) refuse('INVALID_DEFINITION')
  if (autoIncrement && given != null) refuse('INVALID_DEFINITION')
  return {
    id: newId(),
    name: definition.name,
    type,
    notNull: definition.notNull === true || autoIncrement,
    default: given ?? undefined,
    autoIncrement,
    comment: definition.comment ?? '',
  }
}

/** A value, or that each row gets another one. */
export function acceptDefault(given: unknown, type: Type): Value | undefined {
  const isFunction = typeof given === 'object' && given !== null && 'function' in given
  if (isFunction) return type.kind === 'UUID' && given.function === 'uuid' ? EACH_ANOTHER : undefined
  return accept(given, type)
}

export function makeKey(parts: readonly KeyPartDefinition[], columns: readonly Column[]): readonly KeyPart[] {
  if (parts.length === 0) refuse('INVALID_DEFINITION')
  const made = parts.map((part) => {
    const name = typeof part === 'string' ? part : part.column
    const column = columns.find((one) => one.name === name) ?? refuse('INVALID_DEFINITION')
    if (column.type.kind === 'JSON') refuse('INVALID_DEFINITION')
    return { column: column.id, descending: typeof part !== 'string' && part.descending === true }
  })
  if (new Set(columnsOf(made)).size < made.length) refuse('INVALID_DEFINITION')
  return made
}

export function makeIndex(definition: IndexDefinition, columns: readonly Column[]): Index {
  requireName(definition.name)
  const parts = makeKey(definition.columns, columns)
  return {
    id: newId(),
    name: definition.name,
    unique: definition.unique === true,
    parts,
    maybeBuilding: false,
    metDuplicates: false,
  }
}

/** Whether a key has exactly these columns, in whatever order. */
export function isOver(parts: readonly KeyPart[], columns: readonly number[]): boolean {
  return parts.length === columns.length && parts.every(({ column }) => columns.includes(column))
}

export function beginsWith(parts: readonly KeyPart[], columns: readonly number[]): boolean {
  return columns.every((column, place) => parts[place]?.column === column)
}

/** The first key of a table by which a foreign key can refer to these columns. */
export function targetKey(table: Table, columns: readonly number[]): readonly KeyPart[] | undefined {
  if (isOver(table.primaryKey, columns)) return table.primaryKey
  return table.indexes.find(({ unique, parts }) => unique && isOver(parts, columns))?.parts
}

/** The table with one more foreign key, and with an index for it where it has none. `target`: the table itself, perhaps. */
export function withForeignKey(state: State, table: Table, definition: ForeignKeyDefinition, doubts: Doubts): Table {
  const { schema, name: targetName } = splitName(definition.references.table)
  const isOwn = targetName === table.name && state.schemas.get(table.schema)!.name === schema
  const target = isOwn ? table : tableOf(state, definition.references.table)
  if (definition.name !== undefined) requireName(definition.name)
  const taken = [...table.foreignKeys, ...table.checks].map((one) => one.name)
  const given = idsOf(definition.columns, table)
  const name = definition.name ?? freeName([table.name, ...definition.columns].join('_'), '_fkey', taken)
  if (taken.includes(name)) refuse('INVALID_DEFINITION')
  const named = definition.references.columns
  const givenTargets = named === undefined ? columnsOf(target.primaryKey) : idsOf(named, target)
  if (given.length !== givenTargets.length) refuse('INVALID_DEFINITION')
  const key = targetKey(target, givenTargets) ?? refuse('INVALID_DEFINITION')
  // In the order of the target's key, so that a target is found by one look.
  const targetColumns = columnsOf(key)
  const columns = targetColumns.map((id) => given[givenTargets.indexOf(id)]!)
  for (const [ordinal, id] of columns.entries()) {
    const other = columnById(target, targetColumns[ordinal]!)
    if (!isReferable(columnById(table, id).type, other.type)) refuse('INVALID_DEFINITION')
  }
  // A unique index that is being built cannot be referred to.
  const ready = { ...target, indexes: target.indexes.filter(({ maybeBuilding }) => !maybeBuilding) }
  if (targetKey(ready, targetColumns) === undefined) doubts.add('INVALID_DEFINITION').add('INDEX_BUILDING')
  const { onDelete = 'restrict', onUpdate = 'restrict' } = definition
  const setsNull = onDelete === 'set null' || onUpdate === 'set null'
  if (setsNull && columns.some((id) => columnById(table, id).notNull)) refuse('INVALID_DEFINITION')
  const foreignKey = { id: newId(), name, columns, target: target.id, targetColumns, onDelete, onUpdate }
  const next = {
    ...table,
    foreignKeys: [...table.foreignKeys, foreignKey],
    referencedBy: isOwn ? [...table.referencedBy, { table: table.id, foreignKey: foreignKey.id }] : table.referencedBy,
    nextConstraint: table.nextConstraint + 1,
  }
  return withLeadingIndex(next, foreignKey)
}

function withLeadingIndex(table: Table, { name, columns }: ForeignKey): Table {
  if (beginsWith(table.primaryKey, columns) || table.indexes.some(({ parts }) => beginsWith(parts, columns)))
    return table
  const index: Index = {
    id: newId(),
    name: freeName(
      name,
      '',
      table.indexes.map((one) => one.name),
    ),
    unique: false,
    parts: columns.map((column) => ({ column, descending: false })),
    maybeBuilding: false,
    metDuplicates: false,
  }
  return { ...table, indexes: [...table.indexes, index] }
}

export function withCheck(table: Table, definition: CheckDefinition): Table {
  if (definition.name !== undefined) requireName(definition.name)
  const taken = [...table.foreignKeys, ...table.checks].map((one) => one.name)
  const name = definition.name ?? freeName(table.name, `_check_${table.nextConstraint}`, taken)
  if (taken.includes(name)) refuse('INVALID_DEFINITION')
  const expression: Expression = expressionOf(definition.expression, table.columns) ?? refuse('INVALID_DEFINITION')
  const check: Check = { id: newId(), name, expression }
  return { ...table, checks: [...table.checks, check], nextConstraint: table.nextConstraint + 1 }
}

function freeName(stem: string, suffix: string, taken: readonly string[]): string {
  for (let attempt = 1; ; attempt++) {
    const name = `${stem}${suffix}${attempt === 1 ? '' : `_${attempt}`}`
    if (!taken.includes(name)) return name
  }
}

function idsOf(names: readonly string[], { columns }: Table): readonly number[] {
  const ids = names.map((name) => columns.find((one) => one.name === name)?.id ?? refuse('INVALID_DEFINITION'))
  if (ids.length === 0 || new Set(ids).size < ids.length) refuse('INVALID_DEFINITION')
  return ids
}

/** A new table; those that its foreign keys refer to are not told of it. */
export function makeTable(state: State, schema: Schema, definition: TableDefinition, doubts: Doubts): Table {
  if (definition.columns.length === 0 || definition.primaryKey.length === 0) refuse('INVALID_DEFINITION')
  const columns = definition.columns.map(makeColumn)
  if (new Set(columns.map(({ name }) => name)).size < columns.length) refuse('INVALID_DEFINITION')
  if (columns.filter(({ autoIncrement }) => autoIncrement).length > 1) refuse('INVALID_DEFINITION')
  const primaryKey = makeKey(definition.primaryKey, columns)
  const keyColumns = columnsOf(primaryKey)
  const indexes = (definition.indexes ?? []).map((index) => makeIndex(index, columns))
  if (new Set(indexes.map(({ name }) => name)).size < indexes.length) refuse('INVALID_DEFINITION')
  let table: Table = {
    id: newId(),
    schema: schema.id,
    name: definition.name,
    columns: columns.map((column) => (keyColumns.includes(column.id) ? { ...column, notNull: true } : column)),
    primaryKey,
    indexes,
    foreignKeys: [],
    checks: [],
    referencedBy: [],
    comment: definition.comment ?? '',
    options: definition.options ?? {},
    rowImage: definition.rowImage ?? 'full',
    rows: new Map(),
    mark: 0n,
    nextConstraint: 1,
  }
  for (const foreignKey of definition.foreignKeys ?? []) table = withForeignKey(state, table, foreignKey, doubts)
  for (const check of definition.checks ?? []) table = withCheck(table, check)
  return table
}

/** The state in which the targets of foreign keys of a table know of them. */
export function withReferences(state: State, table: Table, foreignKeys: readonly ForeignKey[]): State {
  const tables = new Map(state.tables)
  for (const { id, target } of foreignKeys) {
    if (target === table.id) continue
    const other = tables.get(target)!
    tables.set(target, { ...other, referencedBy: [...other.referencedBy, { table: table.id, foreignKey: id }] })
  }
  return { ...state, tables }
}

/** The state in which the targets of foreign keys do not know of them any more. */
export function withoutReferences(state: State, foreignKeys: readonly ForeignKey[]): State {
  const tables = new Map(state.tables)
  const gone = new Set(foreignKeys.map(({ id }) => id))
  for (const { target } of foreignKeys) {
    const other = tables.get(target)
    if (other === undefined) continue
    tables.set(target, { ...other, referencedBy: other.referencedBy.filter(({ foreignKey }) => !gone.has(foreignKey)) })
  }
  return { ...state, tables }
}

/** Statements on whole tables and schemas in the model, but for ALTER TABLE. */
import type {
  AlterSchemaInput,
  CreateSchemaInput,
  CreateTableAsInput,
  CreateTableInput,
  DropSchemaInput,
  DropTableInput,
  RenameTablesInput,
  ScanInput,
  TruncateTableInput,
} from '../../primary/statement.js'
import {
  type Row,
  type State,
  type Table,
  columnById,
  columnNamed,
  columnsOf,
  findSchema,
  findTable,
  hasNull,
  keyOf,
  newId,
  refuse,
  schemaOf,
  sortedRows,
  splitName,
  tableOf,
  withSchema,
  withTable,
  without,
} from './catalog.js'
import { makeTable, requireName, withReferences, withoutReferences } from './definitions.js'
import { expressionOf, evaluate } from './expressions.js'
import type { Doubts } from './doubts.js'
import { type Success, answers, putRow } from './rows.js'
import { literalOf, typeText } from './types.js'

export function createTable(
  state: State,
  { table: definition, ifNotExists }: CreateTableInput,
  doubts: Doubts,
): Success {
  const { schema: schemaName = 'test', name } = definition
  requireName(name)
  const schema = schemaOf(state, schemaName)
  if (findTable(state, `${schemaName}.${name}`) !== undefined) {
    if (ifNotExists !== true) refuse('ALREADY_EXISTS')
    return answers(state, { created: false })
  }
  const table = makeTable(state, schema, definition, doubts)
  const next = withReferences(withTable(state, table), table, table.foreignKeys)
  return answers(next, { created: true })
}

export function createTableAs(state: State, input: CreateTableAsInput, doubts: Doubts): Success {
  const source = tableOf(state, input.from.table)
  const projection = (input.columns ?? source.columns.map((column) => column.name)).map((one) => {
    const [name, as] = typeof one === 'string' ? [one, one] : [one.column, one.as]
    return { column: columnNamed(source, name), as }
  })
  const primaryKey =
    input.primaryKey ??
    source.primaryKey.map(({ column, descending }) => {
      const projected = projection.find((one) => one.column.id === column) ?? refuse('INVALID_DEFINITION')
      return { column: projected.as, descending }
    })
  const { schema: schemaName, name } = splitName(input.table)
  requireName(name)
  const schema = schemaOf(state, schemaName)
  if (findTable(state, input.table) !== undefined) {
    if (input.ifNotExists !== true) refuse('ALREADY_EXISTS')
    return answers(state, { created: false, inserted: 0 })
  }
  const columns = projection.map(({ column, as }) => {
    const { type, notNull, comment, default: given } = column
    return {
      name: as,
      type: typeText(type),
      notNull,
      comment,
      ...(given === undefined ? {} : { default: literalOf(given) as never }),
    }
  })
  let table = makeTable(state, schema, { schema: schemaName, name, columns, primaryKey }, doubts)
  const condition = input.where && (expressionOf(input.where, source.columns) ?? refuse('INVALID_DEFINITION'))
  let inserted = 0
  for (const row of scan(state, input.from, doubts)) {
    const read = (id: number) => ({ value: row[id]!, type: columnById(source, id).type })
    if (condition !== undefined && evaluate(condition, read) !== true) continue
    const copy: Row = Object.fromEntries(table.columns.map(({ id }, at) => [id, row[projection[at]!.column.id]!]))
    if (hasNull(copy, columnsOf(table.primaryKey))) refuse('INVALID_VALUE')
    if (table.rows.has(keyOf(table, copy))) refuse('DUPLICATE_KEY')
    table = putRow(table, copy)
    inserted++
  }
  const made = withTable(state, table)
  return answers(made, { created: true, inserted })
}

/** The rows of a scan over a whole key, in its order. */
export function scan(state: State, { table: name, index, limit, reverse }: ScanInput, doubts: Doubts): Row[] {
  const table = tableOf(state, name)
  let parts = table.primaryKey
  if (index !== undefined) {
    const found = table.indexes.find((one) => one.name === index) ?? refuse('NOT_FOUND')
    if (found.maybeBuilding) doubts.add('INDEX_BUILDING')
    ;({ parts } = found)
  }
  const rows = sortedRows(table, parts)
  if (reverse === true) rows.reverse()
  return rows.slice(0, limit)
}

export function dropTable(state: State, input: DropTableInput): Success {
  const found = findTable(state, input.table)
  if (found === undefined && input.ifExists === true) return answers(state, { dropped: false })
  const table = found ?? refuse('NOT_FOUND')
  const next = withoutTables(state, [table])
  return answers(next, { dropped: true })
}

function withoutTables(state: State, tables: readonly Table[]): State {
  const leaving = new Set(tables.map(({ id }) => id))
  for (const { referencedBy } of tables) {
    if (referencedBy.some((reference) => !leaving.has(reference.table))) refuse('DEPENDENT_OBJECTS')
  }
  let next = state
  for (const table of tables) {
    next = { ...next, tables: without(next.tables, table.id) }
    next = withoutReferences(next, table.foreignKeys)
  }
  return next
}

export function truncateTable(state: State, input: TruncateTableInput): Success {
  const table = tableOf(state, input.table)
  if (table.referencedBy.some((reference) => reference.table !== table.id)) refuse('DEPENDENT_OBJECTS')
  const indexes = table.indexes.map((index) => ({ ...index, maybeBuilding: false }))
  const next = withTable(state, { ...table, rows: new Map(), indexes })
  return answers(next, { truncated: true })
}

export function renameTables(state: State, { tables }: RenameTablesInput): Success {
  if (tables.length === 0) refuse('INVALID_ARGUMENT')
  const leaving = new Map<number, Table>()
  const coming = new Set<string>()
  const renamed: Table[] = []
  for (const { from, to } of tables) {
    const table = tableOf(state, from)
    const target = splitName(to)
    requireName(target.name)
    const schema = schemaOf(state, target.schema)
    if (leaving.has(table.id)) refuse('INVALID_ARGUMENT')
    if (coming.has(to)) refuse('ALREADY_EXISTS')
    leaving.set(table.id, table)
    coming.add(to)
    if (table.schema !== schema.id || table.name !== target.name) {
      renamed.push({ ...table, schema: schema.id, name: target.name })
    }
  }
  for (const name of coming) {
    const present = findTable(state, name)
    if (present !== undefined && !leaving.has(present.id)) refuse('ALREADY_EXISTS')
  }
  const next = renamed.reduce(withTable, state)
  return answers(next, { renamed: renamed.length })
}

export function createSchema(state: State, input: CreateSchemaInput): Success {
  requireName(input.schema)
  if (findSchema(state, input.schema) !== undefined) {
    if (input.ifNotExists !== true) refuse('ALREADY_EXISTS')
    return answers(state, { created: false })
  }
  const schema = { id: newId(), name: input.schema, comment: input.comment ?? '', options: input.options ?? {} }
  return answers(withSchema(state, schema), { created: true })
}

export function alterSchema(state: State, input: AlterSchemaInput): Success {
  const before = schemaOf(state, input.schema)
  const { name = before.name, comment = before.comment } = input
  requireName(name)
  const options = mergedOptions(before.options, input.options ?? {})
  const isSame = name === before.name && comment === before.comment && sameOptions(options, before.options)
  if (isSame) return answers(state, { altered: false })
  if (name !== before.name && findSchema(state, name) !== undefined) refuse('ALREADY_EXISTS')
  return answers(withSchema(state, { ...before, name, comment, options }), { altered: true })
}

type Options = Readonly<Record<string, string>>

export function mergedOptions(before: Options, changes: Readonly<Record<string, string | null>>): Options {
  const merged = Object.entries({ ...before, ...changes })
  return Object.fromEntries(merged.filter((entry): entry is [string, string] => entry[1] !== null))
}

export function sameOptions(one: Options, other: Options): boolean {
  const text = (options: Options): string => JSON.stringify(Object.entries(options).sort())
  return text(one) === text(other)
}

export function dropSchema(state: State, input: DropSchemaInput): Success {
  const found = findSchema(state, input.schema)
  if (found === undefined && input.ifExists === true) return answers(state, { dropped: false })
  const schema = found ?? refuse('NOT_FOUND')
  const tables = [...state.tables.values()].filter((table) => table.schema === schema.id)
  if (tables.length > 0 && input.cascade !== true) refuse('DEPENDENT_OBJECTS')
  const rest = withoutTables(state, tables)
  return answers({ ...rest, schemas: without(rest.schemas, schema.id) }, { dropped: true })
}

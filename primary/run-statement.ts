/**
 * Runs a statement by its name. Those that touch single rows or definitions alone run at once; those that look at the rows
 * of a whole table take their time; scans and locks run elsewhere.
 */
import { ReplogError } from '../core/errors.js'
import { nearest } from '../ddl/nearest.js'
import type { View } from '../log/read-view.js'
import { createTableAs } from './create-table-as.js'
import type { StatementInput, StatementResult } from './statement.js'
import type { TableChanges } from './table-changes.js'
import type { TransactionBody } from './transaction-body.js'

type Named<Name extends string> = Name extends string
  ? Extract<StatementInput, { readonly [Key in Name]: unknown }>
  : never

/** The statements of `TableChanges`. */
export type TableChangeInput = Named<(typeof TABLE_CHANGES)[number]>

export type PointStatementInput = Exclude<StatementInput, TableChangeInput | Named<'scan' | 'getForUpdate'>>

const TABLE_CHANGES = ['createTableAs', 'alterTable', 'truncateTable', 'createIndex', 'dropSchema'] as const

const NAMES = [
  'insert',
  'update',
  'delete',
  'get',
  'scan',
  'check',
  'createTable',
  'createTableAs',
  'alterTable',
  'renameTables',
  'truncateTable',
  'dropTable',
  'createIndex',
  'dropIndex',
  'createSchema',
  'alterSchema',
  'dropSchema',
] as const

const TABLE_CHANGE_NAMES: ReadonlySet<string> = new Set(TABLE_CHANGES)

export function isTableChange(statement: StatementInput): statement is TableChangeInput {
  for (const name in statement) return TABLE_CHANGE_NAMES.has(name)
  return false
}

/** Whether a one-shot transaction with the statement runs on a snapshot instead of in the lane. */
export function needsSnapshot(statement: StatementInput): boolean {
  return 'scan' in statement || isTableChange(statement)
}

export async function runTableChange(
  changes: TableChanges,
  body: TransactionBody,
  view: View,
  statement: TableChangeInput,
): Promise<StatementResult> {
  body.countStatement()
  if ('createTableAs' in statement) return createTableAs(body, view, statement.createTableAs)
  if ('alterTable' in statement) return changes.alterTable(statement.alterTable)
  if ('truncateTable' in statement) return changes.truncateTable(statement.truncateTable)
  if ('createIndex' in statement) return changes.createIndex(statement.createIndex)
  return changes.dropSchema(statement.dropSchema)
}

/** @throws ReplogError INVALID_ARGUMENT for an unknown statement, and whatever the statement throws */
export function runPointStatement(body: TransactionBody, statement: PointStatementInput): StatementResult {
  if ('insert' in statement) return body.insert(statement.insert)
  if ('update' in statement) return body.update(statement.update)
  if ('delete' in statement) return body.delete(statement.delete)
  if ('get' in statement) return { row: body.get(statement.get) ?? null }
  if ('check' in statement) {
    body.check(statement.check)
    return { checked: true }
  }
  return runDefinition(body, statement)
}

function runDefinition(body: TransactionBody, statement: PointStatementInput): StatementResult {
  const { definitions } = body
  body.countStatement()
  if ('createTable' in statement) return definitions.createTable(statement.createTable)
  if ('renameTables' in statement) return definitions.renameTables(statement.renameTables)
  if ('dropTable' in statement) return definitions.dropTable(statement.dropTable)
  if ('dropIndex' in statement) return definitions.dropIndex(statement.dropIndex)
  if ('createSchema' in statement) return definitions.createSchema(statement.createSchema)
  if ('alterSchema' in statement) return definitions.alterSchema(statement.alterSchema)
  throw new ReplogError('INVALID_ARGUMENT', `a statement is an object with one of the keys ${NAMES.join(', ')}`)
}

/**
 * Checks the outer form of a statement; what is in it is checked where it is used.
 * @throws ReplogError INVALID_ARGUMENT with `details.statement`, the ordinal
 */
export function checkStatement(statement: unknown, ordinal: number): void {
  const refuse = (message: string): ReplogError =>
    new ReplogError('INVALID_ARGUMENT', `statement ${ordinal}: ${message}`, { details: { statement: ordinal } })
  if (!isObject(statement)) throw refuse('it is an object with one key, the name of the statement')
  const names = Object.keys(statement)
  const [name] = names
  if (names.length !== 1 || name === undefined) throw refuse(`it has exactly one of the keys ${NAMES.join(', ')}`)
  if (name === 'getForUpdate') {
    throw refuse('`getForUpdate` holds a lock over several statements of a session; a one-shot transaction needs none')
  }
  if (!STATEMENT_NAMES.includes(name)) throw refuse(`${JSON.stringify(name)} is not a statement${nearest(name, NAMES)}`)
  const input = statement[name]
  if (!isObject(input)) throw refuse(`\`${name}\` is an object`)
  if (name === 'createTable' && !isObject(input['table'])) throw refuse('`createTable.table` is a table definition')
  if (name === 'insert' && !Array.isArray(input['rows'])) throw refuse('`insert.rows` is a list of rows')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The names of all statements that a one-shot transaction may hold. */
export const STATEMENT_NAMES: readonly string[] = NAMES

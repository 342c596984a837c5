/** Runs a statement that touches single rows or definitions; scans are asynchronous and run elsewhere. */
import { ReplogError } from '../core/errors.js'
import { nearest } from '../ddl/nearest.js'
import type { StatementInput, StatementResult } from './statement.js'
import type { TransactionBody } from './transaction-body.js'

export type PointStatementInput = Exclude<
  StatementInput,
  { readonly scan: unknown } | { readonly getForUpdate: unknown }
>

const NAMES = ['insert', 'update', 'delete', 'get', 'scan', 'check', 'createTable', 'dropTable'] as const

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
  if ('createTable' in statement) return body.createTable(statement.createTable)
  if ('dropTable' in statement) return body.dropTable(statement.dropTable)
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

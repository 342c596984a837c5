/**
 * Runs a statement by its name. Those that touch single rows or definitions alone run at once; those that look at the rows
 * of a whole table take their time; scans and locks run elsewhere.
 */
import { ReplogError, isReplogError } from '../core/errors.js'
import { nearest } from '../ddl/nearest.js'
import type { View } from '../log/read-view.js'
import { createTableAs } from './create-table-as.js'
import type { StatementInput, StatementResult } from './statement.js'
import { STATEMENT_NAMES, checkStatementInput, isObject, isStatementName } from './statement-form.js'
import type { TableChanges } from './table-changes.js'
import type { TransactionBody } from './transaction-body.js'

export { STATEMENT_NAMES } from './statement-form.js'

type Named<Name extends string> = Name extends string
  ? Extract<StatementInput, { readonly [Key in Name]: unknown }>
  : never

/** The statements of `TableChanges`. */
export type TableChangeInput = Named<(typeof TABLE_CHANGES)[number]>

export type PointStatementInput = Exclude<StatementInput, TableChangeInput | Named<'scan' | 'getForUpdate'>>

const TABLE_CHANGES = ['createTableAs', 'alterTable', 'truncateTable', 'createIndex', 'dropSchema'] as const

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
  return body.atomically(() => runDefinition(body, statement))
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
  throw new ReplogError(
    'INVALID_ARGUMENT',
    `a statement is an object with one of the keys ${STATEMENT_NAMES.join(', ')}`,
  )
}

/**
 * Checks the form of a statement; what is in it is checked where it is used.
 * @param ordinal of the statement in a one-shot transaction
 * @throws ReplogError INVALID_ARGUMENT, with `details.statement`, the ordinal, when there is one
 */
export function checkStatement(statement: unknown, ordinal?: number): void {
  try {
    checkForm(statement, ordinal !== undefined)
  } catch (error) {
    if (ordinal === undefined || !isReplogError(error)) throw error
    const details = { ...error.details, statement: ordinal }
    throw new ReplogError(error.code, `statement ${ordinal}: ${error.message}`, { cause: error, details })
  }
}

function checkForm(statement: unknown, isOneShot: boolean): void {
  if (!isObject(statement)) throw refuse('a statement is an object with one key, its name')
  let name: string | undefined
  // Without a list of its keys: this runs for each statement of a busy server.
  for (const key in statement) {
    if (!Object.hasOwn(statement, key)) continue
    if (name !== undefined) throw refuse(`a statement has exactly one of the keys ${STATEMENT_NAMES.join(', ')}`)
    name = key
  }
  if (name === undefined) throw refuse(`a statement has exactly one of the keys ${STATEMENT_NAMES.join(', ')}`)
  if (name === 'getForUpdate') {
    if (isOneShot)
      throw refuse(
        '`getForUpdate` holds a lock over several statements of a session; a one-shot transaction needs none',
      )
  } else if (!isStatementName(name)) {
    throw refuse(`${JSON.stringify(name)} is not a statement${nearest(name, STATEMENT_NAMES)}`)
  }
  checkStatementInput(name, statement[name])
}

function refuse(message: string): ReplogError {
  return new ReplogError('INVALID_ARGUMENT', message)
}

/** The error of a statement of a one-shot transaction, with its ordinal. */
export function withStatement(error: unknown, ordinal: number): unknown {
  if (!isReplogError(error)) return error
  return new ReplogError(error.code, error.message, {
    cause: error,
    details: { ...error.details, statement: ordinal },
  })
}

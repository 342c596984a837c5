/**
 * What any statement must do: the model of transactional DDL.
 *
 * `expect` says whether a statement must be refused, with which codes, or what it must answer and what the catalog is
 * then. Where the server is making an index meanwhile there is doubt: it may be refused or not, and what happened decides.
 */
import type { ErrorCode } from '../../core/errors.js'
import { isDeepStrictEqual } from 'node:util'
import type { StatementInput } from '../../primary/statement.js'
import { type IndexBuilding, alterTable, createIndex, dropIndex } from './alter.js'
import { Refused, type State, rowObject, tableOf } from './catalog.js'
import type { Doubts } from './doubts.js'
import { type Success, WrongAnswer, get, insert, remove, update } from './rows.js'
import { known } from './unknown-values.js'
import {
  alterSchema,
  createSchema,
  createTable,
  createTableAs,
  dropSchema,
  dropTable,
  renameTables,
  scan,
  truncateTable,
} from './tables.js'

export interface Expectation {
  /** Undefined: it must be refused. */
  readonly success: Success | undefined
  /** The codes of which one must come, or, with `success`, may come. */
  readonly codes: ReadonlySet<ErrorCode>
}

export function expect(state: State, statement: StatementInput, building: IndexBuilding): Expectation {
  const doubts: Doubts = new Set()
  try {
    const success = perform(state, statement, building, doubts)
    return { success, codes: doubts }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { success: undefined, codes: new Set([...error.codes, ...doubts]) }
  }
}

function perform(state: State, statement: StatementInput, building: IndexBuilding, doubts: Doubts): Success {
  if ('insert' in statement) return insert(state, statement.insert, doubts)
  if ('update' in statement) return update(state, statement.update, doubts)
  if ('delete' in statement) return remove(state, statement.delete, doubts)
  if ('get' in statement || 'getForUpdate' in statement) {
    const input = 'get' in statement ? statement.get : statement.getForUpdate
    const row = get(state, input)
    return reads(state, { row: row === undefined ? null : rowObject(tableOf(state, input.table), row) })
  }
  if ('scan' in statement) {
    const table = tableOf(state, statement.scan.table)
    return reads(state, { rows: scan(state, statement.scan, doubts).map((row) => rowObject(table, row)) })
  }
  if ('createTable' in statement) return createTable(state, statement.createTable, doubts)
  if ('createTableAs' in statement) return createTableAs(state, statement.createTableAs, doubts)
  if ('alterTable' in statement) return alterTable(state, statement.alterTable, building, doubts)
  if ('renameTables' in statement) return renameTables(state, statement.renameTables)
  if ('truncateTable' in statement) return truncateTable(state, statement.truncateTable)
  if ('dropTable' in statement) return dropTable(state, statement.dropTable)
  if ('createIndex' in statement) return createIndex(state, statement.createIndex, building, doubts)
  if ('dropIndex' in statement) return dropIndex(state, statement.dropIndex, doubts)
  if ('createSchema' in statement) return createSchema(state, statement.createSchema)
  if ('alterSchema' in statement) return alterSchema(state, statement.alterSchema)
  if ('dropSchema' in statement) return dropSchema(state, statement.dropSchema)
  throw new Error(`the model does not know ${Object.keys(statement).join()}`)
}

function reads(state: State, expected: object): Success {
  const settle = (result: object): State => {
    const wanted = known(expected, result) as object
    if (isDeepStrictEqual(result, wanted)) return state
    const shown = (one: object): string =>
      JSON.stringify(one, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
    throw new WrongAnswer(`read ${shown(result)}, expected ${shown(wanted)}`)
  }
  return { preview: state, settle }
}

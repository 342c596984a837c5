/**
 * What a server answered to an operation, with its type.
 *
 * It is checked here before anything relies on it, whichever form its frame had: a server that answers what the protocol
 * does not say is PROTOCOL, and its connection is given up.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { LSN_MAX, type Lsn, type Position, asLsn, parsePosition } from '../../core/position.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import type { StatementResult } from '../../primary/statement.js'
import type {
  Altered,
  Committed,
  Created,
  Dropped,
  Inserted,
  Nothing,
  OperationName,
  RawResult,
  ResultOf,
} from './operations.js'

/** Checks an answer and gives it its type. @throws ReplogError PROTOCOL */
export const READ_RESULT: { readonly [Name in OperationName]: (raw: RawResult) => ResultOf<Name> } = {
  begin: nothing,
  insert: inserted,
  update: (raw) => ({ updated: bit(raw, 'updated') }),
  delete: (raw) => ({ deleted: bit(raw, 'deleted') }),
  get: (raw) => ({ row: optionalRow(raw) }),
  getForUpdate: (raw) => ({ row: optionalRow(raw) }),
  check: checked,
  scan: (raw) => ({ rows: rows(raw) }),
  createTable: created,
  createTableAs: created,
  alterTable: altered,
  renameTables: renamed,
  truncateTable: truncated,
  dropTable: dropped,
  createIndex: created,
  dropIndex: dropped,
  createSchema: created,
  alterSchema: altered,
  dropSchema: dropped,
  openCursor: (raw) => ({ cursor: integer(raw, 'cursor') }),
  fetch: (raw) => ({ rows: rows(raw), done: boolean(raw, 'done') }),
  closeCursor: nothing,
  savepoint: nothing,
  releaseSavepoint: nothing,
  rollbackTo: nothing,
  commit: committed,
  rollback: nothing,
  execute: (raw) => ({
    ...committed(raw),
    lsn: lsn(raw),
    results: list(raw, 'results').map(readStatementResult),
  }),
  closeSession: nothing,
  ping: nothing,
}

/** The result of a statement is known by its member. */
function readStatementResult(raw: unknown): StatementResult {
  if (!isObject(raw)) throw foreign('results')
  // What was made may say how many rows it has.
  if ('created' in raw) return created(raw)
  if ('inserted' in raw) return inserted(raw)
  if ('updated' in raw) return { updated: bit(raw, 'updated') }
  if ('deleted' in raw) return { deleted: bit(raw, 'deleted') }
  if ('row' in raw) return { row: optionalRow(raw) }
  if ('rows' in raw) return { rows: rows(raw) }
  if ('altered' in raw) return altered(raw)
  if ('renamed' in raw) return renamed(raw)
  if ('truncated' in raw) return truncated(raw)
  if ('dropped' in raw) return dropped(raw)
  return checked(raw)
}

function nothing(): Nothing {
  return {}
}

function committed(raw: RawResult): Committed {
  return { position: position(raw), replayed: boolean(raw, 'replayed') }
}

function position(raw: RawResult): Position {
  const text = raw['position']
  if (typeof text !== 'string') throw foreign('position')
  try {
    return parsePosition(text)
  } catch (error) {
    if (isReplogError(error)) throw foreign('position', error)
    throw error
  }
}

function inserted(raw: RawResult): Inserted {
  const count = integer(raw, 'inserted')
  if (raw['autoIncrement'] === undefined) return { inserted: count }
  return {
    inserted: count,
    autoIncrement: list(raw, 'autoIncrement').map((value) => bigInteger(value, 'autoIncrement')),
  }
}

function checked(raw: RawResult): { readonly checked: true } {
  if (raw['checked'] !== true) throw foreign('checked')
  return { checked: true }
}

function created(raw: RawResult): Created {
  return {
    created: boolean(raw, 'created'),
    ...(raw['inserted'] === undefined ? {} : { inserted: integer(raw, 'inserted') }),
    ...(raw['building'] === undefined ? {} : { building: boolean(raw, 'building') }),
  }
}

function altered(raw: RawResult): Altered {
  return { altered: boolean(raw, 'altered') }
}

function renamed(raw: RawResult): { readonly renamed: number } {
  return { renamed: integer(raw, 'renamed') }
}

function truncated(raw: RawResult): { readonly truncated: true } {
  if (raw['truncated'] !== true) throw foreign('truncated')
  return { truncated: true }
}

function dropped(raw: RawResult): Dropped {
  return { dropped: boolean(raw, 'dropped') }
}

function rows(raw: RawResult): readonly RowObject[] {
  return list(raw, 'rows').map(row)
}

function optionalRow(raw: RawResult): RowObject | null {
  const value = raw['row']
  if (value === undefined) throw foreign('row')
  return value === null ? null : row(value)
}

function row(value: unknown): RowObject {
  if (!isObject(value)) throw foreign('row')
  return value as RowObject
}

function lsn(raw: RawResult): Lsn {
  const value = bigInteger(raw['lsn'], 'lsn')
  if (value < 0n || value > LSN_MAX) throw foreign('lsn')
  return asLsn(value)
}

function bigInteger(value: unknown, name: string): bigint {
  if (typeof value === 'bigint') return value
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value)
  throw foreign(name)
}

function list(raw: RawResult, name: string): readonly unknown[] {
  const value = raw[name]
  if (!Array.isArray(value)) throw foreign(name)
  return value
}

function boolean(raw: RawResult, name: string): boolean {
  const value = raw[name]
  if (typeof value !== 'boolean') throw foreign(name)
  return value
}

function integer(raw: RawResult, name: string): number {
  const value = raw[name]
  if (!Number.isSafeInteger(value)) throw foreign(name)
  return value as number
}

function bit(raw: RawResult, name: string): 0 | 1 {
  const value = integer(raw, name)
  if (value !== 0 && value !== 1) throw foreign(name)
  return value
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function foreign(member: string, cause?: unknown): ReplogError {
  return new ReplogError(
    'PROTOCOL',
    `the server's answer has no \`${member}\` as the session protocol wants it; check that both run compatible versions`,
    { cause },
  )
}

/**
 * The operations of the session protocol: what each is given and what it answers.
 *
 * An answer is checked here before anything relies on it, whichever form its frame had: a server that answers what the
 * protocol does not say is PROTOCOL, and its connection is given up.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { LSN_MAX, type Lsn, type Position, asLsn, parsePosition } from '../../core/position.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import type {
  CheckInput,
  CreateTableInput,
  DropTableInput,
  InsertInput,
  KeyInput,
  LockInput,
  ScanInput,
  StatementInput,
  StatementResult,
  UpdateInput,
} from '../../primary/statement.js'

export type Isolation = 'serializable' | 'snapshot'
export type Annotations = Readonly<Record<string, string>>

export interface BeginInput {
  readonly isolation?: Isolation | undefined
  readonly readOnly?: boolean | undefined
  readonly annotations?: Annotations | undefined
}

export interface ExecuteInput {
  readonly statements: readonly StatementInput[]
  readonly annotations?: Annotations | undefined
  readonly idempotencyKey?: string | undefined
}

export interface Committed {
  readonly position: Position
  /** True when an earlier commit with the same idempotency key did the work; this one did nothing. */
  readonly replayed: boolean
}

export interface Executed extends Committed {
  readonly lsn: Lsn
  /** One result per statement, in order. */
  readonly results: readonly StatementResult[]
}

export interface Inserted {
  readonly inserted: number
  readonly autoIncrement?: readonly bigint[]
}

interface Nothing {
  readonly nothing?: never
}

/** Name of an operation → what it is given, and what it answers. */
export interface Operations {
  begin: { input: BeginInput; result: Nothing }
  insert: { input: InsertInput; result: Inserted }
  update: { input: UpdateInput; result: { readonly updated: 0 | 1 } }
  delete: { input: KeyInput; result: { readonly deleted: 0 | 1 } }
  get: { input: KeyInput; result: { readonly row: RowObject | null } }
  getForUpdate: { input: LockInput; result: { readonly row: RowObject | null } }
  check: { input: CheckInput; result: { readonly checked: true } }
  scan: { input: ScanInput; result: { readonly rows: readonly RowObject[] } }
  createTable: { input: CreateTableInput; result: { readonly created: boolean } }
  dropTable: { input: DropTableInput; result: { readonly dropped: boolean } }
  openCursor: { input: Omit<ScanInput, 'limit'>; result: { readonly cursor: number } }
  fetch: {
    input: { readonly cursor: number; readonly rows: number }
    result: { readonly rows: readonly RowObject[]; readonly done: boolean }
  }
  closeCursor: { input: { readonly cursor: number }; result: Nothing }
  savepoint: { input: { readonly name: string }; result: Nothing }
  releaseSavepoint: { input: { readonly name: string }; result: Nothing }
  rollbackTo: { input: { readonly name: string }; result: Nothing }
  commit: { input: { readonly idempotencyKey?: string | undefined }; result: Committed }
  rollback: { input: Nothing; result: Nothing }
  execute: { input: ExecuteInput; result: Executed }
  closeSession: { input: Nothing; result: Nothing }
  ping: { input: Nothing; result: Nothing }
}

export type OperationName = keyof Operations
export type InputOf<Name extends OperationName> = Operations[Name]['input']
export type ResultOf<Name extends OperationName> = Operations[Name]['result']

/** The members of an answer as a frame held them. */
export type RawResult = Readonly<Record<string, unknown>>

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
  createTable: (raw) => ({ created: boolean(raw, 'created') }),
  dropTable: (raw) => ({ dropped: boolean(raw, 'dropped') }),
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
  if ('inserted' in raw) return inserted(raw)
  if ('updated' in raw) return { updated: bit(raw, 'updated') }
  if ('deleted' in raw) return { deleted: bit(raw, 'deleted') }
  if ('row' in raw) return { row: optionalRow(raw) }
  if ('rows' in raw) return { rows: rows(raw) }
  if ('created' in raw) return { created: boolean(raw, 'created') }
  if ('dropped' in raw) return { dropped: boolean(raw, 'dropped') }
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

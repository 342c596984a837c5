/**
 * The JSON schema of every operation of a session, and the check of a request against it. Statements have the schemas
 * that HTTP has, so that they are refused with the same words.
 */
import { ReplogError } from '../../core/errors.js'
import { SCAN_RESULT_ROWS_MAX } from '../../core/limits.js'
import { nearest } from '../../ddl/nearest.js'
import type { OperationName, RequestHead, SessionRequest, UncheckedRequest } from '../../log/codec/session/messages.js'
import { validationError } from '../../log/http/validation.js'
import { EXPRESSION } from '../definition-schema.js'
import { STATEMENTS_SCHEMA, STATEMENT_SCHEMAS } from '../statement-schema.js'
import { type Check, type Schema, compileCheck } from './schema-check.js'

const U32_MAX = 0xffff_ffff

const STATEMENTS = STATEMENT_SCHEMAS as Readonly<Record<string, Schema>>

const KEYED = STATEMENTS['get']!.properties!
const { limit: _limit, ...CURSOR } = STATEMENTS['scan']!.properties!

const ANNOTATIONS: Schema = {
  type: 'object',
  description: 'Texts of the application, carried in the log beside the statements.',
  additionalProperties: { type: 'string' },
}
const IDEMPOTENCY_KEY: Schema = { type: 'string', description: 'Repeating it gives the first outcome.' }
/** Its members and their bounds are checked where it is read. */
const ACK: Schema = {
  type: ['string', 'object'],
  description:
    'When to answer: a level (`local`, `received`, `durable`, `applied`), or an object with `level` and perhaps ' +
    '`replicas`, `timeoutMs` and `onTimeout`; as the server says by default when left out.',
}
const CURSOR_NUMBER: Schema = { type: 'integer', minimum: 1, maximum: U32_MAX, description: 'As openCursor gave it.' }

function operation(properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return { type: 'object', required, additionalProperties: false, properties }
}

const SAVEPOINT = operation({ name: { type: 'string' } }, ['name'])

export const OPERATION_SCHEMAS: Readonly<Record<OperationName, Schema>> = {
  insert: STATEMENTS['insert']!,
  update: STATEMENTS['update']!,
  delete: STATEMENTS['delete']!,
  get: STATEMENTS['get']!,
  check: STATEMENTS['check']!,
  scan: STATEMENTS['scan']!,
  createTable: STATEMENTS['createTable']!,
  createTableAs: STATEMENTS['createTableAs']!,
  alterTable: STATEMENTS['alterTable']!,
  renameTables: STATEMENTS['renameTables']!,
  truncateTable: STATEMENTS['truncateTable']!,
  dropTable: STATEMENTS['dropTable']!,
  createIndex: STATEMENTS['createIndex']!,
  dropIndex: STATEMENTS['dropIndex']!,
  createSchema: STATEMENTS['createSchema']!,
  alterSchema: STATEMENTS['alterSchema']!,
  dropSchema: STATEMENTS['dropSchema']!,
  getForUpdate: operation({ ...KEYED, timeoutMs: { type: 'integer', minimum: 0, maximum: 0x7fff_ffff } }, [
    'table',
    'key',
  ]),
  openCursor: operation(CURSOR, ['table']),
  fetch: operation({ cursor: CURSOR_NUMBER, rows: { type: 'integer', minimum: 1, maximum: SCAN_RESULT_ROWS_MAX } }, [
    'cursor',
    'rows',
  ]),
  closeCursor: operation({ cursor: CURSOR_NUMBER }, ['cursor']),
  begin: operation({
    isolation: { type: 'string', enum: ['serializable', 'snapshot'] },
    readOnly: { type: 'boolean' },
    annotations: ANNOTATIONS,
  }),
  savepoint: SAVEPOINT,
  releaseSavepoint: SAVEPOINT,
  rollbackTo: SAVEPOINT,
  commit: operation({ idempotencyKey: IDEMPOTENCY_KEY, ack: ACK }),
  rollback: operation({}),
  execute: operation(
    { statements: STATEMENTS_SCHEMA, annotations: ANNOTATIONS, idempotencyKey: IDEMPOTENCY_KEY, ack: ACK },
    ['statements'],
  ),
  closeSession: operation({}),
  ping: operation({}),
}

/** What the schemas refer to. */
export const SHARED_SCHEMAS: readonly Schema[] = [EXPRESSION]

const NAMES = Object.keys(OPERATION_SCHEMAS)

const CHECKS: ReadonlyMap<string, Check> = new Map(
  Object.entries(OPERATION_SCHEMAS).map(([name, schema]) => [name, compileCheck(schema, SHARED_SCHEMAS)]),
)

/**
 * A request whose operation exists and whose input has the form of it; what names and values mean, the table knows.
 * @throws ReplogError INVALID_ARGUMENT with `details.pointer`, the JSON pointer of what is wrong
 */
export function checkRequest(request: UncheckedRequest): SessionRequest {
  const { name, input } = request
  const check = CHECKS.get(name)
  if (check === undefined) throw unknownOperation(name)
  const failure = check(input)
  if (failure === undefined) return request as SessionRequest
  const pointer = `/${name}${failure.instancePath}`
  const error = validationError([{ ...failure, instancePath: pointer }], 'request')
  throw new ReplogError(error.code, error.message, { details: { pointer } })
}

/**
 * Takes the object of a text frame apart.
 * @param head id and session of it
 * @throws ReplogError INVALID_ARGUMENT when it has not exactly one operation
 */
export function namedOperation(frame: Readonly<Record<string, unknown>>, head: RequestHead): UncheckedRequest {
  const names = Object.keys(frame).filter((name) => name !== 'id' && name !== 'session')
  const [name] = names
  if (names.length === 1 && name !== undefined) return { ...head, name, input: frame[name] }
  const unknown = names.find((candidate) => !CHECKS.has(candidate))
  if (unknown !== undefined) throw unknownOperation(unknown)
  const what = names.length === 0 ? 'names no operation' : `names the operations ${names.join(' and ')}`
  throw new ReplogError('INVALID_ARGUMENT', `the request ${what}; it has exactly one of ${NAMES.join(', ')}`)
}

function unknownOperation(name: string): ReplogError {
  if (name === '') {
    return new ReplogError(
      'INVALID_ARGUMENT',
      'the request names no operation that this server knows; log/codec/session.proto lists them',
    )
  }
  const hint = nearest(name, [...NAMES, 'id', 'session'])
  return new ReplogError(
    'INVALID_ARGUMENT',
    `${JSON.stringify(name)} is not an operation of a session${hint === '' ? `; there are ${NAMES.join(', ')}` : hint}`,
  )
}

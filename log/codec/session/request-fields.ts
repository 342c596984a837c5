/**
 * Field numbers of Request in session.proto, and of Statement where it has the operation: which message each operation
 * is sent as. Operations without a message of their own are JSON text.
 */
import { WIRE_LENGTH_DELIMITED, WIRE_VARINT, makeTag } from '../wire.js'

export const ID_FIELD = 1
export const SESSION_FIELD = 2

export const OPERATION_FIELDS = {
  insert: 3,
  update: 4,
  delete: 5,
  get: 6,
  scan: 7,
  check: 8,
  getForUpdate: 9,
  begin: 10,
  commit: 11,
  rollback: 12,
  openCursor: 13,
  fetch: 14,
  closeCursor: 15,
  savepoint: 16,
  releaseSavepoint: 17,
  rollbackTo: 18,
  execute: 19,
  closeSession: 20,
  ping: 21,
} as const

export const JSON_FIELD = 22

export type MessageName = keyof typeof OPERATION_FIELDS

/** Operations that stand in Statement as well. */
export type StatementName = 'insert' | 'update' | 'delete' | 'get' | 'scan' | 'check'

/** The last field number of Statement's own messages. */
const STATEMENT_FIELD_MAX = OPERATION_FIELDS.check

export function isMessageStatement(name: string): name is StatementName {
  return Object.hasOwn(OPERATION_FIELDS, name) && OPERATION_FIELDS[name as MessageName] <= STATEMENT_FIELD_MAX
}

/** Names by the tag of their field. */
export const OPERATION_NAMES: ReadonlyMap<number, MessageName> = new Map(
  (Object.keys(OPERATION_FIELDS) as MessageName[]).map((name) => [delimited(OPERATION_FIELDS[name]), name]),
)

/** The values of Begin.Isolation, from 1 on. */
export const ISOLATIONS = ['serializable', 'snapshot'] as const

/** The values of Ack.Level and Ack.OnTimeout, from 1 on. */
export const ACK_LEVEL_NAMES = ['local', 'received', 'durable', 'applied'] as const
export const ACK_TIMEOUT_ACTIONS = ['error', 'continue'] as const

/** The tag of a field that holds a message, a string or bytes. */
export function delimited(field: number): number {
  return makeTag(field, WIRE_LENGTH_DELIMITED)
}

/** The tag of a field that holds an integer or a boolean. */
export function varint(field: number): number {
  return makeTag(field, WIRE_VARINT)
}

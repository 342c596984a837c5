/**
 * `Request` of session.proto, read: what a server is sent as a binary frame. `encode-request.ts` has the grammar.
 *
 * Invariants: decoding gives the objects that a text frame with the same request gives; fields that are not known are
 * passed over; the last of several operations wins; a message that lacks something required reads as if that were
 * empty, and is refused by who checks the request.
 */
import { readMessage, WireReader } from '../wire.js'
import type {
  BeginRequest,
  CheckRequest,
  AckRequest,
  CommitRequest,
  ExecuteRequest,
  GetForUpdateRequest,
  InsertRequest,
  KeyRequest,
  ScanRequest,
  UncheckedRequest,
} from './messages.js'
import {
  ID_FIELD,
  ACK_LEVEL_NAMES,
  ACK_TIMEOUT_ACTIONS,
  ISOLATIONS,
  JSON_FIELD,
  type MessageName,
  OPERATION_FIELDS,
  OPERATION_NAMES,
  SESSION_FIELD,
  delimited,
  isMessageStatement,
  varint,
} from './request-fields.js'
import { readName } from './names.js'
import { type ParseJson, readRow, readRows, readValue } from './values.js'

type Draft<Input> = { -readonly [Name in keyof Input]: Input[Name] }

interface NamedInput {
  readonly name: string
  readonly input: unknown
}

const INSERT_TAG = delimited(OPERATION_FIELDS.insert)
const UPDATE_TAG = delimited(OPERATION_FIELDS.update)
const GET_TAG = delimited(OPERATION_FIELDS.get)
const STATEMENT_NAMES = new Map([...OPERATION_NAMES].filter(([, name]) => isMessageStatement(name)))

const ID_TAG = varint(ID_FIELD)
const SESSION_TAG = varint(SESSION_FIELD)
const JSON_TAG = delimited(JSON_FIELD)

/** Tags of the fields 1 to 7 by number. */
const MESSAGE = [0, 1, 2, 3, 4, 5, 6, 7].map(delimited)
const INTEGER = [0, 1, 2, 3, 4, 5, 6, 7].map(varint)

/** Their fields are texts, rows and lists of them, which every message of theirs gives. */
const SOUND: ReadonlySet<string> = new Set(['insert', 'update', 'delete', 'get', 'execute'])

/** An operation that does not exist: what a request without one that is known asks for. */
const UNKNOWN: NamedInput = { name: '', input: undefined }

const reader = new WireReader()
const peek = new WireReader()

/** What is known of a request by how it was made. */
export interface RequestForm {
  /** The request has what its schema asks for, because the messages it was read from can hold nothing else. */
  isSound: boolean
}

let isSound = true

/**
 * @param form told of the request
 * @throws ReplogError CORRUPT when the bytes do not parse; what `parseJson` throws
 */
export function decodeRequest(bytes: Uint8Array, parseJson: ParseJson, form?: RequestForm): UncheckedRequest {
  reader.reset(bytes)
  isSound = true
  try {
    let id = 0
    let session = 0
    let operation = UNKNOWN
    while (reader.more()) {
      const tag = reader.tag()
      const name = OPERATION_NAMES.get(tag)
      if (name !== undefined) operation = { name, input: readInput(name, parseJson) }
      else if (tag === ID_TAG) id = reader.uint32()
      else if (tag === SESSION_TAG) session = reader.uint32()
      else if (tag === JSON_TAG) operation = operationOf(parseJson(reader.string()))
      else reader.skip(tag)
    }
    if (form !== undefined) form.isSound = isSound && SOUND.has(operation.name)
    return { id, session, name: operation.name, input: operation.input }
  } finally {
    reader.release()
  }
}

/** The id of a request that may not parse to its end; undefined when it cannot be read. */
export function binaryRequestId(bytes: Uint8Array): number | undefined {
  peek.reset(bytes)
  try {
    while (peek.more()) {
      const tag = peek.tag()
      if (tag === ID_TAG) return peek.uint32()
      peek.skip(tag)
    }
    return undefined
  } catch {
    // That it does not parse is known to the caller.
    return undefined
  } finally {
    peek.release()
  }
}

function operationOf(json: unknown): NamedInput {
  isSound = false
  if (typeof json !== 'object' || json === null) return UNKNOWN
  const [entry, ...others] = Object.entries(json)
  return entry === undefined || others.length > 0 ? UNKNOWN : { name: entry[0], input: entry[1] }
}

function readInput(name: MessageName, parseJson: ParseJson): unknown {
  switch (name) {
    case 'insert':
      return readInsert(parseJson)
    case 'update':
      return readUpdate(parseJson)
    case 'delete':
    case 'get':
      return readKey(parseJson)
    case 'getForUpdate':
      return readFields<GetForUpdateRequest>({ table: '', key: {} }, (input, tag) => {
        if (tag !== INTEGER[3]) return readKeyField(input, tag, parseJson)
        input.timeoutMs = reader.uint32()
        return true
      })
    case 'check':
      return readFields<CheckRequest>({ table: '', key: {} }, (input, tag) => {
        if (tag === INTEGER[3]) input.exists = reader.bool()
        else if (tag === MESSAGE[4]) input.equals = readRow(reader, parseJson)
        else return readKeyField(input, tag, parseJson)
        return true
      })
    case 'scan':
    case 'openCursor':
      return readScan(name === 'scan', parseJson)
    case 'fetch':
      return readFields<{ cursor: number; rows: number }>({ cursor: 0, rows: 0 }, (input, tag) => {
        if (tag === INTEGER[1]) input.cursor = reader.uint32()
        else if (tag === INTEGER[2]) input.rows = reader.uint32()
        else return false
        return true
      })
    case 'closeCursor':
      return readFields<{ cursor: number }>({ cursor: 0 }, (input, tag) => {
        if (tag !== INTEGER[1]) return false
        input.cursor = reader.uint32()
        return true
      })
    case 'begin':
      return readBegin()
    case 'commit':
      return readFields<CommitRequest>({}, (input, tag) => {
        if (tag === MESSAGE[1]) input.idempotencyKey = reader.string()
        else if (tag === MESSAGE[2]) input.ack = readAck()
        else return false
        return true
      })
    case 'savepoint':
    case 'releaseSavepoint':
    case 'rollbackTo':
      return readFields<{ name: string }>({ name: '' }, (input, tag) => {
        if (tag !== MESSAGE[1]) return false
        input.name = reader.string()
        return true
      })
    case 'execute':
      return readExecute(parseJson)
    case 'rollback':
    case 'closeSession':
    case 'ping':
      return readFields({}, () => false)
  }
}

/** Reads a message into `input`; `read` says whether it knew the field. */
function readFields<Input>(input: Draft<Input>, read: (input: Draft<Input>, tag: number) => boolean): Draft<Input> {
  readMessage(reader, (tag) => {
    if (!read(input, tag)) reader.skip(tag)
  })
  return input
}

/** The messages of a busy server are read by loops, as in `values.ts`. */
function readKey(parseJson: ParseJson): KeyRequest {
  const input: Draft<KeyRequest> = { table: '', key: {} }
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (!readKeyField(input, tag, parseJson)) reader.skip(tag)
  }
  reader.end = outerEnd
  return input
}

function readKeyField(input: Draft<KeyRequest>, tag: number, parseJson: ParseJson): boolean {
  if (tag === MESSAGE[1]) input.table = readName(reader)
  else if (tag === MESSAGE[2]) input.key = readRow(reader, parseJson)
  else return false
  return true
}

function readInsert(parseJson: ParseJson): InsertRequest {
  const input: Draft<InsertRequest> = { table: '', rows: [] }
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === MESSAGE[1]) input.table = readName(reader)
    else if (tag === MESSAGE[2]) input.rows = readRows(reader, parseJson)
    else reader.skip(tag)
  }
  reader.end = outerEnd
  return input
}

function readUpdate(parseJson: ParseJson): unknown {
  const set: Record<string, unknown> = {}
  const input: Draft<KeyRequest & { set: typeof set }> = { table: '', key: {}, set }
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === MESSAGE[3]) readAssignment(set, parseJson)
    else if (!readKeyField(input, tag, parseJson)) reader.skip(tag)
  }
  reader.end = outerEnd
  return input
}

function readAssignment(set: Record<string, unknown>, parseJson: ParseJson): void {
  let column = ''
  let change: unknown
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === MESSAGE[1]) column = readName(reader)
    else if (tag === MESSAGE[2]) change = readValue(reader, parseJson)
    else if (tag === MESSAGE[3]) change = { add: readValue(reader, parseJson) }
    else reader.skip(tag)
  }
  reader.end = outerEnd
  if (column === '__proto__') throw reader.corrupt('a column cannot be named __proto__')
  if (change !== undefined) set[column] = change
}

function readScan(hasLimit: boolean, parseJson: ParseJson): unknown {
  return readFields<ScanRequest>({ table: '' }, (input, tag) => {
    if (tag === MESSAGE[1]) input.table = reader.string()
    else if (tag === MESSAGE[2]) input.index = reader.string()
    else if (tag === MESSAGE[3]) input.prefix = readRow(reader, parseJson)
    else if (tag === MESSAGE[4]) input.from = readRow(reader, parseJson)
    else if (tag === MESSAGE[5]) input.to = readRow(reader, parseJson)
    else if (tag === INTEGER[6] && hasLimit) input.limit = reader.uint32()
    else if (tag === INTEGER[7]) input.reverse = reader.bool()
    else return false
    return true
  })
}

function readBegin(): unknown {
  return readFields<BeginRequest>({}, (input, tag) => {
    if (tag === INTEGER[1]) input.isolation = readNamed(ISOLATIONS, 'isolation level')
    else if (tag === INTEGER[2]) input.readOnly = reader.bool()
    else if (tag === MESSAGE[3]) input.annotations = readAnnotation(input.annotations)
    else return false
    return true
  })
}

function readAck(): AckRequest {
  const ack: { -readonly [Name in keyof AckRequest]?: AckRequest[Name] | undefined } = {}
  readMessage(reader, (tag) => {
    if (tag === INTEGER[1]) ack.level = readNamed(ACK_LEVEL_NAMES, 'acknowledgement level')
    else if (tag === INTEGER[2]) ack.replicas = reader.uint32()
    else if (tag === INTEGER[3]) ack.timeoutMs = reader.uint32()
    else if (tag === INTEGER[4]) ack.onTimeout = readNamed(ACK_TIMEOUT_ACTIONS, 'action on a timeout')
    else reader.skip(tag)
  })
  // One without a level is refused with the bounds.
  return ack as AckRequest
}

/** A value of an enum, of which 0 stands for none. */
function readNamed<Name extends string>(names: readonly Name[], what: string): Name | undefined {
  const number = reader.uint32()
  if (number === 0) return undefined
  const name = names[number - 1]
  // Silently weaker or stronger than asked for would be a surprise.
  if (name === undefined) throw reader.corrupt(`${number} is not an ${what}`)
  return name
}

function readExecute(parseJson: ParseJson): unknown {
  const statements: Readonly<Record<string, unknown>>[] = []
  const input: Draft<ExecuteRequest> = { statements }
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === MESSAGE[1]) statements.push(readStatement(parseJson))
    else if (tag === MESSAGE[2]) input.annotations = readAnnotation(input.annotations)
    else if (tag === MESSAGE[3]) input.idempotencyKey = reader.string()
    else if (tag === MESSAGE[4]) {
      input.ack = readAck()
      // Its bounds are those of the schema.
      isSound = false
    } else reader.skip(tag)
  }
  reader.end = outerEnd
  // How many there may be, the schema says.
  if (statements.length > SOUND_STATEMENTS_MAX) isSound = false
  return input
}

/** Far fewer than a transaction may have. */
const SOUND_STATEMENTS_MAX = 1000

function readStatement(parseJson: ParseJson): Readonly<Record<string, unknown>> {
  let statement: Readonly<Record<string, unknown>> | undefined
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.position < reader.end) {
    const tag = reader.tag()
    if (tag === INSERT_TAG) statement = { insert: readInsert(parseJson) }
    else if (tag === UPDATE_TAG) statement = { update: readUpdate(parseJson) }
    else if (tag === GET_TAG) statement = { get: readKey(parseJson) }
    else if (STATEMENT_NAMES.has(tag)) {
      const name = STATEMENT_NAMES.get(tag)!
      isSound &&= SOUND.has(name)
      statement = { [name]: readInput(name, parseJson) }
    } else if (tag === JSON_TAG) {
      const { name: key, input } = operationOf(parseJson(reader.string()))
      statement = { [key]: input }
    } else {
      reader.skip(tag)
    }
  }
  reader.end = outerEnd
  if (statement !== undefined) return statement
  isSound = false
  return {}
}

/** One entry of a map, added to those before it. */
function readAnnotation(earlier: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> {
  const entry = { name: '', value: '' }
  readMessage(reader, (tag) => {
    if (tag === MESSAGE[1]) entry.name = reader.string()
    else if (tag === MESSAGE[2]) entry.value = reader.string()
    else reader.skip(tag)
  })
  const annotations = (earlier ?? {}) as Record<string, string>
  Object.defineProperty(annotations, entry.name, {
    value: entry.value,
    enumerable: true,
    configurable: true,
    writable: true,
  })
  return annotations
}

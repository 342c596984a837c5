/** Requests and answers of sessions as arbitrary values, and as protobufjs wants them from session.proto. */
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { ERROR_CODES, type ErrorCode, isReplogError } from '../../core/errors.js'
import type {
  CursorRequest,
  Operation,
  OperationInputs,
  SessionAnswer,
  SessionRequest,
  SessionResult,
} from '../../log/codec/session/messages.js'
import type { Values } from '../../log/codec/session/values.js'
import { jsonCodec } from '../../log/codec/types/json.js'
import { repositoryText } from '../house/repository.js'

const { root } = protobuf.parse(repositoryText('log/codec/session.proto'))

/** protobufjs' type of a message of session.proto. */
export function protoType(name: string): protobuf.Type {
  return root.lookupType(`replog.session.v1.${name}`)
}

export function protoBytes(name: string, message: object): Buffer {
  const type = protoType(name)
  return Buffer.from(type.encode(type.fromObject(message)).finish())
}

const u32 = fc.oneof(fc.nat(300), fc.nat(0xffff_ffff))
const name = fc.string({ unit: 'grapheme', maxLength: 40 })
const column = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((text) => text !== '__proto__')

/** A JSON column: what the column takes, and JSON gives back as it was. */
const json = fc
  .oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }))
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown)
  .filter((value) => !isAddition(value) && isJsonColumn(value))

function isJsonColumn(input: unknown): boolean {
  try {
    jsonCodec.accept(input)
    return true
  } catch (error) {
    if (isReplogError(error, 'INVALID_VALUE')) return false
    throw error
  }
}

export const value: fc.Arbitrary<unknown> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true }),
  fc.string({ unit: 'grapheme' }),
  fc.string({ minLength: 100, maxLength: 300 }),
  fc.uint8Array().map((bytes) => new Uint8Array(bytes)),
  json,
)

const row: fc.Arbitrary<Values> = fc.dictionary(column, value, { maxKeys: 5, noNullPrototype: true })
const key = fc.record({ table: name, key: row })
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const annotations = fc.dictionary(column, text, { maxKeys: 3, minKeys: 1, noNullPrototype: true })

/** Rows with the same columns, as those of a table, or with columns of their own, as an insert may have. */
const rows = fc.oneof(
  fc.array(row, { maxLength: 5 }),
  fc
    .uniqueArray(column, { maxLength: 5 })
    .chain((columns) =>
      fc
        .array(fc.tuple(...columns.map(() => value)), { maxLength: 5 })
        .map((tuples) =>
          tuples.map((values) => Object.fromEntries(columns.map((one, ordinal) => [one, values[ordinal]]))),
        ),
    ),
)

const optional = <Shape>(shape: fc.Arbitrary<Shape>): fc.Arbitrary<Shape | undefined> =>
  fc.option(shape, { nil: undefined })

/** Without the properties that are undefined: those are not there. */
function present<Input extends object>(input: Input): Input {
  return Object.fromEntries(Object.entries(input).filter(([, member]) => member !== undefined)) as Input
}

const cursor = fc.record({
  table: name,
  index: optional(name),
  prefix: optional(row),
  from: optional(row),
  to: optional(row),
  reverse: optional(fc.constant(true)),
})
const scan = fc.record({ range: cursor, limit: optional(u32) }).map(({ range, limit }) => ({ ...range, limit }))
const set = fc.dictionary(
  column,
  fc.oneof(
    value,
    value.map((add) => ({ add })),
  ),
  {
    maxKeys: 4,
    noNullPrototype: true,
  },
)
const nothing = fc.constant({})
const ack = fc.record(
  {
    level: fc.constantFrom('local' as const, 'received' as const, 'durable' as const, 'applied' as const),
    replicas: u32,
    timeoutMs: u32,
    onTimeout: fc.constantFrom('error' as const, 'continue' as const),
  },
  { requiredKeys: ['level'], noNullPrototype: true },
)
const savepoint = fc.record({ name })
/** Definition statements are JSON text, so their codec knows nothing of what is in them but that it is JSON. */
const definition = fc
  .dictionary(
    fc.constantFrom('table', 'ifExists', 'from', 'changes', 'options', 'where', 'x'),
    fc.oneof(name, fc.boolean(), fc.integer(), json, fc.constant(null)),
    { noNullPrototype: true },
  )
  .map((input) => JSON.parse(JSON.stringify(input)) as Record<string, unknown>)

const STATEMENT_INPUTS = {
  insert: fc.record({ table: name, rows }),
  update: fc.record({ table: name, key: row, set }),
  delete: key,
  get: key,
  check: fc.record({ table: name, key: row, exists: optional(fc.boolean()), equals: optional(row) }),
  scan,
  createTable: definition,
  createTableAs: definition,
  alterTable: definition,
  renameTables: definition,
  truncateTable: definition,
  dropTable: definition,
  createIndex: definition,
  dropIndex: definition,
  createSchema: definition,
  alterSchema: definition,
  dropSchema: definition,
}

type Arbitraries = { readonly [Name in keyof OperationInputs]: fc.Arbitrary<OperationInputs[Name]> }

const statement = fc.oneof(
  ...Object.entries(STATEMENT_INPUTS).map(([one, input]) =>
    (input as fc.Arbitrary<object>).map((body) => ({ [one]: present(body) })),
  ),
)

const INPUTS: Arbitraries = {
  ...STATEMENT_INPUTS,
  getForUpdate: fc.record({ table: name, key: row, timeoutMs: optional(u32) }),
  openCursor: cursor,
  fetch: fc.record({ cursor: u32, rows: u32 }),
  closeCursor: fc.record({ cursor: u32 }),
  begin: fc.record({
    isolation: fc.constantFrom('serializable' as const, 'snapshot' as const, undefined),
    readOnly: optional(fc.constant(true)),
    annotations: optional(annotations),
  }),
  savepoint,
  releaseSavepoint: savepoint,
  rollbackTo: savepoint,
  commit: fc.record({ idempotencyKey: optional(name), ack: optional(ack) }),
  rollback: nothing,
  execute: fc.record({
    statements: fc.array(statement, { maxLength: 4 }),
    annotations: optional(annotations),
    idempotencyKey: optional(name),
    ack: optional(ack),
  }),
  closeSession: nothing,
  ping: nothing,
}

export const request: fc.Arbitrary<SessionRequest> = fc.oneof(
  ...Object.entries(INPUTS).map(([operation, input]) =>
    fc
      .record({ id: u32, session: u32, input: input as fc.Arbitrary<object> })
      .map(
        ({ id, session, input: body }) => ({ id, session, name: operation, input: present(body) }) as SessionRequest,
      ),
  ),
)

export function isAddition(input: unknown): boolean {
  return typeof input === 'object' && input !== null && Object.keys(input).length === 1 && 'add' in input
}

export function protoRequest({ id, session, name: operation, input }: SessionRequest): object {
  return {
    ...(id === 0 ? {} : { id }),
    ...(session === 0 ? {} : { session }),
    ...protoOperation({ name: operation, input } as Operation),
  }
}

function protoOperation({ name: operation, input }: Operation): object {
  switch (operation) {
    case 'insert':
      return { insert: { ...protoTable(input), rows: protoRows(input.rows) } }
    case 'update':
      return {
        update: {
          ...protoKey(input),
          set: Object.entries(input.set).map(([one, change]) => ({
            ...(one === '' ? {} : { column: one }),
            ...(isAddition(change)
              ? { add: protoValue((change as { add: unknown }).add) }
              : { value: protoValue(change) }),
          })),
        },
      }
    case 'delete':
    case 'get':
      return { [operation]: protoKey(input) }
    case 'getForUpdate':
      return { getForUpdate: { ...protoKey(input), timeoutMs: input.timeoutMs } }
    case 'check': {
      const { exists, equals } = input
      return { check: { ...protoKey(input), exists, ...(equals === undefined ? {} : { equals: protoRow(equals) }) } }
    }
    case 'scan':
      return { scan: { ...protoCursor(input), limit: input.limit } }
    case 'openCursor':
      return { openCursor: protoCursor(input) }
    case 'createTable':
    case 'createTableAs':
    case 'alterTable':
    case 'renameTables':
    case 'truncateTable':
    case 'dropTable':
    case 'createIndex':
    case 'dropIndex':
    case 'createSchema':
    case 'alterSchema':
    case 'dropSchema':
      return { json: JSON.stringify({ [operation]: input }) }
    case 'begin': {
      const isolation = input.isolation?.toUpperCase()
      return { begin: { isolation, readOnly: input.readOnly, annotations: input.annotations } }
    }
    case 'execute':
      return {
        execute: {
          statements: input.statements.map((one) => {
            const [[key_, body] = ['', {}]] = Object.entries(one)
            return protoOperation({ name: key_, input: body } as Operation)
          }),
          annotations: input.annotations,
          idempotencyKey: input.idempotencyKey,
          ack: protoAck(input.ack),
        },
      }
    case 'fetch':
    case 'closeCursor':
    case 'savepoint':
    case 'releaseSavepoint':
    case 'rollbackTo':
      return { [operation]: Object.fromEntries(Object.entries(input).filter(([, member]) => !isEmpty(member))) }
    case 'commit':
      return { commit: { idempotencyKey: input.idempotencyKey, ack: protoAck(input.ack) } }
    case 'rollback':
    case 'closeSession':
    case 'ping':
      return { [operation]: input }
  }
}

function isEmpty(member: unknown): boolean {
  return member === '' || member === 0
}

function protoTable({ table }: { readonly table: string }): object {
  return table === '' ? {} : { table }
}

function protoKey(input: { readonly table: string; readonly key: Values }): object {
  return { ...protoTable(input), key: protoRow(input.key) }
}

function protoCursor({ table, index, prefix, from, to, reverse }: CursorRequest): object {
  return {
    ...protoTable({ table }),
    index,
    ...(prefix === undefined ? {} : { prefix: protoRow(prefix) }),
    ...(from === undefined ? {} : { from: protoRow(from) }),
    ...(to === undefined ? {} : { to: protoRow(to) }),
    reverse,
  }
}

function protoRow(values: Values): object {
  return { columns: Object.keys(values), values: Object.values(values).map(protoValue) }
}

function protoRows(list: readonly Values[]): object {
  const columns = [...new Set(list.flatMap((one) => Object.keys(one)))]
  return { columns, rows: list.map((one) => ({ values: columns.map((each) => protoValue(one[each])) })) }
}

function protoValue(input: unknown): object {
  switch (typeof input) {
    case 'string':
      return { text: input }
    case 'bigint':
      return { bigint: input }
    case 'boolean':
      return { boolean: input }
    case 'number':
      return Number.isInteger(input) && input >= -(2 ** 31) && input < 2 ** 31 && !Object.is(input, -0)
        ? { integer: input }
        : { number: input }
    case 'undefined':
      return {}
    default:
      if (input === null) return { null: true }
      if (input instanceof Uint8Array) return { bytes: input }
      return { json: JSON.stringify(input) }
  }
}

const i64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const committed = fc.record({
  lsn: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  position: fc.string({ minLength: 1, maxLength: 60 }),
  replayed: fc.boolean(),
})
const count = fc.constantFrom(0 as const, 1 as const)

const simpleResult = fc.oneof(
  fc.record({ inserted: u32 }),
  fc.record({ inserted: u32, autoIncrement: fc.array(i64, { minLength: 1, maxLength: 40 }) }),
  fc.record({ updated: count }),
  fc.record({ deleted: count }),
  fc.record({ row: fc.option(row) }),
  fc.record({ rows }),
  fc.record({ rows, done: fc.boolean() }),
  fc.constant({ checked: true as const }),
  fc.record({ created: fc.boolean() }),
  fc.record({ created: fc.boolean(), inserted: u32 }),
  fc.record({ created: fc.boolean(), building: fc.boolean() }),
  fc.record({ altered: fc.boolean() }),
  fc.record({ renamed: u32 }),
  fc.constant({ truncated: true as const }),
  fc.record({ dropped: fc.boolean() }),
  fc.record({ cursor: u32 }),
  fc.constant({}),
) as fc.Arbitrary<SessionResult>

const result: fc.Arbitrary<SessionResult> = fc.oneof(
  { weight: 12, arbitrary: simpleResult },
  { weight: 1, arbitrary: committed },
  {
    weight: 2,
    arbitrary: fc
      .tuple(committed, fc.array(simpleResult, { maxLength: 5 }))
      .map(([outcome, results]) => ({ ...outcome, results })),
  },
)

const error = fc
  .record({
    code: fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[])),
    message: fc.string({ unit: 'grapheme' }),
    retryable: fc.boolean(),
    transaction: fc.constantFrom('open' as const, 'rolled back' as const, 'none' as const),
    details: optional(fc.dictionary(fc.constantFrom('limit', 'column'), name, { noNullPrototype: true })),
  })
  .map(present)

/** With the prototype that decoded objects have. */
function plain<Shape>(input: Shape): Shape {
  if (Array.isArray(input)) return input.map(plain) as Shape
  if (typeof input !== 'object' || input === null || input instanceof Uint8Array) return input
  return Object.fromEntries(Object.entries(input).map(([one, member]) => [one, plain(member)])) as Shape
}

export const answer: fc.Arbitrary<SessionAnswer> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ id: u32, result }).map(plain) },
  { weight: 1, arbitrary: fc.record({ id: u32, error }).map(plain) },
)

export function protoAnswer(one: SessionAnswer): object {
  const head = one.id === 0 ? {} : { id: one.id }
  if ('result' in one) return { ...head, result: protoResult(one.result) }
  const { code, message, retryable, transaction, details } = one.error
  return {
    ...head,
    error: {
      code,
      ...(message === '' ? {} : { message }),
      ...(retryable ? { retryable } : {}),
      ...(transaction === 'none' ? {} : { transaction: transaction === 'open' ? 'OPEN' : 'ROLLED_BACK' }),
      ...(details === undefined ? {} : { details: JSON.stringify(details) }),
    },
  }
}

const JSON_RESULTS = ['created', 'altered', 'renamed', 'truncated', 'dropped']

function protoResult(one: SessionResult): object {
  if (JSON_RESULTS.some((member) => member in one)) return { json: JSON.stringify(one) }
  if ('inserted' in one) {
    const { inserted: inserted_, autoIncrement } = one as Extract<SessionResult, { readonly autoIncrement?: unknown }>
    return { inserted: { ...(inserted_ === 0 ? {} : { rows: inserted_ }), autoIncrement } }
  }
  if ('row' in one) return { row: one.row === null ? {} : { row: protoRow(one.row) } }
  if ('done' in one) return { page: { rows: protoRows(one.rows), ...(one.done ? { done: true } : {}) } }
  if ('rows' in one) return { rows: protoRows(one.rows) }
  if ('results' in one) return { executed: { committed: protoCommitted(one), results: one.results.map(protoResult) } }
  if ('position' in one) return { committed: protoCommitted(one) }
  return one
}

function protoCommitted(one: { readonly lsn: bigint; readonly position: string; readonly replayed: boolean }): object {
  return {
    ...(one.lsn === 0n ? {} : { lsn: one.lsn }),
    position: one.position,
    ...(one.replayed ? { replayed: true } : {}),
  }
}

function protoAck(ack: OperationInputs['commit']['ack']): object | undefined {
  if (ack === undefined) return undefined
  const { level, onTimeout, ...numbers } = typeof ack === 'string' ? { level: ack } : ack
  return {
    level: level.toUpperCase(),
    ...numbers,
    ...(onTimeout === undefined ? {} : { onTimeout: onTimeout.toUpperCase() }),
  }
}

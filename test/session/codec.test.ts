/** The hand-written codec of session.proto against protobufjs, and against bytes that are no message of it. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { decodeAnswer } from '../../log/codec/session/decode-answer.js'
import { binaryRequestId, decodeRequest } from '../../log/codec/session/decode-request.js'
import { encodeAnswer } from '../../log/codec/session/encode-answer.js'
import { encodeRequest } from '../../log/codec/session/encode-request.js'
import type { SessionRequest } from '../../log/codec/session/messages.js'
import type { ParseJson } from '../../log/codec/session/values.js'
import { checkRequest } from '../../primary/session/request-schema.js'
import { answer, protoAnswer, protoBytes, protoRequest, protoType, request } from './proto-messages.js'

const parseJson = JSON.parse as ParseJson
const decode = (bytes: Uint8Array): unknown => decodeRequest(bytes, parseJson)

t.test('requests: the bytes are those that protobufjs writes', async () => {
  fc.assert(
    fc.property(request, (message) => {
      assert.equal(encodeRequest(message).toString('hex'), protoBytes('Request', protoRequest(message)).toString('hex'))
    }),
    { numRuns: 300 },
  )
})

t.test('requests: decoding gives back what was encoded, with bigints as bigints', async () => {
  fc.assert(
    fc.property(request, (message) => {
      assert.deepEqual(decode(encodeRequest(message)), message)
    }),
    { numRuns: 300 },
  )
})

t.test('a request that is said to be sound passes the check of its schema', async (t) => {
  const form = { isSound: false }
  let sound = 0
  const holds = (bytes: Uint8Array): void => {
    let read
    try {
      read = decodeRequest(bytes, parseJson, form)
    } catch {
      return
    }
    if (!form.isSound) return
    sound++
    checkRequest(read)
  }
  fc.assert(
    fc.property(request, fc.nat(), fc.nat(255), (message, where, flip) => {
      const bytes = encodeRequest(message)
      holds(bytes)
      bytes[where % bytes.length]! ^= flip
      holds(bytes)
    }),
    { numRuns: 1000 },
  )
  t.ok(sound > 100, `${sound} are`)
  for (const operation of ['insert', 'update', 'delete', 'get', 'execute'] as const) {
    holds(protoBytes('Request', { [operation]: {} }))
    t.equal(form.isSound, true, `an empty ${operation} has the form of one`)
  }
  holds(protoBytes('Request', { execute: { statements: [{}] } }))
  t.equal(form.isSound, false, 'a statement that is none')
  holds(protoBytes('Request', { json: '{"get":{"table":1}}' }))
  t.equal(form.isSound, false, 'JSON may hold anything')
  holds(protoBytes('Request', { execute: { statements: [{ scan: { table: 't' } }] } }))
  t.equal(form.isSound, false, 'a scan has numbers with bounds')
})

t.test('names that come again and again are read as what they are', async () => {
  const name = fc.oneof(
    fc.constantFrom('id', 'ID', 'di', 'é', 'x'.repeat(64), 'x'.repeat(65), '\u0000', ''),
    fc.string({ maxLength: 6 }),
    fc.string({ unit: 'grapheme', maxLength: 70 }),
  )
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 30 }), (names) => {
      for (const table of [...names, ...names]) {
        const key = { [`${table}.`]: 1 }
        const message: SessionRequest = { id: 1, session: 0, name: 'get', input: { table, key } }
        assert.deepEqual(decode(encodeRequest(message)), message)
      }
    }),
    { numRuns: 300 },
  )
  const latin1 = protoBytes('Request', { get: { table: 'caf\u00e9' } })
  decode(latin1)
  // The same name in Latin-1, which is not UTF-8.
  const broken = Buffer.from([0x32, 0x06, 0x0a, 0x04, 0x63, 0x61, 0x66, 0xe9])
  assert.throws(
    () => decode(broken),
    (error) => isReplogError(error, 'CORRUPT'),
  )
})

t.test('answers: the bytes are those that protobufjs writes', async () => {
  fc.assert(
    fc.property(answer, (message) => {
      assert.equal(encodeAnswer(message).toString('hex'), protoBytes('Answer', protoAnswer(message)).toString('hex'))
    }),
    { numRuns: 300 },
  )
})

t.test('answers: decoding gives back what was encoded, and protobufjs reads it too', async () => {
  const type = protoType('Answer')
  fc.assert(
    fc.property(answer, (message) => {
      const bytes = encodeAnswer(message)
      assert.deepEqual(decodeAnswer(bytes), message)
      assert.equal(type.toObject(type.decode(bytes), { defaults: true })['id'], message.id)
    }),
    { numRuns: 300 },
  )
})

t.test('unknown fields are passed over, an unknown operation is none', async (t) => {
  const known = encodeRequest({ id: 7, session: 1, name: 'savepoint', input: { name: 's' } })
  const unknown = Buffer.concat([Buffer.from([0xa8, 0x06, 0x01]), known, Buffer.from([0xb2, 0x06, 0x01, 0x00])])
  t.same(decode(unknown), { id: 7, session: 1, name: 'savepoint', input: { name: 's' } })
  const future = protoBytes('Request', { id: 7 })
  t.same(decode(Buffer.concat([future, Buffer.from([0xb2, 0x06, 0x00])])), {
    id: 7,
    session: 0,
    name: '',
    input: undefined,
  })
})

t.test('a field of another wire type is an unknown field', async (t) => {
  // Request.id as a string, then as it is.
  t.equal(binaryRequestId(Buffer.from([0x0a, 0x01, 0x41, 0x08, 0x05])), 5)
  // A result of an unknown kind has nothing to tell.
  t.same(decodeAnswer(protoBytes('Answer', { id: 1, result: {} })), { id: 1, result: {} })
  t.same(decodeAnswer(Buffer.from([0x08, 0x01, 0x12, 0x03, 0xa8, 0x06, 0x01])), { id: 1, result: {} })
})

t.test('integers that are not packed are read as well', async (t) => {
  const inserted = Buffer.from([0x08, 0x02, 0x10, 0x02, 0x10, 0x04])
  const bytes = Buffer.concat([Buffer.from([0x12, inserted.length + 2, 0x0a, inserted.length]), inserted])
  t.same(decodeAnswer(bytes), { id: 0, result: { inserted: 2, autoIncrement: [1n, 2n] } })
})

t.test('what a column cannot hold is refused before it is sent', async (t) => {
  const insert = (value: unknown): SessionRequest => ({
    id: 1,
    session: 0,
    name: 'insert',
    input: { table: 't', rows: [{ a: value }] },
  })
  for (const value of [2n ** 63n, -(2n ** 63n) - 1n, '\ud800', Symbol('s'), () => 1]) {
    t.throws(() => encodeRequest(insert(value)), { code: 'INVALID_VALUE' }, typeof value)
  }
  t.same(
    decode(encodeRequest(insert(undefined))),
    { id: 1, session: 0, name: 'insert', input: { table: 't', rows: [{}] } },
    'and the next message is not disturbed',
  )
})

t.test('what JSON text would change is refused before it is sent', async (t) => {
  const update = (value: unknown): SessionRequest => ({
    id: 1,
    session: 0,
    name: 'update',
    input: { table: 't', key: { id: 1 }, set: { a: value } },
  })
  const cycle: Record<string, unknown> = {}
  cycle['in'] = { cycle }
  const lossy: Record<string, unknown> = {
    NaN: { a: NaN },
    infinity: [1, -Infinity],
    bigint: { a: 1n },
    'date inside': { at: new Date(0) },
    date: new Date(0),
    'undefined in an array': [1, undefined],
    'undefined in an object': { a: undefined },
    hole: new Array(2),
    function: { a: () => 1 },
    symbol: [Symbol('s')],
    bytes: { a: new Uint8Array(1) },
    'other bytes': new Uint16Array(1),
    map: new Map([['a', 1]]),
    cycle,
    surrogate: ['\ud800'],
    'rounded integer': [2 ** 60],
  }
  for (const [what, value] of Object.entries(lossy)) {
    t.throws(() => encodeRequest(update(value)), { code: 'INVALID_VALUE' }, what)
  }
  const input = { table: 't', key: { id: 1 }, set: { a: { b: [1.5, 'x', null, false, { c: {} }] } } }
  t.same(decode(encodeRequest({ id: 1, session: 0, name: 'update', input })), {
    id: 1,
    session: 0,
    name: 'update',
    input,
  })
})

t.test('a column that would be the prototype is refused', async (t) => {
  const row = { columns: ['__proto__'], values: [{ json: '{"polluted":true}' }] }
  const get = protoBytes('Request', { id: 1, get: { table: 't', key: row } })
  t.throws(() => decode(get), { code: 'CORRUPT' })
  const set = [{ column: '__proto__', value: { integer: 1 } }]
  t.throws(() => decode(protoBytes('Request', { id: 1, update: { set } })), { code: 'CORRUPT' })
  t.notOk('polluted' in {})
})

t.test('bytes that are no message throw CORRUPT and nothing else', async () => {
  const harmless = (read: () => unknown): void => {
    try {
      read()
    } catch (error) {
      // JSON inside of them may not parse either.
      if (!isReplogError(error, 'CORRUPT') && !(error instanceof SyntaxError)) throw error
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      harmless(() => decode(bytes))
      harmless(() => decodeAnswer(bytes))
      binaryRequestId(bytes)
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(request, fc.nat(), fc.nat(255), (message, where, flip) => {
      const bytes = encodeRequest(message)
      harmless(() => decode(bytes.subarray(0, where % (bytes.length + 1))))
      if (bytes.length > 0) bytes[where % bytes.length]! ^= flip
      harmless(() => decode(bytes))
    }),
    { numRuns: 300 },
  )
})

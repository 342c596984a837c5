/** Frames of sessions: both forms mean the same, what is wrong is named, and no frame can do harm. */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { encodeRequest } from '../../log/codec/session/encode-request.js'
import type { SessionRequest } from '../../log/codec/session/messages.js'
import { type ParsedFrame, frameId, parseFrame } from '../../primary/session/frames.js'
import { protoBytes, request } from './proto-messages.js'
import { makeKv, serveSessions } from './serving-sessions.js'

const text = (frame: unknown): ParsedFrame =>
  parseFrame(Buffer.from(typeof frame === 'string' ? frame : JSON.stringify(frame)), false)

t.test('a text frame and a binary one with the same request are the same request', async () => {
  const comparable = request.filter((message) => isDeepStrictEqual(message, throughJson(message)))
  fc.assert(
    fc.property(comparable, ({ id, session, name, input }) => {
      const binary = parseFrame(encodeRequest({ id, session, name, input } as SessionRequest), true)
      const message = text({ id, session, [name]: input })
      // What is refused names a value that cannot be, and does so with the same words.
      assert.deepEqual(JSON.stringify(refusalOf(binary)), JSON.stringify(refusalOf(message)))
      if ('request' in binary) assert.deepEqual(binary, message)
    }),
    { numRuns: 300 },
  )
})

/** JSON alone has no bigint, no bytes and no infinity: a request with them cannot be the same as a text frame. */
function throughJson(message: SessionRequest): unknown {
  try {
    return JSON.parse(JSON.stringify(message))
  } catch {
    return undefined
  }
}

function refusalOf(parsed: ParsedFrame): unknown {
  return 'error' in parsed ? { code: parsed.error.code, message: parsed.error.message } : undefined
}

const REFUSED: readonly (readonly [frame: unknown, message: RegExp, pointer?: string])[] = [
  [{ id: 1, inserts: {} }, /"inserts" is not an operation of a session; did you mean "insert"\?/],
  [{ id: 1, sesion: 3, ping: {} }, /"sesion" is not an operation of a session; did you mean "session"\?/],
  [{ id: 1, zzzzzzzz: {} }, /there are insert, update/],
  [{ id: 1 }, /names no operation; it has exactly one of insert/],
  [{ id: 1, begin: {}, commit: {} }, /names the operations begin and commit/],
  [{ id: 1, session: -1, ping: {} }, /"session" must be a whole number/],
  [{ id: 1, session: '1', ping: {} }, /"session" must be a whole number/],
  [{ id: 1, ping: null }, /ping must be object/, '/ping'],
  [{ id: 1, ping: { x: 1 } }, /ping has the unknown property "x"; none is allowed here/, '/ping'],
  [{ id: 1, begin: { isolaton: 'snapshot' } }, /did you mean "isolation"\?/, '/begin'],
  [{ id: 1, begin: { isolation: 'dirty' } }, /begin\/isolation must be one of "serializable", "snapshot"/],
  [{ id: 1, begin: { annotations: { a: 1 } } }, /begin\/annotations\/a must be string/, '/begin/annotations/a'],
  [{ id: 1, insert: { table: 't' } }, /insert lacks "rows"/, '/insert'],
  [{ id: 1, insert: { table: 't', row: [] } }, /insert lacks "rows"; is it meant by "row"\?/],
  [{ id: 1, insert: { table: 't', rows: [1] } }, /insert\/rows\/0 must be object/, '/insert/rows/0'],
  [{ id: 1, fetch: { cursor: 1, rows: 0 } }, /fetch\/rows must be >= 1/, '/fetch/rows'],
  [{ id: 1, fetch: { cursor: 1, rows: 10_001 } }, /fetch\/rows must be <= 10000/],
  [{ id: 1, fetch: { cursor: 1.5, rows: 1 } }, /fetch\/cursor must be integer/],
  [{ id: 1, openCursor: { table: 't', limit: 1 } }, /openCursor has the unknown property "limit"/],
  [{ id: 1, execute: { statements: [{ inser: {} }] } }, /execute\/statements\/0 has the unknown property "inser"/],
  [{ id: 1, execute: { statements: [{}] } }, /must have exactly one of the properties insert/],
  ['{"id":1,"ping":{}', /the frame is not JSON/],
  ['{"id":1,"insert":{"table":"t","rows":[{"a":1e999}]}}', /beyond the range of a double/],
]

t.test('what is wrong with a request is named, and its id is answered', async (t) => {
  for (const [frame, message, pointer] of REFUSED) {
    const parsed = text(frame)
    if (!('error' in parsed)) {
      t.fail(`${JSON.stringify(frame)} was taken`)
      continue
    }
    t.equal(parsed.id, 1)
    t.match(parsed.error, { message }, JSON.stringify(frame))
    if (pointer !== undefined) t.same(parsed.error.details, { pointer })
  }
})

t.test('the id is found in front of a frame that does not parse, and nowhere else', async (t) => {
  const found = (frame: string): number | undefined => frameId(Buffer.from(frame), false)
  t.equal(found('{"id":7,'), 7)
  t.equal(found(' {\n "id" : 4294967295 }'), 4294967295)
  t.equal(found('{"id":4294967296,'), undefined)
  t.equal(found('{"id":-1,'), undefined)
  t.equal(found('{"id":12'), undefined, 'more digits may follow')
  t.equal(found('{"session":1,"id":7,'), undefined)
  t.equal(found('garbage'), undefined)
})

const MALFORMED: readonly unknown[] = [
  '',
  'null',
  '[]',
  '7',
  '"x"',
  'not json',
  '{}',
  '{"id":-1}',
  '{"id":"1","ping":{}}',
]

t.test('a frame whose id cannot be read is malformed', async (t) => {
  for (const frame of MALFORMED) t.match(text(frame), { malformed: String }, String(frame))
  t.match(parseFrame(Buffer.from([0xff, 0xff]), true), { malformed: String })
})

t.test('a binary request that lacks something says what, as a text frame does', async (t) => {
  const refused = (message: object): ParsedFrame => parseFrame(protoBytes('Request', message), true)
  t.match(refused({ id: 3 }), { id: 3, error: { message: /names no operation that this server knows/ } })
  t.match(refused({ id: 3, json: '{"ping":{},"begin":{}}' }), { error: { message: /names no operation/ } })
  t.match(refused({ id: 3, json: '{"comit":{}}' }), { error: { message: /did you mean "commit"/ } })
  t.match(refused({ id: 3, json: '{' }), { id: 3, error: { code: 'INVALID_ARGUMENT', message: /not JSON/ } })
  t.match(refused({ id: 3, fetch: {} }), { id: 3, error: { message: /fetch\/cursor must be >= 1/ } })
  t.match(refused({ id: 3, begin: { isolation: 9 } }), {
    id: 3,
    error: { code: 'PROTOCOL', message: /isolation level/ },
  })
  t.match(refused({ id: 3, json: '{"dropTable":{"table":"t"}}' }), {
    request: { id: 3, name: 'dropTable', input: { table: 't' } },
  })
})

t.test('no frame at all throws', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, isBinary) => {
      parseFrame(Buffer.from(bytes), isBinary)
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(request, fc.nat(), fc.nat(255), (message, where, flip) => {
      const bytes = encodeRequest(message)
      if (bytes.length > 0) bytes[where % bytes.length]! ^= flip
      parseFrame(bytes, true)
      parseFrame(bytes.subarray(0, where % (bytes.length + 1)), true)
    }),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      text(value)
      text({ id: 1, insert: value })
      text({ id: 1, execute: { statements: [value] } })
    }),
    { numRuns: 300 },
  )
})

t.test('a malformed frame ends its connection with a reason, and rolls back', async (t) => {
  const { connect, primary, sessions } = await serveSessions(t)
  await makeKv(primary)
  for (const frame of ['garbage', '[]', '{"id":1.5,"ping":{}}']) {
    const client = await connect()
    await client.ask({ begin: {} })
    client.socket.send(frame)
    const { code, reason } = await client.closed
    t.equal(code, 4400)
    t.match(reason, /the frame/)
  }
  t.equal(primary.openTransactions, 0)
  t.equal(sessions.status().cut.malformed, 3)
})

t.test('an id that is in use ends the connection: two answers with it could not be told apart', async (t) => {
  const { connect, primary, engine } = await serveSessions(t)
  await makeKv(primary)
  for (const second of [{ ping: {} }, { none: {} }]) {
    const client = await connect()
    await client.ask({ begin: {} })
    await client.ask({ insert: { table: 'kv', rows: [{ id: 'none' in second ? 1 : 2 }] } })
    engine.before.hold()
    client.socket.send('{"id":99,"commit":{}}')
    await engine.before.arrival()
    client.socket.send(JSON.stringify({ id: 99, ...second }))
    t.match(await client.closed, { code: 4400, reason: 'request id 99 is in use' })
    engine.before.open()
  }
})

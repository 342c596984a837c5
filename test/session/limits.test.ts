/** Limits of sessions: typed, named, and no more held than they say; what is given back can be taken again. */
import t from 'tap'
import { SESSION_FRAME_BYTES_MAX } from '../../core/limits.js'
import { ManualClock } from '../primary/manual-clock.js'
import { until } from '../replication/until.js'
import { FORMS, type Sent, makeKv, serveSessions } from './serving-sessions.js'

const GET: Sent = { get: { table: 'kv', key: { id: 1 } } }

t.test('connections of the server and of a catalog', async (t) => {
  const { connect, primary, sessions } = await serveSessions(t, {
    limits: { server: { connections: 3 }, catalog: { connections: 2 } },
  })
  await primary.createCatalog('two')
  const first = await connect()
  await connect()
  await t.rejects(connect(), /503/)
  await connect('two')
  await t.rejects(connect('two'), /503/, 'now the server is full')
  await first.vanish()
  await until(() => sessions.status().connections === 2)
  await connect('two')
})

t.test('sessions of the server, of a catalog and of a connection', async (t) => {
  const { connect, primary, sessions } = await serveSessions(t, {
    limits: { server: { sessions: 4 }, catalog: { sessions: 3 } },
    connectionLimits: { connectionSessions: 2 },
  })
  await primary.createCatalog('two')
  const client = await connect()
  const second = await connect()
  const tenant = await connect('two')
  await client.ask({ ping: {} }, 1)
  await client.ask({ begin: {} }, 2)
  t.match(await client.refusal({ ping: {} }, 3), {
    code: 'LIMIT',
    limit: 'connectionSessions',
    scope: 'connection',
    value: 2,
    retryable: true,
    transaction: 'none',
  })
  t.equal(sessions.status().refused, 1)
  await second.ask({ ping: {} })
  t.match(await second.refusal({ ping: {} }, 1), { code: 'LIMIT', limit: 'sessions', scope: 'catalog', value: 3 })
  await tenant.ask({ ping: {} })
  t.match(await tenant.refusal({ ping: {} }, 1), { code: 'LIMIT', limit: 'sessions', scope: 'server', value: 4 })
  await client.ask({ closeSession: {} }, 2)
  await tenant.ask({ ping: {} }, 1)
  t.equal(sessions.status().sessions, 4)
  t.equal(primary.openTransactions, 0)
})

t.test('open transactions: a begin beyond is refused, the open one stays open', async (t) => {
  const { connect, primary } = await serveSessions(t, { limits: { catalog: { openTransactions: 2 } } })
  const client = await connect()
  await client.ask({ begin: {} }, 1)
  await client.ask({ begin: {} }, 2)
  const { message, ...error } = await client.refusal({ begin: {} }, 3)
  t.match(error, { code: 'LIMIT', limit: 'openTransactions', value: 2, transaction: 'none', catalog: 'local' })
  t.match(message, /2 transactions/)
  t.equal(primary.openTransactions, 2)
  await client.ask({ rollback: {} }, 1)
  await client.ask({ begin: {} }, 3)
})

t.test('cursors of a session and of a catalog leave the transaction open', async (t) => {
  const { connect, primary, sessions } = await serveSessions(t, {
    limits: { catalog: { cursors: 4 } },
    connectionLimits: { sessionCursors: 3 },
  })
  await makeKv(primary, 5)
  const client = await connect()
  await client.ask({ begin: {} })
  await client.ask({ begin: {} }, 1)
  const open: Sent = { openCursor: { table: 'kv' } }
  for (let cursor = 1; cursor <= 3; cursor++) t.same(await client.ask(open), { cursor })
  t.match(await client.refusal(open), { code: 'LIMIT', limit: 'sessionCursors', value: 3, transaction: 'open' })
  await client.ask(open, 1)
  t.match(await client.refusal(open, 1), { code: 'LIMIT', limit: 'cursors', value: 4, transaction: 'open' })
  await client.ask({ closeCursor: { cursor: 2 } })
  t.same(await client.ask(open, 1), { cursor: 2 })
  t.equal(await client.refused({ openCursor: { table: 'none' } }), 'LIMIT, open')
  await client.ask({ rollback: {} }, 1)
  t.equal(await client.refused({ openCursor: { table: 'none' } }), 'NOT_FOUND, open')
  t.same(await client.ask(open), { cursor: 4 }, 'numbers are not used again, and what failed took nothing')
  await client.ask({ commit: {} })
  t.equal(sessions.status().cursors, 0)
})

t.test('requests that are not answered: more are refused at once', async (t) => {
  const { connect, primary, engine } = await serveSessions(t, { connectionLimits: { connectionRequests: 5 } })
  await makeKv(primary, 5)
  const client = await connect()
  await client.ask({ begin: {} })
  await client.ask({ update: { table: 'kv', key: { id: 1 }, set: { value: 'x' } } })
  engine.before.hold()
  const commit = client.tell({ commit: {} })
  await engine.before.arrival()
  const queued = Array.from({ length: 4 }, () => client.tell(GET))
  t.match(await client.refusal(GET), { code: 'LIMIT', limit: 'connectionRequests', value: 5, scope: 'connection' })
  t.match(await client.refusal({ begin: {} }, 7), { code: 'LIMIT', limit: 'connectionRequests', transaction: 'none' })
  engine.before.open()
  t.match(await commit, { result: { replayed: false } })
  for (const told of await Promise.all(queued)) t.match(told, { error: { code: 'NO_TRANSACTION' } })
  await client.ask({ begin: {} })
})

t.test('requests a second of a catalog, by a token bucket', async (t) => {
  const clock = new ManualClock()
  const { connect, primary } = await serveSessions(t, { clock, limits: { catalog: { requestsPerSecond: 10 } } })
  await primary.createCatalog('two')
  const client = await connect()
  const told = await Promise.all(Array.from({ length: 12 }, () => client.tell({ ping: {} })))
  t.equal(told.filter(({ error }) => error === undefined).length, 10)
  const { message, ...error } = await client.refusal({ ping: {} })
  t.match(error, { code: 'LIMIT', limit: 'requestsPerSecond', value: 10, scope: 'catalog', retryAfterMs: 100 })
  t.match(message, /retry after 100 ms/)
  await (await connect('two')).ask({ ping: {} })
  await clock.advance(200)
  await client.ask({ ping: {} })
  await client.ask({ ping: {} })
  t.equal(await client.refused({ ping: {} }), 'LIMIT, none')
})

t.test('bytes that all connections hold', async (t) => {
  const { connect, primary, engine, sessions } = await serveSessions(t, { connectionLimits: { heldBytes: 20_000 } })
  await makeKv(primary, 5)
  const client = await connect()
  const other = await connect()
  await client.ask({ begin: {} })
  await client.ask({ update: { table: 'kv', key: { id: 1 }, set: { value: 'x' } } })
  engine.before.hold()
  const commit = client.tell({ commit: {} })
  await engine.before.arrival()
  const queued = client.tell({ insert: { table: 'kv', rows: [{ id: 9, value: 'x'.repeat(15_000) }] } })
  await client.ask({ ping: {} }, 1)
  t.match(await other.refusal({ insert: { table: 'kv', rows: [{ id: 9, value: 'x'.repeat(5000) }] } }), {
    code: 'LIMIT',
    limit: 'heldBytes',
    scope: 'server',
  })
  await other.ask({ ping: {} })
  engine.before.open()
  await commit
  await queued
  await until(() => sessions.status().heldBytes === 0)
})

for (const form of FORMS) {
  t.test(`${form} frames that are too large are refused by id, or end the connection`, async (t) => {
    const { connect, primary, sessions } = await serveSessions(t, { limits: { catalog: { frameBytes: 10_000 } } })
    await makeKv(primary)
    const client = await connect()
    client.form = form
    await client.ask({ begin: {} })
    const insert = (bytes: number): Sent => ({ insert: { table: 'kv', rows: [{ id: 1, value: 'x'.repeat(bytes) }] } })
    const error = await client.refusal(insert(10_000))
    t.match(error, { code: 'TOO_LARGE', limit: 'frameBytes', value: 10_000, transaction: 'open', retryable: false })
    await client.ask(insert(9000))
    client.socket.send(Buffer.alloc(10_001, 0xff), { binary: form === 'binary' })
    t.match(await client.closed, { code: form === 'binary' ? 4400 : 1007 })
    await until(() => primary.openTransactions === 0)
    t.equal(sessions.status().cut.malformed, 1)
  })
}

t.test('a frame beyond all bounds is not even read to its end', async (t) => {
  const { connect, sessions } = await serveSessions(t)
  const client = await connect()
  client.socket.on('error', () => undefined)
  client.socket.send(Buffer.alloc(SESSION_FRAME_BYTES_MAX + 2 * 1024 * 1024))
  t.match(await client.closed, { code: 1009 })
  t.equal(sessions.status().heldBytes, 0)
})

t.test('the largest row fits into a frame', async (t) => {
  const { connect, primary } = await serveSessions(t)
  await makeKv(primary)
  const client = await connect()
  client.form = 'binary'
  await client.ask({ begin: {} })
  const value = 'x'.repeat(16 * 1024 * 1024 - 100)
  await client.ask({ insert: { table: 'kv', rows: [{ id: 1, value }] } })
  const { row } = await client.ask(GET)
  t.equal((row as { value: string }).value.length, value.length)
  await client.ask({ rollback: {} })
})

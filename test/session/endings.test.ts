/** G5: a disconnect, a timeout, age and shutdown roll back, and leave neither lock nor snapshot nor cursor behind. */
import t, { type Test } from 'tap'
import { CONNECTION_PING_MS } from '../../core/limits.js'
import { ManualClock } from '../primary/manual-clock.js'
import { until } from '../replication/until.js'
import {
  type Sent,
  type ServingOptions,
  type ServingSessions,
  type SessionClient,
  makeKv,
  serveSessions,
} from './serving-sessions.js'

const LIMITS = { server: { transactionIdleMs: 5000, transactionAgeMs: 20_000, sessionIdleMs: 60_000 } }

interface Ending extends ServingSessions {
  readonly clock: ManualClock
  /** Has a transaction with writes, a definition, a lock and a cursor. */
  readonly mine: SessionClient
  readonly other: SessionClient
}

async function busy(t: Test, options: ServingOptions = {}): Promise<Ending> {
  const clock = new ManualClock()
  const serving = await serveSessions(t, { clock, limits: LIMITS, ...options })
  await makeKv(serving.primary, 30)
  const mine = await serving.connect()
  const other = await serving.connect()
  await beginBusy(mine)
  return { ...serving, clock, mine, other }
}

async function beginBusy(client: SessionClient, session = 0): Promise<void> {
  const operations: readonly Sent[] = [
    { begin: {} },
    { insert: { table: 'kv', rows: [{ id: 100 + session, value: 'mine' }] } },
    { createTable: { table: { name: `t${session}`, columns: [{ name: 'a', type: 'INTEGER' }], primaryKey: ['a'] } } },
    { getForUpdate: { table: 'kv', key: { id: 1 + session } } },
    { openCursor: { table: 'kv' } },
    { fetch: { cursor: 1, rows: 5 } },
  ]
  for (const operation of operations) {
    const { error } = await client.tell(operation, session)
    if (error !== undefined) throw new Error(`${error.code}: ${error.message}`)
  }
}

/** Another client sees nothing of it, gets its locks, and the server holds nothing for it any more. */
async function nothingIsLeft(t: Test, { primary, sessions, other }: Ending): Promise<void> {
  t.equal(primary.openTransactions, 0)
  t.equal(primary.state.versions.openSnapshots, 0)
  t.equal(sessions.status().cursors, 0)
  t.equal(primary.catalog().get('kv', { id: 100 }), undefined)
  t.same(
    (await primary.catalog().tables()).map(({ name }) => name),
    ['kv'],
  )
  await other.ask({ begin: {} })
  t.match(await other.ask({ getForUpdate: { table: 'kv', key: { id: 1 }, timeoutMs: 0 } }), { row: { value: 'old' } })
  await other.ask({ rollback: {} })
}

t.test('a client that vanishes', async (t) => {
  const ending = await busy(t)
  await ending.mine.vanish()
  await until(() => ending.sessions.status().connections === 1)
  await nothingIsLeft(t, ending)
  t.equal(ending.sessions.status().rolledBack.disconnect, 1)
})

t.test('a client that says goodbye with a transaction open, in many sessions', async (t) => {
  const ending = await busy(t)
  for (let session = 1; session < 20; session++) await beginBusy(ending.mine, session)
  t.equal(ending.primary.openTransactions, 20)
  ending.mine.socket.close()
  await until(() => ending.sessions.status().connections === 1)
  await nothingIsLeft(t, ending)
  t.equal(ending.sessions.status().rolledBack.disconnect, 20)
  t.equal(ending.sessions.status().sessions, 1, "the other client's")
})

t.test('a client that vanishes while it waits for a lock gives up its place in line', async (t) => {
  const ending = await busy(t)
  const { other, mine, connect, primary } = ending
  const third = await connect()
  await third.ask({ begin: {} })
  const waiting = third.tell({ getForUpdate: { table: 'kv', key: { id: 1 } } })
  waiting.catch(() => undefined)
  await other.ask({ begin: {} })
  const next = other.tell({ getForUpdate: { table: 'kv', key: { id: 1 } } })
  await other.ask({ ping: {} }, 1)
  await third.vanish()
  await until(() => primary.openTransactions === 2)
  await mine.ask({ rollback: {} })
  t.match(await next, { result: { row: { value: 'old' } } })
  await other.ask({ rollback: {} })
  await nothingIsLeft(t, ending)
})

t.test(
  'a client that vanishes during its commit: it commits whole or not at all, and is not rolled back',
  async (t) => {
    const { mine, primary, engine, sessions } = await busy(t)
    engine.before.hold()
    void mine.tell({ commit: {} })
    await engine.before.arrival()
    await mine.vanish()
    await until(() => sessions.status().connections === 1)
    t.equal(primary.catalog().get('kv', { id: 100 }), undefined, 'G2: not durable yet')
    engine.before.open()
    await until(() => primary.openTransactions === 0)
    t.match(primary.catalog().get('kv', { id: 100 }), { value: 'mine' })
    t.equal(sessions.status().rolledBack.disconnect, 0)
    t.equal(primary.state.versions.openSnapshots, 0)
  },
)

t.test('a client that asks for nothing for too long is told so by its next operation, once', async (t) => {
  const ending = await busy(t)
  const { clock, mine, sessions } = ending
  await clock.advance(4000)
  await mine.ask({ ping: {} })
  await clock.advance(4000)
  t.equal(ending.primary.openTransactions, 1, 'a request in between starts the time anew')
  await clock.advance(2000)
  await nothingIsLeft(t, ending)
  const { message, ...error } = await mine.refusal({ commit: {} })
  t.match(error, {
    code: 'LIMIT',
    transaction: 'rolled back',
    retryable: true,
    limit: 'transactionIdleMs',
    value: 5000,
    scope: 'server',
  })
  t.match(message, /5000 ms/)
  t.equal(await mine.refused({ commit: {} }), 'NO_TRANSACTION, none')
  await mine.ask({ begin: {} })
  t.equal(sessions.status().rolledBack.idle, 1)
})

t.test('a nested begin after the server ended the transaction is told so; a rollback has what it wants', async (t) => {
  const { clock, mine } = await busy(t)
  await clock.advance(6000)
  t.equal(await mine.refused({ begin: {} }), 'LIMIT, rolled back')
  await mine.ask({ begin: {} })
  await clock.advance(6000)
  await mine.ask({ rollback: {} })
  t.equal(await mine.refused({ rollback: {} }), 'NO_TRANSACTION, none')
  await mine.ask({ begin: {} })
  await clock.advance(6000)
  t.equal(await mine.refused({ fetch: { cursor: 1, rows: 1 } }), 'LIMIT, rolled back')
  t.equal(await mine.refused({ fetch: { cursor: 1, rows: 1 } }), 'CURSOR_CLOSED, none')
})

t.test('a transaction that is too old', async (t) => {
  const ending = await busy(t)
  const { clock, mine, sessions } = ending
  for (let turn = 0; turn < 7; turn++) {
    await clock.advance(3000)
    await mine.tell({ ping: {} })
  }
  await nothingIsLeft(t, ending)
  t.equal(await mine.refused({ get: { table: 'kv', key: { id: 1 } } }), 'SNAPSHOT_TOO_OLD, rolled back')
  t.equal(await mine.refused({ get: { table: 'kv', key: { id: 1 } } }), 'NO_TRANSACTION, none')
  t.equal(sessions.status().rolledBack.age, 1)
})

t.test('a session without a transaction is forgotten after a while, which nobody notices', async (t) => {
  const { clock, mine, sessions } = await busy(t)
  await mine.ask({ rollback: {} })
  await mine.ask({ ping: {} }, 5)
  t.equal(sessions.status().sessions, 2)
  mine.socket.on('ping', () => undefined)
  for (let turn = 0; turn < 7; turn++) {
    await clock.advance(10_000)
    await mine.ask({ ping: {} }, 5)
  }
  t.equal(sessions.status().sessions, 1)
  t.equal(await mine.refused({ commit: {} }), 'NO_TRANSACTION, none')
})

t.test('shutdown rolls back, answers commits that are under way, and closes', async (t) => {
  const { mine, other, connect, sessions, engine, primary } = await busy(t)
  await other.ask({ begin: {} })
  await other.ask({ insert: { table: 'kv', rows: [{ id: 200 }] } })
  engine.before.hold()
  const committing = other.tell({ commit: {} })
  const queued = other.tell({ begin: {} })
  await engine.before.arrival()
  const closing = sessions.close()
  t.match((await queued).error, { code: 'CLOSED', transaction: 'none', retryable: true })
  t.equal(primary.catalog().get('kv', { id: 100 }), undefined)
  await t.rejects(connect(), /503/, 'nobody else gets in')
  engine.before.open()
  t.match(await committing, { result: { replayed: false } }, 'G10: its outcome is told')
  await closing
  t.match(await mine.closed, { code: 1001, reason: /shutting down/ })
  t.match(await other.closed, { code: 1001 })
  t.equal(sessions.status().rolledBack.shutdown, 1)
  t.equal(primary.openTransactions, 0)
  t.equal(primary.state.versions.openSnapshots, 0)
  t.match(primary.catalog().get('kv', { id: 200 }), { id: 200 })
})

t.test('shutdown does not wait for ever for a device that does not answer', async (t) => {
  const { mine, sessions, primary, engine, clock } = await busy(t)
  engine.before.hold()
  void mine.tell({ commit: {} })
  await engine.before.arrival()
  const closing = sessions.close()
  await clock.advance(10_000)
  await closing
  t.equal(primary.openTransactions, 1, 'whose outcome nobody knows yet')
})

t.test('a peer that is silent is cut off, one that answers pings is not', async (t) => {
  const { clock, mine, sessions, other } = await busy(t)
  let pings = 0
  mine.socket.on('ping', () => pings++)
  for (let turn = 0; turn < 8; turn++) {
    await clock.advance(CONNECTION_PING_MS)
    await until(() => pings > turn)
    await new Promise(setImmediate)
  }
  t.equal(sessions.status().connections, 2)
  // From now on it reads nothing and so answers no ping.
  mine.socket.pause()
  for (let turn = 0; turn < 6; turn++) {
    await clock.advance(CONNECTION_PING_MS)
    await other.ask({ ping: {} })
  }
  await until(() => sessions.status().connections === 1)
  t.equal(sessions.status().cut.silent, 1)
})

/** Peers that do not read: bounded memory, no work done for them, a reason, and nobody else waits. */
import t from 'tap'
import { ManualClock } from '../primary/manual-clock.js'
import { until } from '../replication/until.js'
import { type Sent, makeKv, serveSessions } from './serving-sessions.js'

const ROW_BYTES = 200_000
const ROWS = 10
const SCAN_BYTES = ROW_BYTES * ROWS
const UNSENT_BYTES = 1024 * 1024
const SCAN: Sent = { scan: { table: 'kv' } }

t.test('a peer that asks for much and reads nothing is held up, then cut off with a reason', async (t) => {
  const clock = new ManualClock()
  const { connect, primary, sessions } = await serveSessions(t, {
    clock,
    connectionLimits: { connectionUnsentBytes: UNSENT_BYTES, connectionSlowMs: 5000 },
  })
  await makeKv(primary)
  const rows = Array.from({ length: ROWS }, (_, id) => ({ id, value: 'x'.repeat(ROW_BYTES) }))
  await primary.catalog().execute([{ insert: { table: 'kv', rows } }])
  const slow = await connect()
  const other = await connect()
  for (const session of [0, 1, 2]) await slow.ask({ begin: {} }, session)
  slow.socket.pause()
  const asked = 60
  for (let n = 0; n < asked; n++) void slow.tell(SCAN, n % 3)

  await until(() => sessions.status().heldBytes > UNSENT_BYTES)
  for (let turn = 0; turn < 20; turn++) await other.ask({ ping: {} })
  const { heldBytes } = sessions.status()
  t.ok(heldBytes < UNSENT_BYTES + 4 * SCAN_BYTES, `${heldBytes} bytes are held, not ${asked * SCAN_BYTES}`)
  t.equal(primary.openTransactions, 3)

  await other.ask({ begin: {} })
  t.equal(((await other.ask(SCAN))['rows'] as unknown[]).length, ROWS, 'others are served')
  await clock.advance(4000)
  t.equal(sessions.status().connections, 2, 'not yet')
  await clock.advance(2000)
  t.equal(primary.openTransactions, 1, 'its transactions are rolled back at once')
  t.equal(sessions.status().cut.slow, 1)
  await clock.advance(2000)
  await until(() => sessions.status().connections === 1)
  t.equal(sessions.status().heldBytes, 0)
  await other.ask({ rollback: {} })
})

t.test('a peer that is slow but reads gets everything', async (t) => {
  const { connect, primary, sessions } = await serveSessions(t, {
    connectionLimits: { connectionUnsentBytes: 50_000 },
  })
  await makeKv(primary, 2000)
  const client = await connect()
  await client.ask({ begin: {} })
  client.socket.pause()
  const asked = Array.from({ length: 100 }, () => client.tell(SCAN))
  await until(() => sessions.status().heldBytes > 0)
  client.socket.resume()
  for (const { result } of await Promise.all(asked)) {
    if ((result!['rows'] as unknown[]).length !== 2000) t.fail('rows are missing')
  }
  t.equal(sessions.status().cut.slow, 0)
  await until(() => sessions.status().heldBytes === 0)
  await client.ask({ commit: {} })
})

t.test('a peer that sends much at once is read no faster than it is answered', async (t) => {
  const { connect, primary, engine, sessions } = await serveSessions(t, {
    connectionLimits: { connectionRequestBytes: 100_000 },
  })
  await makeKv(primary, 5)
  const client = await connect()
  const other = await connect()
  await client.ask({ begin: {} })
  await client.ask({ update: { table: 'kv', key: { id: 1 }, set: { value: 'x' } } })
  engine.before.hold()
  const commit = client.tell({ commit: {} })
  await engine.before.arrival()
  const many = Array.from({ length: 400 }, (_, n) =>
    client.tell({ insert: { table: 'kv', rows: [{ id: 10 + n, value: 'x'.repeat(50_000) }] } }),
  )
  await until(() => sessions.status().heldBytes > 100_000)
  for (let turn = 0; turn < 20; turn++) await other.ask({ ping: {} })
  const { heldBytes } = sessions.status()
  t.ok(heldBytes < 1_000_000, `${heldBytes} bytes are held of 20,000,000`)
  engine.before.open()
  await commit
  const codes = new Set((await Promise.all(many)).map(({ error }) => error?.code))
  t.same([...codes], ['NO_TRANSACTION'], 'and each is answered in the end')
})

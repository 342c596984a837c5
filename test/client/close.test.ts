/** Closing a client: what was asked for is finished, what comes later is refused, and nothing is left behind. */
import t from 'tap'
import { Client } from '../../tools/client/client.js'
import { until } from '../replication/until.js'
import { FakeServer, agreeing } from './fake-server.js'
import { codeOf, reasonOf } from './outcome.js'
import { QUICK, Serving, makeTable, rowsOf } from './serving.js'

void t.test('close lets the calls under way and those in line end, and refuses the next', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const client = await serving.client(t, { pool: { max: 2 } })
  const running = Array.from({ length: 10 }, (_, id) =>
    client.transaction(async (tx) => {
      await tx.insert('test.t', { id: BigInt(id), n: 0n })
      await tx.get('test.t', { id: BigInt(id) })
    }),
  )
  t.equal(client.load.waiting, 8)
  const closing = client.close()
  t.equal(await codeOf(client.ping()), 'CLOSED')
  t.equal(await codeOf(client.transaction(() => undefined)), 'CLOSED')
  t.equal(await codeOf(client.session()), 'CLOSED')
  await closing
  await client.close()
  await Promise.all(running)
  t.equal((await rowsOf(serving.db)).length, 10)
  // The server hears of it a moment later than the client.
  await until(() => serving.sessions.status().connections === 0)
})

void t.test('what does not end in time is cut, and rolled back', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const client = await serving.client(t)
  const session = await client.session()
  const tx = await session.begin()
  await tx.insert('test.t', { id: 1n, n: 1n })
  const stuck = codeOf(
    client.transaction(async (own) => {
      await own.insert('test.t', { id: 2n, n: 2n })
      await new Promise((resolve) => setTimeout(resolve, 40))
      await own.get('test.t', { id: 2n })
    }),
  )
  await client.close({ timeoutMs: 10 })
  t.match(await reasonOf(tx.get('test.t', { id: 1n })), { code: 'CLOSED' })
  t.equal(await stuck, 'CLOSED')
  t.equal(await codeOf(session.begin()), 'CLOSED')
  session.release()
  t.strictSame(await rowsOf(serving.db), [])
})

void t.test('close ends the attempts to connect, and who waits for them', async (t) => {
  const server = await FakeServer.start(t, (request, socket) => {
    socket.terminate()
    return agreeing(request, socket)
  })
  const client = await Client.connect(server.url, { protocol: 'json', reconnect: { minMs: 10_000, maxMs: 10_000 } })
  const session = await client.session()
  const begun = codeOf(session.begin())
  await client.close({ timeoutMs: 10 })
  t.equal(await begun, 'CLOSED')
})

void t.test('a commit that is cut by close is unknown', async (t) => {
  const server = await FakeServer.start(t, (request, socket) =>
    request.name === 'commit' || request.name === 'execute' ? undefined : agreeing(request, socket),
  )
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json' })
  const work = client.transaction((tx) => tx.insert('test.t', { id: 1n }))
  const oneShot = client.execute([{ insert: { table: 'test.t', rows: [{ id: 1n }] } }])
  const outcomes = Promise.all([codeOf(work), codeOf(oneShot)])
  while (!server.names.includes('commit') || !server.names.includes('execute')) {
    await new Promise((resolve) => setImmediate(resolve))
  }
  await client.close({ timeoutMs: 1 })
  t.strictSame(await outcomes, ['COMMIT_UNKNOWN', 'COMMIT_UNKNOWN'])
})

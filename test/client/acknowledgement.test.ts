/**
 * A session asks for its own acknowledgement as HTTP does: what replicas have not confirmed in time is committed all the
 * same, and is called so; what an answer got lost of is confirmed by replicas before it counts as found. (G10)
 */
import t from 'tap'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isReplogError } from '../../core/errors.js'
import { Primary, type PrimaryOptions } from '../../primary/primary.js'
import { ServedPrimary } from '../../primary/served-primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { Client } from '../../tools/client/client.js'
import { follow } from '../replication/linked-pair.js'
import { ITEMS } from '../replication/tables.js'
import { TcpProxy } from '../replication/tcp-proxy.js'
import { until } from '../replication/until.js'

async function open(
  t: Parameters<typeof follow>[0],
  protocol: 'binary' | 'json',
  options: Partial<PrimaryOptions> = {},
) {
  const primary = await Primary.open({ path: '/primary', engine: new MemoryEngine(), ...options })
  const served = new ServedPrimary(primary, { name: 'primary', onError: (error) => t.fail(String(error)) })
  const server = createServer()
  served.sockets.attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const proxy = await TcpProxy.start(t, port)
  const client = await Client.connect(proxy.url, { protocol, reconnect: { minMs: 1, maxMs: 10 } })
  await primary.catalog().execute([{ createTable: { table: ITEMS } }], { ack: 'local' })
  t.teardown(async () => {
    await client.close({ timeoutMs: 0 })
    await served.close()
    server.close()
    await primary.close()
  })
  return { primary, client, proxy, url: `http://127.0.0.1:${port}` }
}

const insert = (code: string) => [{ insert: { table: 'items', rows: [{ code }] } }]

for (const protocol of ['binary', 'json'] as const) {
  void t.test(`over ${protocol} frames`, async (t) => {
    const { primary, client, url } = await open(t, protocol)
    const ack = { level: 'durable', timeoutMs: 50 } as const
    const rowsAre = (count: number): void => {
      const { storageId } = primary.catalog().table('items')
      t.equal(primary.state.statistics.durableTable(storageId).rows, count)
    }
    const session = await client.session()
    const tx = await session.begin()
    await tx.insert('items', { code: 'one' })
    const refusal = await tx.commit({ ack }).catch((error: unknown) => error)
    t.ok(isReplogError(refusal, 'ACK_TIMEOUT'), String(refusal))
    t.equal(tx.status, 'committed')
    rowsAre(1)
    let runs = 0
    const work = client.transaction(
      async (tx) => {
        runs++
        await tx.insert('items', { code: 'two' })
      },
      { ack },
    )
    await t.rejects(work, { code: 'ACK_TIMEOUT' })
    t.equal(runs, 1, 'what is committed is not run again')
    await t.rejects(client.execute(insert('three'), { ack }), { code: 'ACK_TIMEOUT' })
    rowsAre(3)
    await client.execute(insert('four'), { ack: 'local' })
    await client.execute(insert('five'), { ack: { ...ack, onTimeout: 'continue' } })
    rowsAre(5)

    const unused = await primary.catalog().execute([], { idempotencyKey: 'unused', ack: { level: 'durable' } })
    t.equal(unused.replayed, false, 'of a key that nobody used there is nothing to confirm')

    const malformed = ['soon', { level: 'durable', replicas: 0 }, { level: 'durable', timeoutMs: 0 }, {}]
    for (const demand of malformed) {
      const one = await session.begin()
      await one.insert('items', { code: 'six' })
      await t.rejects(one.commit({ ack: demand as never }), { code: 'INVALID_ARGUMENT' }, JSON.stringify(demand))
      t.equal(one.status, 'open', 'a demand that is malformed ends nothing')
      await one.rollback()
      await t.rejects(client.execute(insert('six'), { ack: demand as never }), { code: 'INVALID_ARGUMENT' })
    }
    session.release()
    rowsAre(5)

    const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: url })
    for (const level of ['received', 'durable', 'applied'] as const) {
      const { lsn } = await client.execute(insert(`with ${level}`), { ack: { level } })
      if (level !== 'received') t.ok(replica.position.lsn >= lsn, `${level} is ${level}`)
    }
    await client.transaction((tx) => tx.insert('items', { code: 'applied' }), { ack: 'applied' })
    t.equal(replica.position.lsn, primary.position.lsn)
  })
}

void t.test('an outcome that was lost with its answer is confirmed before it is told', async (t) => {
  const { primary, client, proxy, url } = await open(t, 'binary')
  const before = primary.position.lsn
  const work = client.transaction((tx) => tx.insert('items', { code: 'one' }), {
    ack: { level: 'applied', timeoutMs: 60_000 },
  })
  let isOver = false
  void work.finally(() => (isOver = true)).catch(() => undefined)
  await until(() => primary.position.lsn > before && primary.acknowledgements.waiting > 0)
  const { connections } = proxy
  proxy.cut()
  await until(() => proxy.connections > connections && primary.acknowledgements.waiting > 1)
  t.equal(isOver, false, 'that it is committed was found out, and is not all that was asked for')
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: url })
  await work
  t.equal(replica.position.lsn, primary.position.lsn)
  t.equal(primary.position.lsn, before + 1n, 'it was done once')
})

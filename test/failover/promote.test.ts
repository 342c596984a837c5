/**
 * Promotion of an embedded replica. G1: its role, and the begin of its epoch, are each one batch. G7: what follows has the
 * same log. G10: idempotency keys hold across it.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { promote } from '../../index.js'
import { readPromotion } from '../../log/promotion.js'
import { Primary } from '../../primary/primary.js'
import { Replica } from '../../replica/replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { outcomeOf } from '../primary/outcome.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { differences } from '../replication/equal-stores.js'
import { follow, serve } from '../replication/linked-pair.js'
import { ITEMS, items } from '../replication/tables.js'
import { until } from '../replication/until.js'

const INSERT = (count: number, prefix: string) => [{ insert: { table: 'items', rows: items(count, prefix) } }]

void t.test('a replica takes over with all that it received; keys, ids and the other replica go on', async (t) => {
  const directory = scratchDirectory(t)
  const old = await serve(t, { path: join(directory, 'old') })
  const first = await old.primary.catalog().execute([{ createTable: { table: ITEMS } }], { idempotencyKey: 'table' })
  const order = await old.primary.catalog().execute(INSERT(3, 'order'), { idempotencyKey: 'order 1' })
  const one = await follow(t, { path: join(directory, 'one'), from: old.url })
  const two = await follow(t, { path: join(directory, 'two'), from: old.url })
  await Promise.all([one, two].map((replica) => replica.waitFor(order.position.lsn)))
  await old.close()

  const primary = await promote(one)
  t.teardown(() => primary.close())
  t.equal(primary.position.epoch, 2)
  t.equal(primary.position.lsn, order.position.lsn + 1n, 'the epoch begins with a transaction')
  t.same(await primary.catalog().execute(INSERT(3, 'order'), { idempotencyKey: 'order 1' }), {
    ...order,
    replayed: true,
  })
  t.same(await primary.catalog().outcome('table'), { position: first.position })
  const next = await primary.catalog().execute(INSERT(1, 'next'))
  t.match(next.results, [{ autoIncrement: [4n] }], 'ids of committed rows do not come again')
  t.equal(next.position.epoch, 2)

  await primary.close()
  const served = await serve(t, { path: join(directory, 'one') })
  t.equal(served.primary.position.epoch, 2, 'a restart begins no other epoch')
  two.follow(served.url)
  t.equal(two.from, served.url)
  await two.waitFor(served.primary.position.lsn)
  t.equal(await outcomeOf(Promise.resolve().then(() => two.follow('ftp://x'))), 'INVALID_ARGUMENT')
  t.equal(two.from, served.url)
  await two.close()
  await served.close()
  t.same(await differences(join(directory, 'one'), join(directory, 'two')), [])
  t.equal(
    await outcomeOf(Replica.open({ path: join(directory, 'one'), from: old.url })),
    'INVALID_ARGUMENT',
    'it is a primary now',
  )
})

/** What a crash finds of a replica with data whose promotion has gone so far. */
async function promotedSoFar(t: Test, memory: MemoryEngine) {
  const old = await serve(t, { path: '/old', engine: new MemoryEngine() })
  await old.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  const replica = await follow(t, { path: '/replica', engine: memory, from: old.url })
  await replica.waitFor(old.primary.position.lsn)
  await old.close()
  return replica
}

void t.test('a crash at any instant leaves a replica, or a primary that begins its epoch once', async (t) => {
  const memory = new MemoryEngine()
  const replica = await promotedSoFar(t, memory)
  const before = memory.crash()
  const again = await follow(t, { path: '/replica', engine: before, from: 'http://127.0.0.1:1' })
  t.equal(again.position.lsn, replica.position.lsn, 'before the batch of the role: a replica')
  const commits = again.state.store.counters.commits
  t.equal(await again.becomePrimary(), 2)
  t.equal(again.state.store.counters.commits, commits + 1, 'role and note are one batch')

  const refusing = before.crash()
  t.equal(await outcomeOf(Replica.open({ path: '/replica', engine: refusing, from: 'http://x' })), 'INVALID_ARGUMENT')
  const flipped = refusing.crash()
  const primary = await Primary.open({ path: '/replica', engine: flipped })
  t.equal(primary.state.store.counters.commits, 1, 'the epoch and the end of the note are one batch')
  t.match(primary.position, { epoch: 2, lsn: again.position.lsn + 1n })
  t.equal(readPromotion(primary.state.store), undefined)
  const third = await Primary.open({ path: '/replica', engine: flipped.crash() })
  t.same(third.position, primary.position, 'it does not begin again')
  await third.close()
})

void t.test('G2: what has arrived is applied before the role changes; nothing is taken after it', async (t) => {
  const old = await serve(t, { path: '/old', engine: new MemoryEngine() })
  const db = old.primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: old.url })
  await replica.waitFor(old.primary.position.lsn)
  let written = Promise.resolve()
  for (let round = 0; round < 50; round++) written = db.execute(INSERT(50, `${round}`)).then(() => undefined)
  await written
  await until(() => replica.replication().received.lsn !== replica.replication().applied.lsn || isEqual())
  const received = BigInt(replica.replication().received.lsn)
  await replica.becomePrimary()
  t.ok(replica.position.lsn >= received, 'all that was received')
  const { lsn } = replica.position
  await db.execute(INSERT(1, 'late'))
  t.equal(replica.position.lsn, lsn)
  t.equal(await outcomeOf(Promise.resolve().then(() => replica.follow(old.url))), 'CLOSED')

  function isEqual(): boolean {
    return replica.position.lsn === old.primary.position.lsn
  }
})

void t.test('what must not take over is refused, and nothing is changed', async (t) => {
  const empty = await follow(t, { path: '/empty', engine: new MemoryEngine(), from: 'http://127.0.0.1:1' })
  await t.rejects(promote(empty), { code: 'PROMOTION_REFUSED', message: /no data/ })
  await t.rejects(empty.becomePrimary(), { code: 'PROMOTION_REFUSED', message: /no data/ })

  const replica = await promotedSoFar(t, new MemoryEngine())
  const clusterId = replica.state.identity.clusterId!.toString('hex')
  const fences: unknown[] = []
  const server = createServer((request, response) => {
    const status = { role: 'primary', clusterId, epoch: 1, lsn: '9', position: `1.9.${'0'.repeat(32)}` }
    response.setHeader('content-type', 'application/json')
    if (request.url === '/v1/status') response.end(JSON.stringify(status))
    else {
      fences.push(request.url)
      response.end('{}')
    }
  })
  server.on('upgrade', (_request, socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise((resolve) => server.on('listening', resolve))
  replica.follow(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  await t.rejects(promote(replica), { code: 'PROMOTION_REFUSED', message: /7 transactions behind the primary at/ })
  t.same(fences, [], 'the primary was left alone')
  t.match(await replica.becomePrimary(), 2, 'it was still a replica')

  const paused = await promotedSoFar(t, new MemoryEngine())
  await paused.pause({ by: 'somebody', reason: 'a look' })
  await t.rejects(promote(paused), { code: 'PROMOTION_REFUSED', message: /resume it first/ })
  t.equal(paused.state.closed, false)

  const old = await serve(t, { path: '/old', engine: new MemoryEngine() })
  const part = await follow(t, { path: '/part', engine: new MemoryEngine(), from: old.url, only: ['local.test.t'] })
  await part.waitFor(old.primary.position.lsn)
  await t.rejects(promote(part, { force: true }), { code: 'PROMOTION_REFUSED', message: /holds everything/ })
  t.equal(old.primary.fence.met, undefined, 'the primary was left alone')
})

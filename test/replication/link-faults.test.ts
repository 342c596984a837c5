/** G7, G8: whatever the network does to the link, the replica ends with the primary's log, byte for byte. */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { MemoryEngine } from '../../store/memory-engine.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { GatedEngine } from '../primary/gated-engine.js'
import { differences } from './equal-stores.js'
import { follow, serve } from './linked-pair.js'
import { ITEMS, items } from './tables.js'
import { frameOffset, TcpProxy } from './tcp-proxy.js'
import { until } from './until.js'

/** A byte of each: magic, version, flags, length, checksum, epoch, LSN, segment, digest, payload. */
const HEADER_FIELDS = [0, 2, 3, 4, 7, 9, 12, 16, 24, 30, 44]

async function openBehindProxy(t: Parameters<typeof serve>[0]) {
  const stores = { primary: new MemoryEngine(), replica: new MemoryEngine() }
  const engine = new GatedEngine(stores.replica)
  const served = await serve(t, { path: '/primary', engine: stores.primary })
  const proxy = await TcpProxy.start(t, served.port)
  const db = served.primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  const insert = async (name: string, count = 3): Promise<void> => {
    await db.execute([{ insert: { table: 'items', rows: items(count, name) } }])
  }
  return { ...served, stores, engine, proxy, db, insert }
}

void t.test(`a link that is cut again and again under load, seed ${TEST_SEED}`, async (t) => {
  const { primary, proxy, stores, engine, insert } = await openBehindProxy(t)
  const random = new Random(TEST_SEED)
  const replica = await follow(t, { path: '/replica', engine, from: proxy.url })
  let loading = true
  const load = (async () => {
    for (let turn = 0; loading; turn++) {
      await insert(`turn ${turn}`, 1 + random.below(20))
      if (random.chance(0.2)) await delay(1)
    }
  })()
  for (let cut = 0; cut < 8; cut++) {
    const before = replica.position.lsn
    const next = before + BigInt(1 + random.below(30))
    // What came before the last cut is still applied while there is no connection, and a cut must break one.
    await until(() => replica.position.lsn >= next && proxy.connected)
    proxy.cut()
  }
  loading = false
  await load
  await replica.waitFor(primary.position.lsn)
  // What the last cut let through may be all there was, before the cut is noticed.
  await until(() => replica.replication().reconnects >= 8 && replica.replication().state === 'streaming')
  t.equal(replica.replication().error, null)
  t.same(await differences(stores.primary, stores.replica), [])
})

void t.test(
  `a byte of a frame that flips on its way is found, and the frame comes again, seed ${TEST_SEED}`,
  async (t) => {
    const { primary, proxy, stores, engine, insert } = await openBehindProxy(t)
    const random = new Random(TEST_SEED)
    const errors: string[] = []
    const replica = await follow(t, {
      path: '/replica',
      engine,
      from: proxy.url,
      onStateChange: (state, error) => {
        if (state !== 'streaming' && error !== undefined) errors.push(error.code)
      },
    })
    await replica.waitFor(primary.position.lsn)
    for (const [turn, field] of [...HEADER_FIELDS, undefined, undefined, undefined].entries()) {
      let flipped = false
      proxy.tamper = (chunk) => {
        const start = frameOffset(chunk)
        if (flipped || start === undefined) return chunk
        flipped = true
        const damaged = Buffer.from(chunk)
        const at = start + (field ?? random.below(chunk.length - start))
        damaged[at]! ^= 1 << random.below(8)
        return damaged
      }
      await insert(`turn ${turn}`, 1)
      // A damaged length may make the frame look longer than the message: that, too, must be noticed without more data.
      await replica.waitFor(primary.position.lsn)
      t.equal(flipped, true)
    }
    t.same([...new Set(errors)], ['CORRUPT'], 'named as what it is, each time')
    t.same(await differences(stores.primary, stores.replica), [])
  },
)

void t.test('a stream that breaks off within a frame is taken up again', async (t) => {
  const { primary, proxy, stores, engine, insert } = await openBehindProxy(t)
  const replica = await follow(t, { path: '/replica', engine, from: proxy.url })
  await replica.waitFor(primary.position.lsn)
  for (const kept of [1, 30, 44, 60]) {
    let broken = false
    proxy.tamper = (chunk) => {
      const start = frameOffset(chunk)
      if (broken || start === undefined) return chunk
      broken = true
      setImmediate(() => {
        proxy.cut()
      })
      return chunk.subarray(0, start + kept)
    }
    await insert(`kept ${kept}`)
    await replica.waitFor(primary.position.lsn)
  }
  t.same(await differences(stores.primary, stores.replica), [])
})

void t.test('a slow link delays, and nothing else', async (t) => {
  const { primary, proxy, stores, engine, insert } = await openBehindProxy(t)
  proxy.delayMs = 10
  const replica = await follow(t, { path: '/replica', engine, from: proxy.url })
  for (let turn = 0; turn < 20; turn++) await insert(`turn ${turn}`)
  await replica.waitFor(primary.position.lsn)
  t.equal(replica.replication().reconnects, 0)
  t.same(await differences(stores.primary, stores.replica), [])
})

void t.test('a primary that is not there yet is tried until it is', async (t) => {
  const { primary, proxy, engine } = await openBehindProxy(t)
  proxy.refuses = true
  const replica = await follow(t, { path: '/replica', engine, from: proxy.url })
  await until(() => proxy.connections > 2)
  t.match(replica.replication(), { state: 'connecting', error: { code: 'UNREACHABLE' }, primaryLsn: '0' })
  proxy.refuses = false
  await replica.waitFor(primary.position.lsn)
  t.equal(replica.replication().error, null)
})

void t.test('while the link is down the state says so, though groups in flight still end', async (t) => {
  const { primary, proxy, engine, insert } = await openBehindProxy(t)
  const replica = await follow(t, { path: '/replica', engine, from: proxy.url })
  t.teardown(() => engine.before.open())
  await replica.waitFor(primary.position.lsn)
  await until(() => replica.replication().state === 'streaming')
  engine.before.hold()
  await insert('in flight')
  await engine.before.arrival()
  proxy.refuses = true
  proxy.cut()
  await until(() => replica.replication().state === 'connecting')
  engine.before.open()
  await replica.waitFor(primary.position.lsn)
  t.equal(replica.replication().state, 'connecting')
})

void t.test('what waited from the old connection does not trip the new one', async (t) => {
  const { primary, proxy, engine, db, stores } = await openBehindProxy(t)
  const replica = await follow(t, { path: '/replica', engine, from: proxy.url })
  t.teardown(() => engine.before.open())
  await replica.waitFor(primary.position.lsn)
  engine.before.hold()
  // More than one group holds, so that some wait in the applier.
  const bytes = Buffer.alloc(1024 * 1024, 7)
  for (let turn = 0; turn < 40; turn++) await db.execute([{ insert: { table: 'items', rows: [{ bytes }] } }])
  await until(() => replica.replication().received.lsn === primary.position.lsn.toString())
  proxy.cut()
  await until(() => proxy.connections > 1)
  await delay(50)
  engine.before.open()
  await replica.waitFor(primary.position.lsn)
  t.match(replica.replication(), { reconnects: 1, error: null })
  t.same(await differences(stores.primary, stores.replica), [])
})

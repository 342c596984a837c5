/** Subscriptions hold the log on every server that has them, up to the hard cap, and who lost its place is told. (G9) */
import t from 'tap'
import { KnownSubscriptions } from '../../log/subscriptions/known-subscriptions.js'
import type { Catalog } from '../../primary/catalog.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { openGated } from '../primary/open-primary.js'
import { follow, serve } from '../replication/linked-pair.js'
import { until } from '../replication/until.js'
import { insertOrders, makeOrders, take, told } from './orders.js'

const CAP_BYTES = 1024 * 1024
const NAME = 'subscription all of catalog local'

/** LSN of a token that ends a transaction. */
const lsnOf = (token: string | null): bigint => BigInt(token!.split('.')[1]!)

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at)

t.test('what is acknowledged may go, and no more, also after a restart before anybody asks', async (t) => {
  const { primary, db, memory } = await openGated(t)
  await makeOrders(db)
  const { acknowledged } = await db.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(db, ...range(0, 20))
  const end = primary.position.lsn
  t.match(await primary.purgeLog({ beforeLsn: end }), { heldBack: [{ name: NAME, lsn: lsnOf(acknowledged) }] })
  t.equal(primary.state.trimFloor, lsnOf(acknowledged))

  const stream = db.subscribe('all')
  const seen = await take(stream, 20)
  await stream.ack(seen[9]!.token)
  await primary.purgeLog({ beforeLsn: end })
  t.equal(primary.state.trimFloor, lsnOf(seen[9]!.token))

  const again = await openGated(t, {}, memory.crash())
  t.match(await again.primary.purgeLog({ beforeLsn: end }), { transactions: 0, heldBack: [{ name: NAME }] })
  t.equal((await take(again.db.subscribe('all'), 1))[0]!.token, seen[10]!.token)
  await again.db.subscriptions.drop('all')
  t.match(await again.primary.purgeLog({ beforeLsn: end }), { heldBack: [] })
  t.equal(again.primary.state.trimFloor, end - 1n)
})

t.test('a part of a transaction that is acknowledged holds the whole of it', async (t) => {
  const { primary, db } = await openGated(t)
  await makeOrders(db)
  await db.subscriptions.create('all', { tables: ['orders'] })
  await db.execute([{ insert: { table: 'orders', rows: [1, 2].map((id) => ({ id, total: 1 })) } }])
  const { lsn } = primary.position
  const stream = db.subscribe('all')
  const seen = await take(stream, 2)
  await stream.ack(seen[0]!.token)
  await stream.return()
  await primary.purgeLog({ beforeLsn: primary.position.lsn })
  t.equal(primary.state.trimFloor, lsn - 1n)
  t.equal((await take(db.subscribe('all'), 1))[0]!.token, seen[1]!.token)
})

t.test('a catalog that is dropped holds nothing', async (t) => {
  const { primary } = await openGated(t)
  await primary.createCatalog('shop')
  const shop = primary.catalog('shop')
  await makeOrders(shop)
  await shop.subscriptions.create('all')
  await insertOrders(shop, 1, 2)
  const beforeLsn = primary.position.lsn
  t.match(await primary.purgeLog({ beforeLsn }), { heldBack: [{ name: 'subscription all of catalog shop' }] })
  await primary.dropCatalog('shop')
  t.match(await primary.purgeLog({ beforeLsn }), { heldBack: [] })
  t.match(primary.subscriptions.status(), { count: 0 })
})

t.test('a catalog that is dropped while subscriptions are looked for holds nothing', async (t) => {
  const { primary, engine } = await openGated(t)
  await primary.createCatalog('shop')
  await primary.catalog('shop').subscriptions.create('all')
  const { state, purger } = primary
  await purger.retention.settled()
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const page = engine.page.bind(engine)
  let isFirst = true
  engine.page = async (range, options) => {
    const read = await page(range, options)
    if (!isFirst) return read
    isFirst = false
    await released
    return read
  }
  const known = new KnownSubscriptions(state, purger.retention, (error) => t.error(error))
  t.teardown(() => known.stop())
  await primary.dropCatalog('shop')
  release()
  await known.settled()
  t.strictSame(known.list(), [])
})

t.test('subscriptions that are made at once each hold the log from where they begin', async (t) => {
  const { primary, db, engine } = await openGated(t)
  await db.subscriptions.create('first')
  engine.before.hold()
  const early = db.subscriptions.create('early', { after: '0' })
  await engine.before.arrival()
  const late = db.subscriptions.create('late')
  const held = primary.purger.retention.holders().filter(({ name }) => name.includes('is being made'))
  t.strictSame(
    held.map(({ lsn }) => lsn),
    [0n, primary.position.lsn],
  )
  engine.before.open()
  await Promise.all([early, late])
})

t.test('a replica holds its own log for them', async (t) => {
  const { primary, url } = await serve(t, { path: '/memory', engine: new MemoryEngine() })
  const db = primary.catalog()
  const replica = await follow(t, { path: '/memory', engine: new MemoryEngine(), from: url })
  await makeOrders(db)
  const { acknowledged } = await db.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(db, ...range(0, 10))
  await until(() => replica.position.lsn === primary.position.lsn)
  t.match(await replica.purgeLog({ beforeLsn: replica.position.lsn }), { heldBack: [{ lsn: lsnOf(acknowledged) }] })
  t.equal(replica.state.trimFloor, lsnOf(acknowledged))
})

async function insertMuch(db: Catalog, id: number): Promise<void> {
  await db.execute([{ insert: { table: 'notes', rows: [{ id, bytes: Buffer.alloc(150_000, id) }] } }])
}

t.test('the hard cap counts for more: the subscription is lost, says why, and is taken up by a reset', async (t) => {
  const { primary, db } = await openGated(t, { logRetention: { bytesMax: CAP_BYTES } })
  await makeOrders(db)
  const columns = [
    { name: 'id', type: 'INTEGER' },
    { name: 'bytes', type: 'BLOB' },
  ]
  await db.execute([{ createTable: { table: { name: 'notes', columns, primaryKey: ['id'] } } }])
  await insertOrders(db, 1)
  const { acknowledged } = await db.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(db, 2)
  for (let id = 0; id < 12; id++) await insertMuch(db, id)
  await until(() => {
    primary.purger.check()
    return primary.state.trimFloor > lsnOf(acknowledged)
  })
  await primary.purger.idle()
  t.match(primary.subscriptions.status(), { count: 1, lostCount: 1, lost: [{ catalog: 'local', name: 'all' }] })
  t.match(await db.subscriptions.get('all'), {
    state: 'lost',
    problem: /hard cap of 1048576 bytes.*Reset it/s,
    lag: null,
  })
  const lost = { code: 'HISTORY_LOST', message: /subscription all has lost its place.*hard cap/s }
  await t.rejects(db.subscribe('all').next(), lost)
  await t.rejects(db.subscriptions.ack('all', acknowledged!), lost)

  t.match(await db.subscriptions.reset('all', { snapshot: true }), { state: 'held', acknowledged: null })
  t.strictSame((await take(db.subscribe('all'), 2)).map(told), ['snapshot 1', 'snapshot 2'])
  t.match(primary.subscriptions.status(), { count: 1, active: 1, lostCount: 0 })
})

t.test('what a filter leaves out does not hold the log for ever', async (t) => {
  const { primary, db } = await openGated(t)
  await makeOrders(db)
  const { acknowledged } = await db.subscriptions.create('none', { tables: ['nothing'] })
  const stream = db.subscribe('none')
  const next = stream.next()
  await Promise.all(range(0, 1100).map((id) => insertOrders(db, id)))
  await until(async () => (await db.subscriptions.get('none')).acknowledged !== acknowledged)
  await primary.purgeLog({ beforeLsn: primary.position.lsn })
  t.ok(primary.state.trimFloor >= lsnOf(acknowledged) + 1000n)
  await stream.return()
  t.strictSame(await next, { done: true, value: undefined })
})

/** Durable subscriptions, embedded: what is not acknowledged comes again with equal tokens, wherever the log goes. (G3, G7) */
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.js'
import { isReplogError } from '../../core/errors.js'
import { formatPosition } from '../../core/position.js'
import type { Catalog } from '../../primary/catalog.js'
import { Primary } from '../../primary/primary.js'
import { CatalogSubscriptions } from '../../primary/subscriptions/catalog-subscriptions.js'
import { SubscriptionServer } from '../../primary/subscriptions/subscription-server.js'
import type { Delivery } from '../../primary/subscriptions/subscription-stream.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { openGated } from '../primary/open-primary.js'
import { collect } from '../primary/outcome.js'
import { follow, serve } from '../replication/linked-pair.js'
import { until } from '../replication/until.js'
import { insertOrders, makeOrders, take, told } from './orders.js'

async function code(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'resolved'
  } catch (error) {
    return isReplogError(error) ? error.code : String(error)
  }
}

async function opened(t: Test): Promise<{ primary: Primary; db: Catalog; memory: MemoryEngine }> {
  const { primary, db, memory } = await openGated(t)
  await makeOrders(db)
  return { primary, db, memory }
}

const tokens = (deliveries: readonly Delivery[]): string[] => deliveries.map(({ token }) => token)

t.test('what is acknowledged does not come again, and the rest does, in order and with equal tokens', async (t) => {
  const { db } = await opened(t)
  const made = await db.subscriptions.create('all', { tables: ['orders'] })
  t.match(made, { name: 'all', tables: ['orders'], operations: null, state: 'held', workers: [], problem: null })
  await insertOrders(db, 1, 2, 3)
  const first = db.subscribe('all')
  const seen = await take(first, 3)
  t.strictSame(seen.map(told), ['insert 1', 'insert 2', 'insert 3'])
  seen[0]!.ack()
  seen[2]!.ack()
  await first.return()
  t.equal((await db.subscriptions.get('all')).acknowledged, seen[0]!.token, 'the second is not acknowledged')

  const second = db.subscribe('all')
  const again = await take(second, 2)
  t.strictSame(tokens(again), tokens(seen.slice(1)))
  await second.ack(again[1]!.token)
  await insertOrders(db, 4)
  t.strictSame((await take(second, 1)).map(told), ['insert 4'])
  await second.return()
})

t.test('over a crash at least once, with equal tokens, from the place that is durable', async (t) => {
  const { db, memory } = await opened(t)
  await db.subscriptions.create('all', { after: '0', tables: ['orders'], operations: ['insert'] })
  await insertOrders(db, 1, 2, 3, 4)
  const seen = await take(db.subscribe('all', { worker: 'a' }), 4)
  await db.subscriptions.ack('all', seen[1]!.token)
  seen[2]!.ack()

  const { db: after } = await openGated(t, {}, memory.crash())
  const again = await take(after.subscribe('all', { worker: 'a' }), 2)
  const at = tokens(seen).indexOf(again[0]!.token)
  t.ok(at === 2 || at === 3, 'behind what was acknowledged and durable')
  t.equal(again[0]!.token, seen[at]!.token)
  if (at === 2) t.equal(again[1]!.token, seen[3]!.token)
  else await insertOrders(after, 5)
})

t.test('over a promotion: the new primary goes on where the old one was', async (t) => {
  const { primary, url, close } = await serve(t, { path: '/memory', engine: new MemoryEngine() })
  const db = primary.catalog()
  const engine = new MemoryEngine()
  const replica = await follow(t, { path: '/memory', engine, from: url, name: 'r' })
  await makeOrders(db)
  await db.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(db, 1, 2, 3)
  const stream = db.subscribe('all')
  const seen = await take(stream, 3)
  await stream.ack(seen[0]!.token)
  await stream.return()
  await until(() => replica.position.lsn === primary.position.lsn)
  await until(() => replica.subscriptions.list().length === 1)
  t.match(replica.subscriptions.status(), { count: 1, active: 0, lostCount: 0 })
  await close()
  await replica.becomePrimary()
  await replica.close()

  const promoted = await Primary.open({ path: '/memory', engine: engine.crash() })
  t.teardown(() => promoted.close())
  const again = await take(promoted.catalog().subscribe('all'), 2)
  t.strictSame(tokens(again), tokens(seen.slice(1)))
})

t.test('a snapshot comes first, goes on after a restart, and ends before what follows it', async (t) => {
  const { db, memory } = await opened(t)
  await insertOrders(db, 1, 2, 3)
  t.match(await db.subscriptions.create('copy', { tables: ['orders'], snapshot: true }), {
    acknowledged: null,
    lag: null,
  })
  const first = db.subscribe('copy')
  const seen = await take(first, 3)
  t.strictSame(seen.map(told), ['snapshot 1', 'snapshot 2', 'snapshot 3'])
  await first.ack(seen[1]!.token)
  await insertOrders(db, 4)

  const { db: after } = await openGated(t, {}, memory.crash())
  const second = after.subscribe('copy')
  const rest: Delivery[] = []
  // A change that the walk has not come to is told by a page.
  for (let end = ''; end !== 'snapshotEnd'; end = told(rest.at(-1)!)) {
    rest.push(...(await take(second, 1)))
    rest.at(-1)!.ack()
  }
  t.strictSame(
    rest.map(told).sort(),
    ['snapshot 3', 'snapshotEnd', ...[rest.some((one) => told(one) === 'insert 4') ? 'insert 4' : 'snapshot 4']].sort(),
  )
  await insertOrders(after, 5)
  const [next] = await take(second, 1)
  t.equal(told(next!), 'insert 5', 'the end was acknowledged')
})

t.test('of a large transaction the rest comes again', async (t) => {
  const { db } = await opened(t)
  await db.subscriptions.create('all', { tables: ['orders'] })
  await db.execute([{ insert: { table: 'orders', rows: [1, 2, 3].map((id) => ({ id, total: 1 })) } }])
  const first = db.subscribe('all')
  const seen = await take(first, 3)
  seen[0]!.ack()
  await first.return()
  t.strictSame(tokens(await take(db.subscribe('all'), 2)), tokens(seen.slice(1)))
})

t.test('workers share by key; a worker of the same name takes the place of the one before', async (t) => {
  const { db, primary } = await opened(t)
  await db.subscriptions.create('all', { tables: ['orders'] })
  const [a, b] = [db.subscribe('all', { worker: 'a' }), db.subscribe('all', { worker: 'b' })]
  const ofA: Delivery[] = []
  const ofB: Delivery[] = []
  const reading = [a, b].map(async (stream) => {
    const mine = stream === a ? ofA : ofB
    for await (const delivery of stream) mine.push(delivery)
  })
  const ends = reading.map(code)
  await until(() => primary.subscriptions.status().workers === 2)
  await insertOrders(db, ...Array.from({ length: 40 }, (_, at) => at))
  await until(() => ofA.length + ofB.length === 40)
  t.ok(ofA.length > 0 && ofB.length > 0)
  t.strictSame((await db.subscriptions.get('all')).workers.map(({ name, outstanding }) => [name, outstanding]).sort(), [
    ['a', ofA.length],
    ['b', ofB.length],
  ])
  const other = db.subscribe('all', { worker: 'a' })
  const taken = await take(other, ofA.length)
  t.strictSame(tokens(taken), tokens(ofA))
  t.ok(taken.every(({ redelivered }) => redelivered))
  t.equal(await ends[0], 'CONFLICT')
  for (const delivery of [...taken, ...ofB]) delivery.ack()
  await other.return()
  await b.return()
  t.equal(await ends[1], 'resolved')
  t.match(await db.subscriptions.get('all'), {
    acknowledged: [...ofA, ...ofB]
      .map(({ token }) => token)
      .sort(byLsn)
      .at(-1),
    lag: { seconds: 0 },
  })
})

function byLsn(left: string, right: string): number {
  return Number(left.split('.')[1]) - Number(right.split('.')[1])
}

t.test('a definition waits for the changes of its table', async (t) => {
  const { db } = await opened(t)
  await db.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(db, 1)
  await db.execute([{ alterTable: { table: 'orders', changes: [{ addColumn: { name: 'note', type: 'TEXT' } }] } }])
  await insertOrders(db, 2)
  const stream = db.subscribe('all')
  const seen: string[] = []
  for await (const delivery of stream) {
    seen.push(told(delivery))
    delivery.ack()
    if (seen.length === 3) break
  }
  t.strictSame(seen, ['insert 1', 'definition alterTable', 'insert 2'])
})

t.test('what was never delivered is not acknowledged by a later change that overtook it', async (t) => {
  const { db } = await opened(t)
  await db.execute([
    { createTable: { table: { name: 'notes', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] } } },
  ])
  await db.subscriptions.create('all')
  await insertOrders(db, 1)
  await db.execute([{ alterTable: { table: 'orders', changes: [{ addColumn: { name: 'note', type: 'TEXT' } }] } }])
  await insertOrders(db, 3)
  await db.execute([{ insert: { table: 'notes', rows: [{ id: 4 }] } }])
  const stream = db.subscribe('all')
  const [first, fourth] = await take(stream, 2)
  t.strictSame([told(first!), told(fourth!)], ['insert 1', 'insert 4'])
  t.equal(await stream.ack(fourth!.token), first!.token)
  t.equal(await db.subscriptions.ack('all', fourth!.token), first!.token)
  const [second] = await take(stream, 1)
  t.equal(told(second!), 'definition alterTable')
  await stream.ack(second!.token)
  const [third] = await take(stream, 1)
  t.equal(told(third!), 'insert 3')
  t.equal(await db.subscriptions.ack('all', third!.token), fourth!.token, 'the one that overtook them is done')
  await stream.return()
})

t.test('who is dropped or reset is told, and what it acknowledges moves nothing', async (t) => {
  const { db } = await opened(t)
  await db.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(db, 1)
  const stream = db.subscribe('all')
  const [first] = await take(stream, 1)
  const next = code(stream.next())
  const { acknowledged } = await db.subscriptions.reset('all', { after: '0' })
  t.equal(await next, 'NOT_FOUND')
  first!.ack()
  await stream.return()
  t.equal((await db.subscriptions.get('all')).acknowledged, acknowledged)
  const anew = db.subscribe('all')
  t.strictSame((await take(anew, 1)).map(told), ['definition createTable'])
  const waiting = code(anew.next())
  await db.subscriptions.drop('all')
  t.equal(await waiting, 'NOT_FOUND')
  t.strictSame(await db.subscriptions.list(), [])
  t.equal(await code(db.subscribe('all').next()), 'NOT_FOUND')
})

t.test('an acknowledgement from before a reset with a snapshot does not pass over that snapshot', async (t) => {
  const { db } = await opened(t)
  await db.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(db, 1, 2)
  const stream = db.subscribe('all')
  const late = (await take(stream, 2))[1]!.token
  await stream.return()
  await db.subscriptions.reset('all', { snapshot: true })
  t.equal(await code(db.subscriptions.ack('all', late)), 'INVALID_ARGUMENT', 'nobody reads')
  t.equal((await db.subscriptions.get('all')).acknowledged, null)
  const anew = db.subscribe('all')
  await anew.join()
  // What is read by then decides whether it is refused or moves nothing.
  await code(db.subscriptions.ack('all', late))
  const seen = await take(anew, 2)
  t.strictSame(seen.map(told), ['snapshot 1', 'snapshot 2'])
  t.equal(await db.subscriptions.ack('all', seen[0]!.token), seen[0]!.token)
  await anew.return()
  t.equal(await db.subscriptions.ack('all', seen[1]!.token), seen[1]!.token, 'a place of the snapshot counts')
})

t.test('who reads is told that the catalog was dropped; one of the same name has readers of its own', async (t) => {
  const { primary } = await opened(t)
  await primary.createCatalog('shop')
  const shop = primary.catalog('shop')
  await makeOrders(shop)
  await shop.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(shop, 1)
  await insertOrders(shop, 2)
  // A window of one change: the reader waits for its worker, and does not come to what was dropped.
  const server = new SubscriptionServer(primary.state, systemClock, primary.purger, (error) => t.error(error), {
    changes: 1,
    bytes: 1,
  })
  t.teardown(() => server.close())
  const old = server.subscribe(shop, 'all', { worker: 'old' })
  const [first] = await take(old, 1)
  await primary.dropCatalog('shop')
  await primary.createCatalog('shop')
  await makeOrders(shop)
  await shop.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(shop, 3)
  const anew = server.subscribe(shop, 'all', { worker: 'new' })
  const next = take(anew, 1)
  t.equal(await code(old.ack(first!.token)), 'NOT_FOUND')
  t.equal(await code(old.next()), 'NOT_FOUND')
  t.strictSame((await next).map(told), ['insert 3'])
  t.match(server.active(shop, 'all')!.workers, [{ name: 'new' }])
})

t.test('what is asked wrongly is refused with a code', async (t) => {
  const { db, primary } = await opened(t)
  await db.subscriptions.create('all')
  const { subscriptions } = db
  const here = formatPosition(primary.position)
  const ahead = `1.999.${'0'.repeat(32)}`
  const foreign = `1.2.${'0'.repeat(32)}`
  const cases: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['INVALID_ARGUMENT', () => subscriptions.create('a/b')],
    ['INVALID_ARGUMENT', () => subscriptions.create('')],
    ['INVALID_ARGUMENT', () => subscriptions.create('x', { tables: [] })],
    ['INVALID_ARGUMENT', () => subscriptions.create('x', { operations: ['upsert' as 'insert'] })],
    ['INVALID_ARGUMENT', () => subscriptions.create('x', { after: '0', snapshot: true })],
    ['INVALID_ARGUMENT', () => subscriptions.create('x', { after: 'nonsense' })],
    ['INVALID_ARGUMENT', () => subscriptions.create('x', { after: '999' })],
    ['INVALID_ARGUMENT', () => subscriptions.create('x', { after: ahead })],
    ['DIVERGED', () => subscriptions.create('x', { after: foreign })],
    ['ALREADY_EXISTS', () => subscriptions.create('all')],
    ['NOT_FOUND', () => subscriptions.get('x')],
    ['NOT_FOUND', () => subscriptions.drop('x')],
    ['NOT_FOUND', () => subscriptions.reset('x')],
    ['NOT_FOUND', () => subscriptions.ack('x', foreign)],
    ['DIVERGED', () => subscriptions.ack('all', foreign)],
    ['INVALID_ARGUMENT', () => subscriptions.ack('all', ahead)],
    ['INVALID_ARGUMENT', () => subscriptions.ack('all', 'nonsense')],
    ['INVALID_ARGUMENT', () => subscriptions.ack('all', `${here}~3.1.`)],
    ['INVALID_ARGUMENT', () => subscriptions.create('x', { after: `${here}~3.1.` })],
    ['NOT_FOUND', () => primary.catalog('none').subscriptions.list()],
    ['NOT_FOUND', () => primary.catalog('none').subscriptions.create('x')],
    ['INVALID_ARGUMENT', async () => db.subscribe('all', { worker: ' ' })],
    ['CLOSED', () => db.subscribe('all').ack(foreign)],
    ['SYSTEM_TABLE', () => db.execute([{ delete: { table: 'replog.subscriptions', key: { name: 'all' } } }])],
  ]
  for (const [expected, ask] of cases) t.equal(await code(ask()), expected, ask.toString())
  t.match(await subscriptions.create('all', { ifNotExists: true }), { name: 'all' })
  t.equal((await collect(db.scan('replog.subscriptions'))).length, 1)
})

t.test('an aborted signal ends a worker, and its changes go to another', async (t) => {
  const { db } = await opened(t)
  await db.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(db, 1, 2)
  const stop = new AbortController()
  const first = db.subscribe('all', { worker: 'first', signal: stop.signal })
  const seen = await take(first, 2)
  const second = db.subscribe('all', { worker: 'second' })
  const next = take(second, 2)
  const waiting = code(first.next())
  stop.abort(new Error('enough'))
  t.equal(await waiting, 'Error: enough')
  t.strictSame(tokens(await next), tokens(seen))
})

t.test('a primary that closes writes what was acknowledged', async (t) => {
  const { db, primary, memory } = await opened(t)
  await db.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(db, 1, 2)
  const stream = db.subscribe('all')
  const [first] = await take(stream, 1)
  const rest = take(stream, 2)
  first!.ack()
  await primary.close()
  t.equal(await code(rest), 'CLOSED')
  const { db: after } = await openGated(t, {}, memory.crash())
  t.equal((await after.subscriptions.get('all')).acknowledged, first!.token)
})

t.test('an acknowledgement from outside never goes back, while workers come and go', async (t) => {
  const { db, primary } = await opened(t)
  await db.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(db, 1, 2, 3, 4)
  const stream = db.subscribe('all')
  const seen = await take(stream, 4)
  seen[0]!.ack()
  const leaving = stream.return()
  t.equal(await db.subscriptions.ack('all', seen[2]!.token), seen[2]!.token)
  await leaving
  t.equal((await db.subscriptions.get('all')).acknowledged, seen[2]!.token)
  const next = db.subscribe('all')
  t.equal((await take(next, 1))[0]!.token, seen[3]!.token)
  await next.return()
  // A window of one change: what comes behind it is not read.
  const server = new SubscriptionServer(primary.state, systemClock, primary.purger, (error) => t.error(error), {
    changes: 1,
    bytes: 1,
  })
  t.teardown(() => server.close())
  const narrow = server.subscribe(db, 'all')
  await take(narrow, 1)
  await insertOrders(db, 5)
  const aside = new CatalogSubscriptions(server, primary.state, db)
  for await (const { token } of db.changes({ after: seen[3]!.token, tables: ['orders'], follow: false })) {
    t.equal(await aside.ack('all', token), token, 'what was done elsewhere is passed over')
  }
  await insertOrders(db, 6)
  const [last] = await take(narrow, 1)
  t.equal(told(last!), 'insert 6')
})

t.test('a snapshot that nobody has acknowledged holds the log from where it began', async (t) => {
  const { db, primary } = await opened(t)
  await insertOrders(db, 1, 2)
  await db.subscriptions.create('copy', { tables: ['orders'], snapshot: true })
  const began = primary.position.lsn
  const stream = db.subscribe('copy')
  await take(stream, 2)
  await insertOrders(db, 3, 4)
  const purged = await primary.purgeLog({ beforeLsn: primary.position.lsn })
  t.match(purged.heldBack, [{ name: 'snapshot of subscription copy of catalog local', lsn: began }])
  await stream.return()
  t.match(await primary.purgeLog({ beforeLsn: primary.position.lsn }), { heldBack: [] })
})

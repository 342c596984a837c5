/**
 * Workers of one subscription on a real log: changes go on while they join, leave and are slow. Per key in order, nothing
 * missed, nothing with two at a time, and a window that is bounded. Seeded: REPLOG_TEST_SEED.
 */
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { systemClock } from '../../core/clock.js'
import type { Catalog } from '../../primary/catalog.js'
import { ChangeDispatches, type SubscriptionChange } from '../../primary/subscriptions/change-dispatch.js'
import { SubscriptionServer } from '../../primary/subscriptions/subscription-server.js'
import type { Delivery, SubscriptionStream } from '../../primary/subscriptions/subscription-stream.js'
import { compareTokens } from '../../primary/subscriptions/token-order.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { openGated } from '../primary/open-primary.js'
import { insertOrders, makeOrders, take, told } from './orders.js'

t.comment(`REPLOG_TEST_SEED=${TEST_SEED}`)

const KEYS = 8
const CHANGES = Number(process.env['REPLOG_TEST_SHARED_CHANGES'] ?? 400)

/** The ids that a change of an order concerns. */
function idsOf({ change }: Delivery): number[] {
  if (change.type === 'definition' || change.type === 'snapshotEnd') return []
  const before = 'before' in change ? change.before : undefined
  return [before, change.after].flatMap((row) => (row === undefined ? [] : [row['id'] as number]))
}

/** What is out, and what was done. */
class Book {
  readonly held = new Map<string, SubscriptionStream>()
  /** The newest token that was done of each id. */
  readonly done = new Map<number, string>()
  readonly acknowledged = new Set<string>()
  readonly problems: string[] = []

  give(delivery: Delivery, to: SubscriptionStream): void {
    const { token } = delivery
    if (this.held.has(token)) this.problems.push(`${token} is with two workers`)
    if (this.acknowledged.has(token)) this.problems.push(`${token} came after it was acknowledged`)
    for (const id of idsOf(delivery)) {
      const before = this.done.get(id)
      if (before !== undefined && compareTokens(before, token) > 0) this.problems.push(`${token} came behind ${before}`)
    }
    this.held.set(token, to)
  }

  acknowledge(delivery: Delivery): void {
    const { token } = delivery
    for (const id of idsOf(delivery)) this.done.set(id, token)
    this.held.delete(token)
    this.acknowledged.add(token)
    delivery.ack()
  }

  /** A worker has gone: what it had may come again. */
  forget(worker: SubscriptionStream): void {
    for (const [token, holder] of this.held) if (holder === worker) this.held.delete(token)
  }
}

t.test('random workers', async (t) => {
  const random = new Random(TEST_SEED)
  const { db, primary } = await openGated(t)
  await makeOrders(db)
  const { acknowledged: start } = await db.subscriptions.create('all', { tables: ['orders'] })
  const book = new Book()
  let writing = true
  let names = 0

  let total = 0
  let finish = (): void => undefined
  const finished = new Promise<undefined>((resolve) => {
    finish = () => {
      resolve(undefined)
    }
  })
  const acknowledge = (delivery: Delivery): void => {
    book.acknowledge(delivery)
    if (!writing && book.acknowledged.size === total) finish()
  }
  const work = async (): Promise<void> => {
    const stream = db.subscribe('all', { worker: `w${names++}` })
    const most = writing ? 1 + random.below(60) : Infinity
    const slowness = random.below(4)
    const queue: Delivery[] = []
    for (let count = 0; count < most; count++) {
      let delivery = stream.take()
      if (delivery === undefined) {
        // It does what it has before it waits.
        for (const one of queue.splice(0)) acknowledge(one)
        const result = await Promise.race([stream.next(), finished])
        if (result === undefined || result.done === true) break
        delivery = result.value
      }
      book.give(delivery, stream)
      queue.push(delivery)
      for (let turn = 0; turn < slowness; turn++) await setImmediate()
      while (queue.length > 0 && random.chance(0.7)) acknowledge(queue.shift()!)
    }
    book.forget(stream)
    await stream.return()
  }
  const worker = async (): Promise<void> => {
    while (writing || book.acknowledged.size < total) await work()
  }
  const workers = [worker(), worker(), worker()]
  total = await change(db, random)
  writing = false
  if (book.acknowledged.size === total) finish()
  await Promise.all(workers)

  t.strictSame(book.problems, [])
  const tokens: string[] = []
  for await (const { token } of db.changes({ after: start!, tables: ['orders'], follow: false })) tokens.push(token)
  t.strictSame([...book.acknowledged].sort(compareTokens), tokens, 'every change, and no other')
  t.equal((await db.subscriptions.get('all')).acknowledged, tokens.at(-1))
  t.equal(primary.subscriptions.status().workers, 0)
})

/** Rows that come, change, change their key and go. @returns how many changes */
async function change(db: Catalog, random: Random): Promise<number> {
  const there = new Set<number>()
  let changes = 0
  while (changes < CHANGES) {
    const id = random.below(KEYS)
    const other = random.below(KEYS)
    if (!there.has(id)) {
      await insertOrders(db, id)
      there.add(id)
    } else if (random.chance(0.2)) {
      await db.execute([{ delete: { table: 'orders', key: { id } } }])
      there.delete(id)
    } else if (random.chance(0.3) && !there.has(other)) {
      await db.execute([{ update: { table: 'orders', key: { id }, set: { id: other } } }])
      there.delete(id)
      there.add(other)
    } else await db.execute([{ update: { table: 'orders', key: { id }, set: { total: { add: 1 } } } }])
    changes++
  }
  return changes
}

t.test('what is out is bounded in number and in bytes, and what is larger goes alone', async (t) => {
  const { db, primary } = await openGated(t)
  const { state, purger } = primary
  await makeOrders(db)
  await db.subscriptions.create('all', { tables: ['orders'] })
  await insertOrders(db, ...Array.from({ length: 30 }, (_, at) => at))
  for (const window of [
    { changes: 4, bytes: 1e9 },
    { changes: 1000, bytes: 2000 },
    { changes: 1000, bytes: 1 },
  ]) {
    await db.subscriptions.reset('all', { after: '0' })
    const server = new SubscriptionServer(state, systemClock, purger, () => undefined, window)
    t.teardown(() => server.close())
    const stream = server.subscribe(db, 'all')
    let most = 0
    const seen: string[] = []
    while (seen.length < 31) {
      const [delivery] = await take(stream, 1)
      most = Math.max(most, server.active(db, 'all')!.workers[0]!.outstanding)
      seen.push(told(delivery!))
      delivery!.ack()
    }
    t.equal(seen.at(-1), 'insert 29')
    t.ok(most <= Math.min(window.changes, Math.max(1, window.bytes / 400)), `${most} of ${JSON.stringify(window)}`)
    await stream.return()
  }
})

t.test('tokens are ordered as their stream gives them', async (t) => {
  const { db } = await openGated(t)
  await makeOrders(db)
  await insertOrders(db, 1, 2, 3)
  await db.execute([{ insert: { table: 'orders', rows: [4, 5, 6].map((id) => ({ id, total: 1 })) } }])
  await db.subscriptions.create('copy', { tables: ['orders'], snapshot: true })
  await db.subscriptions.create('log', { after: '0' })
  for (const [name, count] of [
    ['copy', 7],
    ['log', 8],
  ] as const) {
    const tokens: string[] = []
    for await (const { token, ack } of db.subscribe(name)) {
      tokens.push(token)
      ack()
      if (tokens.length === count) break
    }
    for (let at = 1; at < tokens.length; at++) {
      t.ok(compareTokens(tokens[at - 1]!, tokens[at]!) < 0, `${tokens[at - 1]} < ${tokens[at]}`)
      t.ok(compareTokens(tokens[at]!, tokens[at - 1]!) > 0)
    }
    t.equal(compareTokens(tokens[0]!, tokens[0]!), 0)
  }
})

t.test('what comes first in another version of its table is alone with it; a change of a key has two', async (t) => {
  const { db } = await openGated(t)
  await makeOrders(db)
  await insertOrders(db, 1)
  await db.execute([{ alterTable: { table: 'orders', changes: [{ addColumn: { name: 'note', type: 'TEXT' } }] } }])
  await insertOrders(db, 2, 3)
  await db.execute([{ update: { table: 'orders', key: { id: 3 }, set: { id: 4 } } }])
  const dispatches = new ChangeDispatches()
  const told: unknown[] = []
  const keys: string[] = []
  for await (const change of db.changes({ after: '0', tables: ['orders'], follow: false })) {
    const dispatch = dispatches.of(change as SubscriptionChange)
    told.push([change.type, dispatch.barrier, dispatch.keys.length])
    keys.push(...dispatch.keys)
  }
  t.strictSame(told, [
    ['definition', 'table', 0],
    ['insert', 'none', 1],
    ['definition', 'table', 0],
    ['insert', 'table', 1],
    ['insert', 'none', 1],
    ['update', 'none', 2],
  ])
  t.equal(new Set(keys).size, 4, 'the old key of the update is that of its insert')
})

/** A level beside the rest of replog: its table, its writes, its snapshots, and what it refuses. (G1, G2, G4, G5) */
import { once } from 'node:events'
import { join } from 'node:path'
import type { AbstractBatchOperation, AbstractSnapshot } from 'abstract-level'
import t, { type Test } from 'tap'
import { SNAPSHOT_AGE_MS_MAX } from '../../core/limits.js'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { LevelError, ReplogLevel } from '../../tools/level/replog-level.js'
import { ManualClock } from '../primary/manual-clock.js'
import { openGated, openOnDisk } from '../primary/open-primary.js'
import { scratchDirectory } from '../primary/scratch-directory.js'

/** Two levels on one table of a primary. */
async function openLevel(t: Test) {
  const { db: catalog, ...opened } = await openGated(t)
  const db = new ReplogLevel({ catalog, table: 'shop.entries' })
  const other = new ReplogLevel({ catalog, table: 'shop.entries' })
  await Promise.all([db.open(), other.open()])
  return { ...opened, catalog, db, other }
}

void t.test('a level at a location is a primary, and can be opened again', async (t) => {
  const location = join(scratchDirectory(t), 'data')
  const db = new ReplogLevel(location)
  t.throws(() => db.catalog, { code: 'LEVEL_DATABASE_NOT_OPEN' })
  await db.put('a', '1')
  t.equal((await db.catalog.tables())[0]?.name, 'kv')
  t.ok(db.primary)
  t.equal(db.location, location)
  const second = new ReplogLevel(location)
  await t.rejects(second.open(), {
    code: 'LEVEL_DATABASE_NOT_OPEN',
    cause: { code: 'LEVEL_LOCKED', cause: { code: 'LOCKED' } },
  })
  await db.close()
  t.equal(db.primary, undefined)
  await db.open()
  t.equal(await db.get('a'), '1')
  await db.close()
  const { db: catalog } = await openOnDisk(t, location)
  t.match(catalog.get('kv', { key: Buffer.from('a') }), { value: Buffer.from('1') }, 'it is a row like every other')
})

void t.test(
  'a database that is missing is not made where that is not asked for, and one of another form is refused',
  async (t) => {
    const location = join(scratchDirectory(t), 'none')
    await t.rejects(new ReplogLevel(location, { createIfMissing: false }).open(), {
      cause: { code: 'LEVEL_TABLE_NOT_FOUND' },
    })
    const { db: catalog } = await openOnDisk(t, location)
    await catalog.execute([
      {
        createTable: {
          table: {
            name: 'text',
            columns: [
              { name: 'key', type: 'TEXT' },
              { name: 'value', type: 'BLOB' },
            ],
            primaryKey: ['key'],
          },
        },
      },
    ])
    await t.rejects(new ReplogLevel({ catalog, table: 'text' }).open(), {
      cause: { code: 'LEVEL_INVALID_DEFINITION', message: /`key` BLOB, the primary key/ },
    })
    t.throws(() => new ReplogLevel({ catalog, table: 'a.b.c' }), { code: 'INVALID_ARGUMENT' })
    for (const place of ['', undefined, {}, { catalog: {} }]) {
      t.throws(() => new ReplogLevel(place as unknown as string), { code: 'LEVEL_INVALID_ARGUMENT' })
    }
  },
)

void t.test('a table that is altered or dropped under a level is an error, not an empty database', async (t) => {
  const { catalog, db, other } = await openLevel(t)
  await db.put('a', '1')
  await catalog.execute([
    { alterTable: { table: 'shop.entries', changes: [{ addColumn: { name: 'more', type: 'TEXT' } }] } },
  ])
  await t.rejects(db.get('a'), { code: 'LEVEL_INVALID_DEFINITION' })
  await t.rejects(other.iterator().next(), { code: 'LEVEL_INVALID_DEFINITION' })
  await catalog.execute([{ dropTable: { table: 'shop.entries' } }])
  await t.rejects(db.get('a'), { code: 'LEVEL_TABLE_NOT_FOUND', cause: { code: 'NOT_FOUND' } })
  await t.rejects(db.put('a', '2'), LevelError)
})

void t.test('a batch is one transaction with one sync, and an overwritten key is one update', async (t) => {
  const { db, primary, engine } = await openLevel(t)
  const before = { lsn: primary.position.lsn, syncs: engine.syncs }
  await db.batch([
    { type: 'put', key: 'a', value: '1' },
    { type: 'put', key: 'b', value: '1' },
    { type: 'put', key: 'a', value: '2' },
    { type: 'del', key: 'b' },
    { type: 'del', key: 'missing' },
  ])
  t.equal(primary.position.lsn, before.lsn + 1n)
  t.equal(engine.syncs, before.syncs + 1)
  t.same(await db.iterator().all(), [['a', '2']])
  await db.batch().put('a', '3').put('c', '3').write()
  t.equal(primary.position.lsn, before.lsn + 2n)
  await db.batch([])
  await db.del('missing')
  t.equal(primary.position.lsn, before.lsn + 2n, 'what changes nothing is not in the log')
})

void t.test('puts of one key that are not waited for never conflict, and the last one stays', async (t) => {
  const { db, other, primary } = await openLevel(t)
  await Promise.all(Array.from({ length: 200 }, (_, n) => (n % 2 ? db : other).put('hot', `${n}`)))
  t.equal(await db.get('hot'), '199')
  t.equal(primary.counters.retries, 0)
})

void t.test('a put resolves when it is durable, and until then nobody sees it', async (t) => {
  const { db, other, engine, memory } = await openLevel(t)
  await db.put('a', 'old')
  engine.before.hold()
  const put = db.put('a', 'new')
  await engine.before.arrival()
  t.equal(await db.get('a'), 'old')
  t.equal(other.getSync('a'), 'old')
  engine.before.open()
  await put
  t.equal(other.getSync('a'), 'new')
  const restarted = await Primary.open({ path: '/memory', engine: memory.crash() })
  t.teardown(() => restarted.close())
  t.equal(await new ReplogLevel({ catalog: restarted.catalog(), table: 'shop.entries' }).get('a'), 'new')
})

void t.test('a batch of more operations than a one-shot transaction has is one transaction all the same', async (t) => {
  const { db, primary } = await openLevel(t)
  const { lsn } = primary.position
  await db.put('00001', 'old')
  const keys = Array.from({ length: 10_001 }, (_, n) => `${n}`.padStart(5, '0'))
  await db.batch(keys.map((key) => ({ type: 'put', key, value: key })))
  t.equal(primary.position.lsn, lsn + 2n)
  t.same(await db.values().all(), keys)
  await db.clear({ gte: '00002', lt: '10000' })
  t.same(await db.keys().all(), ['00000', '00001', '10000'])
})

void t.test('a clear of more than snapshots may keep is a whole one', async (t) => {
  const limits = { server: { undoBytes: 64 * 1024 } }
  const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine(), limits, verifyIntervalMs: 0 })
  t.teardown(() => primary.close())
  const db = new ReplogLevel({ catalog: primary.catalog() })
  const value = 'x'.repeat(100)
  const keys = Array.from({ length: 4002 }, (_, n) => `${n}`.padStart(5, '0'))
  await db.batch(keys.map((key) => ({ type: 'put', key, value })))
  await db.clear({ gt: '00000', lte: '04000', limit: 1500 })
  t.ok(primary.state.versions.snapshotsGivenUp > 0)
  t.same(await db.keys().all(), [keys[0]!, ...keys.slice(1501)])
  await db.clear({ gt: '00000', lte: '04000', reverse: true, limit: 2499 })
  t.same(await db.keys().all(), ['00000', '01501', '04001'])
})

void t.test('a snapshot and an iterator see one LSN, and say so when they cannot any longer', async (t) => {
  const clock = new ManualClock()
  const engine = new MemoryEngine()
  const primary = await Primary.open({ path: '/memory', engine, clock, verifyIntervalMs: 0, scrubBytesPerSecond: 0 })
  t.teardown(() => primary.close())
  const db = new ReplogLevel({ catalog: primary.catalog() })
  await db.open()
  await db.batch(Array.from({ length: 3000 }, (_, n) => ({ type: 'put', key: `${n}`, value: 'old' })))
  const snapshot = db.snapshot()
  const iterator = db.iterator()
  t.same((await iterator.next())?.[1], 'old')
  await db.batch(Array.from({ length: 3000 }, (_, n) => ({ type: 'put', key: `${n}`, value: 'new' })))
  t.equal(await db.get('7', { snapshot }), 'old')
  t.equal((await iterator.nextv(2000)).filter(([, value]) => value === 'old').length, 2000)
  t.same(await db.values({ snapshot, limit: 2, reverse: true }).all(), ['old', 'old'])
  await clock.advance(SNAPSHOT_AGE_MS_MAX + 60_000)
  t.ok(primary.state.versions.snapshotsGivenUp > 0)
  const tooOld = { code: 'LEVEL_SNAPSHOT_TOO_OLD', cause: { code: 'SNAPSHOT_TOO_OLD' } }
  await t.rejects(db.get('7', { snapshot }), tooOld)
  await t.rejects(db.getMany(['7'], { snapshot }), tooOld)
  await t.rejects(db.clear({ snapshot }), tooOld)
  await t.rejects(iterator.all(), tooOld, 'it never goes on with other values')
  t.equal(await db.get('7'), 'new')
  await snapshot.close()
  await db.close()
  t.equal(primary.state.versions.openSnapshots, 0)
})

void t.test('a snapshot of another kind of database is refused', async (t) => {
  const { db } = await openLevel(t)
  const foreign = { ref: () => undefined, unref: () => undefined } as unknown as AbstractSnapshot
  await t.rejects(db.get('a', { snapshot: foreign }), { code: 'LEVEL_INVALID_ARGUMENT' })
})

void t.test('what iterators, snapshots and reads hold is given back', async (t) => {
  const { db, primary } = await openLevel(t)
  await db.put('a', '1')
  for await (const key of db.keys()) t.equal(key, 'a')
  db.snapshot()
  db.iterator()
  await db.getMany(['a', 'b'])
  await db.close()
  t.equal(primary.state.versions.openSnapshots, 0)
})

void t.test('a transaction over the level and another table commits both or neither', async (t) => {
  const { catalog, db, other } = await openLevel(t)
  const orders = db.sublevel<string, { n: number }>('orders', { valueEncoding: 'json' })
  await catalog.execute([
    { createTable: { table: { name: 'audit', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] } } },
  ])
  await db.put('stock', '2')
  const buy = (id: number): Promise<string | undefined> =>
    db.transaction(async (tx) => {
      const stock = Number(await tx.get('stock'))
      await tx.put('stock', `${stock - 1}`)
      await tx.sublevel(orders).put(`${id}`, { n: id })
      await tx.transaction.insert('audit', { id })
      if (stock === 0) throw new Error('sold out')
      await tx.del('missing')
      return tx.get('stock')
    })
  t.equal(await buy(1), '1')
  await Promise.all([buy(2), other.put('unrelated', '1')])
  await t.rejects(buy(3), { message: 'sold out' })
  t.equal(await db.get('stock'), '0')
  t.same(await orders.iterator().all(), [
    ['1', { n: 1 }],
    ['2', { n: 2 }],
  ])
  t.ok(catalog.get('audit', { id: 2 }))
  t.equal(catalog.get('audit', { id: 3 }), undefined)
  await t.rejects(
    db.transaction((tx) => tx.put(Buffer.alloc(5000, 'x').toString(), '')),
    { code: 'LEVEL_INVALID_KEY' },
  )
  await t.rejects(
    db.transaction((tx) => tx.get(null as never)),
    { code: 'LEVEL_INVALID_KEY' },
  )
  await t.rejects(
    db.transaction((tx) => tx.put('a', undefined as never)),
    { code: 'LEVEL_INVALID_VALUE' },
  )
})

void t.test('transactions that meet are repeated until each has had its turn', async (t) => {
  const { db, other } = await openLevel(t)
  await db.put('n', '0')
  const increment = (level: ReplogLevel): Promise<void> =>
    level.transaction(async (tx) => {
      await tx.put('n', `${Number(await tx.get('n')) + 1}`)
    })
  await Promise.all(Array.from({ length: 20 }, (_, n) => increment(n % 2 ? db : other)))
  t.equal(await db.get('n'), '20')
})

void t.test('hooks and events of abstract-level are there', async (t) => {
  const { db } = await openLevel(t)
  const index = db.sublevel('index')
  db.hooks.prewrite.add((operation: AbstractBatchOperation<ReplogLevel, string, string>, batch) => {
    if (operation.type !== 'put') return
    batch.add({ type: 'put', key: operation.value, value: operation.key, sublevel: index })
  })
  const written = once(db, 'write')
  await db.put('a', 'of a')
  t.equal(((await written) as unknown[][])[0]?.length, 2)
  t.equal(await index.get('of a'), 'a')
})

void t.test('a value that is too large is refused, with what replog says of it', async (t) => {
  const { db } = await openLevel(t)
  await t.rejects(db.put('a', 'x'.repeat(17 * 1024 * 1024)), {
    code: 'LEVEL_INVALID_VALUE',
    cause: { code: 'TOO_LARGE' },
  })
  t.equal(await db.get('a'), undefined)
})

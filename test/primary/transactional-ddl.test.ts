/** G6: DDL is part of its transaction; readers of an older snapshot keep the table as it was, until they are done. */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Primary } from '../../primary/primary.js'
import { ROW_PREFIX, INDEX_PREFIX, indexPrefix, jobPrefix, prefixRange, rowPrefix, statsKey } from '../../store/keys.js'
import { openGated, openOnDisk } from './open-primary.js'
import { collect, outcomeOf, outcomeSoon } from './outcome.js'

const PLACES: TableDefinition = {
  name: 'places',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'name', type: 'TEXT' },
  ],
  primaryKey: ['id'],
  indexes: [{ name: 'name', columns: ['name'] }],
}

async function keysWith(primary: Primary, prefix: Buffer): Promise<number> {
  const options = { entriesMax: 10_000, bytesMax: 1 << 24, reverse: false }
  return (await primary.state.store.page(prefixRange(prefix), options)).entries.length
}

/** Rows and index entries of any table. */
async function dataKeys(primary: Primary): Promise<number> {
  return (await keysWith(primary, Buffer.of(ROW_PREFIX))) + (await keysWith(primary, Buffer.of(INDEX_PREFIX)))
}

void t.test('create, fill and drop in one transaction leaves a job at the commit and nothing after it', async (t) => {
  const { primary, db } = await openOnDisk(t)
  await db.transaction(async (tx) => {
    await tx.createTable(PLACES)
    await tx.insert('places', [
      { id: 1, name: 'a' },
      { id: 2, name: 'b' },
    ])
    t.equal((await collect(tx.scan('places', { index: 'name' }))).length, 2)
    await tx.dropTable('places')
    t.equal(await outcomeOf(tx.insert('places', { id: 3 })), 'NOT_FOUND')
    await tx.createTable(PLACES)
    t.same(await collect(tx.scan('places')), [], 'the new table is empty')
    await tx.insert('places', { id: 1, name: 'new' })
  })
  await primary.jobsDone()
  t.same(await collect(db.scan('places')), [{ id: 1, name: 'new' }])
  t.equal(await dataKeys(primary), 2)
  t.equal(await keysWith(primary, jobPrefix()), 0)
  t.same(
    (await db.tables()).map(({ name, rows }) => [name, rows]),
    [['places', 1]],
  )
})

void t.test('a reader of an older snapshot reads the dropped table to its end; the purge waits for it', async (t) => {
  const { primary, db } = await openOnDisk(t)
  const rows = Array.from({ length: 3000 }, (_, id) => ({ id, name: `n${String(id).padStart(4, '0')}` }))
  await db.execute([{ createTable: { table: PLACES } }, { insert: { table: 'places', rows } }])
  const oldId = db.table('places').id
  const byKey = db.scan('places')
  const byName = db.scan('places', { index: 'name' })
  const tx = db.begin()
  const first = [await byKey.next(), await byName.next()]
  t.equal(
    first.every((result) => result.done === false),
    true,
  )
  await tx.get('places', { id: 0 })

  await db.execute([
    { dropTable: { table: 'places' } },
    { createTable: { table: { ...PLACES, columns: [{ name: 'id', type: 'TEXT' }], indexes: [] } } },
    { insert: { table: 'places', rows: [{ id: 'new' }] } },
  ])
  const newId = db.table('places').id
  t.ok(newId > oldId, 'ids are never used again')
  t.same(await collect(db.scan('places')), [{ id: 'new' }])
  await delay(100)
  t.equal(await keysWith(primary, rowPrefix(oldId)), 3000, 'nothing is purged while somebody reads')
  t.equal((await collect(byKey)).length, 2999)
  t.equal((await collect(byName)).length, 2999)
  t.equal((await collect(tx.scan('places', { index: 'name', reverse: true, limit: 2500 }))).length, 2500)
  t.match(await tx.get('places', { id: 2999 }), { name: 'n2999' })
  await tx.commit()
  await primary.jobsDone()
  t.equal(await keysWith(primary, rowPrefix(oldId)), 0)
  t.equal(await keysWith(primary, indexPrefix(oldId, 1)), 0)
  t.equal(primary.state.store.get(statsKey(oldId)), undefined)
  t.same(await collect(db.scan('places')), [{ id: 'new' }])
})

void t.test('a transaction that used a table which changed meanwhile is told SCHEMA_CHANGED', async (t) => {
  const { db } = await openOnDisk(t)
  await db.execute([{ createTable: { table: PLACES } }, { createTable: { table: { ...PLACES, name: 'log' } } }])
  const renew = () => db.execute([{ dropTable: { table: 'places' } }, { createTable: { table: PLACES } }])
  const users = {
    wrote: async (tx: ReturnType<typeof db.begin>) => tx.insert('places', { id: 1 }),
    read: async (tx: ReturnType<typeof db.begin>) => tx.get('places', { id: 1 }),
    scanned: async (tx: ReturnType<typeof db.begin>) => collect(tx.scan('places')),
    dropped: async (tx: ReturnType<typeof db.begin>) => tx.dropTable('places'),
    'missed it': async (tx: ReturnType<typeof db.begin>) => outcomeOf(tx.get('absent', { id: 1 })),
  }
  for (const [name, use] of Object.entries(users)) {
    const tx = db.begin()
    await use(tx)
    await tx.insert('log', { id: 1 })
    if (name === 'missed it') await db.execute([{ createTable: { table: { ...PLACES, name: 'absent' } } }])
    else await renew()
    t.equal(await outcomeOf(tx.commit()), 'SCHEMA_CHANGED', name)
  }
  const tx = db.begin()
  await tx.get('log', { id: 1 })
  await tx.insert('log', { id: 2 })
  await renew()
  t.equal(await outcomeOf(tx.commit()), 'resolved', 'another table does not matter')

  let runs = 0
  await db.transaction(async (tx) => {
    if (++runs === 1) await renew()
    await tx.insert('places', { id: 7 })
  })
  t.equal(runs, 2, 'transaction(fn) runs again by itself')
})

void t.test('two who create the same table: one wins, the other is told', async (t) => {
  const { db } = await openOnDisk(t)
  const create = () => db.transaction(async (tx) => tx.createTable(PLACES))
  t.same((await Promise.all([outcomeOf(create()), outcomeOf(create())])).sort(), ['ALREADY_EXISTS', 'resolved'])
  const createIf = () => db.transaction(async (tx) => tx.createTable({ ...PLACES, name: 'b' }, { ifNotExists: true }))
  t.same((await Promise.all([createIf(), createIf()])).filter(({ created }) => created).length, 1)
})

void t.test(
  'a crash at any step of a drop leaves the old or the new state, and no orphans after reopening',
  async (t) => {
    for (const side of ['before', 'after'] as const) {
      const { db, engine, memory } = await openGated(t)
      await db.execute([
        { createTable: { table: PLACES } },
        { insert: { table: 'places', rows: [{ id: 1, name: 'a' }] } },
      ])
      engine[side].hold()
      const drop = db.execute([{ dropTable: { table: 'places' } }])
      await engine[side].arrival()
      t.equal(await outcomeSoon(drop), 'pending')
      const reopened = await openGated(t, {}, memory.crash())
      await reopened.primary.jobsDone()
      if (side === 'before') {
        t.same(await collect(reopened.db.scan('places')), [{ id: 1, name: 'a' }])
      } else {
        t.equal(await outcomeOf(collect(reopened.db.scan('places'))), 'NOT_FOUND')
        t.equal(await dataKeys(reopened.primary), 0)
      }
      t.equal(await keysWith(reopened.primary, jobPrefix()), 0)
      engine[side].open()
      await outcomeOf(drop)
    }
  },
)

void t.test('a purge that is cut off in its middle goes on after the next start', async (t) => {
  const { db, primary, engine, memory } = await openGated(t)
  const rows = Array.from({ length: 5000 }, (_, id) => ({ id, name: `n${id}` }))
  await db.execute([{ createTable: { table: PLACES } }, { insert: { table: 'places', rows } }])
  const { id } = db.table('places')
  engine.before.hold()
  const drop = db.execute([{ dropTable: { table: 'places' } }])
  await engine.before.arrival()
  engine.before.step()
  await drop
  await engine.before.arrival()
  engine.before.step()
  await engine.before.arrival()
  t.equal(await keysWith(primary, rowPrefix(id)), 3000, 'the first batch of the purge is through, the second is not')
  const reopened = await openGated(t, {}, memory.crash())
  await reopened.primary.jobsDone()
  t.equal(await dataKeys(reopened.primary), 0)
  t.equal(await keysWith(reopened.primary, jobPrefix()), 0)
  t.equal(reopened.primary.state.store.get(statsKey(id)), undefined)
})

void t.test(
  'a drop whose batch is in the store but not yet acknowledged is not purged under older readers',
  async (t) => {
    const { db, primary, engine } = await openGated(t)
    await db.execute([
      { createTable: { table: PLACES } },
      { createTable: { table: { ...PLACES, name: 'other' } } },
      { insert: { table: 'places', rows: [{ id: 1, name: 'a' }] } },
    ])
    // A job that is under way when the drop's batch is visible but not acknowledged reads the drop's note, too.
    engine.after.hold()
    const drops = [
      db.execute([{ dropTable: { table: 'other' } }]),
      engine.after.arrival().then(async () => {
        const second = db.execute([{ dropTable: { table: 'places' } }])
        engine.after.step()
        return second
      }),
    ]
    await drops[0]
    await engine.after.arrival()
    await delay(50)
    const reader = primary.catalog().begin()
    engine.after.step()
    await drops[1]
    engine.after.open()
    await delay(50)
    t.match(await reader.get('places', { id: 1 }), { name: 'a' })
    reader.rollback()
    await primary.jobsDone()
    t.equal(await dataKeys(primary), 0)
  },
)

void t.test('a table that nobody sees any more holds no memory of recent versions', async (t) => {
  const { db, primary } = await openOnDisk(t)
  const rows = Array.from({ length: 500 }, (_, id) => ({ id, name: 'x'.repeat(100) }))
  await db.execute([{ createTable: { table: PLACES } }, { insert: { table: 'places', rows } }])
  await db.execute([{ dropTable: { table: 'places' } }])
  await primary.jobsDone()
  t.equal(primary.state.versions.bytes, 0)
})

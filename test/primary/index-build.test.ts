/** G6: an index on a large table is built by a job, under writes, and is read by nobody before it is complete. */
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import type { Catalog } from '../../primary/catalog.js'
import { ReplogError } from '../../core/errors.js'
import { Primary, type PrimaryOptions } from '../../primary/primary.js'
import { BUILD_JOB, type BuildJob, decodeBuildJob } from '../../log/build-job.js'
import { ROW_PREFIX, indexPrefix, jobPrefix, prefixRange } from '../../store/keys.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { ManualClock } from './manual-clock.js'
import { transactionsOf } from './transactions-of.js'
import { type GatedPrimary, openGated } from './open-primary.js'
import { collect, outcomeOf } from './outcome.js'

const LIMITS = { server: { indexBuildRows: 10 } }
const ROWS = 5000

async function openWithRows(
  t: Test,
  rows = ROWS,
  options: Omit<PrimaryOptions, 'path' | 'engine'> = {},
): Promise<GatedPrimary> {
  const opened = await openGated(t, { limits: LIMITS, ...options })
  await opened.db.transaction(async (tx) => {
    await tx.createTable({
      name: 'people',
      columns: [
        { name: 'id', type: 'INTEGER' },
        { name: 'name', type: 'TEXT' },
      ],
      primaryKey: ['id'],
    })
    await tx.insert(
      'people',
      Array.from({ length: rows }, (_, id) => ({ id, name: `n${id}` })),
    )
  })
  return opened
}

async function keysWith(primary: Primary, prefix: Buffer): Promise<number> {
  const options = { entriesMax: 100_000, bytesMax: 1 << 26, reverse: false }
  return (await primary.state.store.page(prefixRange(prefix), options)).entries.length
}

/** Rows through the index, in the order of the table's key. */
async function throughIndex(db: Catalog): Promise<unknown[]> {
  const rows = await collect(db.scan('people', { index: 'by_name' }))
  return rows.sort((left, right) => Number(left['id']) - Number(right['id']))
}

void t.test('an index on many rows is built after the commit; reading through it is refused until then', async (t) => {
  const { primary, db } = await openWithRows(t)
  const made = await db.execute([{ createIndex: { table: 'people', index: { name: 'by_name', columns: ['name'] } } }])
  t.equal(await outcomeOf(collect(db.scan('people', { index: 'by_name' }))), 'INDEX_BUILDING')
  t.same(made.results, [{ created: true, building: true }])
  await primary.jobsDone()
  t.same(await throughIndex(db), await collect(db.scan('people')))
  t.equal(await keysWith(primary, jobPrefix()), 0)
})

void t.test('one on few rows is complete at the commit, rows of its own transaction included', async (t) => {
  const { primary, db } = await openWithRows(t, 5)
  await db.transaction(async (tx) => {
    await tx.insert('people', { id: 100, name: 'before' })
    t.same(await tx.createIndex('people', { name: 'by_name', columns: ['name'], unique: true }), { created: true })
    await tx.insert('people', { id: 101, name: 'after' })
    t.equal(await outcomeOf(tx.insert('people', { id: 102, name: 'before' })), 'DUPLICATE_KEY')
    t.equal((await collect(tx.scan('people', { index: 'by_name' }))).length, 7)
  })
  t.same(await throughIndex(db), await collect(db.scan('people')))
  t.equal(await keysWith(primary, jobPrefix()), 0)
})

void t.test('writes while an index is built: its entries are those of the rows', async (t) => {
  const { primary, db } = await openWithRows(t)
  const random = new Random(TEST_SEED)
  await db.execute([{ createIndex: { table: 'people', index: { name: 'by_name', columns: ['name'] } } }])
  let isBuilding = true
  const built = primary.jobsDone().then(() => (isBuilding = false))
  let next = ROWS
  let writes = 0
  const write = async (): Promise<void> => {
    while (isBuilding) {
      const key = { id: random.below(next) }
      writes++
      if (random.chance(0.4)) await db.execute([{ delete: { table: 'people', key } }])
      else if (random.chance(0.5))
        await db.execute([{ insert: { table: 'people', rows: [{ id: next++, name: `x${next}` }] } }])
      else await db.transaction((tx) => tx.update('people', key, { name: `u${random.below(100)}` }))
    }
  }
  await Promise.all([built, ...Array.from({ length: 8 }, write)])
  t.ok(writes > 20, `${writes} writes while it was built`)
  const rows = await collect(db.scan('people'))
  t.same(await throughIndex(db), rows)
  const { id, indexes } = db.table('people').message
  t.equal(await keysWith(primary, indexPrefix(id, indexes[0]!.id)), rows.length, 'an entry for each row, and no other')
})

void t.test('a unique index on equal values drops itself, and the log says why', async (t) => {
  const { primary, db } = await openWithRows(t)
  await db.execute([{ update: { table: 'people', key: { id: ROWS - 1 }, set: { name: 'n0' } } }])
  const index = { name: 'by_name', columns: ['name'], unique: true }
  t.same((await db.execute([{ createIndex: { table: 'people', index } }])).results, [{ created: true, building: true }])
  await primary.jobsDone()
  t.same(db.table('people').message.indexes, [])
  const dropped = (await transactionsOf(primary))
    .flatMap(({ statements }) => statements)
    .find(({ kind }) => kind === 'dropIndex')
  t.match(dropped, { kind: 'dropIndex', reason: /cannot be unique, because rows have equal values of "name"/ })
  await primary.jobsDone()
  t.equal(await keysWith(primary, indexPrefix(1, 1)), 0, 'its entries are purged')
  t.equal(await keysWith(primary, jobPrefix()), 0)
  t.equal(await outcomeOf(db.execute([{ insert: { table: 'people', rows: [{ id: -1, name: 'n0' }] } }])), 'resolved')
})

void t.test('equal values that come while a unique index is built are found by one side or the other', async (t) => {
  for (let round = 0; round < 6; round++) {
    const { primary, db } = await openWithRows(t, 3000)
    const index = { name: 'by_name', columns: ['name'], unique: true }
    await db.execute([{ createIndex: { table: 'people', index } }])
    let isBuilding = true
    const built = primary.jobsDone().then(() => (isBuilding = false))
    let next = 3000
    let accepted = 0
    const write = async (): Promise<void> => {
      while (isBuilding) {
        // Not yet seen by the job: an insert of its value is not met by an entry.
        const rows = [{ id: next++, name: `n${2990 + (next % 10)}` }]
        const outcome = await outcomeOf(db.transaction((tx) => tx.insert('people', rows)))
        if (outcome === 'resolved') accepted++
        else t.match(outcome, /^(DUPLICATE_KEY|CONFLICT|SCHEMA_CHANGED)$/)
      }
    }
    await Promise.all([built, write(), write()])
    const { indexes } = db.table('people').message
    if (accepted > 0) t.same(indexes, [], 'rows with equal values: no index')
    else t.match(indexes, [{ building: false }])
  }
})

void t.test('a build goes on behind the page that was durable when the process died', async (t) => {
  const { db, engine, memory } = await openWithRows(t)
  await db.execute([{ createIndex: { table: 'people', index: { name: 'by_name', columns: ['name'], unique: true } } }])
  engine.before.hold()
  engine.before.step()
  const reopened = await Primary.open({ path: '/memory', engine: memory.crash(), limits: LIMITS })
  await reopened.jobsDone()
  const again = reopened.catalog()
  t.same(await throughIndex(again), await collect(again.scan('people')))
  t.match(again.table('people').message.indexes, [{ building: false, validating: false }])
  t.equal(await keysWith(reopened, jobPrefix()), 0)
  await reopened.close()
})

void t.test('dropping the index, the table or its rows ends the build', async (t) => {
  for (const end of ['dropIndex', 'truncateTable', 'dropTable', 'dropCatalog'] as const) {
    const { primary, db, engine } = await openWithRows(t)
    const other = primary.catalog('other')
    await primary.createCatalog('other')
    await other.transaction(async (tx) => {
      await tx.createTable({ name: 'people', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] })
      await tx.insert(
        'people',
        Array.from({ length: 5000 }, (_, id) => ({ id })),
      )
    })
    const catalog = end === 'dropCatalog' ? other : db
    const column = end === 'dropCatalog' ? 'id' : 'name'
    await catalog.execute([{ createIndex: { table: 'people', index: { name: 'by_name', columns: [column] } } }])
    engine.before.hold()
    engine.before.open()
    if (end === 'dropIndex') await catalog.execute([{ dropIndex: { table: 'people', index: 'by_name' } }])
    else if (end === 'truncateTable') await catalog.execute([{ truncateTable: { table: 'people' } }])
    else if (end === 'dropTable') await catalog.execute([{ dropTable: { table: 'people' } }])
    else await primary.dropCatalog('other')
    await primary.jobsDone()
    await primary.jobsDone()
    t.equal(await keysWith(primary, jobPrefix()), 0, `${end}: no job is left`)
    t.equal(await keysWith(primary, Buffer.from('I')), 0, `${end}: no entry is left`)
  }
})

void t.test('a foreign key does not begin to rest on an index that is being built', async (t) => {
  const { primary, db, engine } = await openWithRows(t)
  await db.execute([
    { createTable: { table: { name: 'names', columns: [{ name: 'name', type: 'TEXT' }], primaryKey: ['name'] } } },
  ])
  const foreignKey = { columns: ['name'], references: { table: 'names' } }
  const add = (): Promise<string> =>
    outcomeOf(db.execute([{ alterTable: { table: 'people', changes: [{ addForeignKey: foreignKey }] } }]))
  t.equal(await add(), 'INDEX_BUILDING', 'the index that it would get is too large for the transaction')
  engine.before.hold()
  const made = db.execute([{ createIndex: { table: 'people', index: { name: 'by_name', columns: ['name'] } } }])
  engine.before.open()
  await made
  t.equal(await add(), 'INDEX_BUILDING', 'the one that there is has not all its entries')
  await primary.jobsDone()
  t.equal(await add(), 'FOREIGN_KEY_VIOLATION')
  const rows = Array.from({ length: ROWS }, (_, id) => ({ name: `n${id}` }))
  await db.execute([{ insert: { table: 'names', rows } }])
  t.equal(await add(), 'resolved')
  t.equal(await outcomeOf(db.execute([{ dropIndex: { table: 'people', index: 'by_name' } }])), 'DEPENDENT_OBJECTS')
  await db.execute([{ delete: { table: 'people', key: { id: 7 } } }])
  t.equal(await outcomeOf(db.execute([{ delete: { table: 'names', key: { name: 'n7' } } }])), 'resolved')
  t.equal(await outcomeOf(db.execute([{ delete: { table: 'names', key: { name: 'n8' } } }])), 'FOREIGN_KEY_VIOLATION')
})

/** Holds the pages of the build job, so that a test says how far it is; the statement itself reads one before. */
function holdPages(engine: GatedPrimary['engine']): { release: () => Promise<void>; open: () => void } {
  const waiting: (() => void)[] = []
  let isHeld = true
  let passing = 1
  const page = engine.page.bind(engine)
  engine.page = async (range, options) => {
    if (isHeld && range.from[0] === ROW_PREFIX && passing-- <= 0)
      await new Promise<void>((resolve) => waiting.push(resolve))
    return page(range, options)
  }
  return {
    release: async () => {
      while (waiting.length === 0) await setImmediate()
      waiting.shift()!()
    },
    open: () => {
      isHeld = false
      for (const pass of waiting.splice(0)) pass()
    },
  }
}

async function jobOf(primary: Primary): Promise<BuildJob> {
  const page = await primary.state.store.page(prefixRange(jobPrefix(BUILD_JOB)), {
    entriesMax: 1,
    bytesMax: 1 << 20,
    reverse: false,
  })
  return decodeBuildJob(page.entries[0]!.value)
}

void t.test('a row that a build has not seen takes no entry from one that has the same value', async (t) => {
  const { primary, db, engine } = await openWithRows(t)
  const pages = holdPages(engine)
  const index = { name: 'by_name', columns: ['name'], unique: true }
  await db.execute([{ createIndex: { table: 'people', index } }])
  const early = db.begin()
  await early.insert('people', { id: -1, name: 'n3500' })
  await db.execute([{ insert: { table: 'people', rows: [{ id: -2, name: 'n4500' }] } }])
  for (let { rows } = await jobOf(primary); rows < 3600;) {
    await pages.release()
    const before = rows
    while (rows === before) {
      await setImmediate()
      rows = (await jobOf(primary)).rows
    }
  }
  t.equal(await outcomeOf(early.commit()), 'CONFLICT', 'the job has seen the row with that value since')
  await db.execute([{ delete: { table: 'people', key: { id: 4500 } } }])
  pages.open()
  await primary.jobsDone()
  t.match(db.table('people').message.indexes, [{ building: false }], 'the other row was gone before it was seen')
  t.same(await collect(db.scan('people', { index: 'by_name', prefix: { name: 'n4500' } })), [{ id: -2, name: 'n4500' }])
  t.same(await throughIndex(db), await collect(db.scan('people')))
})

void t.test('a reader that stays open does not hide what the build has made', async (t) => {
  const { primary, db, engine } = await openWithRows(t)
  await db.execute([{ update: { table: 'people', key: { id: 4999 }, set: { name: 'n7' } } }])
  const reader = db.begin({ readOnly: true })
  const pages = holdPages(engine)
  const index = { name: 'by_name', columns: ['name'], unique: true }
  await db.execute([{ createIndex: { table: 'people', index } }])
  await db.execute([{ update: { table: 'people', key: { id: 4999 }, set: { name: 'mended' } } }])
  pages.open()
  await primary.jobsDone()
  t.match(db.table('people').message.indexes, [{ building: false }])
  t.equal(
    await outcomeOf(db.execute([{ insert: { table: 'people', rows: [{ id: -1, name: 'n7' }] } }])),
    'DUPLICATE_KEY',
  )
  reader.rollback()
  t.same(await throughIndex(db), await collect(db.scan('people')))
})

void t.test('a value that no key can hold ends the build of its index, and no other one', async (t) => {
  const { primary, db } = await openWithRows(t)
  await db.execute([{ update: { table: 'people', key: { id: 9 }, set: { name: 'x'.repeat(10_000) } } }])
  await db.execute([{ createIndex: { table: 'people', index: { name: 'by_name', columns: ['name'] } } }])
  t.equal(
    await outcomeOf(db.execute([{ update: { table: 'people', key: { id: 8 }, set: { name: 'y'.repeat(10_000) } } }])),
    'TOO_LARGE',
    'a new one is refused while it is built',
  )
  await db.execute([{ createIndex: { table: 'people', index: { name: 'by_both', columns: [ID_DOWN] } } }])
  await primary.jobsDone()
  t.match(db.table('people').message.indexes, [{ name: 'by_both', building: false }])
  const dropped = (await transactionsOf(primary))
    .flatMap(({ statements }) => statements)
    .find(({ kind }) => kind === 'dropIndex')
  t.match(dropped, { reason: /cannot hold every row/ })
  t.equal(await outcomeOf(db.execute([{ delete: { table: 'people', key: { id: 9 } } }])), 'resolved')
})

const ID_DOWN = { column: 'id', descending: true }

void t.test('a build that meets a full disk goes on by itself when there is space', async (t) => {
  const clock = new ManualClock()
  const faults: unknown[] = []
  const { primary, db } = await openWithRows(t, 2000, { clock, onError: (error) => faults.push(error) })
  const { store } = primary.state
  const assertSpace = store.assertSpace.bind(store)
  await db.execute([{ createIndex: { table: 'people', index: { name: 'by_name', columns: ['name'] } } }])
  store.assertSpace = () => {
    throw new ReplogError('DISK_FULL', 'no space')
  }
  await primary.jobsDone()
  t.match(faults, [{ code: 'DISK_FULL' }])
  t.match(db.table('people').message.indexes, [{ building: true }])
  await clock.advance(1000)
  await primary.jobsDone()
  t.equal(faults.length, 1, 'it is reported once')
  store.assertSpace = assertSpace
  await clock.advance(1000)
  await primary.jobsDone()
  t.match(db.table('people').message.indexes, [{ building: false }])
})

/** G6: the durable jobs of a server can be looked at: what each is about, though it was dropped, and how far it is. */
import t from 'tap'
import { JOBS_LISTED_MAX } from '../../core/limits.js'
import type { JobListing } from '../../log/job-list.js'
import { PURGE_CATALOG_JOB, PURGE_JOB, encodePurgeJob } from '../../log/purge-job.js'
import type { Catalog } from '../../primary/catalog.js'
import { jobKey, prefixRange, rowPrefix } from '../../store/keys.js'
import { WriteSet } from '../../store/write-set.js'
import { openGated } from './open-primary.js'

const ROWS = 2500
const LIMITS = { server: { indexBuildRows: 10 } }

async function fill(db: Catalog, name: string, rows: number): Promise<void> {
  const columns = [
    { name: 'id', type: 'INTEGER' },
    { name: 'name', type: 'TEXT' },
  ]
  await db.transaction(async (tx) => {
    await tx.createTable({ name, columns, primaryKey: ['id'], indexes: [{ name: 'of_name', columns: ['name'] }] })
    await tx.insert(
      name,
      Array.from({ length: rows }, (_, id) => ({ id, name: `n${id}` })),
    )
  })
}

void t.test('a build shows its pass and the rows that it saw, from when its statement is durable (G2)', async (t) => {
  const { primary, db, engine } = await openGated(t, { limits: LIMITS })
  await fill(db, 'people', ROWS)
  engine.before.hold()
  engine.after.hold()
  const index = { name: 'one_name', columns: ['name'], unique: true }
  const made = db.execute([{ createIndex: { table: 'people', index } }])
  await engine.before.arrival()
  t.same(await primary.jobs.list(), { jobs: [], more: false }, 'before the sync')
  engine.before.step()
  await engine.after.arrival()
  t.same(await primary.jobs.list(), { jobs: [], more: false }, 'while the sync has not returned')
  t.same(await primary.jobs.count(), { buildIndex: 0, purgeCatalog: 0, purgeTable: 0, purgeIndex: 0 })
  engine.after.open()
  await made

  const seen: string[] = []
  let first: JobListing | undefined
  for (;;) {
    // A batch of the build waits; what it holds is not to be seen yet.
    await Promise.race([engine.before.arrival(), primary.jobsDone()])
    const { jobs } = await primary.jobs.list()
    // The message that ends the build waits.
    if (jobs.length === 0) break
    t.equal(jobs.length, 1)
    const job = jobs[0]!
    first ??= job
    seen.push(`${job.pass} ${job.rowsDone}`)
    t.equal(job.rowsTotal, ROWS)
    engine.before.step()
  }
  const { pass: _pass, rowsDone: _rowsDone, ...about } = first!
  t.strictSame(about, {
    kind: 'buildIndex',
    catalog: 'local',
    catalogId: 1,
    schema: 'test',
    table: 'people',
    tableId: 1,
    index: 'one_name',
    indexId: 2,
    storageId: 1,
    rowsTotal: ROWS,
  })
  t.same(
    [...new Set(seen)],
    ['first 0', 'first 1000', 'first 2000', 'first done 2500', 'second 0', 'second 1000', 'second 2000'],
  )
  engine.before.open()
  await primary.jobsDone()
  t.notOk(db.table('people').message.indexes.some(({ building }) => building))
})

void t.test('purges wait for readers who began before, under the names that things had', async (t) => {
  const { primary, db } = await openGated(t)
  await primary.createCatalog('shop')
  const shop = primary.catalog('shop')
  await fill(shop, 'wares', 3)
  for (const name of ['dropped', 'emptied', 'indexed']) await fill(db, name, 5)
  const storageOf = (name: string): number => db.table(name).message.storageId
  const storages = { dropped: storageOf('dropped'), emptied: storageOf('emptied'), indexed: storageOf('indexed') }
  const reader = db.begin()
  await db.execute([{ dropTable: { table: 'dropped' } }])
  await db.execute([{ truncateTable: { table: 'emptied' } }])
  await db.execute([{ renameTables: { tables: [{ from: 'emptied', to: 'renamed' }] } }])
  await db.execute([{ dropIndex: { table: 'indexed', index: 'of_name' } }])
  await primary.dropCatalog('shop')

  const { jobs, more } = await primary.jobs.list()
  t.equal(more, false)
  const common = { catalog: 'local', catalogId: 1, schema: 'test', pass: 'waiting', rowsDone: 0 }
  t.strictSame(
    jobs.map(({ kind, table, tableId, storageId, ...others }) => ({ kind, table, tableId, storageId, ...others })),
    [
      {
        kind: 'purgeCatalog',
        table: null,
        tableId: null,
        storageId: null,
        catalog: null,
        schema: null,
        index: null,
        indexId: null,
        catalogId: 2,
        pass: 'waiting',
        rowsDone: 0,
        rowsTotal: null,
      },
      ...(['dropped', 'emptied'] as const).map((name) => ({
        kind: 'purgeTable',
        table: name === 'emptied' ? 'renamed' : name,
        tableId: storages[name],
        storageId: storages[name],
        index: null,
        indexId: null,
        ...common,
        rowsTotal: 5,
      })),
      {
        kind: 'purgeIndex',
        table: 'indexed',
        tableId: storages.indexed,
        storageId: storages.indexed,
        index: 'of_name',
        indexId: 1,
        ...common,
        rowsTotal: 5,
      },
    ],
  )
  t.same(await primary.jobs.count(), { buildIndex: 0, purgeCatalog: 1, purgeTable: 2, purgeIndex: 1 })

  reader.rollback()
  await primary.jobsDone()
  t.same(await primary.jobs.list(), { jobs: [], more: false })
  t.equal(primary.jobs.keysPurged > 3 * 2 + 5 * 2 * 2 + 5, true, 'rows, entries, and what the catalog had beside')
})

void t.test('a purge at work shows the rows that it deleted', async (t) => {
  const { primary, db, engine } = await openGated(t)
  await fill(db, 'people', ROWS)
  const reader = db.begin()
  await db.execute([{ dropTable: { table: 'people' } }])
  engine.before.hold()
  reader.rollback()
  const seen = new Set<string>()
  for (;;) {
    await Promise.race([engine.before.arrival(), primary.jobsDone()])
    const { jobs } = await primary.jobs.list()
    if (jobs.length === 0) break
    for (const { pass, rowsDone, rowsTotal } of jobs) seen.add(`${pass} ${rowsDone}/${rowsTotal}`)
    engine.before.step()
  }
  t.ok(seen.has('deleting 2500/2500'), [...seen].join())
})

void t.test('a listing is bounded, names what it can and ends the rest with `more`', async (t) => {
  const { primary, db } = await openGated(t)
  const reader = db.begin()
  await fill(db, 'people', 1)
  const writes = new WriteSet()
  writes.put(jobKey(PURGE_CATALOG_JOB, 9n), Buffer.alloc(0))
  for (let id = 0; id < JOBS_LISTED_MAX; id++) {
    writes.put(jobKey(PURGE_JOB, BigInt(1000 + id)), encodePurgeJob({ tableId: id === 0 ? 1 : 77, indexIds: [] }))
  }
  await primary.state.appendLocal(writes)
  const { jobs, more } = await primary.jobs.list()
  t.equal(jobs.length, JOBS_LISTED_MAX)
  t.equal(more, true)
  t.match(jobs[0], { kind: 'purgeCatalog', catalogId: 9, catalog: null })
  t.match(jobs[1], {
    kind: 'purgeTable',
    storageId: 1000,
    tableId: 1,
    table: 'people',
    schema: 'test',
    catalog: 'local',
  })
  t.match(jobs[2], { storageId: 1001, tableId: 77, table: null, schema: null, catalog: null, catalogId: null })
  t.match(await primary.jobs.count(), { purgeCatalog: 1, purgeTable: JOBS_LISTED_MAX })
  reader.rollback()
})

void t.test('a purge job whose note is damaged is reported and left; the jobs beside it go on', async (t) => {
  const errors: unknown[] = []
  const { primary, db } = await openGated(t, { onError: (error) => errors.push(error) })
  const storages: number[] = []
  for (const name of ['first', 'second', 'third']) {
    await fill(db, name, 5)
    storages.push(db.table(name).message.storageId)
  }
  const note = jobKey(PURGE_JOB, BigInt(storages[1]!))
  const writes = new WriteSet()
  writes.put(note, Buffer.of(0xff))
  await primary.state.appendLocal(writes)
  // In one transaction, so that one run finds all three.
  await db.execute([{ dropTable: { table: 'first' } }, { dropTable: { table: 'third' } }])
  await primary.jobsDone()
  t.match(errors, [{ code: 'CORRUPT' }])
  const rowsOf = async (storageId: number): Promise<number> => {
    const page = await primary.state.store.page(prefixRange(rowPrefix(storageId)), {
      entriesMax: 10,
      bytesMax: 1e6,
      reverse: false,
    })
    return page.entries.length
  }
  t.same(await Promise.all(storages.map(rowsOf)), [0, 5, 0])
  t.not(primary.state.store.get(note), undefined, 'it stays for the next start')
})

/**
 * A filtered replica: its log is its primary's to the byte (G7), its dictionary is whole, rows of other tables are not
 * there and are not said to be missing (G8): asking for them is FILTERED, and names the filter.
 */
import t from 'tap'
import { join } from 'node:path'
import type { Replica } from '../../replica/replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { indexPrefix, logRange, prefixRange, rowPrefix, statsKey } from '../../store/keys.js'
import { createHttpServer } from '../../log/http/server.js'
import { ServedReplica } from '../../replica/served-replica.js'
import { systemClock } from '../../core/clock.js'
import { verifyStore } from '../../log/verify/verify-store.js'
import { Store } from '../../store/store.js'
import { Primary } from '../../primary/primary.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { followAndServe } from './linked-chain.js'
import { follow, serve } from './linked-pair.js'
import { differences } from './equal-stores.js'
import { ITEMS, items } from './tables.js'
import { until } from './until.js'

const PAGE = { entriesMax: 100_000, bytesMax: 64 * 1024 * 1024, reverse: false }

/** Rows and index entries that the store has of a storage. */
async function keysOf(replica: Replica, storageId: number): Promise<number> {
  const rows = await replica.state.store.page(prefixRange(rowPrefix(storageId)), PAGE)
  let entries = 0
  for (const indexId of [1, 2, 3]) {
    entries += (await replica.state.store.page(prefixRange(indexPrefix(storageId, indexId)), PAGE)).entries.length
  }
  return rows.entries.length + entries
}

async function logOf({ state }: Pick<Replica, 'state'>): Promise<string> {
  const { entries } = await state.store.frames(logRange(1n as never), PAGE)
  return Buffer.concat(entries.map(({ value }) => value)).toString('hex')
}

async function rowsOf(reader: ReturnType<Replica['catalog']>, table: string): Promise<string> {
  const rows: unknown[] = []
  for await (const row of reader.scan(table)) rows.push(row)
  return JSON.stringify(rows, (_name, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
}

void t.test(
  'only rows of the named tables are kept, through every kind of change; log and dictionary are whole',
  async (t) => {
    const { primary, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
    const db = primary.catalog()
    const engine = new MemoryEngine()
    const only = ['local.test.items', 'local.kept', 'other']
    const replica = await follow(t, { path: '/replica', engine, from: url, only })
    await db.execute([{ createTable: { table: ITEMS } }])
    await db.execute([{ createTable: { table: { ...ITEMS, name: 'noise' } } }])
    await db.transaction(async (tx) => {
      await tx.createSchema('kept')
      await tx.createTable({ ...ITEMS, schema: 'kept', name: 'one' })
      await tx.insert('kept.one', items(20, 'one'))
    })
    await primary.createCatalog('other')
    const other = primary.catalog('other')
    await other.execute([{ createTable: { table: ITEMS } }])
    for (const table of ['items', 'noise']) {
      await db.execute([{ insert: { table, rows: items(200, 'a') } }])
      await db.transaction(async (tx) => {
        await tx.update(table, { id: 5n }, { code: 'changed', group: null })
        await tx.delete(table, { id: 6n })
      })
      await db.transaction(async (tx) => {
        await tx.createIndex(table, { name: 'three', columns: ['group', 'id'] })
        await tx.alterTable(table, [{ addColumn: { name: 'more', type: 'INTEGER', notNull: true, default: 7 } }])
      })
      await db.transaction(async (tx) => {
        await tx.alterTable(table, [{ setType: { column: 'group', type: 'VARCHAR(20)' } }])
      })
    }
    await other.execute([{ insert: { table: 'items', rows: items(5, 'o') } }])
    await until(() => replica.position.lsn === primary.position.lsn)

    t.equal(await logOf(replica), await logOf(primary), 'the log is whole')
    for (const [catalog, table] of [
      ['local', 'items'],
      ['local', 'kept.one'],
      ['other', 'items'],
    ] as const) {
      t.equal(
        await rowsOf(replica.catalog(catalog), table),
        await rowsOf(primary.catalog(catalog), table),
        `${catalog} ${table}`,
      )
      const { storageId } = replica.catalog(catalog).table(table)
      t.equal(replica.state.filter?.holds(storageId), true)
      t.same(replica.state.statistics.durableTable(storageId), primary.state.statistics.durableTable(storageId))
    }
    const local = replica.catalog()
    t.same(local.table('noise').message, primary.catalog().table('noise').message, 'the dictionary is whole')
    const { storageId } = local.table('noise')
    t.equal(replica.state.filter?.holds(storageId), false)
    t.equal(await keysOf(replica, storageId), 0)
    t.equal(replica.state.statistics.durableTable(storageId).rows, 0)
    t.equal(replica.state.store.get(statsKey(storageId)), undefined, 'no statistics are kept')
    const refusal = { code: 'FILTERED', message: /--only local\.test\.items/ }
    t.throws(() => local.get('noise', { id: 1n }), refusal)
    await t.rejects(rowsOf(local, 'noise'), refusal)
    t.same(replica.replication().only, [...only].sort())
    const node = new ServedReplica(replica, { name: 'replica' })
    const app = createHttpServer(node)
    t.teardown(async () => {
      await app.close()
      node.close()
    })
    const { id } = local.table('noise').message
    for (const what of ['rows', 'range']) {
      const url = `/v1/admin/verify/${what}?table=${id}&storage=${storageId}`
      t.match(
        (await app.inject({ method: 'GET', url })).json(),
        { code: 'FILTERED' },
        `a repair from here gets no ${what}`,
      )
    }
    await replica.jobsDone()
    await t.rejects(replica.becomePrimary(), { code: 'PROMOTION_REFUSED' })
  },
)

void t.test('what is held is decided by the name that a table is made with, also across a restart', async (t) => {
  const { primary, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  const db = primary.catalog()
  const engine = new MemoryEngine()
  const only = ['local.test.items']
  const first = await follow(t, { path: '/replica', engine, from: url, only })
  await db.execute([{ createTable: { table: ITEMS } }])
  await db.execute([{ createTable: { table: { ...ITEMS, name: 'later' } } }])
  for (const table of ['items', 'later']) await db.execute([{ insert: { table, rows: items(10, 'a') } }])
  await until(() => first.position.lsn === primary.position.lsn)
  await first.close()
  const again = await follow(t, { path: '/replica', engine: engine.crash(), from: url })
  t.same(again.replication().only, only, 'it need not be said again')
  await db.execute([
    {
      renameTables: {
        tables: [
          { from: 'items', to: 'old' },
          { from: 'later', to: 'items' },
        ],
      },
    },
  ])
  await db.execute([{ insert: { table: 'old', rows: items(10, 'b') } }])
  await until(() => again.position.lsn === primary.position.lsn)
  t.equal(await rowsOf(again.catalog(), 'old'), await rowsOf(primary.catalog(), 'old'))
  t.throws(() => again.catalog().get('items', { id: 1n }), { code: 'FILTERED' }, 'renamed into the filter: not held')
  await db.execute([{ truncateTable: { table: 'old' } }])
  await db.execute([{ insert: { table: 'old', rows: items(3, 'c') } }])
  await until(() => again.position.lsn === primary.position.lsn)
  t.equal(await rowsOf(again.catalog(), 'old'), await rowsOf(primary.catalog(), 'old'))
})

void t.test('the filter of a data directory is not changed, and such a directory is no primary', async (t) => {
  const path = join(scratchDirectory(t), 'replica')
  const { primary, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  await primary.catalog().execute([{ createTable: { table: ITEMS } }])
  for (const only of [['a.b.c.d'], [''], ['a..b'], ['"a']]) {
    await t.rejects(follow(t, { path: '/bad', engine: new MemoryEngine(), from: url, only }), {
      code: 'INVALID_ARGUMENT',
    })
  }
  const one = await follow(t, { path, from: url, only: ['local.test'] })
  await until(() => one.position.lsn === primary.position.lsn)
  await one.close()
  await t.rejects(follow(t, { path, from: url, only: ['local'] }), { code: 'INVALID_ARGUMENT' })
  const same = await follow(t, { path, from: url, only: ['local.test', 'local.test'] })
  await same.close()
  await t.rejects(Primary.open({ path }), { code: 'INVALID_ARGUMENT' })
})

void t.test('a whole replica may follow a filtered one, for the log is whole', async (t) => {
  const engines = [new MemoryEngine(), new MemoryEngine()] as const
  const { primary, url, close } = await serve(t, { path: '/primary', engine: engines[0] })
  const middle = await followAndServe(t, {
    path: '/middle',
    engine: new MemoryEngine(),
    from: url,
    only: ['local.none'],
  })
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  await db.execute([{ insert: { table: 'items', rows: items(100, 'a') } }])
  await until(() => middle.replica.position.lsn === primary.position.lsn)
  t.throws(() => middle.replica.catalog().get('items', { id: 1n }), { code: 'FILTERED' })
  const last = await follow(t, { path: '/last', engine: engines[1], from: middle.url })
  await until(() => last.position.lsn === primary.position.lsn)
  await last.close()
  await close()
  t.same(await differences(engines[0], engines[1]), [])
})

void t.test(
  'a replica that holds everything gives up what a filter does not name, and its counters follow',
  async (t) => {
    const { primary, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
    const db = primary.catalog()
    for (const name of ['items', 'noise', 'gone']) {
      await db.execute([{ createTable: { table: { ...ITEMS, name } } }])
      await db.execute([{ insert: { table: name, rows: items(300, name) } }])
    }
    const engine = new MemoryEngine()
    const whole = await follow(t, { path: '/replica', engine, from: url })
    await until(() => whole.position.lsn === primary.position.lsn)
    const noise = whole.catalog().table('noise').storageId
    t.ok((await keysOf(whole, noise)) > 600)
    await whole.close()

    const left = engine.crash()
    const part = await follow(t, { path: '/replica', engine: left, from: url, only: ['local.test.items'] })
    t.equal(await rowsOf(part.catalog(), 'items'), await rowsOf(primary.catalog(), 'items'))
    t.throws(() => part.catalog().get('noise', { id: 1n }), { code: 'FILTERED' })
    await part.jobsDone()
    t.equal(await keysOf(part, noise), 0, 'the keys are purged')
    const { storageId, message } = part.catalog().table('items')
    const { rows, bytes } = part.state.statistics.durableTable(storageId)
    t.match(part.state.statistics.durableCatalog(message.catalogId), { tables: 3, rows, bytes })
    await db.execute([{ insert: { table: 'noise', rows: items(10, 'more') } }])
    await db.execute([{ dropTable: { table: 'gone' } }])
    await db.execute([{ truncateTable: { table: 'noise' } }])
    await db.execute([{ insert: { table: 'items', rows: items(10, 'more') } }])
    await until(() => part.position.lsn === primary.position.lsn)
    await part.jobsDone()
    t.equal(await rowsOf(part.catalog(), 'items'), await rowsOf(primary.catalog(), 'items'))
    const after = part.state.statistics.durableTable(storageId)
    t.match(part.state.statistics.durableCatalog(message.catalogId), {
      tables: 2,
      rows: after.rows,
      bytes: after.bytes,
    })
    t.equal(after.rows, 310)
    t.equal(await logOf(part), await logOf(primary))
    await part.close()
    await verifies(t, left)
  },
)

/** The store of a filtered replica is sound by its own account. */
async function verifies(t: Parameters<typeof serve>[0], engine: MemoryEngine): Promise<void> {
  const freeBytes = (): Promise<number> => Promise.resolve(Infinity)
  const store = new Store({ engine: engine.crash(), clock: systemClock, path: '/', freeBytes })
  await store.start()
  const { flaws } = await verifyStore(store, { onFlaw: () => undefined, onProgress: () => undefined })
  await store.close()
  t.same(flaws, [])
}

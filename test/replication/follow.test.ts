/** G7: a replica follows over a real socket, and its log, rows, dictionary, indexes and statistics are its primary's. */
import { join } from 'node:path'
import t from 'tap'
import type { FollowState } from '../../log/status.js'
import { freePort } from '../nats/nats-server.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import type { CatalogReader } from '../../log/catalog-reader.js'
import type { Replica } from '../../replica/replica.js'
import { jobPrefix, prefixRange, rowPrefix } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { GatedEngine } from '../primary/gated-engine.js'
import { collect, outcomeOf } from '../primary/outcome.js'
import { differences } from './equal-stores.js'
import { follow, serve } from './linked-pair.js'
import { ITEMS, items } from './tables.js'
import { until } from './until.js'

async function countWith(replica: Replica, prefix: Buffer): Promise<number> {
  const options = { entriesMax: 10_000, bytesMax: 16 * 1024 * 1024, reverse: false }
  return (await replica.state.store.page(prefixRange(prefix), options)).entries.length
}

void t.test('an empty replica copies the log from LSN 1 in one connection, and follows', async (t) => {
  const directory = scratchDirectory(t)
  const [primaryPath, replicaPath] = [join(directory, 'primary'), join(directory, 'replica')]
  const { primary, url, close, served, faults } = await serve(t, { path: primaryPath })
  const db = primary.catalog()
  await db.transaction(async (tx) => {
    await tx.createTable(ITEMS)
    await tx.insert('items', items(100, 'before'))
  })
  for (let turn = 0; turn < 50; turn++)
    await db.execute([{ insert: { table: 'items', rows: items(3, `turn ${turn}`) } }])
  const states: string[] = []
  const replica = await follow(t, { path: replicaPath, from: url, onStateChange: (state) => states.push(state) })
  await replica.waitFor(primary.position.lsn)
  t.equal(replica.replication().reconnects, 0)
  t.equal(replica.replication().error, null)

  await db.transaction(async (tx) => {
    for await (const { id, group } of tx.scan('items')) {
      if (group === 1) await tx.delete('items', { id })
      if (group === 2) await tx.update('items', { id }, { group: null, code: null })
    }
  })
  await db.execute([{ createTable: { table: { ...ITEMS, name: 'doomed' } } }])
  await db.execute([{ insert: { table: 'doomed', rows: items(3000, 'd') } }])
  await replica.waitFor(primary.position.lsn)
  const { id } = replica.catalog().table('doomed')
  t.equal(await countWith(replica, rowPrefix(id)), 3000)
  await db.transaction(async (tx) => {
    await tx.dropTable('doomed')
    await tx.createTable({ ...ITEMS, name: 'doomed' })
    await tx.insert('doomed', items(2, 'new'))
  })
  await replica.waitFor(primary.position.lsn)
  await until(() => replica.replication().state === 'streaming')

  t.same(replica.position, primary.position)
  const everything = async (catalog: CatalogReader) => ({
    tables: await catalog.tables(),
    rows: await collect(catalog.scan('items')),
    byCode: await collect(catalog.scan('items', { index: 'code', reverse: true })),
    byGroup: await collect(catalog.scan('items', { index: 'group', prefix: { group: 3 } })),
    doomed: await collect(catalog.scan('doomed')),
  })
  t.same(await everything(replica.catalog()), await everything(db))
  await replica.jobsDone()
  await primary.jobsDone()
  t.equal(await countWith(replica, rowPrefix(id)), 0, 'each server purges by itself')
  t.equal(await countWith(replica, jobPrefix()), 0)
  await until(() => served.replicas()[0]?.applied.lsn === primary.position.lsn.toString())
  t.match(served.replicas(), [
    { connected: true, name: 'replica', applied: { lag: { transactions: 0, bytes: 0, seconds: 0 } } },
  ])
  t.same(states.slice(-1), ['streaming'])

  await replica.close()
  await close()
  t.same(await differences(primaryPath, replicaPath), [])
  t.same(faults, [])
})

void t.test('a replica that was away goes on after its last frame, also behind a restarted primary', async (t) => {
  const directory = scratchDirectory(t)
  const [primaryPath, replicaPath] = [join(directory, 'primary'), join(directory, 'replica')]
  const first = await serve(t, { path: primaryPath })
  await first.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  const replica = await follow(t, { path: replicaPath, from: first.url })
  await replica.waitFor(first.primary.position.lsn)
  await replica.close()
  for (let turn = 0; turn < 20; turn++) {
    await first.primary.catalog().execute([{ insert: { table: 'items', rows: items(2, `turn ${turn}`) } }])
  }
  await first.close()

  // Not one that the system gives to clients: somebody could have it when the primary comes back.
  const second = await serve(t, { path: primaryPath }, await freePort())
  const again = await follow(t, { path: replicaPath, from: second.url })
  t.equal(again.position.lsn, 2n)
  await again.waitFor(second.primary.position.lsn)
  t.equal(again.replication().reconnects, 0)
  await second.primary.catalog().execute([{ insert: { table: 'items', rows: items(1, 'last') } }])
  await again.waitFor(second.primary.position.lsn)

  // The primary goes away and comes back on the same port while the replica runs.
  const { port } = second
  await second.close()
  await until(() => again.replication().state === 'connecting')
  t.match(again.replication().error, { code: 'UNREACHABLE' })
  t.equal((await collect(again.catalog().scan('items'))).length, 41, 'it goes on serving reads')
  const third = await serve(t, { path: primaryPath }, port)
  await third.primary.catalog().execute([{ insert: { table: 'items', rows: items(1, 'back') } }])
  await again.waitFor(third.primary.position.lsn)
  t.ok(again.replication().reconnects > 0)
  await again.close()
  await third.close()
  t.same(await differences(primaryPath, replicaPath), [])
})

void t.test(
  'G2, G4: a replica shows a transaction when its batch is synced, whole, and a scan keeps its LSN',
  async (t) => {
    const { primary, url } = await serve(t, { path: '/memory', engine: new MemoryEngine() })
    const db = primary.catalog()
    await db.execute([{ createTable: { table: ITEMS } }, { insert: { table: 'items', rows: items(2500, 'a') } }])
    const engine = new GatedEngine(new MemoryEngine())
    const replica = await follow(t, { path: '/replica', engine, from: url })
    t.teardown(() => engine.before.open())
    await replica.waitFor(primary.position.lsn)
    const scan = replica.catalog().scan('items')
    const seen: RowObject[] = [(await scan.next()).value as RowObject]

    engine.before.hold()
    await db.transaction(async (tx) => {
      for (let id = 1n; id <= 2500n; id += 100n) await tx.update('items', { id }, { group: 99 })
      await tx.delete('items', { id: 2500 })
      await tx.insert('items', { id: 5000, code: 'b' })
    })
    await engine.before.arrival()
    const { lsn } = primary.position
    t.equal(replica.position.lsn, lsn - 1n)
    t.equal(replica.replication().received.lsn, lsn.toString())
    t.equal(replica.replication().applied.lsn, (lsn - 1n).toString())
    t.equal(replica.catalog().get('items', { id: 5000 }), undefined)
    t.equal((await replica.catalog().tables())[0]?.rows, 2500)
    engine.before.open()
    await replica.waitFor(lsn)
    for await (const row of scan) seen.push(row)
    t.equal(seen.length, 2500)
    t.equal(seen.filter((row) => row['group'] === 99).length, 0, 'the scan stays at the LSN that it began with')
    t.match(replica.catalog().get('items', { id: 5000 }), { code: 'b' })
    t.equal((await collect(replica.catalog().scan('items', { index: 'group', prefix: { group: 99 } }))).length, 25)
  },
)

void t.test('many transactions share a sync on a replica', async (t) => {
  const { primary, url } = await serve(t, { path: '/memory', engine: new MemoryEngine() })
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  await Promise.all(
    Array.from({ length: 2000 }, (_, turn) => db.execute([{ insert: { table: 'items', rows: items(1, `${turn}`) } }])),
  )
  const engine = new MemoryEngine()
  const replica = await follow(t, { path: '/replica', engine, from: url })
  await replica.waitFor(primary.position.lsn)
  t.ok(engine.syncs < 20, `${engine.syncs} syncs for 2000 transactions`)
})

void t.test('when the store of a replica fails it stops and says so, and a restart goes on', async (t) => {
  const { primary, url } = await serve(t, { path: '/memory', engine: new MemoryEngine() })
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  const memory = new MemoryEngine()
  const engine = new GatedEngine(memory)
  const replica = await follow(t, { path: '/replica', engine, from: url })
  await replica.waitFor(primary.position.lsn)
  engine.after.fail(new Error('EIO'))
  await db.execute([{ insert: { table: 'items', rows: items(1, 'a') } }])
  await until(() => replica.replication().state === 'stopped')
  t.match(replica.replication().error, { code: 'COMMIT_UNKNOWN' })
  t.equal(await outcomeOf(replica.waitFor(primary.position.lsn)), 'STORE_FAILED')
  t.equal((await collect(replica.catalog().scan('items'))).length, 0, 'reads stay at what is known')
  const reopened = await follow(t, { path: '/replica', engine: memory.crash(), from: url })
  t.equal(reopened.position.lsn, primary.position.lsn, 'that batch was written after all')
  await db.execute([{ insert: { table: 'items', rows: items(1, 'b') } }])
  await reopened.waitFor(primary.position.lsn)
  t.equal((await collect(reopened.catalog().scan('items'))).length, 2)
})

void t.test('a directory of one role is not opened as the other', async (t) => {
  const directory = scratchDirectory(t)
  const { primary, url } = await serve(t, { path: join(directory, 'primary') })
  const replica = await follow(t, { path: join(directory, 'replica'), from: url })
  await replica.waitFor(primary.position.lsn)
  await replica.close()
  await t.rejects(serve(t, { path: join(directory, 'replica') }), {
    code: 'INVALID_ARGUMENT',
    message: /replog replica/,
  })
  await primary.close()
  await t.rejects(follow(t, { path: join(directory, 'primary'), from: url }), {
    code: 'INVALID_ARGUMENT',
    message: /replog primary/,
  })
})

void t.test('a replica that is told to follow another server connects anew; it has not stopped', async (t) => {
  const { primary, port } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  await primary.catalog().execute([{ createTable: { table: ITEMS } }])
  const states: FollowState[] = []
  const replica = await follow(t, {
    path: '/replica',
    engine: new MemoryEngine(),
    from: `http://127.0.0.1:${port}`,
    onStateChange: (state) => states.push(state),
  })
  await until(() => states.at(-1) === 'streaming')
  states.length = 0
  replica.follow(`http://127.0.0.1:${port}/`)
  await until(() => states.at(-1) === 'streaming')
  t.notOk(states.includes('stopped'))
  t.equal(states[0], 'connecting')
  await replica.leave()
  t.equal(states.at(-1), 'stopped', 'who follows nobody has')
  replica.follow(`http://127.0.0.1:${port}`)
  await until(() => states.at(-1) === 'streaming')
  await replica.close()
  t.equal(states.at(-1), 'stopped')
})

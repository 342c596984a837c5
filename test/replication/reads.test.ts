/**
 * Reads of a replica: one that names a position is answered from a state that contains it and is of the same history (G8);
 * one that names a staleness is not answered from an older state, nor from one whose age nobody knows.
 */
import t from 'tap'
import { formatPosition } from '../../core/position.js'
import { createHttpServer } from '../../log/http/server.js'
import { Primary } from '../../primary/primary.js'
import type { Replica } from '../../replica/replica.js'
import { ServedReplica } from '../../replica/served-replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { GatedEngine } from '../primary/gated-engine.js'
import { ManualClock } from '../primary/manual-clock.js'
import { follow, serve } from './linked-pair.js'
import { ITEMS, items } from './tables.js'
import { TcpProxy } from './tcp-proxy.js'
import { until } from './until.js'

/** Reads all of a table over HTTP. */
function reader(t: Parameters<typeof serve>[0], replica: Replica, clock = new ManualClock()) {
  const node = new ServedReplica(replica, { name: 'replica', clock })
  const app = createHttpServer(node)
  t.teardown(async () => {
    await app.close()
    node.close()
  })
  return async (headers: Record<string, string>, timeoutMs = 1000) => {
    const url = `/v1/catalogs/local/tables/items/rows?timeout-ms=${timeoutMs}`
    const { statusCode, body } = await app.inject({ method: 'GET', url, headers })
    return { status: statusCode, json: JSON.parse(body) as { rows?: unknown[]; code?: string; detail?: string } }
  }
}

async function openPair(t: Parameters<typeof serve>[0]) {
  const opened = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  const engine = new GatedEngine(new MemoryEngine())
  const replica = await follow(t, { path: '/replica', engine, from: opened.url })
  t.teardown(() => engine.before.open())
  const db = opened.primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  await until(() => replica.position.lsn === opened.primary.position.lsn)
  return { ...opened, engine, replica, db, read: reader(t, replica) }
}

void t.test('a read waits for the position, or the LSN, that it names', async (t) => {
  const { primary, db, engine, replica, read } = await openPair(t)
  engine.before.hold()
  await db.execute([{ insert: { table: 'items', rows: items(3, 'a') } }])
  const { lsn } = primary.position
  for (const target of [formatPosition(primary.position), lsn.toString()]) {
    t.match(await read({ 'replog-wait-for': target }, 20), { status: 503, json: { code: 'LIMIT' } })
    t.match((await read({})).json.rows, [], 'who names nothing sees what there is')
  }
  await t.rejects(replica.waitFor(lsn, { timeoutMs: 20 }), { code: 'LIMIT' })
  const given = new AbortController()
  const aborted = replica.waitFor(primary.position, { signal: given.signal })
  given.abort(new Error('enough'))
  await t.rejects(aborted, { message: 'enough' })

  const waiting = [
    read({ 'replog-wait-for': formatPosition(primary.position) }, 60_000),
    read({ 'replog-wait-for': lsn.toString() }, 60_000),
    read({ 'replog-position': formatPosition(primary.position) }, 60_000),
  ]
  const embedded = replica.waitFor(primary.position, { timeoutMs: 60_000 })
  engine.before.open()
  for (const answer of await Promise.all(waiting)) t.equal(answer.json.rows?.length, 3)
  await embedded
  t.match(await read({ 'replog-wait-for': 'x' }), { json: { code: 'INVALID_ARGUMENT' } })
})

void t.test('a position of another history is told, whatever the replica has', async (t) => {
  const { primary, db, replica, read } = await openPair(t)
  const other = await Primary.open({ path: '/other', engine: new MemoryEngine() })
  t.teardown(() => other.close())
  await other.catalog().execute([{ createTable: { table: ITEMS } }])
  await other.catalog().execute([{ insert: { table: 'items', rows: items(1, 'b') } }])
  const { position } = other
  t.equal(position.lsn, primary.position.lsn + 1n)
  const ahead = [
    t.rejects(replica.waitFor(position), { code: 'DIVERGED' }),
    read({ 'replog-wait-for': formatPosition(position) }, 60_000),
  ] as const
  await db.execute([{ insert: { table: 'items', rows: items(1, 'a') } }])
  await ahead[0]
  t.match(await ahead[1], { status: 409, json: { code: 'DIVERGED' } })
  await t.rejects(replica.waitFor(position), { code: 'DIVERGED' }, 'also when it is reached already')
  const raised = { ...primary.position, epoch: (primary.position.epoch + 1) as never }
  await t.rejects(replica.waitFor(raised), { code: 'DIVERGED' }, 'the epoch is part of it')
  await replica.waitFor(primary.position.lsn)
})

void t.test('a read is not answered from a state that is older than it accepts', async (t) => {
  const clock = new ManualClock()
  const replicaClock = new ManualClock(86_400)
  const { primary, port } = await serve(t, { path: '/primary', engine: new MemoryEngine(), clock })
  const proxy = await TcpProxy.start(t, port)
  const engine = new GatedEngine(new MemoryEngine())
  const replica = await follow(t, { path: '/replica', engine, from: proxy.url, clock: replicaClock })
  t.teardown(() => engine.before.open())
  const read = reader(t, replica, replicaClock)
  const db = primary.catalog()
  t.equal(replica.stalenessMs(), undefined)
  await db.execute([{ createTable: { table: ITEMS } }])
  await until(() => replica.position.lsn === primary.position.lsn)
  const second = async (): Promise<void> => {
    await replicaClock.advance(1000)
    await clock.advance(1000)
    await until(() => replica.replication().silenceMs === 0)
  }
  for (let turn = 0; turn < 3; turn++) await second()
  t.equal(replica.stalenessMs(), 0, 'a heartbeat said that nothing is missing, on the clock of the primary')
  t.match(await read({ 'replog-max-staleness-ms': '0' }), { status: 200 })
  await replicaClock.advance(500)
  t.equal(replica.stalenessMs(), 500, 'since then it may have committed')
  t.match(await read({ 'replog-max-staleness-ms': '499' }), { status: 503, json: { code: 'STALE', stalenessMs: 500 } })
  t.match(await read({ 'replog-max-staleness-ms': '500' }), { status: 200 })
  await replicaClock.advance(500)
  await clock.advance(1000)
  await until(() => replica.replication().silenceMs === 0)

  engine.before.hold()
  await db.execute([{ insert: { table: 'items', rows: items(3, 'a') } }])
  // Otherwise its frames could be taken for the heartbeat that a second waits for.
  await until(() => replica.replication().received.lsn === primary.position.lsn.toString())
  for (let turn = 0; turn < 4; turn++) await second()
  t.ok(replica.stalenessMs()! >= 4000, 'what is received is not applied')
  t.match(await read({ 'replog-max-staleness-ms': '3999' }), { json: { code: 'STALE' } })
  engine.before.open()
  await until(() => replica.position.lsn === primary.position.lsn)
  t.match(await read({ 'replog-max-staleness-ms': '0' }), { status: 200 })

  proxy.tamper = () => undefined
  for (let turn = 0; turn < 3; turn++) await replicaClock.advance(1000)
  t.equal(replica.stalenessMs(), 3000, 'a primary that is silent may have committed')
  t.match(await read({ 'replog-max-staleness-ms': '1.5' }), { json: { code: 'INVALID_ARGUMENT' } })
})

void t.test('an age that nobody knows is too old for every bound', async (t) => {
  const engine = new MemoryEngine()
  const { primary, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  await primary.catalog().execute([{ createTable: { table: ITEMS } }])
  const before = await follow(t, { path: '/replica', engine, from: url })
  await until(() => before.position.lsn === primary.position.lsn)
  await before.close()
  const alone = await follow(t, { path: '/replica', engine: engine.crash(), from: 'http://127.0.0.1:1' })
  const read = reader(t, alone)
  t.match(await read({ 'replog-max-staleness-ms': '999999999999' }), {
    status: 503,
    json: { code: 'STALE', stalenessMs: null },
  })
  t.match(await read({}), { status: 200 })
})

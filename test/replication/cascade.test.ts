/**
 * G7: a replica of a replica is a prefix of the same log, to the byte; who follows itself is told so; lag is measured
 * against the primary, however long the chain is.
 */
import t from 'tap'
import type { Lag } from '../../log/status.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { GatedEngine } from '../primary/gated-engine.js'
import { ManualClock } from '../primary/manual-clock.js'
import { differences } from './equal-stores.js'
import { followAndServe } from './linked-chain.js'
import { follow, serve } from './linked-pair.js'
import { ITEMS, items } from './tables.js'
import { TcpProxy } from './tcp-proxy.js'
import { until } from './until.js'

const NONE: Lag = { transactions: 0, bytes: 0, seconds: 0 }

void t.test('a chain of three has one log, from LSN 1 and while it grows, and over a cut in the middle', async (t) => {
  const engines = [new MemoryEngine(), new MemoryEngine(), new MemoryEngine()] as const
  const { primary, url, served, close } = await serve(t, { path: '/primary', engine: engines[0] })
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  await db.execute([{ insert: { table: 'items', rows: items(500, 'before') } }])
  const proxy = await TcpProxy.start(t, Number(new URL(url).port))
  const middle = await followAndServe(t, { path: '/middle', engine: engines[1], from: proxy.url, name: 'middle' })
  const last = await follow(t, { path: '/last', engine: engines[2], from: middle.url, name: 'last' })
  await until(() => last.position.lsn === primary.position.lsn)
  for (let turn = 0; turn < 20; turn++) {
    await db.execute([{ insert: { table: 'items', rows: items(3, `turn ${turn}`) } }])
    if (turn === 10) proxy.cut()
  }
  await db.transaction(async (tx) => {
    await tx.createIndex('items', { name: 'by group', columns: ['group', 'id'] })
    await tx.dropIndex('items', 'group')
  })
  await until(() => last.position.lsn === primary.position.lsn)

  const ids = [middle.replica, primary].map(({ state }) => state.identity.serverId.toString('hex'))
  await until(() => last.replication().chain?.length === ids.length)
  t.same(last.replication().chain, ids, 'nearest first, up to the primary')
  t.same(middle.replica.replication().chain, ids.slice(1))
  t.match(middle.served.status().replicas, [{ name: 'last', connected: true }])
  await until(() => middle.served.replicas()[0]!.applied.lsn === primary.position.lsn.toString())
  t.match(
    served.replicas().map(({ name }) => name),
    ['middle'],
    'the primary knows those who follow it, and nobody behind them',
  )
  await last.close()
  await middle.close()
  await close()
  t.same(await differences(engines[0], engines[1]), [])
  t.same(await differences(engines[0], engines[2]), [])
})

void t.test('an acknowledgement counts direct followers only', async (t) => {
  const { primary, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  const middle = await followAndServe(t, { path: '/middle', engine: new MemoryEngine(), from: url })
  const last = await follow(t, { path: '/last', engine: new MemoryEngine(), from: middle.url })
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  await until(() => last.position.lsn === primary.position.lsn)
  await db.execute([{ insert: { table: 'items', rows: items(1, 'a') } }], { ack: { level: 'durable', replicas: 1 } })
  const ack = { level: 'durable', replicas: 2, timeoutMs: 200 } as const
  await t.rejects(db.execute([{ insert: { table: 'items', rows: items(1, 'b') } }], { ack }), { code: 'ACK_TIMEOUT' })
})

void t.test('a replica that follows itself is told so and stops', async (t) => {
  const { replica } = await followAndServe(t, { path: '/own', engine: new MemoryEngine(), from: (own) => own })
  await until(() => replica.replication().state === 'stopped')
  t.match(replica.replication().error, { code: 'REPLICATION_LOOP' })
})

void t.test('two replicas that are pointed at each other do not go round', async (t) => {
  const { primary, url, close } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  await primary.catalog().execute([{ createTable: { table: ITEMS } }])
  // Both have data; then the second is started again and follows the first, which follows the second.
  const proxy = await TcpProxy.start(t, Number(new URL(url).port))
  const engine = new MemoryEngine()
  const before = await follow(t, { path: '/two', engine, from: url })
  const one = await followAndServe(t, { path: '/one', engine: new MemoryEngine(), from: proxy.url })
  await until(() => before.position.lsn === primary.position.lsn && one.replica.position.lsn === primary.position.lsn)
  await before.close()
  const two = await followAndServe(t, { path: '/two', engine: engine.crash(), from: one.url })
  await until(() => two.replica.replication().state === 'streaming')
  await close()
  proxy.targetPort = Number(new URL(two.url).port)
  proxy.cut()
  await until(() => [one, two].some(({ replica }) => replica.replication().state === 'stopped'))
  const stopped = [one, two].filter(({ replica }) => replica.replication().state === 'stopped')
  for (const { replica } of stopped) t.match(replica.replication().error, { code: 'REPLICATION_LOOP' })
})

void t.test('who is ahead of the replica that it wants to follow waits for it', async (t) => {
  const { primary, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  const proxy = await TcpProxy.start(t, Number(new URL(url).port))
  const middle = await followAndServe(t, { path: '/middle', engine: new MemoryEngine(), from: proxy.url })
  await until(() => middle.replica.position.lsn === primary.position.lsn)
  proxy.refuses = true
  proxy.cut()
  const engine = new MemoryEngine()
  const direct = await follow(t, { path: '/last', engine, from: url })
  await db.execute([{ insert: { table: 'items', rows: items(1, 'a') } }])
  await until(() => direct.position.lsn === primary.position.lsn)
  await direct.close()
  const last = await follow(t, { path: '/last', engine: engine.crash(), from: middle.url })
  await until(() => last.replication().error !== null)
  t.match(last.replication(), { state: 'connecting', error: { code: 'UPSTREAM_BEHIND' } })
  proxy.refuses = false
  await until(() => last.replication().state === 'streaming')
  t.equal(last.position.lsn, primary.position.lsn)
})

void t.test('lag at the end of a chain is that against the primary, on the clock of the primary', async (t) => {
  const clocks = [new ManualClock(), new ManualClock(3600), new ManualClock(-3600)] as const
  const { primary, served, port } = await serve(t, { path: '/primary', engine: new MemoryEngine(), clock: clocks[0] })
  const proxy = await TcpProxy.start(t, port)
  const engine = new GatedEngine(new MemoryEngine())
  const middle = await followAndServe(t, { path: '/middle', engine, from: proxy.url, clock: clocks[1] })
  t.teardown(() => engine.before.open())
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  await until(() => middle.replica.position.lsn === primary.position.lsn)
  const last = await follow(t, { path: '/last', engine: new MemoryEngine(), from: middle.url, clock: clocks[2] })
  await until(() => last.position.lsn === primary.position.lsn)
  /** One second, with a heartbeat down the chain and one up. */
  const second = async (): Promise<void> => {
    await clocks[0].advance(1000)
    await until(() => middle.replica.news().nowUs === clocks[0].nowUs())
    await clocks[1].advance(1000)
    await until(() => last.news().nowUs === clocks[0].nowUs())
    await clocks[2].advance(1000)
    const { lsn } = last.replication().applied
    await until(() => middle.served.replicas()[0]!.applied.lsn === lsn)
  }
  for (let turn = 0; turn < 3; turn++) await second()
  t.same(last.replication().applied.lag, NONE)
  t.same(middle.served.replicas()[0]!.applied.lag, NONE)
  engine.before.hold()
  for (let turn = 0; turn < 4; turn++) {
    await db.execute([{ insert: { table: 'items', rows: items(1, `turn ${turn}`) } }])
    await second()
  }
  const { lag } = last.replication().received
  t.equal(lag.transactions, 4, 'what the middle has not made durable is missing here')
  t.ok(lag.seconds >= 3 && lag.seconds < 10, `${lag.seconds} s behind`)
  t.equal(middle.served.replicas()[0]!.received.lag.transactions, 0, 'of what the middle has, nothing is missing')
  engine.before.open()
  await until(() => last.position.lsn === primary.position.lsn)
  await second()
  t.same(last.replication().applied.lag, NONE)
  const { max } = middle.served.replicas()[0]!.delayMs
  t.ok(max >= 0 && max < 10_000, `${max} ms of delay, without the skew of the clocks`)
  t.equal(served.replicas().length, 1)

  // The primary falls silent; the middle goes on.
  proxy.tamper = () => undefined
  for (let turn = 0; turn < 7; turn++) {
    await clocks[1].advance(1000)
    await until(() => last.replication().silenceMs === 0)
    await clocks[2].advance(1000)
  }
  t.ok(last.replication().applied.lag.seconds >= 5, 'nobody knows what the primary has committed meanwhile')
})

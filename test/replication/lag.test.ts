/** Lag in three units at three stages: 0 when idle, exact when not, on one clock, and never 0 out of ignorance. */
import t from 'tap'
import type { Lag } from '../../log/status.js'
import { connectSocket } from '../../replica/connect-socket.js'
import type { ReplicaOptions } from '../../replica/replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { GatedEngine } from '../primary/gated-engine.js'
import { ManualClock } from '../primary/manual-clock.js'
import { follow, serve } from './linked-pair.js'
import { ITEMS, items } from './tables.js'
import { TcpProxy } from './tcp-proxy.js'
import { until } from './until.js'

const NONE: Lag = { transactions: 0, bytes: 0, seconds: 0 }
/** The replica's wall clock is an hour ahead, or behind. */
const SKEWS_SECONDS = [3600, -3600]

async function openPair(t: Parameters<typeof serve>[0], skewSeconds: number, options: Partial<ReplicaOptions> = {}) {
  const clock = new ManualClock()
  const replicaClock = new ManualClock(skewSeconds)
  const opened = await serve(t, { path: '/primary', engine: new MemoryEngine(), clock })
  const proxy = await TcpProxy.start(t, opened.port)
  const engine = new GatedEngine(new MemoryEngine())
  const replica = await follow(t, { path: '/replica', engine, from: proxy.url, clock: replicaClock, ...options })
  t.teardown(() => engine.before.open())
  const db = opened.primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  await replica.waitFor(opened.primary.position.lsn)
  const asSeen = () => opened.served.replicas()[0]!
  await until(() => asSeen().applied.lsn === opened.primary.position.lsn.toString())
  /** Both clocks go on by whole seconds, with a heartbeat each way in each. */
  const advance = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      await replicaClock.advance(1000)
      await until(() => asSeen().received.lsn === replica.replication().received.lsn)
      await clock.advance(1000)
      await until(() => replica.replication().silenceMs === 0)
    }
  }
  return { ...opened, clock, replicaClock, proxy, engine, replica, db, asSeen, advance }
}

for (const skew of SKEWS_SECONDS) {
  void t.test(`with a replica whose clock is ${skew} s off`, async (t) => {
    const { primary, engine, replica, db, asSeen, advance } = await openPair(t, skew)
    await advance(5)
    for (const stage of ['received', 'durable', 'applied'] as const) {
      t.same(asSeen()[stage].lag, NONE, `idle: ${stage}, as the primary sees it`)
      t.same(replica.replication()[stage].lag, NONE, `idle: ${stage}, as the replica sees it`)
    }

    const { logBytes } = primary.state
    const { lsn } = primary.position
    engine.before.hold()
    for (let turn = 0; turn < 3; turn++) {
      await db.execute([{ insert: { table: 'items', rows: items(2, `turn ${turn}`) } }])
      await until(() => replica.replication().received.lsn === primary.position.lsn.toString())
      await advance(1)
    }
    const missing = { transactions: 3, bytes: Number(primary.state.logBytes - logBytes) }
    t.same(asSeen().received.lag, NONE, 'in its memory: nothing is missing')
    t.same(asSeen().durable.lag, { ...missing, seconds: 3 }, 'on its disk: since the oldest missing commit')
    t.same(asSeen().applied.lag, { ...missing, seconds: 3 })
    t.equal(asSeen().applied.lsn, lsn.toString())
    const own = replica.replication()
    t.same(own.received.lag, NONE)
    t.match(own.durable.lag, missing)
    t.ok(
      own.durable.lag.seconds >= 3 && own.durable.lag.seconds < 10,
      `${own.durable.lag.seconds} s by its own account`,
    )

    engine.before.open()
    await replica.waitFor(primary.position.lsn)
    await until(() => asSeen().applied.lsn === primary.position.lsn.toString())
    t.same(asSeen().applied.lag, NONE)
    t.same(replica.replication().applied.lag, NONE)
    const { last, max } = asSeen().delayMs
    t.same({ last, max }, { last: 1000, max: 3000 }, 'delays, on the clock of the primary')
  })
}

void t.test('while the primary is silent the lag grows, and then the link is dropped', async (t) => {
  const { replica, replicaClock, proxy, asSeen, clock } = await openPair(t, 0)
  // Nothing arrives any more, though the connection stands.
  proxy.tamper = () => undefined
  await replicaClock.advance(2000)
  t.same(replica.replication().applied.lag, NONE, 'two heartbeats may get lost')
  await replicaClock.advance(3000)
  const { seconds } = replica.replication().applied.lag
  t.ok(seconds >= 4, `${seconds} s`)
  await replicaClock.advance(3000)
  t.ok(replica.replication().applied.lag.seconds > seconds)
  proxy.refuses = true
  await replicaClock.advance(4000)
  await until(() => replica.replication().state === 'connecting')
  t.match(replica.replication().error, { code: 'UNREACHABLE' })
  await replicaClock.advance(60_000)
  t.ok(replica.replication().applied.lag.seconds > 60)
  await until(() => !asSeen().connected)
  await clock.advance(1)
})

void t.test('a primary that hears nothing from a replica drops the link; the lag of one that left grows', async (t) => {
  const { primary, replica, replicaClock, proxy, asSeen, clock, db } = await openPair(t, 0)
  await replica.close()
  await until(() => !asSeen().connected)
  await clock.advance(1000)
  await db.execute([{ insert: { table: 'items', rows: items(1, 'a') } }])
  await clock.advance(7000)
  t.same(asSeen().applied.lag, {
    transactions: 1,
    bytes: primary.state.tail.get(primary.position.lsn)!.bytes,
    seconds: 7,
  })
  t.equal(replicaClock.timers, 0, 'a closed replica leaves no timer behind')
  t.equal(proxy.connections, 1)
})

void t.test('a replica that never met its primary does not claim to be up to date', async (t) => {
  const clock = new ManualClock()
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: 'http://127.0.0.1:1', clock })
  await until(() => replica.replication().error !== null)
  await clock.advance(30_000)
  t.ok(replica.replication().applied.lag.seconds >= 29)
  t.equal(replica.replication().silenceMs, null)
})

void t.test('after a long silence an attempt is given its time', async (t) => {
  let attempts = 0
  const { primary, replica, replicaClock, proxy, db } = await openPair(t, 0, {
    connect: (url) => {
      attempts++
      return connectSocket(url)
    },
  })
  proxy.refuses = true
  proxy.cut()
  await until(() => replica.replication().state === 'connecting')
  await replicaClock.advance(60_000)
  // One that began in that minute is old already, and has no time left.
  await until(() => replica.replication().reconnects === attempts)
  await db.execute([{ insert: { table: 'items', rows: items(1, 'a') } }])
  // The handshake now takes longer than the pulse with which silence is looked for.
  proxy.refuses = false
  proxy.delayMs = 200
  const before = attempts
  while (attempts === before) await replicaClock.advance(1000)
  const { reconnects } = replica.replication()
  for (let pulse = 0; pulse < 5; pulse++) await replicaClock.advance(1000)
  await replica.waitFor(primary.position.lsn)
  t.equal(replica.replication().reconnects, reconnects)
})

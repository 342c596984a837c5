/**
 * A replica does what operators tell it, durably and visibly: it is paused, kept behind, or does without a transaction that
 * it cannot apply, of which its log keeps the frame. (G7)
 */
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { REPLICA_BUFFER_BYTES_MAX } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import { rowPrefix, prefixRange } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ManualClock } from '../primary/manual-clock.js'
import { differences } from './equal-stores.js'
import { CLUSTER_ID, FakeLog, fakePrimary } from './fake-primary.js'
import { follow, serve } from './linked-pair.js'
import { ITEMS, items } from './tables.js'
import { until } from './until.js'

const NOTE = { by: 'operator', reason: 'a test' }

void t.test(
  'a paused replica receives and applies nothing, also after a restart, and goes on where it was',
  async (t) => {
    const engines = { primary: new MemoryEngine(), replica: new MemoryEngine() }
    const { primary, url, close, served } = await serve(t, { path: '/primary', engine: engines.primary })
    const db = primary.catalog()
    await db.execute([{ createTable: { table: ITEMS } }])
    const states: string[] = []
    const onStateChange = (state: string) => void states.push(state)
    const first = await follow(t, { path: '/replica', engine: engines.replica, from: url, onStateChange })
    await until(() => first.position.lsn === primary.position.lsn)
    await first.pause(NOTE)
    const { lsn } = first.position
    for (let turn = 0; turn < 5; turn++) {
      await db.execute([{ insert: { table: 'items', rows: items(2, `turn ${turn}`) } }], { ack: { level: 'received' } })
    }
    t.equal(
      first.replication().received.lsn,
      primary.position.lsn.toString(),
      'a commit of level received was answered',
    )
    t.equal(first.position.lsn, lsn)
    t.match(first.replication(), { state: 'paused', paused: NOTE, applied: { lag: { transactions: 5 } } })
    t.ok(first.replication().paused!.since.endsWith('Z'))
    t.ok(states.includes('paused'))
    t.match(served.replicas(), [
      { connected: true, received: { lag: { transactions: 0 } }, applied: { lag: { transactions: 5 } } },
    ])
    await t.rejects(first.becomePrimary(), { code: 'PROMOTION_REFUSED' })

    await first.close()
    const engine = engines.replica.crash()
    const again = await follow(t, { path: '/replica', engine, from: url })
    await until(() => again.replication().received.lsn === primary.position.lsn.toString())
    t.match(again.replication(), { state: 'paused', paused: NOTE })
    t.equal(again.position.lsn, lsn)
    await again.resume()
    await until(() => again.position.lsn === primary.position.lsn)
    await until(() => again.replication().state === 'streaming')
    t.equal(again.replication().paused, null)
    await again.close()
    await close()
    t.same(await differences(engines.primary, engine), [])
  },
)

void t.test(
  'a paused replica holds a bounded part of what comes; the link stays, and the rest waits on the primary',
  async (t) => {
    const { primary, url, served } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
    const db = primary.catalog()
    await db.execute([{ createTable: { table: ITEMS } }])
    const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: url })
    await until(() => replica.position.lsn === primary.position.lsn)
    await replica.pause(NOTE)
    const bytes = Buffer.alloc(4_000_000, 7)
    for (let turn = 0; turn < 38; turn++) await db.execute([{ insert: { table: 'items', rows: [{ bytes }] } }])
    await until(
      () => served.replicas()[0]!.received.lag.bytes < Number(primary.state.logBytes) - REPLICA_BUFFER_BYTES_MAX,
    )
    await setTimeout(2500)
    const { received } = replica.replication()
    t.ok(
      BigInt(received.lsn) < primary.position.lsn,
      `it received up to LSN ${received.lsn} of ${primary.position.lsn}`,
    )
    t.match(served.replicas(), [{ connected: true }], 'it still says how far it is')
    t.equal(replica.replication().reconnects, 0)
    await replica.resume()
    await until(() => replica.position.lsn === primary.position.lsn)
    t.equal(replica.replication().reconnects, 0)
  },
)

void t.test('a replica that is kept behind takes over with all that it received', async (t) => {
  const { primary, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  const db = primary.catalog()
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: url, delayMs: 3_600_000 })
  await db.execute([{ createTable: { table: ITEMS } }])
  await db.execute([{ insert: { table: 'items', rows: items(5, 'a') } }], { ack: 'received' })
  t.equal(replica.position.lsn, 0n)
  await replica.becomePrimary()
  t.equal(replica.position.lsn, primary.position.lsn)
})

void t.test('who pauses says who and why', async (t) => {
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: 'http://127.0.0.1:1' })
  await t.rejects(replica.pause({ by: '', reason: 'x' }), { code: 'INVALID_ARGUMENT' })
  await t.rejects(replica.pause({ by: 'x', reason: 'y'.repeat(501) }), { code: 'INVALID_ARGUMENT' })
  t.equal(replica.replication().paused, null)
})

void t.test(
  'a replica that is kept behind applies each transaction in its time, on the clock of the primary',
  async (t) => {
    const clock = new ManualClock()
    const replicaClock = new ManualClock(-7200)
    const { primary, url, served } = await serve(t, { path: '/primary', engine: new MemoryEngine(), clock })
    const db = primary.catalog()
    await db.execute([{ createTable: { table: ITEMS } }])
    const options = { path: '/replica', from: url, clock: replicaClock, delayMs: 3000 }
    const replica = await follow(t, { ...options, engine: new MemoryEngine() })
    const advance = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second++) {
        await replicaClock.advance(1000)
        await clock.advance(1000)
        await until(() => replica.replication().silenceMs === 0)
      }
    }
    await until(() => replica.replication().received.lsn === primary.position.lsn.toString())
    t.equal(replica.position.lsn, 0n)
    await advance(2)
    await db.execute([{ insert: { table: 'items', rows: items(1, 'a') } }])
    await until(() => replica.replication().received.lsn === primary.position.lsn.toString())
    t.equal(replica.position.lsn, 0n, 'two seconds are too early')
    await advance(1)
    await until(() => replica.position.lsn === primary.position.lsn - 1n)
    t.match(replica.replication(), { delayMs: 3000, applied: { lag: { transactions: 1 } } })
    await replicaClock.advance(1)
    await until(() => served.replicas()[0]!.applied.lsn === replica.position.lsn.toString())
    t.match(served.replicas(), [{ received: { lag: { transactions: 0 } }, applied: { lag: { transactions: 1 } } }])
    await advance(1)
    t.equal(replica.position.lsn, primary.position.lsn - 1n)
    t.ok(replica.replication().applied.lag.seconds >= 1, 'its lag is what it is')
    await advance(1)
    await until(() => replica.position.lsn === primary.position.lsn)
    await t.rejects(follow(t, { ...options, engine: new MemoryEngine(), delayMs: 0.5 }), { code: 'INVALID_ARGUMENT' })
  },
)

void t.test(
  'only the transaction that cannot be applied is skipped, when it is named, and the log keeps it',
  async (t) => {
    const bad: { frame?: Buffer } = {}
    const { url } = await fakePrimary(t, (link, hello) => {
      const log = new FakeLog()
      link.welcome(CLUSTER_ID, 4n)
      const from = Number(hello.position.split('.')[1])
      const frames = [log.next(), log.next()]
      const rows = [{ after: Buffer.of(8, 1) }]
      bad.frame = log.next({ statements: [{ kind: 'insert', tableId: 77, tableVersion: 1, rows }] })
      frames.push(bad.frame, log.next())
      link.frames(...frames.slice(from))
    })
    const engine = new MemoryEngine()
    const replica = await follow(t, { path: '/replica', engine, from: url })
    await t.rejects(replica.skip(1n as Lsn, NOTE), { code: 'INVALID_ARGUMENT' }, 'nothing is wrong so far')
    await until(() => replica.replication().refusedLsn === '3')
    t.equal(replica.position.lsn, 2n)
    for (const lsn of [2n, 4n] as Lsn[]) await t.rejects(replica.skip(lsn, NOTE), { code: 'INVALID_ARGUMENT' })
    await replica.skip(3n as Lsn, NOTE)
    await until(() => replica.position.lsn === 4n)
    t.match(replica.replication(), { refusedLsn: null, skipped: [{ lsn: '3', ...NOTE }] })
    const { entries } = await replica.state.store.frames(
      { from: Buffer.of(0x4c), to: Buffer.of(0x4d) },
      { entriesMax: 100, bytesMax: 1e6, reverse: false },
    )
    t.equal(entries.length, 4)
    t.ok(entries[2]!.value.equals(bad.frame!), 'the frame is kept to the byte')
    const page = await replica.state.store.page(prefixRange(rowPrefix(77)), {
      entriesMax: 1,
      bytesMax: 1e6,
      reverse: false,
    })
    t.same(page.entries, [])
    await replica.close()

    const again = await follow(t, { path: '/replica', engine: engine.crash(), from: url })
    t.match(again.replication(), { skipped: [{ lsn: '3', ...NOTE }] }, 'a restart does not forget it')
  },
)

void t.test('a transaction of another history under the same number is not skipped', async (t) => {
  let other = false
  const { url } = await fakePrimary(t, (link, hello) => {
    const log = new FakeLog()
    link.welcome(CLUSTER_ID, 3n)
    const from = Number(hello.position.split('.')[1])
    const rows = [{ after: other ? Buffer.of(8, 2) : Buffer.of(8, 1) }]
    const statements = [{ kind: 'insert', tableId: 77, tableVersion: 1, rows } as const]
    link.frames(...[log.next(), log.next({ statements })].slice(from))
  })
  const engine = new MemoryEngine()
  const replica = await follow(t, { path: '/replica', engine, from: url })
  await until(() => replica.replication().refusedLsn === '2')
  other = true
  await replica.skip(2n as Lsn, NOTE)
  await until(() => replica.replication().reconnects >= 2 && replica.replication().refusedLsn === '2')
  t.equal(replica.position.lsn, 1n)
})

void t.test('resume tries again what had stopped', async (t) => {
  let refuses = true
  const { url, hellos } = await fakePrimary(t, (link, hello) => {
    const log = new FakeLog()
    link.welcome(CLUSTER_ID, 1n)
    if (hello.position.startsWith('0.0.')) link.frames(log.next())
    if (refuses) link.say({ type: 'refused', code: 'DIVERGED', message: 'not yet' })
  })
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: url })
  await until(() => replica.replication().state === 'stopped')
  refuses = false
  await replica.resume()
  await until(() => replica.replication().state === 'streaming')
  t.equal(hellos.length, 2)
})

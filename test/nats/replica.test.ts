/**
 * Replicas whose frames come from JetStream, against a real nats-server. Protects G7 (a replica is a prefix), G9 (history
 * loss is loud), and that the primary lists such replicas and counts them.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { type Clock, systemClock } from '../../core/clock.js'
import { NatsLink } from '../../log/nats/connection.js'
import { NatsPrimary } from '../../log/nats/nats-primary.js'
import { StreamOrDirect } from '../../log/nats/stream-or-direct.js'
import { logStream } from '../../log/nats/subjects.js'
import { StreamSocket } from '../../log/nats/stream-socket.js'
import { NATS_FETCH_MESSAGES } from '../../core/limits.js'
import { checkFrame, lsnAt } from '../../log/codec/frame.js'
import { LINK_PROTOCOL, encodeLinkMessage } from '../../log/link/protocol.js'
import { LinkServer } from '../../log/link/link-server.js'
import type { LinkSocket } from '../../log/link/link-socket.js'
import { promote } from '../../index.js'
import { Primary } from '../../primary/primary.js'
import { Replica } from '../../replica/replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ManualClock } from '../primary/manual-clock.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { differences } from '../replication/equal-stores.js'
import { serve } from '../replication/linked-pair.js'
import { ITEMS, items } from '../replication/tables.js'
import { until } from '../replication/until.js'
import { type NatsServer, startNats } from './nats-server.js'

const LIMITS = { bytesMax: 0, ageMsMax: 0, replicas: 1 }

interface Published {
  readonly primary: Primary
  readonly nats: NatsPrimary
  readonly link: LinkServer
  readonly cluster: string
  close(): Promise<void>
}

/** A primary that is reached over NATS only. */
async function publish(t: Test, server: NatsServer, engine = new MemoryEngine(), clock?: Clock): Promise<Published> {
  return publishOf(t, server, await Primary.open({ path: '/primary', engine }), clock)
}

/** @param clock of the link to replicas */
function publishOf(t: Test, server: NatsServer, primary: Primary, clock = systemClock): Published {
  const nats = new NatsPrimary(primary.state, systemClock, { servers: [server.url], name: 'primary', limits: LIMITS })
  const { acknowledgements } = primary
  const onError = (error: unknown): void => void t.fail(String(error))
  const link = new LinkServer(primary.state, clock, nats, { name: 'primary', onError, acknowledgements })
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= (async () => {
      link.close()
      await nats.close()
      await primary.close()
    })()
    return closing
  }
  t.teardown(close)
  return { primary, nats, link, close, cluster: primary.state.identity.clusterId!.toString('hex') }
}

interface Following {
  readonly replica: Replica
  readonly nats: NatsLink
  readonly path: StreamOrDirect
}

async function follow(t: Test, server: NatsServer, store: MemoryEngine | string, from?: string): Promise<Following> {
  const nats = new NatsLink(systemClock, { servers: [server.url], name: 'replica' })
  const opened: { replica?: Replica } = {}
  const path = new StreamOrDirect(nats, systemClock, {
    direct: from === undefined ? undefined : (url): LinkSocket => new WebSocket(url),
    place: () => replica && { position: replica.position, cluster: replica.state.identity.clusterId?.toString('hex') },
  })
  const replica = await Replica.open({
    ...(typeof store === 'string' ? { path: store } : { path: '/replica', engine: store }),
    from: from ?? 'http://127.0.0.1:1',
    connect: (url) => path.connect(url),
  })
  opened.replica = replica
  t.teardown(async () => {
    await replica.close()
    await nats.close()
  })
  return { replica, nats, path }
}

async function insert({ primary }: Pick<Published, 'primary'>, prefix: string, count = 3): Promise<void> {
  await primary.catalog().execute([{ insert: { table: 'items', rows: items(count, prefix) } }])
}

async function published({ nats, primary }: Pick<Published, 'nats' | 'primary'>): Promise<void> {
  await until(() => nats.publisher.publishedLsn === primary.position.lsn)
}

async function caughtUp(replica: Replica, primary: Primary): Promise<void> {
  await replica.waitFor(primary.position.lsn)
}

t.test('a replica copies, follows, is listed with its lag, and counts for acknowledgements', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const engines = { primary: new MemoryEngine(), replica: new MemoryEngine() }
  const run = await publish(t, server, engines.primary)
  await run.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  for (let turn = 0; turn < 50; turn++) await insert(run, `before ${turn}`)
  await published(run)
  const { replica } = await follow(t, server, engines.replica)
  await caughtUp(replica, run.primary)
  await until(() => run.link.followers()[0]?.applied.lsn === run.primary.position.lsn.toString())
  t.match(run.link.followers(), [{ address: 'nats', connected: true, applied: { lag: { transactions: 0 } } }])
  await run.primary.catalog().execute([{ insert: { table: 'items', rows: items(2, 'confirmed') } }], {
    ack: { level: 'durable', replicas: 1, timeoutMs: 20_000 },
  })
  t.equal(replica.position.lsn, run.primary.position.lsn, 'a commit that asks for it waited for the replica')
  await until(() => replica.replication().state === 'streaming')
  t.equal(replica.replication().reconnects, 0)
  await replica.close()
  await until(() => run.link.followers()[0]?.connected === false)
  await run.close()
  t.same(await differences(engines.primary, engines.replica), [])
})

t.test('the log is not purged before it is in the stream', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const { primary, nats, cluster } = await publish(t, server)
  await published({ primary, nats })
  const holder = { name: `NATS stream ${logStream(cluster)}`, lsn: primary.position.lsn }
  t.same(nats.holders(), [{ ...holder, goneMs: 0 }])
  await server.kill()
  await until(() => !nats.link.isConnected)
  await primary.catalog().execute([{ createTable: { table: ITEMS } }])
  t.match(nats.holders(), [holder], 'what came meanwhile is needed')
  await until(() => nats.holders()[0]!.goneMs! > 0)
})

t.test('large transactions arrive whole', async (t) => {
  const server = await startNats(t, { config: 'max_payload: 65536' })
  if (server === undefined) return
  const run = await publish(t, server)
  await run.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  await published(run)
  const { replica } = await follow(t, server, new MemoryEngine())
  await caughtUp(replica, run.primary)
  const rows = Array.from({ length: 8 }, (_, value) => ({ bytes: Buffer.alloc(700_000, value) }))
  await run.primary.catalog().execute([{ insert: { table: 'items', rows } }])
  await insert(run, 'behind')
  await caughtUp(replica, run.primary)
  t.same(replica.position, run.primary.position)
  t.equal(replica.replication().reconnects, 0)
})

t.test('a replica that comes back goes on where it was, in the middle of a message too', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publish(t, server)
  await run.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  const engine = new MemoryEngine()
  const first = await follow(t, server, engine)
  await insert(run, 'seen')
  await caughtUp(first.replica, run.primary)
  await first.replica.close()
  const { streams } = run.nats.link.handles().manager
  await insert(run, 'missed')
  await Promise.all(Array.from({ length: 30 }, (_, at) => insert(run, `missed ${at}`)))
  await published(run)
  // Published anew in one go, messages begin and end elsewhere than when the replica left.
  await streams.delete(logStream(run.cluster))
  await insert(run, 'again')
  await until(
    () => run.nats.publisher.status().refills > 0 && run.nats.publisher.publishedLsn === run.primary.position.lsn,
  )
  const second = await follow(t, server, engine.crash())
  await caughtUp(second.replica, run.primary)
  t.same(second.replica.position, run.primary.position)
  t.equal(second.replica.replication().reconnects, 0)
})

t.test('nats-server is killed under load, and loses its store: the replica ends equal', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const engines = { primary: new MemoryEngine(), replica: new MemoryEngine() }
  const run = await publish(t, server, engines.primary)
  await run.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  const { replica, nats } = await follow(t, server, engines.replica)
  for (let round = 0; round < 3; round++) {
    for (let turn = 0; turn < 20; turn++) await insert(run, `round ${round} turn ${turn}`)
    await server.kill()
    await until(() => !nats.isConnected && !run.nats.link.isConnected)
    if (round === 1) server.loseStore()
    await insert(run, `meanwhile ${round}`)
    await server.start()
    await caughtUp(replica, run.primary)
  }
  t.same(replica.position, run.primary.position)
  await replica.close()
  await run.close()
  t.same(await differences(engines.primary, engines.replica), [])
})

t.test('without a primary the stream alone brings a replica to where it ends', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publish(t, server)
  await run.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  await insert(run, 'left behind')
  const { position } = run.primary
  await published(run)
  await run.close()
  const { replica } = await follow(t, server, new MemoryEngine())
  await replica.waitFor(position.lsn)
  t.same(replica.position, position)
})

t.test('a stream that does not reach back: HISTORY_LOST, which stops the replica', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publish(t, server)
  await run.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  await insert(run, 'trimmed')
  await published(run)
  await trim(run)
  const { replica } = await follow(t, server, new MemoryEngine())
  await until(() => replica.replication().state === 'stopped')
  t.equal(replica.replication().error?.code, 'HISTORY_LOST')
})

t.test('the same with a direct link: the replica takes that one, and misses nothing', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const served = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  const { primary } = served
  const nats = new NatsPrimary(primary.state, systemClock, { servers: [server.url], name: 'primary', limits: LIMITS })
  t.teardown(() => nats.close())
  await primary.catalog().execute([{ createTable: { table: ITEMS } }])
  await insert(served, 'trimmed')
  await published({ nats, primary })
  const cluster = primary.state.identity.clusterId!.toString('hex')
  await trim({ nats, cluster, primary })
  const { replica, path } = await follow(t, server, new MemoryEngine(), served.url)
  await caughtUp(replica, primary)
  t.same(replica.position, primary.position)
  t.ok(path.isDirect)
})

t.test('a replica that reads slowly holds nobody up, and is sent no more than it asked for', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  // On a clock that stands still: neither side is to leave the other for its silence.
  const clock = new ManualClock()
  const run = await publish(t, server, new MemoryEngine(), clock)
  await run.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  await published(run)
  const link = new NatsLink(systemClock, { servers: [server.url], name: 'slow' })
  t.teardown(() => link.close())
  const socket = new StreamSocket(link, clock, { cluster: run.cluster, onUnusable: () => false })
  t.teardown(() => {
    socket.terminate()
  })
  const frames: Buffer[] = []
  socket.on('open', () => {
    socket.send(helloOf(run.cluster))
  })
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!isBinary) return
    frames.push(data)
    if (frames.length === 1) socket.pause()
  })
  await until(() => frames.length > 0)
  for (let turn = 0; turn < 4 * NATS_FETCH_MESSAGES; turn++) {
    await insert(run, `turn ${turn}`, 1)
    await published(run)
  }
  t.equal(frames.length, 1)
  const { consumers } = run.nats.link.handles().manager
  const [consumer] = await consumers.list(logStream(run.cluster)).next()
  t.ok(consumer!.delivered.consumer_seq <= 2 * NATS_FETCH_MESSAGES)
  t.ok(consumer!.num_pending >= 2 * NATS_FETCH_MESSAGES, 'the rest waits in the stream')
  socket.resume()
  const { position } = run.primary
  await until(() => lastLsn(frames.at(-1)!) === position.lsn)
  t.same(
    frames.flatMap(lsnsOf),
    Array.from({ length: Number(position.lsn) }, (_, at) => BigInt(at + 1)),
  )
})

t.test('after a failover a replica goes over to the new primary, though the old one still speaks', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const directory = scratchDirectory(t)
  const old = await publish(t, server)
  await old.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  await insert(old, 'of both')
  const one = await follow(t, server, join(directory, 'one'))
  const two = await follow(t, server, join(directory, 'two'))
  await Promise.all([one, two].map(({ replica }) => caughtUp(replica, old.primary)))
  await until(() => old.link.followers().filter(({ connected }) => connected).length === 2)
  const next = publishOf(t, server, await promote(one.replica))
  await insert(next, 'of the new one')
  await caughtUp(two.replica, next.primary)
  t.same(two.replica.position, next.primary.position)
  await until(() => next.link.followers().some(({ connected }) => connected))
  await until(() => old.nats.publisher.status().error?.code === 'FENCED')
  await insert(next, 'and on')
  await caughtUp(two.replica, next.primary)
  await until(() => two.replica.replication().state === 'streaming')
  t.equal(next.link.followers()[0]?.serverId, two.replica.state.identity.serverId.toString('hex'))
})

t.test('a replica of another history is refused', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const engine = new MemoryEngine()
  const run = await publish(t, server, engine)
  await run.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  const past = await copyOf(engine)
  const { replica } = await follow(t, server, new MemoryEngine())
  await insert(run, 'one history')
  await caughtUp(replica, run.primary)
  await run.close()
  // The primary comes back as it was before, and commits something else at the same LSN.
  const operator = new NatsLink(systemClock, { servers: [server.url], name: 'operator' })
  t.teardown(() => operator.close())
  const { streams } = (await operator.connected()).manager
  await streams.delete(logStream(run.cluster))
  const other = await publish(t, server, past)
  await insert(other, 'another history')
  await insert(other, 'and more of it')
  await until(() => replica.replication().state === 'stopped')
  t.equal(replica.replication().error?.code, 'DIVERGED')
})

function helloOf(cluster: string): string {
  return encodeLinkMessage({
    type: 'hello',
    protocol: LINK_PROTOCOL,
    clusterId: cluster,
    serverId: 'ab'.repeat(16),
    name: 'slow',
    position: `0.0.${'00'.repeat(16)}`,
    bytes: 0n,
  })
}

function lsnsOf(frames: Buffer): bigint[] {
  const lsns: bigint[] = []
  for (let at = 0; at < frames.length; at = checkFrame(frames, at)!) lsns.push(lsnAt(frames, at))
  return lsns
}

function lastLsn(frames: Buffer): bigint {
  return lsnsOf(frames).at(-1)!
}

async function copyOf(engine: MemoryEngine): Promise<MemoryEngine> {
  const copy = new MemoryEngine()
  const batch = copy.batch()
  const all = { from: Buffer.of(0), to: Buffer.of(255) }
  const { entries } = await engine.page(all, { entriesMax: 1_000_000, bytesMax: 1_000_000_000, reverse: false })
  for (const { key, value } of entries) batch.put(key, value)
  await batch.writeSynced()
  return copy
}

/** The beginning of the stream goes, as its limits would let it. */
async function trim(run: Pick<Published, 'nats' | 'cluster' | 'primary'>): Promise<void> {
  const { streams } = run.nats.link.handles().manager
  await streams.purge(logStream(run.cluster), { keep: 1 })
  await insert(run, 'what is left')
  await published(run)
  await streams.purge(logStream(run.cluster), { keep: 1 })
}

/**
 * The publisher against a real nats-server. Protects G2 (only what is durable), G3 (gapless, in order), and that the log
 * and not the stream is the truth: whatever the stream loses comes back.
 */
import { headers } from 'nats'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.js'
import type { Epoch } from '../../core/position.js'
import { formatPosition } from '../../core/position.js'
import { NatsLink } from '../../log/nats/connection.js'
import { logFeed } from '../../log/nats/feed.js'
import { LogPublisher, type PublisherOptions } from '../../log/nats/publisher.js'
import { headFields } from '../../log/nats/log-message.js'
import { logStream } from '../../log/nats/subjects.js'
import { promote } from '../../index.js'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { follow, serve } from '../replication/linked-pair.js'
import { ITEMS, items } from '../replication/tables.js'
import { until } from '../replication/until.js'
import { type NatsServer, startNats } from './nats-server.js'
import { readStream, streamOf } from './stream-contents.js'

const LIMITS = { bytesMax: 0, ageMsMax: 0, replicas: 1 }
const MIB = 1024 * 1024
/** How long an answer of NATS may take: a busy machine may stop for longer than the product waits. */
const ANSWER_MS_MAX = 60_000

interface Publishing {
  readonly primary: Primary
  readonly cluster: string
  readonly link: NatsLink
  readonly publisher: LogPublisher
}

async function openPrimary(t: Test, engine = new MemoryEngine()): Promise<Primary> {
  const primary = await Primary.open({ path: '/primary', engine })
  t.teardown(() => primary.close())
  return primary
}

function connect(t: Test, server: NatsServer): NatsLink {
  const link = new NatsLink(systemClock, { servers: [server.url], name: 'primary', requestMs: ANSWER_MS_MAX })
  t.teardown(() => link.close())
  return link
}

function publish(t: Test, primary: Primary, link: NatsLink, more: Partial<PublisherOptions> = {}): Publishing {
  const publisher = new LogPublisher(primary.state, link, systemClock, {
    feed: logFeed(primary.state),
    limits: LIMITS,
    ...more,
  })
  t.teardown(() => publisher.close())
  return { primary, publisher, link, cluster: primary.state.identity.clusterId!.toString('hex') }
}

async function publishing(t: Test, server: NatsServer, more: Partial<PublisherOptions> = {}): Promise<Publishing> {
  const primary = await openPrimary(t)
  await primary.catalog().execute([{ createTable: { table: ITEMS } }])
  return publish(t, primary, connect(t, server), more)
}

async function insert({ primary }: Publishing, prefix: string, count = 3): Promise<void> {
  await primary.catalog().execute([{ insert: { table: 'items', rows: items(count, prefix) } }])
}

async function published({ primary, publisher }: Publishing): Promise<void> {
  await until(() => publisher.publishedLsn === primary.position.lsn)
}

t.test('what commits is in the stream, gapless, in order, and named by its position', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publishing(t, server)
  await Promise.all(Array.from({ length: 200 }, (_, ordinal) => insert(run, `row ${ordinal}`)))
  await published(run)
  const contents = await readStream(run.link.handles(), run.cluster)
  t.equal(contents.end, run.primary.position.lsn)
  t.ok(contents.heads.length < 200, 'frames share messages')
  t.equal(contents.ids.at(-1), formatPosition(run.primary.position))
  t.equal(contents.heads.at(-1)?.logBytes, run.primary.state.logBytes)
  t.match(run.publisher.status(), { publishing: true, outstanding: 0, refills: 0, errors: 0, error: null })
})

t.test('a transaction larger than a message is cut, also below a server that takes little', async (t) => {
  const server = await startNats(t, { config: 'max_payload: 65536' })
  if (server === undefined) return
  const run = await publishing(t, server)
  const rows = [
    { bytes: Buffer.alloc(3 * MIB, 1) },
    { bytes: Buffer.alloc(200_000, 2) },
    { bytes: Buffer.alloc(10, 3) },
  ]
  await run.primary.catalog().execute([{ insert: { table: 'items', rows } }])
  await insert(run, 'behind')
  await published(run)
  const contents = await readStream(run.link.handles(), run.cluster)
  t.equal(contents.end, run.primary.position.lsn)
  t.ok(contents.largestBytes <= 65536)
  t.ok(contents.heads.some(({ piece }) => piece !== undefined))
  t.equal(new Set(contents.ids).size, contents.ids.length, 'each message has its own id')
})

t.test('a publisher that begins anew continues where the stream ends, also in the middle of a frame', async (t) => {
  const server = await startNats(t, { config: 'max_payload: 65536' })
  if (server === undefined) return
  const run = await publishing(t, server)
  await run.primary.catalog().execute([{ insert: { table: 'items', rows: [{ bytes: Buffer.alloc(MIB, 1) }] } }])
  await published(run)
  await run.publisher.close()
  // What a publisher leaves that is killed between two pieces.
  const stream = streamOf(run.link.handles(), run.cluster)
  const { lastSequence } = await stream.ends()
  for (let sequence = lastSequence; sequence > lastSequence - 5; sequence--) await stream.delete(sequence)
  t.equal((await stream.last())?.head.isWhole, false)
  const again = publish(t, run.primary, run.link)
  await insert(again, 'more')
  await published(again)
  t.match(again.publisher.status(), { publishing: true, refills: 0 })
  t.equal((await readStream(again.link.handles(), again.cluster)).end, run.primary.position.lsn)
})

t.test('nats-server is killed in the middle of load: nothing is missing and nothing is twice', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publishing(t, server)
  let stop = false
  const load = (async () => {
    for (let turn = 0; !stop; turn++) {
      await Promise.all(Array.from({ length: 20 }, (_, at) => insert(run, `${turn} ${at}`, 1)))
      await delay(5)
    }
  })()
  for (let round = 0; round < 3; round++) {
    const { publishedLsn } = run.publisher
    await until(() => run.publisher.publishedLsn > publishedLsn + 50n)
    await server.kill()
    await until(() => !run.link.isConnected)
    await server.start()
  }
  stop = true
  await load
  await published(run)
  t.equal((await readStream(run.link.handles(), run.cluster)).end, run.primary.position.lsn)
})

t.test('nats-server comes back with an empty store: the stream is filled again from the log', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publishing(t, server)
  await insert(run, 'before')
  await published(run)
  await server.kill()
  server.loseStore()
  await until(() => !run.link.isConnected)
  await insert(run, 'meanwhile')
  await server.start()
  await until(() => run.publisher.status().refills > 0)
  await published(run)
  t.equal((await readStream(run.link.handles(), run.cluster)).end, run.primary.position.lsn)
})

t.test('a stream that is purged, or deleted, while it is in use is filled again', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publishing(t, server)
  await published(run)
  const { streams } = run.link.handles().manager
  await streams.purge(logStream(run.cluster))
  await until(() => run.publisher.status().refills > 0)
  await published(run)
  t.equal((await readStream(run.link.handles(), run.cluster)).end, run.primary.position.lsn)
  await streams.delete(logStream(run.cluster))
  await insert(run, 'into nothing')
  await until(() => run.publisher.status().refills > 1)
  await published(run)
  t.equal((await readStream(run.link.handles(), run.cluster)).end, run.primary.position.lsn)
})

t.test('a lost tail is filled again', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publishing(t, server)
  for (const prefix of ['one', 'two', 'three']) {
    await insert(run, prefix)
    await published(run)
  }
  const stream = streamOf(run.link.handles(), run.cluster)
  const { lastSequence } = await stream.ends()
  // In this order: the publisher, which may look in between, finds nothing missing before all of it is.
  await stream.delete(lastSequence - 1)
  await stream.delete(lastSequence)
  await until(() => run.publisher.status().refills > 0)
  await published(run)
  t.equal((await readStream(run.link.handles(), run.cluster)).end, run.primary.position.lsn)
})

t.test('after a failover the new primary takes back what the old one published and it does not have', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const directory = scratchDirectory(t)
  const old = await serve(t, { path: join(directory, 'old') })
  await old.primary.catalog().execute([{ createTable: { table: ITEMS } }])
  const run = publish(t, old.primary, connect(t, server))
  await insert(run, 'replicated')
  await published(run)
  const replica = await follow(t, { path: join(directory, 'new'), from: old.url })
  await replica.waitFor(old.primary.position.lsn)
  const primary = await promote(replica)
  t.teardown(() => primary.close())
  for (const prefix of ['lost 1', 'lost 2', 'lost 3']) {
    await insert(run, prefix)
    await published(run)
  }
  await run.publisher.close()
  await old.close()

  const next = publish(t, primary, connect(t, server))
  await insert(next, 'of the new epoch')
  await published(next)
  t.equal(next.publisher.status().rewound, 3)
  t.equal((await readStream(next.link.handles(), next.cluster)).end, primary.position.lsn)

  const epochs: Epoch[] = []
  const again = await Primary.open({ path: join(directory, 'old') })
  t.teardown(() => again.close())
  const back = publish(t, again, connect(t, server), { onHigherEpoch: (epoch) => epochs.push(epoch) })
  await until(() => epochs.length > 0)
  t.same(epochs[0], 2, 'the old primary hears of it by the stream')
  t.equal(back.publisher.status().messages, 0)
})

t.test('the stream of a higher epoch is refused and reported, and not written to', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const epochs: Epoch[] = []
  const run = await publishing(t, server, { onHigherEpoch: (epoch) => epochs.push(epoch) })
  await published(run)
  await forge(run, { epoch: 7 as Epoch })
  await insert(run, 'too late')
  await until(() => epochs.length > 0)
  t.equal(epochs[0], 7)
  t.match(run.publisher.status(), { publishing: false, error: { code: 'FENCED' } })
  t.equal((await streamOf(run.link.handles(), run.cluster).last())?.head.position.epoch, 7)
})

t.test('the stream of another history is refused', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publishing(t, server)
  await published(run)
  await forge(run, { digest: Buffer.alloc(16, 9) })
  await insert(run, 'behind it')
  await until(() => run.publisher.status().error?.code === 'DIVERGED')
  t.match(run.publisher.status(), { publishing: false })
})

t.test('the stream of another cluster is refused, and one that is not ours at all', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publishing(t, server)
  await published(run)
  await forge(run, {}, 'f'.repeat(32))
  await insert(run, 'behind it')
  await until(() => run.publisher.status().error?.code === 'FOREIGN_CLUSTER')
  const { jetstream } = run.link.handles()
  await jetstream.publish(`replog.${run.cluster}.log`, 'what is this?')
  await until(() => run.publisher.status().error?.code === 'PROTOCOL')
  t.pass('told')
})

t.test('limits of the stream are kept, and changed where they are others', async (t) => {
  const server = await startNats(t)
  if (server === undefined) return
  const run = await publishing(t, server, { limits: { bytesMax: 10 * MIB, ageMsMax: 60_000, replicas: 1 } })
  await published(run)
  const { streams } = run.link.handles().manager
  t.match((await streams.info(logStream(run.cluster))).config, {
    max_bytes: 10 * MIB,
    max_age: 60_000_000_000,
    storage: 'file',
  })
  await run.publisher.close()
  await published(publish(t, run.primary, run.link))
  t.match((await streams.info(logStream(run.cluster))).config, { max_bytes: -1, max_age: 0 })
})

/** A message of somebody else behind ours. */
async function forge(
  { link, cluster }: Publishing,
  position: { epoch?: Epoch; digest?: Buffer },
  owner = cluster,
): Promise<void> {
  const handles = link.handles()
  const last = (await streamOf(handles, cluster).last())!.head
  const head = { ...last, cluster: owner, position: { ...last.position, ...position } }
  const fields = headers()
  for (const [name, value] of headFields(head)) fields.set(name, value)
  await handles.jetstream.publish(`replog.${cluster}.log`, Buffer.alloc(10), { headers: fields })
}

/** G7, G8: a replica takes nothing from a primary that is not its own, or that contradicts itself; nor does a primary feed one. */
import { once } from 'node:events'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import t from 'tap'
import { freePort } from '../nats/nats-server.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { WebSocket } from 'ws'
import { type Epoch, EPOCH_FIRST, formatPosition, type Lsn } from '../../core/position.js'
import { encodeLinkMessage, type Hello, LINK_PATH, LINK_PROTOCOL } from '../../log/link/protocol.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { CLUSTER_ID, FakeLog, fakePrimary, LATER_EPOCH, type FakeLink } from './fake-primary.js'
import { follow, serve } from './linked-pair.js'
import { ITEMS, items } from './tables.js'
import { until } from './until.js'

/** A replica that took two good transactions of a fake primary and then what `script` sends. */
async function afterTwo(t: Parameters<typeof serve>[0], script: (link: FakeLink, log: FakeLog) => void) {
  const { url, hellos } = await fakePrimary(t, (link, hello) => {
    const log = new FakeLog()
    link.welcome(CLUSTER_ID, 9n)
    const first = [log.next(), log.next()]
    if (hello.position.startsWith('0.0.')) link.frames(...first)
    script(link, log)
  })
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: url })
  return { replica, hellos }
}

const FATAL: Record<string, { code: string; script: (link: FakeLink, log: FakeLog) => void }> = {
  'a digest that does not follow': {
    code: 'DIVERGED',
    script: (link) => {
      const other = new FakeLog(Buffer.alloc(16, 7))
      other.next()
      other.next()
      link.frames(other.next())
    },
  },
  'an epoch that goes back': {
    code: 'FENCED',
    script: (link, log) => {
      link.frames(log.next({ epoch: LATER_EPOCH }), log.next({ epoch: EPOCH_FIRST }))
    },
  },
}

for (const [name, { code, script }] of Object.entries(FATAL)) {
  void t.test(`a replica stops at ${name}: ${code}`, async (t) => {
    const { replica, hellos } = await afterTwo(t, script)
    await until(() => replica.replication().state === 'stopped')
    t.match(replica.replication().error, { code })
    t.equal(hellos.length, 1, 'it does not try again')
    await replica.waitFor(2n as Lsn)
    t.ok(replica.position.lsn >= 2n, 'what was sound is kept')
  })
}

const PASSING: Record<string, { code: string; script: (link: FakeLink, log: FakeLog) => void }> = {
  'a gap': {
    code: 'LOG_GAP',
    script: (link, log) => {
      log.next()
      link.frames(log.next())
    },
  },
  'a frame twice': {
    code: 'LOG_GAP',
    script: (link, log) => {
      const frame = log.next()
      link.frames(frame, frame)
    },
  },
  'a transaction without its last segment': {
    code: 'LOG_GAP',
    script: (link, log) => {
      const bytes = Buffer.alloc(800_000, 1)
      const rows = [{ after: bytes }, { after: bytes }, { after: bytes }]
      const frames = log.next({ statements: [{ kind: 'insert', tableId: 1, tableVersion: 1, rows }] })
      const first = frames.subarray(0, 44 + frames.readUInt32LE(4))
      link.frames(first, log.next())
    },
  },
  'a frame that breaks off': { code: 'CORRUPT', script: (link, log) => link.frames(log.next().subarray(0, 50)) },
  'a header that contradicts its payload': {
    code: 'CORRUPT',
    script: (link, log) => {
      const frame = log.next({ epoch: 3 as Epoch })
      frame.writeUInt32LE(1, 12)
      link.frames(resealed(frame))
    },
  },
  'a table that nobody made': {
    code: 'CORRUPT',
    script: (link, log) => {
      const rows = [{ after: Buffer.of(8, 1) }]
      link.frames(log.next({ statements: [{ kind: 'insert', tableId: 77, tableVersion: 1, rows }] }))
    },
  },
  'a message that is no JSON': { code: 'PROTOCOL', script: (link) => link.text('{') },
  'a message with a negative LSN': {
    code: 'PROTOCOL',
    script: (link) => link.text('{"type":"heartbeat","nowUs":"1","head":{"lsn":"-1","bytes":"0","commitUs":"0"}}'),
  },
}

for (const [name, { code, script }] of Object.entries(PASSING)) {
  void t.test(
    `a replica drops the link at ${name}, says ${code}, and asks again from its last transaction`,
    async (t) => {
      const codes: string[] = []
      const { url, hellos } = await fakePrimary(t, (link, hello) => {
        const log = new FakeLog()
        const from = Number(hello.position.split('.')[1])
        link.welcome(CLUSTER_ID, 9n)
        if (hellos.length === 1) {
          link.frames(log.next(), log.next())
          script(link, log)
          return
        }
        // The second time all is well.
        const frames = Array.from({ length: 9 }, () => log.next())
        link.frames(...frames.slice(from))
      })
      const replica = await follow(t, {
        path: '/replica',
        engine: new MemoryEngine(),
        from: url,
        onStateChange: (_state, error) => {
          if (error !== undefined) codes.push(error.code)
        },
      })
      await replica.waitFor(9n as Lsn)
      t.same(codes, [code])
      t.same(
        hellos.map((hello) => hello.position.split('.')[1]),
        ['0', name === 'a frame twice' ? '3' : '2'],
      )
    },
  )
}

for (const code of ['STORE_FAILED', 'COMMIT_UNKNOWN', 'INTERNAL', 'CORRUPT'] as const) {
  void t.test(
    `a fault of the primary, ${code}, is none of the replica: it asks again, and says no code of its own`,
    async (t) => {
      let again: FakeLink | undefined
      const { url, hellos } = await fakePrimary(t, (link) => {
        if (hellos.length === 1) link.say({ type: 'refused', code, message: 'said by the test' })
        else again = link
      })
      const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: url })
      await until(() => again !== undefined)
      t.match(replica.replication().error, {
        code: 'UNREACHABLE',
        message: new RegExp(`cannot serve its log now: ${code} .said by the test`),
      })
      again!.welcome(CLUSTER_ID, 1n)
      again!.frames(new FakeLog().next())
      await replica.waitFor(1n as Lsn)
      t.equal(replica.replication().error, null)
    },
  )
}

void t.test(
  'a replica that waits at a primary whose store fails asks again, and goes on with what it is after a restart',
  async (t) => {
    const errors: string[] = []
    let isFailing = false
    const memory = new MemoryEngine({
      beforeSync: () => (isFailing ? Promise.reject(new Error('EIO, says the test')) : Promise.resolve()),
    })
    const first = await serve(t, { path: '/primary', engine: memory }, await freePort())
    await first.primary.catalog().execute([{ createTable: { table: ITEMS } }])
    const replica = await follow(t, {
      path: '/replica',
      engine: new MemoryEngine(),
      from: first.url,
      onStateChange: (_state, error) => {
        if (error !== undefined) errors.push(error.code)
      },
    })
    await replica.waitFor(first.primary.position.lsn)
    isFailing = true
    await t.rejects(first.primary.catalog().execute([{ insert: { table: 'items', rows: items(1, 'lost') } }]), {
      code: 'COMMIT_UNKNOWN',
    })
    await until(() => replica.replication().reconnects > 0)
    await first.close().catch(() => undefined)
    const second = await serve(t, { path: '/primary', engine: memory.crash() }, first.port)
    await second.primary.catalog().execute([{ insert: { table: 'items', rows: items(1, 'kept') } }])
    await replica.waitFor(second.primary.position.lsn)
    t.same(new Set(errors), new Set(['UNREACHABLE']))
  },
)

void t.test(
  'a primary whose store failed closes the link and names no fault that a replica of an older version takes for its own',
  async (t) => {
    let isFailing = false
    const memory = new MemoryEngine({
      beforeSync: () => (isFailing ? Promise.reject(new Error('EIO, says the test')) : Promise.resolve()),
    })
    const { primary, url } = await serve(t, { path: '/primary', engine: memory })
    await primary.catalog().execute([{ createTable: { table: ITEMS } }])
    const answers: string[] = []
    const socket = new WebSocket(url.replace('http', 'ws') + LINK_PATH)
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (!isBinary) answers.push((JSON.parse(data.toString('utf8')) as { type: string }).type)
    })
    await once(socket, 'open')
    const hello: Hello = {
      type: 'hello',
      protocol: LINK_PROTOCOL,
      clusterId: primary.state.identity.clusterId!.toString('hex'),
      serverId: 'ab'.repeat(16),
      name: 'older',
      position: formatPosition(primary.position),
      bytes: 0n,
    }
    socket.send(encodeLinkMessage(hello))
    await until(() => answers.includes('welcome'))
    const closed = once(socket, 'close')
    isFailing = true
    await t.rejects(primary.catalog().execute([{ insert: { table: 'items', rows: items(1, 'lost') } }]))
    t.equal((await closed)[0], 1001)
    t.notOk(answers.includes('refused'))
  },
)

void t.test('a replica takes no frames before it was let in', async (t) => {
  const { url, hellos } = await fakePrimary(t, (link) => {
    link.frames(new FakeLog().next())
  })
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: url })
  await until(() => replica.replication().error?.code === 'PROTOCOL')
  await until(() => hellos.length > 1)
  t.equal(replica.position.lsn, 0n)
})

void t.test('a welcome of a damaged cluster id binds a new replica to nothing', async (t) => {
  const { url, hellos } = await fakePrimary(t, (link) => {
    const wrong = hellos.length === 1
    link.welcome(wrong ? Buffer.alloc(16, 0xee) : CLUSTER_ID, 1n)
    link.frames(new FakeLog().next())
  })
  const memory = new MemoryEngine()
  const replica = await follow(t, { path: '/replica', engine: memory, from: url })
  await until(() => replica.replication().state === 'stopped')
  t.match(replica.replication().error, { code: 'DIVERGED' })
  await replica.close()
  const again = await follow(t, { path: '/replica', engine: memory.crash(), from: url })
  await again.waitFor(1n as Lsn)
  t.equal(hellos[1]!.clusterId, null)
})

void t.test('a replica refuses the primary of another cluster, and that one refuses it', async (t) => {
  const directory = scratchDirectory(t)
  const own = await serve(t, { path: join(directory, 'own') })
  const other = await serve(t, { path: join(directory, 'other') })
  const path = join(directory, 'replica')
  const replica = await follow(t, { path, from: own.url })
  await replica.waitFor(own.primary.position.lsn)
  await replica.close()
  const strayed = await follow(t, { path, from: other.url })
  await until(() => strayed.replication().state === 'stopped')
  t.match(strayed.replication().error, { code: 'FOREIGN_CLUSTER' })
  t.equal(other.served.replicas().length, 0)
  t.same(strayed.position, own.primary.position)
  await strayed.close()

  const { url, hellos } = await fakePrimary(t, (link) => link.welcome(Buffer.alloc(16, 0xee), 5n))
  const lured = await follow(t, { path, from: url })
  await until(() => lured.replication().state === 'stopped')
  t.match(lured.replication().error, { code: 'FOREIGN_CLUSTER' })
  t.equal(hellos.length, 1)
})

void t.test(
  'a primary that lost its newest transactions is found out: DIVERGED, before and after it wrote others',
  async (t) => {
    const memory = new MemoryEngine()
    const first = await serve(t, { path: '/primary', engine: memory })
    await first.primary.catalog().execute([{ createTable: { table: ITEMS } }])
    const backup = memory.crash()
    // The old engine counts as crashed now; go on with a second copy.
    await first.close().catch(() => undefined)
    const second = await serve(t, { path: '/primary', engine: backup.crash() })
    await second.primary.catalog().execute([{ insert: { table: 'items', rows: items(1, 'lost') } }])
    const replicaMemory = new MemoryEngine()
    const replica = await follow(t, { path: '/replica', engine: replicaMemory, from: second.url })
    await replica.waitFor(second.primary.position.lsn)
    await replica.close()

    const restored = await serve(t, { path: '/primary', engine: backup.crash() })
    const ahead = await follow(t, { path: '/replica', engine: replicaMemory.crash(), from: restored.url })
    await until(() => ahead.replication().state === 'stopped')
    t.match(ahead.replication().error, { code: 'DIVERGED', message: /ahead of this server/ })
    await restored.primary.catalog().execute([{ insert: { table: 'items', rows: items(1, 'other') } }])
    await restored.primary.catalog().execute([{ insert: { table: 'items', rows: items(1, 'more') } }])
    const forked = await follow(t, { path: '/replica', engine: replicaMemory.crash(), from: restored.url })
    await until(() => forked.replication().state === 'stopped')
    t.match(forked.replication().error, { code: 'DIVERGED', message: /differs from this one at LSN 3/ })
    t.equal(restored.served.replicas().length, 0, 'neither was fed')
  },
)

void t.test('a plain copy of the primary has no place as its replica', async (t) => {
  const { primary, served, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  const { serverId, clusterId } = primary.state.identity
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: url })
  await replica.waitFor(primary.position.lsn)
  t.notSame(replica.state.identity.serverId, serverId)
  t.same(replica.state.identity.clusterId, clusterId)

  const answers: string[] = []
  const socket = new WebSocket(url.replace('http', 'ws') + LINK_PATH)
  socket.on('message', (data: Buffer) => answers.push(data.toString('utf8')))
  await once(socket, 'open')
  const hello: Hello = {
    type: 'hello',
    protocol: LINK_PROTOCOL,
    clusterId: clusterId!.toString('hex'),
    serverId: serverId.toString('hex'),
    name: 'copy',
    position: formatPosition(primary.position),
    bytes: 0n,
  }
  socket.send(encodeLinkMessage(hello))
  await once(socket, 'close')
  t.match(answers, [/"refused".*FOREIGN_CLUSTER.*plain file copy/])
  t.equal(served.replicas().length, 1)
})

void t.test('the same server id a second time replaces the first connection', async (t) => {
  const stores = { primary: new MemoryEngine(), replica: new MemoryEngine() }
  const { primary, served, url } = await serve(t, { path: '/primary', engine: stores.primary })
  const first = await follow(t, { path: '/replica', engine: stores.replica, from: url, name: 'first' })
  await first.waitFor(primary.position.lsn)
  await until(() => first.replication().state === 'streaming')
  // A copy of its data directory, as a restarted machine whose old connection nobody has noticed dead.
  const copy = stores.replica.crash()
  await first.close()
  const second = await follow(t, { path: '/replica', engine: copy, from: url, name: 'second' })
  await until(() => second.replication().state === 'streaming')
  const third = await follow(t, { path: '/replica', engine: copy.crash(), from: url, name: 'third' })
  await until(() => second.replication().reconnects > 0 || second.replication().state === 'connecting')
  await second.close()
  await until(() => third.replication().state === 'streaming')
  await until(
    () => served.replicas().length === 1 && served.replicas()[0]!.name === 'third' && served.replicas()[0]!.connected,
  )
  t.equal(third.position.lsn, primary.position.lsn)
})

function resealed(frame: Buffer): Buffer {
  frame.writeUInt32LE(0, 8)
  frame.writeUInt32LE(crc32(frame), 8)
  return frame
}

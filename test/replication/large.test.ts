/** Large transactions arrive whole; a follower that reads slowly, or comes late, costs the primary bounded memory. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import t from 'tap'
import { WebSocket } from 'ws'
import { LINK_MESSAGE_BYTES_MAX, LINK_UNSENT_BYTES_MAX, LOG_TAIL_BYTES_MAX } from '../../core/limits.js'
import { readFrame } from '../../log/codec/frame.js'
import { encodeLinkMessage, LINK_PATH, LINK_PROTOCOL } from '../../log/link/protocol.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ManualClock } from '../primary/manual-clock.js'
import { differences } from './equal-stores.js'
import { follow, serve } from './linked-pair.js'
import { ITEMS } from './tables.js'
import { until } from './until.js'

const MIB = 1024 * 1024

function blobs(count: number, bytes: number, value: number): Record<string, unknown>[] {
  return Array.from({ length: count }, () => ({ bytes: Buffer.alloc(bytes, value) }))
}

void t.test(
  'a transaction of many segments is there whole or not at all, while following and when copying',
  async (t) => {
    const stores = { primary: new MemoryEngine(), late: new MemoryEngine() }
    const { primary, url } = await serve(t, { path: '/primary', engine: stores.primary })
    const db = primary.catalog()
    await db.execute([{ createTable: { table: ITEMS } }])
    const early = await follow(t, { path: '/early', engine: new MemoryEngine(), from: url })
    await db.execute([{ insert: { table: 'items', rows: blobs(12, 400_000, 1) } }])
    // More than one link message may hold.
    await db.execute([{ insert: { table: 'items', rows: blobs(4, 12 * MIB, 2) } }])
    t.ok(48 * MIB > LINK_MESSAGE_BYTES_MAX)
    const counts = new Set<number>()
    while (early.position.lsn < primary.position.lsn) {
      if (early.position.lsn > 2n) counts.add((await early.catalog().tables())[0]!.rows)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    t.same(
      [...counts].filter((rows) => ![12, 16, 0].includes(rows)),
      [],
    )
    await db.execute([{ delete: { table: 'items', key: { id: 13 } } }])
    await early.waitFor(primary.position.lsn)
    t.equal(early.replication().reconnects, 0)

    const late = await follow(t, { path: '/late', engine: stores.late, from: url })
    await late.waitFor(primary.position.lsn)
    t.equal(late.replication().reconnects, 0)
    t.same(early.position, late.position, 'the same digest, so the same bytes')
    t.same(await early.catalog().tables(), await late.catalog().tables())
    t.same(await differences(stores.primary, stores.late), [])
  },
)

void t.test('what has left the memory of the primary is copied from its store', async (t) => {
  const stores = { primary: new MemoryEngine(), replica: new MemoryEngine() }
  const first = await serve(t, { path: '/primary', engine: stores.primary })
  const db = first.primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  for (let turn = 0; turn < 75; turn++) await db.execute([{ insert: { table: 'items', rows: blobs(1, MIB, turn) } }])
  await db.execute([{ insert: { table: 'items', rows: blobs(5, 900_000, 99) } }])
  const { tail } = first.primary.state
  t.ok(tail.bytes <= LOG_TAIL_BYTES_MAX && tail.firstLsn > 5n, `${tail.bytes} bytes from LSN ${tail.firstLsn} on`)
  const replica = await follow(t, { path: '/replica', engine: stores.replica, from: first.url })
  await replica.waitFor(first.primary.position.lsn)
  t.equal(replica.replication().reconnects, 0)
  t.same(await differences(stores.primary, stores.replica), [])
})

void t.test('a follower that does not read is given no more than its bound, and all of it once it reads', async (t) => {
  // A clock that stands still: this follower says nothing more, and is not to be left for its silence.
  const clock = new ManualClock()
  const { primary, server, url } = await serve(t, { path: '/primary', engine: new MemoryEngine(), clock })
  const accepted: Socket[] = []
  server.on('connection', (socket: Socket) => accepted.push(socket))
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  const client = new WebSocket(url.replace('http', 'ws') + LINK_PATH)
  const lsns: bigint[] = []
  client.on('message', (data: Buffer, isBinary: boolean) => {
    for (let offset = 0; isBinary && offset < data.length;) {
      const frame = readFrame(data, offset)!
      if (frame.lastSegment) lsns.push(frame.lsn)
      offset += frame.bytes.length
    }
  })
  await once(client, 'open')
  client.send(
    encodeLinkMessage({
      type: 'hello',
      protocol: LINK_PROTOCOL,
      clusterId: null,
      serverId: '0f'.repeat(16),
      name: 'slow',
      position: `0.0.${'00'.repeat(16)}`,
      bytes: 0n,
    }),
  )
  await until(() => lsns.length === 2)
  client.pause()
  let unsent = 0
  for (let turn = 0; turn < 50; turn++) {
    await db.execute([{ insert: { table: 'items', rows: blobs(1, MIB, turn) } }])
    await new Promise((resolve) => setImmediate(resolve))
    unsent = Math.max(unsent, accepted[0]!.writableLength)
  }
  await until(() => accepted[0]!.writableLength > MIB)
  t.ok(unsent <= LINK_UNSENT_BYTES_MAX + 2 * MIB, `${unsent} bytes in memory`)
  client.resume()
  await until(() => lsns.length === 52)
  t.same(
    lsns,
    Array.from({ length: 52 }, (_, at) => BigInt(at + 1)),
  )
  client.terminate()
})

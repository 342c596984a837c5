/**
 * 2,000 sockets opened and dropped at random moments, with garbage, half frames and readers that do not read: no crash,
 * nothing left behind, memory returns, and others are served all the while. (G5)
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { encodeRequest } from '../../log/codec/session/encode-request.js'
import { spawnPlain } from '../house/spawn-plain.js'
import { TEST_SEED } from '../isolation/random.js'
import { until } from '../replication/until.js'
import { SessionClient } from './serving-sessions.js'
import { clientFrame, handshake, rawSocket } from './raw-socket.js'
import type { StormReport } from './storm-child.js'

const SOCKETS = 2000
const OPEN_MS_MAX = 1500
const LIFE_MS_MAX = 400
/** What a heap may have grown by after a storm: compiled code and caches, and not two thousand connections. */
const HEAP_GROWTH_BYTES_MAX = 8 * 1024 * 1024

interface Child {
  readonly port: number
  report(): Promise<StormReport>
  /** Resolves with exit code and signal. */
  end(): Promise<unknown[]>
}

async function startChild(t: Test): Promise<Child> {
  const path = fileURLToPath(new URL('storm-child.js', import.meta.url))
  const child = spawnPlain(process.execPath, ['--expose-gc', path], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const exited = once(child, 'exit')
  t.teardown(() => child.kill('SIGKILL'))
  const line = async (): Promise<string> => {
    const { value } = (await lines.next()) as { readonly value: string | undefined }
    if (value === undefined || value.startsWith('fault')) throw new Error(value ?? 'the server has gone')
    return value
  }
  const port = Number((await line()).split(' ')[1])
  return {
    port,
    async report() {
      child.stdin!.write('report\n')
      return JSON.parse(await line()) as StormReport
    },
    async end() {
      child.stdin!.end()
      return exited
    },
  }
}

/** mulberry32: a storm can be had again by its seed. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Random = () => number

function requests(random: Random): Buffer {
  const key = { id: 1 + Math.floor(random() * 20) }
  const id = 10_000 + Math.floor(random() * 1e6)
  const frames = [
    { id: 1, begin: {} },
    { id: 2, getForUpdate: { table: 'kv', key, timeoutMs: 50 } },
    { id: 3, insert: { table: 'kv', rows: [{ id, value: 'storm' }] } },
    { id: 4, openCursor: { table: 'kv', reverse: true } },
    { id: 5, fetch: { cursor: 1, rows: 500 } },
    { id: 6, session: 1, begin: {} },
    { id: 7, session: 1, scan: { table: 'kv' } },
  ]
  return Buffer.concat(frames.map((frame) => clientFrame(JSON.stringify(frame))))
}

function garbage(random: Random, bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)))
}

/** What a socket of the storm does before it is dropped. */
const DEEDS: readonly ((socket: Socket, random: Random) => void)[] = [
  // Nothing at all, or garbage instead of a handshake.
  () => undefined,
  (socket, random) => socket.write(garbage(random, 100)),
  (socket, random) => socket.write(handshake().subarray(0, Math.floor(random() * 100))),
  (socket) => socket.write(handshake('/v1/catalogs/none/session')),
  (socket) => socket.write(handshake()),
  (socket, random) => socket.write(Buffer.concat([handshake(), requests(random)])),
  // Garbage instead of a frame, in a text frame, in a binary one.
  (socket, random) => socket.write(Buffer.concat([handshake(), requests(random), garbage(random, 200)])),
  (socket, random) => socket.write(Buffer.concat([handshake(), requests(random), clientFrame('{"id":9,')])),
  (socket, random) => socket.write(Buffer.concat([handshake(), requests(random), clientFrame('no JSON')])),
  (socket, random) => socket.write(Buffer.concat([handshake(), requests(random), clientFrame(garbage(random, 300))])),
  // Half a frame.
  (socket, random) => {
    const frames = requests(random)
    socket.write(Buffer.concat([handshake(), frames.subarray(0, Math.floor(random() * frames.length))]))
  },
  (socket, random) => {
    const frame = encodeRequest({ id: 1, session: 0, name: 'ping', input: {} })
    socket.write(Buffer.concat([handshake(), clientFrame(frame).subarray(0, 3 + Math.floor(random() * 4))]))
  },
  // Asks for much and reads nothing.
  (socket) => {
    socket.pause()
    const scans = Array.from({ length: 10 }, (_, n) => ({ id: 100 + n, session: 9, scan: { table: 'kv' } }))
    const frames = [{ id: 99, session: 9, begin: {} }, ...scans].map((frame) => clientFrame(JSON.stringify(frame)))
    socket.write(Buffer.concat([handshake(), ...frames]))
  },
  // Commits and does not wait for the answer.
  (socket, random) => {
    const commit = [
      { id: 20, commit: {} },
      { id: 21, session: 1, commit: {} },
    ]
    const frames = commit.map((frame) => clientFrame(JSON.stringify(frame)))
    socket.write(Buffer.concat([handshake(), requests(random), ...frames]))
  },
]

async function storm(port: number, sockets: number, openMsMax: number, random: Random): Promise<void> {
  await Promise.all(
    Array.from({ length: sockets }, async (_, ordinal) => {
      await delay(random() * openMsMax)
      const socket = rawSocket(port)
      DEEDS[ordinal % DEEDS.length]!(socket, random)
      await delay(random() * LIFE_MS_MAX)
      if (random() < 0.5) socket.destroy()
      else socket.resetAndDestroy()
    }),
  )
}

/** Transactions of somebody else, from begin to commit, until told to stop; one at least. */
async function beServed(port: number, isOver: () => boolean): Promise<number> {
  const client = new SessionClient(`ws://127.0.0.1:${port}/v1/catalogs/local/session`)
  await client.opened
  let served = 0
  for (; served === 0 || !isOver(); served++) {
    await client.ask({ begin: {} })
    await client.ask({ update: { table: 'kv', key: { id: 500 }, set: { value: String(served) } } })
    const { row } = await client.ask({ get: { table: 'kv', key: { id: 500 } } })
    if ((row as { value: string }).value !== String(served)) throw new Error('it does not see its own write')
    await client.ask({ commit: {} })
  }
  client.socket.terminate()
  return served
}

async function quiet(child: Child): Promise<StormReport> {
  let report: StormReport | undefined
  await until(async () => {
    report = await child.report()
    return report.status.connections === 0 && report.openTransactions === 0
  })
  return report!
}

t.test('a storm of clients that vanish leaves nothing behind, and others are served in it', async (t) => {
  const seed = TEST_SEED
  t.comment(`seed ${seed}`)
  const random = randomFrom(seed)
  const child = await startChild(t)
  await storm(child.port, SOCKETS / 4, OPEN_MS_MAX / 4, random)
  const before = await quiet(child)

  let isOver = false
  const serving = beServed(child.port, () => isOver)
  await storm(child.port, SOCKETS, OPEN_MS_MAX, random)
  isOver = true
  const served = await serving
  t.comment(`${served} transactions of another client`)

  const { heapBytes, status, ...left } = await quiet(child)
  t.same(left, { openTransactions: 0, openSnapshots: 0, locks: 0 })
  t.match(status, { connections: 0, sessions: 0, cursors: 0, heldBytes: 0 })
  t.ok(status.rolledBack.disconnect > 20, 'transactions were rolled back')
  t.ok(status.cut.malformed > 20, 'garbage was cut off')
  const grown = heapBytes - before.heapBytes
  t.ok(grown < HEAP_GROWTH_BYTES_MAX, `the heap is ${Math.round(grown / 1024)} KiB larger than before`)
  t.same(await child.end(), [0, null], 'the server did not crash')
})

/** G3, G8, G9: a log cursor gives every frame once, in order, from memory or store; damage and lost history are named. */
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Lsn } from '../../core/position.js'
import type { Frame } from '../../log/codec/frame.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import { LogCursor } from '../../log/log-cursor.js'
import { openState } from '../../log/open-state.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { Primary } from '../../primary/primary.js'
import { logKey } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { outcomeOf, outcomeSoon } from '../primary/outcome.js'
import { raiseFloor } from './raise-floor.js'

/** A log of small and large transactions. */
async function logOf(sizes: readonly number[]): Promise<MemoryEngine> {
  const engine = new MemoryEngine()
  const primary = await Primary.open({ path: '/memory', engine })
  const db = primary.catalog()
  const columns = [
    { name: 'id', type: 'INTEGER', autoIncrement: true },
    { name: 'bytes', type: 'BLOB' },
  ]
  await db.execute([{ createTable: { table: { name: 'blobs', columns, primaryKey: ['id'] } } }])
  for (const size of sizes) {
    const rows = Array.from({ length: Math.ceil(size / 500_000) }, (_, part) => ({
      bytes: Buffer.alloc(Math.min(500_000, size - part * 500_000), size),
    }))
    await db.execute([{ insert: { table: 'blobs', rows } }])
  }
  await primary.close()
  return engine.crash()
}

async function openLog(t: Test, engine: MemoryEngine): Promise<ReplicatedState> {
  const state = await openState({ path: '/memory', role: 'primary', engine: engine.crash() })
  t.teardown(() => state.close())
  return state
}

async function allFrames(state: ReplicatedState, after: bigint, target: number): Promise<Buffer> {
  const cursor = new LogCursor(state, after as Lsn)
  const frames: Buffer[] = []
  while (!cursor.atHead) {
    const chunk = await cursor.read(target)
    const inChunk = framesOf(chunk.bytes)
    if (inChunk.length === 0) throw new Error('a cursor before the head gives frames')
    if (inChunk.length !== chunk.frames) throw new Error('frames are counted')
    if (inChunk.at(-1)!.lastSegment !== chunk.endsWhole) throw new Error('a chunk says how it ends')
    frames.push(chunk.bytes)
  }
  return Buffer.concat(frames)
}

function framesOf(bytes: Buffer): Frame[] {
  return new FrameReader().push(bytes)
}

async function storedFrames(engine: MemoryEngine): Promise<{ lsn: bigint; frame: Buffer }[]> {
  const { entries } = await engine.page(
    { from: Buffer.from('L'), to: Buffer.from('M') },
    { entriesMax: 10_000, bytesMax: 1 << 28, reverse: false },
  )
  return entries.map(({ key, value }) => ({ lsn: key.readBigUInt64BE(1), frame: value }))
}

const SIZES = [10, 100, 2_400_000, 5, 5, 5, 700_000, 3_000_000, 1, 1_100_000]

void t.test('from the store it gives the stored bytes, wherever it begins and however small the chunks', async (t) => {
  const engine = await logOf(SIZES)
  const stored = await storedFrames(engine)
  const state = await openLog(t, engine)
  const last = Number(state.durable.lsn)
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: last }),
      fc.integer({ min: 1, max: 3_000_000 }),
      async (after, target) => {
        const expected = stored.filter(({ lsn }) => lsn > BigInt(after)).map(({ frame }) => frame)
        return Buffer.concat(expected).equals(await allFrames(state, BigInt(after), target))
      },
    ),
    { numRuns: 40 },
  )
})

void t.test('from memory it gives the same, and goes from store to memory without a seam', async (t) => {
  const engine = await logOf(SIZES)
  const primary = await Primary.open({ path: '/memory', engine })
  t.teardown(() => primary.close())
  for (const size of SIZES) {
    const rows = [{ bytes: Buffer.alloc(size, 1) }]
    await primary.catalog().execute([{ insert: { table: 'blobs', rows } }])
  }
  const stored = Buffer.concat((await storedFrames(engine)).map(({ frame }) => frame))
  t.ok(primary.state.tail.firstLsn > 5n, 'the older part is in the store alone')
  for (const target of [1, 1000, 300_000, 10_000_000]) {
    t.ok(stored.equals(await allFrames(primary.state, 0n, target)), `chunks of about ${target} bytes`)
  }
})

void t.test('a chunk exceeds its target by one frame at most', async (t) => {
  const engine = await logOf(SIZES)
  const primary = await Primary.open({ path: '/memory', engine })
  t.teardown(() => primary.close())
  const rows = Array.from({ length: 8 }, () => ({ bytes: Buffer.alloc(900_000) }))
  await primary.catalog().execute([{ insert: { table: 'blobs', rows } }])
  const cursor = new LogCursor(primary.state, 0n as Lsn)
  let largest = 0
  while (!cursor.atHead) {
    const { bytes } = await cursor.read(256 * 1024)
    t.ok(bytes.length - framesOf(bytes).at(-1)!.bytes.length < 256 * 1024)
    largest = Math.max(largest, bytes.length)
  }
  t.ok(largest > 500_000)
})

void t.test('at the head it waits for the next transaction, and hears of the end', async (t) => {
  const engine = await logOf([1])
  const primary = await Primary.open({ path: '/memory', engine })
  t.teardown(() => primary.close())
  const cursor = new LogCursor(primary.state, primary.position.lsn)
  t.equal((await cursor.read(1000)).frames, 0)
  const waiting = cursor.wait()
  t.equal(await outcomeSoon(waiting), 'pending')
  const stop = new AbortController()
  const stopped = cursor.wait(stop.signal)
  stop.abort()
  t.equal(await outcomeSoon(stopped), 'resolved')
  await primary.catalog().execute([{ insert: { table: 'blobs', rows: [{ bytes: '' }] } }])
  t.equal(await outcomeOf(waiting), 'resolved')
  t.equal((await cursor.read(1000)).frames, 1)
  const atEnd = outcomeOf(cursor.wait())
  await primary.close()
  t.equal(await atEnd, 'CLOSED')
})

void t.test('damage in the middle of the log is named, not skipped', async (t) => {
  const engine = await logOf([1, 2, 3, 4, 5])
  const flip = (bytes: Buffer): Buffer => {
    const flipped = Buffer.from(bytes)
    flipped[50]! ^= 4
    return flipped
  }
  const damages: Record<string, (value: Buffer) => Buffer | undefined> = {
    'a flipped bit': flip,
    'a missing frame': () => undefined,
    'a short frame': (value) => value.subarray(0, -1),
    'more behind a frame': (value) => Buffer.concat([value, Buffer.of(0)]),
  }
  for (const [name, damage] of Object.entries(damages)) {
    const copy = engine.crash()
    const state = await openState({ path: '/memory', role: 'primary', engine: copy })
    const key = logKey(4n as Lsn, 0)
    const batch = copy.batch()
    const damaged = damage(copy.get(key)!)
    if (damaged === undefined) batch.del(key)
    else batch.put(key, damaged)
    await batch.writeSynced()
    const frames = outcomeOf(allFrames(state, 0n, 1_000_000))
    t.equal(await frames, 'CORRUPT', name)
    await state.close()
  }
})

void t.test(
  'G9: what was purged is lost loudly, with the oldest position; ahead of the log there is nothing',
  async (t) => {
    const state = await openLog(t, await logOf([1, 2, 3]))
    await raiseFloor(state, 2n)
    t.throws(() => new LogCursor(state, 1n as Lsn), { code: 'HISTORY_LOST', details: { oldest: '2' } })
    t.equal(new LogCursor(state, 2n as Lsn).nextLsn, 3n)
    t.throws(() => new LogCursor(state, (state.durable.lsn + 1n) as Lsn), { code: 'INVALID_ARGUMENT' })
  },
)

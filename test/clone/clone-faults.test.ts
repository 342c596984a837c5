/**
 * G8, G9: whatever goes wrong while a server is copied, the copy is exact or it is not there, and what was damaged is named.
 */
import { randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'
import t, { type Test } from 'tap'
import { type Clock, systemClock } from '../../core/clock.js'
import { type ErrorCode, ReplogError, isReplogError } from '../../core/errors.js'
import { CLONE_DAMAGED_ATTEMPTS_MAX, DISK_CHECK_MS, SNAPSHOTS_RUNNING_MAX } from '../../core/limits.js'
import { positionAt } from '../../log/position-at.js'
import type { ReplicatedState } from '../../log/replicated-state.js'
import { openSnapshotStream } from '../../log/snapshot/donor.js'
import { Primary } from '../../primary/primary.js'
import { cloneInto } from '../../replica/clone.js'
import { writeBackup } from '../../tools/backup/write-backup.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { Problems, sweep } from '../crash/store-contents.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { copyProblems, takenCopy } from './compare-copy.js'
import { type SourceFaults, sourceOf } from './sources.js'

const FLIPS = 1000

/** Pauses between attempts take no time. */
const hurried: Clock = {
  ...systemClock,
  after(delayMs, callback) {
    if (delayMs === DISK_CHECK_MS) return systemClock.after(delayMs, callback)
    const timer = setTimeout(callback, 0)
    return () => {
      clearTimeout(timer)
    }
  },
}

interface Tested {
  readonly primary: Primary
  readonly engine: MemoryEngine
  readonly state: () => ReplicatedState
}

/** A primary with two catalogs, an index and a unique index, some rows and an outcome. */
async function tested(t: Test, rows = 60): Promise<Tested> {
  const engine = new MemoryEngine()
  const primary = await Primary.open({ path: '/memory', engine })
  t.teardown(() => primary.close())
  await primary.createCatalog('other')
  for (const name of ['local', 'other']) {
    const db = primary.catalog(name)
    await db.execute([
      {
        createTable: {
          table: {
            name: 't',
            columns: [
              { name: 'id', type: 'BIGINT', notNull: true },
              { name: 'word', type: 'TEXT' },
            ],
            primaryKey: ['id'],
            indexes: [{ name: 'by_word', columns: ['word'] }],
          },
        },
      },
    ])
    for (let id = 0; id < rows; id++) {
      await db.execute(
        [{ insert: { table: 'test.t', rows: [{ id: BigInt(id), word: randomBytes(12).toString('hex') }] } }],
        {
          idempotencyKey: `key ${id}`,
        },
      )
    }
  }
  return { primary, engine, state: () => primary.state }
}

async function problemsOf({ engine }: Tested, copy: MemoryEngine): Promise<string[]> {
  const source = await sweep(engine, new Problems())
  return copyProblems(await takenCopy(copy.crash()), source)
}

/** Makes a copy, with the codes of what interrupted it. */
async function copyOf(
  { state }: Tested,
  faults: SourceFaults,
  engine = new MemoryEngine(),
): Promise<{ readonly engine: MemoryEngine; readonly codes: ErrorCode[] }> {
  const codes: ErrorCode[] = []
  await cloneInto(engine, {
    source: sourceOf(state, faults),
    clock: hurried,
    onInterrupted: ({ code }) => codes.push(code),
  })
  return { engine, codes }
}

/** Flips a bit in an entry of each page, or of each with keys of a prefix, on the disk of the server. */
function damageEntry({ primary }: Tested, damagedAt: number, prefix?: number): void {
  const { store } = primary.state
  const page = store.sealedPage.bind(store)
  store.sealedPage = async (range, options) => {
    const { entries, exhausted } = await page(range, options)
    const damaged = entries.map((entry, at) => {
      if (at !== damagedAt || (prefix !== undefined && entry.key[0] !== prefix)) return entry
      const value = Buffer.from(entry.value)
      value[value.length - 1]! ^= 4
      return { key: entry.key, value }
    })
    return { entries: damaged, exhausted }
  }
}

void t.test(`a byte that flips on its way is found in each of ${FLIPS} trials, seed ${TEST_SEED}`, async (t) => {
  const random = new Random(TEST_SEED)
  const server = await tested(t, 6)
  let streamBytes = 0
  await copyOf(server, {
    onSnapshot(bytes) {
      streamBytes += bytes.length
      return bytes
    },
  })
  let notFound = 0
  const seen = new Set<string>()
  for (let trial = 0; trial < FLIPS; trial++) {
    const at = random.below(streamBytes)
    const mask = 1 << random.below(8)
    let offset = 0
    let isFlipped = false
    const { codes, engine } = await copyOf(server, {
      onSnapshot(bytes) {
        const start = offset
        offset += bytes.length
        if (isFlipped || at < start || at >= offset) return bytes
        isFlipped = true
        const copy = Buffer.from(bytes)
        copy[at - start]! ^= mask
        return copy
      },
    })
    if (codes.length === 0) notFound++
    for (const code of codes) seen.add(code)
    if (trial % 100 === 0) t.same(await problemsOf(server, engine), [], `copy ${trial} is exact all the same`)
  }
  t.equal(notFound, 0)
  t.ok(seen.has('CORRUPT'))
})

void t.test('a byte of the log that flips on its way is found', async (t) => {
  const random = new Random(TEST_SEED + 1)
  const server = await tested(t, 6)
  const db = server.primary.catalog()
  let next = 1000
  for (let trial = 0; trial < 100; trial++) {
    let wasWritten = false
    let isFlipped = false
    const { codes, engine } = await copyOf(server, {
      // There is a log on top of the pages only where transactions go on.
      async onSnapshot(bytes) {
        if (!wasWritten) {
          wasWritten = true
          for (let row = 0; row < 3; row++) {
            await db.execute([{ insert: { table: 'test.t', rows: [{ id: BigInt(next++), word: 'later' }] } }])
          }
        }
        return bytes
      },
      onLog(bytes) {
        if (isFlipped) return bytes
        isFlipped = true
        const copy = Buffer.from(bytes)
        copy[random.below(copy.length)]! ^= 1 << random.below(8)
        return copy
      },
    })
    if (!isFlipped || codes.length === 0) t.fail(`trial ${trial}: nothing was found`)
    if (trial % 20 === 0) t.same(await problemsOf(server, engine), [])
  }
})

void t.test('a lost, a repeated and a displaced chunk are found', async (t) => {
  const server = await tested(t, 6)
  const kinds: readonly ((chunks: Buffer[]) => void)[] = [
    (chunks) => chunks.splice(1, 1),
    (chunks) => chunks.splice(2, 0, chunks[1]!),
    (chunks) => chunks.splice(1, 2, chunks[2]!, chunks[1]!),
    (chunks) => chunks.pop(),
  ]
  for (const change of kinds) {
    const source = sourceOf(server.state, { pageEntriesMax: 5 })
    let isFirst = true
    const codes: ErrorCode[] = []
    const engine = new MemoryEngine()
    await cloneInto(engine, {
      clock: hurried,
      onInterrupted: ({ code }) => codes.push(code),
      source: {
        ...source,
        async *snapshot(resume, signal) {
          const chunks: Buffer[] = []
          for await (const chunk of source.snapshot(resume, signal)) chunks.push(chunk)
          if (isFirst) change(chunks)
          isFirst = false
          yield* chunks
        },
      },
    })
    t.equal(codes.length, 1)
    t.same(await problemsOf(server, engine), [])
  }
})

void t.test('a value that is damaged on the disk of the server is named, and nothing is made of it', async (t) => {
  const server = await tested(t, 20)
  damageEntry(server, 3, 0x52)
  const engine = new MemoryEngine()
  const source = sourceOf(server.state)
  await t.rejects(cloneInto(engine, { source, clock: hurried }), {
    code: 'CORRUPT',
    message: /row of storage \d+, key tuple 0x[0-9a-f]+ is damaged on the tested server/,
  })
  const { meta } = await sweep(engine.crash(), new Problems())
  t.notOk(
    [...meta.keys()].some((text) => text.endsWith('role')),
    'it is no server',
  )
})

void t.test(
  'a first page that is damaged ends a copy, also where the server gets on from attempt to attempt',
  async (t) => {
    const server = await tested(t, 3)
    damageEntry(server, 0)
    const db = server.primary.catalog()
    const stop = new AbortController()
    let attempts = 0
    const source = sourceOf(server.state)
    const copying = cloneInto(new MemoryEngine(), {
      clock: hurried,
      signal: stop.signal,
      source: {
        ...source,
        async *snapshot(resume, signal) {
          await db.execute([{ insert: { table: 'test.t', rows: [{ id: BigInt(1000 + attempts), word: 'later' }] } }])
          if (++attempts > 2 * CLONE_DAMAGED_ATTEMPTS_MAX) stop.abort()
          yield* source.snapshot(resume, signal)
        },
      },
    })
    await t.rejects(copying, { code: 'CORRUPT' })
    t.equal(attempts, CLONE_DAMAGED_ATTEMPTS_MAX)
  },
)

void t.test('a backup with a value that is damaged on the disk of the server fails, and names it', async (t) => {
  const server = await tested(t, 20)
  const take = (): Promise<unknown> =>
    writeBackup({
      source: sourceOf(server.state),
      sink: new PassThrough().resume(),
      signal: new AbortController().signal,
      onProgress: () => undefined,
      onInterrupted: () => undefined,
    })
  await take()
  damageEntry(server, 3, 0x52)
  await t.rejects(take(), {
    code: 'CORRUPT',
    message: /row of storage \d+, key tuple 0x[0-9a-f]+ is damaged on the tested server/,
    details: { damagedAtSource: true },
  })
})

void t.test('a copy whose rows are not what the server counted does not become a server', async (t) => {
  const server = await tested(t, 20)
  const source = sourceOf(server.state, { pageEntriesMax: 1 })
  const { store } = server.primary.state
  const page = store.sealedPage.bind(store)
  // A row that its page leaves out: every checksum is right.
  store.sealedPage = async (range, options) => {
    const { entries, exhausted } = await page(range, { ...options, entriesMax: 30 })
    const kept = entries.filter((entry, at) => entry.key[0] !== 0x52 || at !== 5)
    return { entries: kept, exhausted }
  }
  const engine = new MemoryEngine()
  await t.rejects(cloneInto(engine, { source, clock: hurried }), { code: 'CORRUPT', message: /table "t" has 19 rows/ })
  const { meta } = await sweep(engine.crash(), new Problems())
  t.notOk([...meta.keys()].some((text) => text.endsWith('role')))
})

void t.test('a full disk stops a copy, and it goes on when there is room, without what it has', async (t) => {
  const server = await tested(t)
  const engine = new MemoryEngine()
  let pieces = 0
  let isFull = false
  const faults: SourceFaults = {
    pageEntriesMax: 10,
    onSnapshot(bytes) {
      pieces++
      if (pieces === 12) throw new ReplogError('UNREACHABLE', 'cut off')
      return bytes
    },
  }
  const freeBytes = (): Promise<number> => Promise.resolve(isFull ? 0 : Infinity)
  const source = sourceOf(server.state, faults)
  const cut = cloneInto(engine, {
    source,
    freeBytes,
    // The disk is looked at anew at each attempt.
    clock: { ...hurried, after: (_delayMs, callback) => hurried.after(0, callback) },
    onInterrupted() {
      isFull = true
    },
  })
  await t.rejects(cut, { code: 'DISK_FULL' })
  isFull = false
  const before = pieces
  const again = engine.crash()
  await cloneInto(again, { source, freeBytes, clock: hurried })
  t.ok(pieces - before < 40 && before >= 12, `${before} chunks, then ${pieces - before}`)
  t.same(await problemsOf(server, again), [])
})

void t.test('a copy whose start was purged meanwhile does not go across the gap', async (t) => {
  const server = await tested(t)
  const { primary } = server
  const engine = new MemoryEngine()
  let pieces = 0
  const source = sourceOf(server.state, {
    pageEntriesMax: 5,
    async onSnapshot(bytes) {
      if (++pieces !== 5) return bytes
      await primary.catalog().execute([{ insert: { table: 'test.t', rows: [{ id: 9999n, word: 'x' }] } }])
      const { lsn } = primary.position
      const { position, commitUs } = await positionAt(primary.state, lsn)
      await primary.state.raiseFloor({ position, logBytes: primary.state.logBytes, commitUs })
      throw new ReplogError('UNREACHABLE', 'cut off')
    },
  })
  await t.rejects(cloneInto(engine, { source, clock: hurried }), { code: 'HISTORY_LOST' })
})

void t.test('a server sends so many copies at a time, and knows them', async (t) => {
  const { primary } = await tested(t, 3)
  const { state } = primary
  const open = await Promise.all(
    Array.from({ length: SNAPSHOTS_RUNNING_MAX }, (_, at) => openSnapshotStream(state, { name: `copy ${at}` })),
  )
  await t.rejects(openSnapshotStream(state, { name: 'one more' }), { code: 'LIMIT' })
  t.equal(state.snapshots.list().length, SNAPSHOTS_RUNNING_MAX)
  t.same(
    state.snapshots.list().map(({ startLsn }) => startLsn),
    open.map(() => state.durable.lsn),
  )
  for (const { end } of open) end()
  t.equal(state.snapshots.list().length, 0)
  const { chunks, end } = await openSnapshotStream(state, { name: 'again' })
  for await (const _chunk of chunks);
  end()
  t.equal(state.snapshots.completed, 1)
})

void t.test('catalogs come and go while a server is copied', async (t) => {
  const server = await tested(t, 20)
  const { primary } = server
  let at = 0
  for (let copy = 0; copy < 8; copy++) {
    const { engine } = await copyOf(server, {
      pageEntriesMax: 7,
      async onSnapshot(bytes) {
        const name = `catalog ${at++}`
        if (at % 2 === 0) await primary.createCatalog(name)
        const earlier = `catalog ${at - 5}`
        await primary.dropCatalog(earlier).catch((error: unknown) => {
          if (!isReplogError(error, 'NOT_FOUND')) throw error
        })
        if (at % 2 !== 0) return bytes
        const db = primary.catalog(name)
        await db.execute(
          [
            {
              createTable: {
                table: {
                  name: 'u',
                  columns: [{ name: 'id', type: 'INTEGER', autoIncrement: true, notNull: true }],
                  primaryKey: ['id'],
                },
              },
            },
            { insert: { table: 'test.u', rows: [{}, {}] } },
          ],
          { idempotencyKey: 'made' },
        )
        if (at % 3 === 0) await db.execute([{ truncateTable: { table: 'test.u' } }])
        return bytes
      },
    })
    await primary.jobsDone()
    t.same(await problemsOf(server, engine), [], `copy ${copy}`)
  }
})

void t.test('the last entries of an index are written, however many rows there are', async (t) => {
  const server = await tested(t, 0)
  const rows = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => ({ id: BigInt(from + at), word: `word ${from + at}` }))
  await server.primary.catalog().execute([{ insert: { table: 'test.t', rows: rows(0, 999) } }])
  // One more row each time: at one of them a batch of entries has just been full.
  for (let more = 0; more < 3; more++) {
    await server.primary.catalog().execute([{ insert: { table: 'test.t', rows: rows(999 + more, 1) } }])
    const { engine } = await copyOf(server, {})
    t.same(await problemsOf(server, engine), [], `${1000 + more} rows`)
  }
})

/** One conformance suite, run on every engine, and a property that holds the engines against each other. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isReplogError } from '../../core/errors.js'
import type { Engine, Page, PageOptions } from '../../store/engine.js'
import { LevelEngine } from '../../store/level-engine.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { UnsyncedEngine } from '../../store/unsynced-engine.js'

const ALL: PageOptions = { entriesMax: 1000, bytesMax: 1 << 20, reverse: false }

async function levelEngine(test: Test): Promise<Engine> {
  const directory = join(test.testdir({}), 'db')
  await LevelEngine.create(directory)
  return LevelEngine.open(directory)
}

const ENGINES: Record<string, (test: Test) => Promise<Engine>> = {
  LevelEngine: levelEngine,
  MemoryEngine: () => Promise.resolve(new MemoryEngine()),
  UnsyncedEngine: (test) => UnsyncedEngine.open(join(test.testdir({}), 'db')),
}

/** Sync calls for a batch. */
const SYNCS_PER_BATCH: Record<string, number> = { LevelEngine: 1, MemoryEngine: 1, UnsyncedEngine: 0 }

type Write = readonly [key: string, value: string | undefined]

async function write(engine: Engine, writes: readonly Write[]): Promise<void> {
  const batch = engine.batch()
  for (const [key, value] of writes) {
    if (value === undefined) batch.del(Buffer.from(key))
    else batch.put(Buffer.from(key), Buffer.from(value))
  }
  await batch.writeSynced()
}

function range(from: string, to: string) {
  return { from: Buffer.from(from), to: Buffer.from(to) }
}

function texts(page: Page): string[] {
  return page.entries.map(({ key, value }) => `${key.toString()}=${value.toString()}`)
}

for (const [name, open] of Object.entries(ENGINES)) {
  void t.test(`${name}: get and getMany give undefined for a missing key`, async (t) => {
    const engine = await open(t)
    await write(engine, [
      ['a', '1'],
      ['empty', ''],
    ])
    t.equal(engine.get(Buffer.from('a'))?.toString(), '1')
    t.equal(engine.get(Buffer.from('empty'))?.length, 0)
    t.equal(engine.get(Buffer.from('b')), undefined)
    const many = await engine.getMany([Buffer.from('b'), Buffer.from('a'), Buffer.from('empty')])
    t.same(
      many.map((value) => value?.toString()),
      [undefined, '1', ''],
    )
    t.same(await engine.getMany([]), [])
    await engine.close()
  })

  void t.test(`${name}: G1 in a batch the later operation on a key wins`, async (t) => {
    const engine = await open(t)
    await write(engine, [
      ['a', '1'],
      ['a', '2'],
      ['b', '1'],
      ['b', undefined],
      ['c', undefined],
      ['c', '3'],
    ])
    t.same(texts(await engine.page(range('a', 'z'), ALL)), ['a=2', 'c=3'])
    await write(engine, [['a', undefined]])
    t.equal(engine.get(Buffer.from('a')), undefined)
    await engine.close()
  })

  void t.test(`${name}: a batch copies what it is given`, async (t) => {
    const engine = await open(t)
    const key = Buffer.from('k')
    const value = Buffer.from('v')
    const batch = engine.batch()
    batch.put(key, value)
    key.fill('x')
    value.fill('x')
    await batch.writeSynced()
    t.equal(engine.get(Buffer.from('k'))?.toString(), 'v')
    await engine.close()
  })

  void t.test(`${name}: a Uint8Array serves as key and as value`, async (t) => {
    const engine = await open(t)
    const backing = new Uint8Array([9, 1, 2, 9])
    const batch = engine.batch()
    batch.put(backing.subarray(1, 3), backing.subarray(2, 4))
    await batch.writeSynced()
    t.same(engine.get(new Uint8Array([1, 2])), Buffer.from([2, 9]))
    t.same((await engine.page({ from: new Uint8Array([1]), to: new Uint8Array([2]) }, ALL)).entries, [
      { key: Buffer.from([1, 2]), value: Buffer.from([2, 9]) },
    ])
    await engine.close()
  })

  void t.test(`${name}: keys are ordered as unsigned bytes, a prefix first`, async (t) => {
    const engine = await open(t)
    const keys = ['ff', '00', '7f80', '80', '7f', '0000', '7fff'].map((hex) => Buffer.from(hex, 'hex'))
    const batch = engine.batch()
    for (const key of keys) batch.put(key, Buffer.alloc(1))
    await batch.writeSynced()
    const { entries } = await engine.page({ from: Buffer.alloc(0), to: Buffer.from('ffff', 'hex') }, ALL)
    t.same(
      entries.map(({ key }) => key.toString('hex')),
      ['00', '0000', '7f', '7f80', '7fff', '80', 'ff'],
    )
    await engine.close()
  })

  void t.test(`${name}: a page holds [from, to), either way, and says when it is the last`, async (t) => {
    const engine = await open(t)
    await write(
      engine,
      ['a', 'b', 'c', 'd', 'e'].map((key) => [key, '']),
    )
    const page = (options: Partial<PageOptions>, from = 'b', to = 'e') =>
      engine.page(range(from, to), { ...ALL, ...options })
    t.same(texts(await page({})), ['b=', 'c=', 'd='])
    t.same(texts(await page({ reverse: true })), ['d=', 'c=', 'b='])
    t.same(texts(await page({ entriesMax: 2 })), ['b=', 'c='])
    t.same(texts(await page({ entriesMax: 2, reverse: true })), ['d=', 'c='])
    t.equal((await page({})).exhausted, true)
    t.equal((await page({ entriesMax: 2 })).exhausted, false)
    t.equal((await page({ entriesMax: 3 })).exhausted, true, 'a full page can be the last')
    t.equal((await page({ entriesMax: 3, reverse: true })).exhausted, true)
    t.equal((await page({ entriesMax: 2, reverse: true })).exhausted, false)
    const values = await page({ valuesOnly: true, entriesMax: 2 })
    t.same([values.entries.map(({ value }) => value.toString()), values.exhausted], [['', ''], false])
    t.equal((await page({ valuesOnly: true })).exhausted, true)
    t.same(await page({}, 'x', 'z'), { entries: [], exhausted: true })
    t.same(await page({}, 'c', 'c'), { entries: [], exhausted: true })
    t.same(await page({}, 'd', 'b'), { entries: [], exhausted: true })
    t.same(await page({ reverse: true }, 'd', 'b'), { entries: [], exhausted: true })
    await engine.close()
  })

  void t.test(`${name}: a page ends with the entry that reaches its size`, async (t) => {
    const engine = await open(t)
    await write(
      engine,
      ['a', 'b', 'c', 'd'].map((key) => [key, 'x'.repeat(9)]),
    )
    const lengths: Record<number, [entries: number, exhausted: boolean]> = {
      1: [1, false],
      10: [1, false],
      11: [2, false],
      20: [2, false],
      30: [3, false],
      31: [4, true],
      40: [4, true],
      41: [4, true],
    }
    for (const [bytesMax, [entries, exhausted]] of Object.entries(lengths)) {
      for (const reverse of [false, true]) {
        const page = await engine.page(range('a', 'z'), { ...ALL, bytesMax: Number(bytesMax), reverse })
        t.same([page.entries.length, page.exhausted], [entries, exhausted], `${bytesMax} bytes`)
      }
    }
    await engine.close()
  })

  void t.test(`${name}: a discarded batch leaves nothing`, async (t) => {
    const engine = await open(t)
    const batch = engine.batch()
    batch.put(Buffer.from('a'), Buffer.from('1'))
    await batch.discard()
    t.equal(engine.get(Buffer.from('a')), undefined)
    await engine.close()
  })

  void t.test(`${name}: syncs counts what is made for each batch`, async (t) => {
    const engine = await open(t)
    const before = engine.syncs
    for (let round = 0; round < 5; round++) await write(engine, [['a', String(round)]])
    t.equal(engine.syncs - before, 5 * SYNCS_PER_BATCH[name]!)
    await engine.close()
  })

  void t.test(`${name}: compacting changes nothing that is read`, async (t) => {
    const engine = await open(t)
    await write(engine, [
      ['a', '1'],
      ['b', '2'],
    ])
    await write(engine, [['a', undefined]])
    await engine.compact(range('a', 'z'))
    t.same(texts(await engine.page(range('a', 'z'), ALL)), ['b=2'])
    await engine.close()
  })

  void t.test(
    `${name}: close waits for the batch that is being written; a second one beside it is our bug`,
    async (t) => {
      const engine = await open(t)
      const before = engine.syncs
      const written = write(engine, [['a', '1']])
      await t.rejects(write(engine, [['b', '2']]), { name: 'AssertionError' })
      await engine.close()
      t.equal(engine.syncs - before, SYNCS_PER_BATCH[name], 'it was written when close returned')
      await t.resolves(written)
    },
  )

  void t.test(`${name}: an empty batch is not written`, async (t) => {
    const engine = await open(t)
    t.ok(await caught(() => engine.batch().writeSynced()))
    await engine.close()
  })

  void t.test(`${name}: after close everything is CLOSED, and closing again is nothing`, async (t) => {
    const engine = await open(t)
    await write(engine, [['a', '1']])
    await engine.close()
    await engine.close()
    const closed = (error: unknown) => isReplogError(error, 'CLOSED')
    t.ok(closed(await caught(() => engine.get(Buffer.from('a')))))
    t.ok(closed(await caught(() => engine.getMany([Buffer.from('a')]))))
    t.ok(closed(await caught(() => engine.page(range('a', 'z'), ALL))))
    t.ok(closed(await caught(() => engine.batch())))
    t.ok(closed(await caught(() => engine.compact(range('a', 'z')))))
  })
}

async function caught(act: () => unknown): Promise<unknown> {
  try {
    await act()
  } catch (error) {
    return error
  }
  return undefined
}

void t.test('the engines give the same pages for the same batches', async (t) => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 3 }).map((bytes) => bytes.map((byte) => byte % 4))
  const operation = fc.tuple(key, fc.option(fc.uint8Array({ maxLength: 6 }), { nil: undefined }))
  const query = fc.record({
    from: key,
    to: key,
    entriesMax: fc.integer({ min: 1, max: 5 }),
    bytesMax: fc.integer({ min: 1, max: 20 }),
    reverse: fc.boolean(),
  })
  const level = await levelEngine(t)
  await t.resolves(
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation, { minLength: 1, maxLength: 8 }), { maxLength: 4 }),
        fc.array(query, { maxLength: 4 }),
        async (batches, queries) => {
          const memory = new MemoryEngine()
          await clear(level)
          for (const operations of batches) {
            for (const engine of [level, memory]) {
              const batch = engine.batch()
              for (const [at, value] of operations) {
                if (value === undefined) batch.del(at)
                else batch.put(at, value)
              }
              await batch.writeSynced()
            }
          }
          for (const { from, to, ...options } of queries) {
            const pages = await Promise.all([level.page({ from, to }, options), memory.page({ from, to }, options)])
            assert.deepEqual(pages[0], pages[1])
          }
        },
      ),
      { numRuns: 60 },
    ),
  )
  await level.close()
})

async function clear(engine: Engine): Promise<void> {
  const { entries } = await engine.page({ from: Buffer.alloc(0), to: Buffer.alloc(4, 0xff) }, ALL)
  if (entries.length === 0) return
  const batch = engine.batch()
  for (const { key } of entries) batch.del(key)
  await batch.writeSynced()
}

/** Keys of a level and the ranges over them: the order is that of the bytes, whatever the keys are and however long. (G4) */
import fc from 'fast-check'
import t from 'tap'
import { KEY_BYTES_MAX } from '../../core/limits.js'
import { openGated } from '../primary/open-primary.js'
import { ReplogLevel } from '../../tools/level/replog-level.js'

const BINARY = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const

/** With a header and an end, but without a zero, this is as long as a key can be. */
const LONGEST = KEY_BYTES_MAX - 3

void t.test('the empty key and the longest one are stored; a longer one is refused, and is nowhere', async (t) => {
  const { db: catalog } = await openGated(t)
  const db = new ReplogLevel<Buffer, Buffer>({ catalog, ...BINARY })
  const empty = Buffer.alloc(0)
  const longest = Buffer.alloc(LONGEST, 7)
  const zeros = Buffer.alloc(Math.floor(LONGEST / 2))
  for (const key of [empty, longest, zeros]) {
    await db.put(key, empty)
    t.same(await db.get(key), empty, `${key.length} bytes, with an empty value`)
  }
  t.same(await db.keys().all(), [empty, zeros, longest])
  for (const key of [Buffer.alloc(LONGEST + 1, 7), Buffer.alloc(zeros.length + 1), Buffer.alloc(100_000, 7)]) {
    await t.rejects(db.put(key, empty), { code: 'LEVEL_INVALID_KEY', cause: { code: 'TOO_LARGE' } })
    await t.rejects(
      db.batch([
        { type: 'del', key: longest },
        { type: 'put', key, value: empty },
      ]),
      { code: 'LEVEL_INVALID_KEY' },
      'nothing of its batch is done',
    )
    t.equal(await db.get(key), undefined)
    t.equal(await db.has(key), false)
    await db.del(key)
  }
  t.same(
    await db.keys({ gte: Buffer.alloc(LONGEST + 1, 7) }).all(),
    [],
    'as a bound it stands behind what it begins with',
  )
  t.same(await db.keys({ lt: Buffer.alloc(LONGEST + 1, 7) }).all(), [empty, zeros, longest])
  t.same(await db.keys({ gt: Buffer.alloc(zeros.length + 1) }).all(), [longest])
  t.same(await db.keys({ lte: Buffer.alloc(zeros.length + 1), reverse: true }).all(), [zeros, empty])
})

/** Many zeros and high bytes, and, so that bounds fall beside them, lengths at the border of what can be stored. */
const keys = fc.oneof(
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 4, max: 2 }) },
  { weight: 1, arbitrary: fc.constantFrom(Uint8Array.of(255), Uint8Array.of(255, 255), Uint8Array.of(0, 255)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 1, 7), fc.integer({ min: -2, max: 2 }), fc.uint8Array({ maxLength: 2, max: 2 }))
      .map(([fill, more, end]) => {
        const length = (fill === 0 ? Math.floor(LONGEST / 2) : LONGEST) + more
        return Buffer.concat([Buffer.alloc(length, fill), end])
      }),
  },
)

void t.test('ranges, seeks and clears give what a sorted list gives', async (t) => {
  const { db: catalog } = await openGated(t)
  const db = new ReplogLevel<Uint8Array, Uint8Array>({ catalog, keyEncoding: 'view', valueEncoding: 'view' })
  const storable = (key: Uint8Array): boolean => key.length + key.filter((byte) => byte === 0).length <= LONGEST
  const bound = fc.option(keys, { nil: undefined })
  const range = fc.record({
    lower: fc.tuple(fc.constantFrom('gt' as const, 'gte' as const), bound),
    upper: fc.tuple(fc.constantFrom('lt' as const, 'lte' as const), bound),
    target: bound,
    reverse: fc.boolean(),
    limit: fc.integer({ min: -1, max: 6 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(keys, { maxLength: 12, comparator: same }), range, async (all, options) => {
      const { lower, upper, target, reverse, limit } = options
      const stored = all.filter(storable)
      await db.clear()
      await db.batch(stored.map((key) => ({ type: 'put', key, value: key })))
      const bounds = {
        ...(lower[1] === undefined ? {} : { [lower[0]]: lower[1] }),
        ...(upper[1] === undefined ? {} : { [upper[0]]: upper[1] }),
        reverse,
        limit,
      }
      const isWithin = (key: Uint8Array): boolean => {
        const toLower = lower[1] === undefined ? 1 : Buffer.compare(key, lower[1])
        const toUpper = upper[1] === undefined ? -1 : Buffer.compare(key, upper[1])
        return (
          (toLower > 0 || (toLower === 0 && lower[0] === 'gte')) &&
          (toUpper < 0 || (toUpper === 0 && upper[0] === 'lte'))
        )
      }
      const ordered = (reverse ? stored.toSorted(inOrder).toReversed() : stored.toSorted(inOrder)).filter(isWithin)
      const expected = ordered.slice(0, limit < 0 ? undefined : limit)
      const iterator = db.iterator(bounds)
      if (target !== undefined) iterator.seek(target)
      const found: Uint8Array[] = []
      for await (const [key, value] of iterator) {
        if (!same(key, value)) return false
        found.push(key)
      }
      const behind = (key: Uint8Array): boolean => Buffer.compare(key, target!) * (reverse ? -1 : 1) >= 0
      const isReached = target === undefined || isWithin(target)
      const sought = !isReached ? [] : target === undefined ? ordered : ordered.filter(behind)
      const wanted = sought.slice(0, limit < 0 ? undefined : limit)
      if (found.map(hex).join() !== wanted.map(hex).join()) return false
      await db.clear(bounds)
      const left = new Set(stored.map(hex))
      for (const key of expected) left.delete(hex(key))
      return (await db.keys().all()).every((key) => left.delete(hex(key))) && left.size === 0
    }),
    { numRuns: 150 },
  )
})

function inOrder(left: Uint8Array, right: Uint8Array): number {
  return Buffer.compare(left, right)
}

function same(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0
}

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}

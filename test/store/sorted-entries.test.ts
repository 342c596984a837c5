/** The sorted list against a plain sorted array, over adding, dying, sweeping and both directions of scanning. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { SortedEntries, type SortedEntry } from '../../store/sorted-entries.js'

function listed(
  entries: SortedEntries<SortedEntry>,
  from: string,
  to: string,
  reverse: boolean,
  limit: number,
): string[] {
  const found: string[] = []
  entries.forEach(from, to, reverse, (entry) => {
    found.push(entry.text)
    return found.length < limit
  })
  return found
}

void t.test('scans agree with a plain sorted array', async (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\u00ff'), maxLength: 4 })
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), texts: fc.array(text, { maxLength: 10 }) }),
    fc.record({ kind: fc.constant('kill' as const), texts: fc.array(text, { maxLength: 10 }) }),
    fc.record({ kind: fc.constant('sweep' as const) }),
    fc.record({
      kind: fc.constant('scan' as const),
      from: text,
      to: text,
      reverse: fc.boolean(),
      limit: fc.integer({ min: 1, max: 20 }),
    }),
  )
  t.doesNotThrow(() => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const entries = new SortedEntries<SortedEntry>()
        const live = new Map<string, SortedEntry>()
        for (const step of steps) {
          if (step.kind === 'add') {
            const fresh = [...new Set(step.texts)]
              .filter((text) => !live.has(text))
              .map((text) => ({ text, dead: false }))
            for (const entry of fresh) live.set(entry.text, entry)
            entries.add(fresh)
          } else if (step.kind === 'kill') {
            for (const text of step.texts) {
              const entry = live.get(text)
              if (entry !== undefined) entry.dead = true
              live.delete(text)
            }
          } else if (step.kind === 'sweep') {
            entries.sweep()
            assert.equal(entries.size, live.size)
          } else {
            const { from, to, reverse, limit } = step
            const model = [...live.keys()].filter((text) => text >= from && text < to).sort()
            if (reverse) model.reverse()
            assert.deepEqual(listed(entries, from, to, reverse, limit), model.slice(0, limit))
          }
        }
      }),
      { numRuns: 200 },
    )
  })
})

void t.test('thousands of entries added a few at a time stay in order, with the dead dropped on the way', async (t) => {
  const entries = new SortedEntries<SortedEntry>()
  const live = new Map<string, SortedEntry>()
  let random = 1
  const next = () => (random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0)
  for (let round = 0; round < 4000; round++) {
    const text = String(next() % 3000).padStart(4, '0')
    const known = live.get(text)
    if (known === undefined) {
      const entry = { text, dead: false }
      live.set(text, entry)
      entries.add([entry])
    } else {
      known.dead = true
      live.delete(text)
    }
  }
  t.same(listed(entries, '', '~', false, Infinity), [...live.keys()].sort())
  t.same(listed(entries, '', '~', true, Infinity), [...live.keys()].sort().reverse())
  t.same(
    listed(entries, '1000', '2000', false, 5),
    [...live.keys()]
      .filter((text) => text >= '1000')
      .sort()
      .slice(0, 5),
  )
  entries.sweep()
  t.equal(entries.size, live.size)
})

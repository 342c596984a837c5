/** An entry of a unique index that is being built points at a row that has its values, whoever comes and goes. (G6) */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { BuildingEntries } from '../../log/building-entries.js'
import { keyText } from '../../store/keys.js'
import { WriteSet } from '../../store/write-set.js'

const KEY = Buffer.from('I-value')
const OTHER = Buffer.from('I-other')
const [A, B] = [Buffer.from('row a'), Buffer.from('row b')]

function settled(entries: BuildingEntries, stored: Buffer | undefined): { value: Buffer | undefined; taken: number } {
  const writes = new WriteSet()
  let taken = 0
  entries.settle(
    writes,
    (key) => (key.equals(KEY) ? stored : undefined),
    () => taken++,
  )
  const ordinal = writes.lastIndexOf(keyText(KEY))
  return { value: ordinal < 0 ? stored : writes.afters[ordinal], taken }
}

void t.test('a row takes away its own entry and nobody else', async (t) => {
  for (const [stored, left] of [
    [A, undefined],
    [B, B],
    [undefined, undefined],
  ] as const) {
    const entries = new BuildingEntries()
    entries.remove(KEY, A)
    t.same(settled(entries, stored), { value: left, taken: 0 })
  }
})

void t.test('a row that comes under a key takes it, and says so where it is of another row', async (t) => {
  for (const [stored, taken] of [
    [undefined, 0],
    [A, 0],
    [B, 1],
  ] as const) {
    const entries = new BuildingEntries()
    entries.add(KEY, A)
    t.same(settled(entries, stored), { value: A, taken })
  }
})

void t.test('what is undone was never wished; what the transaction sees is what settling will make', async () => {
  const wish = fc.record({ isAdd: fc.boolean(), row: fc.constantFrom(A, B), key: fc.constantFrom(KEY, OTHER) })
  fc.assert(
    fc.property(fc.array(wish), fc.array(wish), fc.constantFrom(undefined, A, B), (kept, undone, stored) => {
      const entries = new BuildingEntries()
      const apply = ({ isAdd, row, key }: { isAdd: boolean; row: Buffer; key: Buffer }): void => {
        if (isAdd) entries.add(key, row)
        else entries.remove(key, row)
      }
      kept.forEach(apply)
      const seen = entries.present(keyText(KEY), stored)
      undone.forEach(apply)
      entries.truncate(kept.length)
      assert.equal(entries.present(keyText(KEY), stored), seen)
      assert.equal(settled(entries, stored).value, seen)
      assert.equal(entries.length, 0)
    }),
  )
})

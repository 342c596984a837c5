/** G5: statements of one transaction that overlap in time: none is lost, none runs in a transaction that has ended. */
import t, { type Test } from 'tap'
import type { Catalog } from '../../primary/catalog.js'
import { openGated } from './open-primary.js'
import { collect, outcomeOf } from './outcome.js'

const COLUMNS = [
  { name: 'id', type: 'INTEGER' },
  { name: 'kind', type: 'INTEGER' },
]
const ROWS = 2500

async function openRows(t: Test): Promise<Catalog> {
  const { db } = await openGated(t)
  await db.transaction(async (tx) => {
    const indexes = [{ name: 'of_kind', columns: ['kind'] }]
    await tx.createTable({ name: 'things', columns: COLUMNS, primaryKey: ['id'], indexes })
    await tx.insert(
      'things',
      Array.from({ length: ROWS }, (_, id) => ({ id, kind: id % 3 })),
    )
  })
  return db
}

t.test(
  'a read that waited for a long statement does not run in a transaction that was committed meanwhile',
  async (t) => {
    const db = await openRows(t)
    const tx = db.begin()
    const copying = tx.createTableAs('copies', 'things', {})
    const reads = [tx.get('things', { id: 1 }), collect(tx.scan('things', { limit: 1 })), tx.check('things', { id: 1 })]
    t.equal(await outcomeOf(tx.commit()), 'INVALID_ARGUMENT', 'a statement runs')
    await copying
    const committed = tx.commit()
    for (const read of reads) {
      const outcome = await outcomeOf(read)
      t.ok(outcome === 'NO_TRANSACTION' || outcome === 'resolved', outcome)
    }
    await committed
    t.equal((await collect(db.scan('copies'))).length, ROWS)
    t.equal(await outcomeOf(tx.get('things', { id: 1 })), 'NO_TRANSACTION')
  },
)

t.test('a transaction that commits between two pages of its scan ends the scan with an error', async (t) => {
  const db = await openRows(t)
  const tx = db.begin()
  const pages = tx.scanPages('things')
  t.notOk((await pages.next()).done)
  const next = pages.next()
  await tx.commit()
  const outcome = await outcomeOf(next)
  // The page that was under way may have come; what follows it may not.
  t.equal(outcome === 'resolved' ? await outcomeOf(pages.next()) : outcome, 'NO_TRANSACTION')
})

t.test(
  'what the transaction itself deletes under its scan by an index is not seen again, nor anything left out',
  async (t) => {
    const db = await openRows(t)
    const tx = db.begin()
    const seen: number[] = []
    for await (const { id } of tx.scan('things', { index: 'of_kind', prefix: { kind: 1 } })) {
      seen.push(Number(id))
      // This row, the next one and one far behind.
      for (const gone of [Number(id), Number(id) + 3, Number(id) + 1200]) await tx.delete('things', { id: gone })
    }
    t.equal(new Set(seen).size, seen.length, 'none twice')
    const left = await collect(tx.scan('things', { index: 'of_kind', prefix: { kind: 1 } }))
    t.same(left, [], 'each row was seen or deleted before')
    t.equal((await collect(tx.scan('things', { index: 'of_kind', prefix: { kind: 0 } }))).length, 834)
    await tx.commit()
    const kinds = await collect(db.scan('things', { index: 'of_kind' }))
    t.equal(kinds.length, ROWS - 833)
  },
)

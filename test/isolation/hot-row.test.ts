/** G4: additions to one row by 1000 concurrent committers are all there, do not conflict, and share their syncs. */
import t from 'tap'
import { openOnDisk } from '../primary/open-primary.js'

const COMMITTERS = 1000
const TURNS = 5

void t.test(`${COMMITTERS} committers add to one row, in one-shots and in transactions`, async (t) => {
  const { db, primary } = await openOnDisk(t)
  await db.execute([
    {
      createTable: {
        table: {
          name: 'counts',
          columns: [
            { name: 'id', type: 'INTEGER' },
            { name: 'n', type: 'BIGINT', notNull: true },
          ],
          primaryKey: ['id'],
        },
      },
    },
    { insert: { table: 'counts', rows: [{ id: 1, n: 0 }] } },
  ])
  const { syncs } = primary.state.store.counters
  const lsns = new Set<bigint>()
  await Promise.all(
    Array.from({ length: COMMITTERS }, async (_, committer) => {
      for (let turn = 0; turn < TURNS; turn++) {
        if (committer % 2 === 0) {
          const { lsn } = await db.execute([{ update: { table: 'counts', key: { id: 1 }, set: { n: { add: 1 } } } }])
          lsns.add(lsn)
        } else {
          const tx = db.begin()
          await tx.update('counts', { id: 1 }, { n: { add: 1 } })
          const { position } = await tx.commit()
          lsns.add(position.lsn)
        }
      }
    }),
  )
  t.match(db.get('counts', { id: 1 }), { n: BigInt(COMMITTERS * TURNS) })
  t.equal(lsns.size, COMMITTERS * TURNS, 'each has an LSN of its own')
  t.equal(primary.counters.retries, 0)
  t.equal(primary.counters.rollbacks, 0)
  const cost = primary.state.store.counters.syncs - syncs
  t.ok(cost < 100, `${cost} syncs for ${COMMITTERS * TURNS} transactions`)
})

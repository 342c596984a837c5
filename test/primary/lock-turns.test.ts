/** A one-shot transaction that waited for a lock gives it up when it has run, not when its answer may be told. */
import t from 'tap'
import { openGated } from './open-primary.js'
import { outcomeOf, outcomeSoon } from './outcome.js'

void t.test('a refusal that waits for an fsync holds no lock (G2)', async (t) => {
  const { primary, db, engine } = await openGated(t)
  const columns = [
    { name: 'id', type: 'INTEGER' },
    { name: 'value', type: 'INTEGER' },
  ]
  await db.execute([{ createTable: { table: { name: 'things', columns, primaryKey: ['id'] } } }])
  await db.execute([{ insert: { table: 'things', rows: [{ id: 1, value: 1 }] } }])
  const holder = db.begin()
  await holder.getForUpdate('things', { id: 1 })
  const refused = db.execute([
    { update: { table: 'things', key: { id: 1 }, set: { value: 2 } } },
    { insert: { table: 'things', rows: [{ id: 1, value: 3 }] } },
  ])
  t.equal(await outcomeSoon(refused), 'pending', 'it waits for the lock')
  engine.before.hold()
  const other = db.execute([{ insert: { table: 'things', rows: [{ id: 2, value: 2 }] } }])
  await engine.before.arrival()
  holder.rollback()
  t.equal(await outcomeSoon(refused), 'pending', 'it was refused, on rows that are not durable yet')
  t.equal(primary.locks.size, 0)
  engine.before.open()
  t.equal(await outcomeOf(refused), 'DUPLICATE_KEY')
  t.equal(await outcomeOf(other), 'resolved')
})

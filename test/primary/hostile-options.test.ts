/** Options that callers without types get wrong are refused by name, and nothing is begun or left. */
import t from 'tap'
import { openGated } from './open-primary.js'
import { outcomeOf } from './outcome.js'

const WRONG = [null, 5, 'x', [], Symbol.iterator, 1n] as never[]

void t.test('options that are no object', async (t) => {
  const { primary, db } = await openGated(t)
  const { lsn } = primary.position
  for (const wrong of WRONG) {
    t.equal(await outcomeOf(db.execute([], wrong)), 'INVALID_ARGUMENT')
    t.equal(await outcomeOf(db.transaction(() => 1, wrong)), 'INVALID_ARGUMENT')
    t.throws(() => db.begin(wrong), { code: 'INVALID_ARGUMENT' })
    t.throws(() => primary.createCatalog('other', wrong), { code: 'INVALID_ARGUMENT' })
    t.throws(() => primary.alterCatalog('local', wrong), { code: 'INVALID_ARGUMENT' })
    const tx = db.begin()
    t.equal(await outcomeOf(tx.commit(wrong)), 'INVALID_ARGUMENT')
    t.equal(tx.status, 'open')
    tx.rollback()
  }
  t.equal(primary.openTransactions, 0)
  t.equal(primary.position.lsn, lsn)
})

/** Running a transaction again is bounded by attempts and by time, and what no repetition mends is thrown at once. */
import t from 'tap'
import { TRANSACTION_AGE_MS_MAX } from '../../core/limits.js'
import { ReplogError } from '../../core/errors.js'
import { ManualClock } from './manual-clock.js'
import { openGated } from './open-primary.js'
import { outcomeOf } from './outcome.js'

const conflict = (): never => {
  throw new ReplogError('CONFLICT', 'as every time')
}

t.test('attempts: as many as are asked for', async (t) => {
  const { primary, db } = await openGated(t)
  for (const attemptsMax of [1, 2, 3]) {
    let runs = 0
    const work = (): never => {
      runs++
      return conflict()
    }
    t.equal(await outcomeOf(db.transaction(work, { attemptsMax })), 'CONFLICT')
    t.equal(runs, attemptsMax)
  }
  t.equal(primary.counters.retries, 0 + 1 + 2)
})

t.test('time: no repetition begins later than a transaction may be old', async (t) => {
  const clock = new ManualClock()
  const { db } = await openGated(t, { clock })
  let runs = 0
  const lasting = async (): Promise<never> => {
    runs++
    await clock.advance(runs === 1 ? TRANSACTION_AGE_MS_MAX - 10_000 : 10_001)
    return conflict()
  }
  t.equal(await outcomeOf(db.transaction(lasting, { attemptsMax: 100 })), 'CONFLICT')
  t.equal(runs, 2, 'the first repetition was in time, the second would not have been')
})

t.test('what a repetition cannot mend is thrown at once', async (t) => {
  const { db } = await openGated(t)
  let runs = 0
  const refused = (): never => {
    runs++
    throw new ReplogError('CHECK_FAILED', 'not so')
  }
  t.equal(await outcomeOf(db.transaction(refused)), 'CHECK_FAILED')
  await t.rejects(
    db.transaction(() => {
      runs++
      throw new TypeError('a bug of the application')
    }),
    TypeError,
  )
  t.equal(runs, 2)
})

/**
 * G4: read-modify-writes under row locks lose nothing, whatever order they take the locks in; deadlocks are told and
 * repeated.
 *
 * REPLOG_TORTURE_ROUNDS sets how much: a thousand increments of each client for every 6.
 */
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { openOnDisk } from './open-primary.js'
import { collect } from './outcome.js'

const ROWS = Array.from({ length: 10 }, (_, id) => id)
const ROUNDS = 100 * Math.ceil(Number(process.env['REPLOG_TORTURE_ROUNDS'] ?? 6) / 6)
/** That the two get on with one another is what is tested, not how soon. */
const ATTEMPTS_MAX = 10_000

t.setTimeout(30_000 + ROUNDS * 100)

void t.test(
  `two clients, ${ROUNDS * ROWS.length} increments each of the same ${ROWS.length} rows, in opposite order`,
  async (t) => {
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
      { insert: { table: 'counts', rows: ROWS.map((id) => ({ id, n: 0 })) } },
    ])
    let deadlocks = 0
    const wrong: string[] = []
    const client = async (order: readonly number[]): Promise<void> => {
      for (let round = 0; round < ROUNDS; round++) {
        await db.transaction(
          async (tx) => {
            for (const id of order) {
              try {
                const row = await tx.getForUpdate('counts', { id })
                await tx.update('counts', { id }, { n: (row?.['n'] as bigint) + 1n })
              } catch (error) {
                if (isReplogError(error, 'DEADLOCK')) {
                  deadlocks++
                  if ((error.details?.['cycle'] as string[]).length !== 2) wrong.push(error.message)
                  if (tx.status !== 'rolled back') wrong.push(`a deadlock left a transaction ${tx.status}`)
                } else {
                  wrong.push(String(error))
                }
                throw error
              }
            }
          },
          { attemptsMax: ATTEMPTS_MAX },
        )
      }
    }
    await Promise.all([client(ROWS), client(ROWS.toReversed())])
    t.same(wrong, [])
    t.same(
      (await collect(db.scan('counts'))).map((row) => row['n']),
      ROWS.map(() => BigInt(2 * ROUNDS)),
    )
    t.ok(deadlocks > 0, `${deadlocks} deadlocks`)
    t.equal(primary.counters.retries, deadlocks, 'each was repeated, and nothing else was')
    t.equal(primary.locks.size, 0)
    t.equal(primary.openTransactions, 0)
    t.equal(primary.state.versions.openSnapshots, 0)
  },
)

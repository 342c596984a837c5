/**
 * A primary and its lease. G10: without the lease nothing is written, nor is what became durable meanwhile called committed.
 * G2: only replicas that the record of the cluster names confirm.
 */
import t from 'tap'
import type { Lsn } from '../../core/position.js'
import { Acknowledgements, type Reached } from '../../log/acknowledgements.js'
import { ManualClock } from '../primary/manual-clock.js'
import { openGated } from '../primary/open-primary.js'
import { outcomeOf, outcomeSoon } from '../primary/outcome.js'

const TABLE = { name: 'things', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] }
const insert = (id: number) => [{ insert: { table: 'things', rows: [{ id }] } }]

void t.test('without the lease writes are refused, reads go on; with it they are taken again', async (t) => {
  const { primary, db } = await openGated(t)
  await db.execute([{ createTable: { table: TABLE } }])
  await db.execute(insert(1), { idempotencyKey: 'one' })
  let problem: string | undefined = 'it is gone'
  primary.gate.require({ problem: () => problem })
  t.equal(await outcomeOf(db.execute(insert(2))), 'NO_LEASE')
  t.equal(await outcomeOf(db.transaction((tx) => tx.insert('things', { id: 3 }))), 'NO_LEASE')
  t.equal(
    await outcomeOf(db.execute(insert(1), { idempotencyKey: 'one' })),
    'NO_LEASE',
    'only the primary knows outcomes',
  )
  t.match(await db.execute([{ get: { table: 'things', key: { id: 1 } } }]), { results: [{ row: { id: 1 } }] })
  t.match(primary.gate.status(), { taken: false, code: 'NO_LEASE', problem: 'it is gone' })
  problem = undefined
  t.equal(await outcomeOf(db.execute(insert(2))), 'resolved')
})

void t.test('a lease that ends while a group is in the device leaves its outcomes unknown', async (t) => {
  const { primary, db, engine } = await openGated(t)
  await db.execute([{ createTable: { table: TABLE } }])
  let problem: string | undefined
  primary.gate.require({ problem: () => problem })
  engine.after.hold()
  const oneShot = db.execute(insert(1), { idempotencyKey: 'one' })
  const transaction = db.transaction((tx) => tx.insert('things', { id: 2 }))
  t.equal(await outcomeSoon(oneShot), 'pending')
  // The process was stopped here, and another server has become the primary.
  problem = 'it was not renewed in time'
  engine.after.open()
  t.equal(await outcomeOf(oneShot), 'COMMIT_UNKNOWN')
  t.match(['COMMIT_UNKNOWN', 'NO_LEASE'], new RegExp(await outcomeOf(transaction)))
  problem = undefined
  t.match(
    await db.execute(insert(1), { idempotencyKey: 'one' }),
    { replayed: true },
    'the key tells when it has the lease',
  )
})

void t.test(
  'a lease that ends while replicas are waited for leaves the outcome unknown, whatever they confirm',
  async (t) => {
    const { primary, db } = await openGated(t)
    await db.execute([{ createTable: { table: TABLE } }])
    let problem: string | undefined
    primary.gate.require({ problem: () => problem })
    const ways: Record<string, () => Promise<unknown>> = {
      'a one-shot transaction': () => db.execute(insert(1), { ack: 'durable' }),
      'a transaction with retries': () => db.transaction((tx) => tx.insert('things', { id: 2 }), { ack: 'durable' }),
    }
    for (const [name, way] of Object.entries(ways)) {
      problem = undefined
      const commit = way()
      t.equal(await outcomeSoon(commit), 'pending', name)
      // It has told a candidate already where it stands, and followed this server once more.
      problem = 'it was not renewed in time'
      const { lsn } = primary.position
      primary.acknowledgements.report('late', { received: lsn, durable: lsn, applied: lsn })
      t.equal(await outcomeOf(commit), 'COMMIT_UNKNOWN', name)
    }
  },
)

void t.test('what became of a key is not told behind the end of the lease', async (t) => {
  const { primary, db, engine } = await openGated(t)
  await db.execute([{ createTable: { table: TABLE } }])
  await db.execute(insert(1), { idempotencyKey: 'one' })
  let problem: string | undefined
  primary.gate.require({ problem: () => problem })
  const transaction = db.begin()
  await transaction.insert('things', { id: 3 })
  engine.after.hold()
  const behind = db.execute(insert(2))
  const asked: Record<string, Promise<unknown>> = {
    COMMIT_UNKNOWN: db.execute(insert(1), { idempotencyKey: 'one' }),
    'COMMIT_UNKNOWN of a transaction': transaction.commit({ idempotencyKey: 'one' }),
    'COMMIT_UNKNOWN of a key that is new': db.begin().commit({ idempotencyKey: 'two' }),
    NO_LEASE: db.outcome('one'),
  }
  for (const [name, answer] of Object.entries(asked)) t.equal(await outcomeSoon(answer), 'pending', name)
  problem = 'it was not renewed in time'
  engine.after.open()
  t.equal(await outcomeOf(behind), 'COMMIT_UNKNOWN')
  for (const [name, answer] of Object.entries(asked)) t.equal(await outcomeOf(answer), name.split(' ')[0], name)
  problem = undefined
  t.match(await db.execute(insert(1), { idempotencyKey: 'one' }), { replayed: true })
})

void t.test('a confirmation counts from the moment at which its replica is a member', async (t) => {
  const acknowledgements = new Acknowledgements(new ManualClock())
  const at = (lsn: bigint): Reached => ({ received: lsn as Lsn, durable: lsn as Lsn, applied: lsn as Lsn })
  acknowledgements.countOnly([], 1)
  acknowledgements.report('stranger', at(9n))
  t.equal(acknowledgements.confirmed('durable', 1), 0n)
  const settled: boolean[] = []
  acknowledgements.wait(5n as Lsn, { level: 'durable', replicas: 1, timeoutMs: 1000 }, (isConfirmed) => {
    settled.push(isConfirmed)
  })
  acknowledgements.countOnly(['other'], 1)
  t.same(settled, [])
  acknowledgements.countOnly(['other', 'stranger'], 1)
  t.same(settled, [true], 'who waits is told when the record names it')
  t.equal(acknowledgements.confirmed('durable', 1), 9n)
  t.equal(acknowledgements.confirmed('durable', 2), 0n)
  acknowledgements.close()
})

/**
 * A commit is answered when as many replicas have confirmed it as it, or the server, asks for; when they do not, it says
 * what is true: it is committed here. (G10)
 */
import t, { type Test } from 'tap'
import { isReplogError } from '../../core/errors.js'
import type { Lsn } from '../../core/position.js'
import type { Reached } from '../../log/acknowledgements.js'
import type { AckInput } from '../../primary/ack-gate.js'
import { ManualClock } from './manual-clock.js'
import { openGated } from './open-primary.js'
import { outcomeOf, outcomeSoon } from './outcome.js'

const TABLE = { name: 'things', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] }

const at = (lsn: bigint): Reached => ({ received: lsn as Lsn, durable: lsn as Lsn, applied: lsn as Lsn })

async function opened(t: Test, ack?: AckInput) {
  const clock = new ManualClock()
  const { primary, db } = await openGated(t, { clock, ...(ack === undefined ? {} : { ack }) })
  return { clock, primary, db }
}

void t.test('every way to commit waits for the replicas that it asks for', async (t) => {
  const { primary, db } = await opened(t)
  await db.execute([{ createTable: { table: TABLE } }])
  const insert = (id: number) => ({ insert: { table: 'things', rows: [{ id }] } })
  const ack: AckInput = { level: 'durable', replicas: 2 }
  const ways: Record<string, (id: number) => Promise<unknown>> = {
    'a one-shot transaction': (id) => db.execute([insert(id)], { ack }),
    'a transaction with retries': (id) => db.transaction((tx) => tx.insert('things', { id }), { ack }),
    'an interactive transaction': async (id) => {
      const tx = db.begin()
      await tx.insert('things', { id })
      return tx.commit({ ack })
    },
    'one that has to see rows': (id) => db.execute([{ scan: { table: 'things' } }, insert(id)], { ack }),
  }
  let id = 0
  for (const [name, way] of Object.entries(ways)) {
    const commit = way(++id)
    t.equal(await outcomeSoon(commit), 'pending', name)
    const { lsn } = primary.position
    t.same(db.get('things', { id }), { id }, `${name}: it is visible here, for it is committed`)
    primary.acknowledgements.report('a', at(lsn))
    primary.acknowledgements.report('b', { ...at(lsn), durable: (lsn - 1n) as Lsn, applied: (lsn - 1n) as Lsn })
    t.equal(await outcomeSoon(commit), 'pending', `${name}: one is not two, and received is not durable`)
    primary.acknowledgements.report('b', at(lsn))
    t.equal(await outcomeSoon(commit), 'resolved', name)
  }
  t.equal(
    await outcomeSoon(db.execute([{ get: { table: 'things', key: { id } } }], { ack })),
    'resolved',
    'reads wait for nobody',
  )
  t.equal(await outcomeSoon(db.transaction((tx) => tx.get('things', { id }), { ack })), 'resolved')
})

void t.test('what is not confirmed in time is ACK_TIMEOUT, and its key tells the outcome', async (t) => {
  const { clock, primary, db } = await opened(t)
  await db.execute([{ createTable: { table: TABLE } }])
  const insert = [{ insert: { table: 'things', rows: [{ id: 1 }] } }]
  const ack: AckInput = { level: 'received', timeoutMs: 500 }
  const first = db.execute(insert, { ack, idempotencyKey: 'key' }).catch((error: unknown) => error)
  t.equal(await outcomeSoon(first), 'pending')
  const { lsn } = primary.position
  await clock.advance(500)
  const error = await first
  t.ok(isReplogError(error, 'ACK_TIMEOUT'))
  t.match((error as { details: unknown }).details, {
    lsn: lsn.toString(),
    level: 'received',
    replicas: 1,
    timeoutMs: 500,
  })
  t.same(db.get('things', { id: 1 }), { id: 1 }, 'never undone')
  const again = db.execute(insert, { ack, idempotencyKey: 'key' })
  t.equal(await outcomeSoon(again), 'pending', 'a repetition waits for the first one')
  primary.acknowledgements.report('a', at(lsn))
  t.match(await again, { replayed: true, lsn })
  t.match(primary.acks.status(), { level: 'local', degradedSince: null, waiting: 0, timeouts: 1 })
})

void t.test(
  'a server whose replicas are late goes on without them, says so, and waits again when they are back',
  async (t) => {
    const { clock, primary, db } = await opened(t, { level: 'applied', timeoutMs: 100, onTimeout: 'continue' })
    // The first transactions, of an empty server, did not wait.
    const created = db.execute([{ createTable: { table: TABLE } }])
    t.equal(await outcomeSoon(created), 'pending')
    primary.acknowledgements.report('a', at(primary.position.lsn))
    await created
    const insert = (id: number, ack?: AckInput) =>
      db.execute([{ insert: { table: 'things', rows: [{ id }] } }], ack === undefined ? {} : { ack })
    const late = insert(1)
    t.equal(await outcomeSoon(late), 'pending')
    t.equal(primary.acks.status().degradedSince, null)
    await clock.advance(100)
    t.equal(await outcomeSoon(late), 'resolved')
    t.not(primary.acks.status().degradedSince, null)
    t.equal(await outcomeSoon(insert(2)), 'resolved', 'nobody waits while it is degraded')
    const strict = insert(3, { level: 'applied', timeoutMs: 50 })
    t.equal(await outcomeSoon(strict), 'pending', 'but whoever asks for it by itself')
    await clock.advance(50)
    t.equal(await outcomeOf(strict), 'ACK_TIMEOUT')
    primary.acknowledgements.report('a', at(primary.position.lsn))
    t.equal(primary.acks.status().degradedSince, null, 'the replica has everything')
    const next = insert(4)
    t.equal(await outcomeSoon(next), 'pending')
    primary.acknowledgements.report('a', at(primary.position.lsn))
    t.equal(await outcomeSoon(next), 'resolved')
    t.equal(await outcomeSoon(insert(5, 'local')), 'resolved', 'a commit may ask for less')
  },
)

void t.test('a demand that makes no sense is refused before anything is committed', async (t) => {
  const { primary, db } = await opened(t)
  await db.execute([{ createTable: { table: TABLE } }])
  const { lsn } = primary.position
  const bad = [
    'aplied',
    7,
    null,
    [],
    {},
    { level: 'durable', replicas: 0 },
    { level: 'durable', replicas: 1.5 },
    { level: 'durable', timeoutMs: -1 },
    { level: 'durable', onTimeout: 'ignore' },
    { level: 'durable', replica: 2 },
  ]
  for (const ack of bad as AckInput[]) {
    const options = { ack }
    const insert = [{ insert: { table: 'things', rows: [{ id: 1 }] } }]
    t.equal(await outcomeOf(db.execute(insert, options)), 'INVALID_ARGUMENT', JSON.stringify(ack))
    t.equal(await outcomeOf(db.transaction((tx) => tx.insert('things', { id: 1 }), options)), 'INVALID_ARGUMENT')
    const tx = db.begin()
    await tx.insert('things', { id: 1 })
    t.equal(await outcomeOf(tx.commit(options)), 'INVALID_ARGUMENT')
    t.equal(tx.status, 'open')
    tx.rollback()
  }
  t.equal(primary.position.lsn, lsn)
})

void t.test('a server that shuts down tells those who wait that nobody confirmed', async (t) => {
  const { primary, db } = await opened(t)
  await db.execute([{ createTable: { table: TABLE } }])
  const commit = db.execute([{ insert: { table: 'things', rows: [{ id: 1 }] } }], { ack: 'durable' })
  t.equal(await outcomeSoon(commit), 'pending')
  const outcome = outcomeOf(commit)
  await primary.close()
  t.equal(await outcome, 'ACK_TIMEOUT')
})

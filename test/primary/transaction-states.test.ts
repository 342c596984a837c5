/** G5: the states of a transaction are those of its table: every transition happens, and nothing that is not in it does. */
import t, { type Test } from 'tap'
import { ReplogError } from '../../core/errors.js'
import type { Catalog } from '../../primary/catalog.js'
import type { Transaction } from '../../primary/transaction.js'
import { TRANSACTION_STATES, type TransactionEvent, type TransactionStatus } from '../../primary/transaction-states.js'
import { type GatedPrimary, openGated } from './open-primary.js'
import { collect, outcomeOf, outcomeSoon } from './outcome.js'

const STATES = Object.keys(TRANSACTION_STATES) as TransactionStatus[]
const EVENTS = Object.keys(TRANSACTION_STATES.open) as TransactionEvent[]

async function openThings(t: Test): Promise<GatedPrimary> {
  const opened = await openGated(t)
  await opened.db.execute([
    {
      createTable: {
        table: {
          name: 'things',
          columns: [
            { name: 'id', type: 'INTEGER' },
            { name: 'n', type: 'BIGINT' },
          ],
          primaryKey: ['id'],
        },
      },
    },
    { insert: { table: 'things', rows: [{ id: 1, n: 0 }] } },
  ])
  return opened
}

/** A transaction in each state, and what the test still has to let happen afterwards. */
const WAYS_INTO: Readonly<
  Record<TransactionStatus, (opened: GatedPrimary) => Promise<{ tx: Transaction; commit?: Promise<string> }>>
> = {
  open: async ({ db }) => {
    const tx = db.begin()
    await tx.insert('things', { id: 2, n: 2 })
    return { tx }
  },
  committing: async ({ db, engine }) => {
    const tx = db.begin()
    await tx.insert('things', { id: 2, n: 2 })
    engine.before.hold()
    const commit = outcomeOf(tx.commit())
    await engine.before.arrival()
    return { tx, commit }
  },
  committed: async ({ db }) => {
    const tx = db.begin()
    await tx.insert('things', { id: 2, n: 2 })
    await tx.commit()
    return { tx }
  },
  'rolled back': async ({ db }) => {
    const tx = db.begin()
    await tx.insert('things', { id: 2, n: 2 })
    tx.rollback()
    return { tx }
  },
}

/** Everything that a transaction can be asked for. */
const STATEMENTS: Readonly<Record<string, (tx: Transaction) => unknown>> = {
  insert: (tx) => tx.insert('things', { id: 3 }),
  update: (tx) => tx.update('things', { id: 1 }, { n: 1 }),
  add: (tx) => tx.update('things', { id: 1 }, { n: { add: 1 } }),
  delete: (tx) => tx.delete('things', { id: 9 }),
  get: (tx) => tx.get('things', { id: 1 }),
  getForUpdate: (tx) => tx.getForUpdate('things', { id: 1 }),
  check: (tx) => tx.check('things', { id: 1 }),
  scan: (tx) => collect(tx.scan('things')),
  createTable: (tx) => tx.createTable({ name: 'b', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] }),
  dropTable: (tx) => tx.dropTable('things', { ifExists: true }),
  'execute a write': (tx) => tx.execute({ delete: { table: 'things', key: { id: 9 } } }),
  'execute a read': (tx) => tx.execute({ get: { table: 'things', key: { id: 9 } } }),
  'execute a scan': (tx) => tx.execute({ scan: { table: 'things' } }),
  openCursor: (tx) => tx.openCursor('things').fetch(1),
  savepoint: (tx) => {
    tx.savepoint('s')
  },
  'savepoint, rollbackTo, releaseSavepoint': (tx) => {
    tx.savepoint('s')
    tx.rollbackTo('s')
    tx.releaseSavepoint('s')
  },
}

async function asked(statement: (tx: Transaction) => unknown, tx: Transaction): Promise<string> {
  return outcomeOf((async () => statement(tx))())
}

const REFUSAL: Readonly<Record<TransactionStatus, string>> = {
  open: 'resolved',
  committing: 'NO_TRANSACTION',
  committed: 'NO_TRANSACTION',
  'rolled back': 'NO_TRANSACTION',
}

for (const status of STATES) {
  void t.test(`${status}: a statement`, async (t) => {
    for (const [name, statement] of Object.entries(STATEMENTS)) {
      const opened = await openThings(t)
      const { tx, commit } = await WAYS_INTO[status](opened)
      t.equal(tx.status, status)
      t.equal(await asked(statement, tx), REFUSAL[status], name)
      t.equal(tx.status, TRANSACTION_STATES[status].statement, name)
      opened.engine.before.open()
      await commit
      tx.rollback()
      t.equal(opened.primary.openTransactions, 0)
      const { n } = opened.db.get('things', { id: 1 }) ?? {}
      t.equal(n, 0n, `${name} had no effect of its own`)
    }
  })

  void t.test(`${status}: rollback, and being expired`, async (t) => {
    for (const end of [
      (tx: Transaction) => {
        tx.rollback()
      },
      (tx: Transaction) => {
        tx.expire(new ReplogError('SNAPSHOT_TOO_OLD', 'too old'))
      },
    ]) {
      const opened = await openThings(t)
      const { tx, commit } = await WAYS_INTO[status](opened)
      end(tx)
      t.equal(tx.status, TRANSACTION_STATES[status].rollback)
      end(tx)
      opened.engine.before.open()
      if (commit !== undefined) t.equal(await commit, 'resolved', 'the commit goes on')
      const isDone = status === 'committed' || status === 'committing'
      t.equal(opened.db.get('things', { id: 2 })?.['n'], isDone ? 2n : undefined)
      t.equal(tx.status, isDone ? 'committed' : 'rolled back')
      t.equal(opened.primary.openTransactions, 0)
      t.equal(opened.primary.state.versions.openSnapshots, 0)
    }
  })

  void t.test(`${status}: commit`, async (t) => {
    const opened = await openThings(t)
    const { tx, commit } = await WAYS_INTO[status](opened)
    const { lsn } = opened.primary.state.head
    if (status === 'open') opened.engine.before.hold()
    const again = outcomeOf(tx.commit())
    t.equal(tx.status, TRANSACTION_STATES[status].commit)
    if (status !== 'open') t.equal(await again, 'NO_TRANSACTION')
    opened.engine.before.open()
    await Promise.all([commit, again])
    t.equal(tx.status, status === 'rolled back' ? 'rolled back' : 'committed')
    t.equal(opened.primary.state.head.lsn, status === 'open' ? lsn + 1n : lsn, 'nothing is committed twice')
  })
}

void t.test(
  'committing: durable commits it, a refusal and an unknown outcome roll it back and say why ever after',
  async (t) => {
    const opened = await openThings(t)
    const { db, engine, primary } = opened
    const durable = await WAYS_INTO.committing(opened)
    engine.before.open()
    t.equal(await durable.commit, 'resolved')
    t.equal(durable.tx.status, TRANSACTION_STATES.committing.durable)

    const refused = db.begin()
    await refused.update('things', { id: 1 }, { n: 5 })
    await db.execute([{ update: { table: 'things', key: { id: 1 }, set: { n: 6 } } }])
    t.equal(await outcomeOf(refused.commit()), 'CONFLICT')
    t.equal(refused.status, TRANSACTION_STATES.committing.refused)
    for (const statement of Object.values(STATEMENTS)) t.equal(await asked(statement, refused), 'CONFLICT')
    t.equal(await outcomeOf(refused.commit()), 'CONFLICT')

    const unknown = db.begin()
    await unknown.insert('things', { id: 7 })
    engine.before.hold()
    const commit = outcomeOf(unknown.commit())
    await engine.before.arrival()
    engine.before.fail(new Error('EIO'))
    t.equal(await commit, 'COMMIT_UNKNOWN')
    t.equal(unknown.status, TRANSACTION_STATES.committing.refused)
    t.equal(await outcomeOf(unknown.get('things', { id: 1 })), 'COMMIT_UNKNOWN')
    t.equal(primary.openTransactions, 0)
    t.equal(primary.state.versions.openSnapshots, 0)
  },
)

void t.test('a commit of nothing is committed at once, and has no LSN', async (t) => {
  const { db, primary, engine } = await openThings(t)
  const { lsn } = primary.position
  engine.before.hold()
  const tx = db.begin()
  await tx.get('things', { id: 1 })
  const { position, replayed } = await tx.commit()
  t.equal(tx.status, 'committed')
  t.equal(position.lsn, lsn)
  t.notOk(replayed)
})

void t.test(
  'a transaction that was rolled back for a reason tells it; one that its user ended says what it is',
  async (t) => {
    const { db, primary } = await openThings(t)
    const reason = new ReplogError('SNAPSHOT_TOO_OLD', 'it was open for too long')
    const expired = db.begin()
    expired.expire(reason)
    t.equal(expired.endedBecause, reason)
    for (const statement of Object.values(STATEMENTS)) t.equal(await asked(statement, expired), 'SNAPSHOT_TOO_OLD')
    const ended = db.begin()
    ended.rollback()
    ended.expire(reason)
    t.equal(ended.endedBecause, undefined)
    await t.rejects(ended.get('things', { id: 1 }), { code: 'NO_TRANSACTION', message: /rolled back/ })
    const committed = db.begin()
    await committed.commit()
    committed.expire(reason)
    t.equal(committed.status, 'committed')
    await t.rejects(committed.get('things', { id: 1 }), { code: 'NO_TRANSACTION', message: /committed/ })

    const atShutdown = db.begin()
    await primary.close()
    t.equal(await outcomeOf(atShutdown.get('things', { id: 1 })), 'CLOSED')
    t.equal(atShutdown.status, 'rolled back')
    t.throws(() => db.begin(), { code: 'CLOSED' })
  },
)

void t.test('a scan of a transaction that ends on the way stops with the reason', async (t) => {
  const { db } = await openThings(t)
  await db.execute([{ insert: { table: 'things', rows: [{ id: 10 }, { id: 11 }] } }])
  const ends: [string, (tx: Transaction, db: Catalog) => unknown][] = [
    ['NO_TRANSACTION', (tx) => tx.commit()],
    [
      'NO_TRANSACTION',
      (tx) => {
        tx.rollback()
      },
    ],
    [
      'SNAPSHOT_TOO_OLD',
      (tx) => {
        tx.expire(new ReplogError('SNAPSHOT_TOO_OLD', 'too old'))
      },
    ],
  ]
  for (const [code, end] of ends) {
    const tx = db.begin()
    const rows = tx.scan('things')
    t.match(await rows.next(), { value: { id: 1 }, done: false })
    await end(tx, db)
    t.equal(await outcomeSoon(rows.next()), code)
  }
})

void t.test('the table: only `open` can be left by its user, and an end is an end', (t) => {
  for (const status of STATES) {
    t.same(Object.keys(TRANSACTION_STATES[status]).sort(), EVENTS.toSorted(), 'no cell is missing')
  }
  for (const ended of ['committed', 'rolled back'] as const) {
    for (const event of EVENTS) t.equal(TRANSACTION_STATES[ended][event], ended)
  }
  const exits = EVENTS.filter((event) => TRANSACTION_STATES.committing[event] !== 'committing')
  t.same(exits.sort(), ['durable', 'refused'], 'nothing but its outcome ends a commit')
  t.end()
})

/**
 * G4: `serializable` shows no anomaly, `snapshot` write skew and nothing else; a read-only transaction sees one LSN. The
 * schedules are those of Adya (1999) and of the Hermitage, each run at both levels.
 */
import t, { type Test } from 'tap'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import type { Isolation, Transaction } from '../../primary/transaction.js'
import { openGated } from './open-primary.js'
import { collect, outcomeOf } from './outcome.js'

const TABLE: TableDefinition = {
  name: 'test',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'value', type: 'INTEGER', notNull: true },
    { name: 'code', type: 'INTEGER' },
    { name: 'hits', type: 'INTEGER', notNull: true, default: 0 },
  ],
  primaryKey: ['id'],
  indexes: [
    { name: 'value', columns: ['value'] },
    { name: 'code', columns: ['code'], unique: true },
  ],
}

/** What happens to the transaction that commits last, by level. */
type Expected = Readonly<Record<Isolation, 'resolved' | 'CONFLICT' | 'DUPLICATE_KEY' | 'SCHEMA_CHANGED'>>

const BOTH_REFUSE: Expected = { serializable: 'CONFLICT', snapshot: 'CONFLICT' }
const BOTH_ALLOW: Expected = { serializable: 'resolved', snapshot: 'resolved' }
const WRITE_SKEW: Expected = { serializable: 'CONFLICT', snapshot: 'resolved' }

interface Schedule {
  readonly expected: Expected
  /** Two transactions that began at the same state. @returns what must hold of what they saw */
  readonly run: (t: Test, one: Transaction, other: Transaction, db: Catalog) => Promise<void>
}

async function value(from: Transaction, id: number): Promise<unknown> {
  return (await from.get('test', { id }))?.['value']
}

async function set(tx: Transaction, id: number, to: number): Promise<void> {
  await tx.update('test', { id }, { value: to })
}

async function idsWhere(tx: Transaction, equal: number): Promise<unknown[]> {
  return (await collect(tx.scan('test', { index: 'value', prefix: { value: equal } }))).map((row) => row['id'])
}

/** `one` commits inside of `run`; `other` is committed after it. */
const SCHEDULES: Readonly<Record<string, Schedule>> = {
  'G0, write cycles: two that write the same rows': {
    expected: BOTH_REFUSE,
    run: async (_t, one, other) => {
      await set(one, 1, 11)
      await set(other, 1, 12)
      await set(one, 2, 21)
      await one.commit()
      await set(other, 2, 22)
    },
  },
  'G1a, aborted reads: what is rolled back is never seen': {
    expected: BOTH_ALLOW,
    run: async (t, one, other) => {
      await set(one, 1, 101)
      t.equal(await value(other, 1), 10)
      one.rollback()
      t.equal(await value(other, 1), 10)
      await set(other, 3, 1)
    },
  },
  'G1b, intermediate reads: nor what was overwritten before the commit': {
    expected: BOTH_ALLOW,
    run: async (t, one, other) => {
      await set(one, 1, 101)
      t.equal(await value(other, 2), 20)
      await set(one, 1, 11)
      await one.commit()
      await set(other, 3, 1)
    },
  },
  'G1c, circular information flow': {
    expected: WRITE_SKEW,
    run: async (t, one, other) => {
      await set(one, 1, 11)
      await set(other, 2, 22)
      t.equal(await value(one, 2), 20)
      t.equal(await value(other, 1), 10)
      await one.commit()
    },
  },
  'OTV, observed transaction vanishes: a reader sees all of a commit or nothing': {
    expected: BOTH_ALLOW,
    run: async (t, one, other) => {
      t.equal(await value(other, 1), 10)
      await set(one, 1, 11)
      await set(one, 2, 19)
      await one.commit()
      t.equal(await value(other, 2), 20)
      t.same(await idsWhere(other, 19), [])
    },
  },
  'PMP, a predicate read sees no row that came later': {
    expected: { serializable: 'CONFLICT', snapshot: 'resolved' },
    run: async (t, one, other) => {
      t.same(await idsWhere(other, 30), [])
      await one.insert('test', { id: 3, value: 30 })
      await one.commit()
      t.same(await idsWhere(other, 30), [])
      t.equal(await value(other, 3), undefined)
      await other.insert('test', { id: 4, value: 40 })
    },
  },
  'P4, lost update': {
    expected: BOTH_REFUSE,
    run: async (_t, one, other) => {
      await set(other, 1, ((await value(other, 1)) as number) + 1)
      await set(one, 1, ((await value(one, 1)) as number) + 1)
      await one.commit()
    },
  },
  'a lost delete': {
    expected: BOTH_REFUSE,
    run: async (_t, one, other) => {
      await set(other, 1, 11)
      await one.delete('test', { id: 1 })
      await one.commit()
    },
  },
  'an update that a delete would hide': {
    expected: BOTH_REFUSE,
    run: async (_t, one, other) => {
      await other.delete('test', { id: 1 })
      await set(one, 1, 11)
      await one.commit()
    },
  },
  'two that insert one key': {
    expected: BOTH_REFUSE,
    run: async (_t, one, other) => {
      await other.insert('test', { id: 5, value: 1 })
      await one.insert('test', { id: 5, value: 2 })
      await one.commit()
    },
  },
  'two that take one value of a unique index': {
    expected: BOTH_REFUSE,
    run: async (_t, one, other) => {
      await other.insert('test', { id: 5, value: 1, code: 7 })
      await one.update('test', { id: 1 }, { code: 7 })
      await one.commit()
    },
  },
  'a delete and an insert of one key': {
    expected: BOTH_REFUSE,
    run: async (_t, one, other) => {
      await other.delete('test', { id: 1 })
      await one.delete('test', { id: 1 })
      await one.insert('test', { id: 1, value: 5 })
      await one.commit()
    },
  },
  'G-single, read skew: one snapshot for all reads, validated where it matters': {
    expected: BOTH_ALLOW,
    run: async (t, one, other) => {
      t.equal(await value(other, 1), 10)
      await set(one, 1, 12)
      await set(one, 2, 18)
      await one.commit()
      t.equal(await value(other, 2), 20)
    },
  },
  'G-single with a predicate': {
    expected: BOTH_ALLOW,
    run: async (t, one, other) => {
      t.same(await idsWhere(other, 10), [1])
      await set(one, 1, 20)
      await one.commit()
      t.same(await idsWhere(other, 20), [2])
    },
  },
  'G-single with a write: what was read has changed, and the write rests on it': {
    expected: BOTH_REFUSE,
    run: async (t, one, other) => {
      t.equal(await value(other, 1), 10)
      await set(one, 1, 12)
      await set(one, 2, 18)
      await one.commit()
      await other.delete('test', { id: 2 })
    },
  },
  'G2-item, write skew': {
    expected: WRITE_SKEW,
    run: async (t, one, other) => {
      for (const tx of [one, other]) t.same([await value(tx, 1), await value(tx, 2)], [10, 20])
      await set(one, 1, 11)
      await set(other, 2, 21)
      await one.commit()
    },
  },
  'G2, write skew with phantoms': {
    expected: WRITE_SKEW,
    run: async (t, one, other) => {
      for (const tx of [one, other]) t.same(await idsWhere(tx, 30), [])
      await one.insert('test', { id: 3, value: 30 })
      await other.insert('test', { id: 4, value: 30 })
      await one.commit()
    },
  },
  'G2 with the absence of a row': {
    expected: WRITE_SKEW,
    run: async (t, one, other) => {
      t.equal(await value(one, 8), undefined)
      t.equal(await value(other, 7), undefined)
      await one.insert('test', { id: 7, value: 1 })
      await other.insert('test', { id: 8, value: 1 })
      await one.commit()
    },
  },
  'G2 with a check instead of a read': {
    expected: WRITE_SKEW,
    run: async (_t, one, other) => {
      await one.check('test', { id: 2 }, { equals: { value: 20 } })
      await other.check('test', { id: 1 }, { equals: { value: 10 } })
      await set(one, 1, 11)
      await set(other, 2, 21)
      await one.commit()
    },
  },
  'additions to one row, which nobody looks at, are all there': {
    expected: BOTH_ALLOW,
    run: async (_t, one, other) => {
      await one.update('test', { id: 1 }, { hits: { add: 1 } })
      await other.update('test', { id: 1 }, { hits: { add: 2 } })
      await one.commit()
    },
  },
  'a table that was dropped and made again is another table': {
    expected: { serializable: 'SCHEMA_CHANGED', snapshot: 'SCHEMA_CHANGED' },
    run: async (_t, one, other) => {
      await other.insert('test', { id: 9, value: 9 })
      await one.dropTable('test')
      await one.createTable(TABLE)
      await one.insert('test', { id: 1, value: 10 })
      await one.commit()
    },
  },
  'two that make one table': {
    expected: { serializable: 'SCHEMA_CHANGED', snapshot: 'SCHEMA_CHANGED' },
    run: async (_t, one, other) => {
      await other.createTable({ ...TABLE, name: 'new' })
      await one.createTable({ ...TABLE, name: 'new' })
      await one.commit()
    },
  },
}

for (const [name, { expected, run }] of Object.entries(SCHEDULES)) {
  for (const isolation of ['serializable', 'snapshot'] as const) {
    void t.test(`${isolation}: ${name}`, async (t) => {
      const { db, primary } = await openGated(t)
      await db.execute([
        { createTable: { table: TABLE } },
        {
          insert: {
            table: 'test',
            rows: [
              { id: 1, value: 10 },
              { id: 2, value: 20 },
            ],
          },
        },
      ])
      const [one, other] = [db.begin({ isolation }), db.begin({ isolation })]
      t.equal(other.isolation, isolation)
      await run(t, one, other, db)
      t.equal(await outcomeOf(other.commit()), expected[isolation])
      one.rollback()
      t.equal(primary.openTransactions, 0)
      t.equal(primary.state.versions.openSnapshots, 0)
      for (const row of await collect(db.scan('test'))) t.same(db.get('test', { id: row['id'] }), row)
    })
  }
}

void t.test('a transaction is serializable unless it says otherwise, and says nothing else', async (t) => {
  const { db } = await openGated(t)
  const tx = db.begin()
  t.equal(tx.isolation, 'serializable')
  t.notOk(tx.readOnly)
  tx.rollback()
  t.throws(() => db.begin({ isolation: 'read committed' as Isolation }), { code: 'INVALID_ARGUMENT' })
})

for (const isolation of ['serializable', 'snapshot'] as const) {
  void t.test(`${isolation}, read-only: one LSN for all reads, no write, and no conflict at the end`, async (t) => {
    const { db, primary } = await openGated(t)
    await db.execute([{ createTable: { table: TABLE } }, { insert: { table: 'test', rows: [{ id: 1, value: 10 }] } }])
    const tx = db.begin({ isolation, readOnly: true })
    t.ok(tx.readOnly)
    const { lsn } = primary.position
    t.equal(await value(tx, 1), 10)
    await db.execute([
      { update: { table: 'test', key: { id: 1 }, set: { value: 11 } } },
      { insert: { table: 'test', rows: [{ id: 2, value: 10 }] } },
    ])
    t.equal(await value(tx, 1), 10)
    t.same(await idsWhere(tx, 10), [1])
    t.equal(tx.snapshotLsn, lsn)
    const writes: Promise<unknown>[] = [
      tx.insert('test', { id: 3, value: 3 }),
      tx.update('test', { id: 1 }, { value: 3 }),
      tx.update('test', { id: 1 }, { value: { add: 1 } }),
      tx.delete('test', { id: 1 }),
      tx.delete('test', { id: 99 }),
      tx.getForUpdate('test', { id: 1 }),
      tx.createTable({ ...TABLE, name: 'new' }),
      tx.dropTable('nothing', { ifExists: true }),
      tx.execute({ delete: { table: 'test', key: { id: 1 } } }),
      tx.execute({ insert: { table: 'test', rows: [] } }),
    ]
    for (const outcome of await Promise.all(writes.map(outcomeOf))) t.equal(outcome, 'READ_ONLY_TRANSACTION')
    t.equal(tx.status, 'open')
    tx.savepoint('s')
    tx.rollbackTo('s')
    t.same(await tx.execute({ get: { table: 'test', key: { id: 2 } } }), { row: null })
    const { position } = await tx.commit()
    t.equal(position.lsn, lsn, 'the LSN that it read at')
    t.equal(primary.locks.size, 0)
  })
}

void t.test('transaction(fn) and its options: the level, read-only, retries of conflicts', async (t) => {
  const { db, primary } = await openGated(t)
  await db.execute([{ createTable: { table: TABLE } }, { insert: { table: 'test', rows: [{ id: 1, value: 0 }] } }])
  const skewed = async (isolation: Isolation): Promise<number> => {
    let runs = 0
    await db.transaction(
      async (tx) => {
        runs++
        const seen = (await value(tx, 1)) as number
        if (runs === 1) await db.execute([{ update: { table: 'test', key: { id: 1 }, set: { value: { add: 1 } } } }])
        await tx.insert('test', { id: 100 * runs + seen, value: seen })
      },
      { isolation },
    )
    return runs
  }
  t.equal(await skewed('serializable'), 2)
  t.equal(await skewed('snapshot'), 1)
  t.equal(primary.counters.retries, 1)
  t.equal(
    await outcomeOf(db.transaction((tx) => tx.delete('test', { id: 1 }), { readOnly: true })),
    'READ_ONLY_TRANSACTION',
  )
  t.equal(await db.transaction((tx) => value(tx, 1), { readOnly: true }), 2)
})

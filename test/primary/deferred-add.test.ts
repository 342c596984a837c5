/** G4: `{ add: n }` in a transaction is done in the commit lane, and nobody can tell, its own statements included. */
import t, { type Test } from 'tap'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import { openOnDisk } from './open-primary.js'
import { collect, outcomeOf } from './outcome.js'

const COUNTS: TableDefinition = {
  name: 'counts',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'n', type: 'BIGINT' },
    { name: 'small', type: 'INTEGER' },
    { name: 'price', type: 'DECIMAL(5,2)' },
    { name: 'ratio', type: 'DOUBLE' },
    { name: 'place', type: 'INTEGER' },
    { name: 'grade', type: 'INTEGER' },
    { name: 'name', type: 'VARCHAR(10)' },
  ],
  primaryKey: ['id'],
  indexes: [
    { name: 'place', columns: ['place'], unique: true },
    { name: 'grade', columns: ['grade'] },
  ],
}

async function openCounts(t: Test): Promise<Catalog> {
  const { db } = await openOnDisk(t)
  const row = { n: 10, small: 1, price: '1.25', ratio: 0.5, grade: 1, name: 'x' }
  await db.execute([
    { createTable: { table: COUNTS } },
    { insert: { table: 'counts', rows: [{ id: 1, place: 1, ...row }, { id: 2, place: 2, ...row }, { id: 3 }] } },
  ])
  return db
}

void t.test('an add does not conflict with others, and adds to the newest value', async (t) => {
  const db = await openCounts(t)
  const tx = db.begin()
  t.same(await tx.update('counts', { id: 1 }, { n: { add: 5 }, name: 'tx' }), { updated: 1 })
  await db.execute([{ update: { table: 'counts', key: { id: 1 }, set: { n: { add: '100' }, name: 'other' } } }])
  await tx.commit()
  t.match(db.get('counts', { id: 1 }), { n: 115n, name: 'tx' })
})

void t.test('a row that the transaction also read does conflict', async (t) => {
  const db = await openCounts(t)
  for (const order of ['read first', 'add first']) {
    const tx = db.begin()
    if (order === 'read first') await tx.get('counts', { id: 1 })
    await tx.update('counts', { id: 1 }, { n: { add: 5 } })
    if (order === 'add first') t.match(await tx.get('counts', { id: 1 }), { n: 15n })
    await db.execute([{ update: { table: 'counts', key: { id: 1 }, set: { name: order } } }])
    t.equal(await outcomeOf(tx.commit()), 'CONFLICT', order)
  }
  t.match(db.get('counts', { id: 1 }), { n: 10n })
})

void t.test('every way to look at a row sees its pending adds', async (t) => {
  const db = await openCounts(t)
  const tx = db.begin()
  const add = { n: { add: 1 }, price: { add: '0.05' }, ratio: { add: 0.25 } }
  await tx.update('counts', { id: 1 }, add)
  await tx.update('counts', { id: 1 }, add)
  t.match(await tx.get('counts', { id: 1 }), { n: 12n, price: '1.35', ratio: 1 })
  await tx.update('counts', { id: 1 }, add)
  await tx.check('counts', { id: 1 }, { equals: { n: 13 } })
  await tx.update('counts', { id: 2 }, add)
  t.same(
    (await collect(tx.scan('counts'))).map((row) => row['n']),
    [13n, 11n, null],
  )
  await tx.update('counts', { id: 2 }, { n: { add: 4 } })
  t.same(await tx.delete('counts', { id: 2 }), { deleted: 1 })
  t.same(await tx.update('counts', { id: 2 }, add), { updated: 0 }, 'add after delete')
  await tx.insert('counts', { id: 2, n: 100 })
  await tx.update('counts', { id: 2 }, { n: { add: 1 } })
  await tx.insert('counts', { id: 4, n: 7 })
  await tx.update('counts', { id: 4 }, { n: { add: 1 } })
  t.equal(await outcomeOf(tx.insert('counts', { id: 1 })), 'DUPLICATE_KEY', 'insert after add')
  await tx.commit()
  t.same(
    (await collect(db.scan('counts'))).map((row) => row['n']),
    [13n, 101n, null, 8n],
  )
})

void t.test('NULL plus anything is NULL; an add to no row updates none', async (t) => {
  const db = await openCounts(t)
  await db.transaction(async (tx) => {
    t.same(await tx.update('counts', { id: 3 }, { n: { add: 1 } }), { updated: 1 })
    t.same(await tx.update('counts', { id: 99 }, { n: { add: 1 } }), { updated: 0 })
  })
  t.match(db.get('counts', { id: 3 }), { n: null })
})

void t.test('a sum that the column cannot hold is refused, whole and without a trace', async (t) => {
  const db = await openCounts(t)
  const overflows: Record<string, unknown>[] = [
    { n: { add: '9223372036854775807' } },
    { small: { add: 2147483647 } },
    { price: { add: '999.00' } },
  ]
  for (const set of overflows) {
    const inLane = db.execute([
      { update: { table: 'counts', key: { id: 2 }, set: { name: 'trace' } } },
      { update: { table: 'counts', key: { id: 1 }, set } },
    ])
    t.equal(await outcomeOf(inLane), 'INVALID_VALUE')
    const tx = db.begin()
    await tx.update('counts', { id: 2 }, { name: 'trace' })
    await tx.update('counts', { id: 1 }, set)
    t.equal(await outcomeOf(tx.commit()), 'INVALID_VALUE')
    const reading = db.begin()
    await reading.update('counts', { id: 1 }, set)
    t.equal(await outcomeOf(reading.get('counts', { id: 1 })), 'INVALID_VALUE')
    t.equal(reading.status, 'open')
    reading.rollback()
  }
  t.equal(
    await outcomeOf(db.execute([{ update: { table: 'counts', key: { id: 1 }, set: { name: { add: 1 } } } }])),
    'INVALID_VALUE',
  )
  t.match(db.get('counts', { id: 1 }), { n: 10n, small: 1, price: '1.25' })
  t.match(db.get('counts', { id: 2 }), { name: 'x' })
})

void t.test('an add to a column of the key moves the row, once', async (t) => {
  const db = await openCounts(t)
  await db.transaction(async (tx) => {
    t.same(await tx.update('counts', { id: 1 }, { id: { add: 10 } }), { updated: 1 })
    t.same(await tx.update('counts', { id: 1 }, { id: { add: 10 } }), { updated: 0 }, 'it is not there any more')
    t.match(await tx.get('counts', { id: 11 }), { id: 11, place: 1 })
    t.equal(await tx.get('counts', { id: 1 }), undefined)
  })
  t.same(
    (await collect(db.scan('counts'))).map((row) => row['id']),
    [2, 3, 11],
  )
})

void t.test('an add to an indexed column is seen by the unique checks and index scans that follow', async (t) => {
  const db = await openCounts(t)
  await db.transaction(async (tx) => {
    await tx.update('counts', { id: 2 }, { place: { add: 1 } })
    t.equal(await outcomeOf(tx.insert('counts', { id: 5, place: 3 })), 'DUPLICATE_KEY')
    await tx.insert('counts', { id: 5, place: 2 })
    await tx.update('counts', { id: 1 }, { grade: { add: 1 } })
    t.same(
      (await collect(tx.scan('counts', { index: 'grade', prefix: { grade: 2 } }))).map((row) => row['id']),
      [1],
    )
  })
  t.same(
    (await collect(db.scan('counts', { index: 'place' }))).map((row) => [row['place'], row['id']]),
    [
      [null, 3],
      [1, 1],
      [2, 5],
      [3, 2],
    ],
  )
  t.equal(
    await outcomeOf(db.execute([{ update: { table: 'counts', key: { id: 1 }, set: { place: { add: 1 } } } }])),
    'DUPLICATE_KEY',
  )
})

void t.test('an add to a row that was deleted meanwhile is repeated, and then finds no row', async (t) => {
  const db = await openCounts(t)
  const answers: unknown[] = []
  await db.transaction(async (tx) => {
    answers.push(await tx.update('counts', { id: 1 }, { n: { add: 1 } }))
    if (answers.length === 1) await db.execute([{ delete: { table: 'counts', key: { id: 1 } } }])
  })
  t.same(answers, [{ updated: 1 }, { updated: 0 }])
})

void t.test('what a scan has not reached yet shows adds made meanwhile, as it shows other updates', async (t) => {
  const db = await openCounts(t)
  await db.execute([
    { insert: { table: 'counts', rows: Array.from({ length: 2000 }, (_, ordinal) => ({ id: 1000 + ordinal, n: 0 })) } },
  ])
  const tx = db.begin()
  const seen = new Map<number, unknown>()
  for await (const row of tx.scan('counts', { from: { id: 1000 } })) {
    if (row['id'] === 1000) {
      await tx.update('counts', { id: 2998 }, { n: 1 })
      await tx.update('counts', { id: 2999 }, { n: { add: 1 } })
    }
    seen.set(row['id'] as number, row['n'])
  }
  t.equal(seen.get(2998), 1n)
  t.equal(seen.get(2999), 1n)
  tx.rollback()
})

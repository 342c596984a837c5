/** G5: nothing but commit commits; a statement happens whole or not at all, an error leaves the transaction open. */
import t from 'tap'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { openOnDisk } from './open-primary.js'
import { collect, outcomeOf } from './outcome.js'

const ITEMS: TableDefinition = {
  name: 'items',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'name', type: 'VARCHAR(20)' },
    { name: 'code', type: 'VARCHAR(10)' },
  ],
  primaryKey: ['id'],
  indexes: [
    { name: 'by_name', columns: ['name'] },
    { name: 'code', columns: ['code'], unique: true },
  ],
}

void t.test('a transaction sees its own writes, others see them after the commit', async (t) => {
  const { db } = await openOnDisk(t)
  await db.execute([
    { createTable: { table: ITEMS } },
    {
      insert: {
        table: 'items',
        rows: [
          { id: 1, name: 'a' },
          { id: 2, name: 'b' },
          { id: 3, name: 'c' },
        ],
      },
    },
  ])
  const tx = db.begin()
  await tx.insert('items', { id: 4, name: 'aa' })
  await tx.update('items', { id: 2 }, { name: 'z' })
  await tx.delete('items', { id: 3 })
  await tx.update('items', { id: 1 }, { id: 9 })
  const names = async (scan: AsyncIterable<Record<string, unknown>>) =>
    (await collect(scan)).map((row) => `${String(row['id'])}${String(row['name'])}`)

  t.same(await names(tx.scan('items')), ['2z', '4aa', '9a'])
  t.same(await names(tx.scan('items', { reverse: true })), ['9a', '4aa', '2z'])
  t.same(await names(tx.scan('items', { index: 'by_name' })), ['9a', '4aa', '2z'])
  t.same(await names(tx.scan('items', { index: 'by_name', prefix: { name: 'z' } })), ['2z'])
  t.same(await names(tx.scan('items', { limit: 1 })), ['2z'])
  t.equal(await tx.get('items', { id: 3 }), undefined)
  t.match(await tx.get('items', { id: 9 }), { name: 'a' })
  await tx.check('items', { id: 9 }, { equals: { name: 'a', code: null } })
  await tx.check('items', { id: 1 }, { exists: false })

  t.same(await names(db.scan('items')), ['1a', '2b', '3c'], 'nobody else sees them')
  t.match(db.get('items', { id: 3 }), { name: 'c' })
  await tx.commit()
  t.same(await names(db.scan('items')), ['2z', '4aa', '9a'])
  t.equal(await outcomeOf(tx.get('items', { id: 2 })), 'NO_TRANSACTION')
  t.equal(await outcomeOf(tx.commit()), 'NO_TRANSACTION')
})

void t.test('rollback restores rows, index entries and definitions, and leaves no LSN', async (t) => {
  const { primary, db } = await openOnDisk(t)
  await db.execute([
    { createTable: { table: ITEMS } },
    { insert: { table: 'items', rows: [{ id: 1, name: 'a', code: 'x' }] } },
  ])
  const before = primary.position
  const tx = db.begin()
  await tx.update('items', { id: 1 }, { name: 'b', code: 'y' })
  await tx.insert('items', { id: 2, code: 'x' })
  await tx.createTable({ ...ITEMS, name: 'more' })
  await tx.insert('more', { id: 1 })
  await tx.dropTable('items')
  t.equal(await outcomeOf(tx.get('items', { id: 1 })), 'NOT_FOUND')
  tx.rollback()
  tx.rollback()
  t.equal(tx.status, 'rolled back')

  t.same(await collect(db.scan('items')), [{ id: 1, name: 'a', code: 'x' }])
  t.same(await collect(db.scan('items', { index: 'code' })), [{ id: 1, name: 'a', code: 'x' }])
  t.equal(await outcomeOf(collect(db.scan('more'))), 'NOT_FOUND')
  t.same(primary.position, before)
  t.same(
    (await db.tables()).map(({ name, rows }) => ({ name, rows })),
    [{ name: 'items', rows: 1 }],
  )
})

void t.test('a statement that fails leaves nothing behind, and the transaction open', async (t) => {
  const { primary, db } = await openOnDisk(t)
  await db.execute([
    { createTable: { table: ITEMS } },
    { insert: { table: 'items', rows: [{ id: 5, name: 'five', code: 'v' }] } },
  ])
  const tx = db.begin()
  await tx.insert('items', { id: 1, code: 'one' })
  const refusals = [
    tx.insert('items', [{ id: 2 }, { id: 3 }, { id: 5 }]),
    tx.insert('items', [
      { id: 2, code: 'b' },
      { id: 3, code: 'v' },
    ]),
    tx.insert('items', [
      { id: 2, code: 'b' },
      { id: 3, code: 'b' },
    ]),
    tx.insert('items', [{ id: 2 }, { id: 3, name: 'x'.repeat(21) }]),
    tx.insert('items', [{ id: 2 }, { id: 3, nmae: 'x' }]),
    tx.insert('itmes', { id: 2 }),
    tx.insert('items', { name: 'no key' }),
    tx.update('items', { id: 1 }, { id: 5 }),
    tx.update('items', { id: 1 }, { code: 'v' }),
    tx.update('items', { id: 1 }, { id: null }),
    tx.update('items', { id: 1 }, {}),
    tx.check('items', { id: 1 }, { equals: { code: 'two' } }),
    tx.createTable(ITEMS),
    tx.dropTable('nothing'),
  ]
  t.same(await Promise.all(refusals.map(outcomeOf)), [
    'DUPLICATE_KEY',
    'DUPLICATE_KEY',
    'DUPLICATE_KEY',
    'INVALID_VALUE',
    'NOT_FOUND',
    'NOT_FOUND',
    'INVALID_VALUE',
    'DUPLICATE_KEY',
    'DUPLICATE_KEY',
    'INVALID_VALUE',
    'INVALID_ARGUMENT',
    'CHECK_FAILED',
    'ALREADY_EXISTS',
    'NOT_FOUND',
  ])
  t.equal(tx.status, 'open')
  t.same(
    (await collect(tx.scan('items'))).map((row) => row['id']),
    [1, 5],
  )
  await tx.insert('items', { id: 2, code: 'b' })
  await tx.commit()
  t.same(
    (await collect(db.scan('items', { index: 'code' }))).map((row) => row['code']),
    ['b', 'one', 'v'],
  )
  t.equal(primary.position.lsn, 3n, 'one transaction')
})

void t.test(
  'a one-shot transaction commits all of its statements or none, and names the one that failed',
  async (t) => {
    const { primary, db } = await openOnDisk(t)
    await db.execute([{ createTable: { table: ITEMS } }])
    const before = primary.position
    await t.rejects(
      db.execute([
        { insert: { table: 'items', rows: [{ id: 1 }] } },
        { createTable: { table: { ...ITEMS, name: 'other' } } },
        { insert: { table: 'other', rows: [{ id: 1 }] } },
        { check: { table: 'items', key: { id: 1 }, equals: { name: 'b' } } },
      ]),
      { code: 'CHECK_FAILED', details: { statement: 3 } },
    )
    t.same(primary.position, before)
    t.same(await collect(db.scan('items')), [])
    const { results, lsn } = await db.execute([
      { insert: { table: 'items', rows: [{ id: 1, name: 'a' }] } },
      { get: { table: 'items', key: { id: 1 } } },
      { update: { table: 'items', key: { id: 7 }, set: { name: 'b' } } },
      { delete: { table: 'items', key: { id: 7 } } },
      { scan: { table: 'items' } },
    ])
    t.equal(lsn, before.lsn + 1n)
    t.same(results, [
      { inserted: 1 },
      { row: { id: 1, name: 'a', code: null } },
      { updated: 0 },
      { deleted: 0 },
      { rows: [{ id: 1, name: 'a', code: null }] },
    ])
  },
)

void t.test('unique: NULLs are distinct, a value freed in the same transaction can be taken', async (t) => {
  const { db } = await openOnDisk(t)
  await db.execute([
    { createTable: { table: ITEMS } },
    { insert: { table: 'items', rows: [{ id: 1 }, { id: 2 }, { id: 3, code: 'a' }, { id: 4, code: 'b' }] } },
  ])
  await db.transaction(async (tx) => {
    // a and b change places.
    await tx.update('items', { id: 3 }, { code: null })
    await tx.update('items', { id: 4 }, { code: 'a' })
    await tx.update('items', { id: 3 }, { code: 'b' })
    await tx.delete('items', { id: 1 })
    await tx.insert('items', { id: 1, code: 'c' })
    await tx.delete('items', { id: 4 })
    await tx.insert('items', { id: 5, code: 'a' })
  })
  const byCode = (await collect(db.scan('items', { index: 'code' }))).map((row) => [row['code'], row['id']])
  t.same(byCode, [
    [null, 2],
    ['a', 5],
    ['b', 3],
    ['c', 1],
  ])
  t.same(
    (await collect(db.scan('items', { index: 'code', prefix: { code: null } }))).map((row) => row['id']),
    [2],
  )
  t.equal(await outcomeOf(db.execute([{ insert: { table: 'items', rows: [{ id: 9, code: 'b' }] } }])), 'DUPLICATE_KEY')
})

void t.test('transaction(fn): what fn throws rolls back and comes out; its result comes back', async (t) => {
  const { primary, db } = await openOnDisk(t)
  await db.execute([{ createTable: { table: ITEMS } }])
  const boom = new Error('boom')
  await t.rejects(
    db.transaction(async (tx) => {
      await tx.insert('items', { id: 1 })
      throw boom
    }),
    boom,
  )
  t.equal(db.get('items', { id: 1 }), undefined)
  t.equal(await db.transaction(() => 7), 7)
  t.equal(primary.openTransactions, 0)
  t.equal(primary.position.lsn, 2n, 'a transaction without writes has no LSN')
})

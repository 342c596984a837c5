/**
 * A handle of `defineTable` stands wherever a table's name or definition does and means exactly that table; a name means
 * what it did. (G4: reads of both see the same.)
 */
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { defineTable, tableNameOf } from '../../ddl/define-table.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { customers, everything, orders } from '../ddl/define-table.types.js'
import { openOnDisk } from './open-primary.js'

/** The first items, which must come. */
async function first<Item>(count: number, items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) if (found.push(item) === count) break
  return found
}

t.test('a handle is its definition, frozen, and nothing else that shows', async (t) => {
  const definition = { name: 'a', columns: [{ name: 'id', type: 'BIGINT' }], primaryKey: ['id'] } as const
  const handle = defineTable(definition)
  t.strictSame({ ...handle }, definition)
  t.equal(JSON.stringify(handle), JSON.stringify(definition))
  t.ok(Object.isFrozen(handle))
  t.not(handle, definition, 'what was given is left alone')
})

t.test('the name of a handle is the one that events have', async (t) => {
  t.equal(tableNameOf(orders), 'shop.orders')
  t.equal(tableNameOf(customers), 'test.customers')
  t.equal(tableNameOf(everything), 'test."every ""thing"".there is"')
  t.equal(tableNameOf('a.b'), 'a.b')
})

t.test('what no table can be called is refused where it is defined', async (t) => {
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ name: '', columns: [], primaryKey: [] }, 'INVALID_ARGUMENT'],
    [{ name: 'a', schema: 'b\n', columns: [], primaryKey: [] }, 'INVALID_ARGUMENT'],
    [{ columns: [], primaryKey: [] }, 'INVALID_ARGUMENT'],
    [null, 'INVALID_DEFINITION'],
    ['a', 'INVALID_DEFINITION'],
  ]
  for (const [definition, code] of wrong) {
    t.throws(() => defineTable(definition as TableDefinition), { code }, JSON.stringify(definition))
  }
})

t.test('every statement takes a handle', async (t) => {
  const { primary } = await openOnDisk(t)
  const db = primary.catalog()
  await db.transaction(async (tx) => {
    await tx.createSchema('shop')
    await tx.createTable(customers)
    t.same(await tx.createTable(orders), { created: true })
    t.same(await tx.createTable(orders, { ifNotExists: true }), { created: false })
    await tx.createTable(everything)
    await tx.insert(customers, [{ id: 1n }, { id: 2 }])
    const { autoIncrement } = await tx.insert(orders, [
      { customer: 1n, total: 12.5, pieces: 1 },
      { customer: '2', total: '7.00', pieces: 2, state: "it's paid", placed: new Date(0) },
    ])
    t.same(autoIncrement, [1n, 2n])
    t.same(await tx.update(orders, { id: 1n }, { pieces: { add: 4 }, note: 'more' }), { updated: 1 })
    await tx.check(orders, { id: 1n }, { equals: { pieces: 5 } })
    t.match(await tx.getForUpdate(orders, { id: 1n }), { pieces: 5, total: '12.50', note: 'more', state: 'open' })
    t.match(await tx.openCursor(orders, { reverse: true }).fetch(1), { rows: [{ id: 2n }] })
    for await (const row of tx.scan(orders, { index: 'by_customer', prefix: { customer: 2n } })) {
      t.match(row, { id: 2n, placed: '1970-01-01T00:00:00Z' })
    }
    t.same(await tx.delete(customers, { id: 3n }), { deleted: 0 })
  })
  const expected = db.get('shop.orders', { id: 1n })
  t.ok(expected)
  t.same(db.get(orders, { id: 1n }), expected)
  const scanned: unknown[] = []
  for await (const row of db.scan(orders, { limit: 1 })) scanned.push(row)
  for await (const page of db.scanPages(orders)) t.same(page[0], expected)
  t.same(scanned, [expected])
  await db.transaction(async (tx) => {
    t.same(await tx.get(orders, { id: 1n }), expected)
    for await (const page of tx.scanPages(orders)) t.equal(page.length, 2)
    await tx.dropIndex(everything, 'none' as never, { ifExists: true })
    t.same(await tx.createIndex(everything, { name: 'by_date', columns: ['date'] }), { created: true })
    t.same(await tx.alterTable(everything, [{ setComment: { comment: 'odd' } }]), { altered: true })
    t.same(await tx.truncateTable(everything), { truncated: true })
    t.same(await tx.dropTable(everything), { dropped: true })
  })
  t.throws(() => db.get(everything, { part: 1, key: 'a' }), { code: 'NOT_FOUND' })
})

t.test('a stream of handles tells of their tables alone, and handles and names may stand together', async (t) => {
  const { primary } = await openOnDisk(t)
  const db = primary.catalog()
  await db.transaction(async (tx) => {
    await tx.createSchema('shop')
    await tx.createTable(customers)
    await tx.createTable(orders)
    await tx.createTable(everything)
  })
  const after = String(db.position.lsn)
  await db.transaction(async (tx) => {
    await tx.insert(customers, { id: 1n })
    await tx.insert(everything, { part: 7, json: { a: [1] } })
    await tx.insert(orders, { customer: 1n, total: '1.00', pieces: 1 })
  })
  const typed = await first(2, db.changes({ tables: [orders, everything], after, operations: ['insert'] }))
  t.same(
    typed.map((change) => (change.table === 'shop.orders' ? change.key.id : change.key.part)),
    [7, 1n],
    'in the order of the transaction',
  )
  const tables = ['test.customers', orders] as unknown as string[]
  t.match(await first(2, db.changes({ tables, after })), [{ table: 'test.customers' }, { table: 'shop.orders' }])
  const [whole] = await first(
    1,
    db.changes({ tables: [customers], after, transactions: true, operations: ['insert'], follow: true }),
  )
  t.equal(whole?.lsn, db.position.lsn)
  t.same(
    whole?.changes.map((change) => change.after.id),
    [1n],
  )
  const snapshot = await first(2, db.changes({ tables: [customers], snapshot: true }))
  t.same(
    snapshot.map((event) => (event.type === 'snapshot' ? event.after.id : event.type)),
    [1n, 'snapshotEnd'],
  )
})

t.test('what is neither a name nor a handle is refused as before', async (t) => {
  const { primary } = await openOnDisk(t)
  const db = primary.catalog()
  const definition = { name: 'a', columns: [{ name: 'id', type: 'BIGINT' }], primaryKey: ['id'] }
  for (const table of [undefined, null, 7, {}, [], definition] as unknown as string[]) {
    t.throws(() => db.get(table, { id: 1n }), { code: 'INVALID_ARGUMENT' })
    t.throws(() => db.changes({ tables: [table] }), { code: 'INVALID_ARGUMENT' })
    const tx = db.begin()
    for (const statement of [
      tx.get(table, { id: 1n }),
      tx.insert(table, { id: 1n }),
      tx.dropTable(table),
      db.scan(table).next(),
    ]) {
      const error: unknown = await statement.catch((caught: unknown) => caught)
      t.ok(isReplogError(error, 'INVALID_ARGUMENT'), JSON.stringify(table))
    }
    tx.rollback()
  }
  for (const tables of ['orders', {}, 7, null, []] as unknown as string[][]) {
    t.throws(() => db.changes({ tables }), { code: 'INVALID_ARGUMENT' })
  }
  t.throws(() => db.changes(null as unknown as { tables: string[] }), { code: 'INVALID_ARGUMENT' })
})

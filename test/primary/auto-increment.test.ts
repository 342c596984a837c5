/** G6: AUTO_INCREMENT gives no value of a committed row again, whatever was deleted, rolled back or crashed. */
import t from 'tap'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { openGated, openOnDisk } from './open-primary.js'
import { outcomeOf } from './outcome.js'

const ORDERS: TableDefinition = {
  name: 'orders',
  columns: [
    { name: 'id', type: 'BIGINT', autoIncrement: true },
    { name: 'name', type: 'VARCHAR(10)', notNull: true },
  ],
  primaryKey: ['id'],
}

async function insert(db: Catalog, rows: readonly Record<string, unknown>[]): Promise<readonly bigint[]> {
  return db.transaction(async (tx) => (await tx.insert('orders', rows)).autoIncrement ?? [])
}

void t.test('values ascend, explicit ones are stepped over, lower ones change nothing', async (t) => {
  const { db } = await openOnDisk(t)
  await db.execute([{ createTable: { table: ORDERS } }])
  t.same(await insert(db, [{ name: 'a' }, { name: 'b' }]), [1n, 2n])
  t.same(await insert(db, [{ id: 10, name: 'c' }, { name: 'd' }]), [10n, 11n])
  t.same(
    await insert(db, [
      { id: 5, name: 'e' },
      { id: null, name: 'f' },
    ]),
    [5n, 12n],
  )
  t.same(await insert(db, [{ id: -3, name: 'g' }, { name: 'h' }]), [-3n, 13n])
  const { results } = await db.execute([{ insert: { table: 'orders', rows: [{ name: 'i' }] } }])
  t.same(results, [{ inserted: 1, autoIncrement: [14n] }])
  t.equal(await outcomeOf(insert(db, [{ id: 14, name: 'j' }])), 'DUPLICATE_KEY')
})

void t.test('no value of a row that was committed comes again after delete, crash and reopening', async (t) => {
  const { db, memory } = await openGated(t)
  await db.execute([{ createTable: { table: ORDERS } }])
  t.same(await insert(db, [{ name: 'a' }, { name: 'b' }, { name: 'c' }]), [1n, 2n, 3n])
  await db.execute([{ delete: { table: 'orders', key: { id: 3 } } }])
  const open = db.begin()
  t.same(await open.insert('orders', { name: 'never' }), { inserted: 1, autoIncrement: [4n] })
  open.rollback()
  t.same(await insert(db, [{ name: 'd' }]), [5n], 'a value of a rolled-back transaction is lost')
  await db.execute([{ delete: { table: 'orders', key: { id: 5 } } }])

  const reopened = await openGated(t, {}, memory.crash())
  t.same(await insert(reopened.db, [{ name: 'e' }]), [6n], 'above the deleted 5')
})

void t.test('a value in a batch whose outcome is unknown is not given again, whichever the outcome was', async (t) => {
  for (const side of ['before', 'after'] as const) {
    const { db, engine, memory } = await openGated(t)
    await db.execute([{ createTable: { table: ORDERS } }])
    await insert(db, [{ name: 'a' }])
    engine[side].fail(new Error('EIO'))
    t.equal(await outcomeOf(insert(db, [{ name: 'b' }])), 'COMMIT_UNKNOWN')
    const reopened = await openGated(t, {}, memory.crash())
    const there = reopened.db.get('orders', { id: 2 }) !== undefined
    t.equal(there, side === 'after')
    t.same(await insert(reopened.db, [{ name: 'c' }]), [there ? 3n : 2n])
  }
})

void t.test(
  'a refused statement does not raise the mark that is stored: the mark is a fold of the log (G1, G7)',
  async (t) => {
    const { db, primary } = await openOnDisk(t)
    await db.execute([{ createTable: { table: ORDERS } }])
    const table = db.table('orders')
    await insert(db, [{ name: 'a' }])
    const tx = db.begin()
    t.equal(
      await outcomeOf(
        tx.insert('orders', [
          { id: 1000, name: 'b' },
          { id: 1, name: 'c' },
        ]),
      ),
      'DUPLICATE_KEY',
    )
    await tx.insert('orders', { id: 7, name: 'd' })
    await tx.commit()
    t.equal(primary.state.statistics.table(table.id).autoIncrement, 7n)
  },
)

void t.test('the end of the range is refused, not wrapped', async (t) => {
  const { db } = await openOnDisk(t)
  const small = { ...ORDERS, name: 'small', columns: [{ name: 'id', type: 'INTEGER', autoIncrement: true }] }
  await db.execute([{ createTable: { table: small } }, { insert: { table: 'small', rows: [{ id: 2147483646 }, {}] } }])
  t.match(db.get('small', { id: 2147483647 }), { id: 2147483647 })
  t.equal(await outcomeOf(db.execute([{ insert: { table: 'small', rows: [{}] } }])), 'LIMIT')
  t.equal(await outcomeOf(db.execute([{ insert: { table: 'small', rows: [{}] } }])), 'LIMIT')
})

void t.test('a table that is made anew under the same name counts from 1', async (t) => {
  const engine = new MemoryEngine()
  const primary = await Primary.open({ path: '/memory', engine })
  t.teardown(() => primary.close())
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ORDERS } }])
  await insert(db, [{ name: 'a' }])
  await db.execute([{ dropTable: { table: 'orders' } }, { createTable: { table: ORDERS } }])
  t.same(await insert(db, [{ name: 'b' }]), [1n])
  await primary.jobsDone()
  t.same(await insert(db, [{ name: 'c' }]), [2n])
})

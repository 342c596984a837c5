/**
 * G7, G9: the position of a projection is in the log, so a replica holds its own log for it, and the projection goes on
 * where it was on the server that became the primary, with each change counted once.
 */
import { join } from 'node:path'
import t from 'tap'
import { promote } from '../../index.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import type { Projection } from '../../primary/projections/projection.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { follow, serve } from '../replication/linked-pair.js'
import { until } from '../replication/until.js'

const COLUMNS: TableDefinition['columns'] = [
  { name: 'id', type: 'BIGINT' },
  { name: 'n', type: 'BIGINT' },
]
const ORDERS: TableDefinition = { name: 'orders', columns: COLUMNS, primaryKey: ['id'] }
const TOTALS: TableDefinition = { name: 'totals', columns: COLUMNS, primaryKey: ['id'] }

function total(db: Catalog): Projection {
  return db.project(
    'total',
    async (change, transaction) => {
      if (change.type === 'insert') await transaction.update('totals', { id: 0 }, { n: { add: change.after!.n } })
    },
    { tables: ['orders'] },
  )
}

async function insert(db: Catalog, id: number): Promise<void> {
  await db.execute([{ insert: { table: 'orders', rows: [{ id, n: 1 }] } }])
}

async function counted(projection: Projection, changes: bigint): Promise<void> {
  await until(() => projection.status.changes >= changes || projection.status.state === 'failed')
}

t.test('a projection survives a promotion, and the log behind it is there on the new primary', async (t) => {
  const directory = scratchDirectory(t)
  const old = await serve(t, { path: join(directory, 'old') })
  const before = old.primary.catalog()
  await before.execute([{ createTable: { table: ORDERS } }, { createTable: { table: TOTALS } }])
  await before.execute([{ insert: { table: 'totals', rows: [{ id: 0, n: 0 }] } }])
  const projection = total(before)
  for (let id = 0; id < 5; id++) await insert(before, id)
  // The definition is the first change.
  await counted(projection, 6n)
  await projection.stop()
  const stood = before.position.lsn
  for (let id = 5; id < 10; id++) await insert(before, id)
  const replica = await follow(t, { path: join(directory, 'one'), from: old.url })
  await replica.waitFor(before.position.lsn)
  const { heldBack, floor } = await replica.purger.purge({ keepBytes: 0 })
  t.match(heldBack, [{ name: 'projection total of catalog local' }], 'a replica holds its log for it as well')
  t.ok(floor.lsn <= stood)
  await old.close()

  const primary = await promote(replica)
  t.teardown(() => primary.close())
  const db = primary.catalog()
  for (let id = 10; id < 13; id++) await insert(db, id)
  const next = total(db)
  await counted(next, 14n)
  t.match(next.status, { state: 'running', error: undefined })
  t.same(db.get('totals', { id: 0 }), { id: 0n, n: 13n })
  t.match(await db.projections.list(), [{ name: 'total', changes: 14n }])
})

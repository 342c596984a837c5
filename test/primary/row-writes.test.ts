/** Rows that are written by key whatever stands there: one transaction, which meets no conflict. (G1, G4, G5) */
import t, { type Test } from 'tap'
import type { Catalog } from '../../primary/catalog.js'
import { openGated } from './open-primary.js'

async function openTables(t: Test) {
  const opened = await openGated(t)
  await opened.db.execute([
    {
      createTable: {
        table: {
          name: 'parents',
          columns: [
            { name: 'id', type: 'INTEGER' },
            { name: 'n', type: 'INTEGER' },
            { name: 'note', type: 'TEXT', default: 'new' },
          ],
          primaryKey: ['id'],
          indexes: [{ name: 'n', columns: ['n'], unique: true }],
        },
      },
    },
    {
      createTable: {
        table: {
          name: 'children',
          columns: [
            { name: 'id', type: 'INTEGER' },
            { name: 'parent', type: 'INTEGER' },
          ],
          primaryKey: ['id'],
          foreignKeys: [
            {
              name: 'parent',
              columns: ['parent'],
              references: { table: 'parents', columns: ['id'] },
              onDelete: 'cascade',
            },
          ],
        },
      },
    },
  ])
  return opened
}

async function rowsOf(db: Catalog, table: string): Promise<unknown[]> {
  const rows: unknown[] = []
  for await (const row of db.scan(table)) rows.push(row)
  return rows
}

const put = (id: number, n: number) => ({ upsert: { table: 'parents', key: { id }, set: { n } } })

void t.test('a row is inserted, or the one that is there is updated and keeps its other columns', async (t) => {
  const { db, primary } = await openTables(t)
  await db.execute([{ insert: { table: 'parents', rows: [{ id: 1, n: 1, note: 'kept' }] } }])
  const { lsn } = primary.position
  const { position, replayed } = await db.writeRows([
    put(1, 10),
    put(2, 1),
    { delete: { table: 'parents', key: { id: 3 } } },
    put(2, 2),
  ])
  t.equal(replayed, false)
  t.equal(position.lsn, lsn + 1n)
  t.same(await rowsOf(db, 'parents'), [
    { id: 1, n: 10, note: 'kept' },
    { id: 2, n: 2, note: 'new' },
  ])
  await t.rejects(db.writeRows([put(3, 3), put(4, 10)]), { code: 'DUPLICATE_KEY' })
  t.equal(db.get('parents', { id: 3 }), undefined, 'nothing of it is done')
  t.equal((await db.writeRows([{ delete: { table: 'parents', key: { id: 9 } } }])).position.lsn, lsn + 1n)
})

void t.test('writes of another form are refused before anything is done', async (t) => {
  const { db, primary } = await openTables(t)
  const { lsn } = primary.position
  const bad: unknown[] = [
    undefined,
    {},
    [undefined],
    new Array(1),
    [{}],
    ['upsert'],
    [{ insert: { table: 'parents', rows: [] } }],
    [{ ...put(1, 1), delete: { table: 'parents', key: { id: 1 } } }],
    [{ upsert: null }],
    [put(1, 1), { delete: [] }],
    [put(1, 1), { upsert: { key: { id: 1 }, set: { n: 1 } } }],
    [put(1, 1), { upsert: { table: 'parents', key: { id: 2 } } }],
  ]
  for (const writes of bad) await t.rejects(db.writeRows(writes as never), { code: 'INVALID_ARGUMENT' })
  await t.rejects(db.writeRows([put(1, 1), { upsert: { table: 'parents', key: null as never, set: { n: 1 } } }]), {
    code: 'INVALID_VALUE',
  })
  t.equal(primary.position.lsn, lsn)
})

void t.test(
  'what a foreign key makes wait for a scan runs on a snapshot, and is one transaction all the same',
  async (t) => {
    const { db, primary } = await openTables(t)
    await db.writeRows([put(1, 1), { upsert: { table: 'children', key: { id: 7 }, set: { parent: 1 } } }])
    await t.rejects(db.writeRows([{ upsert: { table: 'children', key: { id: 8 }, set: { parent: 5 } } }]), {
      code: 'FOREIGN_KEY_VIOLATION',
    })
    const { lsn } = primary.position
    const { position } = await db.writeRows([{ delete: { table: 'parents', key: { id: 1 } } }, put(2, 1)])
    t.equal(position.lsn, lsn + 1n)
    t.same(await rowsOf(db, 'children'), [])
    t.match(await rowsOf(db, 'parents'), [{ id: 2, n: 1 }])
  },
)

void t.test('a snapshot of a catalog reads rows and definitions of its LSN, until it is closed', async (t) => {
  const { db, primary } = await openTables(t)
  await db.writeRows([put(1, 1), put(2, 2)])
  const snapshot = db.snapshot()
  const { lsn } = primary.position
  await db.writeRows([put(1, 5), { delete: { table: 'parents', key: { id: 2 } } }])
  await db.execute([{ dropTable: { table: 'children' } }])
  await db.execute([{ alterTable: { table: 'parents', changes: [{ dropColumn: { name: 'note' } }] } }])
  t.equal(snapshot.lsn, lsn)
  t.same(snapshot.get('parents', { id: 1 }), { id: 1, n: 1, note: 'new' })
  t.ok(snapshot.table('children'))
  const scanned: unknown[] = []
  for await (const row of snapshot.scan('parents', { reverse: true, limit: 5 })) scanned.push(row)
  t.match(scanned, [{ id: 2 }, { id: 1 }])
  t.equal(snapshot.get('parents', { id: 9 }), undefined)
  const rest = snapshot.scan('parents')
  await rest.next()
  snapshot.close()
  snapshot.close()
  t.throws(() => snapshot.get('parents', { id: 1 }), { code: 'CLOSED' })
  await t.rejects(snapshot.scan('parents').next(), { code: 'CLOSED' })
  t.equal(primary.state.versions.openSnapshots, 0)
})

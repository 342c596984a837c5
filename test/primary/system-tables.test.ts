/**
 * Tables of replog itself: made once whoever races, written by replog alone, readable like any other, and no burden on a
 * schema of the same name that a user made before.
 */
import t from 'tap'
import { SYSTEM_OPTIONS, SYSTEM_SCHEMA_NAME } from '../../ddl/system-schema.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import type { StatementInput } from '../../primary/statement.js'
import {
  type SystemTableDefinition,
  ensureSystemTable,
  hasSystemTable,
  systemTableName,
} from '../../primary/system-tables.js'
import { openGated } from './open-primary.js'
import { collect } from './outcome.js'

const DEFINITION: SystemTableDefinition = {
  name: 'consumers',
  columns: [
    { name: 'name', type: 'VARCHAR(50)' },
    { name: 'token', type: 'TEXT' },
  ],
  primaryKey: ['name'],
}
const NAME = systemTableName('consumers')
const ROW = { name: 'a', token: '1' }
const ORDERS: TableDefinition = {
  name: 'orders',
  columns: [
    { name: 'id', type: 'BIGINT' },
    { name: 'consumer', type: 'VARCHAR(50)' },
  ],
  primaryKey: ['id'],
}

/** Everything by which a user could write to the schema of replog. */
const FORBIDDEN: Readonly<Record<string, StatementInput>> = {
  insert: { insert: { table: NAME, rows: [{ name: 'b', token: '1' }] } },
  update: { update: { table: NAME, key: { name: 'a' }, set: { token: '2' } } },
  delete: { delete: { table: NAME, key: { name: 'a' } } },
  createTable: { createTable: { table: { ...ORDERS, schema: SYSTEM_SCHEMA_NAME } } },
  createTableAs: { createTableAs: { table: 'replog.copy', from: { table: 'orders' } } },
  alterTable: { alterTable: { table: NAME, changes: [{ addColumn: { name: 'x', type: 'TEXT' } }] } },
  renameOut: { renameTables: { tables: [{ from: NAME, to: 'mine' }] } },
  renameIn: { renameTables: { tables: [{ from: 'orders', to: 'replog.orders' }] } },
  truncateTable: { truncateTable: { table: NAME } },
  dropTable: { dropTable: { table: NAME } },
  createIndex: { createIndex: { table: NAME, index: { name: 'i', columns: ['token'] } } },
  alterSchema: { alterSchema: { schema: SYSTEM_SCHEMA_NAME, name: 'other' } },
  dropSchema: { dropSchema: { schema: SYSTEM_SCHEMA_NAME, cascade: true } },
  foreignKeyTo: {
    alterTable: {
      table: 'orders',
      changes: [
        { addForeignKey: { name: 'f', columns: ['consumer'], references: { table: NAME, columns: ['name'] } } },
      ],
    },
  },
}

async function rowsOf(db: Catalog): Promise<unknown[]> {
  return collect(db.scan(NAME))
}

t.test('G6: of many that make the same table at once one makes it, and all go on', async (t) => {
  const { primary, db } = await openGated(t)
  const before = primary.position.lsn
  t.equal(hasSystemTable(db, 'consumers'), false)
  await Promise.all(Array.from({ length: 8 }, () => ensureSystemTable(db, DEFINITION)))
  t.equal(hasSystemTable(db, 'consumers'), true)
  t.equal(primary.position.lsn, before + 1n, 'in one transaction')
  await ensureSystemTable(db, { ...DEFINITION, name: 'others' })
  t.equal(hasSystemTable(db, 'others'), true)
  await ensureSystemTable(db, DEFINITION)
  t.equal(primary.position.lsn, before + 2n, 'what is there is not made again')
  const missing = ensureSystemTable(primary.catalog('nowhere'), DEFINITION)
  await t.rejects(missing, { code: 'NOT_FOUND' })
})

t.test('G5: no statement of a user writes to them, one-shot or not, and reading them is allowed', async (t) => {
  const { db } = await openGated(t)
  await ensureSystemTable(db, DEFINITION)
  await db.executeAsSystem([{ insert: { table: NAME, rows: [ROW] } }])
  await db.execute([{ createTable: { table: ORDERS } }])
  for (const [what, statement] of Object.entries(FORBIDDEN)) {
    await t.rejects(db.execute([statement]), { code: 'SYSTEM_TABLE' }, `${what}, one-shot`)
    const transaction = db.begin()
    await t.rejects(transaction.execute(statement), { code: 'SYSTEM_TABLE' }, `${what}, in a transaction`)
    t.equal(transaction.status, 'open', 'which stays open')
    await transaction.insert('orders', { id: 1, consumer: 'a' })
    transaction.rollback()
  }
  t.same(await rowsOf(db), [ROW], 'nothing was written')
  t.same(db.get(NAME, { name: 'a' }), ROW)
  const { results } = await db.execute([{ get: { table: NAME, key: { name: 'a' } } }, { scan: { table: NAME } }])
  t.same(results, [{ row: ROW }, { rows: [ROW] }])
  await db.execute([{ createTableAs: { table: 'copy', from: { table: NAME } } }])
  t.same(await collect(db.scan('copy')), [ROW], 'a copy is the user’s own')
  await db.execute([{ update: { table: 'copy', key: { name: 'a' }, set: { token: '3' } } }])
})

t.test('G5: what replog writes in a transaction does not let the user in', async (t) => {
  const { db } = await openGated(t)
  await ensureSystemTable(db, DEFINITION)
  await db.transaction(async (transaction) => {
    await transaction.runAsSystem({ insert: { table: NAME, rows: [ROW] } })
    await t.rejects(transaction.insert(NAME, { name: 'b', token: '' }), { code: 'SYSTEM_TABLE' })
    await t.rejects(transaction.runAsSystem({ insert: { table: NAME, rows: [ROW] } }), { code: 'DUPLICATE_KEY' })
    await t.rejects(transaction.dropTable(NAME), { code: 'SYSTEM_TABLE' }, 'nor after one that failed')
  })
  t.same(await rowsOf(db), [ROW])
})

t.test('G6: a catalog is dropped with the tables of replog in it', async (t) => {
  const { primary } = await openGated(t)
  await primary.createCatalog('tenant')
  const db = primary.catalog('tenant')
  await ensureSystemTable(db, DEFINITION)
  await primary.dropCatalog('tenant')
  await primary.createCatalog('tenant')
  t.equal(hasSystemTable(db, 'consumers'), false)
  await ensureSystemTable(db, DEFINITION)
  t.same(await rowsOf(db), [])
})

t.test('nobody makes a schema replog beforehand, nor gives one of his own the look of it', async (t) => {
  const { db } = await openGated(t)
  const attempts: readonly StatementInput[] = [
    { createSchema: { schema: SYSTEM_SCHEMA_NAME } },
    { createSchema: { schema: 'mine', options: SYSTEM_OPTIONS } },
    { alterSchema: { schema: 'test', name: SYSTEM_SCHEMA_NAME } },
    { alterSchema: { schema: 'test', options: SYSTEM_OPTIONS } },
    { createTable: { table: { ...ORDERS, options: SYSTEM_OPTIONS } } },
  ]
  for (const statement of attempts) await t.rejects(db.execute([statement]), { code: 'SYSTEM_TABLE' })
})

t.test('a schema replog that a user made before stays his, with everything in it', async (t) => {
  const { primary, db } = await openGated(t)
  const catalogId = primary.state.dictionary.catalog(primary.state.readDurable, db.name).id
  const id = primary.state.ids.allocate('schema')
  const after = { id, catalogId, name: SYSTEM_SCHEMA_NAME, createdUs: 1n, comment: '', options: {} }
  await primary.lane.commitDefinitions(1n, () => ({ catalogId, statements: [{ kind: 'createSchema', after }] }))
  await db.execute([{ createTable: { table: { ...ORDERS, schema: SYSTEM_SCHEMA_NAME } } }])
  await db.execute([{ insert: { table: 'replog.orders', rows: [{ id: 1 }] } }])
  await db.execute([{ createSchema: { schema: SYSTEM_SCHEMA_NAME, ifNotExists: true } }])
  await db.execute([{ alterSchema: { schema: SYSTEM_SCHEMA_NAME, comment: 'mine' } }])
  await t.rejects(ensureSystemTable(db, DEFINITION), { code: 'ALREADY_EXISTS', message: /rename/ })
  const own = { ...DEFINITION, schema: SYSTEM_SCHEMA_NAME }
  await db.execute([{ createTable: { table: own } }])
  const before = primary.position.lsn
  await t.rejects(ensureSystemTable(db, DEFINITION), { code: 'ALREADY_EXISTS', message: /rename/ }, 'his own table')
  t.equal(primary.position.lsn, before)
  await db.execute([{ alterSchema: { schema: SYSTEM_SCHEMA_NAME, name: 'renamed' } }])
  await ensureSystemTable(db, DEFINITION)
  t.same(await collect(db.scan('renamed.orders')), [{ id: 1n, consumer: null }])
})

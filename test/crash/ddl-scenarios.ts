/**
 * A store with a little of everything, and the definition statements that are cut off on it: every kind, and each in every
 * way that it can take.
 *
 * The first row of `items` is larger than a page, so that all that goes over the table page by page does so in steps.
 */
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { DefinitionStatement } from '../../log/codec/message.js'
import { SCAN_PAGE_BYTES_MAX } from '../../core/limits.js'
import type { LimitOptions } from '../../primary/limit-options.js'
import type { Primary } from '../../primary/primary.js'
import type { StatementInput } from '../../primary/statement.js'

/** `several`: more than one statement in a transaction, or transactions that meet. */
export type StatementKind = Exclude<DefinitionStatement['kind'], 'newEpoch'> | 'createTableAs' | 'several'

/** One transaction. */
export type Work = (primary: Primary) => Promise<unknown>

export interface Scenario {
  readonly name: string
  readonly limits?: LimitOptions
  /** One after the other; background jobs are not waited for in between. */
  readonly transactions: readonly Work[]
}

const GROUPS: TableDefinition = {
  name: 'groups',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'name', type: 'TEXT' },
  ],
  primaryKey: ['id'],
}

const ITEMS: TableDefinition = {
  name: 'items',
  columns: [
    { name: 'id', type: 'BIGINT', autoIncrement: true },
    { name: 'code', type: 'VARCHAR(20)', notNull: true },
    { name: 'grp', type: 'INTEGER' },
    { name: 'serial', type: 'INTEGER' },
    { name: 'twin', type: 'INTEGER' },
    { name: 'pad', type: 'BLOB' },
  ],
  primaryKey: ['id'],
  indexes: [
    { name: 'code', columns: ['code'], unique: true },
    { name: 'grp', columns: ['grp', { column: 'code', descending: true }] },
  ],
  foreignKeys: [{ columns: ['grp'], references: { table: 'groups', columns: ['id'] }, onDelete: 'set null' }],
}

const SMALL = (name: string, schema = 'test', more: Partial<TableDefinition> = {}): TableDefinition => ({
  schema,
  name,
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'value', type: 'TEXT' },
  ],
  primaryKey: ['id'],
  indexes: [{ name: 'value', columns: ['value'] }],
  ...more,
})

const small = (table: string): StatementInput => ({
  insert: { table, rows: [1, 2, 3].map((id) => ({ id, value: `${table} ${id}` })) },
})

/** The store on which every scenario begins. */
export async function makeBase(primary: Primary): Promise<void> {
  const db = primary.catalog()
  await db.execute([
    { createTable: { table: GROUPS } },
    { insert: { table: 'groups', rows: [1, 2, 3].map((id) => ({ id, name: `group ${id}` })) } },
    { createTable: { table: ITEMS } },
    {
      insert: {
        table: 'items',
        rows: [1, 2, 3, 4, 5].map((id) => ({
          code: `code ${id}`,
          grp: id === 5 ? null : 1 + (id % 3),
          serial: id * 10,
          // The row that makes it ambiguous is on the last page.
          twin: id % 4,
          pad: Buffer.alloc(id === 1 ? SCAN_PAGE_BYTES_MAX : 1, id),
        })),
      },
    },
    { createTable: { table: SMALL('plain') } },
    small('plain'),
    { createSchema: { schema: 'more', comment: 'has two tables' } },
    { createTable: { table: SMALL('a', 'more') } },
    {
      createTable: {
        table: SMALL('b', 'more', {
          foreignKeys: [{ columns: ['id'], references: { table: 'more.a', columns: ['id'] } }],
        }),
      },
    },
    small('more.a'),
    small('more.b'),
    { createSchema: { schema: 'empty' } },
  ])
  await primary.createCatalog('tenant', { comment: 'of somebody' })
  const tenant = primary.catalog('tenant')
  await tenant.execute([
    { createTable: { table: SMALL('t') } },
    { createSchema: { schema: 'more' } },
    { createTable: { table: SMALL('u', 'more') } },
    small('more.u'),
  ])
  await tenant.execute([small('t')], { idempotencyKey: 'once' })
  await primary.jobsDone()
}

/** An index on a table of more rows is built by a job; the tables that the scenarios index have five. */
const AS_A_JOB: LimitOptions = { server: { indexBuildRows: 2 } }

const run =
  (...statements: readonly StatementInput[]): Work =>
  (primary) =>
    primary.catalog().execute(statements)

const one = (name: string, ...statements: readonly StatementInput[]): Scenario => ({
  name,
  transactions: [run(...statements)],
})

const bySerial = { table: 'items', index: { name: 'serial', columns: ['serial'] } }
const uniqueSerial = { table: 'items', index: { ...bySerial.index, unique: true } }
const uniqueTwin = { table: 'items', index: { name: 'twin', columns: ['twin'], unique: true } }

export const SCENARIOS: Readonly<Record<StatementKind, readonly Scenario[]>> = {
  createTable: [
    one('createTable with a foreign key', {
      createTable: {
        table: SMALL('orders', 'test', {
          columns: [
            { name: 'id', type: 'INTEGER' },
            { name: 'value', type: 'BIGINT' },
          ],
          foreignKeys: [{ columns: ['value'], references: { table: 'items', columns: ['id'] } }],
        }),
      },
    }),
  ],
  createTableAs: [
    one('createTableAs', {
      createTableAs: {
        table: 'more.copy',
        from: { table: 'items' },
        columns: ['id', 'code', { column: 'serial', as: 'number' }, 'pad'],
        where: { gt: [{ column: 'serial' }, 10] },
      },
    }),
  ],
  dropTable: [one('dropTable', { dropTable: { table: 'items' } })],
  truncateTable: [one('truncateTable', { truncateTable: { table: 'items' } })],
  renameTables: [
    one('renameTables, a swap', {
      renameTables: {
        tables: [
          { from: 'items', to: 'groups' },
          { from: 'groups', to: 'items' },
        ],
      },
    }),
  ],
  alterTable: [
    one('alterTable, metadata only', {
      alterTable: {
        table: 'items',
        changes: [
          { addColumn: { name: 'note', type: 'TEXT', notNull: true, default: 'none', after: 'code' } },
          { renameColumn: { name: 'serial', to: 'number' } },
          { dropColumn: { name: 'twin' } },
          { setComment: { comment: 'changed' } },
        ],
      },
    }),
    one('alterTable, a rewrite', {
      alterTable: { table: 'items', changes: [{ setType: { column: 'serial', type: 'VARCHAR(12)' } }] },
    }),
    one('alterTable, an index inline', { alterTable: { table: 'items', changes: [{ addIndex: bySerial.index }] } }),
    {
      ...one('alterTable, an index as a job', {
        alterTable: { table: 'items', changes: [{ addIndex: bySerial.index }] },
      }),
      limits: AS_A_JOB,
    },
  ],
  createIndex: [
    one('createIndex inline', { createIndex: bySerial }),
    one('createIndex inline, unique', { createIndex: uniqueSerial }),
    { ...one('createIndex as a job', { createIndex: bySerial }), limits: AS_A_JOB },
    { ...one('createIndex as a job, unique', { createIndex: uniqueSerial }), limits: AS_A_JOB },
    { ...one('createIndex as a job, unique and impossible', { createIndex: uniqueTwin }), limits: AS_A_JOB },
  ],
  dropIndex: [one('dropIndex', { dropIndex: { table: 'items', index: 'code' } })],
  createSchema: [one('createSchema', { createSchema: { schema: 'another', options: { color: 'red' } } })],
  alterSchema: [one('alterSchema', { alterSchema: { schema: 'more', name: 'less', comment: 'renamed' } })],
  dropSchema: [
    one('dropSchema', { dropSchema: { schema: 'empty' } }),
    one('dropSchema with its tables', { dropSchema: { schema: 'more', cascade: true } }),
  ],
  createCatalog: [
    {
      name: 'createCatalog',
      transactions: [(primary) => primary.createCatalog('other', { options: { plan: 'free' } })],
    },
  ],
  alterCatalog: [
    { name: 'alterCatalog', transactions: [(primary) => primary.alterCatalog('tenant', { comment: 'of another' })] },
  ],
  dropCatalog: [{ name: 'dropCatalog', transactions: [(primary) => primary.dropCatalog('tenant')] }],
  several: [
    one(
      'definitions and rows in one transaction',
      { createTable: { table: SMALL('fresh') } },
      small('fresh'),
      { alterTable: { table: 'fresh', changes: [{ addColumn: { name: 'more', type: 'INTEGER', default: 7 } }] } },
      { insert: { table: 'fresh', rows: [{ id: 4, value: 'late' }] } },
      {
        renameTables: {
          tables: [
            { from: 'plain', to: 'old' },
            { from: 'fresh', to: 'plain' },
          ],
        },
      },
      { dropTable: { table: 'old' } },
      { update: { table: 'items', key: { id: 2 }, set: { serial: { add: 1 } } } },
      { createIndex: bySerial },
      { truncateTable: { table: 'more.b' } },
    ),
    {
      name: 'dropTable while an index is built',
      limits: AS_A_JOB,
      transactions: [run({ createIndex: bySerial }), run({ dropTable: { table: 'items' } })],
    },
    {
      name: 'dropIndex while it is built',
      limits: AS_A_JOB,
      transactions: [run({ createIndex: bySerial }), run({ dropIndex: { table: 'items', index: 'serial' } })],
    },
    {
      name: 'an update while a unique index is built',
      limits: AS_A_JOB,
      transactions: [
        run({ createIndex: uniqueSerial }),
        run({ update: { table: 'items', key: { id: 5 }, set: { serial: 55 } } }),
      ],
    },
    {
      name: 'dropCatalog while an index is built',
      limits: AS_A_JOB,
      transactions: [
        (primary) =>
          primary
            .catalog('tenant')
            .execute([{ createIndex: { table: 't', index: { name: 'u', columns: ['value'], unique: true } } }]),
        (primary) => primary.dropCatalog('tenant'),
      ],
    },
  ],
}

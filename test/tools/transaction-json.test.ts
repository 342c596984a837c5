/** What `log dump` prints of the statements that change definitions, and of rows that such a change rewrote. */
import t, { type Test } from 'tap'
import { asEpoch, asLsn } from '../../core/position.js'
import type {
  CatalogMessage,
  SchemaMessage,
  Statement,
  TableChange,
  TableMessage,
  Transaction,
} from '../../log/codec/message.js'
import { catalogsOf, schemasOf, tablesOf } from '../../tools/log/defined-by.js'
import type { LogSource, LoggedTable } from '../../tools/log/log-source.js'
import { TransactionJson } from '../../tools/log/transaction-json.js'
import { NO_EXTRAS, SAMPLE_TABLE } from '../codec/definitions.js'
import { SAMPLE } from '../codec/messages.js'

const CATALOG: CatalogMessage = { id: 1, name: 'local', createdUs: 0n, comment: '', options: {} }
const SCHEMA: SchemaMessage = { id: 2, catalogId: 1, name: 'test', createdUs: 0n, comment: '', options: {} }
const [ID, NOTE] = SAMPLE_TABLE.columns as [TableMessage['columns'][number], TableMessage['columns'][number]]

const USERS: TableMessage = {
  ...SAMPLE_TABLE,
  ...NO_EXTRAS,
  id: 5,
  storageId: 5,
  name: 'users',
  columns: [ID],
  indexes: [],
}
const FANS: TableMessage = {
  ...SAMPLE_TABLE,
  foreignKeys: [
    {
      id: 1,
      name: 'fan_is_user',
      columnIds: [2],
      targetTableId: 5,
      targetColumnIds: [2],
      onDelete: 'CASCADE',
      onUpdate: 'RESTRICT',
    },
  ],
  nextConstraintId: 2,
}
const REWRITTEN: TableMessage = { ...FANS, version: 2, storageId: 9, columns: [ID, { ...NOTE, notNull: true }] }

/** Knows the given tables, in schema `test`. */
class FakeSource implements LogSource {
  readonly isStopped = false
  readonly #tables: readonly TableMessage[]

  constructor(...tables: TableMessage[]) {
    this.#tables = tables
  }

  clusterId(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(16))
  }

  async *frames(): AsyncGenerator<never> {
    // This log is empty.
  }

  note(): void {
    // It knows its tables beforehand.
  }

  table(_catalogId: number, id: number, version: number): Promise<LoggedTable | undefined> {
    const message = this.#tables.find((table) => table.id === id && table.version === version)
    return Promise.resolve(message && { catalog: 'local', schema: 'test', message })
  }

  async catalogName(): Promise<string> {
    return 'local'
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

async function rendered(source: LogSource, ...statements: Statement[]): Promise<unknown> {
  const json = new TransactionJson(source)
  const transaction: Transaction = { ...SAMPLE, statements }
  const position = { lsn: asLsn(7n), epoch: asEpoch(1), digest: new Uint8Array(16) }
  const line = await json.render({ transaction, position, frames: [] })
  return line['statements']
}

t.test('a change shows the table before and after it, and the storage where that is another', async (t) => {
  const source = new FakeSource(USERS, FANS, REWRITTEN)
  const statements = await rendered(
    source,
    { kind: 'createTable', after: USERS },
    { kind: 'alterTable', before: FANS, after: REWRITTEN, autoIncrement: 12n },
    { kind: 'rewrite', tableId: 3, tableVersion: 2, rows: [{ after: Buffer.from('080210541a0161', 'hex') }] },
    { kind: 'truncateTable', before: REWRITTEN, after: { ...REWRITTEN, version: 3, storageId: 10 }, autoIncrement: 0n },
  )
  const references = { table: 'test.users', columns: ['user_id'] }
  t.match(statements, [
    { createTable: { table: 'test.users', tableId: 5 } },
    {
      alterTable: {
        before: { table: 'test.fan_of', tableVersion: 1, definition: { foreignKeys: [{ references }] } },
        after: {
          table: 'test.fan_of',
          tableVersion: 2,
          storageId: 9,
          definition: { columns: [{}, { notNull: true }] },
        },
        autoIncrement: '12',
      },
    },
    { rewrite: { table: 'test.fan_of', tableVersion: 2, rows: [{ after: { user_id: '42', note: 'a' } }] } },
    { truncateTable: { before: { storageId: 9 }, after: { table: 'fan_of', storageId: 10 } } },
  ])
  const [, alter, , truncate] = statements as [unknown, Changed, unknown, Changed]
  t.notHas(alter['alterTable']!.before, { storageId: 3 }, 'the storage id that is the table id is not shown')
  t.notHas(truncate['truncateTable'], { autoIncrement: '0' })
  t.equal(JSON.stringify(statements).includes('undefined'), false)
})

t.test('rows of a version that the source does not know are base64, with a note that says so', async (t) => {
  const rows = [{ before: Buffer.of(8, 1), after: Buffer.of(8, 2) }]
  const [shown] = (await rendered(new FakeSource(USERS), { kind: 'update', tableId: 77, tableVersion: 3, rows })) as [
    unknown,
  ]
  t.strictSame(shown, {
    update: {
      table: null,
      tableId: 77,
      tableVersion: 3,
      note: 'version 3 of table 77 is not known here, so its rows are given as base64',
      rows: [{ before: { base64: 'CAE=' }, after: { base64: 'CAI=' } }],
    },
  })
})

type Changed = Record<string, { readonly before: Record<string, unknown> }>

t.test('a target that the log has not shown is named by its id', async (t) => {
  t.match(await rendered(new FakeSource(FANS), { kind: 'createTable', after: FANS }), [
    { createTable: { definition: { foreignKeys: [{ references: { table: 'table 5', columns: ['column 2'] } }] } } },
  ])
})

t.test('indexes: which are being built, and why one was given up', async (t) => {
  const [index] = SAMPLE_TABLE.indexes
  const building = { ...SAMPLE_TABLE, version: 2, indexes: [{ ...index!, building: true }] }
  const without = { ...SAMPLE_TABLE, indexes: [] }
  const source = new FakeSource(building, without)
  const change: TableChange = { before: without, after: building }
  const back: TableChange = { before: building, after: without }
  t.match(
    await rendered(
      source,
      { kind: 'createIndex', ...change },
      { kind: 'dropIndex', ...back, reason: 'two rows have equal values' },
      { kind: 'dropIndex', ...back, reason: '' },
    ),
    [
      { createIndex: { before: { definition: { indexes: [] } }, after: { building: ['note'] } } },
      { dropIndex: { before: { building: ['note'] }, reason: 'two rows have equal values' } },
      { dropIndex: {} },
    ],
  )
})

t.test('names exchanged, and what schemas and catalogs carry', async (t) => {
  const a = { before: USERS, after: { ...USERS, version: 2, name: 'fan_of' } }
  const b = { before: FANS, after: { ...FANS, version: 2, name: 'users' } }
  const source = new FakeSource(a.before, a.after, b.before, b.after)
  t.match(await rendered(source, { kind: 'renameTables', tables: [a, b] }), [
    {
      renameTables: {
        tables: [
          { before: { table: 'test.users', tableId: 5 }, after: { table: 'test.fan_of', tableId: 5 } },
          { before: { table: 'test.fan_of', tableId: 3 }, after: { table: 'test.users', tableId: 3 } },
        ],
      },
    },
  ])
  const told = { comment: 'for tests', options: { owner: 'qa' } }
  t.strictSame(
    await rendered(
      source,
      { kind: 'createSchema', after: SCHEMA },
      { kind: 'alterSchema', before: SCHEMA, after: { ...SCHEMA, ...told, name: 'renamed' } },
      { kind: 'dropSchema', before: { ...SCHEMA, ...told } },
      { kind: 'alterCatalog', before: CATALOG, after: { ...CATALOG, ...told } },
    ),
    [
      { createSchema: { id: 2, name: 'test' } },
      { alterSchema: { before: { id: 2, name: 'test' }, after: { id: 2, name: 'renamed', ...told } } },
      { dropSchema: { id: 2, name: 'test', ...told } },
      { alterCatalog: { before: { id: 1, name: 'local' }, after: { id: 1, name: 'local', ...told } } },
    ],
  )
})

t.test('whoever reads along learns every definition that a statement shows', async (t) => {
  const change: TableChange = { before: FANS, after: REWRITTEN }
  const both = [FANS, REWRITTEN]
  const shown: [Statement, readonly TableMessage[]][] = [
    [{ kind: 'createTable', after: FANS }, [FANS]],
    [{ kind: 'dropTable', before: FANS }, [FANS]],
    [{ kind: 'alterTable', ...change, autoIncrement: 0n }, both],
    [{ kind: 'truncateTable', ...change, autoIncrement: 0n }, both],
    [{ kind: 'createIndex', ...change }, both],
    [{ kind: 'dropIndex', ...change, reason: '' }, both],
    [{ kind: 'renameTables', tables: [change, { before: USERS, after: USERS }] }, [...both, USERS, USERS]],
    [{ kind: 'rewrite', tableId: 3, tableVersion: 1, rows: [] }, []],
  ]
  for (const [statement, tables] of shown) checkShown(t, statement, { tables })
  const schemas = [SCHEMA, { ...SCHEMA, name: 'renamed' }] as const
  checkShown(t, { kind: 'alterSchema', before: schemas[0], after: schemas[1] }, { schemas })
  checkShown(t, { kind: 'dropSchema', before: SCHEMA }, { schemas: [SCHEMA] })
  checkShown(t, { kind: 'createSchema', after: SCHEMA }, { schemas: [SCHEMA] })
  checkShown(t, { kind: 'createCatalog', after: CATALOG }, { catalogs: [CATALOG] })
  checkShown(t, { kind: 'dropCatalog', before: CATALOG }, { catalogs: [CATALOG] })
  checkShown(t, { kind: 'alterCatalog', before: CATALOG, after: CATALOG }, { catalogs: [CATALOG, CATALOG] })
})

interface Shown {
  readonly tables?: readonly TableMessage[]
  readonly schemas?: readonly SchemaMessage[]
  readonly catalogs?: readonly CatalogMessage[]
}

function checkShown(t: Test, statement: Statement, { tables = [], schemas = [], catalogs = [] }: Shown): void {
  t.strictSame(tablesOf(statement), tables, statement.kind)
  t.strictSame(schemasOf(statement), schemas, statement.kind)
  t.strictSame(catalogsOf(statement), catalogs, statement.kind)
}

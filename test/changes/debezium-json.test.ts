/** Changes in Debezium's envelope: its operations, sources, schema changes and transactions. */
import t from 'tap'
import { formatPosition } from '../../core/position.js'
import { VERSION } from '../../core/version.js'
import type { Change, TransactionEvent } from '../../log/changes/change.js'
import type { ChangeOptions } from '../../log/changes/change-source.js'
import { EVENTS, LINES } from '../../log/changes/change-format.js'
import { DebeziumJson } from '../../log/changes/debezium-json.js'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { changesOf } from './changes-of.js'

const NOW_MS = 1_800_000_000_000

const ORDERS = {
  name: 'orders',
  columns: [
    { name: 'id', type: 'BIGINT', notNull: true },
    { name: 'total', type: 'DECIMAL(10,2)', comment: 'with tax' },
    { name: 'state', type: "ENUM('new','paid')" },
  ],
  primaryKey: ['id'],
}

let primary: Primary

t.before(async () => {
  primary = await Primary.open({ path: '/memory', engine: new MemoryEngine(), scrubBytesPerSecond: 0 })
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ORDERS } }])
  await db.execute([{ createTable: { table: { ...ORDERS, name: 'small.er', rowImage: 'minimal' } } }])
})
t.teardown(() => primary.close())

async function told(options: ChangeOptions): Promise<Record<string, unknown>[]> {
  const json = new DebeziumJson(primary.state, 'local', LINES, () => NOW_MS)
  const changes = await changesOf(primary.catalog(), options)
  return changes
    .map((change) => (change.type === 'transaction' ? [...json.transaction(change)].join('') : json.text(change)))
    .join('')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

t.test('rows: create, update, delete, with the source of each', async (t) => {
  const after = formatPosition(primary.position)
  await primary
    .catalog()
    .execute([
      { insert: { table: 'orders', rows: [{ id: 2n ** 60n, total: '1.50', state: 'new' }] } },
      { update: { table: 'orders', key: { id: 2n ** 60n }, set: { state: 'paid' } } },
      { delete: { table: 'orders', key: { id: 2n ** 60n } } },
    ])
  const [change] = (await changesOf(primary.catalog(), { after, transactions: true })) as TransactionEvent[]
  const { origin, changes } = change!
  const id = (2n ** 60n).toString()
  const [made, paid] = ['new', 'paid'].map((state) => ({ id, total: '1.50', state }))
  const images = [
    { op: 'c', before: null, after: made },
    { op: 'u', before: made, after: paid },
    { op: 'd', before: paid, after: null },
  ]
  const commitUs = Number(origin.commitTimestampUs)
  t.strictSame(
    await told({ after }),
    images.map((image, at) => ({
      ...image,
      source: {
        version: VERSION,
        connector: 'replog',
        name: 'replog',
        db: 'local',
        ts_ms: Math.floor(commitUs / 1000),
        ts_us: commitUs,
        txId: Number(origin.lsn),
        lsn: Number(origin.lsn),
        snapshot: 'false',
        schema: 'test',
        table: 'orders',
        token: changes[at]!.token,
      },
      ts_ms: NOW_MS,
      transaction: { id: formatPosition(origin.position), total_order: at + 1 },
    })),
  )
  const position = formatPosition(origin.position)
  const head = { id: position, ts_ms: Math.floor(commitUs / 1000) }
  const whole = await told({ after, transactions: true })
  t.strictSame(whole[0], { ...head, status: 'BEGIN', event_count: null, data_collections: null })
  t.strictSame(whole.slice(1, 4), await told({ after }))
  const collections = [{ data_collection: 'test.orders', event_count: 3 }]
  t.strictSame(whole[4], { ...head, status: 'END', event_count: 3, data_collections: collections })
  const events = [...new DebeziumJson(primary.state, 'local', EVENTS).transaction(change!)]
  t.match(events[0], /^event: transaction\ndata: /, 'who has seen the beginning alone has no token of the transaction')
  t.match(events.at(-1), new RegExp(`^id: ${position}\nevent: transaction\n`))
})

t.test('with minimal images the key stands for the row before', async (t) => {
  const after = formatPosition(primary.position)
  const table = 'test."small.er"'
  await primary.catalog().execute([{ insert: { table, rows: [{ id: 1n }] } }, { delete: { table, key: { id: 1n } } }])
  t.match(await told({ after }), [
    { op: 'c', source: { schema: 'test', table: 'small.er' } },
    { op: 'd', before: { id: '1' }, after: null },
  ])
})

t.test('a snapshot, heartbeats, truncation, a table that is written anew', async (t) => {
  const db = primary.catalog()
  await db.execute([{ insert: { table: 'orders', rows: [{ id: 7n }] } }])
  const rows = await told({ snapshot: true, tables: ['orders'] })
  t.match(rows, [
    {
      op: 'r',
      before: null,
      after: { id: '7' },
      source: { snapshot: 'incremental', table: 'orders' },
      transaction: null,
    },
    { source: { snapshot: 'last', token: formatPosition(primary.position) }, ts_ms: NOW_MS },
  ])
  const { position } = primary
  const beat: Exclude<Change, TransactionEvent> = {
    type: 'heartbeat',
    lsn: position.lsn,
    position,
    token: formatPosition(position),
  }
  const json = new DebeziumJson(primary.state, 'local', LINES, () => NOW_MS)
  t.match(JSON.parse(json.text(beat)), { ts_ms: NOW_MS, source: { lsn: Number(position.lsn), token: beat.token } })
  await db.execute([{ truncateTable: { table: 'orders' } }])
  t.match(await told({ after: formatPosition(position) }), [
    { op: 't', before: null, after: null, source: { table: 'orders' }, transaction: { total_order: 1 } },
  ])
})

t.test('definitions are schema changes, with the statement that makes the table', async (t) => {
  const db = primary.catalog()
  const after = formatPosition(primary.position)
  await db.execute([{ createSchema: { schema: 'shop' } }])
  await db.execute([{ createTable: { table: { ...ORDERS, schema: 'shop' } } }])
  await db.execute([{ dropTable: { table: 'shop.orders' } }])
  const changes = await told({ after })
  t.match(changes, [
    { databaseName: 'local', schemaName: 'shop', ddl: null, tableChanges: [] },
    { databaseName: 'local', schemaName: 'shop', ddl: /^CREATE TABLE / },
    { ddl: null, tableChanges: [{ type: 'DROP', id: '"local"."shop"."orders"', table: null }] },
  ])
  const columnOf = (part: object): object => ({
    length: null,
    scale: null,
    optional: true,
    autoIncremented: false,
    generated: false,
    enumValues: null,
    comment: null,
    ...part,
  })
  t.strictSame(changes[1]!['tableChanges'], [
    {
      type: 'CREATE',
      id: '"local"."shop"."orders"',
      table: {
        primaryKeyColumnNames: ['id'],
        columns: [
          columnOf({ name: 'id', typeName: 'BIGINT', typeExpression: 'BIGINT', position: 1, optional: false }),
          columnOf({
            name: 'total',
            typeName: 'DECIMAL',
            typeExpression: 'DECIMAL(10,2)',
            length: 10,
            scale: 2,
            position: 2,
            comment: 'with tax',
          }),
          columnOf({
            name: 'state',
            typeName: 'ENUM',
            typeExpression: "ENUM('new','paid')",
            position: 3,
            enumValues: ['new', 'paid'],
          }),
        ],
      },
    },
  ])
})

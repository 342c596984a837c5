/**
 * What must compile with a typed table, and what must not: the compile of the project is the test, and nothing here runs.
 * A line that must not compile and does is an unused `@ts-expect-error`, which is an error, too.
 */
import {
  type Catalog,
  type Change,
  type Insert,
  type JsonValue,
  type Key,
  type Row,
  type Table,
  type TableDefinition,
  type Transaction,
  type Update,
  defineTable,
} from '../../index.js'
import type { ChangeStream } from '../../log/changes/change-stream.js'
import type {
  DefinitionEvent,
  Heartbeat,
  RowEvent,
  SnapshotEnd,
  SnapshotRow,
  TransactionEvent,
} from '../../log/changes/change.js'
import type { TableSnapshotRow, TableTransaction } from '../../log/changes/table-change.js'

/** True where the two are one type, and not only assignable to each other. */
type Same<One, Other> = (<Any>() => Any extends One ? 1 : 2) extends <Any>() => Any extends Other ? 1 : 2 ? true : false

/** Compiles for `true` alone. */
function holds<Claim extends true>(..._claims: Claim[]): void {}

/** `is<Row<Orders>>()(row)` compiles where `row` has exactly that type. */
function is<Expected>(): <Found>(_found: Found, ..._proof: Same<Found, Expected> extends true ? [] : [never]) => void {
  return () => undefined
}

export const customers = defineTable({
  name: 'customers',
  columns: [{ name: 'id', type: 'BIGINT' }],
  primaryKey: ['id'],
})

export const orders = defineTable({
  schema: 'shop',
  name: 'orders',
  columns: [
    { name: 'id', type: 'BIGINT', autoIncrement: true },
    { name: 'customer', type: 'BIGINT', notNull: true },
    { name: 'total', type: ' decimal( 10 , 2 ) ', notNull: true },
    { name: 'state', type: "ENUM('open', 'it''s paid','a,b')", notNull: true, default: 'open' },
    { name: 'note', type: 'VARCHAR(20)' },
    { name: 'placed', type: 'TIMESTAMP', notNull: true, default: { function: 'now' } },
    { name: 'pieces', type: 'integer', notNull: true },
  ],
  primaryKey: ['id'],
  indexes: [{ name: 'by_customer', columns: ['customer', { column: 'placed', descending: true }] }],
  foreignKeys: [{ columns: ['customer'], references: { table: 'customers' } }],
  checks: [{ expression: { and: [{ ge: [{ column: 'total' }, '0.00'] }, { not: { isNull: { column: 'id' } } }] } }],
})

export const everything = defineTable({
  name: 'every "thing".there is',
  columns: [
    { name: 'key', type: 'UUID', default: { function: 'uuid' } },
    { name: 'part', type: 'INTEGER' },
    { name: 'boolean', type: 'BOOLEAN' },
    { name: 'double', type: 'DOUBLE' },
    { name: 'text', type: 'TEXT', default: null },
    { name: 'blob', type: 'BLOB' },
    { name: 'date', type: 'DATE' },
    { name: 'time', type: 'TIME' },
    { name: 'json', type: 'JSON', notNull: true },
    { name: 'decimal', type: 'DECIMAL(5)' },
  ],
  primaryKey: ['part', { column: 'key', descending: true }],
  rowImage: 'minimal',
})

type Orders = typeof orders
type Everything = typeof everything
type State = 'open' | "it's paid" | 'a,b'

holds<
  Same<
    Row<Orders>,
    { id: bigint; customer: bigint; total: string; state: State; note: string | null; placed: string; pieces: number }
  >
>()
holds<
  Same<
    Insert<Orders>,
    {
      readonly customer: bigint | number | string
      readonly total: string | number | bigint
      readonly pieces: number
      readonly id?: bigint | number | string | null | undefined
      readonly state?: State | undefined
      readonly note?: string | null | undefined
      readonly placed?: string | Date | undefined
    }
  >
>()
holds<Same<Key<Orders>, { readonly id: bigint | number | string }>>()
holds<Same<Key<Everything>, { readonly part: number; readonly key: string }>>()
holds<
  Same<
    Row<Everything>,
    {
      key: string
      part: number
      boolean: boolean | null
      double: number | null
      text: string | null
      blob: Uint8Array | null
      date: string | null
      time: string | null
      json: Exclude<JsonValue, null>
      decimal: string | null
    }
  >
>()
holds<Same<Update<Orders>['state'], State | undefined>>()
holds<Same<Update<Orders>['pieces'], number | { readonly add: number } | undefined>>()
holds<Same<Update<Orders>['note'], string | null | undefined>>()

/** Handles stand where names do, and names stay what they were. */
export async function reads(db: Catalog, tx: Transaction): Promise<void> {
  await tx.createTable(orders, { ifNotExists: true })
  await tx.insert(orders, { customer: 1, total: 12.5, pieces: 1 })
  await tx.insert(orders, [{ customer: '1', total: '12.50', pieces: 1, id: null, note: null, placed: new Date() }])
  await tx.update(orders, { id: 1n }, { pieces: { add: 1 }, state: "it's paid", note: undefined })
  await tx.check(orders, { id: 1n }, { equals: { note: null } })
  await tx.delete(orders, { id: 1n })
  await tx.dropIndex(orders, 'by_customer')
  await tx.dropTable(orders)

  const row = await tx.get(orders, { id: 1n })
  is<Row<Orders> | undefined>()(row)
  const locked = await tx.getForUpdate(orders, { id: 1n }, { timeoutMs: 10 })
  is<Row<Orders> | undefined>()(locked)
  const read = db.get(orders, { id: 1 })
  is<Row<Orders> | undefined>()(read)
  const page = await tx.openCursor(orders, { index: 'by_customer' }).fetch(10)
  is<Row<Orders>[]>()(page.rows)
  for await (const found of db.scan(orders, { index: 'by_customer', prefix: { customer: 1n }, limit: 10 })) {
    is<Row<Orders>>()(found)
  }
  for await (const found of tx.scan(orders, { from: { id: 5 }, reverse: true })) is<Row<Orders>>()(found)

  const named = await tx.get('shop.orders', { anything: 1 })
  is<ReturnType<typeof db.get>>()(named)
  await tx.insert('shop.orders', [{ anything: 1 }])
}

export async function mistakes(db: Catalog, tx: Transaction): Promise<void> {
  // @ts-expect-error `total` is NOT NULL and has no default
  await tx.insert(orders, { customer: 1n, pieces: 1 })
  // @ts-expect-error there is no such column
  await tx.insert(orders, { customer: 1n, total: '1.00', pieces: 1, totl: 1 })
  // @ts-expect-error there is no such label
  await tx.insert(orders, { customer: 1n, total: '1.00', pieces: 1, state: 'closed' })
  // @ts-expect-error `customer` is NOT NULL
  await tx.insert(orders, { customer: null, total: '1.00', pieces: 1 })
  // @ts-expect-error an INTEGER is a number
  await tx.insert(orders, { customer: 1n, total: '1.00', pieces: '1' })
  // @ts-expect-error one row of several is wrong
  await tx.insert(orders, [{ customer: 1n, total: '1.00', pieces: 1 }, { customer: 1n }])
  // @ts-expect-error the key is `id`
  await tx.get(orders, { customer: 1n })
  // @ts-expect-error a key is whole
  await tx.get(everything, { part: 1 })
  // @ts-expect-error NULL is no key
  db.get(orders, { id: null })
  // @ts-expect-error there is no such column
  await tx.update(orders, { id: 1n }, { totl: '1.00' })
  // @ts-expect-error text cannot be added to
  await tx.update(orders, { id: 1n }, { note: { add: 'a' } })
  // @ts-expect-error there is no such index
  db.scan(orders, { index: 'by_total' })
  // @ts-expect-error the index does not have the column
  db.scan(orders, { index: 'by_customer', prefix: { total: '1.00' } })
  // @ts-expect-error the primary key does not have the column
  db.scan(orders, { prefix: { customer: 1n } })
  // @ts-expect-error there is no such index
  await tx.dropIndex(orders, 'by_total')
  // @ts-expect-error a definition alone is no handle
  await tx.insert({ name: 'orders', columns: [{ name: 'id', type: 'BIGINT' }], primaryKey: ['id'] }, { id: 1n })
  // @ts-expect-error the row has no such column
  await Promise.resolve(db.get(orders, { id: 1n })?.totl)
}

export const WRONG = [
  // @ts-expect-error there is no such type
  defineTable({ name: 'a', columns: [{ name: 'id', type: 'BIGIN' }], primaryKey: ['id'] }),
  // @ts-expect-error a VARCHAR has a length
  defineTable({ name: 'a', columns: [{ name: 'id', type: 'VARCHAR' }], primaryKey: ['id'] }),
  // @ts-expect-error a TEXT has none
  defineTable({ name: 'a', columns: [{ name: 'id', type: 'TEXT(5)' }], primaryKey: ['id'] }),
  // @ts-expect-error a label is not closed
  defineTable({ name: 'a', columns: [{ name: 'id', type: "ENUM('a)" }], primaryKey: ['id'] }),
  // @ts-expect-error a property that a column does not have
  defineTable({ name: 'a', columns: [{ name: 'id', type: 'BIGINT', notnull: true }], primaryKey: ['id'] }),
  // @ts-expect-error a property that a table does not have
  defineTable({ name: 'a', columns: [{ name: 'id', type: 'BIGINT' }], primaryKey: ['id'], index: [] }),
  // @ts-expect-error a table has a primary key
  defineTable({ name: 'a', columns: [{ name: 'id', type: 'BIGINT' }] }),
  // @ts-expect-error the primary key names no column
  defineTable({ name: 'a', columns: [{ name: 'id', type: 'BIGINT' }], primaryKey: ['idd'] }),
  // @ts-expect-error the primary key names no column, in its other form
  defineTable({ name: 'a', columns: [{ name: 'id', type: 'BIGINT' }], primaryKey: [{ column: 'idd' }] }),
  defineTable({
    name: 'a',
    columns: [{ name: 'id', type: "ENUM('a','b')" }],
    primaryKey: ['id'],
    // @ts-expect-error an index names no column
    indexes: [{ name: 'by_b', columns: ['b'] }],
  }),
  defineTable({
    name: 'a',
    columns: [{ name: 'id', type: 'BIGINT' }],
    primaryKey: ['id'],
    // @ts-expect-error a foreign key names no column
    foreignKeys: [{ columns: ['b'], references: { table: 'b' } }],
  }),
  defineTable({
    name: 'a',
    columns: [{ name: 'id', type: 'BIGINT' }],
    primaryKey: ['id'],
    // @ts-expect-error a check names no column
    checks: [{ expression: { or: [{ not: { isNull: { column: 'b' } } }] } }],
  }),
  // @ts-expect-error the default is no label
  defineTable({ name: 'a', columns: [{ name: 'id', type: "ENUM('a')", default: 'b' }], primaryKey: ['id'] }),
  // @ts-expect-error only an integer counts up
  defineTable({ name: 'a', columns: [{ name: 'id', type: 'TEXT', autoIncrement: true }], primaryKey: ['id'] }),
]

/** What a stream gives follows from its options. */
export function streams(db: Catalog): void {
  const rows = db.changes({ tables: [orders], operations: ['insert', 'update'] })
  is<ChangeStream<Change<Orders, 'insert' | 'update'>>>()(rows)
  const all = db.changes({ tables: [orders, customers] })
  is<ChangeStream<Change<Orders> | Change<typeof customers> | DefinitionEvent>>()(all)
  const snapshot = db.changes({ tables: [customers], snapshot: true, heartbeatMs: 100, operations: ['delete'] })
  is<ChangeStream<Change<typeof customers, 'delete'> | TableSnapshotRow<typeof customers> | SnapshotEnd | Heartbeat>>()(
    snapshot,
  )
  const whole = db.changes({ tables: [orders], transactions: true, follow: false })
  is<ChangeStream<TableTransaction<Change<Orders> | DefinitionEvent>>>()(whole)
  const named = db.changes({ tables: ['shop.orders'], transactions: true })
  is<ChangeStream<TransactionEvent | Heartbeat>>()(named)
  // @ts-expect-error there is no such operation
  db.changes({ tables: [orders], operations: ['upsert'] })
}

/** `table` and `type` tell changes apart. */
export function images(change: Change<Orders> | Change<typeof customers> | TableSnapshotRow<Orders>): string | bigint {
  if (change.table === 'test.customers') return change.key.id
  if (change.type === 'snapshot') return change.after.total
  if (change.type === 'insert') {
    is<undefined>()(change.before)
    return change.after.total
  }
  if (change.type === 'delete') return change.before.total
  if (change.type === 'rewrite') return change.after.state
  const event: RowEvent<Row<Orders>> = change
  return `${event.token} ${change.before.total} ${change.after.total} ${change.key.id}`
}

export function minimal(change: Change<Everything, 'update'>, row: SnapshotRow): string {
  is<undefined>()(change.before)
  is<'test."every ""thing"".there is"'>()(change.table)
  return `${change.key.key} ${row.token}`
}

/** A handle whose definition is only known at run time has rows of whatever columns. */
export function dynamic(db: Catalog, definition: TableDefinition): unknown {
  const table: Table = defineTable(definition)
  return db.get(table, { any: 1n })?.['column']
}

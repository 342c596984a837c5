/**
 * G6: changes of indexes, the primary key, foreign keys and checks: ids that are never given out twice, and nothing
 * that a foreign key rests on taken from under it.
 */
import t from 'tap'
import type { ErrorCode } from '../../core/errors.js'
import { TABLE_CONSTRAINTS_MAX, TABLE_INDEXES_MAX } from '../../core/limits.js'
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import { planAlter } from '../../ddl/alter-table.js'
import type { TableMessage } from '../../log/codec/message.js'
import { TinyCatalog } from './tiny-catalog.js'

/** Items that refer to products by their code and to orders by their key; an employee refers to another one. */
function shop(): TinyCatalog {
  const catalog = new TinyCatalog()
  catalog.create({
    name: 'products',
    columns: [
      { name: 'id', type: 'BIGINT' },
      { name: 'code', type: 'VARCHAR(10)', notNull: true },
      { name: 'group', type: 'INTEGER', notNull: true },
    ],
    primaryKey: ['id'],
    indexes: [
      { name: 'code', columns: ['code'], unique: true },
      { name: 'group', columns: ['group', 'code'] },
    ],
  })
  catalog.create({
    name: 'orders',
    columns: [
      { name: 'id', type: 'BIGINT' },
      { name: 'part', type: 'INTEGER' },
    ],
    primaryKey: ['id', 'part'],
  })
  catalog.create({
    name: 'items',
    columns: [
      { name: 'id', type: 'UUID' },
      { name: 'product', type: 'VARCHAR(20)' },
      { name: 'order', type: 'BIGINT', notNull: true },
      { name: 'part', type: 'INTEGER' },
    ],
    primaryKey: ['id'],
    foreignKeys: [
      {
        name: 'to_product',
        columns: ['product'],
        references: { table: 'test.products', columns: ['code'] },
        onDelete: 'set null',
      },
      { name: 'to_order', columns: ['order', 'part'], references: { table: 'test.orders' } },
    ],
    checks: [{ name: 'counted', expression: { ge: [{ column: 'part' }, 1] } }],
  })
  catalog.create({
    name: 'employees',
    columns: [
      { name: 'id', type: 'BIGINT' },
      { name: 'boss', type: 'BIGINT' },
    ],
    primaryKey: ['id'],
    foreignKeys: [{ name: 'to_boss', columns: ['boss'], references: { table: 'test.employees' } }],
  })
  return catalog
}

function indexNames(table: TableMessage): string {
  return table.indexes.map(({ id, name }) => `${id}:${name}`).join(' ')
}

t.test('an index is new, complete, and has an id that no other ever had', async (t) => {
  const catalog = shop()
  const plan = catalog.alter('products', [
    { dropIndex: { name: 'group' } },
    { addIndex: { name: 'group', columns: [{ column: 'group', descending: true }] } },
  ])
  t.equal(indexNames(plan.after), '1:code 3:group')
  t.strictSame(plan.after.indexes[1], {
    id: 3,
    name: 'group',
    unique: false,
    parts: [{ columnId: 4, descending: true }],
    building: false,
    validating: false,
  })
  t.match(plan, { isChanged: true, rewrite: undefined, newIndexIds: [3], neededIndexIds: [] })
  const next = catalog.plan('products', [
    { dropIndex: { name: 'group' } },
    { addIndex: { name: 'x', columns: ['id'] } },
  ])
  t.strictSame(next.newIndexIds, [4])
})

t.test('an index may be over columns that the same list adds', async (t) => {
  const { after, newIndexIds } = shop().plan('products', [
    { addColumn: { name: 'colour', type: 'TEXT', default: 'red' } },
    { addIndex: { name: 'colour', columns: ['colour', 'code'], unique: true } },
  ])
  t.strictSame(newIndexIds, [3])
  t.strictSame(
    after.indexes[2]!.parts.map(({ columnId }) => columnId),
    [5, 3],
  )
})

t.test('indexes exchange their names, and nothing is built', async (t) => {
  const { after, newIndexIds, isChanged } = shop().plan('products', [
    { renameIndex: { name: 'code', to: 'x' } },
    { renameIndex: { name: 'group', to: 'code' } },
    { renameIndex: { name: 'x', to: 'group' } },
  ])
  t.ok(isChanged)
  t.strictSame(newIndexIds, [])
  t.equal(indexNames(after), '1:group 2:code')
})

t.test('another primary key writes every row anew and makes its columns NOT NULL', async (t) => {
  const catalog = shop()
  const changes: AlterTableChange[] = [
    { addColumn: { name: 'maker', type: 'INTEGER' } },
    { setPrimaryKey: { columns: ['maker', { column: 'code', descending: true }] } },
    { addIndex: { name: 'id', columns: ['id'] } },
  ]
  const plan = catalog.plan('products', changes)
  t.match(plan.after.primaryKey, [
    { columnId: 5, descending: false },
    { columnId: 3, descending: true },
  ])
  t.strictSame(plan.notNullColumnIds, [5])
  t.strictSame(plan.newIndexIds, [], 'a rewrite makes the entries of all indexes')
  t.strictSame(plan.rewrite!([1n, 'a', 2], { uuid: () => '' }), [1n, 'a', 2, null])
  t.equal(catalog.plan('products', changes, true).rewrite, undefined)
  const there = catalog.plan('products', [
    { setPrimaryKey: { columns: ['code'] } },
    { setPrimaryKey: { columns: ['id'] } },
  ])
  t.equal(there.isChanged, false)
})

t.test('a rewrite makes every index complete', async (t) => {
  const catalog = shop()
  const products = catalog.table('products')
  const building = {
    ...products,
    indexes: products.indexes.map((index) => ({ ...index, building: true, validating: index.unique })),
    referencedBy: [],
  }
  const plan = (changes: AlterTableChange[], isEmpty: boolean): readonly unknown[] =>
    planAlter(building, changes, catalog.context(), isEmpty).after.indexes.map((index) => [
      index.building,
      index.validating,
    ])
  const rewriting: AlterTableChange[] = [{ setPrimaryKey: { columns: ['id', 'code'] } }]
  t.strictSame(plan(rewriting, false), [
    [false, false],
    [false, false],
  ])
  const instant: AlterTableChange[] = [{ setComment: { comment: 'x' } }]
  t.strictSame(plan(instant, false), [
    [true, true],
    [true, false],
  ])
})

t.test('a foreign key brings the index that it needs, which stays when it goes', async (t) => {
  const catalog = shop()
  const added = catalog.alter('orders', [
    { addColumn: { name: 'first_item', type: 'UUID' } },
    { addForeignKey: { columns: ['first_item'], references: { table: 'items' }, onDelete: 'set null' } },
  ])
  t.match(added, { newForeignKeyIds: [1], newIndexIds: [1], neededIndexIds: [1], droppedForeignKeys: [] })
  t.match(added.after, {
    nextConstraintId: 2,
    foreignKeys: [{ id: 1, name: 'orders_first_item_fkey', columnIds: [4], targetTableId: 3, onDelete: 'SET_NULL' }],
    indexes: [{ name: 'orders_first_item_fkey', unique: false }],
  })
  t.match(catalog.table('items').referencedBy, [{ tableId: 2, foreignKeyId: 1 }])
  const dropped = catalog.alter('orders', [{ dropForeignKey: { name: 'orders_first_item_fkey' } }])
  t.match(dropped, { newForeignKeyIds: [], droppedForeignKeys: [{ id: 1, targetTableId: 3 }] })
  t.match(dropped.after, { foreignKeys: [], nextConstraintId: 2 })
  t.equal(dropped.after.indexes.length, 1)
  t.strictSame(catalog.table('items').referencedBy, [])
})

t.test('a reference of a table to itself is kept at the table', async (t) => {
  const catalog = shop()
  const dropped = catalog.plan('employees', [{ dropForeignKey: { name: 'to_boss' } }])
  t.strictSame(dropped.after.referencedBy, [])
  t.match(dropped.droppedForeignKeys, [{ name: 'to_boss' }])
  const again = catalog.plan('employees', [
    { dropForeignKey: { name: 'to_boss' } },
    { addColumn: { name: 'name', type: 'TEXT' } },
    { addIndex: { name: 'name', columns: ['name'], unique: true } },
    { addColumn: { name: 'deputy', type: 'TEXT' } },
    { addForeignKey: { columns: ['deputy'], references: { table: 'employees', columns: ['name'] } } },
  ])
  t.strictSame(again.after.referencedBy, [{ tableId: 4, foreignKeyId: 2 }])
  t.strictSame(again.neededIndexIds, again.newIndexIds, 'the target key and the index of the foreign key')
  t.equal(again.newIndexIds.length, 2)
})

t.test('of two indexes that a foreign key could use, one is needed', async (t) => {
  const plan = shop().plan('orders', [
    { addIndex: { name: 'one', columns: ['part'] } },
    { addIndex: { name: 'other', columns: ['part', 'id'] } },
    { addIndex: { name: 'key', columns: ['id'], unique: true } },
    { addIndex: { name: 'same', columns: [{ column: 'id', descending: true }], unique: true } },
    { addColumn: { name: 'before', type: 'BIGINT' } },
    { addForeignKey: { columns: ['before'], references: { table: 'orders', columns: ['id'] } } },
  ])
  t.strictSame(plan.newIndexIds, [1, 2, 3, 4, 5])
  t.strictSame(plan.neededIndexIds, [3, 5])
})

t.test('an index gives way to another that serves the same foreign key', async (t) => {
  const catalog = shop()
  const own = catalog.plan('items', [
    { addIndex: { name: 'wide', columns: ['product', 'part'] } },
    { dropIndex: { name: 'to_product' } },
  ])
  t.strictSame(own.neededIndexIds, own.newIndexIds)
  const target = catalog.plan('products', [
    { addIndex: { name: 'code2', columns: [{ column: 'code', descending: true }], unique: true } },
    { dropIndex: { name: 'code' } },
  ])
  t.strictSame(target.neededIndexIds, target.newIndexIds)
  const toKey = catalog.plan('products', [{ setPrimaryKey: { columns: ['code'] } }, { dropIndex: { name: 'code' } }])
  t.equal(indexNames(toKey.after), '2:group')
})

t.test('a check is asked of the rows that are there, and its id is its own', async (t) => {
  const catalog = shop()
  const plan = catalog.alter('items', [
    { dropCheck: { name: 'counted' } },
    { addCheck: { name: 'counted', expression: { between: [{ column: 'part' }, 1, 9] } } },
    { addCheck: { expression: { ne: [{ column: 'product' }, ''] } } },
  ])
  t.strictSame(plan.newCheckIds, [4, 5])
  t.match(plan.after.checks, [{ name: 'counted' }, { name: 'items_check_5' }])
  t.match(plan, { rewrite: undefined, newIndexIds: [], newForeignKeyIds: [] })
  const dropped = catalog.alter('items', [{ dropCheck: { name: 'items_check_5' } }])
  t.equal(dropped.after.nextConstraintId, 6)
})

type Case = readonly [what: string, table: string, changes: AlterTableChange[], code: ErrorCode, message: RegExp]

const REFUSED: readonly Case[] = [
  [
    'an index twice',
    'products',
    [{ addIndex: { name: 'code', columns: ['id'] } }],
    'ALREADY_EXISTS',
    /index "code" already/,
  ],
  [
    'an index over no column',
    'products',
    [{ addIndex: { name: 'x', columns: ['cod'] } }],
    'INVALID_DEFINITION',
    /unknown column "cod"; did you mean "code"/,
  ],
  ['no such index', 'products', [{ dropIndex: { name: 'cod' } }], 'NOT_FOUND', /no index "cod"; did you mean "code"/],
  [
    'an index renamed to another',
    'products',
    [{ renameIndex: { name: 'code', to: 'group' } }],
    'ALREADY_EXISTS',
    /index "group" already/,
  ],
  [
    'the unique index that another table refers to',
    'products',
    [{ dropIndex: { name: 'code' } }],
    'DEPENDENT_OBJECTS',
    /the index "code" is what the foreign key "to_product" of table test.items refers to; drop that foreign key first/,
  ],
  [
    'the primary key that another table refers to',
    'orders',
    [{ setPrimaryKey: { columns: ['id'] } }],
    'DEPENDENT_OBJECTS',
    /the primary key is what the foreign key "to_order" of table test.items refers to/,
  ],
  [
    'the primary key that the table itself refers to',
    'employees',
    [{ addColumn: { name: 'n', type: 'INTEGER', default: 1 } }, { setPrimaryKey: { columns: ['id', 'n'] } }],
    'DEPENDENT_OBJECTS',
    /the primary key is what the foreign key "to_boss" refers to/,
  ],
  [
    'the index of a foreign key',
    'items',
    [{ dropIndex: { name: 'to_order' } }],
    'DEPENDENT_OBJECTS',
    /the index "to_order" is what the foreign key "to_order" is looked up by; .* add an index that begins with/,
  ],
  [
    'a primary key over JSON',
    'products',
    [{ addColumn: { name: 'j', type: 'JSON', default: {} } }, { setPrimaryKey: { columns: ['j'] } }],
    'INVALID_DEFINITION',
    /a JSON column cannot be part of a key/,
  ],
  [
    'a primary key that a foreign key sets to NULL',
    'items',
    [{ setPrimaryKey: { columns: ['product'] } }],
    'DEPENDENT_OBJECTS',
    /column "product" is set to NULL by the foreign key "to_product"; drop that first/,
  ],
  [
    'NOT NULL where a foreign key sets NULL',
    'items',
    [{ setNotNull: { column: 'product' } }],
    'DEPENDENT_OBJECTS',
    /column "product" is set to NULL by the foreign key "to_product"/,
  ],
  [
    'a column of a foreign key and its index',
    'items',
    [{ dropColumn: { name: 'product' } }],
    'DEPENDENT_OBJECTS',
    /"product" is part of the index "to_product", the foreign key "to_product"; drop that first/,
  ],
  [
    'a column that another table refers to',
    'products',
    [{ addIndex: { name: 'x', columns: ['group'], unique: true } }, { dropColumn: { name: 'code' } }],
    'DEPENDENT_OBJECTS',
    /index "code", the index "group", the foreign key "to_product" of table test.items/,
  ],
  [
    'a column of a foreign key to the table itself',
    'employees',
    [{ dropIndex: { name: 'to_boss' } }],
    'DEPENDENT_OBJECTS',
    /the index "to_boss" is what the foreign key "to_boss" is looked up by/,
  ],
  ['no such foreign key', 'items', [{ dropForeignKey: { name: 'to_ordr' } }], 'NOT_FOUND', /did you mean "to_order"/],
  [
    'no such check',
    'items',
    [{ dropCheck: { name: 'countd' } }],
    'NOT_FOUND',
    /no check "countd"; did you mean "counted"/,
  ],
  [
    'a check with the name of a foreign key',
    'items',
    [{ addCheck: { name: 'to_order', expression: { isNull: { column: 'id' } } } }],
    'ALREADY_EXISTS',
    /constraint "to_order" already/,
  ],
  [
    'a foreign key with the name of a check',
    'items',
    [{ addForeignKey: { name: 'counted', columns: ['id'], references: { table: 'items' } } }],
    'ALREADY_EXISTS',
    /constraint "counted" already/,
  ],
  [
    'a foreign key to no table',
    'items',
    [{ addForeignKey: { columns: ['id'], references: { table: 'test.nothing' } } }],
    'NOT_FOUND',
    /^table "items", change 1 \(addForeignKey\): there is no table test.nothing/,
  ],
  [
    'a foreign key to what is no key',
    'items',
    [{ addForeignKey: { columns: ['part'], references: { table: 'products', columns: ['group'] } } }],
    'INVALID_DEFINITION',
    /unique index/,
  ],
  [
    'a check that cannot be',
    'items',
    [{ addCheck: { expression: { gt: [{ column: 'part' }, 'many'] } } }],
    'INVALID_DEFINITION',
    /"many" does not fit/,
  ],
]

for (const [what, table, changes, code, message] of REFUSED) {
  t.test(`refused: ${what}`, async (t) => {
    t.throws(() => shop().plan(table, changes), { code, message })
  })
}

t.test('what was refused is allowed once nothing rests on it', async (t) => {
  const catalog = shop()
  catalog.alter('items', [{ dropForeignKey: { name: 'to_product' } }, { dropForeignKey: { name: 'to_order' } }])
  t.ok(catalog.plan('products', [{ dropIndex: { name: 'code' } }]).isChanged)
  t.ok(catalog.plan('orders', [{ setPrimaryKey: { columns: ['id'] } }]).rewrite)
  t.ok(catalog.plan('items', [{ dropIndex: { name: 'to_order' } }, { dropColumn: { name: 'order' } }]).isChanged)
  t.ok(catalog.plan('items', [{ setNotNull: { column: 'product' } }]).isChanged)
})

t.test('indexes and constraints have their bounds', async (t) => {
  const catalog = shop()
  const indexes = Array.from({ length: TABLE_INDEXES_MAX + 1 }, (_, index): AlterTableChange => ({
    addIndex: { name: `i${index}`, columns: ['part'] },
  }))
  t.equal(catalog.plan('orders', indexes.slice(1)).after.indexes.length, TABLE_INDEXES_MAX)
  t.throws(() => catalog.plan('orders', indexes), { code: 'INVALID_DEFINITION', message: /change 65 .* at most 64/ })
  const checks = Array.from({ length: TABLE_CONSTRAINTS_MAX + 1 }, (): AlterTableChange => ({
    addCheck: { expression: { ge: [{ column: 'part' }, 0] } },
  }))
  t.equal(catalog.plan('orders', checks.slice(1)).after.checks.length, TABLE_CONSTRAINTS_MAX)
  t.throws(() => catalog.plan('orders', checks), { code: 'INVALID_DEFINITION', message: /at most 256 checks/ })
})

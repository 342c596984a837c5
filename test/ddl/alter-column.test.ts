/**
 * G6: changes of columns. What becomes of the definition and of the rows that are there, and what is refused, in words
 * that name the table, the change and what to do.
 */
import t from 'tap'
import { type ErrorCode, isReplogError } from '../../core/errors.js'
import { TABLE_COLUMNS_MAX } from '../../core/limits.js'
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import { planAlter } from '../../ddl/alter-table.js'
import { CompiledTable } from '../../ddl/compiled-table.js'
import type { ColumnMessage, TableMessage } from '../../log/codec/message.js'
import type { Row, Value } from '../../log/codec/column-type.js'
import { ALTERED_US, TinyCatalog } from './tiny-catalog.js'

function orders(): TinyCatalog {
  const catalog = new TinyCatalog()
  catalog.create({
    name: 'orders',
    columns: [
      { name: 'id', type: 'BIGINT', autoIncrement: true },
      { name: 'customer', type: 'VARCHAR(20)', notNull: true },
      { name: 'quantity', type: 'INTEGER', default: 1 },
      { name: 'note', type: 'TEXT' },
    ],
    primaryKey: ['id'],
    indexes: [{ name: 'by_customer', columns: ['customer'] }],
    checks: [{ name: 'some', expression: { gt: [{ column: 'quantity' }, 0] } }],
  })
  return catalog
}

function columnOf(table: TableMessage, name: string): ColumnMessage {
  return table.columns.find((column) => column.name === name)!
}

function names(table: TableMessage): string {
  return table.columns.map(({ name }) => name).join(' ')
}

/** What a row that was written before reads afterwards. */
function readAfter(catalog: TinyCatalog, row: Row, changes: readonly AlterTableChange[]): Record<string, Value> {
  const before = new CompiledTable(catalog.table('orders'))
  const after = new CompiledTable(catalog.plan('orders', changes).after)
  return after.toObject(after.rows.decode(before.rows.encode(row)))
}

const ROW: Row = [7n, 'Zoë', 2, null]

t.test('a column is added without touching a row, which reads the default that it was added with', async (t) => {
  const catalog = orders()
  const changes: AlterTableChange[] = [
    { addColumn: { name: 'state', type: "ENUM('new','paid')", notNull: true, default: 'new' } },
    { addColumn: { name: 'total', type: 'BIGINT' } },
    { setDefault: { column: 'state', default: 'paid' } },
    { setDefault: { column: 'total', default: 5n } },
  ]
  const { after, ...plan } = catalog.plan('orders', changes)
  t.match(plan, { isChanged: true, rewrite: undefined, notNullColumnIds: [], newIndexIds: [], newCheckIds: [] })
  t.match(columnOf(after, 'state'), { id: 6, addedInVersion: 2, missingValue: '"new"', default: { literal: '"paid"' } })
  t.equal(columnOf(after, 'total').missingValue, undefined)
  t.match(after, { version: 2, changedUs: ALTERED_US, nextColumnId: 8, storageId: 1 })
  const read = readAfter(catalog, ROW, changes)
  t.strictSame(read, { id: 7n, customer: 'Zoë', quantity: 2, note: null, state: 'new', total: null })
})

t.test('a default of now is one instant for all rows', async (t) => {
  const changes: AlterTableChange[] = (['DATE', 'TIME', 'TIMESTAMP'] as const).map((type) => ({
    addColumn: { name: type.toLowerCase(), type, notNull: true, default: { function: 'now' } },
  }))
  const { after, rewrite, notNullColumnIds } = orders().plan('orders', changes)
  t.equal(rewrite, undefined)
  t.strictSame(notNullColumnIds, [])
  t.strictSame(columnOf(after, 'timestamp').default, { function: 'NOW' }, 'rows that come have their own')
  const { date, time, timestamp } = readAfter(orders(), ROW, changes)
  t.strictSame([date, time, timestamp], ['2026-11-21', '12:34:56.789012', '2026-11-21T12:34:56.789012Z'])
})

t.test('a default of uuid is another one in each row, so the rows are written anew', async (t) => {
  const changes: AlterTableChange[] = [
    { addColumn: { name: 'key', type: 'UUID', notNull: true, default: { function: 'uuid' }, first: true } },
  ]
  const { after, rewrite, notNullColumnIds } = orders().plan('orders', changes)
  t.strictSame(notNullColumnIds, [])
  let made = 0
  const defaults = { uuid: () => `00000000-0000-4000-8000-00000000000${++made}` }
  t.strictSame(rewrite!(ROW, defaults), ['00000000-0000-4000-8000-000000000001', ...ROW])
  t.strictSame(rewrite!(ROW, defaults)[0], '00000000-0000-4000-8000-000000000002')
  t.equal(columnOf(after, 'key').missingValue, undefined)
  t.equal(orders().plan('orders', changes, true).rewrite, undefined, 'an empty table has nothing to rewrite')
})

t.test('values that a rewritten row gets are its own', async (t) => {
  const { rewrite } = orders().plan('orders', [
    { addColumn: { name: 'tags', type: 'JSON', default: ['a'] } },
    { addColumn: { name: 'key', type: 'UUID', default: { function: 'uuid' } } },
  ])
  const defaults = { uuid: () => '00000000-0000-4000-8000-000000000001' }
  const [one, other] = [rewrite!(ROW, defaults), rewrite!(ROW, defaults)]
  t.strictSame(one[4], ['a'])
  t.not(one[4], other[4])
})

t.test('an added column stands where it is put', async (t) => {
  const place = (where: object): string =>
    names(orders().plan('orders', [{ addColumn: { name: 'new', type: 'TEXT', ...where } }]).after)
  t.equal(place({}), 'id customer quantity note new')
  t.equal(place({ first: true }), 'new id customer quantity note')
  t.equal(place({ first: false }), 'id customer quantity note new')
  t.equal(place({ after: 'id' }), 'id new customer quantity note')
  t.equal(place({ after: 'note' }), 'id customer quantity note new')
})

t.test('a column moves, and rows read the same', async (t) => {
  const move = (where: object): AlterTableChange => ({ moveColumn: { name: 'quantity', ...where } })
  const moved = (where: object): string => names(orders().plan('orders', [move(where)]).after)
  t.equal(moved({ first: true }), 'quantity id customer note')
  t.equal(moved({ after: 'id' }), 'id quantity customer note')
  t.equal(moved({}), 'id customer note quantity')
  t.equal(orders().plan('orders', [move({ after: 'customer' })]).isChanged, false, 'where it stands already')
  t.strictSame(readAfter(orders(), ROW, [move({ first: true })]), { quantity: 2, id: 7n, customer: 'Zoë', note: null })
})

t.test('a renamed column keeps its id, its values, its index and its check', async (t) => {
  const catalog = orders()
  const { after, isChanged, ...plan } = catalog.plan('orders', [
    { renameColumn: { name: 'quantity', to: 'count' } },
    { renameColumn: { name: 'customer', to: 'who' } },
  ])
  t.ok(isChanged)
  t.match(plan, { rewrite: undefined, notNullColumnIds: [], newIndexIds: [], newCheckIds: [] })
  t.equal(columnOf(after, 'count').id, columnOf(catalog.table('orders'), 'quantity').id)
  t.match(catalog.definition(after), {
    indexes: [{ name: 'by_customer', columns: ['who'] }],
    checks: [{ name: 'some', expression: { gt: [{ column: 'count' }, 0] } }],
  })
  const swapped = catalog.plan('orders', [
    { renameColumn: { name: 'note', to: 'x' } },
    { renameColumn: { name: 'customer', to: 'note' } },
    { renameColumn: { name: 'x', to: 'customer' } },
  ])
  t.equal(names(swapped.after), 'id note quantity customer')
})

t.test('defaults and comments are of the definition alone; a missing value stays what it was', async (t) => {
  const catalog = orders()
  catalog.alter('orders', [{ addColumn: { name: 'state', type: 'TEXT', default: 'a' } }])
  const { after } = catalog.plan('orders', [
    { setDefault: { column: 'state', default: 'b' } },
    { dropDefault: { column: 'quantity' } },
    { setColumnComment: { column: 'note', comment: 'free text' } },
  ])
  t.match(columnOf(after, 'state'), { default: { literal: '"b"' }, missingValue: '"a"', addedInVersion: 2 })
  t.equal(columnOf(after, 'quantity').default, undefined)
  t.equal(columnOf(after, 'note').comment, 'free text')
  const dropped = catalog.plan('orders', [{ dropDefault: { column: 'state' } }]).after
  t.match(columnOf(dropped, 'state'), { default: undefined, missingValue: '"a"' })
  const nulled = catalog.plan('orders', [{ setDefault: { column: 'state', default: null } }]).after
  t.equal(columnOf(nulled, 'state').default, undefined, 'a default of NULL is none')
})

t.test('NOT NULL is asked of the rows that are there, and only where nothing ensured it', async (t) => {
  const catalog = orders()
  const note = columnOf(catalog.table('orders'), 'note').id
  const plan = catalog.plan('orders', [{ setNotNull: { column: 'note' } }, { setNotNull: { column: 'customer' } }])
  t.strictSame(plan.notNullColumnIds, [note])
  t.equal(columnOf(plan.after, 'note').notNull, true)
  const back = catalog.plan('orders', [{ dropNotNull: { column: 'customer' } }, { setNotNull: { column: 'customer' } }])
  t.equal(back.isChanged, false)
  const added = catalog.plan('orders', [
    { addColumn: { name: 'a', type: 'TEXT' } },
    { setNotNull: { column: 'a' } },
    { addColumn: { name: 'b', type: 'TEXT', default: '' } },
    { setNotNull: { column: 'b' } },
  ])
  t.strictSame(added.notNullColumnIds, [6], 'the rows read NULL in `a`, and "" in `b`')
  const relaxed = catalog.plan('orders', [{ dropNotNull: { column: 'customer' } }])
  t.equal(columnOf(relaxed.after, 'customer').notNull, false)
})

t.test('a dropped column is passed over, and its id is not given out again', async (t) => {
  const catalog = orders()
  t.strictSame(readAfter(catalog, ROW, [{ dropColumn: { name: 'note' } }]), { id: 7n, customer: 'Zoë', quantity: 2 })
  const { after } = catalog.plan('orders', [
    { dropIndex: { name: 'by_customer' } },
    { dropColumn: { name: 'customer' } },
    { dropCheck: { name: 'some' } },
    { dropColumn: { name: 'quantity' } },
    { addColumn: { name: 'customer', type: 'INTEGER' } },
  ])
  t.equal(names(after), 'id note customer')
  t.equal(columnOf(after, 'customer').id, 6)
})

t.test('field numbers that protobuf keeps for itself are passed over', async (t) => {
  const catalog = orders()
  const message = { ...catalog.table('orders'), nextColumnId: 18_999 }
  const add = (name: string): AlterTableChange => ({ addColumn: { name, type: 'TEXT' } })
  const { after } = planAlter(message, [add('a'), add('b'), add('c')], catalog.context(), false)
  t.strictSame(
    after.columns.slice(-3).map(({ id }) => id),
    [18_999, 20_000, 20_001],
  )
  const full = { ...message, nextColumnId: 0x1fff_ffff }
  t.equal(planAlter(full, [add('a')], catalog.context(), false).after.columns.at(-1)!.id, 0x1fff_ffff)
  t.throws(() => planAlter(full, [add('a'), add('b')], catalog.context(), false), {
    code: 'INVALID_DEFINITION',
    message: /change 2 \(addColumn\): its column ids are used up/,
  })
})

t.test('what changes nothing is the very table of before', async (t) => {
  const catalog = orders()
  const lists: Record<string, AlterTableChange[]> = {
    'a name and back': [{ renameColumn: { name: 'note', to: 'x' } }, { renameColumn: { name: 'x', to: 'note' } }],
    'its own name': [{ renameColumn: { name: 'note', to: 'note' } }],
    'a column that comes and goes': [{ addColumn: { name: 'x', type: 'TEXT' } }, { dropColumn: { name: 'x' } }],
    'the default that it has': [{ setDefault: { column: 'quantity', default: '1' } }],
    'no default where there is none': [{ dropDefault: { column: 'note' } }],
    'the type that it has': [{ setType: { column: 'customer', type: 'varchar( 20 )' } }],
    'a comment and none': [{ setComment: { comment: 'x' } }, { setComment: { comment: '' } }],
    'an option and none': [{ setOptions: { a: 'b' } }, { setOptions: { a: null } }],
    'no options': [{ setOptions: {} }],
    'the row image that it has': [{ setRowImage: { rowImage: 'full' } }],
    'the primary key that it has': [{ setPrimaryKey: { columns: ['id'] } }],
    'an index that comes and goes': [{ addIndex: { name: 'x', columns: ['note'] } }, { dropIndex: { name: 'x' } }],
    'a check that comes and goes': [
      { addCheck: { name: 'x', expression: { isNull: { column: 'note' } } } },
      { dropCheck: { name: 'x' } },
    ],
  }
  for (const [what, changes] of Object.entries(lists)) {
    const plan = catalog.plan('orders', changes)
    t.equal(plan.after, catalog.table('orders'), what)
    t.equal(plan.isChanged, false, what)
    t.equal(plan.rewrite, undefined, what)
  }
})

t.test('comment, options and row image', async (t) => {
  const catalog = orders()
  catalog.alter('orders', [{ setOptions: { engine: 'x', owner: 'me' } }])
  const { after } = catalog.plan('orders', [
    { setComment: { comment: 'what was sold' } },
    { setOptions: { engine: null, region: 'eu' } },
    { setRowImage: { rowImage: 'minimal' } },
  ])
  t.match(after, { comment: 'what was sold', rowImage: 'MINIMAL', version: 3 })
  t.strictSame(after.options, { owner: 'me', region: 'eu' })
})

const REFUSED: readonly (readonly [what: string, changes: unknown, code: ErrorCode, message: RegExp])[] = [
  ['no list', { dropColumn: { name: 'note' } }, 'INVALID_ARGUMENT', /^table "orders": changes are a list such as/],
  ['an empty list', [], 'INVALID_ARGUMENT', /list of changes is empty/],
  ['a long list', Array(1001).fill({ dropColumn: { name: 'x' } }), 'INVALID_ARGUMENT', /1001 changes .* at most 1000/],
  ['no object', ['dropColumn'], 'INVALID_ARGUMENT', /change 1: a change is an object with one key/],
  ['a hole', Array(1), 'INVALID_ARGUMENT', /change 1: a change is an object/],
  ['an empty change', [{}], 'INVALID_ARGUMENT', /change 1: the change is empty/],
  ['an unknown change', [{ dropColum: {} }], 'INVALID_ARGUMENT', /change 1: .*"dropColum"; did you mean "dropColumn"/],
  [
    'a name of Object',
    [{ constructor: {} }],
    'INVALID_ARGUMENT',
    /there is no change "constructor"; the changes are add/,
  ],
  [
    'two changes in one',
    [{ dropColumn: { name: 'note' }, setComment: { comment: '' } }],
    'INVALID_ARGUMENT',
    /change 1: dropColumn and setComment are in one object; put each into its own/,
  ],
  ['a text for a change', [{ dropColumn: 'note' }], 'INVALID_ARGUMENT', /\(dropColumn\): its value must be an object/],
  [
    'an unknown property',
    [{ dropColumn: { name: 'note', cascde: true } }],
    'INVALID_ARGUMENT',
    /it has no property "cascde"; it has name/,
  ],
  [
    'a misspelt property',
    [{ addColumn: { name: 'x', type: 'TEXT', notnul: true } }],
    'INVALID_ARGUMENT',
    /no property "notnul"; did you mean "notNull"/,
  ],
  ['a missing property', [{ renameColumn: { name: 'note' } }], 'INVALID_ARGUMENT', /it lacks `to` with name, to/],
  ['a number for a name', [{ dropColumn: { name: 7 } }], 'INVALID_ARGUMENT', /`name` must be a string/],
  [
    'a text for a flag',
    [{ moveColumn: { name: 'note', first: 'yes' } }],
    'INVALID_ARGUMENT',
    /`first` must be a boolean/,
  ],
  ['no default', [{ setDefault: { column: 'note' } }], 'INVALID_ARGUMENT', /it lacks `default`/],
  ['an unknown column', [{ dropColumn: { name: 'notes' } }], 'NOT_FOUND', /no column "notes"; did you mean "note"/],
  [
    'an unknown column later',
    [{ dropColumn: { name: 'note' } }, { dropColumn: { name: 'note' } }],
    'NOT_FOUND',
    /^table "orders", change 2 \(dropColumn\): the table has no column "note"/,
  ],
  ['a taken name', [{ addColumn: { name: 'note', type: 'TEXT' } }], 'ALREADY_EXISTS', /has a column "note" already/],
  ['a taken new name', [{ renameColumn: { name: 'note', to: 'id' } }], 'ALREADY_EXISTS', /has a column "id" already/],
  ['an empty new name', [{ renameColumn: { name: 'note', to: '' } }], 'INVALID_ARGUMENT', /must not be empty/],
  ['an unknown type', [{ addColumn: { name: 'x', type: 'INT' } }], 'INVALID_DEFINITION', /did you mean INTEGER/],
  [
    'NOT NULL without a value for the rows',
    [{ addColumn: { name: 'x', type: 'TEXT', notNull: true } }],
    'INVALID_DEFINITION',
    /column "x" is NOT NULL and the table has rows; give it a default/,
  ],
  [
    'AUTO_INCREMENT on rows',
    [{ dropColumn: { name: 'note' } }, { addColumn: { name: 'n', type: 'INTEGER', autoIncrement: true } }],
    'INVALID_DEFINITION',
    /only one column can be AUTO_INCREMENT/,
  ],
  [
    'a default that does not fit',
    [{ setDefault: { column: 'quantity', default: 'many' } }],
    'INVALID_DEFINITION',
    /column "quantity": the default does not fit: "many"/,
  ],
  [
    'a default of AUTO_INCREMENT',
    [{ setDefault: { column: 'id', default: 1 } }],
    'INVALID_DEFINITION',
    /AUTO_INCREMENT and a default exclude each other/,
  ],
  ['NULL in the key', [{ dropNotNull: { column: 'id' } }], 'DEPENDENT_OBJECTS', /"id" is part of the primary key/],
  [
    'NULL in AUTO_INCREMENT',
    [{ setPrimaryKey: { columns: ['customer'] } }, { dropNotNull: { column: 'id' } }],
    'INVALID_DEFINITION',
    /"id" is AUTO_INCREMENT, and such a column is NOT NULL/,
  ],
  [
    'a column of the key',
    [{ dropColumn: { name: 'id' } }],
    'DEPENDENT_OBJECTS',
    /"id" is part of the primary key; give the table another primary key/,
  ],
  [
    'a column of an index',
    [{ dropColumn: { name: 'customer' } }],
    'DEPENDENT_OBJECTS',
    /column "customer" is part of the index "by_customer"; drop that first/,
  ],
  [
    'a column of a check',
    [{ dropColumn: { name: 'quantity' } }],
    'DEPENDENT_OBJECTS',
    /column "quantity" is part of the check "some"; drop that first/,
  ],
  [
    'first and behind another',
    [{ moveColumn: { name: 'note', first: true, after: 'id' } }],
    'INVALID_DEFINITION',
    /`first` and `after` exclude each other/,
  ],
  [
    'behind itself',
    [{ moveColumn: { name: 'note', after: 'note' } }],
    'INVALID_DEFINITION',
    /cannot stand behind itself/,
  ],
  [
    'behind itself when added',
    [{ addColumn: { name: 'x', type: 'TEXT', after: 'x' } }],
    'INVALID_DEFINITION',
    /cannot stand behind itself/,
  ],
  [
    'behind no column',
    [{ moveColumn: { name: 'note', after: 'ide' } }],
    'NOT_FOUND',
    /no column "ide"; did you mean "id"/,
  ],
  ['a long comment', [{ setComment: { comment: 'x'.repeat(1025) } }], 'INVALID_DEFINITION', /at most 1024 characters/],
  ['another row image', [{ setRowImage: { rowImage: 'fll' } }], 'INVALID_DEFINITION', /"full" or "minimal"/],
  ['a number as an option', [{ setOptions: { a: 1 } }], 'INVALID_DEFINITION', /option "a" must be a string/],
]

for (const [what, changes, code, message] of REFUSED) {
  t.test(`refused: ${what}`, async (t) => {
    const catalog = orders()
    const before = JSON.stringify(catalog.definition(catalog.table('orders')))
    t.throws(() => catalog.plan('orders', changes as AlterTableChange[]), { code, message })
    t.equal(JSON.stringify(catalog.definition(catalog.table('orders'))), before)
  })
}

t.test('a refusal says which change in its details', async (t) => {
  const changes: AlterTableChange[] = [{ dropColumn: { name: 'note' } }, { dropColumn: { name: 'customer' } }]
  try {
    orders().plan('orders', changes)
    t.fail('a column of an index was dropped')
  } catch (error) {
    t.strictSame(isReplogError(error) && error.details, { change: 2, column: 'customer' })
  }
})

t.test('an empty table takes what only rows would contradict', async (t) => {
  const catalog = new TinyCatalog()
  catalog.create({ name: 'orders', columns: [{ name: 'id', type: 'UUID' }], primaryKey: ['id'] })
  const changes: AlterTableChange[] = [
    { addColumn: { name: 'customer', type: 'TEXT', notNull: true } },
    { addColumn: { name: 'number', type: 'BIGINT', autoIncrement: true } },
  ]
  t.throws(() => catalog.plan('orders', changes.slice(1)), {
    code: 'INVALID_DEFINITION',
    message: /AUTO_INCREMENT column would have to number them/,
  })
  const { after, rewrite } = catalog.plan('orders', changes, true)
  t.equal(rewrite, undefined)
  t.strictSame(
    after.columns.map(({ name, notNull, autoIncrement }) => [name, notNull, autoIncrement]),
    [
      ['id', true, false],
      ['customer', true, false],
      ['number', true, true],
    ],
  )
})

t.test('a table keeps one column, and has no more than its bound', async (t) => {
  const catalog = new TinyCatalog()
  catalog.create({ name: 'one', columns: [{ name: 'id', type: 'BIGINT' }], primaryKey: ['id'] })
  t.throws(() => catalog.plan('one', [{ dropColumn: { name: 'id' } }]), { code: 'DEPENDENT_OBJECTS' })
  const adds = Array.from({ length: TABLE_COLUMNS_MAX - 1 }, (_, index): AlterTableChange => ({
    addColumn: { name: `c${index}`, type: 'TEXT' },
  }))
  t.equal(catalog.alter('one', adds).after.columns.length, TABLE_COLUMNS_MAX)
  t.throws(() => catalog.plan('one', [{ addColumn: { name: 'more', type: 'TEXT' } }]), {
    code: 'INVALID_DEFINITION',
    message: /the table has 1000 columns, which is the most; drop one first/,
  })
  const comments = adds.map((_, index): AlterTableChange => ({
    setColumnComment: { column: `c${index}`, comment: '😀'.repeat(512) },
  }))
  t.throws(() => catalog.plan('one', comments), {
    code: 'INVALID_DEFINITION',
    message: /^table "one": the definition takes/,
  })
})

/**
 * A definition that contradicts itself is refused before anything is staged, with what is wrong and where; one that does
 * not makes a table message from which the same definition can be made again. (G6)
 */
import assert from 'node:assert/strict'
import t from 'tap'
import { ReplogError } from '../../core/errors.js'
import {
  DEFINITION_BYTES_MAX,
  KEY_COLUMNS_MAX,
  TABLE_COLUMNS_MAX,
  TABLE_CONSTRAINTS_MAX,
  TABLE_INDEXES_MAX,
} from '../../core/limits.js'
import { nextFreeColumnId } from '../../ddl/column-definition.js'
import { type TableDefinition, definitionOf, tableMessageOf, withTableId } from '../../ddl/table-definition.js'
import { decodeTableMessage, encodeTableMessage } from '../../log/codec/definition-codec.js'
import type { TableMessage } from '../../log/codec/message.js'
import { NOW_US, PLACE, messageOf, placeOf } from './place.js'

const ID = { name: 'id', type: 'INTEGER' }
const SMALL: TableDefinition = { name: 't', columns: [ID], primaryKey: ['id'] }

const USERS = tableMessageOf(
  {
    name: 'users',
    columns: [
      { name: 'org', type: 'INTEGER' },
      { name: 'id', type: 'BIGINT' },
      { name: 'mail', type: 'VARCHAR(80)' },
    ],
    primaryKey: ['org', 'id'],
    indexes: [{ name: 'mail', columns: ['mail'], unique: true }],
  },
  placeOf(3),
)
const TARGETS = { 'test.users': USERS }
const tableOf = (id: number) => (id === 3 ? { schema: 'test', name: 'users', columns: USERS.columns } : undefined)

const FULL: TableDefinition = {
  schema: 'test',
  name: 'orders',
  columns: [
    { name: 'id', type: 'BIGINT', notNull: true, autoIncrement: true },
    { name: 'org', type: 'INTEGER' },
    { name: 'user', type: 'BIGINT' },
    { name: 'mail', type: 'TEXT', default: 'nobody', comment: 'of the buyer' },
    { name: 'price', type: 'DECIMAL(10,2)', notNull: true, default: '1.50' },
    { name: 'parent', type: 'BIGINT' },
    { name: 'placed', type: 'TIMESTAMP', default: { function: 'now' } },
    { name: 'data', type: 'JSON', default: { function: 'now' } },
  ],
  primaryKey: ['id'],
  indexes: [
    { name: 'by price', columns: [{ column: 'price', descending: true }, 'placed'] },
    { name: 'mail', columns: ['mail', 'price'], unique: true },
    { name: 'buyer', columns: ['org', 'user'] },
    { name: 'parents', columns: ['parent'] },
  ],
  foreignKeys: [
    {
      name: 'buyer',
      columns: ['org', 'user'],
      references: { table: 'test.users', columns: ['org', 'id'] },
      onDelete: 'cascade',
    },
    {
      name: 'family',
      columns: ['parent'],
      references: { table: 'test.orders', columns: ['id'] },
      onDelete: 'set null',
      onUpdate: 'cascade',
    },
    { name: 'mailed', columns: ['mail'], references: { table: 'test.users', columns: ['mail'] } },
  ],
  checks: [
    { name: 'positive', expression: { gt: [{ column: 'price' }, '0.00'] } },
    { name: 'no own parent', expression: { ne: [{ column: 'parent' }, { column: 'id' }] } },
  ],
  comment: "what's sold",
  options: { owner: 'billing' },
  rowImage: 'minimal',
}

t.test('a definition with everything comes back as it was, through the bytes of its message, too', async (t) => {
  const message = messageOf(FULL, TARGETS)
  t.same(definitionOf(message, 'test', tableOf), FULL)
  t.same(definitionOf(decodeTableMessage(encodeTableMessage(message)), 'test', tableOf), FULL)
  t.same(messageOf(definitionOf(message, 'test', tableOf), TARGETS), message)
  const json = JSON.stringify(definitionOf(message, 'test', tableOf))
  t.same(messageOf(JSON.parse(json) as TableDefinition, TARGETS), message, 'as JSON')
})

t.test('the message of a small definition', async (t) => {
  t.same(messageOf(SMALL), {
    id: 7,
    version: 1,
    catalogId: 1,
    schemaId: 1,
    name: 't',
    columns: [
      {
        id: 2,
        name: 'id',
        type: { kind: 'INTEGER' },
        // A primary key column is NOT NULL, whether or not the definition says so.
        notNull: true,
        default: undefined,
        autoIncrement: false,
        addedInVersion: 1,
        missingValue: undefined,
        comment: '',
      },
    ],
    primaryKey: [{ columnId: 2, descending: false }],
    indexes: [],
    nextColumnId: 3,
    nextIndexId: 1,
    comment: '',
    createdUs: NOW_US,
    changedUs: NOW_US,
    storageId: 7,
    foreignKeys: [],
    checks: [],
    nextConstraintId: 1,
    referencedBy: [],
    options: {},
    rowImage: 'FULL',
  } satisfies TableMessage)
})

t.test('constraints share one row of ids, foreign keys first', async (t) => {
  const message = messageOf(FULL, TARGETS)
  t.same(
    message.foreignKeys.map(({ id, name }) => [id, name]),
    [
      [1, 'buyer'],
      [2, 'family'],
      [3, 'mailed'],
    ],
  )
  t.same(
    message.checks.map(({ id, name }) => [id, name]),
    [
      [4, 'positive'],
      [5, 'no own parent'],
    ],
  )
  t.equal(message.nextConstraintId, 6)
})

t.test('a table that refers to itself says so, and goes on doing so under another id', async (t) => {
  const message = messageOf(FULL, TARGETS)
  t.same(message.referencedBy, [{ tableId: 7, foreignKeyId: 2 }])
  t.equal(message.foreignKeys[1]!.targetTableId, 7)
  const moved = withTableId(message, 99)
  t.same(moved, messageOfPlace99())
  t.same([moved.id, moved.storageId, moved.foreignKeys[1]!.targetTableId], [99, 99, 99])
  t.same(moved.referencedBy, [{ tableId: 99, foreignKeyId: 2 }])
  t.equal(moved.foreignKeys[0]!.targetTableId, 3, 'other targets stay')
})

function messageOfPlace99(): TableMessage {
  return tableMessageOf(FULL, placeOf(99, TARGETS))
}

t.test('default names of constraints: of the table and what they are on, cut to size, and free', async (t) => {
  const message = messageOf(
    {
      ...SMALL,
      columns: [ID, { name: 'org', type: 'INTEGER' }, { name: 'user', type: 'BIGINT' }],
      foreignKeys: [
        { columns: ['org', 'user'], references: { table: 'users' } },
        { columns: ['org', 'user'], references: { table: 'users' } },
      ],
      checks: [
        { name: 't_check_4', expression: { isNull: { column: 'org' } } },
        { expression: { isNull: { column: 'org' } } },
        { expression: { isNull: { column: 'user' } } },
      ],
    },
    TARGETS,
  )
  t.same(
    message.foreignKeys.map(({ name }) => name),
    ['t_org_user_fkey', 't_org_user_fkey_2'],
  )
  t.same(
    message.checks.map(({ name }) => name),
    ['t_check_4', 't_check_4_2', 't_check_5'],
  )
  const long = '😀'.repeat(128)
  const { checks } = messageOf({ ...SMALL, name: long, checks: [{ expression: { isNull: { column: 'id' } } }] })
  t.equal(checks[0]!.name, `${'😀'.repeat(120)}_check_1`)
})

t.test('what is refused, and what the refusal says', async (t) => {
  const many = (count: number, make: (at: number) => unknown): unknown[] =>
    Array.from({ length: count }, (_, at) => make(at))
  const column = (extra: object): object => ({ ...SMALL, columns: [ID, { name: 'c', type: 'TEXT', ...extra }] })
  const index = (extra: object): object => ({ ...SMALL, indexes: [{ name: 'i', columns: ['id'], ...extra }] })
  const check = (extra: object): object => ({
    ...SMALL,
    checks: [{ expression: { isNull: { column: 'id' } }, ...extra }],
  })
  const cases: readonly (readonly [definition: unknown, code: string, message: string])[] = [
    [undefined, 'INVALID_DEFINITION', 'a table definition must be an object'],
    [[SMALL], 'INVALID_DEFINITION', 'a table definition must be an object'],
    [{ ...SMALL, name: '' }, 'INVALID_ARGUMENT', 'a table name must not be empty'],
    [{ ...SMALL, columns: [] }, 'INVALID_DEFINITION', 'table "t": `columns` must list at least one column'],
    [{ ...SMALL, columns: ID }, 'INVALID_DEFINITION', '`columns` must list at least one column'],
    [{ ...SMALL, columns: [ID, null] }, 'INVALID_DEFINITION', 'a column definition must be an object'],
    [{ ...SMALL, columns: [ID, ID] }, 'INVALID_DEFINITION', 'column "id" is defined twice'],
    [
      { ...SMALL, columns: many(TABLE_COLUMNS_MAX + 1, (at) => ({ name: `c${at}`, type: 'TEXT' })) },
      'INVALID_DEFINITION',
      `at most ${TABLE_COLUMNS_MAX} columns`,
    ],
    [column({ name: 'a\tb' }), 'INVALID_ARGUMENT', 'the column name "a\\tb" contains a control character'],
    [column({ type: 5 }), 'INVALID_DEFINITION', 'column "c": `type` must be SQL type text such as "BIGINT"'],
    [column({ type: 'STRING' }), 'INVALID_DEFINITION', '"STRING" is not a column type; did you mean TEXT?'],
    [column({ autoIncrement: true }), 'INVALID_DEFINITION', 'column "c": AUTO_INCREMENT needs INTEGER or BIGINT'],
    [
      column({ type: 'INTEGER', autoIncrement: true, default: 1 }),
      'INVALID_DEFINITION',
      'column "c": AUTO_INCREMENT and a default exclude each other',
    ],
    [
      { ...SMALL, columns: ['id', 'b'].map((name) => ({ name, type: 'INTEGER', autoIncrement: true })) },
      'INVALID_DEFINITION',
      'only one column can be AUTO_INCREMENT',
    ],
    [column({ default: 5 }), 'INVALID_DEFINITION', 'column "c": the default does not fit: 5 does not fit: TEXT'],
    [column({ default: { function: 'now' } }), 'INVALID_DEFINITION', 'the default function now does not give a TEXT'],
    [column({ comment: 5 }), 'INVALID_DEFINITION', 'column "c": a comment is a string of at most 1024 characters'],
    [{ ...SMALL, primaryKey: [] }, 'INVALID_DEFINITION', '`primaryKey` must name at least one column'],
    [{ ...SMALL, primaryKey: ['ID'] }, 'INVALID_DEFINITION', 'names the unknown column "ID"; did you mean "id"?'],
    [{ ...SMALL, primaryKey: ['id', 'id'] }, 'INVALID_DEFINITION', 'the primary key names column "id" twice'],
    [{ ...SMALL, primaryKey: [5] }, 'INVALID_DEFINITION', 'the primary key: a column is its name or {'],
    [
      { ...SMALL, columns: [{ name: 'id', type: 'JSON' }] },
      'INVALID_DEFINITION',
      'the primary key: a JSON column cannot be part of a key',
    ],
    [
      {
        ...SMALL,
        columns: many(KEY_COLUMNS_MAX + 1, (at) => ({ name: `c${at}`, type: 'TEXT' })),
        primaryKey: many(KEY_COLUMNS_MAX + 1, (at) => `c${at}`),
      },
      'INVALID_DEFINITION',
      `the primary key has more than ${KEY_COLUMNS_MAX} columns`,
    ],
    [{ ...SMALL, indexes: {} }, 'INVALID_DEFINITION', '`indexes` must be a list'],
    [{ ...SMALL, indexes: ['id'] }, 'INVALID_DEFINITION', 'an index definition must be an object'],
    [index({ name: 5 }), 'INVALID_ARGUMENT', 'a index name must be a string'],
    [index({ columns: [] }), 'INVALID_DEFINITION', 'index "i" must name at least one column'],
    [index({ columns: ['x'] }), 'INVALID_DEFINITION', 'index "i" names the unknown column "x"'],
    [
      { ...SMALL, indexes: many(2, () => ({ name: 'i', columns: ['id'] })) },
      'INVALID_DEFINITION',
      'index "i" is defined twice',
    ],
    [
      { ...SMALL, indexes: many(TABLE_INDEXES_MAX + 1, (at) => ({ name: `i${at}`, columns: ['id'] })) },
      'INVALID_DEFINITION',
      `at most ${TABLE_INDEXES_MAX} indexes`,
    ],
    [{ ...SMALL, checks: 'id > 0' }, 'INVALID_DEFINITION', '`checks` must be a list'],
    [{ ...SMALL, checks: [null] }, 'INVALID_DEFINITION', 'a check must be an object'],
    [check({ name: '' }), 'INVALID_ARGUMENT', 'a check name must not be empty'],
    [
      check({ expression: undefined }),
      'INVALID_DEFINITION',
      'table "t": check "t_check_1": an expression is an object',
    ],
    [
      check({ name: 'c', expression: { not: { gt: [{ column: 'it' }, 0] } } }),
      'INVALID_DEFINITION',
      'table "t": check "c": not.gt[0]: unknown column "it"; did you mean "id"?',
    ],
    [
      { ...SMALL, checks: many(2, () => ({ name: 'c', expression: { isNull: { column: 'id' } } })) },
      'INVALID_DEFINITION',
      'constraint "c" is defined twice; checks and foreign keys share their names',
    ],
    [
      {
        ...SMALL,
        checks: many(TABLE_CONSTRAINTS_MAX + 1, () => ({ expression: { isNull: { column: 'id' } } })),
      },
      'INVALID_DEFINITION',
      `at most ${TABLE_CONSTRAINTS_MAX} checks`,
    ],
    [{ ...SMALL, foreignKeys: {} }, 'INVALID_DEFINITION', '`foreignKeys` must be a list'],
    [{ ...SMALL, options: { a: 1 } }, 'INVALID_DEFINITION', 'table "t": the value of option "a" must be a string'],
    [{ ...SMALL, rowImage: 'none' }, 'INVALID_DEFINITION', '`rowImage` is "full" or "minimal"'],
    [{ ...SMALL, comment: ['x'] }, 'INVALID_DEFINITION', 'table "t": a comment is a string'],
    [
      {
        ...SMALL,
        columns: [
          ID,
          { name: 'e', type: `ENUM(${many(60_000, (at) => `'${'x'.repeat(20)}${String(at)}'`).join(',')})` },
        ],
      },
      'INVALID_DEFINITION',
      `bytes, more than ${DEFINITION_BYTES_MAX}; use fewer or shorter names`,
    ],
  ]
  for (const [definition, code, message] of cases) {
    try {
      tableMessageOf(definition as TableDefinition, PLACE)
      t.fail(`accepted, not refused with: ${message}`)
    } catch (error) {
      if (!(error instanceof ReplogError)) throw error
      t.equal(error.code, code, error.message)
      t.ok(error.message.includes(message), `${error.message.slice(0, 200)} <- ${message}`)
    }
  }
})

t.test('ids that protobuf keeps for itself are passed over', async () => {
  assert.deepEqual([2, 18_999, 19_000, 19_999, 20_000].map(nextFreeColumnId), [2, 18_999, 20_000, 20_000, 20_000])
})

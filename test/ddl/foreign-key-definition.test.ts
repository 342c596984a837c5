/**
 * A foreign key rests on keys: at its target one that has at most one row for the values, at its own table an index
 * through which the rows of a target are found. What has no such keys, or could never match, is refused.
 */
import t from 'tap'
import { ReplogError } from '../../core/errors.js'
import { TABLE_CONSTRAINTS_MAX, TABLE_INDEXES_MAX } from '../../core/limits.js'
import { byName } from '../../ddl/column-definition.js'
import { typeMismatch } from '../../ddl/foreign-key-definition.js'
import { indexMessageOf } from '../../ddl/index-definition.js'
import { invalidDefinition } from '../../ddl/invalid-definition.js'
import { leadingKeyOf, targetKeyOf, withReference, withoutReference } from '../../ddl/reference-keys.js'
import { targetNames } from '../../ddl/referenced-table.js'
import {
  type ForeignKeyDefinition,
  type TableDefinition,
  definitionOf,
  tableMessageOf,
} from '../../ddl/table-definition.js'
import type { TableMessage } from '../../log/codec/message.js'
import { parseColumnType } from '../../log/codec/types/sql-text.js'
import { messageOf, placeOf } from './place.js'

const TARGET = tableMessageOf(
  {
    name: 'target',
    columns: [
      { name: 'a', type: 'INTEGER' },
      { name: 'b', type: 'TEXT' },
      { name: 'c', type: 'UUID' },
      { name: 'd', type: 'DECIMAL(9,2)' },
      { name: 'e', type: 'INTEGER' },
    ],
    primaryKey: ['b', 'a'],
    indexes: [
      { name: 'plain', columns: ['e'] },
      { name: 'c', columns: [{ column: 'c', descending: true }], unique: true },
      { name: 'd c', columns: ['d', 'c'], unique: true },
    ],
  },
  placeOf(3),
)
const TARGETS = { 'test.target': TARGET, 'other.t': { ...TARGET, id: 4 } }
const REFERENCES = { table: 'target' }

const CHILD: TableDefinition = {
  name: 't',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'a', type: 'INTEGER' },
    { name: 'b', type: 'VARCHAR(10)' },
    { name: 'c', type: 'UUID' },
    { name: 'd', type: 'DECIMAL(5,2)' },
    { name: 'big', type: 'BIGINT' },
    { name: 'fine', type: 'DECIMAL(9,3)' },
    { name: 'due', type: 'INTEGER', notNull: true },
  ],
  primaryKey: ['id'],
}

function withKeys(...foreignKeys: readonly unknown[]): TableMessage {
  return messageOf({ ...CHILD, foreignKeys: foreignKeys as readonly ForeignKeyDefinition[] }, TARGETS)
}

/** The foreign keys of a table with the names of their columns. */
function shown(message: TableMessage): unknown[] {
  const nameOf = new Map(message.columns.map(({ id, name }) => [id, name]))
  const names = new Map(TARGET.columns.map(({ id, name }) => [id, name]))
  return message.foreignKeys.map(({ columnIds, targetColumnIds }) => [
    columnIds.map((id) => nameOf.get(id)),
    targetColumnIds.map((id) => names.get(id)),
  ])
}

t.test('columns are listed in the order of the target key, however they are written', async (t) => {
  const expected = [
    [
      ['b', 'a'],
      ['b', 'a'],
    ],
  ]
  t.same(shown(withKeys({ columns: ['b', 'a'], references: REFERENCES })), expected)
  t.same(shown(withKeys({ columns: ['b', 'a'], references: { ...REFERENCES, columns: ['b', 'a'] } })), expected)
  t.same(shown(withKeys({ columns: ['a', 'b'], references: { ...REFERENCES, columns: ['a', 'b'] } })), expected)
  t.same(shown(withKeys({ columns: ['c', 'd'], references: { ...REFERENCES, columns: ['c', 'd'] } })), [
    [
      ['d', 'c'],
      ['d', 'c'],
    ],
  ])
})

t.test('a column may be in several foreign keys, and a key may refer to another schema', async (t) => {
  const message = withKeys(
    { columns: ['c'], references: { ...REFERENCES, columns: ['c'] } },
    { columns: ['d', 'c'], references: { ...REFERENCES, columns: ['d', 'c'] } },
    { columns: ['c'], references: { table: 'other.t', columns: ['c'] } },
  )
  t.same(
    message.foreignKeys.map(({ targetTableId }) => targetTableId),
    [3, 3, 4],
  )
})

t.test('an index is added where none begins with the columns, named like the foreign key', async (t) => {
  const key = { name: 'fk', columns: ['b', 'a'], references: REFERENCES }
  const added = { id: 1, name: 'fk', unique: false, building: false, validating: false }
  const [b, a] = ['b', 'a'].map((name) => ({
    columnId: byName(messageOf(CHILD).columns).get(name)!.id,
    descending: false,
  }))
  const message = withKeys(key)
  t.same(message.indexes, [{ ...added, parts: [b, a] }])
  t.equal(message.nextIndexId, 2)
  t.equal(withKeys(key, { ...key, name: 'again' }).indexes.length, 1, 'one serves two foreign keys')

  const indexed = (...columns: NonNullable<TableDefinition['indexes']>[number]['columns'][]): number => {
    const indexes = columns.map((list, at) => ({ name: `i${at}`, columns: list }))
    return messageOf({ ...CHILD, indexes, foreignKeys: [key] }, TARGETS).indexes.length - indexes.length
  }
  t.equal(indexed(['b', 'a']), 0)
  t.equal(indexed([{ column: 'b', descending: true }, 'a', 'd']), 0, 'in any direction, and a longer one')
  t.equal(indexed(['a', 'b'], ['d', 'b', 'a'], ['b']), 1, 'not in another order, not further back, not in part')
  const keyed = messageOf({ ...CHILD, primaryKey: ['b', 'a', 'id'], foreignKeys: [key] }, TARGETS)
  t.equal(keyed.indexes.length, 0, 'the primary key serves, too')

  const named = messageOf({ ...CHILD, indexes: [{ name: 'fk', columns: ['d'] }], foreignKeys: [key] }, TARGETS)
  t.same(
    named.indexes.map(({ name }) => name),
    ['fk', 'fk_2'],
    'under another name where that one is taken',
  )
})

t.test(
  'what finds the rows of a target: the primary key, else a complete index, else one that is being built',
  async (t) => {
    const columns = byName(TARGET.columns)
    const index = (id: number, names: readonly string[], building: boolean) => ({
      ...indexMessageOf({ name: `i${id}`, columns: names }, id, columns, invalidDefinition),
      building,
    })
    const [a, b, c] = ['a', 'b', 'c'].map((name) => columns.get(name)!.id) as [number, number, number]
    const table = { ...TARGET, indexes: [index(1, ['c'], true), index(2, ['c', 'a'], false), index(3, ['a'], true)] }
    t.equal(leadingKeyOf(table, [b]), 'primaryKey')
    t.equal(leadingKeyOf(table, [b, a]), 'primaryKey')
    t.match(leadingKeyOf(table, [c]), { id: 2 })
    t.match(leadingKeyOf(table, [a]), { id: 3 })
    t.equal(leadingKeyOf(table, [a, b]), undefined)
    t.equal(leadingKeyOf(table, [c, b]), undefined)
  },
)

t.test('a target key has exactly the columns, is unique and complete', async (t) => {
  const idOf = (name: string): number => byName(TARGET.columns).get(name)!.id
  t.equal(targetKeyOf(TARGET, [idOf('a'), idOf('b')]), TARGET.primaryKey)
  t.equal(targetKeyOf(TARGET, [idOf('c')]), TARGET.indexes[1]!.parts)
  t.equal(targetKeyOf(TARGET, [idOf('b')]), undefined)
  t.equal(targetKeyOf(TARGET, [idOf('e')]), undefined)
  const building = { ...TARGET, indexes: TARGET.indexes.map((index) => ({ ...index, building: true })) }
  t.equal(targetKeyOf(building, [idOf('c')]), undefined)
})

t.test('types: equal values have equal key bytes, or the reference is refused', async (t) => {
  const cases: readonly (readonly [type: string, target: string, matches: boolean])[] = [
    ['INTEGER', 'INTEGER', true],
    ['INTEGER', 'BIGINT', false],
    ['VARCHAR(3)', 'VARCHAR(9)', true],
    ['VARCHAR(3)', 'TEXT', true],
    ['TEXT', 'BLOB', false],
    ['DECIMAL(9,2)', 'DECIMAL(5,2)', true],
    ['DECIMAL(9,2)', 'DECIMAL(9,3)', false],
    ["ENUM('a','b')", "ENUM('a','b')", true],
    ["ENUM('a','b')", "ENUM('b','a')", false],
    ["ENUM('a','b')", 'TEXT', false],
    ['DATE', 'TIMESTAMP', false],
    ['UUID', 'UUID', true],
  ]
  for (const [type, target, matches] of cases) {
    for (const [left, right] of [
      [type, target],
      [target, type],
    ] as const) {
      const flaw = typeMismatch(parseColumnType(left), parseColumnType(right))
      t.equal(flaw, matches ? undefined : `${left} is not ${right}; give both columns one type`)
    }
  }
})

t.test('what is refused, and what the refusal says', async (t) => {
  const cases: readonly (readonly [key: unknown, code: string, message: string])[] = [
    [null, 'INVALID_DEFINITION', 'table "t": a foreign key must be an object'],
    [{ columns: ['a'] }, 'INVALID_DEFINITION', 'a foreign key: `references` must be an object'],
    [{ columns: ['a'], references: {} }, 'INVALID_ARGUMENT', 'a table is named as "schema.table"'],
    [{ columns: ['a'], references: { table: 'a.b.c' } }, 'INVALID_ARGUMENT', 'has too many parts'],
    [{ columns: ['a'], references: { table: 'nobody' } }, 'NOT_FOUND', 'table test.nobody does not exist'],
    [{ columns: [], references: REFERENCES }, 'INVALID_DEFINITION', 'a foreign key must name at least one column'],
    [{ columns: 'a', references: REFERENCES }, 'INVALID_DEFINITION', 'a foreign key must name at least one column'],
    [{ columns: [5], references: REFERENCES }, 'INVALID_DEFINITION', 'names a column by something that is not a text'],
    [{ columns: ['bigg'], references: REFERENCES }, 'INVALID_DEFINITION', '"bigg"; did you mean "big"?'],
    [{ columns: ['a', 'a'], references: REFERENCES }, 'INVALID_DEFINITION', 'a foreign key names a column twice'],
    [{ name: '', columns: ['a'], references: REFERENCES }, 'INVALID_ARGUMENT', 'a foreign key name must not be empty'],
    [
      { columns: ['a'], references: REFERENCES },
      'INVALID_DEFINITION',
      'table "t": foreign key "t_a_fkey": 1 of its columns refer to 2 of the target; name as many of each',
    ],
    [
      { columns: ['a'], references: { ...REFERENCES, columns: ['z'] } },
      'INVALID_DEFINITION',
      'the reference to table "target" names the unknown column "z"',
    ],
    [
      { columns: ['a', 'b'], references: { ...REFERENCES, columns: ['a', 'a'] } },
      'INVALID_DEFINITION',
      'the reference to table "target" names a column twice',
    ],
    [
      { columns: ['a'], references: { ...REFERENCES, columns: ['e'] } },
      'INVALID_DEFINITION',
      'the target, table "target", has no primary key and no complete unique index of exactly "e"; make such an index',
    ],
    [
      { columns: ['a'], references: { ...REFERENCES, columns: ['b'] } },
      'INVALID_DEFINITION',
      'no primary key and no complete unique index of exactly "b"',
    ],
    [
      { columns: ['b', 'big'], references: REFERENCES },
      'INVALID_DEFINITION',
      'column "big" cannot refer to "a" of table "target": BIGINT is not INTEGER; give both columns one type',
    ],
    [
      { columns: ['fine', 'c'], references: { ...REFERENCES, columns: ['d', 'c'] } },
      'INVALID_DEFINITION',
      'DECIMAL(9,3) is not DECIMAL(9,2)',
    ],
    [
      { columns: ['b', 'a'], references: REFERENCES, onDelete: 'SET NULL' },
      'INVALID_DEFINITION',
      '`onDelete` is one of restrict, cascade, set null',
    ],
    [{ columns: ['b', 'a'], references: REFERENCES, onUpdate: null }, 'INVALID_DEFINITION', '`onUpdate` is one of'],
    [
      { columns: ['b', 'a'], references: REFERENCES, onUpdate: 'toString' },
      'INVALID_DEFINITION',
      '`onUpdate` is one of',
    ],
    [
      { columns: ['b', 'due'], references: REFERENCES, onDelete: 'set null' },
      'INVALID_DEFINITION',
      '`onDelete` cannot set column "due" to NULL, because it is NOT NULL',
    ],
    [
      { columns: ['b', 'id'], references: REFERENCES, onUpdate: 'set null' },
      'INVALID_DEFINITION',
      '`onUpdate` cannot set column "id" to NULL, because it is NOT NULL',
    ],
  ]
  for (const [key, code, message] of cases) {
    try {
      withKeys(key)
      t.fail(`accepted, not refused with: ${message}`)
    } catch (error) {
      if (!(error instanceof ReplogError)) throw error
      t.equal(error.code, code, error.message)
      t.ok(error.message.includes(message), `${error.message} <- ${message}`)
    }
  }
})

t.test('names and bounds', async (t) => {
  const key = { name: 'k', columns: ['b', 'a'], references: REFERENCES }
  t.throws(() => withKeys(key, key), { message: /constraint "k" is defined twice/ })
  const checks = [{ name: 'k', expression: { isNull: { column: 'a' } } }]
  t.throws(() => messageOf({ ...CHILD, foreignKeys: [key], checks }, TARGETS), { message: /share their names/ })

  const many = Array.from({ length: TABLE_CONSTRAINTS_MAX }, () => ({ columns: ['b', 'a'], references: REFERENCES }))
  t.equal(withKeys(...many).foreignKeys.length, TABLE_CONSTRAINTS_MAX)
  t.throws(() => withKeys(...many, key), { message: `table "t": at most ${TABLE_CONSTRAINTS_MAX} foreign keys` })

  const indexes = Array.from({ length: TABLE_INDEXES_MAX }, (_, at) => ({ name: `i${at}`, columns: ['d'] }))
  t.throws(() => messageOf({ ...CHILD, indexes, foreignKeys: [key] }, TARGETS), {
    message: `table "t": foreign key "k" needs an index: at most ${TABLE_INDEXES_MAX} indexes`,
  })
})

t.test('a foreign key within its own table sees the definition that is being made', async (t) => {
  const definition: TableDefinition = {
    name: 't',
    columns: [
      { name: 'id', type: 'INTEGER' },
      { name: 'code', type: 'VARCHAR(5)' },
      { name: 'parent', type: 'INTEGER' },
      { name: 'other', type: 'TEXT' },
    ],
    primaryKey: ['id'],
    indexes: [{ name: 'code', columns: ['code'], unique: true }],
    foreignKeys: [
      { columns: ['parent'], references: { table: 'test.t' } },
      { columns: ['other'], references: { table: 't', columns: ['code'] } },
    ],
  }
  const message = messageOf(definition)
  t.same(
    message.foreignKeys.map(({ targetTableId }) => targetTableId),
    [7, 7],
  )
  t.same(message.referencedBy, [
    { tableId: 7, foreignKeyId: 1 },
    { tableId: 7, foreignKeyId: 2 },
  ])
  // A table of that name in another schema is another table.
  t.throws(() => tableMessageOf(definition, { ...placeOf(7), schema: 'other' }), { code: 'NOT_FOUND' })
})

t.test('a target keeps a note of each foreign key, within a bound', async (t) => {
  const reference = { tableId: 7, foreignKeyId: 1 }
  const other = { tableId: 7, foreignKeyId: 2 }
  const noted = withReference(withReference(TARGET, reference, invalidDefinition), other, invalidDefinition)
  t.same(noted.referencedBy, [reference, other])
  t.same(withoutReference(noted, reference).referencedBy, [other])
  t.same(withoutReference(noted, { tableId: 8, foreignKeyId: 1 }), noted)
  const full = { ...TARGET, referencedBy: Array.from({ length: TABLE_CONSTRAINTS_MAX }, () => other) }
  t.throws(() => withReference(full, reference, invalidDefinition), {
    code: 'INVALID_DEFINITION',
    message: `at most ${TABLE_CONSTRAINTS_MAX} foreign keys refer to table "target"`,
  })
})

t.test('a target that nobody knows is shown by its ids', async (t) => {
  const message = withKeys({ columns: ['c'], references: { ...REFERENCES, columns: ['c'] } })
  const id = byName(TARGET.columns).get('c')!.id
  t.same(
    targetNames(message.foreignKeys[0]!, message, 'test', () => undefined),
    { schema: undefined, table: 'table 3', columns: [`column ${id}`] },
  )
  t.same(definitionOf(message, 'test', () => undefined).foreignKeys, [
    { name: 't_c_fkey', columns: ['c'], references: { table: 'table 3', columns: [`column ${id}`] } },
  ])
})

/**
 * G6: changes of a column's type. Which are instant, which rewrite and which are refused is frozen here; an instant one
 * leaves every byte of rows and keys as it is, a rewriting one never rounds, cuts or guesses.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import { CompiledTable } from '../../ddl/compiled-table.js'
import { conversionOf } from '../../ddl/convert-value.js'
import type { ColumnDefinition } from '../../ddl/table-definition.js'
import type { ColumnType, Value } from '../../log/codec/column-type.js'
import type { ColumnMessage, TableMessage } from '../../log/codec/message.js'
import { TupleCodec } from '../../log/codec/tuple.js'
import { valueCodec } from '../../log/codec/type-codecs.js'
import { formatColumnType, parseColumnType } from '../../log/codec/types/sql-text.js'
import { TYPE_SAMPLES } from '../codec/values-arbitraries.js'
import { TinyCatalog } from './tiny-catalog.js'

const TYPES = [
  'BOOLEAN',
  'INTEGER',
  'BIGINT',
  'DOUBLE',
  'DECIMAL(10,2)',
  'DECIMAL(12,2)',
  'DECIMAL(12,3)',
  'VARCHAR(10)',
  'VARCHAR(20)',
  'TEXT',
  'BLOB',
  'DATE',
  'TIME',
  'TIMESTAMP',
  'UUID',
  "ENUM('a','b')",
  "ENUM('a','b','c')",
  "ENUM('b','a')",
  'JSON',
]

/** `=` nothing changes, `i` instant, `w` the rows are written anew, `.` refused; columns in the order of the lines. */
const MATRIX: Readonly<Record<string, string>> = {
  BOOLEAN: '= w w . . . . w w w . . . . . . . . .',
  INTEGER: 'w = i w w w w w w w . . . . . . . . .',
  BIGINT: 'w w = w w w w w w w . . . . . . . . .',
  DOUBLE: '. w w = w w w w w w . . . . . . . . .',
  'DECIMAL(10,2)': '. w w w = i w w w w . . . . . . . . .',
  'DECIMAL(12,2)': '. w w w w = w w w w . . . . . . . . .',
  'DECIMAL(12,3)': '. w w w w w = w w w . . . . . . . . .',
  'VARCHAR(10)': 'w w w w w w w = i i . w w w w w w w w',
  'VARCHAR(20)': 'w w w w w w w w = i . w w w w w w w w',
  TEXT: 'w w w w w w w w w = . w w w w w w w w',
  BLOB: '. . . . . . . . . . = . . . . . . . .',
  DATE: '. . . . . . . w w w . = . w . . . . .',
  TIME: '. . . . . . . w w w . . = . . . . . .',
  TIMESTAMP: '. . . . . . . w w w . w . = . . . . .',
  UUID: '. . . . . . . w w w . . . . = . . . .',
  "ENUM('a','b')": '. . . . . . . w w w . . . . . = i w .',
  "ENUM('a','b','c')": '. . . . . . . w w w . . . . . w = w .',
  "ENUM('b','a')": '. . . . . . . w w w . . . . . w w = .',
  JSON: '. . . . . . . w w w . . . . . . . . =',
}

/** A table with one column of the type between others, with a key of its own. */
function tableOf(type: string, column: Omit<Partial<ColumnDefinition>, 'name' | 'type'> = {}): TinyCatalog {
  const catalog = new TinyCatalog()
  catalog.create({
    name: 'rows',
    columns: [
      { name: 'id', type: 'BIGINT' },
      { name: 'value', type, ...column },
      { name: 'last', type: 'TEXT' },
    ],
    primaryKey: ['id'],
  })
  return catalog
}

function setType(type: string): AlterTableChange {
  return { setType: { column: 'value', type } }
}

function valueColumn(table: TableMessage): ColumnMessage {
  return table.columns.find(({ name }) => name === 'value')!
}

for (const from of TYPES) {
  t.test(`what ${from} becomes is frozen`, async (t) => {
    const outcomes = TYPES.map((to) => {
      const catalog = tableOf(from)
      try {
        const { isChanged, rewrite, after } = catalog.plan('rows', [setType(to)])
        if (!isChanged) return '='
        t.equal(valueColumn(after).id, rewrite === undefined ? 3 : 5, `${from} to ${to}: other bytes, another id`)
        t.equal(after.columns.indexOf(valueColumn(after)), 1, 'the column stays where it is')
        const empty = catalog.plan('rows', [setType(to)], true)
        t.equal(empty.rewrite, undefined)
        t.strictSame(empty.after, after, 'an empty table gets the same definition')
        return rewrite === undefined ? 'i' : 'w'
      } catch (error) {
        if (!isReplogError(error, 'INVALID_DEFINITION')) throw error
        t.match(error.message, /do not become values of .*; add a column of the new type, fill it/)
        return '.'
      }
    })
    t.equal(outcomes.join(' '), MATRIX[from])
  })
}

/** value, type → what it becomes; undefined: refused. */
const VALUES: readonly (readonly [from: string, value: Value, to: string, result: Value | undefined])[] = [
  ['BOOLEAN', true, 'INTEGER', 1],
  ['BOOLEAN', false, 'BIGINT', 0n],
  ['BOOLEAN', true, 'TEXT', 'true'],
  ['BOOLEAN', true, 'VARCHAR(3)', undefined],
  ['INTEGER', 1, 'BOOLEAN', true],
  ['INTEGER', 0, 'BOOLEAN', false],
  ['INTEGER', 2, 'BOOLEAN', undefined],
  ['BIGINT', -1n, 'BOOLEAN', undefined],
  ['INTEGER', -7, 'BIGINT', -7n],
  ['INTEGER', 7, 'DOUBLE', 7],
  ['INTEGER', 7, 'DECIMAL(3,2)', '7.00'],
  ['INTEGER', 17, 'DECIMAL(3,2)', undefined],
  ['INTEGER', -7, 'TEXT', '-7'],
  ['BIGINT', 2n ** 31n - 1n, 'INTEGER', 2 ** 31 - 1],
  ['BIGINT', 2n ** 31n, 'INTEGER', undefined],
  ['BIGINT', 2n ** 53n + 1n, 'DOUBLE', undefined],
  ['BIGINT', 2n ** 60n, 'DOUBLE', 2 ** 60],
  ['BIGINT', 2n ** 60n, 'TEXT', '1152921504606846976'],
  ['DOUBLE', 2 ** 60, 'BIGINT', 2n ** 60n],
  ['DOUBLE', 2 ** 63, 'BIGINT', undefined],
  ['DOUBLE', 0.5, 'BIGINT', undefined],
  ['DOUBLE', Infinity, 'BIGINT', undefined],
  ['DOUBLE', -0, 'BIGINT', 0n],
  ['DOUBLE', 2.5, 'INTEGER', undefined],
  ['DOUBLE', 12, 'INTEGER', 12],
  ['DOUBLE', 0.1, 'DECIMAL(5,2)', '0.10'],
  ['DOUBLE', 0.125, 'DECIMAL(5,2)', undefined],
  ['DOUBLE', 0.1 + 0.2, 'DECIMAL(40,30)', undefined],
  ['DOUBLE', -Infinity, 'DECIMAL(40,30)', undefined],
  ['DOUBLE', 1e21, 'TEXT', '1e+21'],
  ['DOUBLE', -0, 'TEXT', '-0'],
  ['DOUBLE', -Infinity, 'TEXT', '-Infinity'],
  ['DECIMAL(10,2)', '12.50', 'DOUBLE', 12.5],
  ['DECIMAL(20,17)', '0.30000000000000004', 'DOUBLE', undefined],
  ['DECIMAL(20,0)', '9007199254740993', 'DOUBLE', undefined],
  ['DECIMAL(10,2)', '12.50', 'DECIMAL(10,1)', '12.5'],
  ['DECIMAL(10,2)', '12.55', 'DECIMAL(10,1)', undefined],
  ['DECIMAL(10,2)', '12.50', 'DECIMAL(12,4)', '12.5000'],
  ['DECIMAL(10,2)', '12.50', 'DECIMAL(3,2)', undefined],
  ['DECIMAL(10,2)', '12.50', 'INTEGER', undefined],
  ['DECIMAL(10,2)', '-12.00', 'INTEGER', -12],
  ['DECIMAL(10,0)', '-12', 'BIGINT', -12n],
  ['DECIMAL(30,0)', '123456789012345678901', 'BIGINT', undefined],
  ['DECIMAL(10,2)', '12.50', 'TEXT', '12.50'],
  ['TEXT', 'true', 'BOOLEAN', true],
  ['TEXT', 'yes', 'BOOLEAN', undefined],
  ['TEXT', '007', 'INTEGER', 7],
  ['TEXT', ' 7', 'INTEGER', undefined],
  ['TEXT', '', 'INTEGER', undefined],
  ['TEXT', '-9223372036854775808', 'BIGINT', -(2n ** 63n)],
  ['TEXT', '0.10', 'DOUBLE', 0.1],
  ['TEXT', '1e3', 'DOUBLE', 1000],
  ['TEXT', '-0', 'DOUBLE', -0],
  ['TEXT', 'Infinity', 'DOUBLE', Infinity],
  ['TEXT', 'NaN', 'DOUBLE', undefined],
  ['TEXT', '1e999', 'DOUBLE', undefined],
  ['TEXT', '12345678901234567890', 'DOUBLE', undefined],
  ['TEXT', '12.5', 'DECIMAL(5,2)', '12.50'],
  ['TEXT', '12.505', 'DECIMAL(5,2)', undefined],
  ['TEXT', 'abcdef', 'VARCHAR(5)', undefined],
  ['TEXT', '😀😀', 'VARCHAR(2)', '😀😀'],
  ['TEXT', '2026-02-28', 'DATE', '2026-02-28'],
  ['TEXT', '2026-02-29', 'DATE', undefined],
  ['TEXT', '12:00:00.50', 'TIME', '12:00:00.500'],
  ['TEXT', '2026-02-28 12:00:00+02:00', 'TIMESTAMP', '2026-02-28T10:00:00Z'],
  ['TEXT', '00000000000040008000000000000001', 'UUID', '00000000-0000-4000-8000-000000000001'],
  ['TEXT', 'b', "ENUM('a','b')", 'b'],
  ['TEXT', 'B', "ENUM('a','b')", undefined],
  ['TEXT', '{ "a": [1, null] }', 'JSON', { a: [1, null] }],
  ['TEXT', '"7"', 'JSON', '7'],
  ['TEXT', 'null', 'JSON', undefined],
  ['TEXT', 'a', 'JSON', undefined],
  ['TEXT', '{"a":1,"a":2}', 'JSON', undefined],
  ['TEXT', '0.1000000000000000055', 'JSON', undefined],
  ['JSON', { a: ['é'] }, 'TEXT', '{"a":["é"]}'],
  ['JSON', '7', 'TEXT', '"7"'],
  ['JSON', [1, 2, 3], 'VARCHAR(5)', undefined],
  ['DATE', '2026-02-28', 'TIMESTAMP', '2026-02-28T00:00:00Z'],
  ['TIMESTAMP', '2026-02-28T00:00:00Z', 'DATE', '2026-02-28'],
  ['TIMESTAMP', '2026-02-28T00:00:00.001Z', 'DATE', undefined],
  ['TIMESTAMP', '2026-02-28T00:00:00Z', 'TEXT', '2026-02-28T00:00:00Z'],
  ['TIME', '12:00:00', 'VARCHAR(8)', '12:00:00'],
  ['UUID', '00000000-0000-4000-8000-000000000001', 'TEXT', '00000000-0000-4000-8000-000000000001'],
  ["ENUM('a','b')", 'b', 'TEXT', 'b'],
  ["ENUM('a','b')", 'b', "ENUM('b')", 'b'],
  ["ENUM('a','b')", 'a', "ENUM('b')", undefined],
  ['TEXT', null, 'INTEGER', null],
]

for (const [from, value, to, result] of VALUES) {
  const shown = typeof value === 'bigint' || typeof value === 'number' ? String(value) : JSON.stringify(value)
  t.test(`${from} ${shown} as ${to}`, async (t) => {
    const { rewrite, after } = tableOf(from).plan('rows', [setType(to)])
    const row = [1n, value, 'x']
    const convert = (): Value[] =>
      rewrite === undefined
        ? new CompiledTable(after).rows.decode(new CompiledTable(tableOf(from).table('rows')).rows.encode(row))
        : rewrite(row, { uuid: () => '' })
    if (result === undefined) {
      t.throws(convert, { code: 'INVALID_VALUE', message: /^column "value": / })
    } else {
      t.strictSame(convert(), [1n, result, 'x'])
    }
  })
}

const WIDER: readonly ColumnType[] = [
  { kind: 'VARCHAR', length: 80 },
  { kind: 'DECIMAL', precision: 65, scale: 2 },
  { kind: 'DECIMAL', precision: 12, scale: 0 },
]
const ALL_TYPES = [...TYPE_SAMPLES.map(({ type }) => type), ...WIDER, ...TYPES.map(parseColumnType)]

function keyOf(type: ColumnType, value: Value): Buffer | undefined {
  const codec = valueCodec(type)
  if (codec.key === undefined) return undefined
  return new TupleCodec([{ codec, descending: false }]).encode(Buffer.alloc(0), [value], [0])
}

function fieldOf(type: ColumnType, value: Value): Buffer {
  const codec = valueCodec(type)
  if (value === null) return Buffer.alloc(0)
  const buffer = Buffer.alloc(codec.sizeMax(value))
  return buffer.subarray(0, codec.write(value, buffer, 0))
}

function convertedOrRefused(conversion: { convert(value: Value): Value }, value: Value): Value | undefined {
  try {
    return conversion.convert(value)
  } catch (error) {
    if (!isReplogError(error, 'INVALID_VALUE')) throw error
    return undefined
  }
}

t.test('a conversion arrives at a value of the new type, or says that it cannot', async () => {
  for (const { type: from, values, compare } of TYPE_SAMPLES) {
    for (const to of ALL_TYPES) {
      const conversion = conversionOf(from, to)
      if (conversion === undefined) continue
      const what = `${formatColumnType(from)} to ${formatColumnType(to)}`
      fc.assert(
        fc.property(values, values, (value, other) => {
          const result = convertedOrRefused(conversion, value)
          if (conversion.isInstant) {
            assert.notEqual(result, undefined, what)
            assert.ok(fieldOf(to, result!).equals(fieldOf(from, value)), `${what}: the bytes of a row`)
            const key = keyOf(from, value)
            if (key !== undefined) assert.ok(keyOf(to, result!)!.equals(key), `${what}: the bytes of a key`)
          }
          if (result === undefined) return
          const codec = valueCodec(to)
          assert.deepEqual(codec.accept(codec.toJson(result!)), result, `${what}: a value of the type`)
          if (conversion.isReversible) {
            const back = conversionOf(to, from)
            assert.ok(back, `${what}: there is a way back`)
            assert.deepEqual(back.convert(result), value, `${what}: and back`)
          }
          const otherResult = convertedOrRefused(conversion, other)
          if (!conversion.keepsOrder || otherResult === undefined || compare === undefined) return
          const order = keyOf(to, result)!.compare(keyOf(to, otherResult)!)
          // -0 of DOUBLE has no key, and TYPE_SAMPLES has none.
          assert.equal(Math.sign(order), Math.sign(compare(value, other)), `${what}: the order`)
        }),
        { numRuns: 60 },
      )
    }
  }
})

t.test('literals of the column become literals of the new type', async (t) => {
  const catalog = tableOf('INTEGER', { default: 5 })
  catalog.alter('rows', [{ addColumn: { name: 'more', type: 'INTEGER', default: 7 } }])
  const plan = catalog.plan('rows', [setType('BIGINT'), { setType: { column: 'more', type: 'BIGINT' } }])
  t.equal(plan.rewrite, undefined)
  t.match(valueColumn(plan.after), { id: 3, type: { kind: 'BIGINT' }, default: { literal: '"5"' }, addedInVersion: 1 })
  t.match(plan.after.columns[3], { default: { literal: '"7"' }, missingValue: '"7"', addedInVersion: 2 })
  const before = new CompiledTable(tableOf('INTEGER').table('rows'))
  const row = new CompiledTable(plan.after).rows.decode(before.rows.encode([1n, 2, 'x']))
  t.strictSame(row, [1n, 2n, 'x', 7n])
  const text = catalog.plan('rows', [setType('TEXT'), { setType: { column: 'more', type: 'TEXT' } }])
  t.match(valueColumn(text.after), { id: 6, default: { literal: '"5"' }, addedInVersion: 3, missingValue: undefined })
  t.match(text.after.columns[3], { id: 7, missingValue: undefined })
  t.strictSame(text.rewrite!([1n, 2, 'x', 7], { uuid: () => '' }), [1n, '2', 'x', '7'])
})

t.test('a default that does not become one of the new type is refused, and what to do is said', async (t) => {
  t.throws(() => tableOf('TEXT', { default: 'none' }).plan('rows', [setType('INTEGER')]), {
    code: 'INVALID_DEFINITION',
    message: /column "value": the default does not fit: "none" .*; put dropDefault before this change, and setDefault/,
  })
  t.throws(() => tableOf('TIMESTAMP', { default: { function: 'now' } }).plan('rows', [setType('TEXT')]), {
    code: 'INVALID_DEFINITION',
    message: /now does not give a TEXT; put dropDefault before/,
  })
  const { after } = tableOf('DATE', { default: { function: 'now' } }).plan('rows', [setType('TIMESTAMP')])
  t.strictSame(valueColumn(after).default, { function: 'NOW' })
  const replaced = tableOf('TEXT', { default: 'none' }).plan('rows', [
    { dropDefault: { column: 'value' } },
    setType('INTEGER'),
    { setDefault: { column: 'value', default: 0 } },
  ])
  t.strictSame(valueColumn(replaced.after).default, { literal: '0' })
})

t.test('there and back is nothing, unless the way loses how a value was written', async (t) => {
  const ways: Record<string, readonly [string[], string]> = {
    'INTEGER, BIGINT': [['BIGINT', 'INTEGER'], 'nothing'],
    'INTEGER, TEXT': [['TEXT', 'INTEGER'], 'nothing'],
    'INTEGER, BIGINT, TEXT': [['BIGINT', 'TEXT', 'INTEGER'], 'nothing'],
    'INTEGER, TEXT, BIGINT': [['TEXT', 'BIGINT'], 'instant'],
    'VARCHAR(10), TEXT, VARCHAR(20)': [['TEXT', 'VARCHAR(20)'], 'instant'],
    'VARCHAR(10), VARCHAR(5), VARCHAR(10)': [['VARCHAR(5)', 'VARCHAR(10)'], 'nothing'],
    'TEXT, INTEGER, TEXT': [['INTEGER', 'TEXT'], 'rewrite'],
    'DOUBLE, INTEGER, DOUBLE': [['INTEGER', 'DOUBLE'], 'rewrite'],
    'DOUBLE, TEXT, DOUBLE': [['TEXT', 'DOUBLE'], 'nothing'],
    'INTEGER, BIGINT, VARCHAR(5)': [['BIGINT', 'VARCHAR(5)'], 'rewrite'],
  }
  for (const [way, [types, outcome]] of Object.entries(ways)) {
    const plan = tableOf(way.split(', ')[0]!).plan('rows', types.map(setType))
    t.equal(plan.isChanged ? (plan.rewrite === undefined ? 'instant' : 'rewrite') : 'nothing', outcome, way)
    t.equal(valueColumn(plan.after).id, outcome === 'rewrite' ? 5 : 3, way)
  }
  const { rewrite } = tableOf('TEXT').plan('rows', [setType('INTEGER'), setType('TEXT')])
  t.strictSame(rewrite!([1n, '007', 'x'], { uuid: () => '' }), [1n, '7', 'x'])
})

t.test('a column that is dropped after its conversion needs no rewrite', async (t) => {
  const { rewrite, after } = tableOf('TEXT').plan('rows', [setType('INTEGER'), { dropColumn: { name: 'value' } }])
  t.equal(rewrite, undefined)
  t.equal(after.nextColumnId, 6)
})

t.test('a column of the same list takes any type without a rewrite', async (t) => {
  const catalog = tableOf('TEXT')
  const retype = (to: string): AlterTableChange => ({ setType: { column: 'new', type: to } })
  const add = (type: string, value: Value): AlterTableChange => ({ addColumn: { name: 'new', type, default: value } })
  const { after, rewrite } = catalog.plan('rows', [add('INTEGER', 5), retype('TEXT')])
  t.equal(rewrite, undefined)
  t.match(after.columns[3], { id: 5, type: { kind: 'TEXT' }, missingValue: '"5"', default: { literal: '"5"' } })
  t.throws(() => catalog.plan('rows', [add('TEXT', 'a'), { dropDefault: { column: 'new' } }, retype('INTEGER')]), {
    code: 'INVALID_DEFINITION',
    message: /column "new": what it was added with does not fit: "a" .*; add it with the type and the default/,
  })
  const uuids = catalog.plan('rows', [
    { addColumn: { name: 'new', type: 'UUID', default: { function: 'uuid' } } },
    { dropDefault: { column: 'new' } },
    retype('TEXT'),
  ])
  const uuid = '00000000-0000-4000-8000-000000000001'
  t.strictSame(uuids.rewrite!([1n, 'a', 'x'], { uuid: () => uuid }), [1n, 'a', 'x', uuid])
})

function goods(): TinyCatalog {
  const catalog = new TinyCatalog()
  catalog.create({
    name: 'groups',
    columns: [
      { name: 'code', type: 'VARCHAR(10)' },
      { name: 'number', type: 'INTEGER' },
    ],
    primaryKey: ['code'],
    indexes: [{ name: 'number', columns: ['number'], unique: true }],
  })
  catalog.create({
    name: 'goods',
    columns: [
      { name: 'id', type: 'INTEGER' },
      { name: 'group', type: 'VARCHAR(10)' },
      { name: 'number', type: 'INTEGER' },
      { name: 'price', type: 'INTEGER', notNull: true },
      { name: 'cost', type: 'INTEGER' },
      { name: 'day', type: 'DATE' },
      { name: 'code', type: 'TEXT' },
    ],
    primaryKey: ['id'],
    indexes: [{ name: 'price', columns: [{ column: 'price', descending: true }, 'code'] }],
    foreignKeys: [
      { name: 'to_group', columns: ['group'], references: { table: 'groups' } },
      { name: 'to_number', columns: ['number'], references: { table: 'groups', columns: ['number'] } },
    ],
    checks: [
      { name: 'positive', expression: { gt: [{ column: 'price' }, 0] } },
      { name: 'gain', expression: { le: [{ column: 'cost' }, { column: 'price' }] } },
      {
        name: 'known',
        expression: { or: [{ in: [{ column: 'code' }, ['7', '8']] }, { not: { eq: [{ column: 'code' }, '9'] } }] },
      },
      { name: 'century', expression: { between: [{ column: 'day' }, '2000-01-01', '2099-12-31'] } },
      { name: 'some', expression: { and: [{ isNull: { column: 'cost' } }, { like: [{ column: 'code' }, '%'] }] } },
    ],
  })
  return catalog
}

function typed(column: string, type: string): AlterTableChange {
  return { setType: { column, type } }
}

t.test('keys, indexes and checks follow a column to its new id', async (t) => {
  const catalog = goods()
  const { after, rewrite, newIndexIds, newCheckIds, notNullColumnIds } = catalog.plan('goods', [
    { dropCheck: { name: 'gain' } },
    { dropCheck: { name: 'some' } },
    typed('id', 'TEXT'),
    typed('price', 'DECIMAL(12,2)'),
    typed('code', 'BIGINT'),
    typed('day', 'TIMESTAMP'),
  ])
  t.ok(rewrite)
  t.strictSame([newIndexIds, notNullColumnIds], [[], []])
  t.strictSame(newCheckIds, [3, 5, 6], 'what the converted values are to fulfil')
  const definition = catalog.definition(after)
  t.match(definition, {
    primaryKey: ['id'],
    indexes: [{ columns: [{ column: 'price', descending: true }, 'code'] }, {}, {}],
  })
  t.strictSame(definition.checks, [
    { name: 'positive', expression: { gt: [{ column: 'price' }, '0.00'] } },
    {
      name: 'known',
      expression: { or: [{ in: [{ column: 'code' }, ['7', '8']] }, { not: { eq: [{ column: 'code' }, '9'] } }] },
    },
    {
      name: 'century',
      expression: { between: [{ column: 'day' }, '2000-01-01T00:00:00Z', '2099-12-31T00:00:00Z'] },
    },
  ])
  t.ok(new CompiledTable(after))
})

t.test('an instant change asks nothing of the rows', async (t) => {
  const { after, ...plan } = goods().plan('goods', [
    typed('id', 'BIGINT'),
    typed('price', 'BIGINT'),
    typed('code', 'TEXT'),
    typed('group', 'TEXT'),
  ])
  t.match(plan, { rewrite: undefined, newIndexIds: [], newCheckIds: [], newForeignKeyIds: [], notNullColumnIds: [] })
  t.strictSame(after.checks[0]!.expression, {
    comparison: { left: { columnId: 5 }, operator: 'GT', right: { literal: '"0"' } },
  })
})

const REFUSED: readonly (readonly [what: string, table: string, change: AlterTableChange, message: RegExp])[] = [
  [
    'a foreign key',
    'goods',
    typed('number', 'BIGINT'),
    /"number" is part of the foreign key "to_number"; drop that first and add it again after the change/,
  ],
  [
    'what a foreign key refers to',
    'groups',
    typed('number', 'TEXT'),
    /"number" is part of the foreign key "to_number" of table test.goods; drop that first/,
  ],
  [
    'a shorter text of a foreign key',
    'groups',
    typed('code', 'VARCHAR(9)'),
    /the foreign key "to_group" of table test.goods/,
  ],
  [
    'a key',
    'goods',
    typed('code', 'JSON'),
    /"code" is part of the index "price", and JSON has no order; drop that first/,
  ],
  [
    'an order that another type does not keep',
    'goods',
    typed('price', 'TEXT'),
    /"price" is part of the check "positive": it compares by order, and values of TEXT stand in another order; drop/,
  ],
  ['two columns of a comparison', 'goods', typed('cost', 'DECIMAL(12,2)'), /"cost" is part of the check "gain": /],
  [
    'a pattern',
    'goods',
    typed('code', 'INTEGER'),
    /"code" is part of the check "some": .*VARCHAR and TEXT have patterns/,
  ],
]

for (const [what, table, change, message] of REFUSED) {
  t.test(`refused: ${what}`, async (t) => {
    t.throws(() => goods().plan(table, [change]), { code: 'DEPENDENT_OBJECTS', message })
  })
}

t.test('refused: a literal that the new type does not hold', async (t) => {
  const catalog = goods()
  catalog.alter('goods', [{ dropCheck: { name: 'some' } }])
  t.throws(() => catalog.plan('goods', [typed('code', "ENUM('7','8')")]), {
    code: 'DEPENDENT_OBJECTS',
    message:
      /"code" is part of the check "known": its literal "9" does not fit: ENUM holds one of .*; drop that check first/,
  })
  const { after } = catalog.plan('goods', [typed('code', "ENUM('7','8','9')")])
  t.match(after.checks[2], { name: 'known', expression: { or: [{ in: { values: ['"7"', '"8"'] } }, {}] } })
})

t.test('texts of a foreign key may grow on either side', async (t) => {
  const catalog = goods()
  t.equal(catalog.plan('goods', [typed('group', 'VARCHAR(99)')]).rewrite, undefined)
  t.equal(catalog.plan('groups', [typed('code', 'TEXT')]).rewrite, undefined)
})

t.test('AUTO_INCREMENT stays an integer', async (t) => {
  const catalog = new TinyCatalog()
  catalog.create({
    name: 'rows',
    columns: [{ name: 'id', type: 'INTEGER', autoIncrement: true }],
    primaryKey: ['id'],
  })
  t.equal(catalog.plan('rows', [typed('id', 'BIGINT')]).rewrite, undefined)
  t.throws(() => catalog.plan('rows', [typed('id', 'DOUBLE')]), {
    code: 'INVALID_DEFINITION',
    message: /"id" is AUTO_INCREMENT, which needs INTEGER or BIGINT/,
  })
})

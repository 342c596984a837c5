/** What each column type takes and refuses, at and just past every bound. */
import fc from 'fast-check'
import t from 'tap'
import { ENUM_LABELS_MAX, VARCHAR_LENGTH_MAX } from '../../core/limits.js'
import type { ColumnType, JsonValue } from '../../log/codec/column-type.js'
import { formatColumnType, parseColumnType } from '../../log/codec/types/sql-text.js'
import { valueCodec } from '../../log/codec/type-codecs.js'
import type { StoredValue } from '../../log/codec/value-codec.js'
import { JSON_VALUES_MAX } from '../../core/limits.js'
import { timestampOf } from '../../log/codec/types/timestamp.js'
import { TYPE_SAMPLES } from './values-arbitraries.js'

class Point {
  readonly x = 1
}

const cycle: unknown[] = []
cycle.push(cycle)
let shared: unknown = 1
for (let level = 0; level < 60; level++) shared = [shared, shared]

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { in: value }
  return value
}

const REFUSED = Symbol('refused')

/** type, input, and the stored value or REFUSED */
const TAKES: [string, unknown, unknown][] = [
  ['BOOLEAN', true, true],
  ['BOOLEAN', false, false],
  ['BOOLEAN', 1, REFUSED],
  ['BOOLEAN', 'true', REFUSED],

  ['INTEGER', 2147483647, 2147483647],
  ['INTEGER', -2147483648, -2147483648],
  ['INTEGER', 2147483648, REFUSED],
  ['INTEGER', -2147483649, REFUSED],
  ['INTEGER', 4294967296, REFUSED],
  ['INTEGER', -0, 0],
  ['INTEGER', 1.5, REFUSED],
  ['INTEGER', NaN, REFUSED],
  ['INTEGER', Infinity, REFUSED],
  ['INTEGER', 2147483647n, 2147483647],
  ['INTEGER', 2147483648n, REFUSED],
  ['INTEGER', '-12', -12],
  ['INTEGER', '2147483648', REFUSED],
  ['INTEGER', '1.0', REFUSED],
  ['INTEGER', '1e3', REFUSED],
  ['INTEGER', ' 1', REFUSED],
  ['INTEGER', '', REFUSED],
  ['INTEGER', '0x10', REFUSED],
  ['INTEGER', true, REFUSED],
  ['INTEGER', null, REFUSED],
  ['INTEGER', undefined, REFUSED],

  ['BIGINT', 9223372036854775807n, 9223372036854775807n],
  ['BIGINT', -9223372036854775808n, -9223372036854775808n],
  ['BIGINT', 9223372036854775808n, REFUSED],
  ['BIGINT', -9223372036854775809n, REFUSED],
  ['BIGINT', '9223372036854775807', 9223372036854775807n],
  ['BIGINT', '9223372036854775808', REFUSED],
  ['BIGINT', '9'.repeat(1_000_000), REFUSED],
  ['BIGINT', 9007199254740991, 9007199254740991n],
  ['BIGINT', 9007199254740992, REFUSED],
  ['BIGINT', -0, 0n],
  ['BIGINT', 0.5, REFUSED],
  ['BIGINT', '1n', REFUSED],

  ['DOUBLE', 0.1, 0.1],
  ['DOUBLE', -0, -0],
  ['DOUBLE', '-0', -0],
  ['DOUBLE', 'Infinity', Infinity],
  ['DOUBLE', '-Infinity', -Infinity],
  ['DOUBLE', Infinity, Infinity],
  ['DOUBLE', NaN, REFUSED],
  ['DOUBLE', 'NaN', REFUSED],
  ['DOUBLE', '1.5', REFUSED],
  ['DOUBLE', 9007199254740992n, 9007199254740992],
  ['DOUBLE', 9007199254740993n, REFUSED],
  ['DOUBLE', 2n ** 1024n, REFUSED],

  ['DECIMAL(5,2)', '999.99', '999.99'],
  ['DECIMAL(5,2)', '-999.99', '-999.99'],
  ['DECIMAL(5,2)', '1000', REFUSED],
  ['DECIMAL(5,2)', '1', '1.00'],
  ['DECIMAL(5,2)', '+001.5', '1.50'],
  ['DECIMAL(5,2)', '1.500000', '1.50'],
  ['DECIMAL(5,2)', '1.505', REFUSED],
  ['DECIMAL(5,2)', '-0.00', '0.00'],
  ['DECIMAL(5,2)', '-0', '0.00'],
  ['DECIMAL(5,2)', '', REFUSED],
  ['DECIMAL(5,2)', '.5', REFUSED],
  ['DECIMAL(5,2)', '5.', REFUSED],
  ['DECIMAL(5,2)', '1e2', REFUSED],
  ['DECIMAL(5,2)', '0'.repeat(100_000) + 'x', REFUSED],
  ['DECIMAL(5,2)', 999n, '999.00'],
  ['DECIMAL(5,2)', -1000n, REFUSED],
  ['DECIMAL(5,2)', 10n ** 100n, REFUSED],
  ['DECIMAL(5,2)', 12.5, '12.50'],
  ['DECIMAL(5,2)', -0.01, '-0.01'],
  ['DECIMAL(5,2)', -0, '0.00'],
  ['DECIMAL(5,2)', 0.1 + 0.2, REFUSED],
  ['DECIMAL(5,2)', 0.001, REFUSED],
  ['DECIMAL(5,2)', NaN, REFUSED],
  ['DECIMAL(5,2)', -Infinity, REFUSED],
  ['DECIMAL(30,10)', 1e-7, '0.0000001000'],
  ['DECIMAL(30,10)', 1.5e-9, '0.0000000015'],
  ['DECIMAL(30,10)', 9007199254740991, '9007199254740991.0000000000'],
  ['DECIMAL(30,10)', 9007199254740994, REFUSED],
  ['DECIMAL(30,0)', 1e21, '1000000000000000000000'],
  ['DECIMAL(30,0)', 1.23e25, '12300000000000000000000000'],
  ['DECIMAL(2,2)', '0.99', '0.99'],
  ['DECIMAL(2,2)', '-0.99', '-0.99'],
  ['DECIMAL(2,2)', '1.00', REFUSED],
  ['DECIMAL(3,0)', '-999', '-999'],
  ['DECIMAL(3,0)', '7.000', '7'],
  ['DECIMAL(65,0)', '9'.repeat(65), '9'.repeat(65)],
  ['DECIMAL(65,0)', '9'.repeat(66), REFUSED],

  ['VARCHAR(3)', 'abc', 'abc'],
  ['VARCHAR(3)', 'abcd', REFUSED],
  ['VARCHAR(3)', '😀😀😀', '😀😀😀'],
  ['VARCHAR(3)', '😀😀😀😀', REFUSED],
  ['VARCHAR(3)', '😀😀aa', REFUSED],
  ['VARCHAR(3)', 'a\0b', 'a\0b'],
  ['VARCHAR(3)', '', ''],
  ['VARCHAR(3)', '\ud800', REFUSED],
  ['VARCHAR(3)', '\ude00\ud83d', REFUSED],
  ['VARCHAR(3)', 5, REFUSED],
  ['VARCHAR(65535)', '😀'.repeat(VARCHAR_LENGTH_MAX), '😀'.repeat(VARCHAR_LENGTH_MAX)],
  ['VARCHAR(65535)', '😀'.repeat(VARCHAR_LENGTH_MAX) + 'a', REFUSED],
  ['TEXT', 'x'.repeat(100_000), 'x'.repeat(100_000)],
  ['TEXT', 'x\udfff', REFUSED],

  ['BLOB', Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
  ['BLOB', Buffer.of(0, 255), Uint8Array.of(0, 255)],
  ['BLOB', '', new Uint8Array(0)],
  ['BLOB', '+/8=', Uint8Array.of(0xfb, 0xff)],
  ['BLOB', '-_8=', REFUSED],
  ['BLOB', '+/8', REFUSED],
  ['BLOB', '+/9=', REFUSED],
  ['BLOB', ' +/8=', REFUSED],
  ['BLOB', [1, 2], REFUSED],
  ['BLOB', new ArrayBuffer(2), REFUSED],

  ['DATE', '0001-01-01', '0001-01-01'],
  ['DATE', '9999-12-31', '9999-12-31'],
  ['DATE', '0000-12-31', REFUSED],
  ['DATE', '10000-01-01', REFUSED],
  ['DATE', '2023-02-29', REFUSED],
  ['DATE', '2024-02-29', '2024-02-29'],
  ['DATE', '1900-02-29', REFUSED],
  ['DATE', '2000-02-29', '2000-02-29'],
  ['DATE', '2024-02-30', REFUSED],
  ['DATE', '2024-04-31', REFUSED],
  ['DATE', '2024-00-10', REFUSED],
  ['DATE', '2024-13-10', REFUSED],
  ['DATE', '2024-01-00', REFUSED],
  ['DATE', '2024-1-1', REFUSED],
  ['DATE', '2024/01/01', REFUSED],
  ['DATE', '2024-01-01T00:00:00Z', REFUSED],
  ['DATE', new Date('2024-05-06T00:00:00Z'), '2024-05-06'],
  ['DATE', new Date('2024-05-06T00:00:00.001Z'), REFUSED],
  ['DATE', new Date('+010000-01-01T00:00:00Z'), REFUSED],
  ['DATE', new Date(NaN), REFUSED],

  ['TIME', '00:00:00', '00:00:00'],
  ['TIME', '23:59:59.999999', '23:59:59.999999'],
  ['TIME', '24:00:00', REFUSED],
  ['TIME', '23:60:00', REFUSED],
  ['TIME', '23:59:60', REFUSED],
  ['TIME', '12:30', REFUSED],
  ['TIME', '12:30:00.', REFUSED],
  ['TIME', '12:30:00.5', '12:30:00.500'],
  ['TIME', '12:30:00.0001', '12:30:00.000100'],
  ['TIME', '12:30:00.000', '12:30:00'],
  ['TIME', '12:30:00.123456000', '12:30:00.123456'],
  ['TIME', '12:30:00.1234567', REFUSED],
  ['TIME', '12:30:00Z', REFUSED],

  ['TIMESTAMP', '0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
  ['TIMESTAMP', '9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'],
  ['TIMESTAMP', '0001-01-01T00:00:00+00:01', REFUSED],
  ['TIMESTAMP', '9999-12-31T23:59:59-00:01', REFUSED],
  ['TIMESTAMP', '2026-11-20 10:00:00', '2026-11-20T10:00:00Z'],
  ['TIMESTAMP', '2026-11-20T10:00:00.120', '2026-11-20T10:00:00.120Z'],
  ['TIMESTAMP', '2026-11-20T10:00:00.12Z', '2026-11-20T10:00:00.120Z'],
  ['TIMESTAMP', '2026-11-20T10:00:00.1234567Z', REFUSED],
  ['TIMESTAMP', '2026-11-20T10:00:00.123456000Z', '2026-11-20T10:00:00.123456Z'],
  ['TIMESTAMP', '2026-01-01T00:30:00+02:00', '2025-12-31T22:30:00Z'],
  ['TIMESTAMP', '2024-02-28T23:30:00-0100', '2024-02-29T00:30:00Z'],
  ['TIMESTAMP', '2024-02-28T23:30:00+01', '2024-02-28T22:30:00Z'],
  ['TIMESTAMP', '2024-02-28T23:30:00+24:00', REFUSED],
  ['TIMESTAMP', '2024-02-28T23:30:00+01:60', REFUSED],
  ['TIMESTAMP', '2024-02-28T23:30:00+1', REFUSED],
  ['TIMESTAMP', '2024-02-28T23:30:00Z ', REFUSED],
  ['TIMESTAMP', '2024-02-30T23:30:00Z', REFUSED],
  ['TIMESTAMP', '2024-02-28T24:00:00Z', REFUSED],
  ['TIMESTAMP', '2024-02-28', REFUSED],
  ['TIMESTAMP', '2024-02-28x00:00:00Z', REFUSED],
  ['TIMESTAMP', 1700000000000, REFUSED],
  ['TIMESTAMP', new Date(1), '1970-01-01T00:00:00.001Z'],
  ['TIMESTAMP', new Date(-1), '1969-12-31T23:59:59.999Z'],
  ['TIMESTAMP', new Date(NaN), REFUSED],
  ['TIMESTAMP', new Date(8.64e15), REFUSED],

  ['UUID', '00112233-4455-6677-8899-AABBCCDDEEFF', '00112233-4455-6677-8899-aabbccddeeff'],
  ['UUID', '00112233445566778899aabbccddeeff', '00112233-4455-6677-8899-aabbccddeeff'],
  ['UUID', '00112233-4455-6677-8899-aabbccddeef', REFUSED],
  ['UUID', '0011223-34455-6677-8899-aabbccddeeff', REFUSED],
  ['UUID', '{00112233-4455-6677-8899-aabbccddeeff}', REFUSED],
  ['UUID', '00112233-4455-6677-8899-aabbccddeefg', REFUSED],
  ['UUID', new Uint8Array(16), REFUSED],

  ["ENUM('a','b')", 'b', 'b'],
  ["ENUM('a','b')", 'B', REFUSED],
  ["ENUM('a','b')", 2, REFUSED],

  ['JSON', 'text', 'text'],
  ['JSON', false, false],
  ['JSON', -0, 0],
  ['JSON', { a: [-0, null] }, { a: [0, null] }],
  ['JSON', nested(100), nested(100)],
  ['JSON', nested(101), REFUSED],
  ['JSON', 9007199254740991, 9007199254740991],
  ['JSON', 9007199254740992, REFUSED],
  ['JSON', 0.1, 0.1],
  ['JSON', null, REFUSED],
  ['JSON', undefined, REFUSED],
  ['JSON', { a: undefined }, REFUSED],
  ['JSON', [undefined], REFUSED],
  ['JSON', Object.assign(new Array(3), [1]), REFUSED],
  ['JSON', Object.assign([1], { extra: 1 }), REFUSED],
  ['JSON', { [Symbol('key')]: 1 }, REFUSED],
  ['JSON', 1n, REFUSED],
  ['JSON', NaN, REFUSED],
  ['JSON', [Infinity], REFUSED],
  ['JSON', () => 1, REFUSED],
  ['JSON', new Point(), REFUSED],
  ['JSON', new Date(0), REFUSED],
  ['JSON', new Map(), REFUSED],
  ['JSON', Uint8Array.of(1), REFUSED],
  ['JSON', cycle, REFUSED],
  ['JSON', ['\ud800'], REFUSED],
  ['JSON', { '\ud800': 1 }, REFUSED],
]

for (const [text, input, expected] of TAKES) {
  const shown = typeof input === 'symbol' ? 'a symbol' : short(input)
  t.test(`${text} ${expected === REFUSED ? 'refuses' : 'takes'} ${shown}, never loses a digit`, (t) => {
    const codec = valueCodec(parseColumnType(text))
    if (expected === REFUSED) {
      t.throws(() => codec.accept(input), { code: 'INVALID_VALUE', message: /does not fit: [A-Z]+.* holds / })
    } else {
      const value = codec.accept(input)
      t.strictSame(value, expected)
      if (typeof expected === 'number') t.ok(Object.is(value, expected), 'the sign of zero too')
      t.strictSame(codec.accept(value), value, 'what is stored is taken again as it is')
    }
    t.end()
  })
}

function short(input: unknown): string {
  if (typeof input === 'bigint') return input.toString().slice(0, 40)
  if (typeof input === 'string') return JSON.stringify(input.slice(0, 40))
  return typeof input === 'object' && input !== null
    ? Object.prototype.toString.call(input)
    : String(input).slice(0, 40)
}

t.test('every value comes back from its JSON form, through JSON text', (t) => {
  for (const { type, values } of TYPE_SAMPLES) {
    const codec = valueCodec(type)
    fc.assert(
      fc.property(values, (value) => {
        t.strictSame(codec.accept(value), value)
        const json = JSON.parse(JSON.stringify(codec.toJson(value))) as JsonValue
        t.strictSame(codec.accept(json), value)
      }),
      { numRuns: 50 },
    )
  }
  const double = valueCodec({ kind: 'DOUBLE' })
  for (const value of [-0, Infinity, -Infinity]) {
    t.ok(Object.is(double.accept(JSON.parse(JSON.stringify(double.toJson(value)))), value))
  }
  t.end()
})

t.test('a caller that changes its input later does not change what was accepted', (t) => {
  const bytes = Buffer.of(1)
  const blob = valueCodec({ kind: 'BLOB' }).accept(bytes)
  bytes[0] = 2
  t.strictSame(blob, Uint8Array.of(1))
  const object = { list: [{ deep: 1 }] }
  const json = valueCodec({ kind: 'JSON' }).accept(object)
  object.list[0]!.deep = 2
  t.strictSame(json, { list: [{ deep: 1 }] })
  t.end()
})

t.test('a "__proto__" key of a JSON value survives as data', (t) => {
  const input: unknown = JSON.parse('{"a":1,"__proto__":{"polluted":true}}')
  const value = valueCodec({ kind: 'JSON' }).accept(input)
  t.equal(JSON.stringify(value), '{"a":1,"__proto__":{"polluted":true}}')
  t.equal(Object.getPrototypeOf(value), Object.prototype)
  t.equal(({} as { polluted?: boolean }).polluted, undefined)
  t.end()
})

t.test('a JSON value whose shared parts multiply is TOO_LARGE, not an endless walk', (t) => {
  const json = valueCodec({ kind: 'JSON' })
  t.throws(() => json.accept(shared), { code: 'TOO_LARGE' })
  const most = new Array<number>(JSON_VALUES_MAX - 1).fill(0)
  t.equal((json.accept(most) as JsonValue[]).length, JSON_VALUES_MAX - 1)
  t.throws(() => json.accept([...most, 0]), { code: 'TOO_LARGE' })
  t.end()
})

t.test('the clock becomes the TIMESTAMP of its microsecond', (t) => {
  t.equal(timestampOf(0n), '1970-01-01T00:00:00Z')
  t.equal(timestampOf(-1n), '1969-12-31T23:59:59.999999Z')
  t.equal(timestampOf(253_402_300_799_999_999n), '9999-12-31T23:59:59.999999Z')
  t.equal(timestampOf(-62_135_596_800_000_000n), '0001-01-01T00:00:00Z')
  t.throws(() => timestampOf(253_402_300_800_000_000n), { code: 'ERR_ASSERTION' })
  t.end()
})

const DEFINITIONS: [string, ColumnType][] = [
  ['boolean', { kind: 'BOOLEAN' }],
  ['  BigInt ', { kind: 'BIGINT' }],
  ['VARCHAR(1)', { kind: 'VARCHAR', length: 1 }],
  ['varchar ( 65535 )', { kind: 'VARCHAR', length: VARCHAR_LENGTH_MAX }],
  ['decimal(10, 2)', { kind: 'DECIMAL', precision: 10, scale: 2 }],
  ['DECIMAL(65,65)', { kind: 'DECIMAL', precision: 65, scale: 65 }],
  ['DECIMAL(7)', { kind: 'DECIMAL', precision: 7, scale: 0 }],
  ["enum( 'a' , 'b''c', ',)' )", { kind: 'ENUM', labels: ['a', "b'c", ',)'] }],
  ["ENUM('A(')", { kind: 'ENUM', labels: ['A('] }],
]

for (const [text, type] of DEFINITIONS) {
  t.test(`the type text ${text} is read, and written so that it is read again`, (t) => {
    t.strictSame(parseColumnType(text), type)
    t.strictSame(parseColumnType(formatColumnType(type)), type)
    t.strictSame(valueCodec(type).type, type)
    t.end()
  })
}

const REFUSED_DEFINITIONS: [string, RegExp][] = [
  ['INT', /did you mean INTEGER\?/],
  ['datetime', /did you mean TIMESTAMP\?/],
  ['TIMESTAMPTZ', /did you mean TIMESTAMP\?/],
  ['NUMERIC(10,2)', /did you mean DECIMAL\(precision,scale\)\?/],
  ['DOUBLE PRECISION', /did you mean DOUBLE\?/],
  ['BLOOB', /did you mean BLOB\?/],
  ['', /did you mean/],
  ['constructor', /did you mean/],
  [`INTEGER${' '.repeat(100_000)}!`, /did you mean INTEGER\?/],
  ['VARCHAR', /write VARCHAR\(length\)/],
  ['VARCHAR(0)', /length is an integer from 1 to 65535/],
  ['VARCHAR(65536)', /use TEXT/],
  ['VARCHAR(1,2)', /write VARCHAR\(length\)/],
  ['VARCHAR(-1)', /write VARCHAR\(length\)/],
  ['DECIMAL', /write DECIMAL\(precision,scale\)/],
  ['DECIMAL(0,0)', /precision is an integer from 1 to 65/],
  ['DECIMAL(66,0)', /precision is an integer from 1 to 65/],
  ['DECIMAL(5,6)', /scale is an integer from 0 to the precision, 5/],
  ['TEXT(5)', /write TEXT/],
  ['ENUM', /write ENUM/],
  ['ENUM()', /write ENUM/],
  ["ENUM('a',)", /write ENUM/],
  ["ENUM('a' 'b')", /write ENUM/],
  ["ENUM('a','a')", /occurs twice/],
  ["ENUM('')", /not a well-formed text/],
  ["ENUM('\ud800')", /not a well-formed text/],
]

for (const [text, message] of REFUSED_DEFINITIONS) {
  t.test(`the type text "${text.slice(0, 20)}" is refused with advice`, (t) => {
    t.throws(() => parseColumnType(text), { code: 'INVALID_DEFINITION', message })
    t.end()
  })
}

t.test('parameters that did not come from text are checked as well', (t) => {
  const refused: ColumnType[] = [
    { kind: 'VARCHAR', length: 1.5 },
    { kind: 'VARCHAR', length: NaN },
    { kind: 'DECIMAL', precision: 5, scale: -1 },
    { kind: 'DECIMAL', precision: 5.5, scale: 0 },
    { kind: 'ENUM', labels: [] },
    { kind: 'ENUM', labels: Array.from({ length: ENUM_LABELS_MAX + 1 }, (_, index) => `label ${index}`) },
  ]
  for (const type of refused) t.throws(() => valueCodec(type), { code: 'INVALID_DEFINITION' })
  const most = Array.from({ length: ENUM_LABELS_MAX }, (_, index) => `label ${index}`)
  t.equal(valueCodec({ kind: 'ENUM', labels: most }).accept(`label ${ENUM_LABELS_MAX - 1}`), most.at(-1))
  t.end()
})

t.test('a type and its text are one for all labels', (t) => {
  const labels = fc.uniqueArray(fc.string({ unit: 'binary', minLength: 1 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(labels, (labels) => {
      t.strictSame(parseColumnType(formatColumnType({ kind: 'ENUM', labels })), { kind: 'ENUM', labels })
    }),
  )
  t.end()
})

t.test('the labels of a codec do not follow a later change of the list they came from', (t) => {
  const labels = ['a', 'b']
  const codec = valueCodec({ kind: 'ENUM', labels })
  labels.reverse()
  const stored: StoredValue = codec.accept('a')
  const buffer = Buffer.alloc(codec.sizeMax(stored))
  t.equal(codec.write(stored, buffer, 0), 1)
  t.equal(buffer[0], 1)
  t.end()
})

/** Key tuples: order of bytes is order of values; every part shows its own end. */
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { KEY_BYTES_MAX, KEY_COLUMNS_MAX } from '../../core/limits.js'
import type { ColumnType, Value } from '../../log/codec/column-type.js'
import { TupleCodec } from '../../log/codec/tuple.js'
import { parseColumnType } from '../../log/codec/types/sql-text.js'
import { valueCodec } from '../../log/codec/type-codecs.js'
import type { StoredValue } from '../../log/codec/value-codec.js'
import { mutated, TYPE_SAMPLES } from './values-arbitraries.js'

const NOTHING = new Uint8Array(0)
const KEY_SAMPLES = TYPE_SAMPLES.filter(({ compare }) => compare !== undefined)

interface Column {
  readonly sample: (typeof KEY_SAMPLES)[number]
  readonly descending: boolean
}

function tupleCodec(columns: readonly Column[]): TupleCodec {
  return new TupleCodec(columns.map(({ sample, descending }) => ({ codec: valueCodec(sample.type), descending })))
}

function tuple(type: ColumnType, descending = false): TupleCodec {
  return new TupleCodec([{ codec: valueCodec(type), descending }])
}

/** Order of two tuples by their values: NULL first, a descending column in reverse. */
function valueOrder(columns: readonly Column[], left: readonly Value[], right: readonly Value[]): number {
  for (const [index, { sample, descending }] of columns.entries()) {
    const [l, r] = [left[index] as Value, right[index] as Value]
    const order = l === null || r === null ? Number(r === null) - Number(l === null) : sample.compare!(l, r)
    if (order !== 0) return descending ? -order : order
  }
  return 0
}

function sign(order: number): number {
  return order < 0 ? -1 : order > 0 ? 1 : 0
}

/** Two values of a column, often equal, sometimes NULL. */
function pairOf(values: fc.Arbitrary<StoredValue>): fc.Arbitrary<[Value, Value]> {
  const value = fc.option<Value>(values, { freq: 8 })
  return fc.oneof(
    { weight: 3, arbitrary: fc.tuple(value, value) },
    { weight: 1, arbitrary: value.map((same): [Value, Value] => [same, same]) },
  )
}

for (const sample of KEY_SAMPLES) {
  const name =
    sample.type.kind === 'DECIMAL' ? `DECIMAL(${sample.type.precision},${sample.type.scale})` : sample.type.kind
  t.test(`G3: ${name} keys order as their values, both ways, and come back`, (t) => {
    for (const descending of [false, true]) {
      const columns = [{ sample, descending }]
      const codec = tupleCodec(columns)
      fc.assert(
        fc.property(pairOf(sample.values), ([left, right]) => {
          const [l, r] = [codec.encodeValues(NOTHING, [left]), codec.encodeValues(NOTHING, [right])]
          t.equal(sign(Buffer.compare(l, r)), sign(valueOrder(columns, [left], [right])))
          t.strictSame(codec.decode(l, 0), { values: [left], end: l.length })
          t.equal(codec.skip(l, 0), l.length)
        }),
        { numRuns: 150 },
      )
    }
    t.end()
  })
}

const columnLists = fc.array(fc.record({ sample: fc.constantFrom(...KEY_SAMPLES), descending: fc.boolean() }), {
  minLength: 1,
  maxLength: 4,
})
const tuplePairs = columnLists.chain((columns) =>
  fc.tuple(...columns.map(({ sample }) => pairOf(sample.values))).map((pairs) => ({ columns, pairs })),
)

t.test('G3: keys of several columns, ascending and descending mixed, order as their values', (t) => {
  fc.assert(
    fc.property(tuplePairs, ({ columns, pairs }) => {
      const codec = tupleCodec(columns)
      const left = pairs.map((pair) => pair[0])
      const right = pairs.map((pair) => pair[1])
      const [l, r] = [codec.encodeValues(NOTHING, left), codec.encodeValues(NOTHING, right)]
      t.equal(sign(Buffer.compare(l, r)), sign(valueOrder(columns, left, right)))
    }),
    { numRuns: 500 },
  )
  t.end()
})

t.test('the tuple of the first columns is a prefix of the whole tuple, and no part needs a separator', (t) => {
  const wrapping = fc.uint8Array({ maxLength: 8 })
  fc.assert(
    fc.property(tuplePairs, wrapping, wrapping, fc.nat(4), ({ columns, pairs }, prefix, suffix, length) => {
      const codec = tupleCodec(columns)
      const values = pairs.map((pair) => pair[0])
      // The row lists its columns in the reverse of key order, with one more that is not in the key.
      const row = [...values, null].reverse()
      const ordinals = values.map((_, index) => values.length - index)
      const whole = codec.encode(prefix, row, ordinals, suffix)
      const part = codec.encodeValues(prefix, values.slice(0, length))
      t.ok(whole.subarray(0, part.length).equals(part))
      t.ok(Buffer.from(prefix).equals(whole.subarray(0, prefix.length)))
      const end = whole.length - suffix.length
      t.strictSame(codec.decode(whole, prefix.length), { values, end })
      t.strictSame(codec.decode(Uint8Array.from(whole), prefix.length), { values, end })
      t.equal(codec.skip(whole, prefix.length), end)
      t.ok(Buffer.from(suffix).equals(whole.subarray(end)))
      t.ok(codec.encode(prefix, row, ordinals).equals(whole.subarray(0, end)))
    }),
    { numRuns: 300 },
  )
  t.end()
})

t.test('G8: mutated keys throw nothing but CORRUPT, or are the one key of the values they give', (t) => {
  let refused = 0
  const damaged = columnLists.chain((columns) => {
    const values = fc.tuple(...columns.map(({ sample }) => fc.option<Value>(sample.values as fc.Arbitrary<Value>)))
    const codec = tupleCodec(columns)
    return mutated(values.map((values) => codec.encodeValues(NOTHING, values))).map((bytes) => ({ codec, bytes }))
  })
  fc.assert(
    fc.property(damaged, ({ codec, bytes }) => {
      let decoded
      try {
        decoded = codec.decode(bytes, 0)
      } catch (error) {
        if (!isReplogError(error, 'CORRUPT')) throw error
        refused++
      }
      if (decoded === undefined) {
        try {
          t.ok(codec.skip(bytes, 0) <= bytes.length)
        } catch (error) {
          if (!isReplogError(error, 'CORRUPT')) throw error
        }
        return
      }
      t.ok(codec.encodeValues(NOTHING, decoded.values).equals(bytes.subarray(0, decoded.end)))
      t.equal(codec.skip(bytes, 0), decoded.end)
    }),
    { numRuns: 2000 },
  )
  t.ok(refused > 100, `${refused} of the mutations were seen`)
  t.end()
})

t.test('INTEGER to BIGINT and every other widening of an integer needs no rewrite of keys', (t) => {
  for (const integer of [0, 1, -1, 255, 256, -255, -256, 65535, 2 ** 31 - 1, -(2 ** 31)]) {
    for (const descending of [false, true]) {
      const narrow = tuple({ kind: 'INTEGER' }, descending).encodeValues(NOTHING, [integer])
      t.ok(
        tuple({ kind: 'BIGINT' }, descending)
          .encodeValues(NOTHING, [BigInt(integer)])
          .equals(narrow),
      )
      for (const precision of [10, 18, 19, 65]) {
        const decimal = tuple({ kind: 'DECIMAL', precision, scale: 0 }, descending)
        t.ok(decimal.encodeValues(NOTHING, [String(integer)]).equals(narrow))
      }
    }
  }
  t.end()
})

t.test('NULL comes before every value, and behind every value of a descending column', (t) => {
  for (const { type, values } of KEY_SAMPLES) {
    fc.assert(
      fc.property(values, (value) => {
        const [up, down] = [tuple(type), tuple(type, true)]
        t.equal(Buffer.compare(up.encodeValues(NOTHING, [null]), up.encodeValues(NOTHING, [value])), -1)
        t.equal(Buffer.compare(down.encodeValues(NOTHING, [null]), down.encodeValues(NOTHING, [value])), 1)
      }),
      { numRuns: 20 },
    )
  }
  t.end()
})

t.test('-0 has no key of its own, because it equals 0', (t) => {
  const codec = tuple({ kind: 'DOUBLE' })
  t.throws(() => codec.encodeValues(NOTHING, [-0]), { code: 'INVALID_VALUE', message: /-0 cannot be part of a key/ })
  t.throws(() => codec.decode(Buffer.from('017fffffffffffffff', 'hex'), 0), { code: 'CORRUPT' })
  t.end()
})

t.test('a JSON column, and more columns than a key has, are refused by definition', (t) => {
  const integer = { codec: valueCodec({ kind: 'INTEGER' }), descending: false }
  const json = { codec: valueCodec({ kind: 'JSON' }), descending: false }
  t.throws(() => new TupleCodec([integer, json]), { code: 'INVALID_DEFINITION', message: /JSON/ })
  const most = new Array<typeof integer>(KEY_COLUMNS_MAX).fill(integer)
  t.equal(
    new TupleCodec(most).encodeValues(NOTHING, new Array<number>(KEY_COLUMNS_MAX).fill(0)).length,
    KEY_COLUMNS_MAX,
  )
  t.throws(() => new TupleCodec([...most, integer]), { code: 'INVALID_DEFINITION' })
  t.end()
})

const LONGEST: [string, string, (bytes: number) => Value, number][] = [
  ['ASCII', 'TEXT', (bytes) => 'x'.repeat(bytes), KEY_BYTES_MAX - 3],
  ['two-byte characters', 'TEXT', (bytes) => 'ä'.repeat(bytes >> 1) + 'x'.repeat(bytes & 1), KEY_BYTES_MAX - 3],
  [
    'three-byte characters',
    'VARCHAR(4096)',
    (bytes) => '€'.repeat(bytes / 3) + 'x'.repeat(bytes % 3),
    KEY_BYTES_MAX - 3,
  ],
  ['escaped zeros', 'TEXT', (bytes) => '\0'.repeat(bytes >> 1) + 'x'.repeat(bytes & 1), KEY_BYTES_MAX - 3],
  ['bytes', 'BLOB', (bytes) => new Uint8Array(bytes).fill(1), KEY_BYTES_MAX - 3],
  ['zero bytes', 'BLOB', (bytes) => new Uint8Array((bytes >> 1) + (bytes & 1)).fill(1, bytes >> 1), KEY_BYTES_MAX - 3],
]

for (const [name, type, make, bytes] of LONGEST) {
  t.test(`a key of KEY_BYTES_MAX bytes (${name}) is taken and a longer one is TOO_LARGE`, (t) => {
    const codec = new TupleCodec([
      { codec: valueCodec(parseColumnType(type)), descending: true },
      { codec: valueCodec({ kind: 'INTEGER' }), descending: false },
    ])
    const key = codec.encode(Buffer.from('prefix'), [make(bytes - 1), 0], [0, 1], Buffer.from('suffix'))
    t.equal(key.length, KEY_BYTES_MAX + 12, 'prefix and suffix do not count')
    t.strictSame(codec.decode(key, 6).values, [make(bytes - 1), 0])
    for (const past of [bytes, bytes + 1, 3 * bytes, 1_000_000]) {
      t.throws(() => codec.encode(NOTHING, [make(past), 0], [0, 1]), { code: 'TOO_LARGE' }, `${past} bytes`)
    }
    t.end()
  })
}

t.test('many long values are TOO_LARGE together before they outgrow anything', (t) => {
  const text = { codec: valueCodec({ kind: 'TEXT' }), descending: false }
  const codec = new TupleCodec(new Array<typeof text>(KEY_COLUMNS_MAX).fill(text))
  t.throws(() => codec.encodeValues(NOTHING, new Array<string>(KEY_COLUMNS_MAX).fill('€'.repeat(1300))), {
    code: 'TOO_LARGE',
  })
  t.throws(() => codec.encodeValues(NOTHING, new Array<string>(KEY_COLUMNS_MAX).fill('€'.repeat(4096))), {
    code: 'TOO_LARGE',
  })
  t.end()
})

const CORRUPT_KEYS: [string, string, string][] = [
  ['nothing', 'INTEGER', ''],
  ['an integer that is cut off', 'INTEGER', '8201'],
  ['an integer with a leading zero byte', 'BIGINT', '820001'],
  ['a negative integer with a leading zero byte', 'BIGINT', '7effee'],
  ['a zero of one byte', 'BIGINT', '8100'],
  ['an INTEGER of 33 bits', 'INTEGER', '850100000000'],
  ['a BIGINT of 2^63', 'BIGINT', '888000000000000000'],
  ['a BIGINT below -2^63', 'BIGINT', '787ffffffffffffffe'],
  ['a BIGINT of 9 bytes', 'BIGINT', '89010000000000000000'],
  ['a DECIMAL with a digit too many', 'DECIMAL(2,1)', '8164'],
  ['a wide DECIMAL with a digit too many', 'DECIMAL(20,0)', '89056bc75e2d63100000'],
  ['a wide DECIMAL with a leading zero byte', 'DECIMAL(20,0)', '8200ff'],
  ['a DECIMAL of 64 bytes', 'DECIMAL(65,0)', `c0${'11'.repeat(64)}`],
  ['a boolean 3', 'BOOLEAN', '03'],
  ['a double of 7 bytes', 'DOUBLE', '0180000000000000'],
  ['a NaN', 'DOUBLE', '01fff8000000000000'],
  ['a double without header', 'DOUBLE', '028000000000000000'],
  ['a string without end', 'TEXT', '016161'],
  ['a string that ends in its escape', 'TEXT', '016100'],
  ['a string with a foreign escape', 'TEXT', '01610002'],
  ['a string without header', 'TEXT', '610001'],
  ['a string that is not UTF-8', 'TEXT', '01ff0001'],
  ['a string with escapes that is not UTF-8', 'TEXT', '0100ffff0001'],
  ['a UUID of 15 bytes', 'UUID', `01${'00'.repeat(15)}`],
  ['a DATE of year 0', 'DATE', '7df506c4'],
  ['a TIME of 24 hours', 'TIME', '85141dd76000'],
  ['a TIMESTAMP of year 10000', 'TIMESTAMP', '880384440ccc736000'],
  ['ENUM number 0', "ENUM('a')", '80'],
  ['an ENUM number without label', "ENUM('a')", '8102'],
]

for (const [name, type, hex] of CORRUPT_KEYS) {
  t.test(`G8: ${name} is a CORRUPT key, in both directions`, (t) => {
    const bytes = Buffer.from(hex, 'hex')
    t.throws(() => tuple(parseColumnType(type)).decode(bytes, 0), { code: 'CORRUPT' })
    const complement = bytes.map((byte) => byte ^ 0xff)
    t.throws(() => tuple(parseColumnType(type), true).decode(complement, 0), { code: 'CORRUPT' })
    t.throws(() => tuple(parseColumnType(type)).decode(bytes, bytes.length), { code: 'CORRUPT' }, 'behind the end')
    t.end()
  })
}

t.test('values that are not as many as the parts are a bug', (t) => {
  const codec = tuple({ kind: 'INTEGER' })
  t.throws(() => codec.encode(NOTHING, [1, 2], [0, 1]), { code: 'ERR_ASSERTION' })
  t.throws(() => codec.encodeValues(NOTHING, [1, 2]), { code: 'ERR_ASSERTION' })
  t.end()
})

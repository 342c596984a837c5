/** Rows: what is encoded comes back, in any protobuf decoder; what is malformed is CORRUPT. */
import fc from 'fast-check'
import protobuf from 'protobufjs'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { ROW_BYTES_MAX } from '../../core/limits.js'
import type { ColumnType, Row, Value } from '../../log/codec/column-type.js'
import { RowCodec, type RowColumn } from '../../log/codec/row.js'
import { valueCodec } from '../../log/codec/type-codecs.js'
import { mutated, TYPE_SAMPLES } from './values-arbitraries.js'

function column(id: number, type: ColumnType, more: Partial<RowColumn> = {}): RowColumn {
  return { id, name: `c${id}`, codec: valueCodec(type), addedInVersion: 1, missingValue: null, ...more }
}

/** Every type, listed in the reverse of id order, with ids on both sides of the one-byte tag. */
const ALL_COLUMNS = TYPE_SAMPLES.map(({ type }, index) => column(2 + index, type)).reverse()
const ALL = new RowCodec(300, ALL_COLUMNS)
const ALL_ROWS: fc.Arbitrary<Row> = fc.tuple(
  ...TYPE_SAMPLES.map(({ values }) => fc.option(values as fc.Arbitrary<Value>)).reverse(),
)

t.test('G1: a row comes back from its bytes, and equal rows are equal bytes', (t) => {
  fc.assert(
    fc.property(ALL_ROWS, (row) => {
      const bytes = ALL.encode(row)
      const decoded = ALL.decode(bytes)
      t.strictSame(decoded, row)
      t.ok(ALL.encode(decoded).equals(bytes))
      t.equal(ALL.versionOf(bytes), 300)
      t.strictSame(ALL.decode(Uint8Array.from(bytes)), row, 'from a plain Uint8Array')
    }),
    { numRuns: 150 },
  )
  t.end()
})

t.test('the sign of a zero DOUBLE is kept in rows', (t) => {
  const codec = new RowCodec(1, [column(2, { kind: 'DOUBLE' })])
  t.ok(Object.is(codec.decode(codec.encode([-0]))[0], -0))
  t.ok(Object.is(codec.decode(codec.encode([0]))[0], 0))
  t.end()
})

/** The message type that `replog proto` describes, made by protobufjs at run time. */
function reflected(columns: readonly RowColumn[]): protobuf.Type {
  const fields = columns.map(({ id, name, codec }) => `optional ${codec.protoType} ${name} = ${id};`)
  const definition = `syntax = "proto3"; message Row { uint32 row_version = 1; ${fields.join(' ')} }`
  return protobuf.parse(definition).root.lookupType('Row')
}

/** What protobufjs shows of a value that is not NULL, with 64-bit integers as text and bytes as arrays. */
function shownByProtobuf(type: ColumnType, value: Value): unknown {
  const text = typeof value === 'bigint' ? value.toString() : (value as string)
  switch (type.kind) {
    case 'BIGINT':
      return text
    case 'BLOB':
      return Array.from(value as Uint8Array)
    case 'DATE':
      return Date.parse(text) / 86_400_000
    case 'TIME':
      return microseconds(`1970-01-01T${text}Z`)
    case 'TIMESTAMP':
      return microseconds(text)
    case 'UUID':
      return Array.from(Buffer.from(text.replaceAll('-', ''), 'hex'))
    case 'ENUM':
      return type.labels.indexOf(text) + 1
    case 'JSON':
      return JSON.stringify(value)
    default:
      return value
  }
}

function microseconds(timestamp: string): string {
  const [, seconds, fraction = ''] = /^(.{19})(?:\.(\d+))?Z$/.exec(timestamp)!
  return String(BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0')))
}

t.test('any protobuf decoder reads a row, and what it writes again is read here', (t) => {
  const type = reflected(ALL_COLUMNS)
  fc.assert(
    fc.property(ALL_ROWS, (row) => {
      const bytes = ALL.encode(row)
      const message = type.decode(bytes)
      t.ok(bytes.equals(type.encode(message).finish()), 'protobufjs writes the same bytes')
      const object = type.toObject(message, { longs: String, bytes: Array })
      t.equal(object.rowVersion, 300)
      ALL_COLUMNS.forEach(({ name, codec }, ordinal) => {
        const value = row[ordinal] as Value
        if (value === null) t.notOk(name in object, 'NULL is an absent field')
        else t.strictSame(object[name], shownByProtobuf(codec.type, value), codec.type.kind)
      })
      t.strictSame(ALL.decode(type.encode(type.fromObject(object)).finish()), row)
    }),
    { numRuns: 100 },
  )
  t.end()
})

t.test('G8: mutated rows throw nothing but CORRUPT, or are rows that encode again', (t) => {
  let refused = 0
  fc.assert(
    fc.property(mutated(ALL_ROWS.map((row) => ALL.encode(row))), (bytes) => {
      let row: Row
      try {
        row = ALL.decode(bytes)
      } catch (error) {
        if (!isReplogError(error, 'CORRUPT')) throw error
        refused++
        return
      }
      t.strictSame(ALL.decode(ALL.encode(row)), row)
    }),
    { numRuns: 1500 },
  )
  t.ok(refused > 100, `${refused} of the mutations were seen`)
  t.end()
})

t.test('a column younger than the row reads its missing value, an older one NULL', (t) => {
  const id = column(2, { kind: 'BIGINT' })
  const old = new RowCodec(1, [id, column(3, { kind: 'TEXT' })])
  const young = new RowCodec(3, [
    column(5, { kind: 'JSON' }, { addedInVersion: 3, missingValue: { tags: [] } }),
    id,
    column(4, { kind: 'INTEGER' }, { addedInVersion: 2, missingValue: 7 }),
    column(3, { kind: 'TEXT' }, { missingValue: 'never' }),
  ])
  const middle = new RowCodec(2, [id, column(3, { kind: 'TEXT' }), column(4, { kind: 'INTEGER' })])
  t.strictSame(young.decode(old.encode([1n, null])), [{ tags: [] }, 1n, 7, null])
  t.strictSame(young.decode(middle.encode([1n, 'x', null])), [{ tags: [] }, 1n, null, 'x'])
  t.strictSame(young.decode(young.encode([null, 1n, null, null])), [null, 1n, null, null])
  const first = young.decode(old.encode([1n, null]))
  ;(first[0] as { tags: string[] }).tags.push('changed')
  t.strictSame(young.decode(old.encode([1n, null]))[0], { tags: [] }, 'a changed row changes no other')
  t.end()
})

t.test('fields of dropped columns are passed over, wherever they are', (t) => {
  const wide = new RowCodec(1, ALL_COLUMNS)
  fc.assert(
    fc.property(ALL_ROWS, fc.subarray(ALL_COLUMNS.map((_, ordinal) => ordinal)), (row, kept) => {
      const narrow = new RowCodec(
        2,
        kept.map((ordinal) => ALL_COLUMNS[ordinal]!),
      )
      t.strictSame(
        narrow.decode(wide.encode(row)),
        kept.map((ordinal) => row[ordinal]),
      )
    }),
    { numRuns: 60 },
  )
  t.end()
})

t.test('INTEGER to BIGINT and VARCHAR to TEXT need no rewrite', (t) => {
  const before = new RowCodec(1, [column(2, { kind: 'INTEGER' }), column(3, { kind: 'VARCHAR', length: 5 })])
  const after = new RowCodec(1, [column(2, { kind: 'BIGINT' }), column(3, { kind: 'TEXT' })])
  for (const integer of [0, 1, -1, 63, 64, -65, 2 ** 31 - 1, -(2 ** 31)]) {
    const bytes = before.encode([integer, '😀a'])
    t.strictSame(after.decode(bytes), [BigInt(integer), '😀a'])
    t.ok(after.encode([BigInt(integer), '😀a']).equals(bytes))
  }
  t.throws(() => before.decode(after.encode([2n ** 31n, ''])), { code: 'CORRUPT' }, 'but the way back is checked')
  t.end()
})

t.test('a part of a row is a row message of those columns alone', (t) => {
  const codec = new RowCodec(9, [
    column(4, { kind: 'TEXT' }),
    column(2, { kind: 'INTEGER' }),
    column(3, { kind: 'TEXT' }),
  ])
  const row = ['c', 1, 'b']
  t.equal(codec.encodePart(row, [0, 1]).toString('hex'), '0809' + '1002' + '220163')
  t.equal(codec.encodePart(row, [2]).toString('hex'), '0809' + '1a0162')
  t.equal(codec.encodePart(row, []).toString('hex'), '0809')
  t.strictSame(codec.decode(codec.encodePart(row, [1, 2])), [null, 1, 'b'])
  t.end()
})

t.test('bytes of a decoded BLOB are not a view of what was decoded', (t) => {
  const codec = new RowCodec(1, [column(2, { kind: 'BLOB' })])
  const bytes = codec.encode([Uint8Array.of(1, 2, 3)])
  const [blob] = codec.decode(bytes)
  bytes.fill(0)
  t.strictSame(blob, Uint8Array.of(1, 2, 3))
  t.equal((blob as Uint8Array).buffer.byteLength, 3)
  t.end()
})

t.test('an encoded row does not change when the next one is encoded', (t) => {
  const codec = new RowCodec(1, [column(2, { kind: 'TEXT' })])
  const first = codec.encode(['first'])
  const copy = Buffer.from(first)
  codec.encode(['other'])
  t.ok(first.equals(copy))
  t.end()
})

t.test('a row of ROW_BYTES_MAX is taken and one byte more is TOO_LARGE, for each type of unbounded length', (t) => {
  const framing = 2 + 1 + 4
  for (const [type, make] of [
    [{ kind: 'TEXT' }, (bytes: number) => 'x'.repeat(bytes)],
    [{ kind: 'BLOB' }, (bytes: number) => new Uint8Array(bytes)],
    [{ kind: 'JSON' }, (bytes: number) => 'x'.repeat(bytes - 2)],
  ] as const) {
    const codec = new RowCodec(1, [column(2, type)])
    const most = codec.encode([make(ROW_BYTES_MAX - framing)])
    t.equal(most.length, ROW_BYTES_MAX)
    t.equal(codec.versionOf(most), 1)
    t.throws(() => codec.encode([make(ROW_BYTES_MAX - framing + 1)]), { code: 'TOO_LARGE' }, type.kind)
    t.throws(() => codec.encode([make(2 * ROW_BYTES_MAX)]), { code: 'TOO_LARGE' }, type.kind)
  }
  const twoColumns = new RowCodec(1, [column(2, { kind: 'TEXT' }), column(3, { kind: 'TEXT' })])
  t.throws(() => twoColumns.encode(['x'.repeat(ROW_BYTES_MAX - 20), 'y'.repeat(20)]), { code: 'TOO_LARGE' })
  t.strictSame(twoColumns.decode(twoColumns.encode(['a', 'b'])), ['a', 'b'], 'and the codec works on')
  t.end()
})

t.test('a row that outgrows the scratch buffer in a later column keeps the earlier ones', (t) => {
  const codec = new RowCodec(1, [column(2, { kind: 'TEXT' }), column(3, { kind: 'JSON' }), column(4, { kind: 'BLOB' })])
  const row = ['ä'.repeat(30_000), { long: '😀'.repeat(30_000) }, new Uint8Array(500_000).fill(7)]
  t.strictSame(codec.decode(codec.encode(row)), row)
  t.end()
})

t.test('a JSON object that changed between two encodings is encoded as it is', (t) => {
  const codec = new RowCodec(1, [column(2, { kind: 'JSON' }), column(3, { kind: 'JSON' })])
  const object = { a: 1 }
  codec.encode([object, object])
  object.a = 2
  t.strictSame(codec.decode(codec.encode([object, { b: 1 }])), [{ a: 2 }, { b: 1 }])
  t.end()
})

const CORRUPT_ROWS: [string, ColumnType, string][] = [
  ['no bytes', { kind: 'INTEGER' }, ''],
  ['a row without version', { kind: 'INTEGER' }, '1002'],
  ['version 0', { kind: 'INTEGER' }, '08001002'],
  ['a field twice', { kind: 'INTEGER' }, '080110021002'],
  ['the version twice', { kind: 'INTEGER' }, '08010801'],
  ['fields out of order', { kind: 'INTEGER' }, '080118021002'],
  ['another wire type', { kind: 'INTEGER' }, '0801120102'],
  ['an INTEGER of 33 bits', { kind: 'INTEGER' }, '0801108080808010'],
  ['a BOOLEAN 2', { kind: 'BOOLEAN' }, '08011002'],
  ['a NaN', { kind: 'DOUBLE' }, '080111000000000000f87f'],
  ['a DECIMAL with another scale', { kind: 'DECIMAL', precision: 5, scale: 2 }, '08011203312e30'],
  ['a DECIMAL without digits', { kind: 'DECIMAL', precision: 5, scale: 0 }, '08011200'],
  ['a DECIMAL with a leading zero', { kind: 'DECIMAL', precision: 5, scale: 0 }, '080112023031'],
  ['a DECIMAL -0', { kind: 'DECIMAL', precision: 5, scale: 0 }, '080112022d30'],
  ['a DECIMAL with too many digits', { kind: 'DECIMAL', precision: 1, scale: 0 }, '080112023131'],
  ['a DECIMAL with a letter', { kind: 'DECIMAL', precision: 1, scale: 0 }, '0801120161'],
  ['a DECIMAL(1,1) of one', { kind: 'DECIMAL', precision: 1, scale: 1 }, '08011203312e30'],
  ['a DECIMAL with a comma', { kind: 'DECIMAL', precision: 2, scale: 1 }, '08011203312c30'],
  ['a text that is not UTF-8', { kind: 'TEXT' }, '08011201ff'],
  ['a DATE before year 1', { kind: 'DATE' }, '080110f5e457'],
  ['a DATE after year 9999', { kind: 'DATE' }, '080110c282e602'],
  ['a TIME below 0', { kind: 'TIME' }, '08011001'],
  ['a TIME of 24 hours', { kind: 'TIME' }, '08011080c0abbcc305'],
  ['a TIMESTAMP after year 9999', { kind: 'TIMESTAMP' }, '080110feffffffffffffffff01'],
  ['a TIMESTAMP before year 1', { kind: 'TIMESTAMP' }, '080110ffffffffffffffffff01'],
  ['a UUID of 15 bytes', { kind: 'UUID' }, `0801120f${'00'.repeat(15)}`],
  ['ENUM number 0', { kind: 'ENUM', labels: ['a'] }, '08011000'],
  ['an ENUM number without label', { kind: 'ENUM', labels: ['a'] }, '08011002'],
  ['JSON null', { kind: 'JSON' }, '080112046e756c6c'],
  ['JSON that does not parse', { kind: 'JSON' }, '0801120161'],
  ['JSON with an infinite number', { kind: 'JSON' }, '08011205' + Buffer.from('1e999').toString('hex')],
  ['JSON with half a surrogate pair', { kind: 'JSON' }, '08011208' + Buffer.from('"\\ud800"').toString('hex')],
  ['JSON that is too deep', { kind: 'JSON' }, '080112ca01' + '5b'.repeat(101) + '5d'.repeat(101)],
]

for (const [name, type, hex] of CORRUPT_ROWS) {
  t.test(`G8: ${name} is CORRUPT`, (t) => {
    const codec = new RowCodec(1, [column(2, type)])
    t.throws(() => codec.decode(Buffer.from(hex, 'hex')), { code: 'CORRUPT' })
    t.strictSame(codec.decode(Buffer.from('0801', 'hex')), [null], 'and the codec works on')
    t.end()
  })
}

t.test('column ids that are no distinct field numbers are a bug', (t) => {
  const integer: ColumnType = { kind: 'INTEGER' }
  for (const ids of [[1], [2, 2], [2 ** 29]]) {
    t.throws(
      () =>
        new RowCodec(
          1,
          ids.map((id) => column(id, integer)),
        ),
      { code: 'ERR_ASSERTION' },
    )
  }
  t.throws(() => new RowCodec(0, []), { code: 'ERR_ASSERTION' })
  t.throws(() => new RowCodec(1, []).encode([1]), { code: 'ERR_ASSERTION' })
  t.end()
})

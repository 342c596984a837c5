/** For each column type: arbitrary stored values and their order, both made without the code under test. */
import fc from 'fast-check'
import type { ColumnType, JsonValue } from '../../log/codec/column-type.js'
import type { StoredValue } from '../../log/codec/value-codec.js'

export interface TypeSample {
  readonly type: ColumnType
  readonly values: fc.Arbitrary<StoredValue>
  /** Order of two values; undefined for types that are not part of keys. */
  readonly compare: ((left: StoredValue, right: StoredValue) => number) | undefined
}

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

function natural<V>(left: V, right: V): number {
  return left < right ? -1 : left > right ? 1 : 0
}

/** Integers whose encodings change length next to them. */
const EDGE_INTEGERS = [7n, 8n, 14n, 16n, 21n, 24n, 28n, 31n, 32n, 34n, 35n, 40n, 48n, 52n, 53n, 54n, 56n, 62n, 63n]
  .flatMap((bits) => [2n ** bits - 1n, 2n ** bits, 2n ** bits + 1n])
  .flatMap((value) => [value, -value])
  .filter((value) => value >= INT64_MIN && value <= INT64_MAX)

const int64s = fc.oneof(
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
  fc.integer({ min: -300, max: 300 }).map(BigInt),
  fc.constantFrom(0n, INT64_MIN, INT64_MAX, ...EDGE_INTEGERS),
)

const int32s = fc.oneof(
  fc.integer(),
  fc.integer({ min: -300, max: 300 }),
  fc.constantFrom(...EDGE_INTEGERS.filter((value) => BigInt.asIntN(32, value) === value).map(Number)),
)

/** Short texts of characters that are awkward for UTF-8, UTF-16 order and the escapes of keys, and any others. */
const texts = fc.oneof(
  fc.string({
    unit: fc.constantFrom('\0', '\x01', 'a', 'b', '\x7f', '\x80', 'ÿ', '\ud7ff', '\uffff', '😀', '\u{10ffff}'),
  }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ maxLength: 60 }),
)

const blobs = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.array(fc.constantFrom(0, 1, 0xfe, 0xff), { maxLength: 12 }).map((bytes) => Uint8Array.from(bytes)),
)

function codePointOrder(left: string, right: string): number {
  const lefts = Array.from(left, (character) => character.codePointAt(0)!)
  const rights = Array.from(right, (character) => character.codePointAt(0)!)
  const at = lefts.findIndex((codePoint, index) => codePoint !== rights[index])
  return at === -1 || at >= rights.length ? natural(lefts.length, rights.length) : natural(lefts[at]!, rights[at]!)
}

export function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const point = digits.length - scale
  return (unscaled < 0n ? '-' : '') + digits.slice(0, point) + (scale === 0 ? '' : `.${digits.slice(point)}`)
}

function decimals(precision: number, scale: number): TypeSample {
  const most = 10n ** BigInt(precision) - 1n
  return {
    type: { kind: 'DECIMAL', precision, scale },
    values: fc
      .oneof(
        fc.bigInt({ min: -most, max: most }),
        fc.constantFrom(0n, most, -most),
        int64s.filter((value) => value >= -most && value <= most),
      )
      .map((unscaled) => decimalText(unscaled, scale)),
    compare: (left, right) =>
      natural(BigInt((left as string).replace('.', '')), BigInt((right as string).replace('.', ''))),
  }
}

const DAY_MIN = Date.UTC(2001, 0, 1) / 86_400_000 - 5 * 146_097
const DAY_MAX = Date.UTC(9999, 11, 31) / 86_400_000
const days = fc.oneof(fc.integer({ min: DAY_MIN, max: DAY_MAX }), fc.constantFrom(DAY_MIN, -1, 0, 1, DAY_MAX))

function dateText(day: number): string {
  return new Date(day * 86_400_000).toISOString().slice(0, 10)
}

const times = fc
  .oneof(
    fc.integer({ min: 0, max: 86_400_000_000 - 1 }),
    fc.integer({ min: 0, max: 86_399_999 }).map((ms) => ms * 1000),
    fc.integer({ min: 0, max: 86_399 }).map((seconds) => seconds * 1_000_000),
  )
  .map((us) => {
    const [clock, millis] = new Date(Math.floor(us / 1000)).toISOString().slice(11, 23).split('.') as [string, string]
    const micros = String(us % 1000).padStart(3, '0')
    return micros === '000' ? (millis === '000' ? clock : `${clock}.${millis}`) : `${clock}.${millis}${micros}`
  })

const labels = ['new', "it's", 'paid', 'A', '😀', 'zero\0']

/** What JSON.parse gives, without what a JSON column refuses or normalises. */
const jsonValues = fc
  .jsonValue({ maxDepth: 5 })
  .map((value) => JSON.parse(JSON.stringify(value, (_, part: unknown) => (isUnsafe(part) ? 0 : part))) as JsonValue)
  .filter((value) => value !== null)

function isUnsafe(value: unknown): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value)
}

export const TYPE_SAMPLES: readonly TypeSample[] = [
  { type: { kind: 'BOOLEAN' }, values: fc.boolean(), compare: natural },
  { type: { kind: 'INTEGER' }, values: int32s, compare: natural },
  { type: { kind: 'BIGINT' }, values: int64s, compare: natural },
  {
    type: { kind: 'DOUBLE' },
    values: fc.oneof(
      fc.double({ noNaN: true }).filter((value) => !Object.is(value, -0)),
      fc.constantFrom(0, 5e-324, -5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, Infinity, -Infinity),
    ),
    compare: natural,
  },
  decimals(10, 2),
  decimals(1, 0),
  decimals(1, 1),
  decimals(18, 0),
  decimals(19, 19),
  decimals(38, 10),
  decimals(65, 30),
  {
    type: { kind: 'VARCHAR', length: 60 },
    values: texts,
    compare: (left, right) => codePointOrder(left as string, right as string),
  },
  { type: { kind: 'TEXT' }, values: texts, compare: (left, right) => codePointOrder(left as string, right as string) },
  {
    type: { kind: 'BLOB' },
    values: blobs,
    compare: (left, right) => Buffer.compare(left as Uint8Array, right as Uint8Array),
  },
  { type: { kind: 'DATE' }, values: days.map(dateText), compare: natural },
  { type: { kind: 'TIME' }, values: times, compare: natural },
  {
    type: { kind: 'TIMESTAMP' },
    values: fc.tuple(days, times).map(([day, time]) => `${dateText(day)}T${time}Z`),
    compare: (left, right) => natural((left as string).slice(0, -1), (right as string).slice(0, -1)),
  },
  { type: { kind: 'UUID' }, values: fc.uuid(), compare: natural },
  {
    type: { kind: 'ENUM', labels },
    values: fc.constantFrom(...labels),
    compare: (left, right) => labels.indexOf(left as string) - labels.indexOf(right as string),
  },
  { type: { kind: 'JSON' }, values: jsonValues, compare: undefined },
]

/** One of up to a few mutations of some bytes: cut, flipped, inserted or replaced. */
export function mutated(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    kind: fc.nat(3),
    byte: fc.integer({ min: 0, max: 255 }),
  })
  return fc.tuple(bytes, fc.array(edit, { minLength: 1, maxLength: 3 })).map(([original, edits]) => {
    let result = Array.from(original)
    for (const { at, kind, byte } of edits) {
      const index = Math.floor(at * result.length)
      if (kind === 0) result = result.slice(0, index)
      else result.splice(index, kind === 1 ? 0 : 1, ...(kind === 3 ? [] : [byte]))
    }
    return Uint8Array.from(result)
  })
}

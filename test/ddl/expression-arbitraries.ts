/**
 * Well-typed conditions over one table of every type, rows of it, and what a condition is by the book: three-valued
 * logic as numbers (false 0, unknown ½, true 1), values as things that JavaScript orders, LIKE by recursion.
 */
import fc from 'fast-check'
import { byName } from '../../ddl/column-definition.js'
import type { ExpressionDefinition, OperandDefinition } from '../../ddl/table-definition.js'
import type { Value } from '../../log/codec/column-type.js'
import type { ColumnMessage } from '../../log/codec/message.js'
import { messageOf } from './place.js'

/** Columns of one line can be compared with each other. Few values each, so that they often are equal. */
const FAMILIES: readonly (readonly (readonly [name: string, type: string, values: readonly Value[]])[])[] = [
  [
    ['bool_a', 'BOOLEAN', [false, true]],
    ['bool_b', 'BOOLEAN', [false, true]],
  ],
  [
    ['int', 'INTEGER', [-5, 0, 1, 2 ** 31 - 1]],
    ['big', 'BIGINT', [-5n, 0n, 1n, 2n ** 31n - 1n, 2n ** 31n]],
  ],
  [
    ['double_a', 'DOUBLE', [-Infinity, -0, 0, 0.5, 1e300]],
    ['double_b', 'DOUBLE', [-0, 0, 0.5, Infinity]],
  ],
  [
    ['dec_2', 'DECIMAL(10,2)', ['-1.50', '0.00', '1.50', '9.00', '10.00']],
    ['dec_3', 'DECIMAL(10,3)', ['-1.500', '-1.499', '0.000', '1.500', '1.501', '10.000']],
    ['dec_0', 'DECIMAL(18,0)', ['-2', '0', '9', '10', '123456789012345678']],
  ],
  [
    ['varchar', 'VARCHAR(9)', ['', 'a', 'ab', 'b%', '\uffff', '😀']],
    ['text', 'TEXT', ['', 'a', 'a_b', 'abb', 'b\\', '\uffff', '😀a']],
  ],
  [
    ['blob_a', 'BLOB', [Uint8Array.of(), Uint8Array.of(0), Uint8Array.of(255)]],
    ['blob_b', 'BLOB', [Uint8Array.of(), Uint8Array.of(0, 0), Uint8Array.of(255)]],
  ],
  [
    ['date_a', 'DATE', ['0001-01-01', '1969-12-31', '2024-02-29']],
    ['date_b', 'DATE', ['1969-12-31', '9999-12-31']],
  ],
  [
    ['time_a', 'TIME', ['00:00:00', '12:00:00', '12:00:00.500']],
    ['time_b', 'TIME', ['12:00:00', '12:00:00.000001', '12:00:00.500']],
  ],
  [
    ['stamp_a', 'TIMESTAMP', ['1969-12-31T23:59:59Z', '2024-01-01T00:00:00Z', '2024-01-01T00:00:00.500Z']],
    ['stamp_b', 'TIMESTAMP', ['2024-01-01T00:00:00Z', '2024-01-01T00:00:00.500001Z', '2024-01-01T00:00:01Z']],
  ],
  [
    ['uuid_a', 'UUID', ['00000000-0000-0000-0000-000000000000', 'a0000000-0000-0000-0000-000000000000']],
    ['uuid_b', 'UUID', ['90000000-0000-0000-0000-000000000000', 'a0000000-0000-0000-0000-000000000000']],
  ],
  [
    ['enum_a', "ENUM('b','a','c')", ['b', 'a', 'c']],
    ['enum_b', "ENUM('b','a','c')", ['b', 'a']],
  ],
]
const FLAT = FAMILIES.flat()
/** Its values only are or are not NULL. */
const JSON_COLUMN = ['json', 'JSON', [{ a: 1 }, 0]] as const
const ALL = [...FLAT, JSON_COLUMN]

export const COLUMNS: readonly ColumnMessage[] = messageOf({
  name: 'every_type',
  columns: [{ name: 'key', type: 'INTEGER' }, ...ALL.map(([name, type]) => ({ name, type }))],
  primaryKey: ['key'],
}).columns

export const COLUMNS_BY_NAME = byName(COLUMNS)

export const rowArbitrary: fc.Arbitrary<Value[]> = fc
  .tuple(...ALL.map(([, , values]) => fc.option(fc.constantFrom<Value>(...values), { freq: 4, nil: null })))
  .map((values) => [1, ...values])

/** Short texts and patterns of few characters, so that they often match. */
export const likeTextArbitrary = fc.string({ unit: fc.constantFrom('a', 'b', '%', '_', '\\', '😀'), maxLength: 9 })
export const patternArbitrary = fc
  .array(fc.constantFrom('a', 'b', '%', '%', '_', '\\%', '\\_', '\\\\', '\\a', '😀'), { maxLength: 7 })
  .map((parts) => parts.join(''))

const ORDERED_FAMILIES = FAMILIES.filter(([first]) => !first![1].startsWith('ENUM'))

/** A column of the family, or a literal that the first column has. */
function operandOf(family: (typeof FAMILIES)[number]): fc.Arbitrary<OperandDefinition> {
  return fc.oneof(
    fc.constantFrom(...family.map(([name]) => ({ column: name }))),
    fc.constantFrom<OperandDefinition>(...(family[0]![2] as readonly OperandDefinition[])),
  )
}

/** `count` operands of which at least one, at any place, is the family's first column. */
function operandsOf(family: (typeof FAMILIES)[number], count: number): fc.Arbitrary<OperandDefinition[]> {
  return fc
    .tuple(fc.nat(count - 1), fc.array(operandOf(family), { minLength: count, maxLength: count }))
    .map(([at, operands]) => operands.with(at, { column: family[0]![0] }))
}

function inFamily(
  families: typeof FAMILIES,
  make: (family: (typeof FAMILIES)[number]) => fc.Arbitrary<ExpressionDefinition>,
): fc.Arbitrary<ExpressionDefinition> {
  return fc.constantFrom(...families).chain(make)
}

const equalities = inFamily(FAMILIES, (family) =>
  fc
    .tuple(fc.constantFrom('eq', 'ne'), operandsOf(family, 2))
    .map(([kind, operands]) => ({ [kind]: operands }) as unknown as ExpressionDefinition),
)
const orders = inFamily(ORDERED_FAMILIES, (family) =>
  fc
    .tuple(fc.constantFrom('lt', 'le', 'gt', 'ge'), operandsOf(family, 2))
    .map(([kind, operands]) => ({ [kind]: operands }) as unknown as ExpressionDefinition),
)
const betweens = inFamily(ORDERED_FAMILIES, (family) =>
  operandsOf(family, 3).map(([operand, low, high]) => ({ between: [operand!, low!, high!] as const })),
)
const ins = inFamily(FAMILIES, (family) =>
  fc
    .constantFrom(...family)
    .chain(([name, , values]) =>
      fc
        .array(fc.constantFrom<Value>(...values), { minLength: 1, maxLength: 3 })
        .map((list) => ({ in: [{ column: name }, list] as const })),
    ),
)
const likes = fc
  .tuple(fc.constantFrom('varchar', 'text'), patternArbitrary)
  .map(([column, pattern]) => ({ like: [{ column }, pattern] as const }))
const isNulls = fc.constantFrom(...ALL).map(([column]) => ({ isNull: { column } }))

const predicates = fc.oneof(equalities, orders, betweens, ins, likes, isNulls)

export const expressionArbitrary: fc.Arbitrary<ExpressionDefinition> = fc.letrec<{ part: ExpressionDefinition }>(
  (tie) => ({
    part: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      predicates,
      fc.array(tie('part'), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
      fc.array(tie('part'), { minLength: 1, maxLength: 3 }).map((or) => ({ or })),
      tie('part').map((not) => ({ not })),
    ),
  }),
).part

/** By the book. */
export function naive(definition: ExpressionDefinition, row: readonly Value[]): boolean | null {
  const truth = truthOf(definition, row)
  return truth === UNKNOWN ? null : truth === 1
}

const UNKNOWN = 0.5

function truthOf(definition: ExpressionDefinition, row: readonly Value[]): number {
  if ('and' in definition) return Math.min(...definition.and.map((part) => truthOf(part, row)))
  if ('or' in definition) return Math.max(...definition.or.map((part) => truthOf(part, row)))
  if ('not' in definition) return 1 - truthOf(definition.not, row)
  if ('isNull' in definition) return Number(valueOf(definition.isNull, row) === null)
  if ('like' in definition) {
    const text = valueOf(definition.like[0], row)
    return text === null ? UNKNOWN : Number(isLike([...(text as string)], [...definition.like[1]]))
  }
  if ('in' in definition) {
    const [operand, values] = definition.in
    return Math.max(...values.map((value) => compared(operand, value, row, typeOf([operand]), (o) => o === 0)))
  }
  if ('between' in definition) {
    const [operand, low, high] = definition.between
    const type = typeOf(definition.between)
    return Math.min(
      compared(operand, low, row, type, (order) => order >= 0),
      compared(operand, high, row, type, (order) => order <= 0),
    )
  }
  for (const [kind, holds] of Object.entries(HOLDS)) {
    if (!(kind in definition)) continue
    const operands = (definition as unknown as Readonly<Record<string, readonly OperandDefinition[]>>)[kind]!
    return compared(operands[0]!, operands[1]!, row, typeOf(operands), holds)
  }
  throw new Error('the test knows every kind of expression')
}

const HOLDS: Readonly<Record<string, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  lt: (order) => order < 0,
  le: (order) => order <= 0,
  gt: (order) => order > 0,
  ge: (order) => order >= 0,
}

function isColumn(operand: OperandDefinition): operand is { readonly column: string } {
  return typeof operand === 'object' && operand !== null && 'column' in operand
}

function valueOf(operand: OperandDefinition, row: readonly Value[]): Value {
  return isColumn(operand) ? row[COLUMNS.findIndex(({ name }) => name === operand.column)]! : operand
}

function typeOf(operands: readonly OperandDefinition[]): string {
  return COLUMNS_BY_NAME.get(operands.find(isColumn)!.column)!.type.kind
}

function compared(
  left: OperandDefinition,
  right: OperandDefinition,
  row: readonly Value[],
  kind: string,
  holds: (order: number) => boolean,
): number {
  const values = [valueOf(left, row), valueOf(right, row)] as const
  if (values.includes(null)) return UNKNOWN
  const [leftParts, rightParts] = values.map((value) => partsOf(value, kind)) as [Parts, Parts]
  return Number(holds(orderOf(leftParts, rightParts)))
}

type Parts = readonly (number | bigint)[]

/** Numbers whose lexicographic order is the order of the values. */
function partsOf(value: Value, kind: string): Parts {
  switch (kind) {
    case 'DECIMAL': {
      const [integer, fraction = ''] = (value as string).split('.')
      return [BigInt(`${integer}${fraction.padEnd(3, '0')}`)]
    }
    case 'BLOB':
      return [...(value as Uint8Array)]
    case 'TIME':
    case 'TIMESTAMP': {
      const [seconds, fraction = ''] = (value as string).replace('Z', '').split('.')
      const days = kind === 'TIME' ? `1970-01-01T${seconds}Z` : `${seconds}Z`
      return [Date.parse(days), Number(fraction.padEnd(6, '0'))]
    }
    case 'DATE':
      return [Date.parse(value as string)]
    default:
      return typeof value === 'string'
        ? Array.from(value, (character) => character.codePointAt(0)!)
        : [typeof value === 'bigint' ? value : Number(value)]
  }
}

function orderOf(left: Parts, right: Parts): number {
  const at = left.findIndex((part, index) => index >= right.length || part < right[index]! || part > right[index]!)
  if (at < 0 || at >= right.length) return left.length - right.length
  return left[at]! < right[at]! ? -1 : 1
}

export function isLike(text: readonly string[], pattern: readonly string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return text.length === 0
  if (first === '%')
    return Array.from({ length: text.length + 1 }, (_, at) => at).some((at) => isLike(text.slice(at), rest))
  if (text.length === 0) return false
  if (first === '_') return isLike(text.slice(1), rest)
  if (first === '\\') return text[0] === rest[0] && isLike(text.slice(1), rest.slice(1))
  return text[0] === first && isLike(text.slice(1), rest)
}

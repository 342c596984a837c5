/** Guessed types hold every value they were guessed from, and values are fitted to types without loss. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { JsonValue } from '../../../log/codec/column-type.js'
import { formatColumnType, parseColumnType } from '../../../log/codec/types/sql-text.js'
import {
  fractionDigits,
  integerDigits,
  isExactAsDouble,
  parseDecimal,
  plainText,
} from '../../../tools/import/decimal-text.js'
import { fitterFor } from '../../../tools/import/fit-value.js'
import { TypeGuess } from '../../../tools/import/guess-type.js'
import { NumberToken, jsonTextOf, parseJson, type SourceValue } from '../../../tools/import/json-value.js'

function guess(values: readonly SourceValue[], isText: boolean, isComplete = true): string {
  const guessed = new TypeGuess(isText)
  for (const value of values) guessed.observe(value)
  return formatColumnType(guessed.type(isComplete))
}

t.test('guesses from JSON', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['[null,null]', 'TEXT'],
    ['[]', 'TEXT'],
    ['[true,null,false]', 'BOOLEAN'],
    ['[1,-5,null,2147483647]', 'INTEGER'],
    ['[1,2147483648]', 'BIGINT'],
    ['[1.0,2]', 'INTEGER'],
    ['[9223372036854775807,-9223372036854775808]', 'BIGINT'],
    ['[9223372036854775808]', 'DECIMAL(19,0)'],
    ['[12345678901234567890123,1]', 'DECIMAL(23,0)'],
    [`[${'9'.repeat(66)}]`, 'TEXT'],
    ['[1,2.5]', 'DOUBLE'],
    ['[-0]', 'DOUBLE'],
    ['[1e300,1e-7]', 'DOUBLE'],
    ['[0.12345678901234567891,100]', 'DECIMAL(23,20)'],
    ['[9007199254740993,0.5]', 'DECIMAL(17,1)'],
    ['[1e400]', 'TEXT'],
    ['["a",null]', 'TEXT'],
    ['["5"]', 'TEXT'],
    ['["true"]', 'TEXT'],
    ['["2024-02-29","0001-01-01"]', 'DATE'],
    ['["2023-02-29"]', 'TEXT'],
    ['["2024-01-01","2024-01-01T00:00:00Z"]', 'TEXT'],
    ['["2024-01-01T00:00:00Z","2024-01-01 23:59:59.123456"]', 'TIMESTAMP'],
    ['["2024-01-01T00:00:00+02:00"]', 'TEXT'],
    ['["2024-01-01T24:00:00Z"]', 'TEXT'],
    ['[300,"300"]', 'TEXT'],
    ['[1,true]', 'TEXT'],
    ['[{"a":1}]', 'JSON'],
    ['[[1,2],"x",5,null]', 'JSON'],
    ['[{"a":9007199254740993}]', 'TEXT'],
  ]
  for (const [text, type] of cases) t.equal(guess(parseJson(text) as SourceValue[], false), type, text)
  t.equal(guess([1, 2], false, false), 'BIGINT', 'values to come may be larger')
})

t.test('guesses from text', async (t) => {
  const cases: readonly (readonly [readonly (string | null)[], string])[] = [
    [['1', '-2', null], 'INTEGER'],
    [['3000000000'], 'BIGINT'],
    [['007', '1'], 'TEXT'],
    [['+1'], 'TEXT'],
    [['1', ''], 'TEXT'],
    [['1.50', '2'], 'DOUBLE'],
    [['1e5'], 'INTEGER'],
    [['12345678901234567.89'], 'DECIMAL(19,2)'],
    [['.5'], 'TEXT'],
    [['NaN'], 'TEXT'],
    [['true', 'FALSE'], 'BOOLEAN'],
    [['true', 'yes'], 'TEXT'],
    [['true', '1'], 'TEXT'],
    [['2024-01-31'], 'DATE'],
    [['31.01.2024'], 'TEXT'],
    [['{"a":1}'], 'TEXT'],
  ]
  for (const [values, type] of cases) t.equal(guess(values, true), type, values.join(' '))
})

const numbers = fc.oneof(
  fc.integer(),
  fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc
    .tuple(fc.integer({ min: -999, max: 999 }), fc.stringMatching(/^\d{1,30}$/))
    .map(([whole, fraction]) => `${whole}.${fraction}`),
)

/** The value of a number's text as digits and a power of ten, and not as a double. */
function valueOf(text: string): string {
  const decimal = parseDecimal(text)
  assert.ok(decimal !== undefined, text)
  return `${decimal.negative && decimal.digits !== '' ? '-' : ''}${decimal.digits}e${decimal.exponent}`
}

function numberText(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

t.test('what is guessed from numbers holds each with its exact value', async () => {
  fc.assert(
    fc.property(fc.array(numbers, { minLength: 1, maxLength: 6 }), (list) => {
      const texts = list.map(String)
      const values = parseJson(`[${texts.join(',')}]`) as SourceValue[]
      const type = parseColumnType(guess(values, false))
      const fit = fitterFor(type, false)
      const fitText = fitterFor(type, true)
      values.forEach((value, at) => {
        assert.equal(valueOf(numberText(fit(value))), valueOf(texts[at]!), `${texts[at]} as ${formatColumnType(type)}`)
        assert.equal(valueOf(numberText(fitText(texts[at]!))), valueOf(texts[at]!))
      })
    }),
    { numRuns: 500 },
  )
})

t.test('what is guessed from any JSON values holds each of them', async () => {
  const scalars = fc.oneof(
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string(),
    fc.constantFrom('2024-01-01', '2024-01-01T10:00:00Z', 'true', '5'),
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(scalars, fc.jsonValue({ maxDepth: 2 })), { minLength: 1, maxLength: 6 }), (list) => {
      const values = parseJson(JSON.stringify(list)) as SourceValue[]
      const type = guess(values, false)
      const fit = fitterFor(parseColumnType(type), false)
      for (const value of values) {
        const fitted = fit(value)
        if (value === null) assert.equal(fitted, null)
        else if (type === 'TEXT') assert.equal(fitted, typeof value === 'string' ? value : jsonTextOf(value))
        else if (type === 'BIGINT') assert.equal(fitted, jsonTextOf(value))
        else if (type.startsWith('DECIMAL') || type === 'DOUBLE')
          assert.equal(valueOf(numberText(fitted)), valueOf(jsonTextOf(value)))
        else if (type !== 'TIMESTAMP') assert.deepEqual(fitted, value)
      }
    }),
    { numRuns: 500 },
  )
})

t.test('values are fitted to the type of their column', async (t) => {
  const token = (text: string): NumberToken => new NumberToken(text)
  const cases: readonly (readonly [string, boolean, SourceValue, unknown])[] = [
    ['BIGINT', false, token('9007199254740993'), '9007199254740993'],
    ['BIGINT', false, '12', '12'],
    ['BIGINT', true, ' 12 ', '12'],
    ['BIGINT', true, '1e3', '1000'],
    ['BIGINT', true, '', null],
    ['INTEGER', true, '+7', 7],
    ['DECIMAL(30,10)', false, token('12345678901234567890.5'), '12345678901234567890.5000000000'],
    ['DECIMAL(10,2)', true, '12.5', '12.50'],
    ['DOUBLE', false, token('0.12345678901234567891'), 0.12345678901234568],
    ['DOUBLE', true, '-inf', '-Infinity'],
    ['DOUBLE', true, '0', 0],
    ['DOUBLE', true, '-0', '-0'],
    ['BOOLEAN', true, 'Yes', true],
    ['BOOLEAN', true, '0', false],
    ['TEXT', true, '', ''],
    ['TEXT', false, token('1.50000000000000000000'), '1.50000000000000000000'],
    ['TEXT', false, -0, '-0'],
    ['TEXT', false, { a: [1, token('9007199254740993'), 'x'] }, '{"a":[1,9007199254740993,"x"]}'],
    ['VARCHAR(5)', false, true, 'true'],
    ['JSON', true, '{"a":[1,null]}', { a: [1, null] }],
    ['JSON', false, 'text', 'text'],
    ['BLOB', true, '\\x00ff', 'AP8='],
    ['BLOB', true, 'AP8=', 'AP8='],
    ['BLOB', false, 'AP8=', 'AP8='],
    ['DATE', true, '2024-01-31', '2024-01-31'],
    ['TIMESTAMP', true, '2024-01-31 10:00:00+02:00', '2024-01-31T08:00:00Z'],
    ['UUID', true, '00000000000000000000000000000001', '00000000-0000-0000-0000-000000000001'],
    ["ENUM('a','b')", true, 'b', 'b'],
    ['TIME', true, '', null],
  ]
  for (const [type, isText, value, expected] of cases) {
    t.strictSame(fitterFor(parseColumnType(type), isText)(value), expected, `${type} ${jsonTextOf(value)}`)
  }
})

t.test('what does not fit is refused, never rounded', async (t) => {
  const token = (text: string): NumberToken => new NumberToken(text)
  const cases: readonly (readonly [string, boolean, SourceValue])[] = [
    ['INTEGER', false, 2147483648],
    ['INTEGER', false, 1.5],
    ['INTEGER', true, 'x'],
    ['INTEGER', true, '1.5'],
    ['BIGINT', false, token('9223372036854775808')],
    ['BIGINT', false, token('9007199254740992.6')],
    ['BIGINT', false, true],
    ['BIGINT', false, token('1e400')],
    ['DECIMAL(4,2)', true, '1.234'],
    ['DECIMAL(4,2)', false, token('12345678901234567890')],
    ['DOUBLE', false, token('9007199254740993')],
    ['DOUBLE', true, '9007199254740993'],
    ['DOUBLE', false, token('1e400')],
    ['DOUBLE', true, '1e-400'],
    ['DOUBLE', true, 'NaN'],
    ['BOOLEAN', true, 'maybe'],
    ['BOOLEAN', false, 'true'],
    ['VARCHAR(3)', true, 'four'],
    ['JSON', true, '{'],
    ['JSON', false, { a: token('9007199254740993') }],
    ['BLOB', true, '\\x0'],
    ['DATE', true, '2023-02-29'],
    ['DATE', false, token('12345678901234567890')],
    ['UUID', true, 'no'],
    ["ENUM('a')", true, 'A'],
  ]
  for (const [type, isText, value] of cases) {
    const fit = fitterFor(parseColumnType(type), isText)
    t.throws(
      () => fit(value),
      { code: 'INVALID_VALUE', message: /does not fit|not JSON/ },
      `${type} ${jsonTextOf(value)}`,
    )
  }
})

t.test('decimal text: digits, and whether a double shows the same number', async () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.bigInt(), (double, integer) => {
      const decimal = parseDecimal(String(double))!
      assert.ok(isExactAsDouble(String(double), decimal))
      assert.ok(Number(plainText(decimal)) === double)
      const whole = parseDecimal(String(integer))!
      assert.equal(BigInt(plainText(whole)), integer)
      assert.equal(fractionDigits(whole), 0)
      assert.equal(integerDigits(whole), integer === 0n ? 0 : String(integer).replace('-', '').length)
    }),
    { numRuns: 300 },
  )
  for (const text of ['', '-', '.', 'e5', '1e', '0x1', '1_000', ' 1', 'Infinity'])
    assert.equal(parseDecimal(text), undefined)
})

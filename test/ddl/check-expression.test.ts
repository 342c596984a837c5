/** A check is true, false or unknown for a row exactly as SQL says, in every type and however it is nested. (G4) */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { columnIdsOf, compileExpression } from '../../ddl/check-expression.js'
import { comparatorOf, commonType } from '../../ddl/comparison-type.js'
import { expressionOf } from '../../ddl/expression-parser.js'
import { invalidDefinition } from '../../ddl/invalid-definition.js'
import type { ExpressionDefinition } from '../../ddl/table-definition.js'
import type { Value } from '../../log/codec/column-type.js'
import type { Expression } from '../../log/codec/message.js'
import { TYPE_SAMPLES, decimalText } from '../codec/values-arbitraries.js'
import { COLUMNS, COLUMNS_BY_NAME, expressionArbitrary, naive, rowArbitrary } from './expression-arbitraries.js'

function compiled(definition: ExpressionDefinition): (row: readonly Value[]) => boolean | null {
  return compileExpression(expressionOf(definition, COLUMNS_BY_NAME, invalidDefinition), COLUMNS)
}

function rowWith(values: Readonly<Record<string, Value>>): Value[] {
  return COLUMNS.map(({ name }) => values[name] ?? null)
}

t.test('any condition is what it is by the book', async () => {
  const outcomes = new Set<boolean | null>()
  fc.assert(
    fc.property(expressionArbitrary, fc.array(rowArbitrary, { minLength: 1, maxLength: 8 }), (definition, rows) => {
      const condition = compiled(definition)
      for (const row of rows) {
        const outcome = condition(row)
        outcomes.add(outcome)
        assert.equal(outcome, naive(definition, row))
        assert.equal(condition(row), outcome, 'asked again it is the same')
      }
    }),
    { numRuns: 2000 },
  )
  assert.equal(outcomes.size, 3)
})

t.test('the truth tables of SQL', async (t) => {
  // bool_a is the value itself, as a condition.
  const value = (column: string): ExpressionDefinition => ({ eq: [{ column }, true] })
  const and = compiled({ and: [value('bool_a'), value('bool_b')] })
  const or = compiled({ or: [value('bool_a'), value('bool_b')] })
  const not = compiled({ not: value('bool_a') })
  const table: readonly (readonly [Value, Value, boolean | null, boolean | null, boolean | null])[] = [
    // a, b, a and b, a or b, not a
    [true, true, true, true, false],
    [true, false, false, true, false],
    [true, null, null, true, false],
    [false, true, false, true, true],
    [false, false, false, false, true],
    [false, null, false, null, true],
    [null, true, null, true, null],
    [null, false, false, null, null],
    [null, null, null, null, null],
  ]
  for (const [a, b, both, either, opposite] of table) {
    const row = rowWith({ bool_a: a, bool_b: b })
    t.same([and(row), or(row), not(row)], [both, either, opposite], JSON.stringify([a, b]))
  }
})

t.test('NULL makes a comparison unknown, and isNull is never unknown', async (t) => {
  const empty = rowWith({})
  const unknown: readonly ExpressionDefinition[] = [
    { eq: [{ column: 'int' }, 1] },
    { ne: [{ column: 'int' }, { column: 'big' }] },
    { in: [{ column: 'int' }, [1]] },
    { between: [{ column: 'int' }, 0, 1] },
    { like: [{ column: 'text' }, '%'] },
  ]
  for (const definition of unknown) t.equal(compiled(definition)(empty), null, JSON.stringify(definition))
  t.equal(compiled({ isNull: { column: 'json' } })(empty), true)
  t.equal(compiled({ isNull: { column: 'json' } })(rowWith({ json: 0 })), false)
  // One bound alone can say no.
  const between = compiled({ between: [{ column: 'int' }, { column: 'big' }, 5] })
  t.equal(between(rowWith({ int: 6 })), false)
  t.equal(between(rowWith({ int: 4 })), null)
})

t.test('-0 equals 0', async (t) => {
  const row = rowWith({ double_a: -0, double_b: 0 })
  t.equal(compiled({ eq: [{ column: 'double_a' }, { column: 'double_b' }] })(row), true)
  t.equal(compiled({ lt: [{ column: 'double_a' }, { column: 'double_b' }] })(row), false)
  t.equal(compiled({ in: [{ column: 'double_a' }, [0]] })(row), true)
  t.equal(compiled({ in: [{ column: 'double_b' }, ['-0']] })(row), true)
})

for (const { type, values, compare } of TYPE_SAMPLES) {
  if (compare === undefined) continue
  t.test(`values of ${JSON.stringify(type).slice(0, 60)} compare as keys order`, async () => {
    const comparator = comparatorOf(type, type)
    fc.assert(
      fc.property(values, values, fc.boolean(), (left, other, same) => {
        const right = same ? left : other
        const order = compare(left, right)
        // An ENUM is only equal or not.
        if (type.kind === 'ENUM') assert.equal(comparator(left, right) === 0, order === 0)
        else assert.equal(Math.sign(comparator(left, right)), Math.sign(order))
      }),
    )
  })
}

t.test('decimals of different scales compare by number', async () => {
  const decimals = fc.tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.integer({ min: 0, max: 9 }))
  const near = fc.tuple(fc.bigInt({ min: -30n, max: 30n }), fc.integer({ min: 0, max: 3 }))
  fc.assert(
    fc.property(fc.oneof(decimals, near), fc.oneof(decimals, near), ([left, leftScale], [right, rightScale]) => {
      const comparator = comparatorOf(
        { kind: 'DECIMAL', precision: 30, scale: leftScale },
        { kind: 'DECIMAL', precision: 30, scale: rightScale },
      )
      const [l, r] = [left * 10n ** BigInt(rightScale), right * 10n ** BigInt(leftScale)]
      const order = comparator(decimalText(left, leftScale), decimalText(right, rightScale))
      assert.equal(Math.sign(order), l < r ? -1 : l > r ? 1 : 0)
    }),
  )
})

t.test('a common type holds the values of both, and is the same from either side', async () => {
  const types = fc.constantFrom(...TYPE_SAMPLES.map(({ type }) => type))
  fc.assert(
    fc.property(types, types, (left, right) => {
      const common = commonType(left, right)
      assert.deepEqual(common, commonType(right, left))
      if (left.kind === right.kind && left.kind !== 'JSON') assert.notEqual(common, undefined)
    }),
  )
})

t.test('the columns of a condition are all that it names', async (t) => {
  const definition: ExpressionDefinition = {
    and: [
      { not: { or: [{ isNull: { column: 'json' } }, { like: [{ column: 'text' }, 'a%'] }] } },
      { between: [1, { column: 'int' }, { column: 'big' }] },
      { in: [{ column: 'uuid_a' }, ['00000000-0000-0000-0000-000000000000']] },
    ],
  }
  const ids = columnIdsOf(expressionOf(definition, COLUMNS_BY_NAME, invalidDefinition))
  const names = COLUMNS.filter(({ id }) => ids.has(id)).map(({ name }) => name)
  t.same(names.sort(), ['big', 'int', 'json', 'text', 'uuid_a'])
})

t.test('G8: a stored condition that no definition makes is CORRUPT, not ignored', async (t) => {
  const [int, text, json] = ['int', 'text', 'json'].map((name) => ({ columnId: COLUMNS_BY_NAME.get(name)!.id }))
  const flawed: readonly Expression[] = [
    { isNull: { columnId: 999 } },
    { isNull: { literal: '1' } },
    { comparison: { left: { literal: '1' }, operator: 'EQ', right: { literal: '1' } } },
    { comparison: { left: int!, operator: 'EQ', right: text! } },
    { comparison: { left: json!, operator: 'EQ', right: { literal: '1' } } },
    { comparison: { left: int!, operator: 'EQ', right: { literal: '"x"' } } },
    { comparison: { left: int!, operator: 'EQ', right: { literal: '{' } } },
    { in: { operand: int!, values: ['null'] } },
    { between: { operand: int!, low: { literal: '1' }, high: { columnId: 999 } } },
    { like: { operand: int!, pattern: '%' } },
  ]
  for (const expression of flawed) {
    t.throws(() => compileExpression(expression, COLUMNS), { code: 'CORRUPT' }, JSON.stringify(expression))
  }
})

/** A condition that cannot mean anything is refused with where and why, and one that can comes back as it was written. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { ReplogError } from '../../core/errors.js'
import { EXPRESSION_DEPTH_MAX, EXPRESSION_NODES_MAX, LIKE_PATTERN_LENGTH_MAX } from '../../core/limits.js'
import { definitionOfExpression } from '../../ddl/expression-definition.js'
import { expressionOf } from '../../ddl/expression-parser.js'
import { expressionText } from '../../ddl/expression-text.js'
import { invalidDefinition } from '../../ddl/invalid-definition.js'
import type { ExpressionDefinition } from '../../ddl/table-definition.js'
import { flawOfExpression } from '../../log/codec/expression-codec.js'
import type { Expression } from '../../log/codec/message.js'
import { COLUMNS, COLUMNS_BY_NAME, expressionArbitrary } from './expression-arbitraries.js'

const COLUMN_IDS = new Set(COLUMNS.map(({ id }) => id))

function parsed(definition: unknown): Expression {
  return expressionOf(definition as ExpressionDefinition, COLUMNS_BY_NAME, invalidDefinition)
}

function text(definition: ExpressionDefinition): string {
  return expressionText(parsed(definition), COLUMNS)
}

const int = { column: 'int' }
const varchar = { column: 'varchar' }

t.test('a definition comes back, and is one that the log takes', async () => {
  fc.assert(
    fc.property(expressionArbitrary, (definition) => {
      const expression = parsed(definition)
      assert.equal(flawOfExpression(expression, COLUMN_IDS), undefined)
      const again = definitionOfExpression(expression, COLUMNS)
      assert.deepEqual(parsed(again), expression)
      assert.deepEqual(parsed(JSON.parse(JSON.stringify(again))), expression, 'as JSON, too')
    }),
    { numRuns: 1000 },
  )
})

t.test('a literal takes the type of the column that it is compared with', async (t) => {
  const literalOf = (definition: unknown): unknown => {
    const expression = parsed(definition)
    return 'comparison' in expression ? expression.comparison.right : expression
  }
  const cases: readonly (readonly [definition: unknown, literal: string])[] = [
    [{ eq: [{ column: 'big' }, 5] }, '"5"'],
    [{ eq: [{ column: 'dec_2' }, 1.5] }, '"1.50"'],
    [{ eq: [{ column: 'date_a' }, new Date('2024-01-01T00:00:00Z')] }, '"2024-01-01"'],
    [{ eq: [{ column: 'stamp_a' }, '2024-01-01 02:00:00+02:00'] }, '"2024-01-01T00:00:00Z"'],
    [{ eq: [{ column: 'blob_a' }, Uint8Array.of(0, 255)] }, '"AP8="'],
    [{ eq: [{ column: 'double_a' }, -Infinity] }, '"-Infinity"'],
  ]
  for (const [definition, literal] of cases) t.same(literalOf(definition), { literal })
  // Beside several columns it may be what any of them holds.
  t.same(parsed({ between: [{ column: 'int' }, 2 ** 31, { column: 'big' }] }), {
    between: {
      operand: { columnId: COLUMNS_BY_NAME.get('int')!.id },
      low: { literal: '"2147483648"' },
      high: { columnId: COLUMNS_BY_NAME.get('big')!.id },
    },
  })
})

t.test('what is refused, and what the refusal says', async (t) => {
  const nested = (levels: number): unknown => (levels === 1 ? { isNull: int } : { not: nested(levels - 1) })
  const cases: readonly (readonly [definition: unknown, message: string])[] = [
    ['x > 1', 'an expression is an object with one key'],
    [null, 'an expression is an object with one key'],
    [[], 'an expression is an object with one key'],
    [{}, 'an expression is an object with one key, and this has 0'],
    [{ eq: [int, 1], ne: [int, 2] }, 'an expression is an object with one key, and this has 2'],
    [{ bteween: [int, 1, 2] }, '"bteween" is no kind of expression; did you mean "between"?'],
    [
      { xyz: 1 },
      '"xyz" is no kind of expression; there are and, or, not, eq, ne, lt, le, gt, ge, in, between, like, isNull',
    ],
    [{ toString: 1 }, '"toString" is no kind of expression'],
    [{ and: [] }, 'and: must be a list of at least one expression'],
    [{ or: { isNull: int } }, 'or: must be a list of at least one expression'],
    [{ and: [{ isNull: int }, 5] }, 'and[1]: an expression is an object with one key'],
    [{ not: { or: [{ isNull: { column: 'imt' } }] } }, 'not.or[0].isNull: unknown column "imt"; did you mean "int"?'],
    [{ eq: [int] }, 'eq: must be a list of 2 operands'],
    [{ eq: int }, 'eq: must be a list of 2 operands'],
    [{ between: [int, 1] }, 'between: must be a list of 3 operands'],
    [{ eq: [{ col: 'int' }, 1] }, 'eq[0]: an operand is { "column": name } or a literal'],
    [{ eq: [{ column: 'int', cast: 'TEXT' }, 1] }, 'eq[0]: an operand is { "column": name } or a literal'],
    [{ eq: [{ column: 5 }, 1] }, 'eq[0]: an operand is { "column": name } or a literal'],
    [{ eq: [1, 1] }, 'eq: compares literals'],
    [{ between: [1, 2, 3] }, 'between: compares literals'],
    [{ in: [5, [5]] }, 'in[0]: must be { "column": name }'],
    [{ like: ['abc', 'a%'] }, 'like[0]: must be { "column": name }'],
    [{ isNull: 5 }, 'isNull: must be { "column": name }'],
    [{ eq: [int, null] }, 'eq[1]: a comparison with NULL is neither true nor false; use isNull'],
    [{ in: [int, [1, null]] }, 'in[1][1]: a comparison with NULL is neither true nor false; use isNull'],
    [{ eq: [int, undefined] }, 'eq[1]: a comparison with NULL'],
    [{ eq: [int, 'five'] }, 'eq[1]: "five" does not fit: INTEGER holds integers'],
    [{ eq: [int, 2 ** 31] }, 'eq[1]: 2147483648 does not fit: INTEGER'],
    [{ eq: [varchar, 'longer than 9'] }, 'eq[1]: "longer than 9" does not fit: VARCHAR(9)'],
    [{ eq: [{ column: 'dec_2' }, '1.005'] }, 'eq[1]: "1.005" does not fit: DECIMAL(10,2)'],
    [{ eq: [{ column: 'bool_a' }, 1] }, 'eq[1]: 1 does not fit: BOOLEAN holds true or false'],
    [{ in: [{ column: 'enum_a' }, ['a', 'x']] }, 'in[1][1]: "x" does not fit: ENUM holds one of "b", "a", "c"'],
    [{ in: [int, []] }, 'in[1]: must list at least one value'],
    [{ in: [int, 5] }, 'in: must be [{ "column": name }, [value, …]]'],
    [{ in: [int, [1], [2]] }, 'in: must be [{ "column": name }, [value, …]]'],
    [{ eq: [int, varchar] }, 'eq: columns "int" and "varchar" cannot be compared: INTEGER and VARCHAR'],
    [{ lt: [int, { column: 'double_a' }] }, 'lt: columns "int" and "double_a" cannot be compared: INTEGER and DOUBLE'],
    [{ lt: [{ column: 'date_a' }, { column: 'stamp_a' }] }, 'lt: columns "date_a" and "stamp_a" cannot be compared'],
    [{ between: [1, int, { column: 'dec_0' }] }, 'between: columns "int" and "dec_0" cannot be compared'],
    [{ eq: [{ column: 'json' }, 0] }, 'eq: column "json" is JSON and cannot be compared; use isNull'],
    [{ in: [{ column: 'json' }, [0]] }, 'in: column "json" is JSON and cannot be compared; use isNull'],
    [{ lt: [{ column: 'enum_a' }, 'a'] }, 'lt: an ENUM has no order; use eq, ne or in'],
    [{ between: [{ column: 'enum_a' }, 'a', 'b'] }, 'between: an ENUM has no order; use eq, ne or in'],
    [{ like: [int, '1%'] }, 'like: column "int" is INTEGER; VARCHAR and TEXT have patterns'],
    [{ like: [varchar, 5] }, 'like[1]: a pattern is a string'],
    [{ like: [varchar, '\ud800'] }, 'like[1]: a pattern is a string of well-formed Unicode'],
    [{ like: [varchar, 'a\\'] }, 'like[1]: the pattern ends with a backslash; write two for the character itself'],
    [{ like: [varchar, 'a\\\\\\'] }, 'like[1]: the pattern ends with a backslash'],
    [{ like: [varchar, '%'.repeat(LIKE_PATTERN_LENGTH_MAX + 1)] }, `a pattern has at most ${LIKE_PATTERN_LENGTH_MAX}`],
    [{ like: [varchar] }, 'like: must be [{ "column": name }, pattern]'],
    [nested(EXPRESSION_DEPTH_MAX + 1), `the expression has more than ${EXPRESSION_DEPTH_MAX} levels`],
    [{ in: [int, Array<number>(EXPRESSION_NODES_MAX).fill(1)] }, `more than ${EXPRESSION_NODES_MAX} operators`],
    [{ or: Array(EXPRESSION_NODES_MAX).fill({ isNull: int }) }, `more than ${EXPRESSION_NODES_MAX} operators`],
  ]
  for (const [definition, message] of cases) {
    try {
      parsed(definition)
      t.fail(`accepted, not refused with: ${message}`)
    } catch (error) {
      if (!(error instanceof ReplogError)) throw error
      t.equal(error.code, 'INVALID_DEFINITION')
      t.ok(error.message.includes(message), `${error.message} <- ${message}`)
    }
  }
  const cyclic: { not?: unknown } = {}
  cyclic.not = cyclic
  t.throws(() => parsed(cyclic), { code: 'INVALID_DEFINITION' })
})

t.test('what is just within the bounds is taken, here and by the log', async (t) => {
  const nested = (levels: number): unknown => (levels === 1 ? { isNull: int } : { not: nested(levels - 1) })
  const largest: readonly unknown[] = [
    nested(EXPRESSION_DEPTH_MAX),
    { in: [int, Array<number>(EXPRESSION_NODES_MAX - 2).fill(1)] },
    { or: Array(Math.floor((EXPRESSION_NODES_MAX - 1) / 3)).fill({ eq: [int, 1] }) },
    { like: [varchar, 'a\\\\'] },
    { like: [varchar, '%'.repeat(LIKE_PATTERN_LENGTH_MAX)] },
  ]
  for (const definition of largest) t.equal(flawOfExpression(parsed(definition), COLUMN_IDS), undefined)
  // A literal may have any of the types that a literal has, also where it comes first.
  t.equal(text({ lt: [0, int] }), '0 < "int"')
})

t.test('SQL text: parentheses where SQL needs them, and nowhere else', async (t) => {
  const a: ExpressionDefinition = { eq: [int, 1] }
  const b: ExpressionDefinition = { isNull: varchar }
  const c: ExpressionDefinition = { between: [{ column: 'big' }, 1, 5] }
  const cases: readonly (readonly [ExpressionDefinition, string])[] = [
    [{ and: [a, b, c] }, '"int" = 1 AND "varchar" IS NULL AND "big" BETWEEN 1 AND 5'],
    [{ or: [{ and: [a, b] }, c] }, '"int" = 1 AND "varchar" IS NULL OR "big" BETWEEN 1 AND 5'],
    [{ and: [{ or: [a, b] }, c] }, '("int" = 1 OR "varchar" IS NULL) AND "big" BETWEEN 1 AND 5'],
    [{ and: [{ or: [a] }, { and: [b] }] }, '"int" = 1 AND "varchar" IS NULL'],
    [{ not: a }, 'NOT "int" = 1'],
    [{ not: { not: a } }, 'NOT NOT "int" = 1'],
    [{ not: { and: [a, b] } }, 'NOT ("int" = 1 AND "varchar" IS NULL)'],
    [{ not: { or: [a] } }, 'NOT "int" = 1'],
    [
      { or: [{ not: a }, { not: { or: [b, c] } }] },
      'NOT "int" = 1 OR NOT ("varchar" IS NULL OR "big" BETWEEN 1 AND 5)',
    ],
    [{ not: b }, '"varchar" IS NOT NULL'],
    [{ not: c }, '"big" NOT BETWEEN 1 AND 5'],
    [{ not: { in: [int, [1, 2]] } }, '"int" NOT IN (1, 2)'],
    [{ not: { like: [varchar, "it's%"] } }, `"varchar" NOT LIKE 'it''s%'`],
    [{ ne: [int, { column: 'big' }] }, '"int" <> "big"'],
    [{ le: [{ column: 'dec_2' }, '9.5'] }, '"dec_2" <= 9.50'],
    [{ ge: [{ column: 'blob_a' }, Uint8Array.of(1, 171)] }, `"blob_a" >= X'01AB'`],
    [{ gt: [{ column: 'double_a' }, 1e300] }, '"double_a" > 1E+300'],
    [{ in: [{ column: 'enum_a' }, ['a', 'b']] }, `"enum_a" IN ('a', 'b')`],
    [{ eq: [{ column: 'bool_a' }, true] }, '"bool_a" = TRUE'],
    [{ lt: [{ column: 'date_a' }, '2024-02-29'] }, `"date_a" < '2024-02-29'`],
  ]
  for (const [definition, expected] of cases) t.equal(text(definition), expected)
})

t.test('SQL text read back by the rules of precedence is the same condition', async () => {
  const leaves = ['a', 'b', 'c']
  const columns = leaves.map((name, at) => ({ ...COLUMNS[1]!, id: 2 + at, name }))
  const { part } = fc.letrec<{ part: Expression }>((tie) => ({
    part: fc.oneof(
      { maxDepth: 4, depthSize: 'medium' },
      fc.constantFrom(...columns).map(({ id }) => ({
        comparison: { left: { columnId: id }, operator: 'EQ' as const, right: { literal: 'true' } },
      })),
      fc.array(tie('part'), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
      fc.array(tie('part'), { minLength: 1, maxLength: 3 }).map((or) => ({ or })),
      tie('part').map((not) => ({ not })),
    ),
  }))
  fc.assert(
    fc.property(part, (expression) => {
      const written = expressionText(expression, columns)
      for (let row = 0; row < 8; row++) {
        const values = leaves.map((_, at) => (row & (1 << at)) !== 0)
        assert.equal(readBack(written, values), holds(expression, values), written)
      }
    }),
  )
})

function holds(expression: Expression, values: readonly boolean[]): boolean {
  if ('and' in expression) return expression.and.every((part) => holds(part, values))
  if ('or' in expression) return expression.or.some((part) => holds(part, values))
  if ('not' in expression) return !holds(expression.not, values)
  if ('comparison' in expression && 'columnId' in expression.comparison.left) {
    return values[expression.comparison.left.columnId - 2]!
  }
  throw new Error('the test makes no other')
}

/** Reads `OR` below `AND` below `NOT` below `"a" = TRUE` and parentheses. */
function readBack(written: string, values: readonly boolean[]): boolean {
  const tokens = written.match(/"[abc]" = TRUE|AND|OR|NOT|[()]/g)!
  const junction = (word: string, part: () => boolean, join: (left: boolean, right: boolean) => boolean): boolean => {
    let outcome = part()
    while (tokens[0] === word) {
      tokens.shift()
      outcome = join(part(), outcome)
    }
    return outcome
  }
  const or = (): boolean => junction('OR', and, (left, right) => left || right)
  const and = (): boolean => junction('AND', factor, (left, right) => left && right)
  const factor = (): boolean => {
    const token = tokens.shift()!
    if (token === 'NOT') return !factor()
    if (token !== '(') return values['abc'.indexOf(token[1]!)]!
    const inner = or()
    assert.equal(tokens.shift(), ')')
    return inner
  }
  const outcome = or()
  assert.equal(tokens.length, 0, 'all is read')
  return outcome
}

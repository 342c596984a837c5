/**
 * The conditions of checks, between the objects of `message.ts` and those of protobufjs.
 *
 * Invariant: an expression or operand of a kind that this program does not know is refused as newer, never taken for an
 * empty one: a check that is not understood cannot be kept. What both directions hand on is as deep and as large as
 * `flawOfExpression` allows, so no recursion here or in its callers runs out of stack.
 */
import { EXPRESSION_DEPTH_MAX, EXPRESSION_NODES_MAX } from '../../core/limits.js'
import { corruptDefinition, newerDefinition } from './definition-refusal.js'
import { namesOf } from './definition-types.js'
import type { ComparisonOperator, Expression, Operand } from './message.js'

const operatorNames = namesOf<ComparisonOperator>('Expression.Comparison.Operator')

/** As protobufjs decodes it: `kind` names the member of the oneof that is there, unknown fields are kept aside. */
export interface DecodedOperand {
  readonly kind: 'columnId' | 'literal' | undefined
  readonly columnId: number
  readonly literal: string
  readonly $unknowns?: readonly Uint8Array[]
}

export interface DecodedExpression {
  readonly kind: 'and' | 'or' | 'not' | 'comparison' | 'in' | 'between' | 'like' | 'isNull' | undefined
  readonly and: DecodedJunction
  readonly or: DecodedJunction
  readonly not: DecodedExpression
  readonly comparison: {
    readonly left: DecodedOperand | null
    readonly operator: number
    readonly right: DecodedOperand | null
  }
  readonly in: { readonly operand: DecodedOperand | null; readonly values: readonly string[] }
  readonly between: {
    readonly operand: DecodedOperand | null
    readonly low: DecodedOperand | null
    readonly high: DecodedOperand | null
  }
  readonly like: { readonly operand: DecodedOperand | null; readonly pattern: string }
  readonly isNull: DecodedOperand
  readonly $unknowns?: readonly Uint8Array[]
}

interface DecodedJunction {
  readonly expressions: readonly DecodedExpression[]
}

/** The expression as protobufjs' `fromObject` takes it. */
export function plainExpression(expression: Expression): object {
  if ('and' in expression) return { and: { expressions: expression.and.map(plainExpression) } }
  if ('or' in expression) return { or: { expressions: expression.or.map(plainExpression) } }
  if ('not' in expression) return { not: plainExpression(expression.not) }
  return expression
}

/**
 * @param where begins the text of a refusal: `check "positive"`
 * @throws ReplogError CORRUPT, UNSUPPORTED_VERSION
 */
export function toExpression(where: string, decoded: DecodedExpression): Expression {
  switch (decoded.kind) {
    case 'and':
      return { and: decoded.and.expressions.map((each) => toExpression(where, each)) }
    case 'or':
      return { or: decoded.or.expressions.map((each) => toExpression(where, each)) }
    case 'not':
      return { not: toExpression(where, decoded.not) }
    case 'comparison': {
      const { left, operator, right } = decoded.comparison
      return {
        comparison: {
          left: toOperand(where, left),
          operator: toOperator(where, operator),
          right: toOperand(where, right),
        },
      }
    }
    case 'in':
      return { in: { operand: toOperand(where, decoded.in.operand), values: [...decoded.in.values] } }
    case 'between': {
      const { operand, low, high } = decoded.between
      return {
        between: { operand: toOperand(where, operand), low: toOperand(where, low), high: toOperand(where, high) },
      }
    }
    case 'like':
      return { like: { operand: toOperand(where, decoded.like.operand), pattern: decoded.like.pattern } }
    case 'isNull':
      return { isNull: toOperand(where, decoded.isNull) }
    case undefined:
      if (decoded.$unknowns !== undefined) throw newerDefinition(`${where} has a kind of expression`)
      throw corruptDefinition(`${where} has an expression without a kind`)
  }
}

function toOperand(where: string, decoded: DecodedOperand | null): Operand {
  if (decoded === null) throw corruptDefinition(`${where} has an expression that lacks an operand`)
  switch (decoded.kind) {
    case 'columnId':
      return { columnId: decoded.columnId }
    case 'literal':
      return { literal: decoded.literal }
    case undefined:
      if (decoded.$unknowns !== undefined) throw newerDefinition(`${where} has a kind of operand`)
      throw corruptDefinition(`${where} has an operand without a kind`)
  }
}

function toOperator(where: string, number: number): ComparisonOperator {
  if (number === 0) throw corruptDefinition(`${where} has a comparison without an operator`)
  const operator = operatorNames[number]
  if (operator === undefined) throw newerDefinition(`${where} has a comparison operator (number ${number})`)
  return operator
}

/** Expressions directly inside of an expression. */
export function expressionsOf(expression: Expression): readonly Expression[] {
  if ('and' in expression) return expression.and
  if ('or' in expression) return expression.or
  return 'not' in expression ? [expression.not] : []
}

/** Operands of an expression itself, without those of the expressions inside of it. */
export function operandsOf(expression: Expression): readonly Operand[] {
  if ('comparison' in expression) return [expression.comparison.left, expression.comparison.right]
  if ('in' in expression) return [expression.in.operand, ...expression.in.values.map((literal) => ({ literal }))]
  if ('between' in expression) {
    const { operand, low, high } = expression.between
    return [operand, low, high]
  }
  if ('like' in expression) return [expression.like.operand]
  return 'isNull' in expression ? [expression.isNull] : []
}

/** Why an expression is not one of a table with these columns, or undefined when it is. */
export function flawOfExpression(expression: Expression, columnIds: ReadonlySet<number>): string | undefined {
  let nodes = 0
  const flawOf = (part: Expression, depth: number): string | undefined => {
    if (depth > EXPRESSION_DEPTH_MAX) return `an expression of more than ${EXPRESSION_DEPTH_MAX} levels`
    const operands = operandsOf(part)
    nodes += 1 + operands.length
    if (nodes > EXPRESSION_NODES_MAX) return `an expression of more than ${EXPRESSION_NODES_MAX} parts`
    for (const operand of operands) {
      if ('literal' in operand) {
        if (!operand.literal.isWellFormed()) return 'a literal that is not well formed'
      } else if (!columnIds.has(operand.columnId)) return 'an expression on a column that the table lacks'
    }
    if ('like' in part && !part.like.pattern.isWellFormed()) return 'a pattern that is not well formed'
    for (const inner of expressionsOf(part)) {
      const flaw = flawOf(inner, depth + 1)
      if (flaw !== undefined) return flaw
    }
    return undefined
  }
  return flawOf(expression, 1)
}

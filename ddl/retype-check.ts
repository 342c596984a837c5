/**
 * The condition of a check after the type of one of its columns changed: the same comparisons, with literals of the new
 * type.
 *
 * Invariant: the condition means what it meant. Where that cannot be (an order that the new type does not keep, types that
 * are not compared with each other, a literal that the new type does not hold) it is refused.
 */
import { isReplogError } from '../core/errors.js'
import type { ColumnMessage, Expression, Operand } from '../log/codec/message.js'
import { byName } from './column-definition.js'
import { type Conversion, convertedLiteral } from './convert-value.js'
import { definitionOfExpression } from './expression-definition.js'
import { expressionOf } from './expression-parser.js'
import type { Invalid } from './invalid-definition.js'

export interface Retyping {
  readonly before: ColumnMessage
  readonly after: ColumnMessage
  readonly conversion: Conversion
}

/**
 * @param columns of the table, the retyped one among them
 * @throws what `invalid` makes
 */
export function retypedExpression(
  expression: Expression,
  retyping: Retyping,
  columns: readonly ColumnMessage[],
  invalid: Invalid,
): Expression {
  const converted = new Retyper(retyping, invalid).expression(expression)
  // Whether all that it compares can still be compared, and whether every literal has the type of its columns.
  return expressionOf(definitionOfExpression(converted, columns), byName(columns), invalid)
}

class Retyper {
  readonly #retyping: Retyping
  readonly #invalid: Invalid

  constructor(retyping: Retyping, invalid: Invalid) {
    this.#retyping = retyping
    this.#invalid = invalid
  }

  expression(expression: Expression): Expression {
    if ('and' in expression) return { and: expression.and.map((part) => this.expression(part)) }
    if ('or' in expression) return { or: expression.or.map((part) => this.expression(part)) }
    if ('not' in expression) return { not: this.expression(expression.not) }
    if ('comparison' in expression) {
      const { left, operator, right } = expression.comparison
      const operands = [left, right]
      if (operator !== 'EQ' && operator !== 'NE') this.#requireOrder(operands)
      const [newLeft, newRight] = this.#operands(operands)
      return { comparison: { left: newLeft!, operator, right: newRight! } }
    }
    if ('between' in expression) {
      const { operand, low, high } = expression.between
      const operands = [operand, low, high]
      this.#requireOrder(operands)
      const [newOperand, newLow, newHigh] = this.#operands(operands)
      return { between: { operand: newOperand!, low: newLow!, high: newHigh! } }
    }
    if ('in' in expression) {
      const { operand, values } = expression.in
      if (!this.#isRetyped(operand)) return expression
      return { in: { operand: this.#operand(operand), values: values.map((value) => this.#literal(value)) } }
    }
    if ('like' in expression) {
      return { like: { operand: this.#operand(expression.like.operand), pattern: expression.like.pattern } }
    }
    return { isNull: this.#operand(expression.isNull) }
  }

  /** Operands that are compared with one another. */
  #operands(operands: readonly Operand[]): Operand[] {
    // Beside another column a literal has a type in common with that one, and is read anew as such.
    const alone = operands.every((operand) => 'literal' in operand || this.#isRetyped(operand))
    return operands.map((operand) =>
      'literal' in operand && alone ? { literal: this.#literal(operand.literal) } : this.#operand(operand),
    )
  }

  #operand(operand: Operand): Operand {
    return this.#isRetyped(operand) ? { columnId: this.#retyping.after.id } : operand
  }

  #isRetyped(operand: Operand): boolean {
    return 'columnId' in operand && operand.columnId === this.#retyping.before.id
  }

  #requireOrder(operands: readonly Operand[]): void {
    const { conversion, after } = this.#retyping
    if (conversion.keepsOrder || !operands.some((operand) => this.#isRetyped(operand))) return
    throw this.#invalid(`it compares by order, and values of ${after.type.kind} stand in another order`)
  }

  #literal(literal: string): string {
    const { before, after, conversion } = this.#retyping
    try {
      return convertedLiteral(literal, before.type, after.type, conversion)
    } catch (error) {
      if (isReplogError(error, 'INVALID_VALUE')) throw this.#invalid(`its literal ${error.message}`)
      throw error
    }
  }
}

/** The condition of a CHECK as a user writes it, made from an expression; `expression-parser.ts` goes the other way. */
import type { JsonValue, Value } from '../log/codec/column-type.js'
import type { ColumnMessage, Expression, Operand } from '../log/codec/message.js'

/** A column of the row, or a literal in its embedded or JSON form. */
export type OperandDefinition = { readonly column: string } | Value

/** The condition of a CHECK: an object with one key. A literal takes the type of the column that it is compared with. */
export type ExpressionDefinition =
  | { readonly and: readonly ExpressionDefinition[] }
  | { readonly or: readonly ExpressionDefinition[] }
  | { readonly not: ExpressionDefinition }
  | { readonly eq: readonly [OperandDefinition, OperandDefinition] }
  | { readonly ne: readonly [OperandDefinition, OperandDefinition] }
  | { readonly lt: readonly [OperandDefinition, OperandDefinition] }
  | { readonly le: readonly [OperandDefinition, OperandDefinition] }
  | { readonly gt: readonly [OperandDefinition, OperandDefinition] }
  | { readonly ge: readonly [OperandDefinition, OperandDefinition] }
  | { readonly in: readonly [OperandDefinition, readonly Value[]] }
  /** Operand, lowest and highest, both inclusive. */
  | { readonly between: readonly [OperandDefinition, OperandDefinition, OperandDefinition] }
  /** `%` stands for any characters, `_` for one; a backslash makes the next character stand for itself. */
  | { readonly like: readonly [OperandDefinition, string] }
  | { readonly isNull: OperandDefinition }

/** The inverse of `expressionOf`; literals are in their JSON form. */
export function definitionOfExpression(
  expression: Expression,
  columns: readonly ColumnMessage[],
): ExpressionDefinition {
  const nameOf = new Map(columns.map((column) => [column.id, column.name]))
  const operandOf = (operand: Operand): OperandDefinition =>
    'literal' in operand ? (JSON.parse(operand.literal) as JsonValue) : { column: nameOf.get(operand.columnId) ?? '' }
  const definitionOf = (part: Expression): ExpressionDefinition => {
    if ('and' in part) return { and: part.and.map(definitionOf) }
    if ('or' in part) return { or: part.or.map(definitionOf) }
    if ('not' in part) return { not: definitionOf(part.not) }
    if ('comparison' in part) {
      const { left, operator, right } = part.comparison
      const operands = [operandOf(left), operandOf(right)]
      return { [operator.toLowerCase()]: operands } as unknown as ExpressionDefinition
    }
    if ('in' in part) {
      return { in: [operandOf(part.in.operand), part.in.values.map((value) => JSON.parse(value) as JsonValue)] }
    }
    if ('between' in part) {
      const { operand, low, high } = part.between
      return { between: [operandOf(operand), operandOf(low), operandOf(high)] }
    }
    if ('like' in part) return { like: [operandOf(part.like.operand), part.like.pattern] }
    return { isNull: operandOf(part.isNull) }
  }
  return definitionOf(expression)
}

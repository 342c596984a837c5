/**
 * Conditions of checks in the model: over column ids, with literals of their columns' types; true, false or unknown (null).
 */
import type { ExpressionDefinition } from '../../ddl/expression-definition.js'
import {
  type Type,
  type Value,
  accept,
  compare,
  comparisonType,
  convert,
  isText,
  keepsOrder,
  literalOf,
} from './types.js'

export type Comparison = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge'

type Operand = { readonly column: number } | { readonly literal: Value }

export type Expression =
  | { readonly all: readonly Expression[] }
  | { readonly any: readonly Expression[] }
  | { readonly not: Expression }
  | { readonly compare: Comparison; readonly left: Operand; readonly right: Operand }
  | { readonly in: number; readonly values: readonly Value[] }
  | { readonly between: number; readonly low: Value; readonly high: Value }
  | { readonly like: number; readonly pattern: string }
  | { readonly isNull: number }

export interface NamedColumn {
  readonly id: number
  readonly name: string
  readonly type: Type
}

const COMPARISONS: readonly Comparison[] = ['eq', 'ne', 'lt', 'le', 'gt', 'ge']
const OUTCOMES: Readonly<Record<Comparison, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  ne: (order) => order !== 0,
  lt: (order) => order < 0,
  le: (order) => order <= 0,
  gt: (order) => order > 0,
  ge: (order) => order >= 0,
}

/** Undefined for a condition that these columns do not allow. */
export function expressionOf(
  definition: ExpressionDefinition,
  columns: readonly NamedColumn[],
): Expression | undefined {
  const [kind, content] = Object.entries(definition)[0] as [string, never]
  const parts = (list: readonly ExpressionDefinition[]): readonly Expression[] | undefined => {
    const made = list.map((part) => expressionOf(part, columns))
    return made.length > 0 && made.every((part) => part !== undefined) ? made : undefined
  }
  switch (kind) {
    case 'and': {
      const all = parts(content)
      return all && { all }
    }
    case 'or': {
      const any = parts(content)
      return any && { any }
    }
    case 'not': {
      const not = expressionOf(content, columns)
      return not && { not }
    }
    case 'isNull':
      return withColumn(content, columns, ({ id }) => ({ isNull: id }))
    case 'like':
      return withColumn(content[0], columns, ({ id, type }) =>
        isText(type) ? { like: id, pattern: content[1] } : undefined,
      )
    case 'in':
      return withColumn(content[0], columns, ({ id, type }) => {
        if (type.kind === 'JSON') return undefined
        const values = (content[1] as readonly unknown[]).map((value) => literalIn(value, type))
        return values.every((value) => value !== undefined) ? { in: id, values } : undefined
      })
    case 'between':
      return withColumn(content[0], columns, ({ id, type }) => {
        const [low, high] = [literalIn(content[1], type), literalIn(content[2], type)]
        return low === undefined || high === undefined || !isOrdered(type) ? undefined : { between: id, low, high }
      })
    default:
      return comparisonOf(kind as Comparison, content, columns)
  }
}

function comparisonOf(
  kind: Comparison,
  [first, second]: readonly [unknown, unknown],
  columns: readonly NamedColumn[],
): Expression | undefined {
  if (!COMPARISONS.includes(kind)) return undefined
  const sides = [first, second].map((side) => (isColumn(side) ? columnOf(side, columns) : undefined))
  const [left, right] = sides
  if (isColumn(first) && left === undefined) return undefined
  if (isColumn(second) && right === undefined) return undefined
  const type = left && right ? comparisonType(left.type, right.type) : (left ?? right)?.type
  if (type === undefined || type.kind === 'JSON' || (kind !== 'eq' && kind !== 'ne' && !isOrdered(type)))
    return undefined
  const operand = (side: unknown, column: NamedColumn | undefined): Operand | undefined => {
    if (column !== undefined) return { column: column.id }
    const literal = literalIn(side, type)
    return literal === undefined ? undefined : { literal }
  }
  const [leftOperand, rightOperand] = [operand(first, left), operand(second, right)]
  if (leftOperand === undefined || rightOperand === undefined) return undefined
  return { compare: kind, left: leftOperand, right: rightOperand }
}

function literalIn(value: unknown, type: Type): Value | undefined {
  const literal = accept(value, type)
  return literal === null ? undefined : literal
}

function isOrdered({ kind }: Type): boolean {
  return kind !== 'ENUM' && kind !== 'JSON'
}

function isColumn(side: unknown): side is { readonly column: string } {
  return typeof side === 'object' && side !== null
}

function columnOf(side: unknown, columns: readonly NamedColumn[]): NamedColumn | undefined {
  return isColumn(side) ? columns.find(({ name }) => name === side.column) : undefined
}

function withColumn(
  side: unknown,
  columns: readonly NamedColumn[],
  make: (column: NamedColumn) => Expression | undefined,
): Expression | undefined {
  const column = columnOf(side, columns)
  return column && make(column)
}

/** As definitions show it. */
export function definitionOf(expression: Expression, columns: readonly NamedColumn[]): unknown {
  const column = (id: number): unknown => ({ column: columns.find((one) => one.id === id)!.name })
  const operand = (side: Operand): unknown => ('column' in side ? column(side.column) : literalOf(side.literal))
  if ('all' in expression) return { and: expression.all.map((part) => definitionOf(part, columns)) }
  if ('any' in expression) return { or: expression.any.map((part) => definitionOf(part, columns)) }
  if ('not' in expression) return { not: definitionOf(expression.not, columns) }
  if ('compare' in expression) return { [expression.compare]: [operand(expression.left), operand(expression.right)] }
  if ('in' in expression) return { in: [column(expression.in), expression.values.map(literalOf)] }
  if ('between' in expression) {
    return { between: [column(expression.between), literalOf(expression.low), literalOf(expression.high)] }
  }
  if ('like' in expression) return { like: [column(expression.like), expression.pattern] }
  return { isNull: column(expression.isNull) }
}

export function columnsIn(expression: Expression): Set<number> {
  if ('all' in expression) return new Set(expression.all.flatMap((part) => [...columnsIn(part)]))
  if ('any' in expression) return new Set(expression.any.flatMap((part) => [...columnsIn(part)]))
  if ('not' in expression) return columnsIn(expression.not)
  if ('compare' in expression) {
    return new Set([expression.left, expression.right].flatMap((side) => ('column' in side ? [side.column] : [])))
  }
  if ('in' in expression) return new Set([expression.in])
  if ('between' in expression) return new Set([expression.between])
  if ('like' in expression) return new Set([expression.like])
  return new Set([expression.isNull])
}

export type ReadColumn = (id: number) => { readonly value: Value; readonly type: Type }

export function evaluate(expression: Expression, read: ReadColumn): boolean | null {
  if ('all' in expression) {
    const outcomes = expression.all.map((part) => evaluate(part, read))
    return outcomes.includes(false) ? false : outcomes.includes(null) ? null : true
  }
  if ('any' in expression) {
    const outcomes = expression.any.map((part) => evaluate(part, read))
    return outcomes.includes(true) ? true : outcomes.includes(null) ? null : false
  }
  if ('not' in expression) {
    const outcome = evaluate(expression.not, read)
    return outcome === null ? null : !outcome
  }
  if ('isNull' in expression) return read(expression.isNull).value === null
  if ('compare' in expression) {
    const sides = [expression.left, expression.right].map((side) =>
      'column' in side ? read(side.column) : { value: side.literal, type: undefined },
    )
    const type = (sides[0]!.type ?? sides[1]!.type)!
    const [left, right] = [sides[0]!.value, sides[1]!.value]
    return left === null || right === null ? null : OUTCOMES[expression.compare](compare(left, right, type))
  }
  const { value, type } = read(
    'in' in expression ? expression.in : 'between' in expression ? expression.between : expression.like,
  )
  if (value === null) return null
  if ('in' in expression) return expression.values.some((one) => compare(one, value, type) === 0)
  if ('between' in expression) {
    return compare(value, expression.low, type) >= 0 && compare(value, expression.high, type) <= 0
  }
  return patternOf(expression.pattern).test(value as string)
}

function patternOf(pattern: string): RegExp {
  const source = pattern
    .replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('%', '.*')
    .replaceAll('_', '.')
  return new RegExp(`^${source}$`, 's')
}

/**
 * The condition when the type of one of its columns has become another one; undefined where it would not mean the same.
 */
export function retyped(
  expression: Expression,
  change: { readonly id: number; readonly from: Type; readonly to: Type },
  typeOf: (id: number) => Type,
): Expression | undefined {
  const { id, from, to } = change
  const list = (parts: readonly Expression[]): readonly Expression[] | undefined => {
    const made = parts.map((part) => retyped(part, change, typeOf))
    return made.every((part) => part !== undefined) ? made : undefined
  }
  if (!columnsIn(expression).has(id)) return expression
  const literal = (value: Value): Value | undefined => convert(value, from, to)
  if ('all' in expression) {
    const all = list(expression.all)
    return all && { all }
  }
  if ('any' in expression) {
    const any = list(expression.any)
    return any && { any }
  }
  if ('not' in expression) {
    const not = retyped(expression.not, change, typeOf)
    return not && { not }
  }
  if ('isNull' in expression) return expression
  if (to.kind === 'JSON') return undefined
  if ('like' in expression) return isText(to) ? expression : undefined
  if ('in' in expression) {
    const values = expression.values.map(literal)
    return values.every((value) => value !== undefined) ? { in: id, values } : undefined
  }
  if ('between' in expression) {
    const [low, high] = [literal(expression.low), literal(expression.high)]
    if (low === undefined || high === undefined || !keepsOrder(from, to) || !isOrdered(to)) return undefined
    return { between: id, low, high }
  }
  const { compare: kind, left, right } = expression
  if (kind !== 'eq' && kind !== 'ne' && (!keepsOrder(from, to) || !isOrdered(to))) return undefined
  if ('column' in left && 'column' in right) {
    const typeNow = (column: number): Type => (column === id ? to : typeOf(column))
    return comparisonType(typeNow(left.column), typeNow(right.column)) === undefined ? undefined : expression
  }
  const side = (operand: Operand): Operand | undefined => {
    if ('column' in operand) return operand
    const value = literal(operand.literal)
    return value === undefined ? undefined : { literal: value }
  }
  const [newLeft, newRight] = [side(left), side(right)]
  return newLeft && newRight && { compare: kind, left: newLeft, right: newRight }
}

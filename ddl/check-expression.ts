/**
 * The condition of a CHECK made ready to be asked of rows.
 *
 * It is true, false or, where a NULL is compared, unknown (null), as in SQL:
 *
 *   not unknown = unknown · false and unknown = false · true or unknown = true · any other and, or with it = unknown
 *
 * A comparison with NULL is unknown, `isNull` never is. What can be compared, and how, is in `comparison-type.ts`.
 *
 * Invariants: a condition reads the row and keeps nothing of it; deciding allocates nothing.
 */
import { ReplogError } from '../core/errors.js'
import type { ColumnType, Value } from '../log/codec/column-type.js'
import { expressionsOf, operandsOf } from '../log/codec/expression-codec.js'
import type { ColumnMessage, ComparisonOperator, Expression, Operand } from '../log/codec/message.js'
import { valueCodec } from '../log/codec/type-codecs.js'
import { type Compare, comparatorOf, operandType } from './comparison-type.js'
import { compilePattern } from './like-pattern.js'

export type Condition = (row: readonly Value[]) => boolean | null

/** From an order, as a comparator gives it. */
const OUTCOMES: Readonly<Record<ComparisonOperator, (order: number) => boolean>> = {
  EQ: (order) => order === 0,
  NE: (order) => order !== 0,
  LT: (order) => order < 0,
  LE: (order) => order <= 0,
  GT: (order) => order > 0,
  GE: (order) => order >= 0,
}

/** Ids of the columns that an expression looks at. */
export function columnIdsOf(expression: Expression): Set<number> {
  const ids = new Set<number>()
  const visit = (part: Expression): void => {
    for (const operand of operandsOf(part)) if ('columnId' in operand) ids.add(operand.columnId)
    expressionsOf(part).forEach(visit)
  }
  visit(expression)
  return ids
}

/**
 * @param columns in the order of the values in a row
 * @throws ReplogError CORRUPT for an expression that no definition makes with these columns
 */
export function compileExpression(expression: Expression, columns: readonly ColumnMessage[]): Condition {
  return new ExpressionCompiler(columns).compile(expression)
}

class ExpressionCompiler {
  readonly #columns: ReadonlyMap<number, ColumnMessage>
  readonly #ordinals: ReadonlyMap<number, number>

  constructor(columns: readonly ColumnMessage[]) {
    this.#columns = new Map(columns.map((column) => [column.id, column]))
    this.#ordinals = new Map(columns.map((column, ordinal) => [column.id, ordinal]))
  }

  compile(part: Expression): Condition {
    if ('and' in part) return every(part.and.map((each) => this.compile(each)))
    if ('or' in part) return some(part.or.map((each) => this.compile(each)))
    if ('not' in part) return not(this.compile(part.not))
    if ('comparison' in part) {
      const { left, operator, right } = part.comparison
      return this.#comparison(left, operator, right, this.#commonType([left, right]))
    }
    if ('between' in part) {
      const { operand, low, high } = part.between
      const type = this.#commonType([operand, low, high])
      return every([this.#comparison(operand, 'GE', low, type), this.#comparison(operand, 'LE', high, type)])
    }
    if ('in' in part) return this.#in(part.in.operand, part.in.values)
    if ('like' in part) return this.#like(part.like.operand, part.like.pattern)
    const read = this.#reader(part.isNull, undefined)
    return (row) => read(row) === null
  }

  #comparison(left: Operand, operator: ComparisonOperator, right: Operand, type: ColumnType): Condition {
    const compare = comparatorOf(this.#typeOf(left, type), this.#typeOf(right, type))
    const readLeft = this.#reader(left, type)
    const readRight = this.#reader(right, type)
    const outcome = OUTCOMES[operator]
    return (row) => {
      const leftValue = readLeft(row)
      const rightValue = readRight(row)
      return leftValue === null || rightValue === null ? null : outcome(compare(leftValue, rightValue))
    }
  }

  #in(operand: Operand, literals: readonly string[]): Condition {
    const type = this.#commonType([operand])
    const read = this.#reader(operand, type)
    const values = literals.map((literal) => valueOf(literal, type))
    const has = type.kind === 'BLOB' ? anyEqual(values, comparatorOf(type, type)) : oneOf(new Set(values))
    return (row) => {
      const value = read(row)
      return value === null ? null : has(value)
    }
  }

  #like(operand: Operand, pattern: string): Condition {
    const type = this.#commonType([operand])
    if (type.kind !== 'VARCHAR' && type.kind !== 'TEXT') throw corrupt('matches what is no text')
    const read = this.#reader(operand, type)
    const matches = compilePattern(pattern)
    return (row) => {
      const value = read(row)
      return value === null ? null : matches(value as string)
    }
  }

  #reader(operand: Operand, type: ColumnType | undefined): (row: readonly Value[]) => Value {
    if ('literal' in operand) {
      if (type === undefined) throw corrupt('asks whether a literal is NULL')
      const value = valueOf(operand.literal, type)
      return () => value
    }
    const ordinal = this.#ordinals.get(operand.columnId)
    if (ordinal === undefined) throw corrupt('looks at a column that the table lacks')
    return (row) => row[ordinal]!
  }

  #typeOf(operand: Operand, type: ColumnType): ColumnType {
    return 'literal' in operand ? type : this.#columns.get(operand.columnId)!.type
  }

  #commonType(operands: readonly Operand[]): ColumnType {
    const type = operandType(operands, (columnId) => this.#columns.get(columnId))
    if (type === undefined) throw corrupt('compares what cannot be compared')
    return type
  }
}

function every(conditions: readonly Condition[]): Condition {
  return (row) => {
    let outcome: boolean | null = true
    for (let index = 0; index < conditions.length; index++) {
      const part = conditions[index]!(row)
      if (part === false) return false
      if (part === null) outcome = null
    }
    return outcome
  }
}

function some(conditions: readonly Condition[]): Condition {
  return (row) => {
    let outcome: boolean | null = false
    for (let index = 0; index < conditions.length; index++) {
      const part = conditions[index]!(row)
      if (part === true) return true
      if (part === null) outcome = null
    }
    return outcome
  }
}

function not(condition: Condition): Condition {
  return (row) => {
    const outcome = condition(row)
    return outcome === null ? null : !outcome
  }
}

/** For types whose equal values are the same to a Set, to which -0 is 0, too. */
function oneOf(values: ReadonlySet<Value>): (value: Value) => boolean {
  return (value) => values.has(value)
}

function anyEqual(values: readonly Value[], compare: Compare): (value: Value) => boolean {
  return (value) => {
    for (let index = 0; index < values.length; index++) if (compare(values[index]!, value) === 0) return true
    return false
  }
}

/** @param literal JSON text */
function valueOf(literal: string, type: ColumnType): Value {
  try {
    return valueCodec(type).accept(JSON.parse(literal))
  } catch (cause) {
    throw corrupt(`has a literal that is no ${type.kind}`, cause)
  }
}

function corrupt(flaw: string, cause?: unknown): ReplogError {
  return new ReplogError('CORRUPT', `the expression of a check ${flaw}; restore this copy from a peer`, { cause })
}

/**
 * An expression as SQL text, for `SHOW CREATE` and errors: parentheses only where SQL would read something else without
 * them, and the negated form of a predicate where SQL has one (NOT IN, IS NOT NULL).
 */
import type { ColumnType } from '../log/codec/column-type.js'
import type { ColumnMessage, ComparisonOperator, Expression, Operand } from '../log/codec/message.js'
import { operandType } from './comparison-type.js'
import { literalText, quotedName, quotedText } from './sql-literal.js'

const OPERATORS: Readonly<Record<ComparisonOperator, string>> = {
  EQ: '=',
  NE: '<>',
  LT: '<',
  LE: '<=',
  GT: '>',
  GE: '>=',
}

/** How tightly a text holds together; one inside of another needs parentheses when it is looser. */
const OR = 1
const AND = 2
const NOT = 3
const PREDICATE = 4

interface Text {
  readonly text: string
  readonly binding: number
}

export function expressionText(expression: Expression, columns: readonly ColumnMessage[]): string {
  return new ExpressionWriter(columns).write(expression).text
}

class ExpressionWriter {
  readonly #columns: ReadonlyMap<number, ColumnMessage>

  constructor(columns: readonly ColumnMessage[]) {
    this.#columns = new Map(columns.map((column) => [column.id, column]))
  }

  write(part: Expression): Text {
    if ('and' in part) return this.#junction(part.and, ' AND ', AND, 'TRUE')
    if ('or' in part) return this.#junction(part.or, ' OR ', OR, 'FALSE')
    if ('not' in part) {
      return (
        this.#predicate(part.not, 'NOT ') ?? { text: `NOT ${parenthesized(this.write(part.not), NOT)}`, binding: NOT }
      )
    }
    if ('comparison' in part) {
      const { left, operator, right } = part.comparison
      const type = this.#type([left, right])
      const text = `${this.#operand(left, type)} ${OPERATORS[operator]} ${this.#operand(right, type)}`
      return { text, binding: PREDICATE }
    }
    return this.#predicate(part, '')!
  }

  /** Of a part that takes a NOT inside; undefined for any other. */
  #predicate(part: Expression, not: '' | 'NOT '): Text | undefined {
    let text: string
    if ('in' in part) {
      const type = this.#type([part.in.operand])
      const values = part.in.values.map((literal) => this.#operand({ literal }, type))
      text = `${this.#operand(part.in.operand, type)} ${not}IN (${values.join(', ')})`
    } else if ('between' in part) {
      const { operand, low, high } = part.between
      const type = this.#type([operand, low, high])
      const [operandText, lowText, highText] = [operand, low, high].map((each) => this.#operand(each, type))
      text = `${operandText} ${not}BETWEEN ${lowText} AND ${highText}`
    } else if ('like' in part) {
      text = `${this.#operand(part.like.operand, undefined)} ${not}LIKE ${quotedText(part.like.pattern)}`
    } else if ('isNull' in part) {
      text = `${this.#operand(part.isNull, undefined)} IS ${not}NULL`
    } else {
      return undefined
    }
    return { text, binding: PREDICATE }
  }

  #junction(parts: readonly Expression[], word: string, binding: number, empty: string): Text {
    const texts = parts.map((part) => this.write(part))
    if (texts.length === 1) return texts[0]!
    if (texts.length === 0) return { text: empty, binding: PREDICATE }
    return { text: texts.map((text) => parenthesized(text, binding)).join(word), binding }
  }

  #operand(operand: Operand, type: ColumnType | undefined): string {
    if ('columnId' in operand) return quotedName(this.#columns.get(operand.columnId)?.name ?? '')
    return type === undefined ? operand.literal : literalText(operand.literal, type)
  }

  #type(operands: readonly Operand[]): ColumnType | undefined {
    return operandType(operands, (columnId) => this.#columns.get(columnId))
  }
}

function parenthesized({ text, binding }: Text, outside: number): string {
  return binding < outside ? `(${text})` : text
}

/**
 * From the condition that a user writes to an expression whose literals have their type.
 *
 * Checked here: known operators with as many operands as they take, known columns, at least one column in a comparison,
 * types that can be compared (`comparison-type.ts`), literals that fit the type, the bounds on depth and size. An error
 * says where: `and[1].between[0]: …`.
 *
 * Invariant: an expression made here comes back unchanged from its definition. So lists go through `Array.from`, which,
 * unlike `map`, does not pass over holes.
 */
import { isReplogError } from '../core/errors.js'
import { EXPRESSION_DEPTH_MAX, EXPRESSION_NODES_MAX, LIKE_PATTERN_LENGTH_MAX } from '../core/limits.js'
import type { ColumnType } from '../log/codec/column-type.js'
import type { ColumnMessage, ComparisonOperator, Expression, Operand } from '../log/codec/message.js'
import { valueCodec } from '../log/codec/type-codecs.js'
import { commonType, isOrdered } from './comparison-type.js'
import type { ExpressionDefinition } from './expression-definition.js'
import type { Invalid } from './invalid-definition.js'
import { nearest } from './nearest.js'

const OPERATORS: Readonly<Record<string, ComparisonOperator>> = {
  eq: 'EQ',
  ne: 'NE',
  lt: 'LT',
  le: 'LE',
  gt: 'GT',
  ge: 'GE',
}
const KINDS = ['and', 'or', 'not', ...Object.keys(OPERATORS), 'in', 'between', 'like', 'isNull']

/** An operand before its literals have a type. */
type Parsed = { readonly column: ColumnMessage } | { readonly value: unknown }

/** @throws ReplogError INVALID_DEFINITION */
export function expressionOf(
  definition: ExpressionDefinition,
  columns: ReadonlyMap<string, ColumnMessage>,
  invalid: Invalid,
): Expression {
  return new ExpressionParser(columns, invalid).expression(definition, '', 1)
}

class ExpressionParser {
  readonly #columns: ReadonlyMap<string, ColumnMessage>
  readonly #invalid: Invalid
  #nodes = 0

  constructor(columns: ReadonlyMap<string, ColumnMessage>, invalid: Invalid) {
    this.#columns = columns
    this.#invalid = invalid
  }

  expression(definition: unknown, path: string, depth: number): Expression {
    this.#count(1)
    if (depth > EXPRESSION_DEPTH_MAX) {
      throw this.#invalid(`the expression has more than ${EXPRESSION_DEPTH_MAX} levels; join conditions in one list`)
    }
    if (!isPlainObject(definition)) throw this.#wrong(path, 'an expression is an object with one key')
    const keys = Object.keys(definition)
    if (keys.length !== 1) {
      throw this.#wrong(path, `an expression is an object with one key, and this has ${keys.length}`)
    }
    const kind = keys[0]!
    const at = path === '' ? kind : `${path}.${kind}`
    const content = definition[kind]
    switch (kind) {
      case 'and':
        return { and: this.#list(content, at, depth) }
      case 'or':
        return { or: this.#list(content, at, depth) }
      case 'not':
        return { not: this.expression(content, at, depth + 1) }
      case 'in':
        return this.#in(content, at)
      case 'between':
        return this.#between(content, at)
      case 'like':
        return this.#like(content, at)
      case 'isNull':
        this.#count(1)
        return { isNull: { columnId: this.#columnOnly(content, at).id } }
    }
    if (Object.hasOwn(OPERATORS, kind)) return this.#comparison(OPERATORS[kind]!, content, at)
    throw this.#wrong(
      path,
      `${JSON.stringify(kind)} is no kind of expression${nearest(kind, KINDS) || `; there are ${KINDS.join(', ')}`}`,
    )
  }

  #list(content: unknown, at: string, depth: number): Expression[] {
    if (!Array.isArray(content) || content.length === 0) {
      throw this.#wrong(at, 'must be a list of at least one expression')
    }
    return Array.from<unknown, Expression>(content, (part, index) =>
      this.expression(part, `${at}[${index}]`, depth + 1),
    )
  }

  #comparison(operator: ComparisonOperator, content: unknown, at: string): Expression {
    const [left, right] = this.#operands(content, at, 2)
    const type = this.#commonType([left!, right!], at)
    if (operator !== 'EQ' && operator !== 'NE') this.#requireOrder(type, at)
    return {
      comparison: {
        left: this.#typed(left!, type, `${at}[0]`),
        operator,
        right: this.#typed(right!, type, `${at}[1]`),
      },
    }
  }

  #between(content: unknown, at: string): Expression {
    const operands = this.#operands(content, at, 3)
    const type = this.#commonType(operands, at)
    this.#requireOrder(type, at)
    const [operand, low, high] = operands.map((parsed, index) => this.#typed(parsed, type, `${at}[${index}]`))
    return { between: { operand: operand!, low: low!, high: high! } }
  }

  #in(content: unknown, at: string): Expression {
    const list: unknown = Array.isArray(content) && content.length === 2 ? content[1] : undefined
    if (!Array.isArray(list)) throw this.#wrong(at, 'must be [{ "column": name }, [value, …]]')
    if (list.length === 0) throw this.#wrong(`${at}[1]`, 'must list at least one value')
    this.#count(1 + list.length)
    const column = this.#columnOnly((content as unknown[])[0], `${at}[0]`)
    this.#requireComparable(column, at)
    const values = Array.from<unknown, string>(list, (value, index) =>
      this.#literal(value, column.type, `${at}[1][${index}]`),
    )
    return { in: { operand: { columnId: column.id }, values } }
  }

  #like(content: unknown, at: string): Expression {
    if (!Array.isArray(content) || content.length !== 2) throw this.#wrong(at, 'must be [{ "column": name }, pattern]')
    this.#count(1)
    const column = this.#columnOnly(content[0], `${at}[0]`)
    if (column.type.kind !== 'VARCHAR' && column.type.kind !== 'TEXT') {
      throw this.#wrong(
        at,
        `column ${JSON.stringify(column.name)} is ${column.type.kind}; VARCHAR and TEXT have patterns`,
      )
    }
    const pattern: unknown = content[1]
    if (typeof pattern !== 'string' || !pattern.isWellFormed()) {
      throw this.#wrong(`${at}[1]`, 'a pattern is a string of well-formed Unicode')
    }
    if (pattern.length > LIKE_PATTERN_LENGTH_MAX) {
      throw this.#wrong(`${at}[1]`, `a pattern has at most ${LIKE_PATTERN_LENGTH_MAX} characters`)
    }
    if (endsInEscape(pattern)) {
      throw this.#wrong(`${at}[1]`, 'the pattern ends with a backslash; write two for the character itself')
    }
    return { like: { operand: { columnId: column.id }, pattern } }
  }

  #operands(content: unknown, at: string, count: number): Parsed[] {
    if (!Array.isArray(content) || content.length !== count) {
      throw this.#wrong(at, `must be a list of ${count} operands, each { "column": name } or a literal`)
    }
    this.#count(count)
    return Array.from<unknown, Parsed>(content, (operand, index) => this.#operand(operand, `${at}[${index}]`))
  }

  #operand(operand: unknown, at: string): Parsed {
    if (!isPlainObject(operand)) return { value: operand }
    const keys = Object.keys(operand)
    const name = operand['column']
    if (keys.length !== 1 || typeof name !== 'string') {
      throw this.#wrong(at, 'an operand is { "column": name } or a literal')
    }
    const column = this.#columns.get(name)
    if (column === undefined) {
      throw this.#wrong(at, `unknown column ${JSON.stringify(name)}${nearest(name, this.#columns.keys())}`)
    }
    return { column }
  }

  #columnOnly(operand: unknown, at: string): ColumnMessage {
    const parsed = this.#operand(operand, at)
    if ('column' in parsed) return parsed.column
    throw this.#wrong(at, 'must be { "column": name }; a literal alone says nothing about the row')
  }

  #commonType(operands: readonly Parsed[], at: string): ColumnType {
    const columns = operands.flatMap((operand) => ('column' in operand ? [operand.column] : []))
    const first = columns[0]
    if (first === undefined) throw this.#wrong(at, 'compares literals; at least one operand is { "column": name }')
    let type = first.type
    for (const column of columns) {
      this.#requireComparable(column, at)
      const common = commonType(type, column.type)
      if (common === undefined) {
        const reason = type.kind === column.type.kind ? 'their labels differ' : `${type.kind} and ${column.type.kind}`
        const names = `${JSON.stringify(first.name)} and ${JSON.stringify(column.name)}`
        throw this.#wrong(at, `columns ${names} cannot be compared: ${reason}`)
      }
      type = common
    }
    return type
  }

  #requireComparable(column: ColumnMessage, at: string): void {
    if (column.type.kind !== 'JSON') return
    throw this.#wrong(at, `column ${JSON.stringify(column.name)} is JSON and cannot be compared; use isNull`)
  }

  #requireOrder(type: ColumnType, at: string): void {
    if (!isOrdered(type)) throw this.#wrong(at, `an ${type.kind} has no order; use eq, ne or in`)
  }

  #typed(operand: Parsed, type: ColumnType, at: string): Operand {
    if ('column' in operand) return { columnId: operand.column.id }
    return { literal: this.#literal(operand.value, type, at) }
  }

  #literal(value: unknown, type: ColumnType, at: string): string {
    if (value === null || value === undefined) {
      throw this.#wrong(at, 'a comparison with NULL is neither true nor false; use isNull')
    }
    const codec = valueCodec(type)
    try {
      return JSON.stringify(codec.toJson(codec.accept(value)))
    } catch (error) {
      if (isReplogError(error, 'INVALID_VALUE')) throw this.#wrong(at, error.message)
      throw error
    }
  }

  /** Counted before the parts are looked at, so that a list of any length is refused at once. */
  #count(nodes: number): void {
    this.#nodes += nodes
    if (this.#nodes > EXPRESSION_NODES_MAX) {
      throw this.#invalid(`the expression has more than ${EXPRESSION_NODES_MAX} operators and operands`)
    }
  }

  #wrong(path: string, message: string): Error {
    return this.#invalid(path === '' ? message : `${path}: ${message}`)
  }
}

/** Neither a list nor a value that a literal may be (bytes, a Date). */
function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return !(value instanceof Uint8Array) && !(value instanceof Date)
}

function endsInEscape(pattern: string): boolean {
  let backslashes = 0
  while (pattern[pattern.length - 1 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 1
}

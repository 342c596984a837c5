/**
 * Which values can be compared with one another, and how.
 *
 * | types | compared | order |
 * | --- | --- | --- |
 * | BOOLEAN | with itself | false, true |
 * | INTEGER, BIGINT | with each other | by number |
 * | DOUBLE | with itself | by number; -0 equals 0 |
 * | DECIMAL | with any DECIMAL | by number |
 * | VARCHAR, TEXT | with each other, of any length | by code point, as in keys |
 * | BLOB, UUID | with itself | by byte |
 * | DATE, TIME, TIMESTAMP | with itself | by time |
 * | ENUM | with one of the same labels | none: equal or not |
 * | JSON | with nothing | none |
 *
 * No type is converted into another, so that a comparison means what it says.
 */
import { DECIMAL_PRECISION_MAX } from '../core/limits.js'
import type { ColumnType, Value } from '../log/codec/column-type.js'
import type { ColumnMessage, Operand } from '../log/codec/message.js'

/** Negative, zero or positive, as of the left value and the right one, neither of which is NULL. */
export type Compare = (left: Value, right: Value) => number

const Z = 0x5a
const MINUS = 0x2d
const DIGIT_0 = 0x30

/**
 * The type that has the values of both, which a literal beside columns of these types takes; undefined when they cannot
 * be compared.
 */
export function commonType(left: ColumnType, right: ColumnType): ColumnType | undefined {
  switch (left.kind) {
    case 'JSON':
      return undefined
    case 'INTEGER':
    case 'BIGINT':
      if (right.kind !== 'INTEGER' && right.kind !== 'BIGINT') return undefined
      return left.kind === 'BIGINT' ? left : right
    case 'VARCHAR':
    case 'TEXT':
      if (right.kind === 'TEXT') return right
      if (right.kind !== 'VARCHAR') return undefined
      return left.kind === 'TEXT' || left.length >= right.length ? left : right
    case 'DECIMAL': {
      if (right.kind !== 'DECIMAL') return undefined
      const scale = Math.max(left.scale, right.scale)
      const integerDigits = Math.max(left.precision - left.scale, right.precision - right.scale)
      return { kind: 'DECIMAL', precision: Math.min(DECIMAL_PRECISION_MAX, integerDigits + scale), scale }
    }
    case 'ENUM':
      return right.kind === 'ENUM' && sameLabels(left.labels, right.labels) ? left : undefined
    case 'BOOLEAN':
    case 'DOUBLE':
    case 'BLOB':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'UUID':
      return left.kind === right.kind ? left : undefined
  }
}

/** What all columns among the operands have in common; undefined when there is none, or no column. */
export function operandType(
  operands: readonly Operand[],
  columnOf: (columnId: number) => ColumnMessage | undefined,
): ColumnType | undefined {
  let type: ColumnType | undefined
  for (const operand of operands) {
    if ('literal' in operand) continue
    const own = columnOf(operand.columnId)?.type
    type = own && commonType(type ?? own, own)
    if (type === undefined) return undefined
  }
  return type
}

export function sameLabels(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((label, index) => label === right[index])
}

/** Whether less and greater mean something. */
export function isOrdered(type: ColumnType): boolean {
  return type.kind !== 'ENUM' && type.kind !== 'JSON'
}

/** How values of two types that have a common one are compared; those of ENUM only for being equal. */
export function comparatorOf(left: ColumnType, right: ColumnType): Compare {
  switch (left.kind) {
    case 'VARCHAR':
    case 'TEXT':
      return compareTexts as Compare
    case 'TIMESTAMP':
      return compareTimestamps as Compare
    case 'DECIMAL': {
      const leftScale = left.scale
      const rightScale = right.kind === 'DECIMAL' ? right.scale : leftScale
      return (leftValue, rightValue) =>
        compareDecimals(leftValue as string, leftScale, rightValue as string, rightScale)
    }
    case 'BLOB':
      return (leftValue, rightValue) => Buffer.compare(leftValue as Uint8Array, rightValue as Uint8Array)
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
    case 'DATE':
    case 'TIME':
    case 'UUID':
    case 'ENUM':
    case 'JSON':
      return compareNatively
  }
}

/**
 * JavaScript compares an INTEGER (number) with a BIGINT (bigint) by value, and -0 as 0. The texts of DATE, TIME and UUID
 * are ASCII of a fixed form, which orders as what it stands for; a TIME without its fraction is a prefix of one with it.
 */
function compareNatively(left: Value, right: Value): number {
  if (left === right) return 0
  return left! < right! ? -1 : left! > right! ? 1 : 0
}

/** By code point. UTF-16 puts what is above U+FFFF, written with surrogates, below U+E000. */
export function compareTexts(left: string, right: string): number {
  if (left === right) return 0
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at++) {
    const difference = left.charCodeAt(at) - right.charCodeAt(at)
    if (difference === 0) continue
    const leftSurrogate = isSurrogate(left.charCodeAt(at))
    if (leftSurrogate === isSurrogate(right.charCodeAt(at))) return difference
    return leftSurrogate ? 1 : -1
  }
  return left.length - right.length
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}

/** By time: the text of a whole second ends where another one goes on with a fraction, but for its Z. */
function compareTimestamps(left: string, right: string): number {
  if (left === right) return 0
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at++) {
    const leftUnit = left.charCodeAt(at)
    const rightUnit = right.charCodeAt(at)
    if (leftUnit === rightUnit) continue
    if (leftUnit === Z) return -1
    return rightUnit === Z ? 1 : leftUnit - rightUnit
  }
  return left.length - right.length
}

/** Of canonical texts: no leading zeros, no "-0", exactly `scale` digits behind the point. */
function compareDecimals(left: string, leftScale: number, right: string, rightScale: number): number {
  if (left === right) return 0
  const negative = left.charCodeAt(0) === MINUS
  if (negative !== (right.charCodeAt(0) === MINUS)) return negative ? -1 : 1
  const leftDigits = integerDigits(left, leftScale)
  const rightDigits = integerDigits(right, rightScale)
  let order = leftDigits - rightDigits
  const start = negative ? 1 : 0
  const end = Math.max(left.length, right.length)
  for (let at = start; order === 0 && at < end; at++) order = digitAt(left, at) - digitAt(right, at)
  return negative ? -order : order
}

function integerDigits(text: string, scale: number): number {
  const end = scale === 0 ? text.length : text.length - scale - 1
  return text.charCodeAt(0) === MINUS ? end - 1 : end
}

/** 0 for the point, and for the digits that a shorter fraction leaves out. */
function digitAt(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  return unit >= DIGIT_0 ? unit - DIGIT_0 : 0
}

/**
 * What becomes of the values of a column when its type changes: for each pair of types, whether the stored bytes can
 * stay, whether the values can be converted, and how.
 *
 * Invariants: a conversion gives the same value in the other type or throws; it never rounds, cuts or guesses. Where it
 * is instant, a row field and a key part written under the old type are, byte for byte, those of the new one.
 */
import assert from 'node:assert/strict'
import { isReplogError } from '../core/errors.js'
import type { ColumnType, ColumnTypeKind, Value } from '../log/codec/column-type.js'
import { valueCodec } from '../log/codec/type-codecs.js'
import { refusal } from '../log/codec/types/refusal.js'
import type { StoredValue, ValueCodec } from '../log/codec/value-codec.js'
import { doubleOfText, jsonOfText } from './exact-text.js'

export interface Conversion {
  /** Bytes of the old type are bytes of the new one, so nothing has to be rewritten. */
  readonly isInstant: boolean
  /** Converted values stand in the same order as before. */
  readonly keepsOrder: boolean
  /** The conversion back gives every converted value as it was. */
  readonly isReversible: boolean
  /** @throws ReplogError INVALID_VALUE (what the value is and what the type holds), TOO_LARGE */
  convert(value: Value): Value
}

/**
 * What the codec of the new type is given. A value that has no counterpart there is handed on as it is, for the codec
 * to refuse in its own words.
 */
type Step = (value: StoredValue, from: ValueCodec, to: ValueCodec) => unknown

const same: Step = (value) => value
const toText: Step = (value, from) => {
  const json = from.toJson(value)
  return typeof json === 'string' && from.type.kind !== 'JSON' ? json : JSON.stringify(json)
}
const booleanToInteger: Step = (value) => (value === true ? 1 : 0)
const integerToBoolean: Step = (value) => (Number(value) === 0 ? false : Number(value) === 1 ? true : value)
const textToBoolean: Step = (value) => (value === 'true' ? true : value === 'false' ? false : value)
const doubleToBigint: Step = (value) => (Number.isInteger(value) ? BigInt(value as number) : value)
const decimalToInteger: Step = (value) => (value as string).replace(/\.0*$/, '')
/** Only where the way back arrives at the same digits. */
const decimalToDouble: Step = (value, from) => {
  const number = Number(value)
  try {
    return from.accept(number) === value ? number : value
  } catch (error) {
    if (isReplogError(error, 'INVALID_VALUE')) return value
    throw error
  }
}
const textToDouble: Step = (value) => doubleOfText(value as string) ?? value
const textToJson: Step = (value) => {
  const json = jsonOfText(value as string)
  // A JSON column would take the text itself as a JSON string.
  if (json === undefined) throw refusal('JSON', value, 'what JSON.parse reads without losing a digit or a member')
  return json
}
const dateToTimestamp: Step = (value) => `${value as string}T00:00:00Z`
const timestampToDate: Step = (value) => (value as string).replace(/T00:00:00Z$/, '')

const TEXTS = { VARCHAR: toText, TEXT: toText } as const
const FROM_TEXT = {
  BOOLEAN: textToBoolean,
  INTEGER: same,
  BIGINT: same,
  DOUBLE: textToDouble,
  DECIMAL: same,
  VARCHAR: same,
  TEXT: same,
  DATE: same,
  TIME: same,
  TIMESTAMP: same,
  UUID: same,
  ENUM: same,
  JSON: textToJson,
} as const

/**
 * The types that the values of each type can be converted to, beside its own. BLOB has none: bytes as text can be
 * UTF-8, base64 or hexadecimal, and nothing here says which is meant.
 */
const STEPS: Readonly<Record<ColumnTypeKind, Readonly<Partial<Record<ColumnTypeKind, Step>>>>> = {
  BOOLEAN: { INTEGER: booleanToInteger, BIGINT: booleanToInteger, ...TEXTS },
  INTEGER: { BOOLEAN: integerToBoolean, BIGINT: same, DOUBLE: same, DECIMAL: same, ...TEXTS },
  BIGINT: { BOOLEAN: integerToBoolean, INTEGER: same, DOUBLE: same, DECIMAL: same, ...TEXTS },
  DOUBLE: { INTEGER: same, BIGINT: doubleToBigint, DECIMAL: same, ...TEXTS },
  DECIMAL: { INTEGER: decimalToInteger, BIGINT: decimalToInteger, DOUBLE: decimalToDouble, DECIMAL: same, ...TEXTS },
  VARCHAR: FROM_TEXT,
  TEXT: FROM_TEXT,
  BLOB: {},
  DATE: { TIMESTAMP: dateToTimestamp, ...TEXTS },
  TIME: TEXTS,
  TIMESTAMP: { DATE: timestampToDate, ...TEXTS },
  UUID: TEXTS,
  ENUM: { ENUM: same, ...TEXTS },
  JSON: TEXTS,
}

/** Kinds whose values have an order in common, which every conversion among them keeps. */
const ORDERS: readonly (readonly ColumnTypeKind[])[] = [
  ['BOOLEAN', 'INTEGER', 'BIGINT', 'DOUBLE', 'DECIMAL'],
  ['VARCHAR', 'TEXT'],
  ['DATE', 'TIMESTAMP'],
]

/** Undefined when values of the one type do not become values of the other. */
export function conversionOf(from: ColumnType, to: ColumnType): Conversion | undefined {
  const isInstant = isSameType(from, to) || isWidening(from, to)
  const step = STEPS[from.kind][to.kind] ?? (isInstant ? same : undefined)
  if (step === undefined) return undefined
  const fromCodec = valueCodec(from)
  const toCodec = valueCodec(to)
  return {
    isInstant,
    keepsOrder: isInstant || ORDERS.some((kinds) => kinds.includes(from.kind) && kinds.includes(to.kind)),
    // There are many texts for one number, and -0 of DOUBLE becomes 0.
    isReversible: isInstant || ((!isText(from) || isText(to)) && (from.kind !== 'DOUBLE' || isText(to))),
    convert: (value) => (value === null ? null : toCodec.accept(step(value, fromCodec, toCodec))),
  }
}

/**
 * JSON text of a literal in the other type.
 * @throws ReplogError INVALID_VALUE
 */
export function convertedLiteral(literal: string, from: ColumnType, to: ColumnType, conversion: Conversion): string {
  const value = conversion.convert(valueCodec(from).accept(JSON.parse(literal)))
  assert(value !== null, 'only NULL becomes NULL')
  return JSON.stringify(valueCodec(to).toJson(value))
}

export function isSameType(one: ColumnType, other: ColumnType): boolean {
  switch (one.kind) {
    case 'VARCHAR':
      return other.kind === one.kind && other.length === one.length
    case 'DECIMAL':
      return other.kind === one.kind && other.precision === one.precision && other.scale === one.scale
    case 'ENUM':
      return (
        other.kind === one.kind && other.labels.length === one.labels.length && beginsWith(other.labels, one.labels)
      )
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
    case 'TEXT':
    case 'BLOB':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'UUID':
    case 'JSON':
      return other.kind === one.kind
  }
}

/** Every value of the one type is one of the other, in the same bytes of rows and keys. */
function isWidening(from: ColumnType, to: ColumnType): boolean {
  switch (from.kind) {
    case 'INTEGER':
      return to.kind === 'BIGINT'
    case 'VARCHAR':
      return to.kind === 'TEXT' || (to.kind === 'VARCHAR' && to.length >= from.length)
    case 'DECIMAL':
      // With another scale the text has other digits, and the unscaled integer of the key is another.
      return to.kind === 'DECIMAL' && to.scale === from.scale && to.precision >= from.precision
    case 'ENUM':
      return to.kind === 'ENUM' && beginsWith(to.labels, from.labels)
    case 'BOOLEAN':
    case 'BIGINT':
    case 'DOUBLE':
    case 'TEXT':
    case 'BLOB':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'UUID':
    case 'JSON':
      return false
  }
}

function beginsWith(labels: readonly string[], first: readonly string[]): boolean {
  return first.every((label, index) => labels[index] === label)
}

function isText(type: ColumnType): boolean {
  return type.kind === 'VARCHAR' || type.kind === 'TEXT'
}

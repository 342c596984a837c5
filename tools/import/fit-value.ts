/**
 * Fits a value of a file to the type of its column, and gives it in its JSON form.
 *
 * Invariant: the value arrives exactly, or INVALID_VALUE says why not. The one exception is asked for by whoever
 * declares a column DOUBLE: a fraction becomes the nearest double, as in any program that reads it.
 */
import assert from 'node:assert/strict'
import { ReplogError } from '../../core/errors.js'
import type { ColumnType, JsonValue } from '../../log/codec/column-type.js'
import { valueCodec } from '../../log/codec/type-codecs.js'
import { type Decimal, isExactAsDouble, isWhole, parseDecimal, plainText } from './decimal-text.js'
import { NumberToken, jsonTextOf, parseJson, type SourceValue } from './json-value.js'

/** @throws ReplogError INVALID_VALUE; the caller adds line and column */
export type FitValue = (value: SourceValue) => JsonValue

/** Digits and powers beyond this are not written out. */
const PLAIN_DIGITS_MAX = 400

/** @param isText whether the source has only text, as CSV has */
export function fitterFor(type: ColumnType, isText: boolean): FitValue {
  const codec = valueCodec(type)
  const convert = isText ? fromTextFor(type) : fromJsonFor(type)
  return (value) => {
    if (value === null) return null
    const converted = convert(value)
    return converted === null ? null : codec.toJson(codec.accept(converted))
  }
}

function fromJsonFor(type: ColumnType): (value: SourceValue) => unknown {
  switch (type.kind) {
    case 'INTEGER':
    case 'BIGINT':
      return (value) => (value instanceof NumberToken ? exactText(value.text) : value)
    case 'DECIMAL':
      // Of a number that is no token the shortest text is the number that was written.
      return (value) => {
        if (value instanceof NumberToken) return exactText(value.text)
        return typeof value === 'number' ? exactText(String(value)) : value
      }
    case 'DOUBLE':
      return (value) => (value instanceof NumberToken ? doubleOf(value.text) : value)
    case 'VARCHAR':
    case 'TEXT':
      return textOf
    case 'JSON':
      return asJson
    case 'BOOLEAN':
    case 'BLOB':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'UUID':
    case 'ENUM':
      return (value) => (value instanceof NumberToken ? value.text : value)
  }
}

/** An empty text is NULL, quoted or not, where no empty text can be stored. */
function fromTextFor(type: ColumnType): (value: SourceValue) => unknown {
  const convert = fromFullTextFor(type)
  const takesEmpty = type.kind === 'VARCHAR' || type.kind === 'TEXT'
  return (value) => {
    assert(typeof value === 'string', 'a source of text gives texts')
    return value === '' && !takesEmpty ? null : convert(value)
  }
}

function fromFullTextFor(type: ColumnType): (text: string) => unknown {
  switch (type.kind) {
    case 'BOOLEAN':
      return (text) => BOOLEANS.get(text.toLowerCase()) ?? text
    case 'INTEGER':
    case 'BIGINT':
    case 'DECIMAL':
      return exactText
    case 'DOUBLE':
      return doubleOf
    case 'JSON':
      return (text) => asJson(parsedJson(text))
    case 'BLOB':
      return blobOf
    case 'VARCHAR':
    case 'TEXT':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'UUID':
    case 'ENUM':
      return (text) => text
  }
}

/** What PostgreSQL reads as a boolean. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['true', 't', 'yes', 'y', 'on', '1'].map((text) => [text, true] as const),
  ...['false', 'f', 'no', 'n', 'off', '0'].map((text) => [text, false] as const),
])

/** The number without a power of ten and with the sign only where it is negative; other text as it is. */
function exactText(text: string): string {
  const decimal = parseDecimal(text.trim())
  return decimal === undefined || !isShort(decimal) ? text : plainText(decimal)
}

function isShort({ digits, exponent }: Decimal): boolean {
  return digits.length + Math.abs(exponent) <= PLAIN_DIGITS_MAX
}

function doubleOf(text: string): unknown {
  const decimal = parseDecimal(text.trim())
  if (decimal === undefined) return INFINITIES.get(text.trim().toLowerCase()) ?? text
  const value = Number(text)
  if (!Number.isFinite(value) || (value === 0 && decimal.digits !== '')) {
    throw new ReplogError(
      'INVALID_VALUE',
      `${text} does not fit: it is beyond the range of a DOUBLE; use DECIMAL or TEXT`,
    )
  }
  // An integer is often an id, of which no digit may change.
  if (isWhole(decimal) && !isExactAsDouble(text, decimal)) {
    throw new ReplogError(
      'INVALID_VALUE',
      `${text} does not fit: no DOUBLE is equal to this integer; use BIGINT or DECIMAL`,
    )
  }
  return value
}

const INFINITIES: ReadonlyMap<string, string> = new Map([
  ['infinity', 'Infinity'],
  ['+infinity', 'Infinity'],
  ['inf', 'Infinity'],
  ['-infinity', '-Infinity'],
  ['-inf', '-Infinity'],
])

function textOf(value: SourceValue): string {
  if (typeof value === 'string') return value
  if (value instanceof NumberToken) return value.text
  return Object.is(value, -0) ? '-0' : jsonTextOf(value)
}

function parsedJson(text: string): SourceValue {
  try {
    return parseJson(text)
  } catch (error) {
    if (!(error instanceof ReplogError)) throw error
    throw new ReplogError('INVALID_VALUE', error.message, { cause: error })
  }
}

/** Numbers in JSON columns are doubles. */
function asJson(value: SourceValue): unknown {
  if (value instanceof NumberToken) {
    throw new ReplogError(
      'INVALID_VALUE',
      `${value.text} does not fit: the numbers in a JSON column are doubles, and this one may be rounded; use a TEXT column`,
    )
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(asJson)
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, asJson(member)]))
}

/** Base64, or hexadecimal digits behind \x as PostgreSQL writes them. */
function blobOf(text: string): unknown {
  return /^\\x(?:[0-9a-f]{2})*$/i.test(text) ? Buffer.from(text.slice(2), 'hex') : text
}

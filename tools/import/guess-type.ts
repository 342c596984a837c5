/**
 * The column type that holds every value of a column without losing one, guessed from the values themselves.
 *
 *   only whole numbers      INTEGER, BIGINT or DECIMAL(p,0), the first that holds them
 *   only numbers            DOUBLE when each is exactly a double, else DECIMAL(p,s)
 *   only booleans           BOOLEAN
 *   only dates, timestamps  DATE, TIMESTAMP; with a zone other than Z it stays TEXT, since a TIMESTAMP forgets it
 *   any array or object     JSON
 *   anything else, a mix    TEXT; numbers and booleans are stored as their text
 *
 * CSV has only text, so there a text that reads as a number or as true or false counts as one; one with leading zeros
 * does not, because it is a code and not a number.
 */
import { DECIMAL_PRECISION_MAX } from '../../core/limits.js'
import type { ColumnType } from '../../log/codec/column-type.js'
import { dateCodec } from '../../log/codec/types/date.js'
import { INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN } from '../../log/codec/types/integer.js'
import { timestampCodec } from '../../log/codec/types/timestamp.js'
import { isReplogError } from '../../core/errors.js'
import { fractionDigits, integerDigits, isExactAsDouble, isWhole, parseDecimal, plainText } from './decimal-text.js'
import { NumberToken, type SourceValue } from './json-value.js'

const NUMBER_TEXT = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,4})?$/
const BOOLEAN_TEXT = /^(?:true|false)$/i
const DATE_TEXT = /^\d{4}-\d\d-\d\d$/
const TIMESTAMP_TEXT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?Z?$/

export class TypeGuess {
  readonly #isText: boolean
  #numbers = 0
  #booleans = 0
  #texts = 0
  #nested = 0
  #whole = true
  #fitsInteger = true
  #fitsBigint = true
  #fitsDouble = true
  #fitsJson = true
  #integerDigits = 0
  #fractionDigits = 0
  #dates = 0
  #timestamps = 0

  /** @param isText whether the source has only text, as CSV has */
  constructor(isText: boolean) {
    this.#isText = isText
  }

  observe(value: SourceValue): void {
    if (value === null) return
    switch (typeof value) {
      case 'boolean':
        this.#booleans++
        break
      case 'number':
        this.#observeNumber(value)
        if (changesAsJson(value)) this.#fitsJson = false
        break
      case 'string':
        if (this.#isText && NUMBER_TEXT.test(value)) this.#observeDecimal(value)
        else if (this.#isText && BOOLEAN_TEXT.test(value)) this.#booleans++
        else this.#observeText(value)
        break
      default:
        if (value instanceof NumberToken) this.#observeDecimal(value.text)
        else this.#nested++
        if (changesAsJson(value)) this.#fitsJson = false
    }
  }

  /** @param isComplete whether every value was observed; values to come get a wider type */
  type(isComplete: boolean): ColumnType {
    const kinds = [this.#numbers, this.#booleans, this.#texts, this.#nested].filter((count) => count > 0).length
    if (this.#nested > 0) return this.#fitsJson ? { kind: 'JSON' } : { kind: 'TEXT' }
    if (kinds !== 1) return { kind: 'TEXT' }
    if (this.#booleans > 0) return { kind: 'BOOLEAN' }
    if (this.#numbers > 0) return this.#numberType(isComplete)
    if (this.#dates === this.#texts) return { kind: 'DATE' }
    if (this.#timestamps === this.#texts) return { kind: 'TIMESTAMP' }
    return { kind: 'TEXT' }
  }

  #numberType(isComplete: boolean): ColumnType {
    if (this.#whole && this.#fitsInteger && isComplete) return { kind: 'INTEGER' }
    if (this.#whole && this.#fitsBigint) return { kind: 'BIGINT' }
    if (!this.#whole && this.#fitsDouble) return { kind: 'DOUBLE' }
    const scale = this.#fractionDigits
    const precision = Math.max(1, this.#integerDigits + scale)
    return precision <= DECIMAL_PRECISION_MAX ? { kind: 'DECIMAL', precision, scale } : { kind: 'TEXT' }
  }

  /** The short way for what most numbers are. */
  #observeNumber(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.#observeDecimal(Object.is(value, -0) ? '-0' : String(value))
      return
    }
    this.#numbers++
    if (value < INT32_MIN || value > INT32_MAX) this.#fitsInteger = false
    this.#integerDigits = Math.max(this.#integerDigits, String(Math.abs(value)).length)
  }

  #observeDecimal(text: string): void {
    const decimal = parseDecimal(text)
    if (decimal === undefined) {
      this.#observeText(text)
      return
    }
    this.#numbers++
    this.#integerDigits = Math.max(this.#integerDigits, integerDigits(decimal))
    this.#fractionDigits = Math.max(this.#fractionDigits, fractionDigits(decimal))
    if (!isExactAsDouble(text, decimal)) this.#fitsDouble = false
    // Integers have no -0, and digits enough for any int64 are few enough for a BigInt.
    const isNegativeZero = decimal.negative && decimal.digits === ''
    if (isNegativeZero || !isWhole(decimal)) this.#whole = false
    else if (integerDigits(decimal) > 19) this.#fitsBigint = this.#fitsInteger = false
    else {
      const value = BigInt(plainText(decimal))
      if (value < INT32_MIN || value > INT32_MAX) this.#fitsInteger = false
      if (value < INT64_MIN || value > INT64_MAX) this.#fitsBigint = false
    }
  }

  #observeText(text: string): void {
    this.#texts++
    if (DATE_TEXT.test(text) && isAccepted(dateCodec, text)) this.#dates++
    else if (TIMESTAMP_TEXT.test(text) && isAccepted(timestampCodec, text)) this.#timestamps++
  }
}

function isAccepted(codec: { accept(input: unknown): unknown }, text: string): boolean {
  try {
    codec.accept(text)
    return true
  } catch (error) {
    if (isReplogError(error)) return false
    throw error
  }
}

/** Whether a JSON column would refuse or change it: a number that is more than a double, or -0. */
function changesAsJson(value: SourceValue): boolean {
  if (typeof value === 'number') return Object.is(value, -0)
  if (typeof value !== 'object' || value === null) return false
  if (value instanceof NumberToken) return true
  return Object.values(value).some(changesAsJson)
}

/**
 * DECIMAL(p,s): exact decimal numbers as canonical text.
 *
 *   value := "-"? integer-digits ("." s digits)?     no leading zeros, no "-0"; the point only when s > 0
 *
 * Rows hold the text; keys hold the unscaled integer (12.50 → 1250), which orders as the numbers do because all values
 * of a column have the same scale.
 */
import { ReplogError } from '../../../core/errors.js'
import { DECIMAL_PRECISION_MAX } from '../../../core/limits.js'
import type { ValueCodec } from '../value-codec.js'
import { joinInteger, WIRE_LENGTH_DELIMITED, writeString } from '../wire.js'
import {
  readIntegerKey,
  readWideIntegerKey,
  skipIntegerKey,
  writeIntegerKeyOf,
  writeWideIntegerKey,
} from './integer-key.js'
import { refusal } from './refusal.js'

const INPUT_PATTERN = /^([+-]?)0*(\d+)(?:\.(\d+))?$/
/** Many times the longest value, and short enough that no pattern takes long on it. */
const INPUT_LENGTH_MAX = 1000
/** What String(number) gives: digits, a fraction, a power of ten. */
const NUMBER_PATTERN = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/
/** A double with so many significant digits or fewer is the one its text was read into; with more it may not be. */
const NUMBER_DIGITS_MAX = 15
/** Digits that a number holds exactly. */
const SAFE_DIGITS_MAX = 15
/** Digits that an int64 holds. */
const INT64_DIGITS_MAX = 18

const MINUS = 0x2d
const POINT = 0x2e
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39

/** @throws ReplogError INVALID_DEFINITION */
export function checkDecimal(precision: number, scale: number): void {
  if (!Number.isInteger(precision) || precision < 1 || precision > DECIMAL_PRECISION_MAX) {
    throw new ReplogError(
      'INVALID_DEFINITION',
      `DECIMAL(${precision},${scale}): the precision is an integer from 1 to ${DECIMAL_PRECISION_MAX}`,
    )
  }
  if (!Number.isInteger(scale) || scale < 0 || scale > precision) {
    throw new ReplogError(
      'INVALID_DEFINITION',
      `DECIMAL(${precision},${scale}): the scale is an integer from 0 to the precision, ${precision}`,
    )
  }
}

export function decimalCodec(precision: number, scale: number): ValueCodec<string> {
  checkDecimal(precision, scale)
  const name = `DECIMAL(${precision},${scale})`
  const integerDigitsMax = precision - scale
  const holds = `numbers with up to ${integerDigitsMax} digits before the point and ${scale} behind it; it never rounds`
  const unscaledEnd = 10n ** BigInt(precision)

  function canonical(negative: boolean, integerDigits: string, fractionDigits: string): string | undefined {
    const fraction = fractionDigits.replace(/0+$/, '')
    if (fraction.length > scale) return undefined
    if (integerDigits !== '0' && integerDigits.length > integerDigitsMax) return undefined
    const zero = integerDigits === '0' && fraction === ''
    const text = scale === 0 ? integerDigits : `${integerDigits}.${fraction.padEnd(scale, '0')}`
    return negative && !zero ? `-${text}` : text
  }

  /** Text of an unscaled integer. */
  function scaled(unscaled: number | bigint): string {
    const negative = unscaled < 0
    const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
    const point = digits.length - scale
    const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`
    return negative ? `-${text}` : text
  }

  function isCanonical(text: string): boolean {
    const start = text.charCodeAt(0) === MINUS ? 1 : 0
    const point = scale === 0 ? text.length : text.length - scale - 1
    const integerDigits = point - start
    if (integerDigits < 1 || integerDigits > Math.max(1, integerDigitsMax)) return false
    if (text.charCodeAt(start) === DIGIT_0 ? integerDigits > 1 : integerDigitsMax === 0) return false
    let zero = true
    for (let at = start; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      if (at === point) {
        if (unit !== POINT) return false
      } else {
        if (unit < DIGIT_0 || unit > DIGIT_9) return false
        if (unit !== DIGIT_0) zero = false
      }
    }
    return start === 0 || !zero
  }

  return {
    type: { kind: 'DECIMAL', precision, scale },
    protoType: 'string',
    wireType: WIRE_LENGTH_DELIMITED,
    accept(input) {
      let text: string | undefined
      if (typeof input === 'string') {
        if (isCanonical(input)) return input
        const match = input.length <= INPUT_LENGTH_MAX ? INPUT_PATTERN.exec(input) : null
        if (match !== null) text = canonical(match[1] === '-', match[2]!, match[3] ?? '')
      } else if (typeof input === 'bigint') {
        if (input > -unscaledEnd && input < unscaledEnd) text = canonical(input < 0n, magnitudeText(input), '')
      } else if (typeof input === 'number') {
        const parts = numberDigits(input)
        if (parts === undefined) {
          throw refusal(name, input, 'numbers exactly; send a string, because this number has lost or may lose digits')
        }
        text = canonical(input < 0, parts.integer, parts.fraction)
      }
      if (text === undefined) throw refusal(name, input, holds)
      return text
    },
    toJson(value) {
      return value
    },
    sizeMax(value) {
      return value.length + 1
    },
    write(value, buffer, offset) {
      return writeString(buffer, offset, value)
    },
    read(reader) {
      const text = reader.string()
      if (!isCanonical(text)) throw reader.corrupt(`a field is not a ${name}`)
      return text
    },
    key: {
      write(value, buffer, offset) {
        const digits = scale === 0 ? value : value.slice(0, -scale - 1) + value.slice(-scale)
        return digits.length <= SAFE_DIGITS_MAX
          ? writeIntegerKeyOf(buffer, offset, Number(digits))
          : writeWideIntegerKey(buffer, offset, BigInt(digits))
      },
      read(reader) {
        let unscaled: number | bigint
        if (precision <= INT64_DIGITS_MAX) {
          readIntegerKey(reader)
          unscaled = joinInteger(reader.low, reader.high)
        } else {
          unscaled = readWideIntegerKey(reader)
        }
        if (unscaled <= -unscaledEnd || unscaled >= unscaledEnd) throw reader.corrupt(`an integer is not a ${name}`)
        return scaled(unscaled)
      },
      skip: skipIntegerKey,
    },
  }
}

function magnitudeText(value: bigint): string {
  return (value < 0n ? -value : value).toString()
}

/** The decimal digits of a number, or undefined when its text is not sure to be what was meant. */
function numberDigits(value: number): { integer: string; fraction: string } | undefined {
  if (Number.isSafeInteger(value)) return { integer: Math.abs(value).toString(), fraction: '' }
  const match = NUMBER_PATTERN.exec(String(value))
  if (match === null) return undefined
  const fractionText = match[3] ?? ''
  const digits = match[2]! + fractionText
  const significant = digits.replace(/^0+/, '').replace(/0+$/, '')
  if (significant.length > NUMBER_DIGITS_MAX) return undefined
  const point = match[2]!.length + Number(match[4] ?? 0)
  if (point <= 0) return { integer: '0', fraction: '0'.repeat(-point) + digits }
  const integer = digits.slice(0, point).padEnd(point, '0')
  return { integer: integer.replace(/^0+(?=\d)/, ''), fraction: digits.slice(point) }
}

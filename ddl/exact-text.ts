/**
 * Numbers and JSON out of text, for a change of a column's type: what `Number` and `JSON.parse` would round or drop is
 * refused instead.
 *
 * Invariants: the number that is returned prints as the decimal that the text is; the JSON value has every number and
 * every member that the text has.
 */
import type { JsonValue } from '../log/codec/column-type.js'

const NUMBER_PATTERN = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,5}))?$/

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const MINUS = 0x2d
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39

/** The double whose shortest text is this decimal, whatever zeros and exponent it is written with; else undefined. */
export function doubleOfText(text: string): number | undefined {
  if (text === 'Infinity' || text === '-Infinity') return Number(text)
  const written = decimalOf(text)
  if (written === undefined) return undefined
  const value = Number(text)
  // -0 prints as 0.
  const printed = Object.is(value, -0) ? '-0' : String(value)
  return decimalOf(printed) === written ? value : undefined
}

/** The value of a JSON text; undefined when it is none, or when the value would lack a part of it. */
export function jsonOfText(text: string): JsonValue | undefined {
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  return membersOfText(text) === membersOf(value) ? value : undefined
}

/** One text for all ways to write a decimal: "-" digits "e" exponent, without zeros at either end of the digits. */
function decimalOf(text: string): string | undefined {
  const match = NUMBER_PATTERN.exec(text)
  if (match === null) return undefined
  const fraction = match[3] ?? ''
  const digits = (match[2]! + fraction).replace(/^0+/, '')
  const significant = withoutLastZeros(digits)
  if (significant === '') return `${match[1]!}0`
  const exponent = Number(match[4] ?? 0) - fraction.length + digits.length - significant.length
  return `${match[1]!}${significant}e${exponent}`
}

/** By hand, because `/0+$/` takes quadratic time on runs of zeros that are not at the end. */
function withoutLastZeros(digits: string): string {
  let end = digits.length
  while (end > 0 && digits.charCodeAt(end - 1) === DIGIT_0) end--
  return digits.slice(0, end)
}

/** How many members the objects of a valid JSON text have, repeated names counted each time; NaN if a number is inexact. */
function membersOfText(text: string): number {
  let members = 0
  let at = 0
  while (at < text.length) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) {
      at = endOfString(text, at)
    } else if (unit === MINUS || isDigit(unit)) {
      const end = endOfNumber(text, at)
      if (doubleOfText(text.slice(at, end)) === undefined) return NaN
      at = end
    } else {
      if (unit === COLON) members++
      at++
    }
  }
  return members
}

/** Behind the quote that closes the string at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const unit = text.charCodeAt(at)
    if (unit === BACKSLASH) at++
    else if (unit === QUOTE) return at + 1
  }
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1
  while (end < text.length && /[\d.eE+-]/.test(text[end]!)) end++
  return end
}

function isDigit(unit: number): boolean {
  return unit >= DIGIT_0 && unit <= DIGIT_9
}

/** Walks without recursion, because the text nests as deep as it likes. */
function membersOf(root: JsonValue): number {
  let members = 0
  const pending: JsonValue[] = [root]
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (typeof value !== 'object' || value === null) continue
    const parts: readonly JsonValue[] = Array.isArray(value) ? value : Object.values(value)
    if (!Array.isArray(value)) members += parts.length
    for (const part of parts) if (typeof part === 'object' && part !== null) pending.push(part)
  }
  return members
}

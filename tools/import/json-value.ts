/**
 * JSON without loss: numbers that a double would round stay text, and a name that occurs twice in an object is refused,
 * since one of its values would vanish.
 *
 * `JSON.parse` does the work. Where the text may hold a long number, each long one is first put into a marked string.
 */
import { randomUUID } from 'node:crypto'
import { ReplogError, messageOf } from '../../core/errors.js'
import { parseDecimal, isExactAsDouble } from './decimal-text.js'

/** A value of a file: text of a CSV field, or a JSON value with its numbers kept exactly. */
export type SourceValue =
  null | boolean | number | string | NumberToken | readonly SourceValue[] | { readonly [name: string]: SourceValue }

/** A JSON number that a double does not hold, or is not known to hold, as its text. */
export class NumberToken {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Deeper values would overflow the walks over them. */
const DEPTH_MAX = 100

/** Digits in such number, or an exponent, may mean a number that is not a double's. Also found in strings: no harm. */
const MAY_HOLD_LONG_NUMBER = /[\d.]{16}|\d[eE]/
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g
/** Nobody can put it into a file, because it is made anew by every process. */
const MARK = `number ${randomUUID()} `

/** @throws ReplogError INVALID_ARGUMENT */
export function parseJson(text: string): SourceValue {
  const isMarked = MAY_HOLD_LONG_NUMBER.test(text)
  const value = parse(isMarked ? text.replace(STRING_OR_NUMBER, markNumber) : text)
  const result = isMarked ? unmarked(value, 0) : (value as SourceValue)
  if (countMembers(text) !== countNames(result, 0)) {
    throw new ReplogError('INVALID_ARGUMENT', 'an object has the same name twice; one of the two values would be lost')
  }
  return result
}

/** The text of a value with its numbers as they were written. */
export function jsonTextOf(value: SourceValue): string {
  const text = JSON.stringify(value, (_name, part: unknown) => (part instanceof NumberToken ? MARK + part.text : part))
  return text.includes(MARK) ? text.replaceAll(new RegExp(`"${MARK}([^"]*)"`, 'g'), '$1') : text
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ReplogError('INVALID_ARGUMENT', `not JSON: ${messageOf(error)}`, { cause: error })
  }
}

function markNumber(token: string): string {
  if (token.startsWith('"')) return token
  const decimal = parseDecimal(token)
  const isKept = decimal !== undefined && isExactAsDouble(token, decimal) && !isUnsafeInteger(Number(token))
  return isKept ? token : `"${MARK}${token}"`
}

/** Beyond 2^53 nobody can tell from a number whether it was rounded, so none is taken there. */
function isUnsafeInteger(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value)
}

function unmarked(value: unknown, depth: number): SourceValue {
  if (typeof value === 'string') return value.startsWith(MARK) ? new NumberToken(value.slice(MARK.length)) : value
  if (typeof value !== 'object' || value === null) return value as SourceValue
  if (depth > DEPTH_MAX) throw tooDeep()
  if (Array.isArray(value)) return value.map((element) => unmarked(element, depth + 1))
  // Not by assignment: a member may be called __proto__.
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, unmarked(member, depth + 1)]))
}

/** Members of all objects in the text: its colons that are not in strings. */
function countMembers(text: string): number {
  let count = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === COLON) count++
    else if (unit === QUOTE) at = endOfString(text, at)
  }
  return count
}

const QUOTE = 0x22
const COLON = 0x3a
const BACKSLASH = 0x5c

/** Where the string that begins at `start` has its closing quote. The text is JSON, so there is one. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return end
  }
  return text.length
}

function countNames(value: SourceValue, depth: number): number {
  if (typeof value !== 'object' || value === null || value instanceof NumberToken) return 0
  if (depth > DEPTH_MAX) throw tooDeep()
  const members: readonly SourceValue[] = Array.isArray(value) ? value : Object.values(value)
  let count = Array.isArray(value) ? 0 : members.length
  for (const member of members) {
    if (typeof member === 'object' && member !== null) count += countNames(member, depth + 1)
  }
  return count
}

function tooDeep(): ReplogError {
  return new ReplogError('INVALID_ARGUMENT', `more than ${DEPTH_MAX} arrays and objects inside one another`)
}

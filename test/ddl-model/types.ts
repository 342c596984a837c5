/**
 * Column types as the model knows them: what a value must be, what it becomes in another type, which comes first.
 *
 * Written from what the documentation promises (nothing is rounded, cut or guessed), without the product's codecs.
 */
import { EACH_ANOTHER, isUnknown } from './unknown-values.js'
import type { Value } from './value.js'

export type { Value } from './value.js'

export type Type =
  | { readonly kind: 'BOOLEAN' | 'INTEGER' | 'BIGINT' | 'DOUBLE' | 'TEXT' | 'DATE' | 'JSON' | 'UUID' }
  | { readonly kind: 'DECIMAL'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'VARCHAR'; readonly length: number }
  | { readonly kind: 'ENUM'; readonly labels: readonly string[] }

export type Kind = Type['kind']

const TYPE = /^([A-Z]+)(?:\((.*)\))?$/

/** Undefined for what is no type. */
export function parseType(text: string): Type | undefined {
  const [, kind, parameters = ''] = TYPE.exec(text) ?? []
  switch (kind) {
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
    case 'TEXT':
    case 'DATE':
    case 'JSON':
    case 'UUID':
      return parameters === '' ? { kind } : undefined
    case 'DECIMAL': {
      const [precision, scale = 0] = parameters.split(',').map(Number)
      return precision! >= scale && precision! >= 1 ? { kind, precision: precision!, scale } : undefined
    }
    case 'VARCHAR':
      return Number(parameters) >= 1 ? { kind, length: Number(parameters) } : undefined
    case 'ENUM':
      return { kind, labels: parameters.split(',').map((label) => label.slice(1, -1)) }
    default:
      return undefined
  }
}

export function typeText(type: Type): string {
  switch (type.kind) {
    case 'DECIMAL':
      return `DECIMAL(${type.precision},${type.scale})`
    case 'VARCHAR':
      return `VARCHAR(${type.length})`
    case 'ENUM':
      return `ENUM(${type.labels.map((label) => `'${label}'`).join(',')})`
    default:
      return type.kind
  }
}

const INTEGER_TEXT = /^-?\d+$/
const DECIMAL_TEXT = /^(-?)0*(\d+)(?:\.(\d+))?$/
const UUID_TEXT = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const DATE_TEXT = /^\d{4}-\d\d-\d\d$/

/** The value that an input is in a column of the type; undefined where it is none. NULL is one of every type. */
export function accept(input: unknown, type: Type): Value | undefined {
  if (input === null) return null
  switch (type.kind) {
    case 'BOOLEAN':
      return typeof input === 'boolean' ? input : undefined
    case 'INTEGER':
    case 'BIGINT': {
      const value = integerOf(input)
      const bits = type.kind === 'INTEGER' ? 32 : 64
      if (value === undefined || BigInt.asIntN(bits, value) !== value) return undefined
      return type.kind === 'INTEGER' ? Number(value) : value
    }
    case 'DOUBLE':
      if (typeof input === 'number') return input
      return typeof input === 'bigint' && BigInt(Number(input)) === input ? Number(input) : undefined
    case 'DECIMAL':
      return decimalOf(input, type.precision, type.scale)
    case 'TEXT':
      return typeof input === 'string' ? input : undefined
    case 'VARCHAR':
      return typeof input === 'string' && input.length <= type.length ? input : undefined
    case 'ENUM':
      return typeof input === 'string' && type.labels.includes(input) ? input : undefined
    case 'DATE':
      return typeof input === 'string' && isDate(input) ? input : undefined
    case 'UUID':
      return typeof input === 'string' && (UUID_TEXT.test(input) || isUnknown(input)) ? input : undefined
    case 'JSON':
      return typeof input === 'bigint' ? undefined : (input as Value)
  }
}

function integerOf(input: unknown): bigint | undefined {
  if (typeof input === 'bigint') return input
  if (typeof input === 'number') return Number.isSafeInteger(input) ? BigInt(input) : undefined
  return typeof input === 'string' && INTEGER_TEXT.test(input) ? BigInt(input) : undefined
}

function decimalOf(input: unknown, precision: number, scale: number): string | undefined {
  if (typeof input !== 'string' && typeof input !== 'number' && typeof input !== 'bigint') return undefined
  const [whole, sign = '', digits, fraction = ''] = DECIMAL_TEXT.exec(String(input)) ?? []
  if (whole === undefined) return undefined
  const kept = fraction.replace(/0+$/, '')
  if (kept.length > scale || (digits !== '0' && digits!.length > precision - scale)) return undefined
  const text = scale === 0 ? digits! : `${digits!}.${kept.padEnd(scale, '0')}`
  return Number(text) === 0 ? text : `${sign}${text}`
}

function isDate(text: string): boolean {
  if (!DATE_TEXT.test(text)) return false
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text)
}

const TEXTS: readonly Kind[] = ['VARCHAR', 'TEXT']
const BECOMES: Readonly<Record<Kind, readonly Kind[]>> = {
  BOOLEAN: ['INTEGER', 'BIGINT', ...TEXTS],
  INTEGER: ['BOOLEAN', 'INTEGER', 'BIGINT', 'DOUBLE', 'DECIMAL', ...TEXTS],
  BIGINT: ['BOOLEAN', 'INTEGER', 'BIGINT', 'DOUBLE', 'DECIMAL', ...TEXTS],
  DOUBLE: ['INTEGER', 'BIGINT', 'DOUBLE', 'DECIMAL', ...TEXTS],
  DECIMAL: ['INTEGER', 'BIGINT', 'DOUBLE', 'DECIMAL', ...TEXTS],
  VARCHAR: ['BOOLEAN', 'INTEGER', 'BIGINT', 'DOUBLE', 'DECIMAL', 'DATE', 'ENUM', 'JSON', 'UUID', ...TEXTS],
  TEXT: ['BOOLEAN', 'INTEGER', 'BIGINT', 'DOUBLE', 'DECIMAL', 'DATE', 'ENUM', 'JSON', 'UUID', ...TEXTS],
  DATE: TEXTS,
  ENUM: ['ENUM', ...TEXTS],
  JSON: TEXTS,
  UUID: TEXTS,
}

export function isConvertible(from: Type, to: Type): boolean {
  return sameType(from, to) || BECOMES[from.kind].includes(to.kind)
}

/** The same value in another type; undefined where it has none. */
export function convert(value: Value, from: Type, to: Type): Value | undefined {
  if (value === null || sameType(from, to)) return value
  if (from.kind === 'JSON') return accept(JSON.stringify(value), to)
  if (isText(from) && !isText(to)) return fromText(value as string, to)
  if (isText(to)) return accept(String(value), to)
  if (from.kind === 'BOOLEAN') return accept(value === true ? 1 : 0, to)
  if (to.kind === 'BOOLEAN') return Number(value) === 0 ? false : Number(value) === 1 ? true : undefined
  if (from.kind === 'DECIMAL' && to.kind === 'DOUBLE') {
    const number = Number(value)
    return accept(number, from) === value ? number : undefined
  }
  if (from.kind === 'DECIMAL' && to.kind !== 'DECIMAL') return accept((value as string).replace(/\.0*$/, ''), to)
  return accept(value, to)
}

function fromText(text: string, to: Type): Value | undefined {
  switch (to.kind) {
    case 'BOOLEAN':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'DOUBLE':
      return DECIMAL_TEXT.test(text) ? Number(text) : undefined
    case 'JSON':
      try {
        return JSON.parse(text) as Value
      } catch {
        return undefined
      }
    default:
      return accept(text, to)
  }
}

export function isText(type: Type): boolean {
  return type.kind === 'VARCHAR' || type.kind === 'TEXT'
}

export function sameType(one: Type, other: Type): boolean {
  return typeText(one) === typeText(other)
}

/** Every value of the one type is one of the other and is written alike, so that a table of any size changes at once. */
export function isWidening(from: Type, to: Type): boolean {
  if (from.kind === 'INTEGER') return to.kind === 'BIGINT'
  if (from.kind === 'VARCHAR') return to.kind === 'TEXT' || (to.kind === 'VARCHAR' && to.length >= from.length)
  if (from.kind === 'DECIMAL') {
    return to.kind === 'DECIMAL' && to.scale === from.scale && to.precision >= from.precision
  }
  if (from.kind !== 'ENUM' || to.kind !== 'ENUM') return false
  return from.labels.every((label, ordinal) => to.labels[ordinal] === label)
}

/** Whether a foreign key may lead from one to the other. */
export function isReferable(type: Type, target: Type): boolean {
  if (isText(type) && isText(target)) return true
  if (type.kind === 'DECIMAL' && target.kind === 'DECIMAL') return type.scale === target.scale
  if (type.kind === 'ENUM' || target.kind === 'ENUM') return sameType(type, target)
  return type.kind === target.kind && type.kind !== 'JSON'
}

const NUMBERS: readonly Kind[] = ['BOOLEAN', 'INTEGER', 'BIGINT', 'DOUBLE', 'DECIMAL']

/** Whether converted values stand in the same order. */
export function keepsOrder(from: Type, to: Type): boolean {
  if (sameType(from, to) || isWidening(from, to)) return true
  return [NUMBERS, TEXTS].some((kinds) => kinds.includes(from.kind) && kinds.includes(to.kind))
}

/** The type in which values of two columns are compared; undefined when they are not. */
export function comparisonType(left: Type, right: Type): Type | undefined {
  if (left.kind === 'JSON' || right.kind === 'JSON') return undefined
  if (isText(left) && isText(right)) {
    if (left.kind === 'VARCHAR' && right.kind === 'VARCHAR') return left.length >= right.length ? left : right
    return { kind: 'TEXT' }
  }
  const isInteger = (type: Type): boolean => type.kind === 'INTEGER' || type.kind === 'BIGINT'
  if (isInteger(left) && isInteger(right)) return left.kind === 'BIGINT' ? left : right
  if (left.kind === 'DECIMAL' && right.kind === 'DECIMAL') return left
  if (left.kind === 'ENUM' || right.kind === 'ENUM') return sameType(left, right) ? left : undefined
  return left.kind === right.kind ? left : undefined
}

/** In the order of keys: NULL first; texts by code point, labels by their place. */
export function compare(left: Value, right: Value, type: Type): number {
  if (left === null || right === null) return left === right ? 0 : left === null ? -1 : 1
  if (type.kind === 'DECIMAL') return Number(left) - Number(right)
  if (type.kind === 'ENUM') return type.labels.indexOf(left as string) - type.labels.indexOf(right as string)
  return left < right ? -1 : left > right ? 1 : 0
}

/** As definitions show it. */
export function literalOf(value: Value): Value {
  if (value === EACH_ANOTHER) return { function: 'uuid' } as never
  return typeof value === 'bigint' ? value.toString() : value
}

/** One text for equal values and different ones for others. */
export function valueText(value: Value): string {
  return typeof value === 'bigint' ? `${value}` : JSON.stringify(value)
}

/**
 * JSON: any JSON value but a top-level null (which is SQL NULL), stored as the UTF-8 text of JSON.stringify. Key order
 * is kept as given. Not part of keys: it has no order.
 *
 * Accepted and read values are walked, so that what is in a row is sure to survive JSON.stringify: no NaN, no integer
 * that JSON.parse has rounded, no lone surrogate, nothing so deep that a recursion overflows the stack. A string "__proto__"
 * key is an own property like any other. -0 becomes 0, since JSON.stringify writes it so.
 */
/// <reference lib="es2024.string" />
import { ReplogError } from '../../../core/errors.js'
import { JSON_DEPTH_MAX, JSON_VALUES_MAX } from '../../../core/limits.js'
import type { JsonValue } from '../column-type.js'
import type { StoredValue, ValueCodec } from '../value-codec.js'
import { stringSizeMax, WIRE_LENGTH_DELIMITED, writeString } from '../wire.js'
import { refusal } from './refusal.js'

type StoredJson = Exclude<JsonValue, null>

let valuesLeft = 0

/** A copy of `input` that shares no mutable part with it. */
function copied(input: unknown, depth: number): JsonValue {
  if (--valuesLeft < 0) {
    throw new ReplogError('TOO_LARGE', `a JSON value has more than ${JSON_VALUES_MAX} parts; store smaller values`)
  }
  switch (typeof input) {
    case 'string':
      if (!input.isWellFormed()) throw refusal('JSON', input, 'well-formed Unicode; this has half of a surrogate pair')
      return input
    case 'number':
      if (!Number.isFinite(input)) throw refusal('JSON', input, 'finite numbers')
      if (Number.isInteger(input) && !Number.isSafeInteger(input)) {
        throw refusal(
          'JSON',
          input,
          'integers up to 2^53 - 1, because larger ones are rounded in transit; send a string',
        )
      }
      return input === 0 ? 0 : input
    case 'boolean':
      return input
    case 'object':
      if (input === null) return null
      if (depth >= JSON_DEPTH_MAX) {
        throw refusal('JSON', input, `at most ${JSON_DEPTH_MAX} arrays and objects inside one another, and no cycle`)
      }
      return Array.isArray(input) ? copiedArray(input, depth) : copiedObject(input, depth)
    default:
      throw refusal('JSON', input, 'null, booleans, numbers, strings, arrays and objects')
  }
}

function copiedArray(input: readonly unknown[], depth: number): JsonValue {
  // A hole has no key, and a further property has one more; neither would survive.
  if (Object.getPrototypeOf(input) !== Array.prototype || Reflect.ownKeys(input).length !== input.length + 1) {
    throw refusal('JSON', input, 'arrays without holes and without properties of their own')
  }
  const copy: JsonValue[] = []
  for (const element of input) copy.push(copied(element, depth + 1))
  return copy
}

function copiedObject(input: object, depth: number): JsonValue {
  const prototype: unknown = Object.getPrototypeOf(input)
  if (prototype !== Object.prototype && prototype !== null) {
    throw refusal('JSON', input, 'plain objects, not instances of a class')
  }
  const copy: Record<string, JsonValue> = {}
  for (const name of Reflect.ownKeys(input)) {
    if (typeof name === 'symbol') throw refusal('JSON', input, 'objects whose keys are strings')
    if (!name.isWellFormed()) throw refusal('JSON', name, 'well-formed Unicode; a key has half of a surrogate pair')
    const value = copied((input as Record<string, unknown>)[name], depth + 1)
    if (name === '__proto__') {
      // An assignment would set the prototype instead.
      Object.defineProperty(copy, name, { value, enumerable: true, writable: true, configurable: true })
    } else {
      copy[name] = value
    }
  }
  return copy
}

function accepted(input: unknown): StoredJson {
  valuesLeft = JSON_VALUES_MAX
  const value = copied(input, 0)
  if (value === null) throw refusal('JSON', input, 'null only inside arrays and objects; by itself it is SQL NULL')
  return value
}

// `sizeMax` has to make the text, so `write`, which follows it, finds it here.
let sizedValue: StoredValue | undefined
let sizedText = ''

function textOf(value: StoredJson): string {
  return value === sizedValue ? sizedText : JSON.stringify(value)
}

export const jsonCodec: ValueCodec<StoredJson> = {
  type: { kind: 'JSON' },
  protoType: 'string',
  wireType: WIRE_LENGTH_DELIMITED,
  accept: accepted,
  toJson(value) {
    return value
  },
  sizeMax(value) {
    // Made anew each time: the object may have changed since it was last seen.
    sizedText = JSON.stringify(value)
    sizedValue = value
    return stringSizeMax(sizedText)
  },
  write(value, buffer, offset) {
    const text = textOf(value)
    sizedValue = undefined
    sizedText = ''
    return writeString(buffer, offset, text)
  },
  read(reader) {
    const start = reader.position
    const text = reader.string()
    try {
      return accepted(JSON.parse(text))
    } catch (error) {
      if (!(error instanceof SyntaxError) && !(error instanceof ReplogError)) throw error
      reader.position = start
      throw reader.corrupt(`a JSON field does not hold JSON: ${error.message}`)
    }
  },
  key: undefined,
}

/**
 * What a JSON column is given, checked before it is turned into text: `JSON.stringify` alone would write an infinite
 * number as null and a date as a string, and the server would never know. The check is that of the column type itself.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import type { JsonValue } from '../../log/codec/column-type.js'
import { valueCodec } from '../../log/codec/type-codecs.js'

const JSON_CODEC = valueCodec({ kind: 'JSON' })

/** Whether a column's value is an array or an object, which only a JSON column holds. */
export function isJsonColumn(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
}

/**
 * A copy that JSON text holds without loss.
 * @throws ReplogError INVALID_VALUE, TOO_LARGE, with `details.column`
 */
export function acceptJson(column: string, value: object): JsonValue {
  try {
    return JSON_CODEC.toJson(JSON_CODEC.accept(value))
  } catch (error) {
    if (!isReplogError(error)) throw error
    throw new ReplogError(error.code, `column ${JSON.stringify(column)}: ${error.message}`, {
      cause: error,
      details: { ...error.details, column },
    })
  }
}

/** `{ add: n }` adds to the newest value. */
export function isAddition(value: object): value is { readonly add: number | bigint | string } {
  return Object.keys(value).length === 1 && 'add' in value && typeof value.add !== 'object'
}

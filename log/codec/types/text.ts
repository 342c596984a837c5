/**
 * VARCHAR(n) and TEXT: well-formed Unicode strings, U+0000 included; n counts code points. Their bytes are the same,
 * so a change of length or from VARCHAR to TEXT rewrites nothing (and reading does not check the length).
 */
/// <reference lib="es2024.string" />
import { ReplogError } from '../../../core/errors.js'
import { VARCHAR_LENGTH_MAX } from '../../../core/limits.js'
import type { ColumnType } from '../column-type.js'
import type { ValueCodec } from '../value-codec.js'
import { stringSizeMax, WIRE_LENGTH_DELIMITED, writeString } from '../wire.js'
import { readStringKey, skipBytesKey, writeStringKey } from './bytes-key.js'
import { refusal } from './refusal.js'

/** @throws ReplogError INVALID_DEFINITION */
export function checkVarchar(length: number): void {
  if (!Number.isInteger(length) || length < 1 || length > VARCHAR_LENGTH_MAX) {
    throw new ReplogError(
      'INVALID_DEFINITION',
      `VARCHAR(${length}): the length is an integer from 1 to ${VARCHAR_LENGTH_MAX}; use TEXT for longer strings`,
    )
  }
}

export const textCodec: ValueCodec<string> = stringCodec({ kind: 'TEXT' }, 'TEXT', Number.POSITIVE_INFINITY)

export function varcharCodec(length: number): ValueCodec<string> {
  checkVarchar(length)
  return stringCodec({ kind: 'VARCHAR', length }, `VARCHAR(${length})`, length)
}

function stringCodec(type: ColumnType, name: string, codePointsMax: number): ValueCodec<string> {
  return {
    type,
    protoType: 'string',
    wireType: WIRE_LENGTH_DELIMITED,
    accept(input) {
      if (typeof input !== 'string') throw refusal(name, input, 'strings')
      if (!input.isWellFormed()) {
        throw refusal(name, input, 'well-formed Unicode, and this has half of a surrogate pair')
      }
      if (input.length > codePointsMax && exceeds(input, codePointsMax)) {
        throw refusal(name, input, `at most ${codePointsMax} characters`)
      }
      return input
    },
    toJson(value) {
      return value
    },
    sizeMax(value) {
      return stringSizeMax(value)
    },
    write(value, buffer, offset) {
      return writeString(buffer, offset, value)
    },
    read(reader) {
      return reader.string()
    },
    key: {
      write: writeStringKey,
      read: readStringKey,
      skip: skipBytesKey,
    },
  }
}

function exceeds(text: string, codePointsMax: number): boolean {
  if (text.length > 2 * codePointsMax) return true
  let codePoints = 0
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    // The text is well formed, so each lower surrogate completes the code point counted before it.
    if (unit < 0xdc00 || unit > 0xdfff) codePoints++
  }
  return codePoints > codePointsMax
}

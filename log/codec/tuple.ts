/**
 * Key tuples whose byte order is the order of their values. See ROWS.md for the form of each type and an example.
 *
 *   tuple      := part*
 *   part       := ascending | complement of ascending      the latter for a descending column
 *   ascending  := 0x00                                     NULL: first, or last when descending
 *               | the type's key form, which never begins with 0x00
 *
 * Every part shows its own end, so the tuple of a column prefix is a byte prefix of the whole tuple, and what follows
 * a tuple (the primary key behind an index tuple) needs no separator.
 */
import assert from 'node:assert/strict'
import { ReplogError } from '../../core/errors.js'
import { KEY_BYTES_MAX, KEY_COLUMNS_MAX } from '../../core/limits.js'
import type { Value } from './column-type.js'
import { KEY_PART_BYTES_ROOM, KeyReader, keyTooLarge } from './types/key-reader.js'
import type { KeyCodec, ValueCodec } from './value-codec.js'

export interface TuplePart {
  readonly codec: ValueCodec
  readonly descending: boolean
}

interface Part {
  readonly key: KeyCodec
  /** 0xff when descending, else 0. */
  readonly invert: number
}

const NULL_BYTE = 0x00

const NOTHING = new Uint8Array(0)
// Encoding and decoding never call back into a TupleCodec, so all of them share one scratch buffer and one reader.
const scratch = Buffer.allocUnsafeSlow(KEY_BYTES_MAX + KEY_PART_BYTES_ROOM)
const reader = new KeyReader()

/** The codec of one primary key or index. */
export class TupleCodec {
  readonly #parts: readonly Part[]

  /** @throws ReplogError INVALID_DEFINITION for too many columns, or a type that cannot be part of a key. */
  constructor(parts: readonly TuplePart[]) {
    if (parts.length > KEY_COLUMNS_MAX) {
      throw new ReplogError('INVALID_DEFINITION', `a key has at most ${KEY_COLUMNS_MAX} columns, not ${parts.length}`)
    }
    this.#parts = parts.map(({ codec, descending }): Part => {
      if (codec.key === undefined) {
        throw new ReplogError(
          'INVALID_DEFINITION',
          `a ${codec.type.kind} column has no order and cannot be part of a key`,
        )
      }
      return { key: codec.key, invert: descending ? 0xff : 0 }
    })
  }

  /**
   * prefix ++ tuple of the row's values at `ordinals` ++ `suffix` from `suffixStart` on.
   * @throws ReplogError TOO_LARGE when the tuple exceeds `KEY_BYTES_MAX`, INVALID_VALUE for a value without order (-0).
   */
  encode(
    prefix: Uint8Array,
    row: readonly Value[],
    ordinals: readonly number[],
    suffix: Uint8Array = NOTHING,
    suffixStart = 0,
  ): Buffer {
    const parts = this.#parts
    assert(ordinals.length === parts.length, 'a whole tuple has a value for each part')
    let end = 0
    for (let index = 0; index < parts.length; index++) end = writePart(parts[index]!, row[ordinals[index]!]!, end)
    return joined(prefix, end, suffix, suffixStart)
  }

  /** prefix ++ tuple of the values of the first parts: the beginning of every key that has these values. */
  encodeValues(prefix: Uint8Array, values: readonly Value[]): Buffer {
    assert(values.length <= this.#parts.length, 'a tuple has no more values than parts')
    let end = 0
    for (let index = 0; index < values.length; index++) end = writePart(this.#parts[index]!, values[index]!, end)
    return joined(prefix, end, NOTHING, 0)
  }

  /** The values of the tuple at `offset`, and where it ends. @throws ReplogError CORRUPT */
  decode(bytes: Uint8Array, offset: number): { values: Value[]; end: number } {
    reader.reset(bytes, offset)
    const values: Value[] = []
    for (const part of this.#parts) {
      reader.invert = part.invert
      if (reader.peek() === NULL_BYTE) {
        reader.position++
        values.push(null)
      } else {
        values.push(part.key.read(reader))
      }
    }
    reader.release()
    return { values, end: reader.position }
  }

  /** Where the tuple at `offset` ends. @throws ReplogError CORRUPT */
  skip(bytes: Uint8Array, offset: number): number {
    reader.reset(bytes, offset)
    for (const part of this.#parts) {
      reader.invert = part.invert
      if (reader.peek() === NULL_BYTE) reader.position++
      else part.key.skip(reader)
    }
    reader.release()
    return reader.position
  }
}

/** Writes one part into the scratch buffer at `offset` and returns its end. */
function writePart(part: Part, value: Value, offset: number): number {
  let end: number
  if (value === null) {
    scratch[offset] = NULL_BYTE
    end = offset + 1
  } else {
    end = part.key.write(value, scratch, offset)
  }
  if (part.invert !== 0) for (let at = offset; at < end; at++) scratch[at]! ^= 0xff
  // Checked after each part, so that the room of the next one is within the scratch buffer.
  if (end > KEY_BYTES_MAX) throw keyTooLarge()
  return end
}

function joined(prefix: Uint8Array, tupleBytes: number, suffix: Uint8Array, suffixStart: number): Buffer {
  const start = prefix.length
  const tupleEnd = start + tupleBytes
  const suffixBytes = suffix.length - suffixStart
  const bytes = Buffer.allocUnsafe(tupleEnd + suffixBytes)
  // Keys are a few dozen bytes, for which a loop beats a call into Node.
  for (let index = 0; index < start; index++) bytes[index] = prefix[index]!
  for (let index = 0; index < tupleBytes; index++) bytes[start + index] = scratch[index]!
  for (let index = 0; index < suffixBytes; index++) bytes[tupleEnd + index] = suffix[suffixStart + index]!
  return bytes
}

/**
 * INTEGER (int32, a number) and BIGINT (int64, a bigint). Both are zigzag varints in rows and `integer-key` in keys,
 * so the bytes of a number do not depend on which of the two it is stored as: widening rewrites nothing.
 */
import type { ValueCodec } from '../value-codec.js'
import {
  highHalf,
  joinSigned,
  lowHalf,
  VARINT32_BYTES_MAX,
  VARINT64_BYTES_MAX,
  WIRE_VARINT,
  writeSint32,
  writeSint64,
} from '../wire.js'
import { readIntegerKey, skipIntegerKey, writeIntegerKey } from './integer-key.js'
import { refusal } from './refusal.js'

export const INT32_MIN = -(2 ** 31)
export const INT32_MAX = 2 ** 31 - 1
export const INT64_MIN = -(2n ** 63n)
export const INT64_MAX = 2n ** 63n - 1n

const INTEGER_HOLDS = `integers from ${INT32_MIN} to ${INT32_MAX}`
const BIGINT_HOLDS = `integers from ${INT64_MIN} to ${INT64_MAX}, sent as bigint, as decimal string or as safe integer`

/** Long enough for any int64 and bounded, since the time BigInt() takes grows faster than the text. */
const INTEGER_TEXT_PATTERN = /^-?\d{1,40}$/

export const integerCodec: ValueCodec<number> = {
  type: { kind: 'INTEGER' },
  protoType: 'sint32',
  wireType: WIRE_VARINT,
  accept(input) {
    if (typeof input === 'number') {
      // `| 0` also turns -0 into 0 and leaves nothing else equal to its input but an int32.
      if ((input | 0) === input) return input | 0
    } else if (typeof input === 'bigint') {
      if (input >= INT32_MIN && input <= INT32_MAX) return Number(input)
    } else if (typeof input === 'string' && INTEGER_TEXT_PATTERN.test(input)) {
      const value = BigInt(input)
      if (value >= INT32_MIN && value <= INT32_MAX) return Number(value)
    }
    throw refusal('INTEGER', input, INTEGER_HOLDS)
  },
  toJson(value) {
    return value
  },
  sizeMax() {
    return VARINT32_BYTES_MAX
  },
  write(value, buffer, offset) {
    return writeSint32(buffer, offset, value)
  },
  read(reader) {
    return reader.sint32()
  },
  key: {
    write(value, buffer, offset) {
      return writeIntegerKey(buffer, offset, value, value >> 31)
    },
    read(reader) {
      readIntegerKey(reader)
      if (reader.high !== reader.low >> 31) throw reader.corrupt('an INTEGER exceeds 32 bits')
      return reader.low
    },
    skip: skipIntegerKey,
  },
}

export const bigintCodec: ValueCodec<bigint> = {
  type: { kind: 'BIGINT' },
  protoType: 'sint64',
  wireType: WIRE_VARINT,
  accept(input) {
    if (typeof input === 'bigint') {
      if (input >= INT64_MIN && input <= INT64_MAX) return input
    } else if (typeof input === 'number') {
      if (Number.isSafeInteger(input)) return BigInt(input)
    } else if (typeof input === 'string' && INTEGER_TEXT_PATTERN.test(input)) {
      const value = BigInt(input)
      if (value >= INT64_MIN && value <= INT64_MAX) return value
    }
    throw refusal('BIGINT', input, BIGINT_HOLDS)
  },
  toJson(value) {
    return value.toString()
  },
  sizeMax() {
    return VARINT64_BYTES_MAX
  },
  write(value, buffer, offset) {
    return writeSint64(buffer, offset, value)
  },
  read(reader) {
    return reader.sint64()
  },
  key: {
    write(value, buffer, offset) {
      return writeIntegerKey(buffer, offset, lowHalf(value), highHalf(value))
    },
    read(reader) {
      readIntegerKey(reader)
      return joinSigned(reader.low, reader.high)
    },
    skip: skipIntegerKey,
  },
}

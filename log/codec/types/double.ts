/**
 * DOUBLE: IEEE 754 binary64 without NaN. Rows keep -0; keys refuse it, since it equals 0 and one value must have one
 * key.
 *
 *   key := 0x01 bits    bits big-endian; sign bit flipped when it was clear, all bits flipped when it was set
 */
import { ReplogError } from '../../../core/errors.js'
import type { ValueCodec } from '../value-codec.js'
import { WIRE_FIXED64, writeDouble } from '../wire.js'
import { refusal } from './refusal.js'

const HOLDS = 'numbers other than NaN, "Infinity", "-Infinity" and "-0", and integers only if a double is exactly equal'
const BYTES = 8

const scratch = Buffer.alloc(BYTES)

export const doubleCodec: ValueCodec<number> = {
  type: { kind: 'DOUBLE' },
  protoType: 'double',
  wireType: WIRE_FIXED64,
  accept(input) {
    switch (typeof input) {
      case 'number':
        if (!Number.isNaN(input)) return input
        break
      case 'bigint': {
        const value = Number(input)
        if (Number.isFinite(value) && BigInt(value) === input) return value
        break
      }
      case 'string':
        // The values that JSON numbers cannot carry (JSON.stringify(-0) is "0").
        if (input === 'Infinity' || input === '-Infinity' || input === '-0') return Number(input)
        break
      default:
    }
    throw refusal('DOUBLE', input, HOLDS)
  },
  toJson(value) {
    if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : value
    return value > 0 ? 'Infinity' : '-Infinity'
  },
  sizeMax() {
    return BYTES
  },
  write(value, buffer, offset) {
    return writeDouble(buffer, offset, value)
  },
  read(reader) {
    const value = reader.double()
    if (Number.isNaN(value)) throw reader.corrupt('a DOUBLE is NaN')
    return value
  },
  key: {
    write(value, buffer, offset) {
      if (Object.is(value, -0)) {
        throw new ReplogError('INVALID_VALUE', '-0 cannot be part of a key, because it equals 0; send 0')
      }
      buffer[offset] = 0x01
      buffer.writeDoubleBE(value, offset + 1)
      flip(buffer, offset + 1, value < 0)
      return offset + 1 + BYTES
    },
    read(reader) {
      reader.header()
      const start = reader.advance(BYTES)
      for (let index = 0; index < BYTES; index++) scratch[index] = reader.buffer[start + index]! ^ reader.invert
      flip(scratch, 0, scratch[0]! < 0x80)
      const value = scratch.readDoubleBE(0)
      if (Number.isNaN(value) || Object.is(value, -0)) throw reader.corrupt('a DOUBLE is NaN or -0')
      return value
    },
    skip(reader) {
      reader.header()
      reader.advance(BYTES)
    },
  },
}

function flip(buffer: Uint8Array, offset: number, negative: boolean): void {
  if (!negative) {
    buffer[offset]! ^= 0x80
    return
  }
  for (let at = offset; at < offset + BYTES; at++) buffer[at]! ^= 0xff
}

/** BOOLEAN: protobuf bool; in keys 0x01 is false and 0x02 true. */
import type { ValueCodec } from '../value-codec.js'
import { WIRE_VARINT } from '../wire.js'
import type { KeyReader } from './key-reader.js'
import { refusal } from './refusal.js'

const KEY_FALSE = 0x01
const KEY_TRUE = 0x02

function readKey(reader: KeyReader): boolean {
  const byte = reader.byte()
  if (byte !== KEY_FALSE && byte !== KEY_TRUE) throw reader.corrupt('a boolean is neither 01 nor 02')
  return byte === KEY_TRUE
}

export const booleanCodec: ValueCodec<boolean> = {
  type: { kind: 'BOOLEAN' },
  protoType: 'bool',
  wireType: WIRE_VARINT,
  accept(input) {
    if (typeof input !== 'boolean') throw refusal('BOOLEAN', input, 'true or false')
    return input
  },
  toJson(value) {
    return value
  },
  sizeMax() {
    return 1
  },
  write(value, buffer, offset) {
    buffer[offset] = value ? 1 : 0
    return offset + 1
  },
  read(reader) {
    return reader.bool()
  },
  key: {
    write(value, buffer, offset) {
      buffer[offset] = value ? KEY_TRUE : KEY_FALSE
      return offset + 1
    },
    read: readKey,
    skip: readKey,
  },
}

/** BLOB: bytes. Values are copies in both directions: of the caller's array, and of the frame that is read. */
import { copyBytes } from '../copy-bytes.js'
import type { ValueCodec } from '../value-codec.js'
import { VARINT32_BYTES_MAX, WIRE_LENGTH_DELIMITED, writeBytes } from '../wire.js'
import { readBytesKey, skipBytesKey, writeBytesKey } from './bytes-key.js'
import { refusal } from './refusal.js'

export const blobCodec: ValueCodec<Uint8Array> = {
  type: { kind: 'BLOB' },
  protoType: 'bytes',
  wireType: WIRE_LENGTH_DELIMITED,
  accept(input) {
    if (input instanceof Uint8Array) return copyBytes(input)
    if (typeof input === 'string') {
      const bytes = Buffer.from(input, 'base64')
      // Node skips what is not base64, so only text that comes out again is sure to have been it.
      if (bytes.toString('base64') === input) return copyBytes(bytes)
    }
    throw refusal('BLOB', input, 'a Uint8Array, or its bytes as base64 text with padding')
  },
  toJson(value) {
    return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')
  },
  sizeMax(value) {
    return VARINT32_BYTES_MAX + value.length
  },
  write(value, buffer, offset) {
    return writeBytes(buffer, offset, value)
  },
  read(reader) {
    return reader.bytesCopy()
  },
  key: {
    write: writeBytesKey,
    read: readBytesKey,
    skip: skipBytesKey,
  },
}

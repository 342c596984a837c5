/** UUID: 16 bytes in rows; lower-case text with hyphens as a value. In keys 0x01 and the 16 bytes. */
import assert from 'node:assert/strict'
import type { ValueCodec } from '../value-codec.js'
import { WIRE_LENGTH_DELIMITED } from '../wire.js'
import { refusal } from './refusal.js'

const BYTES = 16
const HYPHENATED_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const PLAIN_PATTERN = /^[0-9a-f]{32}$/i

const scratch = Buffer.alloc(BYTES)

function hyphenated(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function writeHex(value: string, buffer: Buffer, offset: number): number {
  const written = buffer.write(value.replaceAll('-', ''), offset, BYTES, 'hex')
  assert(written === BYTES, 'a UUID in a row is canonical')
  return offset + BYTES
}

export const uuidCodec: ValueCodec<string> = {
  type: { kind: 'UUID' },
  protoType: 'bytes',
  wireType: WIRE_LENGTH_DELIMITED,
  accept(input) {
    if (typeof input === 'string') {
      if (HYPHENATED_PATTERN.test(input)) return input.toLowerCase()
      if (PLAIN_PATTERN.test(input)) return hyphenated(input.toLowerCase())
    }
    throw refusal('UUID', input, '32 hexadecimal digits, with hyphens as 8-4-4-4-12 or without')
  },
  toJson(value) {
    return value
  },
  sizeMax() {
    return 1 + BYTES
  },
  write(value, buffer, offset) {
    buffer[offset] = BYTES
    return writeHex(value, buffer, offset + 1)
  },
  read(reader) {
    const end = reader.delimitedEnd()
    const start = reader.position
    if (end - start !== BYTES) throw reader.corrupt(`a UUID has ${end - start} bytes`)
    reader.position = end
    return hyphenated(reader.buffer.toString('hex', start, end))
  },
  key: {
    write(value, buffer, offset) {
      buffer[offset] = 0x01
      return writeHex(value, buffer, offset + 1)
    },
    read(reader) {
      reader.header()
      const start = reader.advance(BYTES)
      for (let index = 0; index < BYTES; index++) scratch[index] = reader.buffer[start + index]! ^ reader.invert
      return hyphenated(scratch.toString('hex'))
    },
    skip(reader) {
      reader.header()
      reader.advance(BYTES)
    },
  },
}

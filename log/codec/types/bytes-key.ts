/**
 * The key form of byte strings of any length (VARCHAR, TEXT as UTF-8, whose byte order is code point order; BLOB).
 *
 *   bytes      := 0x01 escaped* 0x00 0x01
 *   escaped    := 0x00 0xff   for a 0x00 of the content
 *               | any other byte as it is
 *
 * The terminator sorts below every continuation (0x00 0x01 < 0x00 0xff < 0x01 …), so a prefix sorts before what it is
 * a prefix of; complemented, the same holds in reverse. After cockroachdb/cockroach, pkg/util/encoding.
 */
import { KEY_BYTES_MAX } from '../../../core/limits.js'
import { decodeUtf8 } from '../wire.js'
import { keyTooLarge, type KeyReader } from './key-reader.js'

const HEADER = 0x01
const ESCAPE = 0x00
const ESCAPED_ZERO = 0xff
const TERMINATOR = 0x01

/** Up to this length an ASCII string is copied by a loop; above it the call into Node pays off. */
const SHORT_STRING_LENGTH_MAX = 24

export function writeStringKey(text: string, buffer: Buffer, offset: number): number {
  const length = text.length
  if (length > KEY_BYTES_MAX) throw keyTooLarge()
  buffer[offset] = HEADER
  const start = offset + 1
  if (length <= SHORT_STRING_LENGTH_MAX) {
    let index = 0
    for (; index < length; index++) {
      const unit = text.charCodeAt(index)
      if (unit === 0 || unit > 0x7f) break
      buffer[start + index] = unit
    }
    if (index === length) return terminate(buffer, start + length)
  }
  return terminate(buffer, escapeInPlace(buffer, start, start + buffer.write(text, start)))
}

export function writeBytesKey(content: Uint8Array, buffer: Buffer, offset: number): number {
  if (content.length > KEY_BYTES_MAX) throw keyTooLarge()
  buffer[offset] = HEADER
  buffer.set(content, offset + 1)
  return terminate(buffer, escapeInPlace(buffer, offset + 1, offset + 1 + content.length))
}

function terminate(buffer: Uint8Array, offset: number): number {
  buffer[offset] = ESCAPE
  buffer[offset + 1] = TERMINATOR
  return offset + 2
}

/** Escapes the zeros of `[start, end)`, moving what follows them, and returns the new end. */
function escapeInPlace(buffer: Uint8Array, start: number, end: number): number {
  let zeros = 0
  for (let at = start; at < end; at++) if (buffer[at] === ESCAPE) zeros++
  if (zeros === 0) return end
  let to = end + zeros
  for (let from = end - 1; to > from + 1; from--) {
    const byte = buffer[from]!
    if (byte === ESCAPE) buffer[--to] = ESCAPED_ZERO
    buffer[--to] = byte
  }
  return end + zeros
}

export function readStringKey(reader: KeyReader): string {
  reader.header()
  const start = reader.position
  const contentBytes = skipContent(reader)
  const end = reader.position - 2
  if (reader.invert === 0 && end - start === contentBytes) return decodeUtf8(reader.buffer, start, end)
  return decodeUtf8(plainContent(reader, start, contentBytes), 0, contentBytes)
}

export function readBytesKey(reader: KeyReader): Uint8Array {
  reader.header()
  const start = reader.position
  const contentBytes = skipContent(reader)
  const content = new Uint8Array(contentBytes)
  content.set(plainContent(reader, start, contentBytes))
  return content
}

export function skipBytesKey(reader: KeyReader): void {
  reader.header()
  skipContent(reader)
}

/** Passes over content and terminator and returns how long the content is without its escapes. */
function skipContent(reader: KeyReader): number {
  const buffer = reader.buffer
  const escape = ESCAPE ^ reader.invert
  let escapes = 0
  for (let at = reader.position; at < buffer.length; at++) {
    if (buffer[at] !== escape) continue
    const next = ++at < buffer.length ? buffer[at]! ^ reader.invert : -1
    if (next === TERMINATOR) {
      const contentBytes = at - 1 - reader.position - escapes
      reader.position = at + 1
      return contentBytes
    }
    if (next !== ESCAPED_ZERO) throw reader.corrupt('a 00 in a string is neither its end nor escaped')
    escapes++
  }
  throw reader.corrupt('a string has no end')
}

/** The content that begins at `start`, already known to be well formed, without complement and escapes. */
function plainContent(reader: KeyReader, start: number, contentBytes: number): Buffer {
  const content = Buffer.allocUnsafe(contentBytes)
  let from = start
  for (let to = 0; to < contentBytes; to++) {
    const byte = reader.buffer[from++]! ^ reader.invert
    if (byte === ESCAPE) from++
    content[to] = byte
  }
  return content
}

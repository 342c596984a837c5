/**
 * Names of tables and columns out of frames: the same few come with every request, and making a string of bytes, and
 * then finding it in a table of names, costs more than seeing that it is one that came before.
 *
 * Invariants: what is given is what `WireReader.string` would give; at most NAMES_MAX short names are kept, whatever comes.
 */
import { type WireReader, decodeUtf8 } from '../wire.js'

const NAMES_MAX = 1024
const NAME_BYTES_MAX = 64

/** By the hash of its bytes; all are ASCII, so that a character is a byte. */
const names: string[] = new Array<string>(NAMES_MAX).fill('')

/** A string field. @throws ReplogError CORRUPT when it is cut off or not UTF-8 */
export function readName(reader: WireReader): string {
  const { buffer } = reader
  const end = reader.delimitedEnd()
  const start = reader.position
  reader.position = end
  const length = end - start
  if (length > NAME_BYTES_MAX) return decodeUtf8(buffer, start, end)
  // FNV-1a.
  let hash = 0x811c9dc5
  let bits = 0
  for (let at = start; at < end; at++) {
    const byte = buffer[at]!
    bits |= byte
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  if (bits > 0x7f) return decodeUtf8(buffer, start, end)
  const slot = (hash ^ (hash >>> 15)) & (NAMES_MAX - 1)
  const known = names[slot]!
  if (isTextOf(known, buffer, start, length)) return known
  const name = buffer.toString('latin1', start, end)
  names[slot] = name
  return name
}

function isTextOf(text: string, buffer: Buffer, start: number, length: number): boolean {
  if (text.length !== length) return false
  for (let at = 0; at < length; at++) if (text.charCodeAt(at) !== buffer[start + at]) return false
  return true
}

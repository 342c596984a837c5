/**
 * Unpacks Snappy, as LevelDB packs its blocks.
 *
 *   packed  := length element*                       length: varint, of the content
 *   element := literal | copy                        the two lowest bits of the first byte say which
 *   literal := tag [length] byte*                    0: tag >> 2 is the length - 1, or 60 to 63: 1 to 4 bytes of it follow
 *   copy    := tag offset                            1: 3 bits of length, 11 of offset; 2: u16; 3: u32
 *
 * Format: google/snappy, format_description.txt.
 */
const CONTENT_BYTES_MAX = 64 * 1024 * 1024

/** The content; undefined when the bytes are not Snappy's. */
export function snappyContent(packed: Buffer): Buffer | undefined {
  let at = 0
  let length = 0
  for (let shift = 0; ; shift += 7) {
    const byte = packed[at++]
    if (byte === undefined || shift > 28) return undefined
    length += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  if (length > CONTENT_BYTES_MAX) return undefined
  const content = Buffer.alloc(length)
  let end = 0
  while (at < packed.length) {
    const tag = packed[at++]!
    const kind = tag & 3
    if (kind === 0) {
      let size = tag >>> 2
      const more = size < 60 ? 0 : size - 59
      if (at + more > packed.length) return undefined
      if (more > 0) size = packed.readUIntLE(at, more)
      at += more
      size++
      if (at + size > packed.length || end + size > length) return undefined
      packed.copy(content, end, at, at + size)
      at += size
      end += size
      continue
    }
    const offsetBytes = kind === 1 ? 1 : kind === 2 ? 2 : 4
    if (at + offsetBytes > packed.length) return undefined
    const low = packed.readUIntLE(at, offsetBytes)
    at += offsetBytes
    const offset = kind === 1 ? ((tag >>> 5) << 8) + low : low
    const size = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    if (offset === 0 || offset > end || end + size > length) return undefined
    // Byte by byte: a copy may reach into what it writes.
    for (let byte = 0; byte < size; byte++, end++) content[end] = content[end - offset]!
  }
  return end === length ? content : undefined
}

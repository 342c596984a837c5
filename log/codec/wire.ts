/**
 * The protobuf wire primitives under the row, transaction and definition codecs.
 *
 *   message   := (tag value)*
 *   tag       := varint(field number << 3 | wire type)
 *   value     := varint | fixed64 (8 bytes, little-endian) | length-delimited | fixed32
 *   varint    := groups of 7 bits, lowest first; all but the last byte have the high bit set; at most 10 bytes
 *   zigzag(n) := n >= 0 ? 2n : -2n - 1                       so that small negative numbers are short
 *
 * Writers are functions `(buffer, offset, value) → end` that trust their caller to have made room; readers are methods
 * of one reusable `WireReader` that trusts nothing and throws only CORRUPT. 64-bit integers travel as two int32
 * halves through a shared BigInt64Array, which costs neither BigInt arithmetic nor an allocation.
 */
import { isUtf8 } from 'node:buffer'
import { ReplogError } from '../../core/errors.js'

export const WIRE_VARINT = 0
export const WIRE_FIXED64 = 1
export const WIRE_LENGTH_DELIMITED = 2
export const WIRE_FIXED32 = 5

/** Longest varint of a 32-bit and of a 64-bit integer. */
export const VARINT32_BYTES_MAX = 5
export const VARINT64_BYTES_MAX = 10

/** Highest field number that protobuf allows. */
export const FIELD_NUMBER_MAX = 0x1fff_ffff

/** Up to this length a string is encoded and decoded by a loop here; above it the call into Node pays off. */
const SHORT_STRING_LENGTH_MAX = 24
/** Three bytes per UTF-16 unit at most, so the length prefix of such a string is surely one byte. */
const ONE_BYTE_LENGTH_STRING_MAX = Math.floor(0x7f / 3)

const TWO_TO_32 = 0x1_0000_0000

const signed64 = new BigInt64Array(1)
const unsigned64 = new BigUint64Array(signed64.buffer)
const halves = new Int32Array(signed64.buffer)
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
const LOW = LITTLE_ENDIAN ? 0 : 1
const HIGH = LITTLE_ENDIAN ? 1 : 0

/** The lower 32 bits of a 64-bit integer, as int32. */
export function lowHalf(value: bigint): number {
  signed64[0] = value
  return halves[LOW]!
}

/** The upper 32 bits of a 64-bit integer, as int32. */
export function highHalf(value: bigint): number {
  signed64[0] = value
  return halves[HIGH]!
}

/** The int64 that two int32 halves make. */
export function joinSigned(low: number, high: number): bigint {
  halves[LOW] = low
  halves[HIGH] = high
  return signed64[0]!
}

/** The uint64 that two int32 halves make. */
export function joinUnsigned(low: number, high: number): bigint {
  halves[LOW] = low
  halves[HIGH] = high
  return unsigned64[0]!
}

/** The int64 that two int32 halves make: a number where that is exact, which spares the BigInt. */
export function joinInteger(low: number, high: number): number | bigint {
  return high >= -0x20_0000 && high < 0x20_0000 ? high * TWO_TO_32 + (low >>> 0) : joinSigned(low, high)
}

/** The upper half of a safe integer whose lower half is `value | 0`. */
export function numberHighHalf(value: number): number {
  return Math.floor(value / TWO_TO_32) | 0
}

export function makeTag(fieldNumber: number, wireType: number): number {
  return ((fieldNumber << 3) | wireType) >>> 0
}

/** Bytes of the varint of an unsigned integer up to 2^53 - 1. */
export function varintSize(value: number): number {
  let size = 1
  while (value >= 0x80) {
    value = Math.floor(value / 0x80)
    size++
  }
  return size
}

/** Writes an unsigned integer up to 2^53 - 1. */
export function writeVarint(buffer: Uint8Array, offset: number, value: number): number {
  if (value < 0x80) {
    buffer[offset] = value
    return offset + 1
  }
  return writeVarintHalves(buffer, offset, value | 0, value < TWO_TO_32 ? 0 : (value / TWO_TO_32) | 0)
}

/** Writes the uint64 made of two int32 halves. */
export function writeVarintHalves(buffer: Uint8Array, offset: number, low: number, high: number): number {
  while (high !== 0) {
    buffer[offset++] = (low & 0x7f) | 0x80
    low = (low >>> 7) | (high << 25)
    high >>>= 7
  }
  while (low >>> 0 > 0x7f) {
    buffer[offset++] = (low & 0x7f) | 0x80
    low >>>= 7
  }
  buffer[offset++] = low
  return offset
}

function varintHalvesSize(low: number, high: number): number {
  if (high === 0) return varintSize(low >>> 0)
  const upper = high >>> 0
  // 28 of the lower 32 bits fill four bytes; four bits are left for the fifth, beside three of the upper half.
  return upper < 0x8 ? 5 : 5 + varintSize(Math.floor(upper / 0x8))
}

export function uint64Size(value: bigint): number {
  return varintHalvesSize(lowHalf(value), highHalf(value))
}

export function writeUint64(buffer: Uint8Array, offset: number, value: bigint): number {
  unsigned64[0] = value
  return writeVarintHalves(buffer, offset, halves[LOW]!, halves[HIGH]!)
}

export function sint32Size(value: number): number {
  return varintSize(((value << 1) ^ (value >> 31)) >>> 0)
}

export function writeSint32(buffer: Uint8Array, offset: number, value: number): number {
  return writeVarintHalves(buffer, offset, (value << 1) ^ (value >> 31), 0)
}

export function sint64Size(value: bigint): number {
  const low = lowHalf(value)
  const high = highHalf(value)
  const sign = high >> 31
  return varintHalvesSize((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign)
}

export function writeSint64(buffer: Uint8Array, offset: number, value: bigint): number {
  signed64[0] = value
  return writeSint64Halves(buffer, offset, halves[LOW]!, halves[HIGH]!)
}

/** Writes the int64 made of two int32 halves. */
export function writeSint64Halves(buffer: Uint8Array, offset: number, low: number, high: number): number {
  const sign = high >> 31
  return writeVarintHalves(buffer, offset, (low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign)
}

/** Writes a safe integer as sint64. */
export function writeSint64Number(buffer: Uint8Array, offset: number, value: number): number {
  return writeSint64Halves(buffer, offset, value | 0, numberHighHalf(value))
}

/** Writes the eight little-endian bytes of a double. */
export function writeDouble(buffer: Buffer, offset: number, value: number): number {
  return buffer.writeDoubleLE(value, offset)
}

/** Bytes of a length-delimited field after its tag. */
export function delimitedSize(contentBytes: number): number {
  return varintSize(contentBytes) + contentBytes
}

/** Bytes of a string field after its tag. */
export function stringSize(text: string): number {
  return delimitedSize(Buffer.byteLength(text))
}

/** At least the bytes of a string field after its tag; quick for short strings, exact for long ones. */
export function stringSizeMax(text: string): number {
  return VARINT32_BYTES_MAX + (text.length <= 1024 ? text.length * 3 : Buffer.byteLength(text))
}

/** Writes length and UTF-8 bytes. The text must be well formed (a lone surrogate would become U+FFFD). */
export function writeString(buffer: Buffer, offset: number, text: string): number {
  const length = text.length
  if (length <= SHORT_STRING_LENGTH_MAX) {
    let end = offset + 1
    let index = 0
    for (; index < length; index++) {
      const unit = text.charCodeAt(index)
      if (unit > 0x7f) break
      buffer[end++] = unit
    }
    if (index === length) {
      buffer[offset] = length
      return end
    }
  }
  if (length <= ONE_BYTE_LENGTH_STRING_MAX) {
    const written = buffer.write(text, offset + 1)
    buffer[offset] = written
    return offset + 1 + written
  }
  const start = writeVarint(buffer, offset, Buffer.byteLength(text))
  return start + buffer.write(text, start)
}

/** Writes length and content. */
export function writeBytes(buffer: Uint8Array, offset: number, content: Uint8Array): number {
  const { length } = content
  const start = writeVarint(buffer, offset, length)
  // Rows are a few dozen bytes, for which a loop beats a call into Node.
  if (length <= 64) for (let at = 0; at < length; at++) buffer[start + at] = content[at]!
  else buffer.set(content, start)
  return start + length
}

/** The fault of bytes that do not parse. `offset` is a byte offset in what was being read. */
export function corruptAt(offset: number, what: string): ReplogError {
  return new ReplogError(
    'CORRUPT',
    `${what} (byte ${offset}). Nothing is repaired by guessing: restore this copy from a peer.`,
  )
}

const NOTHING = Buffer.alloc(0)

/**
 * A cursor over protobuf bytes. Meant to be kept and `reset` for each message, so that decoding allocates nothing but
 * the values. Invariant: start <= position <= end <= buffer.length after every method that returns.
 */
export class WireReader {
  buffer: Buffer = NOTHING
  position = 0
  end = 0
  /** The int32 halves of what `readHalves` read last. */
  low = 0
  high = 0

  /** Starts reading `bytes[start, end)`; views and copies it hands out are of this memory. */
  reset(bytes: Uint8Array, start = 0, end = bytes.length): this {
    this.buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.position = start
    this.end = end
    return this
  }

  /** Lets go of the bytes, so that a kept reader does not pin them. */
  release(): void {
    this.buffer = NOTHING
    this.position = 0
    this.end = 0
  }

  /** True while there is something left to read. */
  more(): boolean {
    return this.position < this.end
  }

  corrupt(what: string): ReplogError {
    return corruptAt(this.position, what)
  }

  /** The next tag: field number << 3 | wire type. Field number 0 is refused. */
  tag(): number {
    const tag = this.uint32()
    if (tag < 8) throw this.corrupt('field number 0')
    return tag
  }

  uint32(): number {
    const position = this.position
    if (position < this.end) {
      const byte = this.buffer[position]!
      if (byte < 0x80) {
        this.position = position + 1
        return byte
      }
    }
    this.readHalves()
    if (this.high !== 0) throw this.corrupt('a 32-bit integer is out of range')
    return this.low >>> 0
  }

  sint32(): number {
    const zigzag = this.uint32()
    return (zigzag >>> 1) ^ -(zigzag & 1)
  }

  bool(): boolean {
    const value = this.uint32()
    if (value > 1) throw this.corrupt(`${value} is not a boolean`)
    return value === 1
  }

  uint64(): bigint {
    this.readHalves()
    return joinUnsigned(this.low, this.high)
  }

  sint64(): bigint {
    this.readSint64Halves()
    return joinSigned(this.low, this.high)
  }

  /** Reads a sint64 into `low` and `high`. */
  readSint64Halves(): void {
    this.readHalves()
    const low = this.low
    const sign = -(low & 1)
    this.low = ((low >>> 1) | (this.high << 31)) ^ sign
    this.high = (this.high >>> 1) ^ sign
  }

  /** Reads a varint of up to 64 bits into `low` and `high`. */
  readHalves(): void {
    const buffer = this.buffer
    const end = this.end
    let position = this.position
    let low = 0
    let high = 0
    // Ends at the tenth byte at the latest, of which only the lowest bit is left.
    for (let shift = 0; ; shift += 7) {
      if (position >= end) throw corruptAt(position, 'a varint is cut off')
      const byte = buffer[position++]!
      const bits = byte & 0x7f
      if (shift < 28) {
        low |= bits << shift
      } else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else {
        if (shift === 63 && byte > 1) throw corruptAt(position, 'a varint exceeds 64 bits')
        high |= bits << (shift - 32)
      }
      if (byte < 0x80) {
        this.position = position
        this.low = low
        this.high = high
        return
      }
    }
  }

  double(): number {
    const position = this.position
    this.advance(8)
    return this.buffer.readDoubleLE(position)
  }

  /** Reads the length of a length-delimited field and returns where its content ends; the content comes next. */
  delimitedEnd(): number {
    const length = this.uint32()
    if (length > this.end - this.position) throw this.corrupt(`a field of ${length} bytes is cut off`)
    return this.position + length
  }

  /** A string field; its bytes must be valid UTF-8. */
  string(): string {
    const end = this.delimitedEnd()
    const start = this.position
    this.position = end
    return decodeUtf8(this.buffer, start, end)
  }

  /** A view of a bytes field: it pins the memory that is being read. */
  bytesView(): Buffer {
    const end = this.delimitedEnd()
    const start = this.position
    this.position = end
    return this.buffer.subarray(start, end)
  }

  /** A bytes field in memory of its own. */
  bytesCopy(): Uint8Array {
    return new Uint8Array(this.bytesView())
  }

  /** Passes over the value behind `tag`. */
  skip(tag: number): void {
    switch (tag & 7) {
      case WIRE_VARINT:
        this.readHalves()
        return
      case WIRE_FIXED64:
        this.advance(8)
        return
      case WIRE_LENGTH_DELIMITED:
        this.position = this.delimitedEnd()
        return
      case WIRE_FIXED32:
        this.advance(4)
        return
      default:
        throw this.corrupt(`wire type ${tag & 7} is not in use`)
    }
  }

  private advance(bytes: number): void {
    if (bytes > this.end - this.position) throw this.corrupt(`a field of ${bytes} bytes is cut off`)
    this.position += bytes
  }
}

/** The text of `buffer[start, end)`. @throws ReplogError CORRUPT when it is not UTF-8. */
export function decodeUtf8(buffer: Buffer, start: number, end: number): string {
  if (end - start <= SHORT_STRING_LENGTH_MAX) {
    let index = start
    while (index < end && buffer[index]! < 0x80) index++
    if (index === end) return buffer.toString('latin1', start, end)
  }
  if (!isUtf8(buffer.subarray(start, end))) throw corruptAt(start, 'a string is not UTF-8')
  return buffer.toString('utf8', start, end)
}

/** Runs `read` on the fields of the message that comes next. */
export function readMessage(reader: WireReader, read: (tag: number) => void): void {
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.more()) read(reader.tag())
  reader.end = outerEnd
}

/** Passes over a field that this program does not know. */
export function skipUnknown(reader: WireReader, tag: number, knownFieldMax: number, message: string): void {
  if (tag >>> 3 <= knownFieldMax) throw wrongWireType(reader, tag >>> 3, message)
  reader.skip(tag)
}

export function wrongWireType(reader: WireReader, field: number, message: string): ReplogError {
  return reader.corrupt(`field ${field} of a ${message} has the wrong wire type`)
}

/**
 * Writes one protobuf message after the other into a scratch buffer that grows as needed.
 *
 *   message := field*                 an embedded message is written at once, behind a length of one byte;
 *   field   := tag value              where it turns out to be longer, it is moved up to make room for the length
 *
 * Moving costs one memmove for each level and spares a pass that computes sizes. Nothing here calls back into its
 * caller, so one writer serves all.
 */
import { ReplogError } from '../../../core/errors.js'
import {
  VARINT32_BYTES_MAX,
  VARINT64_BYTES_MAX,
  WIRE_FIXED64,
  WIRE_LENGTH_DELIMITED,
  WIRE_VARINT,
  makeTag,
  stringSizeMax,
  varintSize,
  writeBytes,
  writeDouble,
  writeSint32,
  writeSint64,
  writeString,
  writeUint64,
  writeVarint,
} from '../wire.js'

const SCRATCH_BYTES = 64 * 1024
/** A scratch buffer that a large message has stretched beyond this is let go again. */
const SCRATCH_BYTES_KEPT_MAX = 1024 * 1024

export class FrameWriter {
  #buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  #end = 0

  /** Forgets what was written, of a message that was given up too. */
  reset(): this {
    this.#end = 0
    return this
  }

  /** A copy of what was written. @param headBytesOf how much room to leave before a message of so many bytes */
  finish(headBytesOf?: (bytes: number) => number): Buffer {
    const head = headBytesOf === undefined ? 0 : headBytesOf(this.#end)
    const bytes = Buffer.allocUnsafe(head + this.#end)
    this.#buffer.copy(bytes, head, 0, this.#end)
    if (this.#buffer.length > SCRATCH_BYTES_KEPT_MAX) this.#buffer = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
    return bytes
  }

  uint32(field: number, value: number): void {
    this.#tag(field, WIRE_VARINT, VARINT32_BYTES_MAX)
    this.#end = writeVarint(this.#buffer, this.#end, value)
  }

  uint64(field: number, value: bigint): void {
    this.#tag(field, WIRE_VARINT, VARINT64_BYTES_MAX)
    this.#end = writeUint64(this.#buffer, this.#end, value)
  }

  sint32(field: number, value: number): void {
    this.#tag(field, WIRE_VARINT, VARINT32_BYTES_MAX)
    this.#end = writeSint32(this.#buffer, this.#end, value)
  }

  sint64(field: number, value: bigint): void {
    this.#tag(field, WIRE_VARINT, VARINT64_BYTES_MAX)
    this.#end = writeSint64(this.#buffer, this.#end, value)
  }

  /** The values of a packed field alone, inside of `open` and `close`. */
  packedSint64(value: bigint): void {
    this.#reserve(VARINT64_BYTES_MAX)
    this.#end = writeSint64(this.#buffer, this.#end, value)
  }

  bool(field: number, value: boolean): void {
    this.#tag(field, WIRE_VARINT, 1)
    this.#buffer[this.#end++] = value ? 1 : 0
  }

  double(field: number, value: number): void {
    this.#tag(field, WIRE_FIXED64, 8)
    this.#end = writeDouble(this.#buffer, this.#end, value)
  }

  /** @throws ReplogError INVALID_VALUE for half of a surrogate pair, which UTF-8 has no form for */
  string(field: number, text: string): void {
    if (!text.isWellFormed()) {
      throw new ReplogError('INVALID_VALUE', 'a text contains half of a surrogate pair; send whole characters')
    }
    this.#tag(field, WIRE_LENGTH_DELIMITED, stringSizeMax(text))
    this.#end = writeString(this.#buffer, this.#end, text)
  }

  bytes(field: number, bytes: Uint8Array): void {
    this.#tag(field, WIRE_LENGTH_DELIMITED, VARINT32_BYTES_MAX + bytes.length)
    this.#end = writeBytes(this.#buffer, this.#end, bytes)
  }

  /** Begins an embedded message or a packed field; hand what it returns to `close`. */
  open(field: number): number {
    this.#tag(field, WIRE_LENGTH_DELIMITED, 1)
    return ++this.#end
  }

  close(start: number): void {
    const length = this.#end - start
    const extra = varintSize(length) - 1
    if (extra > 0) {
      this.#reserve(extra)
      this.#buffer.copyWithin(start + extra, start, this.#end)
      this.#end += extra
    }
    writeVarint(this.#buffer, start - 1, length)
  }

  #tag(field: number, wireType: number, valueBytesMax: number): void {
    this.#reserve(VARINT32_BYTES_MAX + valueBytesMax)
    this.#end = writeVarint(this.#buffer, this.#end, makeTag(field, wireType))
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#end)
    this.#buffer = larger
  }
}

/**
 * The one key form of integers of any width. INTEGER, BIGINT, DATE, TIME, TIMESTAMP, ENUM and the unscaled integer of
 * DECIMAL share it, so widening a key column from INTEGER to BIGINT rewrites nothing.
 *
 *   integer  := 0x80+n magnitude            n >= 0, of a number >= 0; 0 is the single byte 0x80
 *             | 0x80-n complement           of a number < 0: every byte of its magnitude complemented
 *   magnitude is big-endian in the fewest bytes (n <= 63; a DECIMAL of 65 digits takes 27)
 *
 * A longer number has a header further from 0x80, and among equal headers the magnitudes decide, so byte order is
 * numeric order. The header is never 0x00 or 0xff, which are NULL.
 */
import type { KeyReader } from './key-reader.js'
import { highHalf, lowHalf, numberHighHalf } from '../wire.js'

const ZERO_HEADER = 0x80
const MAGNITUDE_BYTES_MAX = 63

/** Writes the int64 made of two int32 halves. */
export function writeIntegerKey(buffer: Uint8Array, offset: number, low: number, high: number): number {
  const invert = high >> 31
  const magnitudeLow = invert === 0 ? low : -low | 0
  const magnitudeHigh = invert === 0 ? high : (~high + (low === 0 ? 1 : 0)) | 0
  const bytes = magnitudeHigh === 0 ? 4 - (Math.clz32(magnitudeLow) >>> 3) : 8 - (Math.clz32(magnitudeHigh) >>> 3)
  buffer[offset++] = invert === 0 ? ZERO_HEADER + bytes : ZERO_HEADER - bytes
  let shift = bytes * 8 - 8
  for (; shift >= 32; shift -= 8) buffer[offset++] = (magnitudeHigh >>> (shift - 32)) ^ invert
  for (; shift >= 0; shift -= 8) buffer[offset++] = (magnitudeLow >>> shift) ^ invert
  return offset
}

/** Writes a safe integer, or a bigint of at most 64 bits. */
export function writeIntegerKeyOf(buffer: Uint8Array, offset: number, value: number | bigint): number {
  return typeof value === 'number'
    ? writeIntegerKey(buffer, offset, value | 0, numberHighHalf(value))
    : writeIntegerKey(buffer, offset, lowHalf(value), highHalf(value))
}

/** Writes an integer of up to 504 bits. */
export function writeWideIntegerKey(buffer: Uint8Array, offset: number, value: bigint): number {
  if (BigInt.asIntN(64, value) === value) return writeIntegerKeyOf(buffer, offset, value)
  const invert = value < 0n ? 0xff : 0
  const hex = (value < 0n ? -value : value).toString(16)
  const bytes = (hex.length + 1) >> 1
  buffer[offset++] = invert === 0 ? ZERO_HEADER + bytes : ZERO_HEADER - bytes
  const padded = hex.padStart(bytes * 2, '0')
  for (let at = 0; at < padded.length; at += 2) {
    buffer[offset++] = Number.parseInt(padded.slice(at, at + 2), 16) ^ invert
  }
  return offset
}

/** Reads an integer that fits an int64 into `reader.low` and `reader.high`. */
export function readIntegerKey(reader: KeyReader): void {
  const header = reader.byte()
  const negative = header < ZERO_HEADER
  const bytes = negative ? ZERO_HEADER - header : header - ZERO_HEADER
  if (bytes > 8) throw reader.corrupt(`an integer of ${bytes} bytes where 8 is the most`)
  let at = reader.advance(bytes)
  const invert = reader.invert ^ (negative ? 0xff : 0)
  const buffer = reader.buffer
  if (bytes > 0 && buffer[at] === invert) throw reader.corrupt('an integer has a leading zero byte')
  let low = 0
  let high = 0
  for (const lowStart = at + bytes - 4; at < lowStart; at++) high = (high << 8) | (buffer[at]! ^ invert)
  for (const end = reader.position; at < end; at++) low = (low << 8) | (buffer[at]! ^ invert)
  if (negative) {
    high = (~high + (low === 0 ? 1 : 0)) | 0
    low = -low | 0
  }
  if (high < 0 !== negative) throw reader.corrupt('an integer exceeds 64 bits')
  reader.low = low
  reader.high = high
}

/** Reads an integer of any width. */
export function readWideIntegerKey(reader: KeyReader): bigint {
  const header = reader.byte()
  const negative = header < ZERO_HEADER
  const bytes = negative ? ZERO_HEADER - header : header - ZERO_HEADER
  if (bytes > MAGNITUDE_BYTES_MAX) throw reader.corrupt(`an integer of ${bytes} bytes`)
  const start = reader.advance(bytes)
  const invert = reader.invert ^ (negative ? 0xff : 0)
  if (bytes === 0) return 0n
  const magnitude = Buffer.allocUnsafe(bytes)
  for (let index = 0; index < bytes; index++) magnitude[index] = reader.buffer[start + index]! ^ invert
  if (magnitude[0] === 0) throw reader.corrupt('an integer has a leading zero byte')
  const value = BigInt(`0x${magnitude.toString('hex')}`)
  return negative ? -value : value
}

export function skipIntegerKey(reader: KeyReader): void {
  const bytes = Math.abs(reader.byte() - ZERO_HEADER)
  if (bytes > MAGNITUDE_BYTES_MAX) throw reader.corrupt(`an integer of ${bytes} bytes`)
  reader.advance(bytes)
}

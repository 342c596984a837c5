/**
 * CRC-32 as zlib has it. Most of what is summed here are keys and rows of a few dozen bytes, for which a call into Node
 * costs several times the sum itself: those are summed here, eight bytes per step through eight tables ("slicing-by-8",
 * Kounavis and Berry 2005), the longer ones there.
 */
import { crc32 as zlibCrc32 } from 'node:zlib'
import { crcTables } from './crc-tables.js'

/** zlib's polynomial, bits reversed. */
const POLYNOMIAL = 0xedb8_8320
const SHORT_BYTES_MAX = 128

const [T0, T1, T2, T3, T4, T5, T6, T7] = crcTables(POLYNOMIAL)

/** Checksum of `bytes`, a u32; of `before ++ bytes` when `crc` is that of `before`. */
export function crc32(bytes: Uint8Array, crc = 0): number {
  return bytes.length > SHORT_BYTES_MAX ? zlibCrc32(bytes, crc) : shortCrc32(bytes, 0, bytes.length, crc)
}

/** The same of `bytes[start..end)`. */
export function crc32Part(bytes: Uint8Array, start: number, end: number, crc = 0): number {
  // The view that zlib needs costs as much as 40 bytes here.
  if (end - start > SHORT_BYTES_MAX + 40) return zlibCrc32(bytes.subarray(start, end), crc)
  return shortCrc32(bytes, start, end, crc)
}

function shortCrc32(bytes: Uint8Array, start: number, end: number, crc: number): number {
  let rest = ~crc
  let at = start
  for (const whole = start + ((end - start) & ~7); at < whole; at += 8) {
    const low = rest ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    rest =
      T7[low & 0xff]! ^
      T6[(low >>> 8) & 0xff]! ^
      T5[(low >>> 16) & 0xff]! ^
      T4[low >>> 24]! ^
      T3[bytes[at + 4]!]! ^
      T2[bytes[at + 5]!]! ^
      T1[bytes[at + 6]!]! ^
      T0[bytes[at + 7]!]!
  }
  for (; at < end; at++) rest = T0[(rest ^ bytes[at]!) & 0xff]! ^ (rest >>> 8)
  return ~rest >>> 0
}

/**
 * CRC-32C (Castagnoli), the checksum of LevelDB's files; `zlib.crc32` is a different polynomial.
 *
 * Eight bytes per step through eight tables ("slicing-by-8", Kounavis and Berry 2005): 64 MiB in about 50 ms.
 */

import { crcTables } from '../core/crc-tables.js'

/** Castagnoli's polynomial, bits reversed. */
const POLYNOMIAL = 0x82f6_3b78

const [T0, T1, T2, T3, T4, T5, T6, T7] = crcTables(POLYNOMIAL)

/** Checksum of `bytes[start..end)` as a u32. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = -1
  let at = start
  const whole = start + ((end - start) & ~7)
  for (; at < whole; at += 8) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    crc =
      T7[low & 0xff]! ^
      T6[(low >>> 8) & 0xff]! ^
      T5[(low >>> 16) & 0xff]! ^
      T4[low >>> 24]! ^
      T3[bytes[at + 4]!]! ^
      T2[bytes[at + 5]!]! ^
      T1[bytes[at + 6]!]! ^
      T0[bytes[at + 7]!]!
  }
  for (; at < end; at++) crc = T0[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

/** LevelDB stores checksums masked, because a CRC over bytes that contain CRCs is weak (util/crc32c.h). */
export function maskCrc32c(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0
}

/**
 * The seal on every stored value but log frames, which carry their own checksum.
 *
 *   value  := crc payload
 *   crc    := u32 little-endian: CRC-32 (zlib's) over key and payload
 *
 * LevelDB as it is bundled does not verify its block checksums on reads: a flipped bit in a table file gives a wrong
 * value in silence, and compaction then keeps it. The key is part of the sum, so a value that turns up under another
 * key is damage too. Invariant: no byte of a payload reaches a caller unverified.
 */
import { crc32 } from 'node:zlib'
import { ReplogError } from '../core/errors.js'
import { describeKey } from './keys.js'

export const SEAL_BYTES = 4

/** The stored value for `payload` under `key`. */
export function seal(key: Uint8Array, payload: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(SEAL_BYTES + payload.length)
  value.set(payload, SEAL_BYTES)
  const crc = crc32(payload, crc32(key))
  value[0] = crc & 0xff
  value[1] = (crc >>> 8) & 0xff
  value[2] = (crc >>> 16) & 0xff
  value[3] = crc >>> 24
  return value
}

/**
 * The payload in a stored value; it shares the value's memory.
 *
 * @throws ReplogError CORRUPT, naming the key, when the checksum does not match.
 */
export function unseal(key: Uint8Array, value: Buffer): Buffer {
  if (value.length >= SEAL_BYTES) {
    const payload = value.subarray(SEAL_BYTES)
    if (crc32(payload, crc32(key)) === value.readUInt32LE(0)) return payload
  }
  throw new ReplogError(
    'CORRUPT',
    `the stored value of ${describeKey(key)} fails its checksum; stop this server and restore the copy from a peer`,
    { details: { key: Buffer.from(key).toString('hex') } },
  )
}

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
import { crc32 } from '../core/crc32.js'
import { ReplogError } from '../core/errors.js'
import { describeKey } from './keys.js'

export const SEAL_BYTES = 4

/** Up to so many bytes a value is put together in memory that is used again. */
const SHORT_BYTES_MAX = 1024
const scratch = Buffer.allocUnsafeSlow(SHORT_BYTES_MAX)
/** The beginnings of the scratch memory, by length: to make one costs more than to fill it. */
const shortValues: (Buffer | undefined)[] = new Array<Buffer | undefined>(SHORT_BYTES_MAX + 1).fill(undefined)

/** The stored value for `payload` under `key`. The next call may write over it, so whoever keeps it copies it. */
export function seal(key: Uint8Array, payload: Uint8Array): Buffer {
  const { length } = payload
  const value = valueOf(SEAL_BYTES + length)
  // Rows are a few dozen bytes, for which a loop beats a call into Node.
  if (length <= 64) for (let at = 0; at < length; at++) value[SEAL_BYTES + at] = payload[at]!
  else value.set(payload, SEAL_BYTES)
  const crc = crc32(payload, crc32(key))
  value[0] = crc & 0xff
  value[1] = (crc >>> 8) & 0xff
  value[2] = (crc >>> 16) & 0xff
  value[3] = crc >>> 24
  return value
}

function valueOf(length: number): Buffer {
  return length > SHORT_BYTES_MAX ? Buffer.allocUnsafe(length) : (shortValues[length] ??= scratch.subarray(0, length))
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

/**
 * Copies of bytes whose memory small ones share, as Node's own buffers do: an array buffer for each costs many times the
 * copy, and the collector has to free it. For values on their way in; what is handed to users has memory of its own,
 * because their `buffer` is theirs to use.
 */

const POOL_BYTES = 8 * 1024
const POOLED_BYTES_MAX = POOL_BYTES / 4

let pool = new ArrayBuffer(POOL_BYTES)
let used = 0

/** Nobody else has the bytes of the copy; its `buffer` may hold other copies as well. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const { length } = bytes
  if (length > POOLED_BYTES_MAX) return new Uint8Array(bytes)
  if (used + length > POOL_BYTES) {
    pool = new ArrayBuffer(POOL_BYTES)
    used = 0
  }
  const copy = new Uint8Array(pool, used, length)
  used += length
  copy.set(bytes)
  return copy
}

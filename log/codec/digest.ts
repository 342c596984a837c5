/**
 * The hash chain over the log.
 *
 *   digest(0) := first 16 bytes of SHA-256("replog.v1 genesis" cluster-id)
 *   digest(n) := first 16 bytes of SHA-256(digest(n-1) payload(n))           n counts frames, so segments count singly
 *
 * Invariant: two logs with the same digest after a frame hold the same payloads up to it.
 *
 * One-shot `crypto.hash` with binary text output takes a third of the time of the same with a Buffer, and a quarter of
 * `createHash`; copying a payload of usual size behind the previous digest is cheaper than hashing in two steps.
 */
import assert from 'node:assert/strict'
import { createHash, hash } from 'node:crypto'
import { DIGEST_BYTES } from '../../core/position.js'

const GENESIS = 'replog.v1 genesis'

/** Up to here a payload is copied behind the previous digest and hashed at once. */
const COPIED_PAYLOAD_BYTES_MAX = 16 * 1024
const scratch = Buffer.allocUnsafeSlow(DIGEST_BYTES + COPIED_PAYLOAD_BYTES_MAX)

/** The digest of the empty log of a cluster. */
export function genesisDigest(clusterId: Uint8Array): Buffer {
  const digest = Buffer.allocUnsafe(DIGEST_BYTES)
  writeDigest(Buffer.concat([Buffer.from(GENESIS), clusterId]), digest, 0)
  return digest
}

/** The digest after a frame with this payload. */
export function chainDigest(previous: Uint8Array, payload: Uint8Array): Buffer {
  assert(previous.length === DIGEST_BYTES, 'a digest has its length')
  const digest = Buffer.allocUnsafe(DIGEST_BYTES)
  if (payload.length <= COPIED_PAYLOAD_BYTES_MAX) {
    scratch.set(previous)
    scratch.set(payload, DIGEST_BYTES)
    writeDigest(scratch.subarray(0, DIGEST_BYTES + payload.length), digest, 0)
  } else {
    createHash('sha256').update(previous).update(payload).digest().copy(digest, 0, 0, DIGEST_BYTES)
  }
  return digest
}

/**
 * Whether the digest at `digestAt` of `bytes` is the chain's after the payload `bytes[start..end)`: as `chainDigest` says,
 * without making it.
 */
export function digestFollows(
  previous: Uint8Array,
  bytes: Buffer,
  start: number,
  end: number,
  digestAt: number,
): boolean {
  if (end - start > COPIED_PAYLOAD_BYTES_MAX) {
    const digest = chainDigest(previous, bytes.subarray(start, end))
    return digest.compare(bytes, digestAt, digestAt + DIGEST_BYTES) === 0
  }
  for (let at = 0; at < DIGEST_BYTES; at++) scratch[at] = previous[at]!
  bytes.copy(scratch, DIGEST_BYTES, start, end)
  const digest = hash('sha256', scratch.subarray(0, DIGEST_BYTES + end - start), 'binary')
  for (let at = 0; at < DIGEST_BYTES; at++) if (digest.charCodeAt(at) !== bytes[digestAt + at]) return false
  return true
}

/** Up to here a view of the scratch memory is kept for each length: to make one costs more than to copy a payload there. */
const VIEWED_BYTES_MAX = 1024
const views: (Buffer | undefined)[] = new Array<Buffer | undefined>(VIEWED_BYTES_MAX + 1).fill(undefined)

/** Puts the digest of everything from `offset` on, which is the previous digest and a payload, in the place of the former. */
export function digestTail(frame: Buffer, offset: number): void {
  const length = frame.length - offset
  if (length > VIEWED_BYTES_MAX) {
    writeDigest(frame.subarray(offset), frame, offset)
    return
  }
  frame.copy(scratch, 0, offset)
  writeDigest((views[length] ??= scratch.subarray(0, length)), frame, offset)
}

/** Writes the first 16 bytes of SHA-256(`bytes`) to `target` at `offset`, which may lie in `bytes`. */
function writeDigest(bytes: Uint8Array, target: Buffer, offset: number): void {
  target.write(hash('sha256', bytes, 'binary'), offset, DIGEST_BYTES, 'latin1')
}

/**
 * Frames: how one payload (a transaction or a segment of one) lies in the log and on the wire, the same bytes in both.
 *
 *   frame  := header payload
 *   header := magic version flags length checksum epoch lsn segment digest            integers little-endian
 *
 *   offset  size
 *        0     2  magic: "rL"
 *        2     1  version: 1
 *        3     1  flags: bit 0 = last segment of its transaction; the others are 0
 *        4     4  length of the payload
 *        8     4  checksum: CRC-32 (zlib's) of the frame with this field zero
 *       12     4  epoch
 *       16     8  lsn
 *       24     4  segment
 *       28    16  digest of the chain after this frame
 *       44        payload
 *
 * Invariants: every bit of a frame is under the checksum; each integer lies at a multiple of its size; the digest lies
 * before the payload, so that the previous digest can stand there while the next is computed, without copying.
 */
import assert from 'node:assert/strict'
import { crc32, crc32Part } from '../../core/crc32.js'
import { ReplogError } from '../../core/errors.js'
import { FRAME_PAYLOAD_BYTES_MAX } from '../../core/limits.js'
import { DIGEST_BYTES, type Epoch, type Lsn } from '../../core/position.js'
import { writeU64LE } from '../../core/u64.js'
import { digestTail } from './digest.js'

export const FRAME_HEADER_BYTES = 44
export const FRAME_VERSION = 1

const MAGIC = 0x4c72
const MAGIC_OFFSET = 0
const VERSION_OFFSET = 2
const FLAGS_OFFSET = 3
const LENGTH_OFFSET = 4
const CHECKSUM_OFFSET = 8
const EPOCH_OFFSET = 12
const LSN_OFFSET = 16
const SEGMENT_OFFSET = 24
/** Where the digest lies, just before the payload. */
export const DIGEST_OFFSET = 28
const CHECKSUM_ZERO = Buffer.alloc(EPOCH_OFFSET - CHECKSUM_OFFSET)

const LAST_SEGMENT_FLAG = 0b1

assert(DIGEST_OFFSET + DIGEST_BYTES === FRAME_HEADER_BYTES, 'the digest ends where the payload begins')

/** What a frame says about its payload; the payload says the same. */
export interface FrameFields {
  readonly epoch: Epoch
  readonly lsn: Lsn
  readonly segment: number
  readonly lastSegment: boolean
}

/** A frame whose checksum is right. All bytes are views of what was read, which they pin. */
export interface Frame extends FrameFields {
  readonly digest: Buffer
  readonly payload: Buffer
  /** Header and payload: what is stored and forwarded. */
  readonly bytes: Buffer
}

/**
 * Makes a frame of a buffer whose payload begins at `FRAME_HEADER_BYTES`, and returns the digest of the chain after it,
 * as a view of the frame.
 */
export function sealFrame(frame: Buffer, fields: FrameFields, previousDigest: Uint8Array): Buffer {
  const length = frame.length - FRAME_HEADER_BYTES
  assert(length > 0 && length <= FRAME_PAYLOAD_BYTES_MAX, 'a payload is bounded')
  assert(previousDigest.length === DIGEST_BYTES, 'a digest has its length')
  frame.set(previousDigest, DIGEST_OFFSET)
  digestTail(frame, DIGEST_OFFSET)
  frame.writeUInt16LE(MAGIC, MAGIC_OFFSET)
  frame[VERSION_OFFSET] = FRAME_VERSION
  frame[FLAGS_OFFSET] = fields.lastSegment ? LAST_SEGMENT_FLAG : 0
  frame.writeUInt32LE(length, LENGTH_OFFSET)
  frame.writeUInt32LE(0, CHECKSUM_OFFSET)
  frame.writeUInt32LE(fields.epoch, EPOCH_OFFSET)
  writeU64LE(frame, fields.lsn, LSN_OFFSET)
  frame.writeUInt32LE(fields.segment, SEGMENT_OFFSET)
  frame.writeUInt32LE(crc32(frame), CHECKSUM_OFFSET)
  return frame.subarray(DIGEST_OFFSET, FRAME_HEADER_BYTES)
}

/**
 * The length of the frame at `offset`, header included, or undefined while its header is incomplete. The checksum is
 * not verified: magic, length and checksum keep their places in every version. @throws ReplogError CORRUPT.
 */
export function frameLength(bytes: Buffer, offset: number): number | undefined {
  if (bytes.length - offset < FRAME_HEADER_BYTES) return undefined
  if (bytes.readUInt16LE(offset + MAGIC_OFFSET) !== MAGIC) throw corrupt('these bytes are not a frame')
  const length = bytes.readUInt32LE(offset + LENGTH_OFFSET)
  if (length === 0 || length > FRAME_PAYLOAD_BYTES_MAX) throw corrupt(`a payload of ${length} bytes is out of bounds`)
  return FRAME_HEADER_BYTES + length
}

/**
 * Checks the frame at `offset` without making anything of it, and returns where it ends; undefined while bytes of it are
 * missing. What lies there is then a sound frame, and the functions below read its header.
 * @throws ReplogError CORRUPT, UNSUPPORTED_VERSION.
 */
export function checkFrame(bytes: Buffer, offset: number): number | undefined {
  const length = frameLength(bytes, offset)
  if (length === undefined || bytes.length - offset < length) return undefined
  const end = offset + length
  if (bytes.readUInt32LE(offset + CHECKSUM_OFFSET) !== checksum(bytes, offset, end)) {
    throw corrupt('a frame fails its checksum')
  }
  // Only now: a version that a flipped bit made must not be taken for a newer program's.
  const version = bytes[offset + VERSION_OFFSET]!
  if (version > FRAME_VERSION) throw newer(`frame version ${version}`)
  if (version !== FRAME_VERSION) throw corrupt(`there is no frame version ${version}`)
  const flags = bytes[offset + FLAGS_OFFSET]!
  if ((flags & ~LAST_SEGMENT_FLAG) !== 0) throw newer(`frame flags ${flags}`)
  return end
}

/** Of the sound frame at `offset`. */
export function epochAt(bytes: Buffer, offset: number): Epoch {
  return bytes.readUInt32LE(offset + EPOCH_OFFSET) as Epoch
}

export function lsnAt(bytes: Buffer, offset: number): Lsn {
  return bytes.readBigUInt64LE(offset + LSN_OFFSET) as Lsn
}

export function segmentAt(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + SEGMENT_OFFSET)
}

export function isLastSegmentAt(bytes: Buffer, offset: number): boolean {
  return (bytes[offset + FLAGS_OFFSET]! & LAST_SEGMENT_FLAG) !== 0
}

/**
 * The frame at `offset`, or undefined while bytes of it are missing. The next one is at `offset + frame.bytes.length`.
 * @throws ReplogError CORRUPT, UNSUPPORTED_VERSION.
 */
export function readFrame(source: Uint8Array, offset = 0): Frame | undefined {
  const buffer = Buffer.isBuffer(source) ? source : Buffer.from(source.buffer, source.byteOffset, source.length)
  const end = checkFrame(buffer, offset)
  return end === undefined ? undefined : frameAt(buffer, offset, end)
}

/** The frame in `[offset, end)`, which was checked. */
export function frameAt(bytes: Buffer, offset: number, end: number): Frame {
  return {
    epoch: epochAt(bytes, offset),
    lsn: lsnAt(bytes, offset),
    segment: segmentAt(bytes, offset),
    lastSegment: isLastSegmentAt(bytes, offset),
    digest: bytes.subarray(offset + DIGEST_OFFSET, offset + FRAME_HEADER_BYTES),
    payload: bytes.subarray(offset + FRAME_HEADER_BYTES, end),
    bytes: bytes.subarray(offset, end),
  }
}

/** The frame that `bytes` are, no more and no less: a stored one. @throws ReplogError CORRUPT, UNSUPPORTED_VERSION. */
export function readWholeFrame(bytes: Uint8Array): Frame {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  checkWholeFrame(buffer)
  return frameAt(buffer, 0, buffer.length)
}

/** The same check without a frame as its outcome. */
export function checkWholeFrame(bytes: Buffer): void {
  const end = checkFrame(bytes, 0)
  if (end === undefined) throw corrupt('a frame is cut off')
  if (end !== bytes.length) throw corrupt('bytes follow a frame')
}

function checksum(bytes: Buffer, offset: number, end: number): number {
  const beforeField = crc32Part(bytes, offset, offset + CHECKSUM_OFFSET)
  const field = crc32(CHECKSUM_ZERO, beforeField)
  return crc32Part(bytes, offset + EPOCH_OFFSET, end, field)
}

function corrupt(what: string): ReplogError {
  return new ReplogError('CORRUPT', `${what}. Nothing is repaired by guessing: restore this copy from a peer.`)
}

function newer(what: string): ReplogError {
  return new ReplogError('UNSUPPORTED_VERSION', `${what} is newer than this program knows; upgrade this server`)
}

/**
 * The bytes of a snapshot, on the wire and in a backup file.
 *
 *   stream   := header page* counters* end               of a server; a backup adds: frames*, up to the position in `end`
 *   chunk    := kind(u8) length(u32 LE) checksum(u32 LE) payload
 *   checksum := CRC-32 (zlib's) of ordinal(u32 LE) kind length payload; the ordinal counts the chunks of the stream from 0
 *   header, end := JSON
 *   page     := epoch(u32 BE) lsn(u64 BE) digest(16) entry*   the position is one that the server had when it sent the page
 *   counters := entry*
 *   entry    := key-length(u32 LE) value-length(u32 LE) key value
 *   frames   := whole frames of the log, back to back
 *
 * A page holds values as they are stored, with their seals, so that damage on the disk of the one is found by the other;
 * counters hold payloads. `end` has a digest over the checksums of all chunks before it.
 *
 * Invariants: no byte of a payload reaches a caller unverified; a chunk that is lost, repeated or out of place fails its
 * checksum; at most one chunk that is not whole is held. (G8)
 */
import { createHash } from 'node:crypto'
import { crc32 } from '../../core/crc32.js'
import { ReplogError } from '../../core/errors.js'
import { SNAPSHOT_CHUNK_BYTES_MAX } from '../../core/limits.js'
import { DIGEST_BYTES, type Epoch, type Lsn, type Position } from '../../core/position.js'
import type { Entry } from '../../store/engine.js'

export const SNAPSHOT_FORMAT = 1

const CHUNK_HEAD_BYTES = 9
const ENTRY_HEAD_BYTES = 8
/** Of the position before the entries of a page. */
const PLACE_BYTES = 12 + DIGEST_BYTES
const DIGEST_HEX_LENGTH = 32

const KINDS = ['header', 'page', 'counters', 'end', 'frames'] as const
export type ChunkKind = (typeof KINDS)[number]

export interface Chunk {
  readonly kind: ChunkKind
  /** A view of what was read. */
  readonly payload: Buffer
}

const scratch = Buffer.alloc(4 + CHUNK_HEAD_BYTES)

function checksumOf(ordinal: number, kind: number, payload: Uint8Array): number {
  scratch.writeUInt32LE(ordinal >>> 0, 0)
  scratch.writeUInt8(kind, 4)
  scratch.writeUInt32LE(payload.length, 5)
  return crc32(payload, crc32(scratch.subarray(0, CHUNK_HEAD_BYTES)))
}

/** What both ends of a stream count alike. */
class ChunkDigest {
  readonly #hash = createHash('sha256')
  readonly #checksum = Buffer.alloc(4)
  chunks = 0

  add(checksum: number): void {
    this.#checksum.writeUInt32LE(checksum, 0)
    this.#hash.update(this.#checksum)
    this.chunks++
  }

  /** Over all chunks so far. */
  text(): string {
    return this.#hash.copy().digest('hex').slice(0, DIGEST_HEX_LENGTH)
  }
}

export class ChunkWriter {
  readonly #digest = new ChunkDigest()

  get chunks(): number {
    return this.#digest.chunks
  }

  get digest(): string {
    return this.#digest.text()
  }

  /** @param parts the payload in parts */
  chunk(kind: ChunkKind, ...parts: readonly Uint8Array[]): Buffer {
    let length = 0
    for (const part of parts) length += part.length
    const bytes = Buffer.allocUnsafe(CHUNK_HEAD_BYTES + length)
    let offset = CHUNK_HEAD_BYTES
    for (const part of parts) {
      bytes.set(part, offset)
      offset += part.length
    }
    return this.#seal(kind, bytes)
  }

  json(kind: 'header' | 'end', value: unknown): Buffer {
    return this.chunk(kind, Buffer.from(JSON.stringify(value)))
  }

  page(seen: Position, entries: readonly Entry[]): Buffer {
    const bytes = this.#withEntries(PLACE_BYTES, entries)
    bytes.writeUInt32BE(seen.epoch, CHUNK_HEAD_BYTES)
    bytes.writeBigUInt64BE(seen.lsn, CHUNK_HEAD_BYTES + 4)
    bytes.set(seen.digest, CHUNK_HEAD_BYTES + 12)
    return this.#seal('page', bytes)
  }

  counters(entries: readonly Entry[]): Buffer {
    return this.#seal('counters', this.#withEntries(0, entries))
  }

  #withEntries(headBytes: number, entries: readonly Entry[]): Buffer {
    let offset = CHUNK_HEAD_BYTES + headBytes
    let length = offset
    for (const { key, value } of entries) length += ENTRY_HEAD_BYTES + key.length + value.length
    const bytes = Buffer.allocUnsafe(length)
    for (const { key, value } of entries) {
      bytes.writeUInt32LE(key.length, offset)
      bytes.writeUInt32LE(value.length, offset + 4)
      bytes.set(key, offset + ENTRY_HEAD_BYTES)
      bytes.set(value, offset + ENTRY_HEAD_BYTES + key.length)
      offset += ENTRY_HEAD_BYTES + key.length + value.length
    }
    return bytes
  }

  #seal(kind: ChunkKind, bytes: Buffer): Buffer {
    const ordinal = KINDS.indexOf(kind) + 1
    const payload = bytes.subarray(CHUNK_HEAD_BYTES)
    const checksum = checksumOf(this.#digest.chunks, ordinal, payload)
    bytes.writeUInt8(ordinal, 0)
    bytes.writeUInt32LE(payload.length, 1)
    bytes.writeUInt32LE(checksum, 5)
    this.#digest.add(checksum)
    return bytes
  }
}

export class ChunkReader {
  readonly #digest = new ChunkDigest()
  #before = { chunks: 0, digest: '' }
  #parts: Buffer[] = []
  #held = 0
  /** With fewer bytes than this the chunk that has begun is surely not whole. */
  #needed = CHUNK_HEAD_BYTES

  /** The chunks before the `end`, and the digest over them. */
  get before(): { readonly chunks: number; readonly digest: string } {
    return this.#before
  }

  /** Bytes of a chunk that is not whole. */
  get pendingBytes(): number {
    return this.#held
  }

  /**
   * The chunks that these bytes complete, one at a time: each is counted when it is taken.
   * @throws ReplogError CORRUPT, UNSUPPORTED_VERSION
   */
  *push(part: Buffer): Generator<Chunk> {
    this.#parts.push(part)
    this.#held += part.length
    if (this.#held < this.#needed) return
    const bytes = this.#parts.length === 1 ? part : Buffer.concat(this.#parts, this.#held)
    let offset = 0
    this.#parts = []
    while (bytes.length - offset >= CHUNK_HEAD_BYTES) {
      const length = bytes.readUInt32LE(offset + 1)
      if (length > SNAPSHOT_CHUNK_BYTES_MAX) throw damaged(`a chunk of ${length} bytes is out of bounds`)
      const end = offset + CHUNK_HEAD_BYTES + length
      if (end > bytes.length) break
      const chunk = this.#open(bytes, offset, end)
      offset = end
      this.#held = bytes.length - offset
      yield chunk
    }
    this.#held = bytes.length - offset
    this.#parts = this.#held === 0 ? [] : [bytes.subarray(offset)]
    this.#needed = CHUNK_HEAD_BYTES
    if (this.#held >= CHUNK_HEAD_BYTES) this.#needed += bytes.readUInt32LE(offset + 1)
  }

  #open(bytes: Buffer, start: number, end: number): Chunk {
    const ordinal = bytes[start]!
    const payload = bytes.subarray(start + CHUNK_HEAD_BYTES, end)
    const checksum = bytes.readUInt32LE(start + 5)
    if (checksumOf(this.#digest.chunks, ordinal, payload) !== checksum) throw damaged('a chunk fails its checksum')
    const kind = KINDS[ordinal - 1]
    if (kind === undefined) {
      throw new ReplogError('UNSUPPORTED_VERSION', `the snapshot has a chunk of kind ${ordinal}; upgrade this program`)
    }
    if (kind === 'end') this.#before = { chunks: this.#digest.chunks, digest: this.#digest.text() }
    this.#digest.add(checksum)
    return { kind, payload }
  }
}

/** A position that the server had when it sent a page. @throws ReplogError CORRUPT */
export function seenAt({ payload }: Chunk): Position {
  if (payload.length < PLACE_BYTES) throw damaged('a page has no position')
  return {
    epoch: payload.readUInt32BE(0) as Epoch,
    lsn: payload.readBigUInt64BE(4) as Lsn,
    digest: Buffer.from(payload.subarray(12, PLACE_BYTES)),
  }
}

/** The entries of a page or of counters; keys and values are views. @throws ReplogError CORRUPT */
export function* chunkEntries({ kind, payload }: Chunk): Generator<Entry> {
  let offset = kind === 'page' ? PLACE_BYTES : 0
  while (offset < payload.length) {
    if (payload.length - offset < ENTRY_HEAD_BYTES) throw damaged('an entry is cut off')
    const keyEnd = offset + ENTRY_HEAD_BYTES + payload.readUInt32LE(offset)
    const end = keyEnd + payload.readUInt32LE(offset + 4)
    if (end > payload.length) throw damaged('an entry is cut off')
    yield { key: payload.subarray(offset + ENTRY_HEAD_BYTES, keyEnd), value: payload.subarray(keyEnd, end) }
    offset = end
  }
}

/** What a chunk of JSON says. @throws ReplogError CORRUPT */
export function chunkFields({ kind, payload }: Chunk): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(payload.toString('utf8'))
  } catch (cause) {
    throw new ReplogError('CORRUPT', `the ${kind} of a snapshot is not JSON; fetch it again`, { cause })
  }
  if (typeof value !== 'object' || value === null) throw damaged(`the ${kind} is no object`)
  return value as Readonly<Record<string, unknown>>
}

export function damaged(what: string): ReplogError {
  return new ReplogError('CORRUPT', `the snapshot is damaged: ${what}; fetch it again`)
}

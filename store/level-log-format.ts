/**
 * The container of LevelDB's `.log` and MANIFEST files (doc/log_format.md and db/log_reader.cc of LevelDB 1.20).
 *
 *   file     := block* [partial block]
 *   block    := physical* [trailer]              32 KiB
 *   trailer  := fewer than 7 bytes, unread (the writer leaves zeros)
 *   physical := crc length type payload          never crosses a block
 *   crc      := u32 little-endian, masked CRC-32C over type and payload
 *   length   := u16 little-endian, of payload
 *   type     := u8: FULL = 1, FIRST = 2, MIDDLE = 3, LAST = 4; zero with length zero is unwritten space
 *   record   := FULL | FIRST MIDDLE* LAST        MIDDLE fills its block to the last byte
 *
 * LevelDB's own reader drops the rest of a block at the first thing that does not parse, and goes on with the next
 * block in silence. This reader tells the two reasons for such a thing apart:
 *
 * - *torn*: the one record that was being written when the power went. Everything behind the last whole record is then
 *   a fragment of that single record: sectors of it may be missing in any pattern, but no record starts behind it and
 *   nothing follows its LAST fragment.
 * - *damaged*: anything else. A record starts behind the damage, so it was written after the damaged one was synced.
 *
 * A damaged record that is the very last of its file cannot be told from a torn one, by anybody.
 */
import type { FileHandle } from 'node:fs/promises'
import { crc32c, maskCrc32c } from './crc32c.js'

export const LEVEL_BLOCK_BYTES = 32 * 1024
export const LEVEL_HEADER_BYTES = 7

const FULL = 1
const FIRST = 2
const MIDDLE = 3
const LAST = 4

/** Blocks read from the file at a time. */
const CHUNK_BYTES = 128 * LEVEL_BLOCK_BYTES

/** How a file ends. Offsets are of the record that is cut or damaged. */
export type LevelLogEnd =
  | { readonly kind: 'clean' }
  /** `silent`: LevelDB's reader takes it as the end of the file; else it reports a corruption (to who listens). */
  | { readonly kind: 'torn'; readonly offset: number; readonly reason: string; readonly silent: boolean }
  | { readonly kind: 'damaged'; readonly offset: number; readonly reason: string }

export interface LevelLogVisitor {
  /** A whole record, `bytes[start..end)`. Returns what is wrong with its content, which makes the file damaged. */
  record(bytes: Buffer, start: number, end: number): string | undefined
  /**
   * Whether a checksummed fragment that starts a record behind a damage is one that the writer made after it, and not
   * stale disk content.
   */
  startsRecord(bytes: Buffer, start: number, end: number): boolean
}

/** Reads a whole file. Never throws for what is in it. */
export async function readLevelLog(file: FileHandle, visitor: LevelLogVisitor): Promise<LevelLogEnd> {
  const reader = new LevelLogReader(visitor)
  for (let offset = 0; ;) {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    const length = await readFully(file, chunk, offset)
    const verdict = reader.chunk(chunk.subarray(0, length), offset)
    if (verdict !== undefined) return verdict
    offset += length
    if (length < CHUNK_BYTES) return reader.end()
  }
}

async function readFully(file: FileHandle, target: Buffer, offset: number): Promise<number> {
  let length = 0
  while (length < target.length) {
    const { bytesRead } = await file.read(target, length, target.length - length, offset + length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return length
}

interface Tear {
  readonly offset: number
  readonly reason: string
  readonly silent: boolean
}

class LevelLogReader {
  readonly #visitor: LevelLogVisitor
  /** Fragments of the record being put together, and where it starts. */
  #fragments: Buffer[] = []
  #recordOffset = 0
  /** Set at the first thing that does not parse; from then on only contradictions to a torn tail are looked for. */
  #tear: Tear | undefined
  /** The LAST fragment of the torn record was seen: nothing may follow. */
  #tornRecordEnded = false

  constructor(visitor: LevelLogVisitor) {
    this.#visitor = visitor
  }

  /** Takes the next blocks; only the last block of the last chunk may be short. */
  chunk(chunk: Buffer, fileOffset: number): LevelLogEnd | undefined {
    for (let start = 0; start < chunk.length; start += LEVEL_BLOCK_BYTES) {
      const end = Math.min(start + LEVEL_BLOCK_BYTES, chunk.length)
      const verdict =
        this.#tear === undefined ? this.#block(chunk, start, end, fileOffset) : this.#tornBlock(chunk, start, end)
      if (verdict !== undefined) return verdict
    }
    return undefined
  }

  end(): LevelLogEnd {
    if (this.#tear !== undefined) return { kind: 'torn', ...this.#tear }
    if (this.#fragments.length > 0) {
      return { kind: 'torn', offset: this.#recordOffset, reason: 'the record has no end', silent: true }
    }
    return { kind: 'clean' }
  }

  #block(chunk: Buffer, blockStart: number, blockEnd: number, fileOffset: number): LevelLogEnd | undefined {
    const short = blockEnd - blockStart < LEVEL_BLOCK_BYTES
    let at = blockStart
    while (blockEnd - at >= LEVEL_HEADER_BYTES) {
      const length = payloadLength(chunk, at)
      const end = at + LEVEL_HEADER_BYTES + length
      const fault = physicalFault(chunk, at, end, blockEnd)
      if (fault !== undefined) {
        const silent = fault === UNWRITTEN || (fault === CUT && short)
        return this.#tornFrom(chunk, at, blockEnd, fileOffset + at, fault, silent)
      }
      const type = chunk[at + 6]!
      if ((type === MIDDLE || type === LAST) !== this.#fragments.length > 0) {
        return this.#misplaced(chunk, at, blockEnd, fileOffset, type)
      }
      const problem = this.#fragment(chunk, at, end, fileOffset, type)
      if (problem !== undefined) return problem
      at = end
    }
    if (short && at < blockEnd) {
      return this.#tornFrom(chunk, at, blockEnd, fileOffset + at, 'the record header is cut off', true)
    }
    return undefined
  }

  #fragment(chunk: Buffer, at: number, end: number, fileOffset: number, type: number): LevelLogEnd | undefined {
    const start = at + LEVEL_HEADER_BYTES
    if (type === FULL) {
      return damagedBy(this.#visitor.record(chunk, start, end), fileOffset + at)
    }
    if (type === FIRST) this.#recordOffset = fileOffset + at
    this.#fragments.push(chunk.subarray(start, end))
    if (type !== LAST) return undefined
    const record = Buffer.concat(this.#fragments)
    this.#fragments = []
    return damagedBy(this.#visitor.record(record, 0, record.length), this.#recordOffset)
  }

  /** A sound fragment where it cannot be: its neighbours are missing. */
  #misplaced(chunk: Buffer, at: number, blockEnd: number, fileOffset: number, type: number): LevelLogEnd | undefined {
    if (type === FULL || type === FIRST) {
      return { kind: 'damaged', offset: this.#recordOffset, reason: 'the record has no end, and another follows it' }
    }
    this.#tear = { offset: fileOffset + at, reason: 'the record has no beginning', silent: false }
    return this.#tornPhysical(chunk, at, blockEnd)
  }

  /** The first thing that does not parse, at `at` of a block. */
  #tornFrom(
    chunk: Buffer,
    at: number,
    blockEnd: number,
    fileOffset: number,
    reason: string,
    silent: boolean,
  ): LevelLogEnd | undefined {
    this.#tear = { offset: this.#fragments.length > 0 ? this.#recordOffset : fileOffset, reason, silent }
    this.#fragments = []
    return this.#searchRest(chunk, at + 1, blockEnd)
  }

  /** A block behind the tear: it may go on with the torn record, or hold nothing. */
  #tornBlock(chunk: Buffer, blockStart: number, blockEnd: number): LevelLogEnd | undefined {
    if (this.#tornRecordEnded) return this.#damaged()
    return this.#tornPhysical(chunk, blockStart, blockEnd)
  }

  /** Fragments of the torn record; MIDDLE and LAST stand at the start of a block only. */
  #tornPhysical(chunk: Buffer, at: number, blockEnd: number): LevelLogEnd | undefined {
    if (blockEnd - at < LEVEL_HEADER_BYTES) return undefined
    const end = at + LEVEL_HEADER_BYTES + payloadLength(chunk, at)
    if (physicalFault(chunk, at, end, blockEnd) !== undefined) return this.#searchRest(chunk, at, blockEnd)
    const type = chunk[at + 6]!
    if (type === MIDDLE && end === blockEnd) return undefined
    if (type === LAST) {
      if (end !== blockEnd) return this.#damaged()
      this.#tornRecordEnded = true
      return undefined
    }
    return this.#searchRest(chunk, at, blockEnd)
  }

  /** Looks at every offset for a record that starts there, since a damaged length hides where the next one is. */
  #searchRest(chunk: Buffer, from: number, blockEnd: number): LevelLogEnd | undefined {
    for (let at = from; blockEnd - at >= LEVEL_HEADER_BYTES; at++) {
      const type = chunk[at + 6]!
      if (type !== FULL && type !== FIRST) continue
      const end = at + LEVEL_HEADER_BYTES + payloadLength(chunk, at)
      if (end > blockEnd || !this.#visitor.startsRecord(chunk, at + LEVEL_HEADER_BYTES, end)) continue
      if (checksumMatches(chunk, at, end)) return this.#damaged()
    }
    return undefined
  }

  #damaged(): LevelLogEnd {
    const { offset, reason } = this.#tear!
    return { kind: 'damaged', offset, reason: `${reason}, and more records follow it` }
  }
}

const CUT = 'the record reaches over its end'
const UNWRITTEN = 'the space is unwritten'

function physicalFault(bytes: Buffer, at: number, end: number, blockEnd: number): string | undefined {
  if (end > blockEnd) return CUT
  const type = bytes[at + 6]!
  if (type === 0 && end === at + LEVEL_HEADER_BYTES) return UNWRITTEN
  if (!checksumMatches(bytes, at, end)) return 'the checksum does not match'
  return type >= FULL && type <= LAST ? undefined : `the record type ${type} is unknown`
}

function checksumMatches(bytes: Buffer, at: number, end: number): boolean {
  const stored = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  return maskCrc32c(crc32c(bytes, at + 6, end)) === stored
}

function payloadLength(bytes: Buffer, at: number): number {
  return bytes[at + 4]! | (bytes[at + 5]! << 8)
}

function damagedBy(problem: string | undefined, offset: number): LevelLogEnd | undefined {
  return problem === undefined ? undefined : { kind: 'damaged', offset, reason: problem }
}

/**
 * A backup: the snapshot of a server and the log on top of it, as one compressed stream.
 *
 *   backup := gzip(header page* counters* end frames*)       chunks of log/snapshot/snapshot-stream.ts
 *
 * The frames reach from the start of the snapshot to its end, whose digest the header of the last one has: so a backup
 * that is cut off, or lacks a part, is found when it is read. A connection that is lost is taken up where it was lost.
 *
 * Invariant: every chunk, value and frame was verified before it is written. Whether rows are missing against what the
 * server counts is found when the backup is restored. (G8)
 */
import { pipeline } from 'node:stream/promises'
import type { Writable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { CLONE_ATTEMPTS_MAX, LINK_CHUNK_BYTES_TARGET, RECONNECT_MS_MAX, RECONNECT_MS_MIN } from '../../core/limits.js'
import { type Position, digestsEqual } from '../../core/position.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import {
  type SnapshotEnd,
  type SnapshotHeader,
  type SnapshotResume,
  endFields,
  headerFields,
  readEnd,
  readHeader,
} from '../../log/snapshot/snapshot-records.js'
import { type Chunk, ChunkReader, ChunkWriter, chunkEntries, seenAt } from '../../log/snapshot/snapshot-stream.js'
import { damagedAtSource } from '../../replica/clone-pages.js'
import type { CloneProgress, CloneSource } from '../../replica/clone-source.js'
import { unseal } from '../../store/seal.js'

/** Fast: a backup of a busy server is bounded by what that gives. */
const GZIP_LEVEL = 3

export interface WrittenBackup {
  readonly position: Position
  /** Before compression. */
  readonly bytes: number
}

export interface BackupOptions {
  readonly source: CloneSource
  readonly sink: Writable
  readonly signal: AbortSignal
  readonly onProgress: (progress: CloneProgress) => void
  readonly onInterrupted: (error: ReplogError, pauseMs: number) => void
}

/** Ends the sink. @throws ReplogError UNREACHABLE, HISTORY_LOST, CORRUPT, … */
export async function writeBackup(options: BackupOptions): Promise<WrittenBackup> {
  const backup = new Backup(options)
  await pipeline(backup.chunks(), createGzip({ level: GZIP_LEVEL }), options.sink, { signal: options.signal })
  return backup.written()
}

class Backup {
  readonly #options: BackupOptions
  readonly #writer = new ChunkWriter()
  #header: SnapshotHeader | undefined
  #resume: SnapshotResume | undefined
  #end: SnapshotEnd | undefined
  #reached: Position | undefined
  #bytes = 0

  constructor(options: BackupOptions) {
    this.#options = options
  }

  written(): WrittenBackup {
    return { position: this.#end!.position, bytes: this.#bytes }
  }

  async *chunks(): AsyncGenerator<Buffer> {
    yield* this.#untilDone(() => this.#snapshot())
    yield* this.#untilDone(() => this.#log())
  }

  /** Goes on after a lost connection: what was handed out stays handed out. */
  async *#untilDone(attempt: () => AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    let pauseMs = RECONNECT_MS_MIN
    for (let failures = 0; ;) {
      const before = this.#bytes
      try {
        yield* attempt()
        return
      } catch (error) {
        if (this.#bytes !== before) [failures, pauseMs] = [0, RECONNECT_MS_MIN]
        const isPassing = isReplogError(error, 'UNREACHABLE') || isReplogError(error, 'CLOSED')
        if (!isPassing || this.#options.signal.aborted || ++failures >= CLONE_ATTEMPTS_MAX) throw error
        this.#options.onInterrupted(error, pauseMs)
        await delay(pauseMs)
        pauseMs = Math.min(pauseMs * 2, RECONNECT_MS_MAX)
      }
    }
  }

  async *#snapshot(): AsyncGenerator<Buffer> {
    const { source, signal, onProgress } = this.#options
    const reader = new ChunkReader()
    const counters: Buffer[] = []
    let isBegun = false
    for await (const bytes of source.snapshot(this.#resume, signal)) {
      for (const chunk of reader.push(bytes)) {
        if (!isBegun) {
          isBegun = true
          yield* this.#begin(readHeader(chunk))
        } else if (chunk.kind === 'page') {
          this.#requireSound(chunk)
          yield this.#counted(this.#writer.chunk('page', chunk.payload))
          this.#note(chunk)
        } else if (chunk.kind === 'counters') {
          counters.push(chunk.payload)
        } else {
          const end = readEnd(chunk, reader.before)
          for (const payload of counters) yield this.#counted(this.#writer.chunk('counters', payload))
          this.#end = end
          yield this.#counted(this.#writer.json('end', endFields(end, this.#writer)))
          return
        }
      }
      const total = Math.max(this.#header?.bytesEstimate ?? 0, this.#bytes)
      onProgress({ phase: 'copying', done: this.#bytes, total })
    }
    throw new ReplogError('UNREACHABLE', `${source.name} ended the snapshot before its end`)
  }

  *#begin(header: SnapshotHeader): Generator<Buffer> {
    const first = this.#header
    if (first !== undefined && this.#resume !== undefined) {
      if (digestsEqual(first.start.digest, header.start.digest)) return
      throw new ReplogError(
        'DIVERGED',
        `${this.#options.source.name} is another server than before; begin the backup anew`,
      )
    }
    if (first !== undefined) {
      throw new ReplogError('UNREACHABLE', `${this.#options.source.name} was lost before its first page; begin anew`)
    }
    this.#header = header
    this.#reached = header.start
    yield this.#counted(this.#writer.json('header', headerFields(header)))
  }

  /** The server sends values as they are on its disk. @throws ReplogError CORRUPT */
  #requireSound(chunk: Chunk): void {
    for (const { key, value } of chunkEntries(chunk)) {
      try {
        unseal(key, value)
      } catch (cause) {
        throw damagedAtSource(cause, key, this.#options.source)
      }
    }
  }

  #note(chunk: Chunk): void {
    let last: Buffer | undefined
    for (const { key } of chunkEntries(chunk)) last = key
    if (last === undefined) return
    this.#resume = { after: Buffer.from(last), start: this.#header!.start, seen: seenAt(chunk) }
  }

  async *#log(): AsyncGenerator<Buffer> {
    const { source, signal, onProgress } = this.#options
    const end = this.#end!.position
    const start = this.#header!.start.lsn
    const ended = new AbortController()
    const frames = new FrameReader()
    const verifier = new ChainVerifier(this.#reached!)
    let parts: Buffer[] = []
    let size = 0
    try {
      if (this.#reached!.lsn < end.lsn) {
        read: for await (const bytes of source.log(this.#reached!, AbortSignal.any([signal, ended.signal]))) {
          for (const frame of frames.push(bytes)) {
            const whole = verifier.push(frame)
            if (whole === undefined) continue
            for (const { bytes: part } of whole) parts.push(part)
            size += whole.reduce((sum, part) => sum + part.bytes.length, 0)
            const isLast = verifier.position.lsn === end.lsn
            if (size < LINK_CHUNK_BYTES_TARGET && !isLast) continue
            this.#reached = verifier.position
            yield this.#counted(this.#writer.chunk('frames', ...parts))
            parts = []
            size = 0
            onProgress({
              phase: 'applying the log',
              done: Number(this.#reached.lsn - start),
              total: Number(end.lsn - start),
            })
            if (isLast) break read
          }
        }
      }
    } finally {
      ended.abort()
    }
    if (this.#reached!.lsn < end.lsn) {
      throw new ReplogError('UNREACHABLE', `${source.name} sent the log up to LSN ${this.#reached!.lsn} of ${end.lsn}`)
    }
    if (digestsEqual(this.#reached!.digest, end.digest)) return
    throw new ReplogError('DIVERGED', `the log of ${source.name} is another than that of its snapshot`)
  }

  #counted(chunk: Buffer): Buffer {
    this.#bytes += chunk.length
    return chunk
  }
}

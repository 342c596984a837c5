/**
 * Writes an archive: frames go in as they come from a server, files come out.
 *
 * Invariants:
 * - only whole transactions that continue the archive are written; (G3, G8)
 * - a file gets its complete name when its content is synced, and the next one begins only after that;
 * - what a crash left behind the last whole transaction of the growing file is cut off when the first bytes that take
 *   its place are there, and not before: until then it may be the only copy.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { isReplogError } from '../../core/errors.js'
import { ARCHIVE_SYNC_BYTES } from '../../core/limits.js'
import type { Position } from '../../core/position.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import {
  type ArchiveFile,
  archivePath,
  listArchive,
  listLeftovers,
  placeFault,
  syncDirectory,
} from './archive-files.js'
import { readArchiveFile } from './read-file.js'

export interface ArchiveWriterOptions {
  /** A file is complete when it has so many bytes of frames. */
  readonly fileBytes: number
  /** Compress complete files with gzip. */
  readonly compress: boolean
  /** Told of each file when it is complete. */
  readonly onComplete?: (path: string, end: Position) => void
}

interface Growing {
  readonly path: string
  readonly start: Position
  /** Opened when the first bytes come. */
  handle: FileHandle | undefined
  /** Of whole transactions. */
  bytes: number
}

export class ArchiveWriter {
  readonly #directory: string
  readonly #options: ArchiveWriterOptions
  #reader = new FrameReader()
  #verifier: ChainVerifier
  #growing: Growing
  #unsyncedBytes = 0

  private constructor(directory: string, options: ArchiveWriterOptions, growing: Growing, end: Position) {
    this.#directory = directory
    this.#options = options
    this.#growing = growing
    this.#verifier = new ChainVerifier(end)
  }

  /**
   * Goes on where the archive ends; an empty one begins behind `start`. Call it under the lock.
   * @throws ReplogError CORRUPT when the newest complete file is damaged, UNSUPPORTED_VERSION
   */
  static async open(
    directory: string,
    start: () => Promise<Position>,
    options: ArchiveWriterOptions,
  ): Promise<ArchiveWriter> {
    for (const { path } of await listLeftovers(directory)) await rm(path, { force: true })
    const newest = (await listArchive(directory)).at(-1)
    if (newest === undefined) return ArchiveWriter.#begin(directory, options, await start())
    if (newest.state !== 'growing') return ArchiveWriter.#begin(directory, options, (await soundPart(newest)).end)
    const { bytes, end } = await soundPart(newest)
    const growing = { path: newest.path, start: newest.start, handle: undefined, bytes }
    return new ArchiveWriter(directory, options, growing, end)
  }

  static #begin(directory: string, options: ArchiveWriterOptions, start: Position): ArchiveWriter {
    return new ArchiveWriter(directory, options, newFile(directory, start), start)
  }

  /** After the last whole transaction that was taken. */
  get position(): Position {
    return this.#verifier.position
  }

  get needsSync(): boolean {
    return this.#unsyncedBytes > 0
  }

  /** The stream broke and begins again behind `position`: what came of a transaction is forgotten. */
  restart(): void {
    this.#reader = new FrameReader()
    this.#verifier = new ChainVerifier(this.position)
  }

  /**
   * Takes bytes of the log, in chunks of any size. @throws ReplogError CORRUPT, LOG_GAP, FENCED, DIVERGED when they do
   * not continue the archive; DISK_FULL. What is whole before the fault is written.
   */
  async push(chunk: Uint8Array): Promise<void> {
    let whole: Buffer[] = []
    let bytes = 0
    try {
      for (const frame of this.#reader.push(chunk)) {
        const frames = this.#verifier.push(frame)
        if (frames === undefined) continue
        for (const one of frames) {
          whole.push(one.bytes)
          bytes += one.bytes.length
        }
        if (this.#growing.bytes + bytes < this.#options.fileBytes) continue
        await this.#write(whole, bytes)
        // Before the file is completed: what is written is not written again when that fails.
        whole = []
        bytes = 0
        await this.#complete()
      }
    } finally {
      if (bytes > 0) await this.#write(whole, bytes)
    }
  }

  /** Makes what was taken durable. */
  async sync(): Promise<void> {
    await this.#growing.handle?.sync()
    this.#unsyncedBytes = 0
  }

  /** Syncs, and leaves the growing file for the next time. */
  async close(): Promise<void> {
    const { handle } = this.#growing
    if (handle === undefined) return
    await this.sync()
    this.#growing.handle = undefined
    await handle.close()
  }

  async #write(buffers: readonly Buffer[], bytes: number): Promise<void> {
    const growing = this.#growing
    try {
      const handle = (growing.handle ??= await this.#openGrowing(growing))
      await writeAll(handle, Buffer.concat(buffers, bytes), growing.bytes)
    } catch (error) {
      throw placeFault(growing.path, error)
    }
    growing.bytes += bytes
    this.#unsyncedBytes += bytes
    if (this.#unsyncedBytes >= ARCHIVE_SYNC_BYTES) await this.sync()
  }

  /** What lies behind its whole transactions is cut off here. */
  async #openGrowing({ path, bytes }: Growing): Promise<FileHandle> {
    const handle = await open(path, bytes === 0 ? 'w' : 'r+')
    await handle.truncate(bytes)
    await syncDirectory(this.#directory)
    return handle
  }

  async #complete(): Promise<void> {
    const { path, start } = this.#growing
    const end = this.position
    await this.close()
    const { compress, onComplete } = this.#options
    const complete = archivePath(this.#directory, start, compress ? 'compressed' : 'complete')
    try {
      if (compress) await compressed(path, archivePath(this.#directory, start, 'making'), complete)
      else await rename(path, complete)
      await syncDirectory(this.#directory)
      // Only now: until the other name is durable it may be the only one.
      if (compress) await rm(path)
    } catch (error) {
      throw placeFault(complete, error)
    }
    this.#growing = newFile(this.#directory, end)
    onComplete?.(complete, end)
  }
}

function newFile(directory: string, start: Position): Growing {
  return { path: archivePath(directory, start, 'growing'), start, handle: undefined, bytes: 0 }
}

/** The whole transactions that a file begins with; of the growing one what follows them is of no concern. */
async function soundPart(file: ArchiveFile): Promise<{ readonly bytes: number; readonly end: Position }> {
  let bytes = 0
  let end = file.start
  try {
    for await (const { frames, position } of readArchiveFile(file)) {
      for (const frame of frames) bytes += frame.bytes.length
      end = position
    }
  } catch (error) {
    if (file.state !== 'growing' || !isReplogError(error, 'CORRUPT')) throw error
  }
  return { bytes, end }
}

/** Beside its place, synced, and renamed into it. */
async function compressed(from: string, making: string, to: string): Promise<void> {
  await pipeline(createReadStream(from), createGzip(), createWriteStream(making))
  const handle = await open(making, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(making, to)
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, position + written)
    written += bytesWritten
  }
}

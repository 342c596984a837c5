/**
 * A replication log in a file beside the store: frames, one after another, appended and synced with fdatasync. It is
 * what the modes `2pc`, `2pc-grouped` and `file` log to.
 *
 *   log-file := frame*            frames as in log/codec/frame.ts, in LSN order
 *
 * Invariants
 * - one append is under way at a time, and it is durable when it resolves;
 * - what `recover` leaves is a gapless prefix of one digest chain, and durable: a frame that a killed process had
 *   written but not synced is synced before anything is decided by it, and what a power cut left of a torn append is
 *   cut off;
 * - frames behind the first one that does not follow are given up. Whether one of them was acknowledged is not known
 *   here; the coordinator knows, and calls that damage.
 *
 * A write goes to the page cache, which costs less than a trip to a worker thread: small ones are made on the main
 * thread, so that an append costs one trip (its sync), as a LevelDB batch does. File names are durable before the first
 * append, since the directory is synced.
 */
import assert from 'node:assert/strict'
import { fdatasync, write, writeSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { isReplogError } from '../../../core/errors.js'
import type { Position } from '../../../core/position.js'
import { ChainVerifier } from '../../../log/codec/chain-verifier.js'
import { readFrame } from '../../../log/codec/frame.js'
import { delayOf } from './sync-delay.js'

/** Where the bytes lie: a file, or in crash tests a memory that can be cut. */
export interface LogMedium {
  read(offset: number, bytes: number): Promise<Buffer>
  /** Behind the last byte. Not durable before `sync` resolves. */
  append(bytes: Buffer): Promise<void>
  sync(): Promise<void>
  truncate(bytes: number): Promise<void>
  close(): Promise<void>
}

/** Up to here a write is made on the main thread: about as long as a trip to a worker takes. */
const INLINE_WRITE_BYTES_MAX = 128 * 1024
const READ_BYTES = 1024 * 1024
/** Faults that show that the bytes at this place do not continue the log. */
const END_FAULTS = ['CORRUPT', 'LOG_GAP', 'FENCED', 'DIVERGED', 'UNSUPPORTED_VERSION'] as const

const writeAsync = promisify(write)
const syncAsync = promisify(fdatasync)

export class LogFile {
  readonly #medium: LogMedium
  readonly #delayUs: number
  #appending = false
  #syncs = 0

  constructor(medium: LogMedium, delayUs = 0) {
    this.#medium = medium
    this.#delayUs = delayUs
  }

  static async open(path: string, delayUs: number): Promise<LogFile> {
    return new LogFile(await FileMedium.open(path), delayUs)
  }

  /** Sync calls made for appends and recovery. */
  get syncs(): number {
    return this.#syncs
  }

  /**
   * Reads the log, cuts off what does not continue it, and makes the rest durable.
   * @param onCut called between the cut and the sync
   */
  async recover(start: Position, onCut: () => void = () => undefined): Promise<{ last: Position; messages: number }> {
    const { last, messages, bytes } = await this.read(start)
    await this.#medium.truncate(bytes)
    onCut()
    await this.#sync()
    return { last, messages }
  }

  /** How far the log goes on without a fault behind `start`. */
  async read(start: Position): Promise<{ last: Position; messages: number; bytes: number }> {
    const verifier = new ChainVerifier(start)
    let pending: Buffer = Buffer.alloc(0)
    let [offset, bytes, messages] = [0, 0, 0]
    for (;;) {
      const chunk = await this.#medium.read(offset, READ_BYTES)
      offset += chunk.length
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
      let at = 0
      try {
        for (;;) {
          const frame = readFrame(pending, at)
          if (frame === undefined) break
          verifier.push(frame)
          at += frame.bytes.length
          messages++
        }
      } catch (error) {
        if (!END_FAULTS.some((code) => isReplogError(error, code))) throw error
        return { last: verifier.position, messages, bytes: bytes + at }
      }
      bytes += at
      pending = pending.subarray(at)
      if (chunk.length === 0) return { last: verifier.position, messages, bytes }
    }
  }

  /** Appends frames, and resolves when they are durable. */
  async append(frames: readonly Buffer[], onAppended: () => void = () => undefined): Promise<void> {
    assert(!this.#appending, 'one append is under way at a time')
    this.#appending = true
    try {
      await this.#medium.append(frames.length === 1 ? frames[0]! : Buffer.concat(frames))
      onAppended()
      await this.#sync()
      if (this.#delayUs > 0) await delayOf(this.#delayUs)
    } finally {
      this.#appending = false
    }
  }

  close(): Promise<void> {
    return this.#medium.close()
  }

  async #sync(): Promise<void> {
    await this.#medium.sync()
    this.#syncs++
  }
}

class FileMedium implements LogMedium {
  readonly #handle: FileHandle
  #bytes: number

  private constructor(handle: FileHandle, bytes: number) {
    this.#handle = handle
    this.#bytes = bytes
  }

  static async open(path: string): Promise<FileMedium> {
    const handle = await open(path, 'a+')
    try {
      const directory = await open(dirname(path), 'r')
      try {
        await directory.sync()
      } finally {
        await directory.close()
      }
      return new FileMedium(handle, (await handle.stat()).size)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  async read(offset: number, bytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(bytes)
    const { bytesRead } = await this.#handle.read(buffer, 0, bytes, offset)
    return buffer.subarray(0, bytesRead)
  }

  async append(bytes: Buffer): Promise<void> {
    const { fd } = this.#handle
    for (let done = 0; done < bytes.length;) {
      const left = bytes.length - done
      done +=
        left <= INLINE_WRITE_BYTES_MAX ? writeSync(fd, bytes, done) : (await writeAsync(fd, bytes, done)).bytesWritten
    }
    this.#bytes += bytes.length
  }

  async sync(): Promise<void> {
    await syncAsync(this.#handle.fd)
  }

  async truncate(bytes: number): Promise<void> {
    if (bytes === this.#bytes) return
    await this.#handle.truncate(bytes)
    this.#bytes = bytes
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}

/**
 * A log file in memory that a crash test can cut: what was appended is there for a process that is killed, and only what
 * was synced, and any part of the rest, survives a power cut.
 */
import type { LogMedium } from '../../tools/bench/fsync/log-file.js'

export class CuttableLog implements LogMedium {
  #written: Buffer
  #durableBytes: number
  #isCut = false

  constructor(content: Buffer = Buffer.alloc(0)) {
    this.#written = content
    this.#durableBytes = content.length
  }

  async read(offset: number, bytes: number): Promise<Buffer> {
    return Promise.resolve(this.#written.subarray(offset, offset + bytes))
  }

  async append(bytes: Buffer): Promise<void> {
    this.#requireAlive()
    this.#written = Buffer.concat([this.#written, bytes])
    return Promise.resolve()
  }

  async sync(): Promise<void> {
    this.#requireAlive()
    await Promise.resolve()
    this.#requireAlive()
    this.#durableBytes = this.#written.length
  }

  async truncate(bytes: number): Promise<void> {
    this.#requireAlive()
    this.#written = this.#written.subarray(0, bytes)
    this.#durableBytes = Math.min(this.#durableBytes, bytes)
    return Promise.resolve()
  }

  async close(): Promise<void> {
    return Promise.resolve()
  }

  /** Bytes that a power cut may take. */
  get unsyncedBytes(): number {
    return this.#written.length - this.#durableBytes
  }

  get bytes(): Buffer {
    return this.#written
  }

  /** Ends this process' use of the file: nothing that it still does reaches it. */
  freeze(): void {
    this.#isCut = true
  }

  /** What a restart finds, with so many of the unsynced bytes. */
  afterCut(unsyncedBytesKept: number): CuttableLog {
    this.freeze()
    return new CuttableLog(Buffer.from(this.#written.subarray(0, this.#durableBytes + unsyncedBytesKept)))
  }

  #requireAlive(): void {
    if (this.#isCut) throw new Error('the process is dead')
  }
}

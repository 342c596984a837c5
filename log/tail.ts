/**
 * The newest durable frames in memory, from which followers are served without reading the store.
 *
 * Invariants:
 * - it holds a gapless run of whole transactions that ends at the durable LSN; (G3)
 * - nothing enters before its fsync returned; (G2)
 * - its size stays within the bound, but the newest transaction is always there.
 */
import assert from 'node:assert/strict'
import { LOG_TAIL_BYTES_MAX } from '../core/limits.js'
import { type Lsn, LSN_ZERO } from '../core/position.js'

export interface TailEntry {
  readonly lsn: Lsn
  /** The transaction's frames, one per segment, as stored and sent. */
  readonly frames: readonly Buffer[]
  readonly bytes: number
  readonly commitTimestampUs: bigint
}

export class LogTail {
  readonly #bytesMax: number
  /** Entries from `#start` on are live; the emptied places before it are cut off now and then. */
  #entries: (TailEntry | undefined)[] = []
  #start = 0
  #bytes = 0

  constructor(bytesMax = LOG_TAIL_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  push(entry: TailEntry): void {
    const last = this.#entries.at(-1)
    assert(last === undefined || this.size === 0 || entry.lsn === last.lsn + 1n, 'the tail is gapless')
    this.#entries.push(entry)
    this.#bytes += entry.bytes
    while (this.#bytes > this.#bytesMax && this.size > 1) {
      this.#bytes -= this.#entries[this.#start]!.bytes
      this.#entries[this.#start++] = undefined
    }
    if (this.#start > 1024 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start)
      this.#start = 0
    }
  }

  get size(): number {
    return this.#entries.length - this.#start
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The lowest LSN in memory; 0 when there is none. */
  get firstLsn(): Lsn {
    return this.size === 0 ? LSN_ZERO : this.#entries[this.#start]!.lsn
  }

  /** The entry of an LSN, if it is in memory. */
  get(lsn: Lsn): TailEntry | undefined {
    if (this.size === 0) return undefined
    const first = this.#entries[this.#start]!.lsn
    if (lsn < first) return undefined
    return this.#entries[this.#start + Number(lsn - first)]
  }
}

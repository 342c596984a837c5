/**
 * The newest durable frames in memory, from which followers are served without reading the store.
 *
 * Frames of small transactions are copied into pages, back to back, as they go on the wire, when they get their place in
 * the log: a run of them is sent without another copy, and the collector meets one buffer per page instead of several
 * objects per transaction, of which a full tail would have millions. A large transaction is kept as it is, in a page of its own.
 *
 * Invariants:
 * - it holds a gapless run of whole transactions that ends at the durable LSN; (G3)
 * - nothing is shown before its fsync returned; (G2)
 * - its transactions stay within the bound, and its memory within that and a page, but the newest one is always there;
 * - bytes of a page that were handed out do not change: pages only grow.
 */
import assert from 'node:assert/strict'
import { LOG_TAIL_BYTES_MAX, LOG_TAIL_PAGE_BYTES } from '../core/limits.js'
import { type Lsn, LSN_ZERO, nextLsn } from '../core/position.js'

export interface TailEntry {
  readonly lsn: Lsn
  /** The transaction's frames, one per segment, as stored and sent. */
  readonly frames: readonly Buffer[]
  readonly bytes: number
  readonly commitTimestampUs: bigint
}

/** What became durable together. */
export interface DurableTransactions {
  /** Of the last one. */
  readonly lsn: Lsn
  readonly commitTimestampUs: bigint
  readonly transactions: number
  /** Of their frames. */
  readonly bytes: number
}

/** Frames back to back, from one page. */
export interface TailRun {
  readonly bytes: Buffer
  readonly frames: number
  /** Transactions that end in it. */
  readonly transactions: number
  /** How many segments of the transaction behind those are sent with it, or were before. */
  readonly segmentsBehind: number
}

/** A transaction of more than this is not copied. */
const COPIED_BYTES_MAX = LOG_TAIL_PAGE_BYTES / 4

export class LogTail {
  readonly #bytesMax: number
  /** Oldest first; of the first one the transactions from `#start` on are in the tail. */
  readonly #pages: TailPage[] = []
  #start = 0
  /** The LSN behind those that are shown. */
  #endLsn: Lsn = LSN_ZERO
  #size = 0
  #bytes = 0

  constructor(bytesMax = LOG_TAIL_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  /** Takes a transaction that has its place in the log; it is shown when that is durable. */
  stage(entry: TailEntry): void {
    const last = this.#pages.at(-1)
    assert(last === undefined || entry.lsn === last.endLsn, 'the tail is gapless')
    if (last?.add(entry) !== true) this.#pages.push(new TailPage(entry))
    if (this.#endLsn === LSN_ZERO) this.#endLsn = entry.lsn
  }

  /** Shows the oldest of those that are only staged: all of a group that is durable. */
  publish({ lsn, transactions, bytes }: DurableTransactions): void {
    const endLsn = nextLsn(lsn)
    assert(endLsn === this.#endLsn + BigInt(transactions), 'groups are shown whole and in order')
    assert(endLsn <= this.#pages.at(-1)!.endLsn, 'what is shown was staged')
    this.#endLsn = endLsn
    this.#size += transactions
    this.#bytes += bytes
    while (this.#bytes > this.#bytesMax && this.#size > 1) this.#dropFirst()
  }

  /** Transactions. */
  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The lowest LSN in memory; 0 when there is none. */
  get firstLsn(): Lsn {
    return this.#size === 0 ? LSN_ZERO : this.#pages[0]!.lsnAt(this.#start)
  }

  /** The entry of an LSN, if it is in memory. */
  get(lsn: Lsn): TailEntry | undefined {
    const page = this.#pageOf(lsn)
    return page?.entry(lsn)
  }

  /**
   * Frames from a segment of a transaction on, at least one, until they have `bytesTarget` or the page ends; undefined
   * when the transaction is not in memory.
   */
  run(lsn: Lsn, segment: number, bytesTarget: number): TailRun | undefined {
    return this.#pageOf(lsn)?.run(lsn, segment, bytesTarget, this.#endLsn)
  }

  #pageOf(lsn: Lsn): TailPage | undefined {
    if (this.#size === 0 || lsn < this.firstLsn || lsn >= this.#endLsn) return undefined
    // Whoever keeps up asks for the newest.
    let at = this.#pages.length - 1
    while (lsn < this.#pages[at]!.firstLsn) at--
    return this.#pages[at]
  }

  #dropFirst(): void {
    const page = this.#pages[0]!
    this.#bytes -= page.bytesAt(this.#start++)
    this.#size--
    if (this.#start < page.transactions) return
    this.#pages.shift()
    this.#start = 0
  }
}

/** Consecutive transactions. Numbers in plain arrays, because those hold no objects for the collector to visit. */
class TailPage {
  readonly firstLsn: Lsn
  /** Either frames back to back, or those of one large transaction as they came. */
  readonly #packed: Buffer | undefined
  readonly #loose: readonly Buffer[]
  /** Offset behind each frame. */
  readonly #frameEnds: number[] = []
  /** Ordinal of the frame behind each transaction. */
  readonly #transactionEnds: number[] = []
  /** Microseconds, which stay exact until the year 2255. */
  readonly #commitUs: number[] = []

  constructor(first: TailEntry) {
    this.firstLsn = first.lsn
    const isLarge = first.bytes > COPIED_BYTES_MAX
    this.#packed = isLarge ? undefined : Buffer.allocUnsafeSlow(LOG_TAIL_PAGE_BYTES)
    this.#loose = isLarge ? first.frames : []
    this.#note(first)
  }

  get transactions(): number {
    return this.#transactionEnds.length
  }

  /** The LSN that would come next. */
  get endLsn(): Lsn {
    return this.lsnAt(this.transactions)
  }

  lsnAt(ordinal: number): Lsn {
    return (this.firstLsn + BigInt(ordinal)) as Lsn
  }

  /** False when it has no room. */
  add(entry: TailEntry): boolean {
    if (this.#packed === undefined || entry.bytes > COPIED_BYTES_MAX) return false
    if (this.#used + entry.bytes > this.#packed.length) return false
    this.#note(entry)
    return true
  }

  bytesAt(ordinal: number): number {
    return this.#offset(this.#transactionEnds[ordinal]!) - this.#offset(this.#firstFrame(ordinal))
  }

  entry(lsn: Lsn): TailEntry {
    const ordinal = Number(lsn - this.firstLsn)
    const frames: Buffer[] = []
    for (let at = this.#firstFrame(ordinal); at < this.#transactionEnds[ordinal]!; at++)
      frames.push(this.#run(at, at + 1))
    return { lsn, frames, bytes: this.bytesAt(ordinal), commitTimestampUs: BigInt(this.#commitUs[ordinal]!) }
  }

  /** Up to the transaction before `endLsn`. */
  run(lsn: Lsn, segment: number, bytesTarget: number, endLsn: Lsn): TailRun {
    const ordinal = Number(lsn - this.firstLsn)
    const first = this.#firstFrame(ordinal) + segment
    assert(first < this.#transactionEnds[ordinal]!, 'the transaction has the segment')
    const start = this.#offset(first)
    // A large transaction is sent frame by frame, since its frames do not lie back to back.
    const shown = Math.min(this.transactions, Number(endLsn - this.firstLsn))
    const framesEnd = this.#packed === undefined ? first + 1 : this.#transactionEnds[shown - 1]!
    let end = first
    let passed = ordinal
    while (end < framesEnd && this.#offset(end) - start < bytesTarget) {
      end++
      if (end === this.#transactionEnds[passed]) passed++
    }
    return {
      bytes: this.#run(first, end),
      frames: end - first,
      transactions: passed - ordinal,
      segmentsBehind: end - this.#firstFrame(passed),
    }
  }

  get #used(): number {
    return this.#frameEnds.at(-1) ?? 0
  }

  #note({ frames, commitTimestampUs }: TailEntry): void {
    let used = this.#used
    for (const frame of frames) {
      this.#packed?.set(frame, used)
      used += frame.length
      this.#frameEnds.push(used)
    }
    this.#transactionEnds.push(this.#frameEnds.length)
    this.#commitUs.push(Number(commitTimestampUs))
  }

  #firstFrame(ordinal: number): number {
    return ordinal === 0 ? 0 : this.#transactionEnds[ordinal - 1]!
  }

  /** Where a frame begins. */
  #offset(frame: number): number {
    return frame === 0 ? 0 : this.#frameEnds[frame - 1]!
  }

  /** Frames `[from, to)`; of a large transaction only one at a time. */
  #run(from: number, to: number): Buffer {
    return this.#packed === undefined ? this.#loose[from]! : this.#packed.subarray(this.#offset(from), this.#offset(to))
  }
}

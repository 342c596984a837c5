/**
 * The key-value engine under the store, as small as the store needs it: LevelDB in production (`level-engine.ts`), an
 * in-memory engine that can crash and fail in tests and simulations (`memory-engine.ts`). Nothing above `store/` sees
 * it. One conformance suite runs on both.
 */

export interface Entry {
  readonly key: Buffer
  readonly value: Buffer
}

/** Keys `from` (inclusive) to `to` (exclusive) in byte order. */
export interface KeyRange {
  readonly from: Uint8Array
  readonly to: Uint8Array
}

export interface PageOptions {
  /** Most entries returned; 1 or more. */
  readonly entriesMax: number
  /** The page ends after the entry with which it reaches this size; keys and values count. 1 or more. */
  readonly bytesMax: number
  /** From the high end of the range downwards. */
  readonly reverse: boolean
  /** Only the values are wanted: keys may be empty, and count as nothing. They cost as much as the values to hand over. */
  readonly valuesOnly?: boolean
}

/** The next entries of a range. `exhausted` is true exactly when nothing of the range lies behind them. */
export interface Page {
  readonly entries: Entry[]
  readonly exhausted: boolean
}

/** Puts and deletes that become visible and durable together. Later operations on a key win. */
export interface EngineBatch {
  /** Copies both, so the caller may reuse the memory. */
  put(key: Uint8Array, value: Uint8Array): void
  del(key: Uint8Array): void
  /**
   * Writes and syncs. Call once, with at least one operation, and not while another batch is being written: batches
   * that wait side by side have no order. Rejects with the engine's own error; the outcome is then unknown, and the
   * engine must not be written to again until it was reopened.
   */
  writeSynced(): Promise<void>
  /** Drops the batch without writing. */
  discard(): Promise<void>
}

/** Every method throws or rejects with ReplogError CLOSED after `close`, and CORRUPT where a read finds damage. */
export interface Engine {
  /** The newest committed value; undefined when there is none. */
  get(key: Uint8Array): Buffer | undefined
  /** Reads many keys off the main thread; undefined for those without a value. */
  getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]>
  /** Opens an iterator, reads one page, closes it; never held longer (a stale-read bug of LevelDB 1.20). */
  page(range: KeyRange, options: PageOptions): Promise<Page>
  batch(): EngineBatch
  /** Gives the disk space of deleted keys in the range back. */
  compact(range: KeyRange): Promise<void>
  /** Waits for what is under way. */
  close(): Promise<void>
  /** Number of sync calls made for opening, batches and directories, counted, not assumed. */
  readonly syncs: number
}

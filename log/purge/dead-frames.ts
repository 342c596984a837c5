/**
 * Deletes what the floor of the log has given up: frames, and the outcomes of idempotency keys that expire with them.
 *
 * Invariants:
 * - only what lies at or below the durable floor is deleted; a transaction's outcome goes in the batch of its frame, so a
 *   crash at any instant leaves both or neither, and what is left is found and deleted after the next start;
 * - an outcome that a later transaction wrote under the same key stays: whose it is, is judged when the deletion takes
 *   its place in the group;
 * - batches are small and have pauses between them, so that commits go on.
 */
import { type Clock, pause } from '../../core/clock.js'
import { isReplogError } from '../../core/errors.js'
import { LOG_PURGE_PAGE_FRAMES, LOG_PURGE_PAUSE_MS, SCAN_PAGE_BYTES_MAX } from '../../core/limits.js'
import { type Lsn, nextLsn } from '../../core/position.js'
import type { Entry } from '../../store/engine.js'
import { idempotencyKey, keyText, logKey, parseLogKey } from '../../store/keys.js'
import { WriteSet } from '../../store/write-set.js'
import { FRAME_HEADER_BYTES } from '../codec/frame.js'
import { peekIdempotencyKey } from '../codec/transaction-codec.js'
import type { ReplicatedState } from '../replicated-state.js'
import { isExpired } from './outcome-sweep.js'

export class DeadFrames {
  readonly #state: ReplicatedState
  readonly #clock: Clock
  /** The lowest LSN that may still be there. */
  #nextLsn = 1n as Lsn
  /** Where space was not given back yet. */
  #uncompactedFrom = 1n as Lsn
  #uncompactedBytes = 0

  constructor(state: ReplicatedState, clock: Clock) {
    this.#state = state
    this.#clock = clock
  }

  /** Bytes deleted whose space was not given back yet. */
  get uncompactedBytes(): number {
    return this.#uncompactedBytes
  }

  /** Whether everything up to the floor is deleted. */
  get isDone(): boolean {
    return this.#nextLsn > this.#state.trimFloor
  }

  /** Deletes all that is at or below the floor now. @throws ReplogError CLOSED, STORE_FAILED */
  async delete(isStopped: () => boolean): Promise<void> {
    const { trimFloor } = this.#state
    const to = logKey(nextLsn(trimFloor), 0)
    let from = logKey(this.#nextLsn, 0)
    while (!isStopped()) {
      // A page begins behind the one before: from the start it would pass over what was deleted so far.
      const { entries, exhausted } = await this.#state.store.frames({ from, to }, PAGE)
      if (entries.length > 0) await this.#deletePage(entries)
      if (exhausted) {
        this.#nextLsn = nextLsn(trimFloor)
        return
      }
      const last = parseLogKey(entries.at(-1)!.key)
      this.#nextLsn = last.lsn
      from = logKey(last.lsn, last.segment + 1)
      await pause(this.#clock, LOG_PURGE_PAUSE_MS)
    }
  }

  /**
   * Gives the space of what was deleted back. LevelDB drops a deleted key where a compaction meets both it and its
   * deletion, and does not rewrite the lowest level on its own: frames that were deleted before they left its memory lie
   * there together with their deletions. So what is in memory is written out first, and the ends of the range are deleted
   * once more: those two deletions lie above everything else, and carry the compaction down through all levels.
   */
  async compact(): Promise<void> {
    const to = logKey(this.#nextLsn, 0)
    const from = logKey(this.#uncompactedFrom, 0)
    this.#uncompactedBytes = 0
    this.#uncompactedFrom = this.#nextLsn
    const { store } = this.#state
    await store.compact(NO_KEYS)
    const writes = new WriteSet()
    writes.delete(from)
    writes.delete(logKey((this.#nextLsn - 1n) as Lsn, 0))
    await this.#state.appendLocal(writes)
    await store.compact({ from, to })
  }

  async #deletePage(entries: readonly Entry[]): Promise<void> {
    const outcomes = entries.map(({ value }) => outcomeKeyOf(value)).filter((key) => key !== undefined)
    // Off the main thread, where commits go on meanwhile: the reads that judge them then find them in the cache.
    await this.#state.store.getMany(outcomes)
    const writes = new WriteSet()
    for (const { key, value } of entries) {
      writes.delete(key)
      this.#uncompactedBytes += value.length
    }
    for (const key of outcomes) this.#deleteOutcome(key, writes)
    await this.#state.appendLocal(writes)
  }

  /** Adds the deletion when the newest outcome under the key has expired. No pause may come before `appendLocal`. */
  #deleteOutcome(key: Buffer, writes: WriteSet): void {
    const newest = this.#state.readNewest(key, keyText(key))
    if (newest !== undefined && isExpired(newest, this.#state)) writes.delete(key)
  }
}

/** Before every key: a compaction of it writes out what is in memory, and nothing else. */
const NO_KEYS = { from: Buffer.of(0), to: Buffer.of(0) }
const PAGE = { entriesMax: LOG_PURGE_PAGE_FRAMES, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false }

/** Under which the outcome of a transaction is stored, when this frame says that it has one. */
function outcomeKeyOf(frame: Buffer): Buffer | undefined {
  try {
    const found = peekIdempotencyKey(frame.subarray(FRAME_HEADER_BYTES))
    return found && idempotencyKey(found.catalogId, found.idempotencyKey)
  } catch (error) {
    // A frame that nobody reads any more may be damaged; its outcome, if it has one, is of no use and no harm.
    if (isReplogError(error, 'CORRUPT')) return undefined
    throw error
  }
}

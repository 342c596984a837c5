/**
 * Deletes outcomes of idempotency keys whose frames were never here: a copy of a server has them, and they expire with the
 * first purge of its log. All others go in the batch of their frames.
 *
 *   copied-outcomes there, log begins where the copying did ──purge──> sweep: page by page ──end──> record is deleted
 *
 * Invariants:
 * - it runs beside purges, which do not wait for it; pages are small and have pauses between them;
 * - a server that is no copy never walks over its outcomes, and a copy once: the record goes in the batch of the last page,
 *   so what a crash or an end cut short is found by the next start;
 * - one pass is enough: what expires while it runs has its frame here.
 */
import { type Clock, pause } from '../../core/clock.js'
import { LOG_PURGE_PAGE_FRAMES, LOG_PURGE_PAUSE_MS, SCAN_PAGE_BYTES_MAX } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import type { Page } from '../../store/engine.js'
import { IDEMPOTENCY_PREFIX, keyText, prefixRange } from '../../store/keys.js'
import { WriteSet } from '../../store/write-set.js'
import type { ReplicatedState } from '../replicated-state.js'
import { COPIED_OUTCOMES_META, decodeStoredOutcome, readCopiedOutcomes } from '../stored-outcome.js'

export class OutcomeSweep {
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #isStopped: () => boolean
  readonly #onError: (error: unknown) => void
  /** Where the log began when the copied outcomes counted; undefined when there are none to look for. */
  #copiedLsn: Lsn | undefined
  /** Behind the last page. */
  #from: Buffer
  #running: Promise<void> | undefined

  /** @throws ReplogError CORRUPT */
  constructor(state: ReplicatedState, clock: Clock, isStopped: () => boolean, onError: (error: unknown) => void) {
    this.#state = state
    this.#clock = clock
    this.#isStopped = isStopped
    this.#onError = onError
    this.#copiedLsn = readCopiedOutcomes(state.store)?.logFloor
    this.#from = Buffer.from(OUTCOMES.from)
  }

  /** Whether there may be outcomes that have expired and are to be looked for. */
  get isDue(): boolean {
    return this.#copiedLsn !== undefined && this.#state.trimFloor > this.#copiedLsn
  }

  /** Begins, or goes on where an error ended it. */
  kick(): void {
    if (this.#running !== undefined || !this.isDue || this.#isStopped()) return
    this.#running = this.#sweep()
      .catch((error: unknown) => {
        this.#onError(error)
      })
      .finally(() => {
        this.#running = undefined
      })
  }

  /** Resolves when it does not run; never fails. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #sweep(): Promise<void> {
    while (!this.#isStopped()) {
      const { entries, exhausted }: Page = await this.#state.store.page({ from: this.#from, to: OUTCOMES.to }, PAGE)
      const writes = new WriteSet()
      for (const { key } of entries) this.#deleteExpired(key, writes)
      if (exhausted) writes.delete(COPIED_OUTCOMES_META)
      if (!writes.isEmpty) await this.#state.appendLocal(writes)
      if (exhausted) {
        this.#copiedLsn = undefined
        return
      }
      this.#from = Buffer.concat([entries.at(-1)!.key, Buffer.of(0)])
      await pause(this.#clock, LOG_PURGE_PAUSE_MS)
    }
  }

  /** Judged by what is there now: the page may be older. No pause may come before `appendLocal`. */
  #deleteExpired(key: Buffer, writes: WriteSet): void {
    const newest = this.#state.readNewest(key, keyText(key))
    if (newest !== undefined && isExpired(newest, this.#state)) writes.delete(key)
  }
}

/** Whether the outcome counts no more. @throws ReplogError CORRUPT */
export function isExpired(payload: Buffer, { outcomeFloor }: Pick<ReplicatedState, 'outcomeFloor'>): boolean {
  return decodeStoredOutcome(payload).position.lsn <= outcomeFloor
}

const OUTCOMES = prefixRange(Buffer.of(IDEMPOTENCY_PREFIX))
const PAGE = { entriesMax: LOG_PURGE_PAGE_FRAMES, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false }

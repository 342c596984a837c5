/**
 * Writes a copy in large synced batches: while one is in the device the next one fills.
 *
 * Invariants:
 * - each batch has the record of how far the copy is with it, so after a crash the two agree;
 * - one batch is in flight and one fills, so memory is bounded by twice the size of a batch.
 */
import type { Clock } from '../core/clock.js'
import { CLONE_BATCH_BYTES_TARGET, CLONE_BATCH_MS_MAX } from '../core/limits.js'
import type { CommitGroup, Store } from '../store/store.js'
import { WriteSet } from '../store/write-set.js'
import { CLONE_META, type CloneRecord, encodeCloneRecord } from './clone-record.js'

export class CloneBatches {
  readonly store: Store
  readonly #clock: Clock
  #open: CommitGroup | undefined
  #writing: Promise<void> = Promise.resolve()
  #writtenMs: number

  constructor(store: Store, clock: Clock) {
    this.store = store
    this.#clock = clock
    this.#writtenMs = clock.monotonicMs()
  }

  /** Takes what is written next. */
  get group(): CommitGroup {
    this.#open ??= this.store.group()
    return this.#open
  }

  /** Nothing waits to be handed to the device. */
  get isEmpty(): boolean {
    return this.#open === undefined || this.#open.operations === 0
  }

  /** Whether the open batch is to be written: it is large, or what is in it would be lost for long in a crash. */
  get isFull(): boolean {
    if (this.#open === undefined) return false
    return (
      this.#open.bytes >= CLONE_BATCH_BYTES_TARGET || this.#clock.monotonicMs() - this.#writtenMs >= CLONE_BATCH_MS_MAX
    )
  }

  /**
   * Hands the open batch to the device, when the one before it is durable.
   * @param record how far the copy is with it
   * @throws ReplogError DISK_FULL, COMMIT_UNKNOWN, STORE_FAILED
   */
  async flush(record: CloneRecord): Promise<void> {
    const writes = new WriteSet()
    writes.put(CLONE_META, encodeCloneRecord(record))
    await this.write(writes)
  }

  /** The same without a record, where the copy can do what it does once more. */
  async write(writes: WriteSet): Promise<void> {
    const { group } = this
    group.add(writes)
    await this.#writing
    this.store.assertSpace()
    this.#open = undefined
    this.#writtenMs = this.#clock.monotonicMs()
    this.#writing = this.store.commit(group)
    // Whoever writes or settles next hears of it.
    this.#writing.catch(() => undefined)
  }

  /** Resolves when everything that was handed to the device is durable. */
  settle(): Promise<void> {
    return this.#writing
  }

  /** Drops what was not handed to the device. */
  async discard(): Promise<void> {
    const group = this.#open
    this.#open = undefined
    await group?.discard()
    await this.#writing.catch(() => undefined)
  }
}

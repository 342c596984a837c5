/**
 * The store: the only way to read and write what is durable.
 *
 * Invariants
 *   S1  every commit is one synced batch, and what it wrote is durable when it resolves. There is no other write.
 *   S2  one batch is in flight: un-awaited batches have no order.
 *   S3  a rejected write poisons the store. Its commit gets COMMIT_UNKNOWN, since an I/O error in a sync leaves open
 *       whether the batch is there after a restart, and every later one STORE_FAILED: LevelDB that goes on writing
 *       after such an error loses commits that it acknowledged. Reads go on. Only reopening derives the truth.
 *   S4  every payload that leaves has passed its seal. Log frames are raw: they carry their own checksum.
 *   S5  writes are refused before the disk is full, because of what S3 says about a full one.
 */
import assert from 'node:assert/strict'
import { statfs } from 'node:fs/promises'
import type { Clock } from '../core/clock.js'
import { messageOf, ReplogError } from '../core/errors.js'
import { DISK_CHECK_MS, DISK_FREE_BYTES_MIN } from '../core/limits.js'
import type { Lsn } from '../core/position.js'
import type { Engine, EngineBatch, Entry, KeyRange, Page, PageOptions } from './engine.js'
import { LOG_PREFIX, scratchLogKey } from './keys.js'
import { seal, unseal } from './seal.js'
import type { WriteSet } from './write-set.js'

export interface StoreDependencies {
  readonly engine: Engine
  readonly clock: Clock
  /** The data directory, for the question how much disk is free. */
  readonly path: string
  /** Bytes that may still be written to the file system of `path`. */
  readonly freeBytes?: (path: string) => Promise<number>
}

export interface StoreOptions {
  readonly diskFreeBytesMin?: number
  readonly diskCheckMs?: number
  /** Called once, when a rejected write has poisoned the store. */
  readonly onFailed?: (error: ReplogError) => void
}

export interface StoreCounters {
  readonly commits: number
  /** Sync calls made, as the engine counts them. */
  readonly syncs: number
  /** Bytes of keys and values handed to the engine. */
  readonly bytesWritten: number
  /** How long the longest-lived iterator was open, in milliseconds. */
  readonly longestPageMs: number
}

/** A batch that is being put together, which is possible while another is in flight. */
export interface CommitGroup {
  /** Seals and adds what the transaction writes. */
  add(writeSet: WriteSet): void
  /**
   * Adds a value that another store sealed.
   * @throws ReplogError CORRUPT when the seal does not hold
   */
  addSealed(key: Uint8Array, value: Buffer): void
  /** Adds a log frame: stored as it is, for it carries its own checksum. */
  addFrame(lsn: Lsn, segment: number, frame: Uint8Array): void
  readonly operations: number
  /** Bytes of keys and values added. */
  readonly bytes: number
  /** Drops the group unwritten. */
  discard(): Promise<void>
}

type Lifecycle = 'open' | 'closing' | 'closed'

export class Store {
  readonly #engine: Engine
  readonly #clock: Clock
  readonly #path: string
  readonly #freeBytes: (path: string) => Promise<number>
  readonly #diskFreeBytesMin: number
  readonly #diskCheckMs: number
  readonly #onFailed: (error: ReplogError) => void
  #lifecycle: Lifecycle = 'open'
  #closed: Promise<void> | undefined
  #failure: ReplogError | undefined
  #inFlight: Promise<void> | undefined
  #lastFreeBytes = Number.POSITIVE_INFINITY
  #cancelDiskCheck: (() => void) | undefined
  #commits = 0
  #bytesWritten = 0
  #longestPageMs = 0

  constructor(dependencies: StoreDependencies, options: StoreOptions = {}) {
    this.#engine = dependencies.engine
    this.#clock = dependencies.clock
    this.#path = dependencies.path
    this.#freeBytes = dependencies.freeBytes ?? freeBytesOf
    this.#diskFreeBytesMin = options.diskFreeBytesMin ?? DISK_FREE_BYTES_MIN
    this.#diskCheckMs = options.diskCheckMs ?? DISK_CHECK_MS
    this.#onFailed = options.onFailed ?? (() => undefined)
  }

  /** Looks up the free disk space, now and from then on. Call once, before the first write. */
  async start(): Promise<void> {
    assert(this.#cancelDiskCheck === undefined, 'a store is started once')
    await this.#checkDisk()
  }

  /** The error that poisoned the store: a COMMIT_UNKNOWN. Nothing can be written until the process reopens it. */
  get failure(): ReplogError | undefined {
    return this.#failure
  }

  /** Bytes free on the file system of the data directory when last looked up; Infinity while unknown. */
  get freeBytes(): number {
    return this.#lastFreeBytes
  }

  get counters(): StoreCounters {
    return {
      commits: this.#commits,
      syncs: this.#engine.syncs,
      bytesWritten: this.#bytesWritten,
      longestPageMs: this.#longestPageMs,
    }
  }

  /**
   * The newest durable payload of a key; undefined when there is none.
   *
   * @throws ReplogError CORRUPT, CLOSED
   */
  get(key: Uint8Array): Buffer | undefined {
    assert(key[0] !== LOG_PREFIX, 'log frames are not sealed: read them with getFrames or frames')
    const value = this.#engine.get(key)
    return value === undefined ? undefined : unseal(key, value)
  }

  /** As `get`, for many keys and off the main thread. */
  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    const values = await this.#engine.getMany(keys)
    return values.map((value, at) => (value === undefined ? undefined : unseal(keys[at]!, value)))
  }

  /** The next entries of a range with their payloads. */
  async page(range: KeyRange, options: PageOptions): Promise<Page> {
    const { entries, exhausted } = await this.#timedPage(range, options)
    return { entries: entries.map(unsealed), exhausted }
  }

  /** The next entries of a range as they are stored, with their seals not looked at: for who hands them on to be checked. */
  sealedPage(range: KeyRange, options: PageOptions): Promise<Page> {
    return this.#timedPage(range, options)
  }

  /** The next log frames of a range (see `logRange`), as they were stored. */
  async frames(range: KeyRange, options: PageOptions): Promise<Page> {
    assert(range.from[0] === LOG_PREFIX, 'the range is of log keys')
    return this.#timedPage(range, options)
  }

  /** Log frames by key, as they were stored; undefined for those that are not there. */
  getFrames(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    assert(
      keys.every((key) => key[0] === LOG_PREFIX),
      'the keys are log keys',
    )
    return this.#engine.getMany(keys)
  }

  /**
   * Starts a batch. Fill it while the one before it is in the device, then commit it.
   *
   * @throws ReplogError CLOSED, STORE_FAILED
   */
  group(): CommitGroup {
    this.assertWritable()
    return new OpenGroup(this.#engine.batch())
  }

  /**
   * The only write in the system: what is in the group, or in the write sets, survives power loss once this resolves,
   * all of it or, if the process dies before, all or nothing. (S1)
   *
   * @throws ReplogError COMMIT_UNKNOWN when the write failed, so that its outcome is not known; STORE_FAILED when an
   *   earlier one did, CLOSED.
   */
  async commit(writes: CommitGroup | Iterable<WriteSet>): Promise<void> {
    this.assertWritable()
    assert(this.#inFlight === undefined, 'S2: one batch is in flight')
    const group = writes instanceof OpenGroup ? writes : this.#groupOf(writes as Iterable<WriteSet>)
    const written = group.take().writeSynced()
    this.#inFlight = written
    try {
      await written
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      throw this.#poison(error)
    } finally {
      this.#inFlight = undefined
    }
    this.#commits++
    this.#bytesWritten += group.bytes
  }

  /**
   * Refuses work while the disk is nearly full; ends by itself when there is space again.
   *
   * @throws ReplogError DISK_FULL
   */
  assertSpace(): void {
    if (this.#lastFreeBytes >= this.#diskFreeBytesMin) return
    throw new ReplogError(
      'DISK_FULL',
      `the file system of ${this.#path} has ${this.#lastFreeBytes} bytes free, fewer than the ${this.#diskFreeBytesMin} ` +
        'that writes need; free disk space and they are taken again',
      { details: { freeBytes: this.#lastFreeBytes, freeBytesMin: this.#diskFreeBytesMin } },
    )
  }

  /** Gives the disk space of deleted keys in the range back. Slow; for background jobs. */
  compact(range: KeyRange): Promise<void> {
    return this.#engine.compact(range)
  }

  /** Takes no new writes, waits for the batch in flight, and closes the engine. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#lifecycle = 'closing'
    this.#cancelDiskCheck?.()
    // The committer hears of a failure; closing only waits for the outcome.
    await this.#inFlight?.catch(() => undefined)
    await this.#engine.close()
    this.#lifecycle = 'closed'
  }

  #groupOf(writeSets: Iterable<WriteSet>): OpenGroup {
    const group = new OpenGroup(this.#engine.batch())
    for (const writeSet of writeSets) group.add(writeSet)
    return group
  }

  /** S3 */
  #poison(error: unknown): ReplogError {
    const failure = new ReplogError(
      'COMMIT_UNKNOWN',
      `the store failed while the commit was written (${messageOf(error)}), so its outcome is not known; repair the ` +
        'cause, restart the server and read the rows',
      { cause: error },
    )
    this.#failure = failure
    this.#onFailed(failure)
    return failure
  }

  async #timedPage(range: KeyRange, options: PageOptions): Promise<Page> {
    const opened = this.#clock.monotonicMs()
    const page = await this.#engine.page(range, options)
    this.#longestPageMs = Math.max(this.#longestPageMs, this.#clock.monotonicMs() - opened)
    return page
  }

  async #checkDisk(): Promise<void> {
    try {
      this.#lastFreeBytes = await this.#freeBytes(this.#path)
    } catch {
      // Unknown is not full: the last figure stands, and a write that fails is loud by itself (S3).
    }
    if (this.#lifecycle !== 'open') return
    this.#cancelDiskCheck = this.#clock.after(this.#diskCheckMs, () => {
      void this.#checkDisk()
    })
  }

  /** @throws ReplogError STORE_FAILED after a rejected write, CLOSED */
  assertWritable(): void {
    if (this.#failure !== undefined) {
      throw new ReplogError(
        'STORE_FAILED',
        'the store refused an earlier write and takes nothing more; repair the cause and restart the server',
        { cause: this.#failure },
      )
    }
    if (this.#lifecycle !== 'open') throw new ReplogError('CLOSED', `the store is ${this.#lifecycle}`)
  }
}

class OpenGroup implements CommitGroup {
  #batch: EngineBatch | undefined
  operations = 0
  bytes = 0

  constructor(batch: EngineBatch) {
    this.#batch = batch
  }

  add(writeSet: WriteSet): void {
    const batch = this.#open()
    const { keys, afters } = writeSet
    for (let at = 0; at < keys.length; at++) {
      const key = keys[at]!
      const after = afters[at]
      if (after === undefined) batch.del(key)
      else batch.put(key, seal(key, after))
    }
    this.operations += keys.length
    this.bytes += writeSet.bytes
  }

  addSealed(key: Uint8Array, value: Buffer): void {
    unseal(key, value)
    this.#open().put(key, value)
    this.operations++
    this.bytes += key.length + value.length
  }

  addFrame(lsn: Lsn, segment: number, frame: Uint8Array): void {
    const key = scratchLogKey(lsn, segment)
    this.#open().put(key, frame)
    this.operations++
    this.bytes += key.length + frame.length
  }

  take(): EngineBatch {
    const batch = this.#open()
    assert(this.operations > 0, 'a commit writes something')
    this.#batch = undefined
    return batch
  }

  async discard(): Promise<void> {
    await this.#open().discard()
    this.#batch = undefined
  }

  #open(): EngineBatch {
    assert(this.#batch !== undefined, 'a group is committed or discarded once')
    return this.#batch
  }
}

function unsealed(entry: Entry): Entry {
  return { key: entry.key, value: unseal(entry.key, entry.value) }
}

async function freeBytesOf(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

/**
 * The log and the rows that are its fold, in one store: what a primary and a replica have in common.
 *
 * `append` takes a transaction that is already ordered, encoded and applied to effects, and puts it into the open group.
 * While one group's batch is in the device the next one fills. When the batch's fsync has returned, and only then, the
 * durable position moves, the frames enter the tail, and the waiters are told: disk, then memory, then network.
 *
 * Invariants:
 * - durable <= head; head and the rows in `versions` run ahead of durable by the groups in flight and open;
 * - the position is the last frame of the log; there is no second place that could disagree; (G7)
 * - rows, index entries, dictionary, counters and frames of a transaction are in the one batch of its group; (G1)
 * - after a rejected batch nothing more is accepted. (G10)
 */
import assert from 'node:assert/strict'
import { type Clock, every } from '../core/clock.js'
import { ReplogError } from '../core/errors.js'
import { SNAPSHOT_AGE_MS_MAX } from '../core/limits.js'
import { type Lsn, type Position, nextLsn } from '../core/position.js'
import { Dictionary, type ReadKey } from '../ddl/dictionary.js'
import { idempotencyKey } from '../store/keys.js'
import type { Store } from '../store/store.js'
import type { RecentVersions, Snapshot } from '../store/versions.js'
import { WriteSet } from '../store/write-set.js'
import type { DefinitionStatement } from './codec/message.js'
import type { Effects } from './effects.js'
import { type CommitWaiter, Group } from './group.js'
import type { ServerIdentity } from './identity.js'
import { IDS_META, type IdCounters } from './id-counters.js'
import { LOG_BYTES_META, encodeLogBytes } from './log-bytes.js'
import { LOG_FLOOR_META, type LogFloor, encodeLogFloor, logBeginning } from './log-floor.js'
import { type CopiedOutcomes, encodeStoredOutcome } from './stored-outcome.js'
import { Statistics } from './statistics.js'
import { RunningSnapshots } from './snapshot/running-snapshots.js'
import type { TableFilter } from './table-filter.js'
import { ToldWaiters } from './told-waiters.js'
import { Verification } from './verify/verification.js'
import type { DurableTransactions, LogTail } from './tail.js'

export interface OpenedState {
  readonly filter?: TableFilter | undefined
  readonly clock: Clock
  readonly store: Store
  readonly versions: RecentVersions
  readonly tail: LogTail
  readonly identity: ServerIdentity
  readonly position: Position
  readonly logBytes: bigint
  readonly ids: IdCounters
  readonly floor: LogFloor
  readonly copiedOutcomes?: CopiedOutcomes | undefined
  /** Commit timestamp of the last transaction, in microseconds. */
  readonly lastCommitUs: bigint
}

export interface AppendedTransaction {
  /** Position after the transaction. */
  readonly position: Position
  /** The catalog that its rows and tables are in. */
  readonly catalogId: number
  readonly commitTimestampUs: bigint
  readonly frames: readonly Buffer[]
  readonly effects: Effects
  /** Kept for repetitions of the key. */
  readonly repetition?: Repetition | undefined
}

export interface Repetition {
  readonly catalogId: number
  readonly idempotencyKey: string
  readonly outcome: Uint8Array | undefined
}

interface DurableWaiter extends CommitWaiter {
  readonly lsn: Lsn
}

const SNAPSHOT_SWEEP_MS = 1000

/** Called after each durable group, in order. */
export type DurableListener = (durable: DurableTransactions) => void

export type DefinitionsListener = (definitions: readonly DefinitionStatement[]) => void

export class ReplicatedState {
  readonly store: Store
  readonly versions: RecentVersions
  readonly tail: LogTail
  readonly dictionary = new Dictionary()
  readonly statistics: Statistics
  /** Of a replica that holds only some tables; undefined where all are held. */
  filter: TableFilter | undefined
  /** Copies of this server that are being sent. */
  readonly snapshots = new RunningSnapshots()
  /** What is known of the soundness of this copy. */
  readonly verification = new Verification()
  readonly #clock: Clock
  readonly #cancelSweep: () => void
  readonly #ids: IdCounters
  readonly #durableListeners = new Set<DurableListener>()
  readonly #definitionListeners = new Set<DefinitionsListener>()
  readonly #roomListeners = new Set<() => void>()
  /** Why the floor was raised, as a clause about the log; undefined when it never was, or nobody knows. */
  floorCause: string | undefined
  #identity: ServerIdentity
  #floor: LogFloor
  readonly #copied: CopiedOutcomes | undefined
  #lastCommitUs: bigint
  #head: Position
  #durable: Position
  #headLogBytes: bigint
  #durableLogBytes: bigint
  #definitionLsn: Lsn
  /** Of node-local writes that are asked for, until the store has them. */
  readonly #localValues = new Map<string, { readonly value: Buffer | undefined; readonly group: Group }>()
  #open = new Group()
  #inFlight: Group | undefined
  #flushScheduled = false
  #closed = false
  readonly #told = new ToldWaiters(() => this.#open.waiters.length + (this.#inFlight?.waiters.length ?? 0))
  readonly #durableWaiters = new Set<DurableWaiter>()
  readonly #failureListeners = new Set<() => void>()

  constructor(opened: OpenedState) {
    this.#clock = opened.clock
    this.filter = opened.filter
    this.store = opened.store
    this.versions = opened.versions
    this.tail = opened.tail
    this.statistics = new Statistics(opened.store)
    this.#identity = opened.identity
    this.#lastCommitUs = opened.lastCommitUs
    this.#floor = opened.floor
    this.#copied = opened.copiedOutcomes
    this.#head = opened.position
    this.#durable = opened.position
    this.#definitionLsn = opened.position.lsn
    this.#headLogBytes = opened.logBytes
    this.#durableLogBytes = opened.logBytes
    this.#ids = opened.ids
    this.#cancelSweep = every(opened.clock, SNAPSHOT_SWEEP_MS, () => {
      this.versions.giveUpOpenedBefore(opened.clock.monotonicMs() - SNAPSHOT_AGE_MS_MAX)
    })
  }

  get identity(): ServerIdentity {
    return this.#identity
  }

  /** Commit timestamp of the transaction at the head, in microseconds. */
  get lastCommitUs(): bigint {
    return this.#lastCommitUs
  }

  /** The last transaction in order; it may not be durable yet. For the commit lane and the applier only. (G2) */
  get head(): Position {
    return this.#head
  }

  /** The last transaction whose fsync returned: what readers may see. */
  get durable(): Position {
    return this.#durable
  }

  /** Bytes of all frames ever written up to the durable position, trimmed ones included. */
  get logBytes(): bigint {
    return this.#durableLogBytes
  }

  /** The same up to the head; for the applier. */
  get headLogBytes(): bigint {
    return this.#headLogBytes
  }

  /** LSN of the last transaction that changed a definition; at a snapshot from there on, names mean what they mean now. */
  get definitionLsn(): Lsn {
    return this.#definitionLsn
  }

  /** Where the log begins. */
  get floor(): LogFloor {
    return this.#floor
  }

  /** LSN of the oldest transaction in the log, minus one. */
  get trimFloor(): Lsn {
    return this.#floor.position.lsn
  }

  /** Outcomes of idempotency keys up to this LSN have expired. */
  get outcomeFloor(): Lsn {
    const { trimFloor } = this
    return this.#copied !== undefined && this.#copied.logFloor === trimFloor ? this.#copied.outcomeFloor : trimFloor
  }

  get ids(): IdCounters {
    return this.#ids
  }

  get failed(): boolean {
    return this.store.failure !== undefined
  }

  get closed(): boolean {
    return this.#closed
  }

  /** True while the open group takes another transaction. */
  get hasRoom(): boolean {
    return !this.#open.isFull
  }

  onDurable(listener: DurableListener): () => void {
    this.#durableListeners.add(listener)
    return () => this.#durableListeners.delete(listener)
  }

  /** Called once, when a rejected batch has poisoned the store. */
  onFailed(listener: () => void): () => void {
    this.#failureListeners.add(listener)
    return () => this.#failureListeners.delete(listener)
  }

  /** Called after each group, when the open one has room again. */
  onRoom(listener: () => void): () => void {
    this.#roomListeners.add(listener)
    return () => this.#roomListeners.delete(listener)
  }

  /** Called after a durable group in which a definition changed, with the statements of all of its transactions. */
  onDefinitionsDurable(listener: DefinitionsListener): () => void {
    this.#definitionListeners.add(listener)
    return () => this.#definitionListeners.delete(listener)
  }

  /** Reads the newest state in commit order, durable or not: for the lane and the applier only. */
  readonly readNewest: ReadKey = (key, text) => {
    if (this.#localValues.size > 0) {
      const local = this.#localValues.get(text)
      if (local !== undefined) return local.value
    }
    const recent = this.versions.newest(text)
    return recent === undefined ? this.store.get(key) : recent.value
  }

  /** Reads the durable state. What is read without a pause is of one LSN, for which no snapshot is needed. */
  readonly readDurable: ReadKey = (key, text) => {
    const changed = this.versions.atDurable(text, this.#durable.lsn)
    return changed === undefined ? this.store.get(key) : changed.value
  }

  /** A snapshot of the durable state; close it, or it holds memory. */
  openSnapshot(): Snapshot {
    this.assertOpen()
    return this.versions.open(this.#durable.lsn, this.#clock.monotonicMs())
  }

  /** The value of a key at a snapshot. @throws ReplogError SNAPSHOT_TOO_OLD */
  readAt(snapshot: Snapshot, key: Buffer, text: string): Buffer | undefined {
    const changed = this.versions.at(text, snapshot)
    return changed === undefined ? this.store.get(key) : changed.value
  }

  assertOpen(): void {
    if (this.#closed) throw new ReplogError('CLOSED', 'the server is shutting down')
  }

  /**
   * Puts an ordered transaction into the open group. `waiter` is settled once, never before this returns.
   * @throws ReplogError CLOSED, STORE_FAILED
   */
  append(transaction: AppendedTransaction, waiter: CommitWaiter): void {
    this.assertOpen()
    this.store.assertWritable()
    const { position, frames, effects, repetition } = transaction
    const { lsn } = position
    assert(lsn === nextLsn(this.#head.lsn), 'LSNs are dense')
    const group = this.#open

    // Reads the statistics that it needs first: from `record` on nothing may throw.
    this.statistics.load(effects, transaction.catalogId)
    const batch = (group.batch ??= this.store.group())
    if (repetition !== undefined) {
      const { catalogId, idempotencyKey: key, outcome } = repetition
      effects.writes.put(idempotencyKey(catalogId, key), encodeStoredOutcome(position, outcome))
    }
    this.versions.record(lsn, effects.writes)
    if (this.#localValues.size > 0) for (const text of effects.writes.texts) this.#localValues.delete(text)
    this.statistics.count(effects, transaction.catalogId, group.statistics)

    // Keys of the log and counters have one version each, so they are not recorded for snapshots.
    batch.add(effects.writes)
    let bytes = 0
    for (let segment = 0; segment < frames.length; segment++) {
      const frame = frames[segment]!
      batch.addFrame(lsn, segment, frame)
      bytes += frame.length
    }
    if (effects.definitions !== undefined) {
      this.#definitionLsn = lsn
      group.definitions.push(...effects.definitions)
      this.#ids.noteUsed(effects.definitions)
      const counters = new WriteSet()
      counters.put(IDS_META, this.#ids.encodeUsed(), undefined)
      batch.add(counters)
    }
    this.tail.stage({ lsn, frames, bytes, commitTimestampUs: transaction.commitTimestampUs })
    group.transactions++
    group.frameBytes += bytes
    group.commitTimestampUs = transaction.commitTimestampUs
    group.waiters.push(waiter)
    group.position = position
    this.#head = position
    this.#lastCommitUs = transaction.commitTimestampUs
    this.#headLogBytes += BigInt(bytes)
    this.#scheduleFlush()
  }

  /**
   * Binds an empty store to the cluster whose log it is about to copy. `writes` goes into a batch no later than that of
   * the first frame, so there is no state on disk with frames of an unknown cluster. Resolves when it is durable.
   */
  adoptCluster(clusterId: Buffer, start: Position, writes: WriteSet): Promise<void> {
    assert(this.#identity.clusterId === undefined && this.#head.lsn === 0n, 'a server joins one cluster, once')
    const durable = this.appendLocal(writes)
    this.#identity = { ...this.#identity, clusterId }
    this.#floor = logBeginning(clusterId)
    this.#head = start
    this.#durable = start
    return durable
  }

  /**
   * Gives the log up to a transaction away. It is durable before it shows, so when this resolves, and not before, the
   * frames up to there may be deleted.
   * @throws ReplogError CLOSED, STORE_FAILED, COMMIT_UNKNOWN
   */
  async raiseFloor(floor: LogFloor): Promise<void> {
    const { lsn } = floor.position
    assert(lsn > this.trimFloor && lsn <= this.#durable.lsn, 'the floor rises, up to what is durable')
    const writes = new WriteSet()
    writes.put(LOG_FLOOR_META, encodeLogFloor(floor))
    await this.appendLocal(writes)
    assert(lsn > this.trimFloor, 'one raises the floor at a time')
    this.#floor = floor
  }

  /**
   * Node-local writes (jobs) in the next group; they are in no log. `isRead`: the lane or the applier asks for the keys, so
   * that they are known here before the store has them.
   */
  appendLocal(writes: WriteSet, { isRead = false } = {}): Promise<void> {
    this.assertOpen()
    this.store.assertWritable()
    const group = this.#open
    if (isRead) this.#overlay(writes, group)
    ;(group.batch ??= this.store.group()).add(writes)
    this.#scheduleFlush()
    return new Promise((resolve, reject) => {
      group.waiters.push({
        settle(error) {
          if (error === undefined) resolve()
          else reject(error)
        },
      })
    })
  }

  #overlay({ texts, afters }: WriteSet, group: Group): void {
    for (const [ordinal, text] of texts.entries()) {
      const value = afters[ordinal]
      this.#localValues.set(text, { value, group })
      this.versions.overwriteNewest(text, value)
      group.localTexts.push(text)
    }
  }

  /** Settles the waiter when everything at the head is durable: now, or with the group that has it. */
  afterHead(waiter: CommitWaiter): void {
    if (this.#durable.lsn >= this.#head.lsn) {
      waiter.settle(undefined)
      return
    }
    const group = this.#open.position === undefined ? this.#inFlight! : this.#open
    group.waiters.push({
      settle(error) {
        // Whoever only waits for others has no outcome that could be unknown.
        waiter.settle(error === undefined ? undefined : storeFailed(error))
      },
    })
  }

  /**
   * Resolves when the LSN is durable here, or when the signal is aborted.
   * @throws ReplogError STORE_FAILED, CLOSED when that cannot happen any more
   */
  async whenDurable(lsn: Lsn, signal?: AbortSignal): Promise<void> {
    if (lsn <= this.#durable.lsn || signal?.aborted === true) return
    this.assertOpen()
    this.store.assertWritable()
    await new Promise<void>((resolve, reject) => {
      const waiter: DurableWaiter = {
        lsn,
        settle: (error) => {
          this.#durableWaiters.delete(waiter)
          signal?.removeEventListener('abort', stop)
          if (error === undefined) resolve()
          else reject(error)
        },
      }
      const stop = (): void => {
        waiter.settle(undefined)
      }
      signal?.addEventListener('abort', stop)
      this.#durableWaiters.add(waiter)
    })
  }

  /** Takes no more, finishes the groups that were taken, and closes the store. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#cancelSweep()
    while (!this.failed && (this.#inFlight !== undefined || !this.#open.isEmpty)) {
      const last = this.#open.isEmpty ? this.#inFlight! : this.#open
      await new Promise<void>((resolve) => {
        last.waiters.push({
          settle() {
            resolve()
          },
        })
      })
    }
    this.#told.tellAll()
    this.#settleDurableWaiters(new ReplogError('CLOSED', 'the server is shutting down'))
    await this.store.close()
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#inFlight !== undefined) return
    this.#flushScheduled = true
    queueMicrotask(() => {
      this.#flushScheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const group = this.#open
    if (this.#inFlight !== undefined || group.batch === undefined) return
    this.#open = new Group()
    this.#inFlight = group
    group.batch.add(this.#derivedWrites(group))
    const logBytes = this.#headLogBytes
    this.store.commit(group.batch).then(
      () => {
        this.#committed(group, logBytes)
      },
      (error: unknown) => {
        this.#commitFailed(group, error)
      },
    )
  }

  /** The counters that the group's transactions moved, once per group. */
  #derivedWrites(group: Group): WriteSet {
    const writes = new WriteSet()
    this.statistics.write(group.statistics, writes)
    if (group.position !== undefined) {
      writes.put(LOG_BYTES_META, encodeLogBytes(group.position.lsn, this.#headLogBytes), undefined)
    }
    return writes
  }

  #committed(group: Group, logBytes: bigint): void {
    this.#inFlight = undefined
    for (const text of group.localTexts) {
      if (this.#localValues.get(text)?.group === group) this.#localValues.delete(text)
    }
    if (group.position !== undefined) {
      assert(group.position.lsn > this.#durable.lsn, 'the durable position moves forwards')
      this.#durable = group.position
      this.#durableLogBytes = logBytes
      this.statistics.publish(group.statistics)
    }
    // The device is kept busy first; everything below only tells others.
    this.#flush()
    this.versions.prune(this.#durable.lsn)
    const durable = durableTransactions(group)
    if (durable !== undefined) this.tail.publish(durable)
    this.#told.tell(group.waiters)
    if (durable !== undefined) this.#announce(group, durable)
    for (const listener of this.#roomListeners) listener()
  }

  #announce(group: Group, durable: DurableTransactions): void {
    for (const listener of this.#durableListeners) listener(durable)
    if (group.definitions.length > 0) for (const listener of this.#definitionListeners) listener(group.definitions)
    for (const waiter of this.#durableWaiters) if (waiter.lsn <= this.#durable.lsn) waiter.settle(undefined)
  }

  #commitFailed(group: Group, cause: unknown): void {
    // A bug of ours is no outcome of a commit.
    if (cause instanceof assert.AssertionError) throw cause
    const never = this.#open
    this.#inFlight = undefined
    this.#open = new Group()
    // The open group was not handed to the device, but its transactions rest on those that were.
    void never.batch?.discard()
    this.#told.tellAll()
    const failed = [...group.waiters, ...never.waiters]
    const error =
      cause instanceof ReplogError
        ? cause
        : new ReplogError('COMMIT_UNKNOWN', 'the store failed during the commit; its outcome is not known', { cause })
    for (const waiter of failed) waiter.settle(error)
    this.#settleDurableWaiters(storeFailed(error))
    for (const listener of this.#failureListeners) listener()
  }

  #settleDurableWaiters(error: ReplogError): void {
    for (const waiter of this.#durableWaiters) waiter.settle(error)
  }
}

function durableTransactions(group: Group): DurableTransactions | undefined {
  const { position, commitTimestampUs, transactions, frameBytes } = group
  return position && { lsn: position.lsn, commitTimestampUs, transactions, bytes: frameBytes }
}

function storeFailed(cause: ReplogError): ReplogError {
  return new ReplogError('STORE_FAILED', 'the store failed; repair the cause and restart the server', { cause })
}

/**
 * Verified frames in, one batch per group out: the replica's side of the log.
 *
 * Bytes are verified (checksum, density, digest) as they arrive and applied as long as the open group has room; the rest
 * waits here, and the link is paused when that is too much. While one group is in the device the next one fills, so many
 * transactions share an fsync.
 *
 * Invariants:
 * - durable (= applied) <= received; both only grow; (G7)
 * - a frame that does not continue the log is not applied, nor anything behind it; (G8)
 * - rows, dictionary and log copy of a transaction are in one batch, so a crash cannot apply it twice. (G1)
 */
import { REPLICA_BUFFER_BYTES_MAX, SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../core/limits.js'
import { type TableSource, applyTransaction, storagesToRead } from '../log/apply.js'
import type { CommittedRows, StoredRow } from '../log/committed-rows.js'
import { type EndedBuild, buildsEndedBy } from '../log/apply-definition.js'
import type { BackgroundJobs } from '../log/background-jobs.js'
import type { Statement, Transaction, VerifyMarker } from '../log/codec/message.js'
import { decodeTransaction } from '../log/codec/transaction-codec.js'
import { Effects } from '../log/effects.js'
import type { CommitWaiter } from '../log/group.js'
import type { LogPoint } from '../log/link/protocol.js'
import { clusterWrites } from '../log/identity.js'
import { startOf } from '../log/log-floor.js'
import type { Repetition, ReplicatedState } from '../log/replicated-state.js'
import { compareMarker, divergedError, markerOf } from '../log/verify/compare-marker.js'
import { keyText, prefixRange, rowPrefix } from '../store/keys.js'
import { ReceivedLog, type ReceivedTransaction } from './received-log.js'

export class Applier {
  readonly #state: ReplicatedState
  readonly #jobs: BackgroundJobs
  readonly #onFault: (error: unknown) => void
  readonly #tables: TableSource
  readonly #committed: CommittedRows
  /** The same for all transactions: each is told of the failure of its group. */
  readonly #waiter: CommitWaiter
  /** What one transaction does; given away before the next one. */
  readonly #effects = new Effects()
  readonly #stopListening: () => void
  #received: ReceivedLog
  #applied: LogPoint
  #faulted = false
  /** What is awaited before the first of the waiting transactions can be applied; a new object for each. */
  #preparing: object | undefined
  /** The cluster that an empty replica is about to join: it does with the first frame that continues its genesis. */
  #joining: Buffer | undefined

  /** `onFault` is told about a transaction that cannot be applied; nothing is applied after it until `restart`. */
  constructor(state: ReplicatedState, jobs: BackgroundJobs, onFault: (error: unknown) => void) {
    this.#state = state
    this.#jobs = jobs
    this.#onFault = onFault
    this.#tables = (tableId, version) => state.dictionary.tableVersion(state.readNewest, tableId, version)
    this.#committed = { read: state.readNewest, rows: () => [] }
    this.#waiter = {
      settle(error) {
        if (error !== undefined) onFault(error)
      },
    }
    this.#received = new ReceivedLog(state.head, pointOf(state))
    this.#applied = this.#received.end
    const stopDurable = state.onDurable(({ lsn, commitTimestampUs: commitUs }) => {
      this.#applied = { lsn, bytes: state.logBytes, commitUs }
    })
    const stopRoom = state.onRoom(() => {
      this.#applyWaiting()
    })
    this.#stopListening = () => {
      stopDurable()
      stopRoom()
    }
  }

  /** The last transaction that arrived whole and verified. */
  get received(): LogPoint {
    return this.#received.end
  }

  /** The last transaction that is on disk and visible; both happen in the same batch. */
  get applied(): LogPoint {
    return this.#applied
  }

  /** True when the link should be paused until waiting transactions are applied. */
  get isFull(): boolean {
    return this.#received.waitingBytes >= REPLICA_BUFFER_BYTES_MAX
  }

  /** Nothing that was received waits to be applied, or nothing of it can be any more. */
  get isIdle(): boolean {
    return this.#preparing === undefined && (this.#faulted || this.#received.waiting === 0)
  }

  /** The link is lost: what was received and not yet applied is forgotten, so that the head stands still. */
  drop(): void {
    this.#faulted = true
    this.#preparing = undefined
    this.#received = new ReceivedLog(this.#state.head, pointOf(this.#state))
  }

  /**
   * Starts anew after the last applied transaction: what was received beyond it comes again.
   * @param clusterId of the primary that let this replica in
   */
  restart(clusterId: Buffer): void {
    const { head, identity } = this.#state
    this.#faulted = false
    this.#joining = identity.clusterId === undefined ? clusterId : undefined
    const start = this.#joining === undefined ? head : startOf(clusterId)
    this.#received = new ReceivedLog(start, pointOf(this.#state))
  }

  /**
   * Takes whole frames, back to back.
   * @throws ReplogError CORRUPT, LOG_GAP, DIVERGED, FENCED, UNSUPPORTED_VERSION; the frames before the bad one are kept
   */
  take(bytes: Buffer): void {
    this.#received.take(bytes)
    this.#applyWaiting()
  }

  stop(): void {
    this.drop()
    this.#stopListening()
  }

  /** A transaction continued the cluster's genesis, so this is the cluster; noted no later than with it. */
  #join(): void {
    const clusterId = this.#joining
    if (clusterId === undefined) return
    this.#joining = undefined
    this.#state.adoptCluster(clusterId, startOf(clusterId), clusterWrites(clusterId)).catch(this.#onFault)
  }

  #applyWaiting(): void {
    const received = this.#received
    try {
      while (!this.#faulted && this.#preparing === undefined && received.waiting > 0 && this.#state.hasRoom) {
        this.#join()
        const next = received.next()
        const transaction = decodeTransaction(next.payloads)
        if (!transaction.statements.every(isOfRows)) {
          const marker = markerOf(transaction.statements)
          if (marker !== undefined && !this.#verify(transaction, marker)) return
          const storageIds = storagesToRead(transaction)
          const builds = buildsEndedBy(transaction)
          if (storageIds.length > 0 || builds.length > 0) {
            this.#prepare(storageIds, builds, (rows) => {
              const { readNewest: read } = this.#state
              this.#apply(next, transaction, { read, rows: (storageId) => rows.get(storageId) ?? [] })
            })
            return
          }
        }
        this.#apply(next, transaction, this.#committed)
      }
    } catch (error) {
      this.#faulted = true
      this.#onFault(error)
    }
  }

  /**
   * Before a transaction that makes an index or says that one is built: waits for the index here, and reads the rows that
   * it is made of. Nothing is applied meanwhile, so the rows are those of this place in the log.
   */
  #prepare(
    storageIds: readonly number[],
    builds: readonly EndedBuild[],
    apply: (rows: ReadonlyMap<number, readonly StoredRow[]>) => void,
  ): void {
    const preparing = {}
    this.#preparing = preparing
    const fault = (error: unknown): void => {
      this.#faulted = true
      this.#onFault(error)
    }
    this.#rowsWhenBuilt(storageIds, builds).then(
      (rows) => {
        // Otherwise the link was lost meanwhile, and the transaction comes again.
        if (this.#preparing !== preparing) return
        this.#preparing = undefined
        try {
          apply(rows)
        } catch (error) {
          fault(error)
        }
        this.#applyWaiting()
      },
      (error: unknown) => {
        if (this.#preparing !== preparing) return
        this.#preparing = undefined
        fault(error)
      },
    )
  }

  /** Whether the tables here hold what those of the primary held at this place of the log; if not, it is told. (G8) */
  #verify({ lsn, commitTimestampUs: commitUs }: Transaction, { counts }: VerifyMarker): boolean {
    const state = this.#state
    const differences = compareMarker(state, counts)
    if (differences.length === 0) {
      state.verification.marker = { lsn, commitUs, tables: counts.length }
      return true
    }
    this.#faulted = true
    divergedError(state, lsn - 1n, differences).then(this.#onFault, this.#onFault)
    return false
  }

  async #rowsWhenBuilt(
    storageIds: readonly number[],
    builds: readonly EndedBuild[],
  ): Promise<ReadonlyMap<number, readonly StoredRow[]>> {
    await this.#state.whenDurable(this.#state.head.lsn)
    await Promise.all(builds.map(({ storageId, indexId }) => this.#jobs.whenBuilt(storageId, indexId)))
    const rows = new Map<number, readonly StoredRow[]>()
    for (const storageId of storageIds) rows.set(storageId, await this.#readRows(storageId))
    return rows
  }

  async #readRows(storageId: number): Promise<StoredRow[]> {
    const rows: StoredRow[] = []
    const { from, to } = prefixRange(rowPrefix(storageId))
    for (let next = from; ;) {
      const page = await this.#state.store.page(
        { from: next, to },
        { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
      )
      for (const { key, value } of page.entries) rows.push({ text: keyText(key), value })
      if (page.exhausted) return rows
      next = Buffer.concat([page.entries.at(-1)!.key, Buffer.of(0)])
    }
  }

  #apply({ position, frames }: ReceivedTransaction, transaction: Transaction, committed: CommittedRows): void {
    const { catalogId, commitTimestampUs } = transaction
    const effects = this.#effects
    effects.clear()
    applyTransaction(transaction, this.#tables, committed, effects)
    this.#state.store.assertSpace()
    const repetition = repetitionOf(transaction)
    this.#state.append({ position, catalogId, commitTimestampUs, frames, effects, repetition }, this.#waiter)
  }
}

/** Where the log of a state ends. */
function pointOf({ head, headLogBytes, lastCommitUs }: ReplicatedState): LogPoint {
  return { lsn: head.lsn, bytes: headLogBytes, commitUs: lastCommitUs }
}

function isOfRows(statement: Statement): boolean {
  return 'rows' in statement
}

function repetitionOf({ catalogId, idempotencyKey, outcome }: Transaction): Repetition | undefined {
  return idempotencyKey === undefined ? undefined : { catalogId, idempotencyKey, outcome }
}

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
 * - of a transaction that an operator told it to skip, the log copy is kept all the same; (G7)
 * - what cannot be applied is remembered by its position until it is, so that only that can be skipped.
 */
import { type ErrorCode, isReplogError } from '../core/errors.js'
import { REPLICA_BUFFER_BYTES_MAX, SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../core/limits.js'
import { type TableSource, applyTransaction, storagesToRead } from '../log/apply.js'
import type { CommittedRows, StoredRow } from '../log/committed-rows.js'
import { type EndedBuild, buildsEndedBy } from '../log/apply-definition.js'
import type { BackgroundJobs } from '../log/background-jobs.js'
import type { Position } from '../core/position.js'
import type { Statement, Transaction, VerifyMarker } from '../log/codec/message.js'
import { decodeTransaction, peekTransaction } from '../log/codec/transaction-codec.js'
import { Effects } from '../log/effects.js'
import type { CommitWaiter } from '../log/group.js'
import type { LogPoint } from '../log/link/protocol.js'
import { clusterWrites } from '../log/identity.js'
import { startOf } from '../log/log-floor.js'
import type { AppendedTransaction, Repetition, ReplicatedState } from '../log/replicated-state.js'
import { compareMarker, divergedError, markerOf } from '../log/verify/compare-marker.js'
import { keyText, prefixRange, rowPrefix } from '../store/keys.js'
import { WriteSet } from '../store/write-set.js'
import type { ApplyGate } from './apply-gate.js'
import { ReceivedLog, type ReceivedTransaction } from './received-log.js'
import type { ReplicationControl } from './replication-control.js'

/** Faults of the server and its disk, with which no transaction can be applied. */
const OF_THE_SERVER: ReadonlySet<ErrorCode> = new Set(['DISK_FULL', 'STORE_FAILED', 'COMMIT_UNKNOWN', 'CLOSED'])

export class Applier {
  readonly #state: ReplicatedState
  readonly #jobs: BackgroundJobs
  readonly #gate: ApplyGate
  readonly #control: ReplicationControl
  readonly #onFault: (error: unknown) => void
  readonly #tables: TableSource
  readonly #committed: CommittedRows
  /** Undefined where every table is held. */
  readonly #holds: ((storageId: number) => boolean) | undefined
  /** What the next transaction decides about the filter; it is written with it. */
  #filterWrites: WriteSet | undefined
  /** The same for all transactions: each is told of the failure of its group. */
  readonly #waiter: CommitWaiter
  /** What one transaction does; given away before the next one. */
  readonly #effects = new Effects()
  readonly #stopListening: () => void
  #received: ReceivedLog
  #applied: LogPoint
  #faulted = false
  #refused: Position | undefined
  /** What is awaited before the first of the waiting transactions can be applied; a new object for each. */
  #preparing: object | undefined
  /** The cluster that an empty replica is about to join: it does with the first frame that continues its genesis. */
  #joining: Buffer | undefined

  /** `onFault` is told about a transaction that cannot be applied; nothing is applied after it until `restart`. */
  constructor(
    state: ReplicatedState,
    jobs: BackgroundJobs,
    gate: ApplyGate,
    control: ReplicationControl,
    onFault: (error: unknown) => void,
  ) {
    this.#state = state
    this.#jobs = jobs
    this.#gate = gate
    this.#control = control
    this.#onFault = onFault
    this.#tables = (tableId, version) => state.dictionary.tableVersion(state.readNewest, tableId, version)
    const { filter } = state
    this.#holds = filter && ((storageId) => filter.holds(storageId))
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

  /** The transaction that could not be applied, as long as that is so. */
  get refused(): Position | undefined {
    return this.#refused
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
    this.#gate.stop()
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

  /** Applies what the gate let not through before. */
  proceed(): void {
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
    let next: ReceivedTransaction | undefined
    try {
      while (!this.#faulted && this.#preparing === undefined && received.waiting > 0 && this.#state.hasRoom) {
        if (!this.#gate.isOpen && !this.#gate.admits(received.nextCommitUs())) return
        this.#join()
        next = received.next()
        if (this.#control.isSkipped(next.position)) {
          this.#skip(next)
          continue
        }
        const transaction = decodeTransaction(next.payloads)
        if (!transaction.statements.every(isOfRows)) {
          const marker = markerOf(transaction.statements)
          if (marker !== undefined && !this.#verify(transaction, marker)) {
            this.#refused = next.position
            return
          }
          const { filter } = this.#state
          const decided = filter?.note(transaction.statements, this.#state.dictionary, this.#state.readNewest) === true
          if (decided) {
            this.#filterWrites = new WriteSet()
            filter.write(this.#filterWrites)
          }
          const storageIds = storagesToRead(transaction).filter((id) => filter?.holds(id) !== false)
          const builds = buildsEndedBy(transaction)
          if (storageIds.length > 0 || builds.length > 0) {
            const prepared = next
            this.#prepare(prepared.position, storageIds, builds, (rows) => {
              const { readNewest: read } = this.#state
              this.#apply(prepared, transaction, { read, rows: (storageId) => rows.get(storageId) ?? [] })
            })
            return
          }
        }
        this.#apply(next, transaction, this.#committed)
      }
    } catch (error) {
      this.#refuse(next?.position, error)
    }
  }

  #refuse(position: Position | undefined, error: unknown): void {
    this.#faulted = true
    if (!isReplogError(error) || !OF_THE_SERVER.has(error.code)) this.#refused = position
    this.#onFault(error)
  }

  /** Keeps the frames of a transaction and does nothing of what they say. */
  #skip({ position, frames, payloads }: ReceivedTransaction): void {
    const { catalogId, commitTimestampUs } = peekTransaction(payloads[0]!)
    this.#effects.clear()
    this.#append({ position, catalogId, commitTimestampUs, frames, effects: this.#effects })
  }

  #append(transaction: AppendedTransaction): void {
    this.#state.store.assertSpace()
    this.#state.append(transaction, this.#waiter)
    this.#refused = undefined
    // In the batch of the transaction: nothing has been flushed since.
    if (this.#filterWrites !== undefined) this.#state.appendLocal(this.#filterWrites).catch(this.#onFault)
    this.#filterWrites = undefined
  }

  /**
   * Before a transaction that makes an index or says that one is built: waits for the index here, and reads the rows that
   * it is made of. Nothing is applied meanwhile, so the rows are those of this place in the log.
   */
  #prepare(
    position: Position,
    storageIds: readonly number[],
    builds: readonly EndedBuild[],
    apply: (rows: ReadonlyMap<number, readonly StoredRow[]>) => void,
  ): void {
    const preparing = {}
    this.#preparing = preparing
    this.#rowsWhenBuilt(storageIds, builds).then(
      (rows) => {
        // Otherwise the link was lost meanwhile, and the transaction comes again.
        if (this.#preparing !== preparing) return
        this.#preparing = undefined
        try {
          apply(rows)
        } catch (error) {
          this.#refuse(position, error)
        }
        this.#applyWaiting()
      },
      (error: unknown) => {
        if (this.#preparing !== preparing) return
        this.#preparing = undefined
        this.#refuse(position, error)
      },
    )
  }

  /** Whether the tables here hold what those of the primary held at this place of the log; if not, it is told. (G8) */
  #verify({ lsn, commitTimestampUs: commitUs }: Transaction, { counts }: VerifyMarker): boolean {
    const state = this.#state
    const differences = compareMarker(
      state,
      this.#holds === undefined ? counts : counts.filter(({ storageId }) => this.#holds!(storageId)),
    )
    if (differences.length === 0) {
      state.verification.marker = { lsn, commitUs, tables: counts.length }
      return true
    }
    // An operator let this replica do without a transaction, which its status says for good: markers cannot be equal any more.
    if (this.#control.skips.length > 0) return true
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
    applyTransaction(transaction, this.#tables, committed, effects, this.#holds)
    const repetition = repetitionOf(transaction)
    this.#append({ position, catalogId, commitTimestampUs, frames, effects, repetition })
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

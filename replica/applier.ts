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
import { ReplogError } from '../core/errors.js'
import { REPLICA_BUFFER_BYTES_MAX, SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../core/limits.js'
import { type TableSource, applyTransaction, storagesToRead } from '../log/apply.js'
import type { CommittedRows, StoredRow } from '../log/committed-rows.js'
import { type EndedBuild, buildsEndedBy } from '../log/apply-definition.js'
import type { BackgroundJobs } from '../log/background-jobs.js'
import { ChainVerifier } from '../log/codec/chain-verifier.js'
import { type Frame, readFrame } from '../log/codec/frame.js'
import type { Transaction } from '../log/codec/message.js'
import { decodeTransaction, peekTransaction } from '../log/codec/transaction-codec.js'
import type { LogPoint } from '../log/link/protocol.js'
import { clusterWrites, startOf } from '../log/open-state.js'
import type { Repetition, ReplicatedState } from '../log/replicated-state.js'
import { keyText, prefixRange, rowPrefix } from '../store/keys.js'

interface WaitingTransaction {
  readonly frames: readonly Frame[]
  readonly bytes: number
}

const NO_ROWS: ReadonlyMap<number, readonly StoredRow[]> = new Map()

export class Applier {
  readonly #state: ReplicatedState
  readonly #jobs: BackgroundJobs
  readonly #onFault: (error: unknown) => void
  readonly #tables: TableSource
  readonly #waiting: WaitingTransaction[] = []
  readonly #stopListening: () => void
  #verifier: ChainVerifier
  #waitingBytes = 0
  #received: LogPoint
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
    this.#verifier = new ChainVerifier(state.head)
    this.#received = { lsn: state.durable.lsn, bytes: state.logBytes, commitUs: state.lastCommitUs }
    this.#applied = this.#received
    const stopDurable = state.onDurable((entries) => {
      const last = entries.at(-1)!
      this.#applied = { lsn: last.lsn, bytes: state.logBytes, commitUs: last.commitTimestampUs }
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
    return this.#received
  }

  /** The last transaction that is on disk and visible; both happen in the same batch. */
  get applied(): LogPoint {
    return this.#applied
  }

  /** True when the link should be paused until waiting transactions are applied. */
  get isFull(): boolean {
    return this.#waitingBytes >= REPLICA_BUFFER_BYTES_MAX
  }

  /** The link is lost: what was received and not yet applied is forgotten, so that the head stands still. */
  drop(): void {
    this.#faulted = true
    this.#preparing = undefined
    this.#waiting.length = 0
    this.#waitingBytes = 0
  }

  /**
   * Starts anew after the last applied transaction: what was received beyond it comes again.
   * @param clusterId of the primary that let this replica in
   */
  restart(clusterId: Buffer): void {
    const { head, identity, lastCommitUs } = this.#state
    this.#faulted = false
    this.#joining = identity.clusterId === undefined ? clusterId : undefined
    this.#verifier = new ChainVerifier(this.#joining === undefined ? head : startOf(clusterId))
    this.#received = { lsn: head.lsn, bytes: this.#state.headLogBytes, commitUs: lastCommitUs }
  }

  /**
   * Takes whole frames, back to back.
   * @throws ReplogError CORRUPT, LOG_GAP, DIVERGED, FENCED, UNSUPPORTED_VERSION; the frames before the bad one are kept
   */
  take(bytes: Buffer): void {
    for (let offset = 0; offset < bytes.length;) {
      const frame = readFrame(bytes, offset)
      if (frame === undefined) throw new ReplogError('CORRUPT', 'a frame was cut off on its way')
      offset += frame.bytes.length
      const frames = this.#verifier.push(frame)
      this.#join()
      if (frames !== undefined) this.#received = this.#enqueue(frames)
    }
    this.#applyWaiting()
  }

  stop(): void {
    this.drop()
    this.#stopListening()
  }

  /** A frame continued the cluster's genesis, so this is the cluster; noted no later than with that frame. */
  #join(): void {
    const clusterId = this.#joining
    if (clusterId === undefined) return
    this.#joining = undefined
    this.#state.adoptCluster(clusterId, startOf(clusterId), clusterWrites(clusterId)).catch(this.#onFault)
  }

  #enqueue(frames: readonly Frame[]): LogPoint {
    let bytes = 0
    for (const frame of frames) bytes += frame.bytes.length
    this.#waiting.push({ frames, bytes })
    this.#waitingBytes += bytes
    return {
      lsn: frames[0]!.lsn,
      bytes: this.#received.bytes + BigInt(bytes),
      commitUs: peekCommitUs(frames[0]!),
    }
  }

  #applyWaiting(): void {
    let taken = 0
    try {
      while (!this.#faulted && this.#preparing === undefined && taken < this.#waiting.length && this.#state.hasRoom) {
        const { frames, bytes } = this.#waiting[taken]!
        const transaction = decodeTransaction(frames.map((frame) => frame.payload))
        const storageIds = storagesToRead(transaction)
        const builds = buildsEndedBy(transaction)
        if (storageIds.length > 0 || builds.length > 0) {
          this.#prepare(storageIds, builds, (rows) => {
            this.#waiting.shift()
            this.#waitingBytes -= bytes
            this.#apply(frames, transaction, rows)
          })
          break
        }
        this.#apply(frames, transaction, NO_ROWS)
        this.#waitingBytes -= bytes
        taken++
      }
    } catch (error) {
      this.#faulted = true
      this.#onFault(error)
    }
    if (taken > 0) this.#waiting.splice(0, taken)
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

  #apply(frames: readonly Frame[], transaction: Transaction, rows: ReadonlyMap<number, readonly StoredRow[]>): void {
    const committed: CommittedRows = {
      read: this.#state.readNewest,
      rows: (storageId) => rows.get(storageId) ?? [],
    }
    const effects = applyTransaction(transaction, this.#tables, committed)
    const last = frames.at(-1)!
    this.#state.store.assertSpace()
    this.#state.append(
      {
        position: { epoch: last.epoch, lsn: last.lsn, digest: last.digest },
        catalogId: transaction.catalogId,
        commitTimestampUs: transaction.commitTimestampUs,
        frames: frames.map((frame) => frame.bytes),
        effects,
        repetition: repetitionOf(transaction),
      },
      {
        settle: (error) => {
          if (error !== undefined) this.#onFault(error)
        },
      },
    )
  }
}

function repetitionOf({ catalogId, idempotencyKey, outcome }: Transaction): Repetition | undefined {
  return idempotencyKey === undefined ? undefined : { catalogId, idempotencyKey, outcome }
}

function peekCommitUs(frame: Frame): bigint {
  return peekTransaction(frame.payload).commitTimestampUs
}

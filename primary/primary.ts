/**
 * A primary: a replicated state and a commit lane in front of it.
 *
 * Use it embedded through `Primary.open`; `replog primary` serves one over HTTP.
 */
import { ReplogError } from '../core/errors.js'
import { type Clock, every, systemClock } from '../core/clock.js'
import { ACK_REPLICAS_MAX, SCRUB_RATE_DEFAULT, VERIFY_INTERVAL_MS_DEFAULT } from '../core/limits.js'
import { requireOptions } from '../core/options.js'
import { EPOCH_FIRST, type Epoch, LSN_ZERO, type Position } from '../core/position.js'
import {
  type CatalogIdentifier,
  DEFAULT_CATALOG_NAME,
  DEFAULT_SCHEMA_NAME,
  catalogIdentifier,
} from '../ddl/identifiers.js'
import { Acknowledgements } from '../log/acknowledgements.js'
import { BackgroundJobs, type JobsView } from '../log/background-jobs.js'
import type { SchemaMessage } from '../log/codec/message.js'
import { Fence } from '../log/fence.js'
import { openState } from '../log/open-state.js'
import { LogPurger, type PurgeLogResult } from '../log/purge/log-purger.js'
import type { LogRetentionOptions, PurgeLogInput } from '../log/purge/purge-policy.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import { promotedWrites, readPromotion } from '../log/promotion.js'
import { TableNames } from '../log/table-names.js'
import { Scrub } from '../log/verify/scrub.js'
import type { Engine } from '../store/engine.js'
import { AckGate, type AckInput } from './ack-gate.js'
import { Catalog } from './catalog.js'
import { type AlterCatalogInput, type CreateCatalogInput, alteredCatalog, catalogParts } from './catalog-definition.js'
import { indexBuildLeader } from './index-build-leader.js'
import { CommitLane, type CommitResult } from './commit-lane.js'
import { type LimitOptions, resolveLimits } from './limit-options.js'
import type { Limits } from './limit-table.js'
import { LockTable } from './lock-table.js'
import { RunningProjections } from './projections/running-projections.js'
import { Quotas } from './quotas.js'
import { SubscriptionServer } from './subscriptions/subscription-server.js'
import { Transaction, type TransactionOptions } from './transaction.js'
import { Triggers } from './triggers.js'
import { VerifyMarkers } from './verify-markers.js'
import { WriteGate } from './write-gate.js'

/** How a primary is opened; only `path` is required. */
export interface PrimaryOptions {
  /** The data directory; made when it does not exist. */
  readonly path: string
  readonly clock?: Clock
  /** An engine to use instead of LevelDB at `path`; for tests and simulations. */
  readonly engine?: Engine
  /** Told about faults in background work. */
  readonly onError?: (error: unknown) => void
  /** What the server as a whole and each catalog may use; docs/LIMITS.md has the names and defaults. */
  readonly limits?: LimitOptions
  /** How safe a commit must be before it is answered, where it does not say itself; `local` when left out. */
  readonly ack?: AckInput
  /** How often a verify marker is written when tables changed, in milliseconds; 0: never. A minute when left out. */
  readonly verifyIntervalMs?: number | undefined
  /** Bytes per second that the scrub reads in the background; 0: none runs by itself. 1 MiB when left out. */
  readonly scrubBytesPerSecond?: number | undefined
  /** How much of the log is kept; all of it when left out. */
  readonly logRetention?: LogRetentionOptions | undefined
  /** Transactions that write are refused (NO_REPLICAS) while fewer replicas are connected; 0 when left out. */
  readonly minReplicas?: number | undefined
}

export interface PrimaryCounters {
  /** Transactions ordered since the start. */
  transactions: number
  /** Runs of `transaction(fn)` repeated because of a conflict. */
  retries: number
  rollbacks: number
}

const SWEEP_MS = 1000

/**
 * The server that takes writes: one data directory with all its catalogs, opened by one process at a time.
 *
 *   const primary = await Primary.open({ path: './data' })
 *   const db = primary.catalog('local')
 */
export class Primary {
  readonly state: ReplicatedState
  readonly names: TableNames
  readonly lane: CommitLane
  readonly locks: LockTable
  readonly quotas: Quotas
  /** Told how far replicas are. */
  readonly acknowledgements: Acknowledgements
  readonly acks: AckGate
  /** Whether there is a newer primary. */
  readonly fence: Fence
  /** Whether writes are taken. */
  readonly gate: WriteGate
  readonly counters: PrimaryCounters = { transactions: 0, retries: 0, rollbacks: 0 }
  /** Functions of the application that see transactions before they commit. */
  readonly triggers = new Triggers<Transaction>()
  readonly markers: VerifyMarkers
  readonly #scrub: Scrub
  readonly #clock: Clock
  /** Purges the log, and knows who needs it. */
  readonly purger: LogPurger
  /** Subscriptions of all catalogs: those that are read here, and what is known of the others. */
  readonly subscriptions: SubscriptionServer
  readonly #projections = new RunningProjections()
  readonly #jobs: BackgroundJobs
  readonly #open = new Set<Transaction>()
  readonly #cancelSweep: () => void
  /** Transactions begun since the start. */
  #begun = 0
  #closing: Promise<void> | undefined

  private constructor(state: ReplicatedState, limits: Limits, options: PrimaryOptions) {
    this.state = state
    this.#clock = options.clock ?? systemClock
    this.names = new TableNames(state)
    this.locks = new LockTable(this.#clock)
    this.quotas = new Quotas(limits, this.#clock)
    this.acknowledgements = new Acknowledgements(this.#clock)
    this.acks = new AckGate(state, this.acknowledgements, this.#clock, options.ack)
    this.fence = new Fence(state)
    this.gate = new WriteGate(this.fence, this.acknowledgements, minReplicasOf(options.minReplicas))
    this.lane = new CommitLane(state, this.names, this.#clock, this.locks, this.quotas, this.gate, this.triggers)
    const { verifyIntervalMs: intervalMs = VERIFY_INTERVAL_MS_DEFAULT, onError = () => undefined } = options
    this.markers = new VerifyMarkers(state, this.lane, this.#clock, { intervalMs, onError })
    const { scrubBytesPerSecond: bytesPerSecond = SCRUB_RATE_DEFAULT } = options
    this.#scrub = new Scrub(state, this.#clock, { bytesPerSecond, onFlaw: onError, onError })
    const leader = indexBuildLeader(state, this.lane, this.#clock)
    this.purger = new LogPurger(state, this.#clock, options.logRetention, onError)
    this.subscriptions = new SubscriptionServer(state, this.#clock, this.purger, onError)
    this.#jobs = new BackgroundJobs(state, leader, options.onError ?? (() => undefined), this.#clock)
    state.onDurable(({ transactions }) => {
      this.counters.transactions += transactions
    })
    this.#cancelSweep = every(this.#clock, SWEEP_MS, () => {
      this.#sweep()
    })
  }

  /**
   * Opens the data directory, or makes it with a new cluster, the catalog `local` and its schema `test`.
   * @throws ReplogError LOCKED, NOT_A_DATA_DIRECTORY, CORRUPT, UNSUPPORTED_VERSION, INVALID_ARGUMENT
   */
  static async open(options: PrimaryOptions): Promise<Primary> {
    const limits = resolveLimits(options.limits)
    const state = await openState({ ...options, role: 'primary', undoBytesMax: limits.server.undoBytes })
    let primary: Primary
    try {
      primary = new Primary(state, limits, options)
    } catch (error) {
      await state.close()
      throw error
    }
    try {
      const epoch = readPromotion(state.store)
      if (epoch !== undefined) await primary.#beginEpoch(epoch)
      else if (state.head.lsn === LSN_ZERO) await primary.#found()
      primary.gate.founded()
      primary.#jobs.kick()
      primary.purger.start()
      return primary
    } catch (error) {
      await primary.close()
      throw error
    }
  }

  /** The position that readers see. */
  get position(): Position {
    return this.state.durable
  }

  /** A catalog by name; that it exists is checked when it is used. @throws ReplogError INVALID_ARGUMENT */
  catalog(name: string = DEFAULT_CATALOG_NAME): Catalog {
    return new Catalog(
      {
        state: this.state,
        clock: this.#clock,
        names: this.names,
        lane: this.lane,
        quotas: this.quotas,
        acks: this.acks,
        gate: this.gate,
        triggers: this.triggers,
        consumers: this.purger.consumers,
        projections: this.#projections,
        subscriptions: this.subscriptions,
        begin: (catalog, options) => this.#begin(catalog, options),
        noteRetry: () => {
          this.counters.retries++
        },
      },
      catalogIdentifier(name),
    )
  }

  /**
   * Makes a catalog with a schema `test`.
   * @throws ReplogError ALREADY_EXISTS, INVALID_ARGUMENT, INVALID_DEFINITION
   */
  createCatalog(name: string, input: CreateCatalogInput = {}): Promise<CommitResult> {
    const catalog = catalogIdentifier(name)
    requireOptions(input)
    const parts = catalogParts(input)
    const createdUs = this.#clock.nowUs()
    const { dictionary, ids } = this.state
    return this.lane.commitDefinitions(createdUs, (read) => {
      if (dictionary.findCatalog(read, catalog) !== undefined) {
        throw new ReplogError('ALREADY_EXISTS', `catalog ${JSON.stringify(name)} exists already`)
      }
      const id = ids.allocate('catalog')
      const schemaId = ids.allocate('schema')
      return {
        catalogId: id,
        statements: [
          { kind: 'createCatalog', after: { id, name, createdUs, ...parts } },
          { kind: 'createSchema', after: defaultSchema(schemaId, id, createdUs) },
        ],
      }
    })
  }

  /**
   * Changes the comment and the options of a catalog; what is not given stays.
   * @returns `altered` false when it was like that already: nothing was written
   * @throws ReplogError NOT_FOUND, INVALID_DEFINITION
   */
  alterCatalog(
    name: string,
    input: AlterCatalogInput,
  ): Promise<{ readonly altered: boolean; readonly position: Position }> {
    const catalog = catalogIdentifier(name)
    requireOptions(input)
    let altered = false
    return this.lane
      .commitDefinitions(this.#clock.nowUs(), (read) => {
        const before = this.state.dictionary.catalog(read, catalog)
        const after = alteredCatalog(before, input)
        if (after === undefined) return undefined
        altered = true
        return { catalogId: before.id, statements: [{ kind: 'alterCatalog', before, after }] }
      })
      .then(({ position }) => ({ altered, position }))
  }

  /**
   * Drops a catalog with everything in it; its data is deleted in the background. Transactions that use it conflict.
   * @throws ReplogError NOT_FOUND; INVALID_ARGUMENT for `local`
   */
  dropCatalog(name: string): Promise<CommitResult> {
    const catalog = catalogIdentifier(name)
    if (name === DEFAULT_CATALOG_NAME) {
      throw new ReplogError(
        'INVALID_ARGUMENT',
        `catalog ${DEFAULT_CATALOG_NAME} is there for good; drop its tables instead`,
      )
    }
    return this.lane.commitDefinitions(this.#clock.nowUs(), (read) => {
      const before = this.state.dictionary.catalog(read, catalog)
      return { catalogId: before.id, statements: [{ kind: 'dropCatalog', before }] }
    })
  }

  /**
   * Purges the oldest part of the log: what no replica needs that is here or was here lately. Resolves when the space is
   * given back. @throws ReplogError INVALID_ARGUMENT, CORRUPT, CLOSED
   */
  purgeLog(input: PurgeLogInput): Promise<PurgeLogResult> {
    return this.purger.purge(input)
  }

  /** Open transactions. */
  get openTransactions(): number {
    return this.#open.size
  }

  /** The durable background jobs of this server. */
  get jobs(): JobsView {
    return this.#jobs
  }

  /** Resolves when the background jobs that are known now are done. */
  async jobsDone(): Promise<void> {
    await this.#jobs.idle()
  }

  /** Rolls open transactions back, finishes the groups in flight and closes the store. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#cancelSweep()
    this.markers.stop()
    await this.#scrub.stop()
    const reason = new ReplogError('CLOSED', 'the server is shutting down; the transaction was rolled back')
    const projectionsStopped = this.#projections.stop(this.#clock)
    for (const transaction of [...this.#open]) transaction.expire(reason)
    await projectionsStopped
    await this.subscriptions.close()
    this.lane.close()
    this.acknowledgements.close()
    await this.purger.stop()
    await this.#jobs.stop()
    await this.state.close()
  }

  #begin(catalog: CatalogIdentifier, options: TransactionOptions): Transaction {
    const { state, quotas } = this
    state.assertOpen()
    quotas.take('openTransactions', catalog)
    try {
      const transaction = new Transaction(
        {
          state,
          names: this.names,
          lane: this.lane,
          locks: this.locks,
          quotas,
          acks: this.acks,
          triggers: this.triggers,
          ordinal: ++this.#begun,
          nowUs: this.#clock.nowUs(),
          nowMs: this.#clock.monotonicMs(),
          onEnd: (ended) => {
            this.#open.delete(ended)
            quotas.give('openTransactions', catalog)
            if (ended.status === 'rolled back') this.counters.rollbacks++
          },
        },
        catalog,
        options,
      )
      this.#open.add(transaction)
      return transaction
    } catch (error) {
      // It never began.
      quotas.give('openTransactions', catalog)
      throw error
    }
  }

  /** Transaction 1: the first epoch, the default catalog and its schema. */
  async #found(): Promise<void> {
    this.lane.raiseEpoch(EPOCH_FIRST)
    const nowUs = this.#clock.nowUs()
    const { ids, identity } = this.state
    const catalogId = ids.allocate('catalog')
    const schemaId = ids.allocate('schema')
    await this.lane.commitDefinitions(nowUs, () => ({
      catalogId,
      statements: [
        { kind: 'newEpoch', epoch: EPOCH_FIRST, serverId: identity.serverId },
        {
          kind: 'createCatalog',
          after: { id: catalogId, name: DEFAULT_CATALOG_NAME, createdUs: nowUs, ...catalogParts({}) },
        },
        { kind: 'createSchema', after: defaultSchema(schemaId, catalogId, nowUs) },
      ],
    }))
  }

  /** Ends a promotion: the first transaction of its epoch, in one batch with the end of the note. */
  async #beginEpoch(epoch: Epoch): Promise<void> {
    const { state, lane } = this
    lane.raiseEpoch(epoch)
    const { serverId } = state.identity
    const committed = lane.commitDefinitions(this.#clock.nowUs(), (read) => {
      const { id: catalogId } = state.dictionary.catalog(read, catalogIdentifier(DEFAULT_CATALOG_NAME))
      return { catalogId, statements: [{ kind: 'newEpoch', epoch, serverId }] }
    })
    // It has its place by now, or was refused; what is added in this step goes into the batch of its group.
    if (state.head.epoch === epoch) void state.appendLocal(promotedWrites()).catch(() => undefined)
    await committed
  }

  /** Transactions that outlived the age limit are rolled back, so that nobody holds memory for ever. */
  #sweep(): void {
    const nowMs = this.#clock.monotonicMs()
    const age = this.quotas.bound('transactionAgeMs')
    for (const transaction of [...this.#open]) {
      if (nowMs - transaction.begunMs < age.value) continue
      const message = `the transaction was open for more than ${age.value} ms and was rolled back; run it again`
      transaction.expire(this.quotas.beyond(age, transaction.catalog, message))
    }
  }
}

/** @throws ReplogError INVALID_ARGUMENT */
function minReplicasOf(count = 0): number {
  if (Number.isSafeInteger(count) && count >= 0 && count <= ACK_REPLICAS_MAX) return count
  throw new ReplogError('INVALID_ARGUMENT', `\`minReplicas\` is a whole number from 0 to ${ACK_REPLICAS_MAX}`)
}

/** The schema that every catalog begins with. */
function defaultSchema(id: number, catalogId: number, createdUs: bigint): SchemaMessage {
  return { id, catalogId, name: DEFAULT_SCHEMA_NAME, createdUs, comment: '', options: {} }
}

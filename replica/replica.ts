/**
 * A replica: a replicated state whose log is a prefix of its primary's, and the link that keeps it growing. (G7)
 *
 * Use it embedded through `Replica.open`; `replog replica` serves one over HTTP.
 */
import { type Clock, systemClock } from '../core/clock.js'
import { ReplogError } from '../core/errors.js'
import { REPLICA_DELAY_MS_MAX, SCRUB_RATE_DEFAULT } from '../core/limits.js'
import { type Epoch, type Lsn, type Position, asEpoch, formatPosition } from '../core/position.js'
import { DEFAULT_CATALOG_NAME, catalogIdentifier } from '../ddl/identifiers.js'
import { BackgroundJobs, type JobsView } from '../log/background-jobs.js'
import { CatalogReader } from '../log/catalog-reader.js'
import { requireSameHistory } from '../log/same-history.js'
import type { LinkSocket } from '../log/link/link-socket.js'
import type { PrimaryNews } from '../log/link/protocol.js'
import { Fence } from '../log/fence.js'
import { narrowToFilter } from '../log/narrow-to-filter.js'
import { openState } from '../log/open-state.js'
import { LogPurger, type PurgeLogResult } from '../log/purge/log-purger.js'
import type { LogRetentionOptions, PurgeLogInput } from '../log/purge/purge-policy.js'
import { promotionWrites } from '../log/promotion.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import type { FollowState, ReplicationStatus } from '../log/status.js'
import { KnownSubscriptions } from '../log/subscriptions/known-subscriptions.js'
import { TableNames } from '../log/table-names.js'
import { Scrub } from '../log/verify/scrub.js'
import type { Engine } from '../store/engine.js'
import { LogFollower, linkUrl } from './follow.js'
import { type ControlNote, ReplicationControl } from './replication-control.js'

/** How a replica is opened; `path` and `from` are required. */
export interface ReplicaOptions {
  /** The data directory; made when it does not exist. An empty replica copies the log from LSN 1. */
  readonly path: string
  /** Address of the primary, such as http://127.0.0.1:7400. */
  readonly from: string
  /** How the primary lists this replica. */
  readonly name?: string
  /**
   * Keeps it behind its primary on purpose: a transaction is applied so many milliseconds after its commit, on the
   * primary's clock. Whole milliseconds.
   */
  readonly delayMs?: number
  /**
   * Holds only rows of these: `catalog`, `catalog.schema` or `catalog.schema.table`. Said once, later it may be left out;
   * a replica that holds everything gives up the rest. The log and the dictionary are whole in any case.
   */
  readonly only?: readonly string[] | undefined
  /** Bytes per second that the scrub reads in the background; 0: none runs by itself. 1 MiB when left out. */
  readonly scrubBytesPerSecond?: number | undefined
  /**
   * Tells the primary that this replica takes part in elections, so that one that fails over by itself may count on it:
   * only for who runs elections, as `replog replica --auto-failover` does. False when left out.
   */
  readonly votes?: boolean | undefined
  readonly clock?: Clock
  /** An engine to use instead of LevelDB at `path`; for tests and simulations. */
  readonly engine?: Engine
  /** Begins a connection to a ws:// address of the link; a WebSocket when not given. For tests and simulations. */
  readonly connect?: (url: string) => LinkSocket
  /** Randomness of the pauses between attempts to connect: from 0 to 1. For simulations. */
  readonly random?: () => number
  /** How much of its log this server keeps; all of it when left out. */
  readonly logRetention?: LogRetentionOptions | undefined
  /** Told when the link changes its state; `error` says why it is not streaming. */
  readonly onStateChange?: (state: FollowState, error: ReplogError | undefined) => void
  /** Told about faults in background work. */
  readonly onError?: (error: unknown) => void
}

/** How long a wait may take. */
export interface WaitOptions {
  /** Longest wait, in milliseconds; as long as the replica is open when left out. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * A server that follows another one: the same log, applied in the same order, and reads at the newest applied LSN. It
 * takes no writes.
 */
export class Replica {
  readonly state: ReplicatedState
  readonly names: TableNames
  /** The data directory. */
  readonly path: string
  readonly #options: ReplicaOptions
  readonly #control: ReplicationControl
  #from: string
  #follower: LogFollower
  /** Purges the log of this server, and knows who needs it. */
  readonly purger: LogPurger
  /** Those of all catalogs: this server may become the one that they are read from. */
  readonly subscriptions: KnownSubscriptions
  readonly #jobs: BackgroundJobs
  readonly #scrub: Scrub
  #becoming: Promise<Epoch> | undefined
  #closing: Promise<void> | undefined

  private constructor(state: ReplicatedState, options: ReplicaOptions) {
    this.state = state
    this.path = options.path
    this.#options = options
    this.#control = new ReplicationControl(state)
    this.#from = options.from
    this.names = new TableNames(state)
    this.#jobs = new BackgroundJobs(state, undefined, options.onError ?? (() => undefined), options.clock)
    this.#jobs.kick()
    const { clock = systemClock, logRetention, onError = () => undefined } = options
    this.purger = new LogPurger(state, clock, logRetention, onError)
    this.subscriptions = new KnownSubscriptions(state, this.purger.retention, onError)
    this.purger.start()
    const { scrubBytesPerSecond: bytesPerSecond = SCRUB_RATE_DEFAULT } = options
    this.#scrub = new Scrub(state, clock, { bytesPerSecond, onFlaw: onError, onError })
    this.#follower = this.#following()
  }

  /**
   * Opens the data directory, or makes it, and follows the primary from the last frame that it holds. It does not wait
   * for the primary.
   * @throws ReplogError LOCKED, NOT_A_DATA_DIRECTORY, CORRUPT, UNSUPPORTED_VERSION, INVALID_ARGUMENT
   */
  static async open(options: ReplicaOptions): Promise<Replica> {
    requireDelay(options.delayMs)
    const state = await openState({ ...options, role: 'replica' })
    try {
      await setFilter(state, options.only)
      return new Replica(state, options)
    } catch (error) {
      await state.close()
      throw error
    }
  }

  /** The server that is followed. */
  get from(): string {
    return this.#from
  }

  /** The position that readers see. */
  get position(): Position {
    return this.state.durable
  }

  /** A catalog to read from. @throws ReplogError INVALID_ARGUMENT */
  catalog(name: string = DEFAULT_CATALOG_NAME): CatalogReader {
    return new CatalogReader(this.state, this.names, catalogIdentifier(name))
  }

  /** How replication stands: the state of the link, and the lag in transactions, bytes and seconds. */
  replication(): ReplicationStatus {
    return this.#follower.status()
  }

  /** What is known here of the primary, for those that follow this replica. */
  news(): PrimaryNews {
    return this.#follower.news()
  }

  /**
   * Resolves when what is read here contains a transaction: reads that follow a write.
   * @param target its LSN, or its position as a commit gives it, whose epoch and digest are compared with the log here
   * @throws ReplogError DIVERGED for a position of another history, LIMIT when it is not reached in time, CLOSED,
   * STORE_FAILED; the signal's reason
   */
  async waitFor(target: Lsn | Position, { timeoutMs, signal }: WaitOptions = {}): Promise<void> {
    const lsn = typeof target === 'bigint' ? target : target.lsn
    if (lsn > this.position.lsn) await this.#untilDurable(lsn, timeoutMs, signal)
    if (typeof target !== 'bigint') await requireSameHistory(this.state, target)
  }

  async #untilDurable(lsn: Lsn, timeoutMs: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    const over = new AbortController()
    const end = (): void => {
      over.abort()
    }
    signal?.addEventListener('abort', end)
    const cancel = timeoutMs === undefined ? undefined : (this.#options.clock ?? systemClock).after(timeoutMs, end)
    try {
      await this.state.whenDurable(lsn, over.signal)
    } finally {
      cancel?.()
      signal?.removeEventListener('abort', end)
    }
    signal?.throwIfAborted()
    if (lsn <= this.position.lsn) return
    const stands = formatPosition(this.position)
    throw new ReplogError('LIMIT', `LSN ${lsn} was not reached within ${timeoutMs} ms; this replica is at ${stands}`, {
      details: { position: stands },
    })
  }

  /** How old the state that readers see may be, in milliseconds on the primary's clock; undefined when that is unknown. */
  stalenessMs(): number | undefined {
    return this.#follower.stalenessMs()
  }

  /** The durable background jobs of this server. */
  get jobs(): JobsView {
    return this.#jobs
  }

  /**
   * Purges the oldest part of the log of this server, as far as nobody who follows it needs it.
   * @throws ReplogError INVALID_ARGUMENT, CORRUPT, CLOSED
   */
  purgeLog(input: PurgeLogInput): Promise<PurgeLogResult> {
    return this.purger.purge(input)
  }

  /** Resolves when the background jobs that are known now are done. */
  async jobsDone(): Promise<void> {
    await this.#jobs.idle()
  }

  /**
   * Applies nothing from now on, also after a restart; the link stays, and what arrives waits. Resolves when that is
   * durable. @throws ReplogError INVALID_ARGUMENT, STORE_FAILED, CLOSED
   */
  async pause(note: ControlNote): Promise<void> {
    this.#requireReplica()
    await this.#control.setPause(note, this.#now())
    this.#follower.setPaused(true)
  }

  /**
   * Goes on after a pause, and tries again at once where replication has stopped.
   * @throws ReplogError STORE_FAILED, CLOSED
   */
  async resume(): Promise<void> {
    this.#requireReplica()
    if (this.#control.pause !== undefined) await this.#control.setPause(undefined, this.#now())
    this.#follower.setPaused(false)
    if (this.#follower.state === 'stopped' || this.#follower.state === 'connecting') this.#follower.restart()
  }

  /**
   * Does without the effects of the one transaction that cannot be applied here, and goes on behind it. The log keeps its
   * frames; the rows are not those of the log from there on, which the status says for good.
   * @param lsn of that transaction: naming it is the consent
   * @throws ReplogError INVALID_ARGUMENT when another one, or none, cannot be applied; LIMIT, STORE_FAILED, CLOSED
   */
  async skip(lsn: Position['lsn'], note: ControlNote): Promise<void> {
    this.#requireReplica()
    const { refused } = this.#follower
    if (refused?.lsn !== lsn) {
      const what =
        refused === undefined
          ? 'nothing is to be skipped: no transaction is known that cannot be applied here'
          : `the transaction that cannot be applied here is LSN ${refused.lsn}, not ${lsn}`
      throw new ReplogError('INVALID_ARGUMENT', `${what}; \`replog status\` names it`)
    }
    if (lsn === 1n) {
      throw new ReplogError(
        'INVALID_ARGUMENT',
        'transaction 1 makes the catalog that all others need; clone this server anew',
      )
    }
    await this.#control.addSkip(refused, note, this.#now())
    this.#follower.restart()
  }

  /**
   * Follows another server from now on, from the last transaction that is applied here. The next start of the server
   * follows what it is told then.
   * @throws ReplogError INVALID_ARGUMENT, CLOSED
   */
  follow(from: string): void {
    linkUrl(from)
    this.#requireReplica()
    const replaces = this.#follower.replace()
    this.#from = from
    this.#follower = this.#following(replaces)
  }

  /**
   * Follows nobody until `follow` is called, and confirms nothing to anybody any more; resolves with where it stands when
   * all that it received whole is durable.
   * @throws ReplogError what keeps a received transaction from being applied; it follows again then
   */
  async leave(): Promise<Position> {
    try {
      await this.#follower.finish()
    } catch (error) {
      this.#followAgain()
      throw error
    }
    return this.state.durable
  }

  /** It was to leave and could not: it goes on from what is applied, where it can. */
  #followAgain(): void {
    if (this.state.closed || this.#closing !== undefined || this.#becoming !== undefined) return
    this.follow(this.#from)
  }

  /**
   * Leaves the server that it follows, applies all that it received whole, and makes its data directory that of a primary;
   * resolves with the epoch of that primary when it is durable. Close the replica then, and open its directory with
   * `Primary.open`, which begins the epoch. Whether that is wise is not judged here.
   * @param above an epoch that somebody had; that of the new primary is higher
   * @throws ReplogError what keeps a received transaction from being applied; PROMOTION_REFUSED, DISK_FULL, STORE_FAILED,
   * CLOSED
   */
  becomePrimary(above: Epoch = this.state.head.epoch): Promise<Epoch> {
    this.#becoming ??= this.#becomePrimary(above).catch((error: unknown) => {
      // It is a replica still, and goes on as one where it can.
      this.#becoming = undefined
      this.#followAgain()
      throw error
    })
    return this.#becoming
  }

  async #becomePrimary(above: Epoch): Promise<Epoch> {
    const { state } = this
    const { pause } = this.#control
    if (state.filter !== undefined) {
      throw new ReplogError(
        'PROMOTION_REFUSED',
        `this replica holds only ${state.filter.only.join(', ')}; promote one that holds everything`,
      )
    }
    if (pause !== undefined) {
      throw new ReplogError(
        'PROMOTION_REFUSED',
        `replication was paused by ${pause.by} (${pause.reason}), so what this server received is not applied; resume it first`,
      )
    }
    await this.#follower.finish()
    // Only now: one that is kept behind may have received everything and applied nothing.
    if (state.identity.clusterId === undefined || state.durable.lsn === 0n) {
      throw new ReplogError(
        'PROMOTION_REFUSED',
        'this replica has no data yet, so there is nothing that it could serve',
      )
    }
    state.store.assertSpace()
    const highest = Math.max(state.head.epoch, above, new Fence(state).met?.epoch ?? 0)
    const epoch = asEpoch(highest + 1)
    await state.appendLocal(promotionWrites(epoch))
    return epoch
  }

  #requireReplica(): void {
    this.state.assertOpen()
    if (this.#becoming !== undefined) throw new ReplogError('CLOSED', 'this replica is being promoted')
  }

  #now(): string {
    return new Date(Number((this.#options.clock ?? systemClock).nowUs() / 1000n)).toISOString()
  }

  #following(replaces?: FollowState): LogFollower {
    const options = this.#options
    return new LogFollower(this.state, this.#jobs, options.clock ?? systemClock, {
      from: this.#from,
      name: options.name ?? 'replica',
      votes: options.votes,
      connect: options.connect,
      random: options.random,
      delayMs: options.delayMs,
      control: this.#control,
      onStateChange: options.onStateChange,
      replaces,
    })
  }

  /** Leaves the primary, finishes the group in flight and closes the store. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#follower.close()
    await this.#scrub.stop()
    this.subscriptions.stop()
    await this.purger.stop()
    await this.#jobs.stop()
    await this.state.close()
  }
}

/** @throws ReplogError INVALID_ARGUMENT */
function requireDelay(delayMs = 0): void {
  if (Number.isSafeInteger(delayMs) && delayMs >= 0 && delayMs <= REPLICA_DELAY_MS_MAX) return
  throw new ReplogError('INVALID_ARGUMENT', `\`delayMs\` is a whole number from 0 to ${REPLICA_DELAY_MS_MAX}`)
}

/**
 * What a replica holds is said once: when it has nothing yet, or when it has everything, of which the rest is given up.
 * @throws ReplogError INVALID_ARGUMENT
 */
async function setFilter(state: ReplicatedState, only: readonly string[] = []): Promise<void> {
  if (only.length === 0 || state.filter?.equals(only) === true) return
  if (state.filter !== undefined) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `this replica holds only ${state.filter.only.join(', ')}, and that cannot be changed to ${only.join(', ')}; ` +
        'set a new one up in another directory',
    )
  }
  state.filter = await narrowToFilter(state, only)
}

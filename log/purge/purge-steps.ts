/**
 * How a purge of the log goes: step by step, so that neither memory nor what a crash leaves grows with what is purged.
 *
 *   measure ── read, verify ──> raise the floor ── durable ──> delete frames and outcomes ──> give space back
 *      ^──────────────── the next step: at most LOG_PURGE_STEP_BYTES ──────┘
 *
 * Invariant: the floor is durable, and shows, before anything below it is deleted. (G9)
 */
import type { Clock } from '../../core/clock.js'
import { LOG_PURGE_COMPACT_BYTES, LOG_PURGE_STEP_BYTES, LOG_PURGE_STEP_TRANSACTIONS } from '../../core/limits.js'
import type { Lsn, Position } from '../../core/position.js'
import type { LogFloor } from '../log-floor.js'
import type { ReplicatedState } from '../replicated-state.js'
import { DeadFrames } from './dead-frames.js'
import { type LastPurge, lastPurgeWrites, readLastPurge } from './last-purge.js'
import { type MeasureBounds, type Measured, measure } from './measure.js'
import type { PurgeRule } from './purge-policy.js'
import type { Retention } from './retention.js'

/** Who keeps a purge from going on. */
export interface HeldBack {
  readonly name: string
  /** It has everything up to here. */
  readonly lsn: Lsn
  /** That would be purged without it and others that are as far back. */
  readonly transactions: number
}

export interface PurgeLogResult {
  readonly dryRun: boolean
  /** That were purged, or would be. */
  readonly transactions: number
  readonly bytes: number
  /** The newest transaction that the log does not hold then. */
  readonly floor: Position
  /** When that was committed; undefined when the log begins at LSN 1. */
  readonly floorTime: Date | undefined
  /** Of the log that is left. */
  readonly bytesLeft: bigint
  /** The farthest back first. */
  readonly heldBack: readonly HeldBack[]
}

const UNBOUNDED = { bytesMax: Infinity, transactionsMax: Infinity }
const STEP = { bytesMax: LOG_PURGE_STEP_BYTES, transactionsMax: LOG_PURGE_STEP_TRANSACTIONS }

export class PurgeSteps {
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #retention: Retention
  readonly #isStopped: () => boolean
  readonly #dead: DeadFrames
  #last: LastPurge | undefined
  #transactions = 0
  #bytes = 0

  /** @throws ReplogError CORRUPT */
  constructor(state: ReplicatedState, clock: Clock, retention: Retention, isStopped: () => boolean) {
    this.#state = state
    this.#clock = clock
    this.#retention = retention
    this.#isStopped = isStopped
    this.#dead = new DeadFrames(state, clock)
    this.#last = readLastPurge(state.store)
    if (this.#last !== undefined) state.floorCause = this.#last.cause
  }

  get last(): LastPurge | undefined {
    return this.#last
  }

  /** Purged since the start of the server. */
  get transactions(): number {
    return this.#transactions
  }

  get bytes(): number {
    return this.#bytes
  }

  get isDeleting(): boolean {
    return !this.#dead.isDone
  }

  /** Deletes what is left below the floor, as a crash leaves it. */
  async deleteLeftovers(): Promise<void> {
    if (!this.#dead.isDone) await this.#dead.delete(this.#isStopped)
  }

  /** Gives space back when at least so many bytes were deleted. */
  async compact(bytesMin: number): Promise<void> {
    if (this.#dead.uncompactedBytes >= bytesMin) await this.#dead.compact()
  }

  /**
   * Purges by a rule, a step at a time, until nothing more may go or somebody stops it.
   * @param lowest up to where it may go at the most; asked before each step
   */
  async run(rule: PurgeRule, lowest: () => Lsn | undefined, cause: string): Promise<void> {
    while (!this.#isStopped()) {
      const { floor } = this.#state
      const measured = await measure(this.#state, floor, rule, this.#bounds(lowest(), STEP))
      // A holder may have come while the log was read.
      if (measured.transactions === 0 || measured.floor.position.lsn > (lowest() ?? this.#state.durable.lsn)) {
        if (measured.transactions === 0) return
        continue
      }
      await this.#raise(measured, cause)
      await this.#dead.delete(this.#isStopped)
      await this.#dead.sweepOutcomes(this.#isStopped)
      await this.compact(LOG_PURGE_COMPACT_BYTES)
      if (measured.isAll) return
    }
  }

  async #raise({ floor, transactions, bytes }: Measured, cause: string): Promise<void> {
    this.#last = { atUs: this.#clock.nowUs(), lsn: floor.position.lsn, transactions, bytes, cause }
    const noted = this.#state.appendLocal(lastPurgeWrites(this.#last))
    await Promise.all([noted, this.#state.raiseFloor(floor)])
    this.#state.floorCause = cause
    this.#transactions += transactions
    this.#bytes += bytes
  }

  /** What a purge by the rule would do. */
  async foretell(rule: PurgeRule): Promise<PurgeLogResult> {
    const { floor } = this.#state
    const measured = await measure(this.#state, floor, rule, this.#bounds(this.#retention.lowest(), UNBOUNDED))
    return this.result(floor, measured.floor, true, await this.heldBack(rule, measured.floor))
  }

  /** Who is in the way of a purge by this rule that has come, or would come, to `reached`. */
  async heldBack(rule: PurgeRule, reached: LogFloor): Promise<readonly HeldBack[]> {
    const holders = this.#retention.holders().filter(({ lsn }) => lsn >= this.#state.trimFloor)
    if (holders[0] === undefined || holders[0].lsn > reached.position.lsn) return []
    const wanted = (await measure(this.#state, reached, rule, this.#bounds(undefined, UNBOUNDED))).floor.position.lsn
    return holders
      .filter(({ lsn }) => lsn < wanted)
      .map(({ name, lsn }) => ({ name, lsn, transactions: Number(wanted - lsn) }))
  }

  #bounds(lowest: Lsn | undefined, size: Pick<MeasureBounds, 'bytesMax' | 'transactionsMax'>): MeasureBounds {
    const { lsn } = this.#state.durable
    return { ...size, lsnMax: lowest === undefined || lowest > lsn ? lsn : lowest, isStopped: this.#isStopped }
  }

  result(from: LogFloor, to: LogFloor, dryRun: boolean, heldBack: readonly HeldBack[]): PurgeLogResult {
    return {
      dryRun,
      transactions: Number(to.position.lsn - from.position.lsn),
      bytes: Number(to.logBytes - from.logBytes),
      floor: to.position,
      floorTime: to.position.lsn === 0n ? undefined : new Date(Number(to.commitUs / 1000n)),
      bytesLeft: this.#state.logBytes - to.logBytes,
      heldBack,
    }
  }
}

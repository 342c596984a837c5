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
import type { Lsn } from '../../core/position.js'
import type { LogFloor } from '../log-floor.js'
import type { ReplicatedState } from '../replicated-state.js'
import { DeadFrames } from './dead-frames.js'
import { type LastPurge, lastPurgeWrites, readLastPurge } from './last-purge.js'
import { type Measured, measure } from './measure.js'
import type { PurgeRule } from './purge-policy.js'

/** What one step did. */
export interface PurgeStep {
  readonly transactions: number
  readonly bytes: number
  /** False when there may be more to go. */
  readonly isLast: boolean
}

const NOTHING: PurgeStep = { transactions: 0, bytes: 0, isLast: false }
const STEP = { bytesMax: LOG_PURGE_STEP_BYTES, transactionsMax: LOG_PURGE_STEP_TRANSACTIONS }

export class PurgeSteps {
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #isStopped: () => boolean
  readonly #dead: DeadFrames
  #last: LastPurge | undefined
  #transactions = 0
  #bytes = 0

  /** @throws ReplogError CORRUPT */
  constructor(state: ReplicatedState, clock: Clock, isStopped: () => boolean) {
    this.#state = state
    this.#clock = clock
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

  /** Purges by a rule until nothing more may go or somebody stops it. */
  async run(rule: PurgeRule, lowest: () => Lsn | undefined, cause: string): Promise<void> {
    while (!this.#isStopped() && !(await this.step(rule, lowest, cause)).isLast) continue
  }

  /**
   * Purges by a rule, one step of it.
   * @param lowest up to where it may go at the most; asked when it is measured, and again before it goes
   */
  async step(rule: PurgeRule, lowest: () => Lsn | undefined, cause: string): Promise<PurgeStep> {
    const measured = await this.measure(rule, this.#state.floor, lowest())
    const { transactions, bytes, isAll } = measured
    if (transactions === 0) return { transactions, bytes, isLast: true }
    // A holder may have come while the log was read.
    if (measured.floor.position.lsn > (lowest() ?? this.#state.durable.lsn)) return NOTHING
    await this.#raise(measured, cause)
    await this.#dead.delete(this.#isStopped)
    await this.compact(LOG_PURGE_COMPACT_BYTES)
    return { transactions, bytes, isLast: isAll }
  }

  /** What one step of a purge from there on would do, up to `lowest` at the most. @throws ReplogError CORRUPT, CLOSED */
  measure(rule: PurgeRule, from: LogFloor, lowest: Lsn | undefined): Promise<Measured> {
    const { lsn } = this.#state.durable
    const lsnMax = lowest === undefined || lowest > lsn ? lsn : lowest
    return measure(this.#state, from, rule, { ...STEP, lsnMax, isStopped: this.#isStopped })
  }

  async #raise({ floor, transactions, bytes }: Measured, cause: string): Promise<void> {
    this.#last = { atUs: this.#clock.nowUs(), lsn: floor.position.lsn, transactions, bytes, cause }
    const noted = this.#state.appendLocal(lastPurgeWrites(this.#last))
    await Promise.all([noted, this.#state.raiseFloor(floor)])
    this.#state.floorCause = cause
    this.#transactions += transactions
    this.#bytes += bytes
  }
}

/**
 * A purge that somebody asks for, and the answer: what went, or would go, and who is in the way.
 *
 * Invariant: one turn is one step, of bounded size, also of what only reads; between two turns others have theirs, the hard
 * cap above all. So the log may begin elsewhere at each turn, and the answer is about where it begins at the end.
 */
import { isReplogError } from '../../core/errors.js'
import { LSN_ZERO, type Lsn, type Position } from '../../core/position.js'
import type { LogFloor } from '../log-floor.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { PurgeRule } from './purge-policy.js'
import type { PurgeSteps } from './purge-steps.js'
import type { Retention } from './retention.js'

/** Who keeps a purge from going on. */
export interface HeldBack {
  readonly name: string
  /** It has everything up to here. */
  readonly lsn: Lsn
  /** That would be purged without it and others that are as far back. */
  readonly transactions: number
}

/** What a purge of the log by hand did, or would do. */
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

/** Runs one turn, behind whatever purge is running. @throws ReplogError CLOSED, STORE_FAILED */
export type Turn = <Result>(work: () => Promise<Result>) => Promise<Result>

const CAUSE = 'it was purged by hand'

export class PurgeByHand {
  readonly #state: ReplicatedState
  readonly #retention: Retention
  readonly #steps: PurgeSteps
  readonly #turn: Turn

  constructor(state: ReplicatedState, retention: Retention, steps: PurgeSteps, turn: Turn) {
    this.#state = state
    this.#retention = retention
    this.#steps = steps
    this.#turn = turn
  }

  async run(rule: PurgeRule): Promise<PurgeLogResult> {
    let transactions = 0
    let bytes = 0
    for (let isLast = false; !isLast;) {
      const step = await this.#turn(() => this.#steps.step(rule, () => this.#retention.lowest(), CAUSE))
      transactions += step.transactions
      bytes += step.bytes
      isLast = step.isLast
    }
    await this.#turn(() => this.#steps.compact(1))
    const heldBack = await this.#heldBack(rule, this.#state.floor)
    return this.#result({ dryRun: false, transactions, bytes, floor: this.#state.floor, heldBack })
  }

  /** What `run` would do. */
  async foretell(rule: PurgeRule): Promise<PurgeLogResult> {
    const reached = await this.#reach(rule, this.#state.floor, () => this.#retention.lowest())
    const heldBack = await this.#heldBack(rule, reached)
    const from = this.#state.floor
    const floor = reached.position.lsn > from.position.lsn ? reached : from
    const transactions = Number(floor.position.lsn - from.position.lsn)
    return this.#result({ dryRun: true, transactions, bytes: Number(floor.logBytes - from.logBytes), floor, heldBack })
  }

  /** Who is in the way of a purge by this rule that has come, or would come, to `reached`. */
  async #heldBack(rule: PurgeRule, reached: LogFloor): Promise<readonly HeldBack[]> {
    const holders = this.#retention.holders().filter(({ lsn }) => lsn >= this.#state.trimFloor)
    if (holders[0] === undefined || holders[0].lsn > reached.position.lsn) return []
    const wanted = (await this.#reach(rule, reached, () => undefined)).position.lsn
    return holders
      .filter(({ lsn }) => lsn < wanted)
      .map(({ name, lsn }) => ({ name, lsn, transactions: Number(wanted - lsn) }))
  }

  /** Where a purge by the rule would come to from there. @throws ReplogError CORRUPT when it would not get on at all */
  async #reach(rule: PurgeRule, from: LogFloor, lowest: () => Lsn | undefined): Promise<LogFloor> {
    let floor = from
    let stepped = LSN_ZERO
    for (let isAll = false; !isAll;) {
      await this.#turn(async () => {
        if (floor.position.lsn < this.#state.trimFloor) floor = this.#state.floor
        try {
          const measured = await this.#steps.measure(rule, floor, lowest())
          isAll = measured.isAll
          if (measured.transactions > 0) stepped = measured.floor.position.lsn
          floor = measured.floor
        } catch (error) {
          // A purge would have come to where the damage begins.
          if (!isReplogError(error, 'CORRUPT') || stepped !== floor.position.lsn) throw error
          isAll = true
        }
      })
    }
    return floor
  }

  #result(
    known: Omit<PurgeLogResult, 'floor' | 'floorTime' | 'bytesLeft'> & { readonly floor: LogFloor },
  ): PurgeLogResult {
    const { floor, ...rest } = known
    return {
      ...rest,
      floor: floor.position,
      floorTime: floor.position.lsn === 0n ? undefined : new Date(Number(floor.commitUs / 1000n)),
      bytesLeft: this.#state.logBytes - floor.logBytes,
    }
  }
}

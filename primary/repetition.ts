/**
 * Running a transaction again after an error that a repetition may mend: how often, how long, and with which pause.
 *
 * Bounded by attempts and by time: a repetition that begins waits for locks at most as long as the first one, so that
 * nobody occupies the server for longer than two transactions may be open.
 */
import { type ErrorCode, isReplogError } from '../core/errors.js'
import { type Clock, fraction, pause } from '../core/clock.js'
import { TRANSACTION_AGE_MS_MAX } from '../core/limits.js'
import type { ReplicatedState } from '../log/replicated-state.js'

export interface RepetitionContext {
  readonly state: ReplicatedState
  readonly clock: Clock
  /** Counts a repetition. */
  noteRetry(): void
}

const REPEATABLE: readonly ErrorCode[] = ['CONFLICT', 'SCHEMA_CHANGED', 'DEADLOCK', 'LOCK_TIMEOUT', 'SNAPSHOT_TOO_OLD']
const PAUSE_MS_MAX = 20

export class Repetition {
  readonly #context: RepetitionContext
  readonly #attemptsMax: number
  readonly #startMs: number
  #attempt = 1

  constructor(context: RepetitionContext, attemptsMax: number) {
    this.#context = context
    this.#attemptsMax = attemptsMax
    this.#startMs = context.clock.monotonicMs()
  }

  /**
   * Resolves when the next attempt may begin.
   * @throws the error itself, when repeating makes no sense or was done often and long enough
   */
  async next(error: unknown): Promise<void> {
    const { state, clock } = this.#context
    const isLate = clock.monotonicMs() - this.#startMs > TRANSACTION_AGE_MS_MAX
    const isRepeatable = REPEATABLE.some((code) => isReplogError(error, code))
    if (!isRepeatable || isLate || this.#attempt >= this.#attemptsMax) throw error
    this.#attempt++
    this.#context.noteRetry()
    // What it conflicted with can be read once it is durable; a growing random pause lets one of many through.
    await state.whenDurable(state.head.lsn)
    if (this.#attempt > 3) await pause(clock, fraction(clock) * Math.min(PAUSE_MS_MAX, this.#attempt))
  }
}

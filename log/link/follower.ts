/**
 * One server that follows this one: how far it is and how late.
 *
 * Times are differences of the primary's clock, which is this server's own or known to it from the one that it follows: a
 * follower echoes the commit timestamp that it found in the log, so the skew between two machines cannot falsify a lag. (after PostgreSQL's write, flush and replay lag)
 * Invariant: applied <= durable <= received <= head, each stage never goes backwards within a connection.
 */
import type { Clock } from '../../core/clock.js'
import type { Lsn } from '../../core/position.js'
import type { Reached } from '../acknowledgements.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { FollowerStatus, Lag, StageStatus } from '../status.js'
import { DelayWindow } from './delay-window.js'
import type { LogPoint, Progress } from './protocol.js'

export interface FollowerIdentity {
  readonly serverId: string
  readonly name: string
  readonly address: string
}

export class Follower {
  readonly identity: FollowerIdentity
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #primaryNowUs: () => bigint
  readonly #delays = new DelayWindow()
  #progress: Progress
  #connected = true
  #since: Date
  /** Monotonic time at which the connection was lost. */
  leftMs = Infinity

  /** @param primaryNowUs the clock on which the log was committed; this server's own when it is the primary */
  constructor(
    state: ReplicatedState,
    clock: Clock,
    primaryNowUs: () => bigint,
    identity: FollowerIdentity,
    start: LogPoint,
  ) {
    this.#state = state
    this.#clock = clock
    this.#primaryNowUs = primaryNowUs
    this.identity = identity
    this.#progress = { type: 'progress', received: start, durable: start, applied: start }
    this.#since = this.#now()
  }

  get applied(): LogPoint {
    return this.#progress.applied
  }

  /** The LSN that it has reached at each stage. */
  get reached(): Reached {
    const { received, durable, applied } = this.#progress
    return { received: received.lsn as Lsn, durable: durable.lsn as Lsn, applied: applied.lsn as Lsn }
  }

  /** What of a progress message is believable is taken: nothing beyond the head, nothing backwards. */
  report(progress: Progress): void {
    const head = this.#state.durable.lsn
    const { received, durable, applied } = progress
    if (received.lsn > head || durable.lsn > received.lsn || applied.lsn > durable.lsn) return
    const previous = this.#progress.applied
    if (applied.lsn < previous.lsn) return
    this.#progress = progress
    if (applied.lsn > previous.lsn) this.#delays.add(Number(this.#primaryNowUs() - applied.commitUs) / 1000)
  }

  disconnected(): void {
    this.#connected = false
    this.leftMs = this.#clock.monotonicMs()
    this.#since = this.#now()
  }

  status(): FollowerStatus {
    const { received, durable, applied } = this.#progress
    return {
      ...this.identity,
      connected: this.#connected,
      since: this.#since.toISOString(),
      received: this.#stage(received),
      durable: this.#stage(durable),
      applied: this.#stage(applied),
      delayMs: this.#delays.summary(),
    }
  }

  #stage(point: LogPoint): StageStatus {
    return { lsn: point.lsn.toString(), lag: this.#lag(point) }
  }

  #lag(point: LogPoint): Lag {
    const { durable, logBytes } = this.#state
    if (point.lsn >= durable.lsn) return { transactions: 0, bytes: 0, seconds: 0 }
    // The oldest missing transaction is in memory, or so far back that the one before it is as good a measure.
    const missing = this.#state.tail.get((point.lsn + 1n) as Lsn)
    const ageUs = this.#primaryNowUs() - (missing?.commitTimestampUs ?? point.commitUs)
    return {
      transactions: Number(durable.lsn - point.lsn),
      bytes: Number(logBytes - point.bytes),
      seconds: Math.max(0, Number(ageUs) / 1e6),
    }
  }

  #now(): Date {
    return new Date(Number(this.#clock.nowUs() / 1000n))
  }
}

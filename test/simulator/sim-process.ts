/**
 * A process on a simulated machine: the clock that it sees, and whether it runs, stands still or is dead.
 *
 * Invariants:
 * - of a dead process nothing happens any more: no timer, no message, no end of a write;
 * - what comes to one that stands still (SIGSTOP) happens when it goes on, in the order in which it came; its clocks run.
 */
import type { Clock } from '../../core/clock.js'
import type { Random } from '../isolation/random.js'
import type { Timeline } from './timeline.js'

/** 2026-01-01 UTC. */
const START_US = 1_767_225_600_000_000n

interface Waiting {
  readonly happen: () => void
  isCancelled: boolean
}

export class SimProcess implements Clock {
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #skewUs: bigint
  #isDead = false
  #isPaused = false
  #waiting: Waiting[] = []

  /** @param skewMs how much its wall clock is ahead of the others */
  constructor(timeline: Timeline, random: Random, skewMs = 0) {
    this.#timeline = timeline
    this.#random = random
    this.#skewUs = BigInt(skewMs) * 1000n
  }

  get isDead(): boolean {
    return this.#isDead
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  nowUs(): bigint {
    return START_US + this.#skewUs + BigInt(Math.round(this.#timeline.nowMs * 1000))
  }

  monotonicMs(): number {
    return this.#timeline.nowMs
  }

  fraction(): number {
    return this.#random.next()
  }

  after(delayMs: number, callback: () => void): () => void {
    const waiting: Waiting = { happen: callback, isCancelled: false }
    const cancel = this.#timeline.at(delayMs, () => {
      this.#arrive(waiting)
    })
    return () => {
      waiting.isCancelled = true
      cancel()
    }
  }

  /** Resolves after `delayMs`; never in a dead process. */
  async pauseFor(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.after(delayMs, resolve)
    })
  }

  pause(): void {
    this.#isPaused = true
  }

  goOn(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) {
      this.#timeline.at(0, () => {
        this.#arrive(one)
      })
    }
  }

  die(): void {
    this.#isDead = true
    this.#waiting = []
  }

  #arrive(waiting: Waiting): void {
    if (this.#isDead || waiting.isCancelled) return
    if (this.#isPaused) this.#waiting.push(waiting)
    else waiting.happen()
  }
}

/** Time that only moves when told, and whose wall clock may be wrong by a fixed amount. */
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../core/clock.js'

/** 2026-01-01 UTC. */
const START_US = 1_767_225_600_000_000n

interface Timer {
  readonly atMs: number
  readonly callback: () => void
}

export class ManualClock implements Clock {
  #nowMs = 0
  readonly #timers = new Set<Timer>()
  readonly #skewUs: bigint

  constructor(skewSeconds = 0) {
    this.#skewUs = BigInt(skewSeconds) * 1_000_000n
  }

  nowUs(): bigint {
    return START_US + this.#skewUs + BigInt(Math.round(this.#nowMs * 1000))
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Timers that wait. */
  get timers(): number {
    return this.#timers.size
  }

  /** Moves the time, calls what is due in order, and gives what that started a turn of the event loop. */
  async advance(milliseconds: number): Promise<void> {
    const untilMs = this.#nowMs + milliseconds
    for (;;) {
      const due = [...this.#timers]
        .filter((timer) => timer.atMs <= untilMs)
        .sort((left, right) => left.atMs - right.atMs)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#nowMs = Math.max(this.#nowMs, due.atMs)
      due.callback()
      await setImmediate()
    }
    this.#nowMs = untilMs
    await setImmediate()
  }
}

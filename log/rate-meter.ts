/** Rates over the last few seconds, from counters sampled once a second. */
import { type Clock, every } from '../core/clock.js'
import type { ReplicatedState } from './replicated-state.js'

interface Sample {
  readonly atMs: number
  readonly lsn: bigint
  readonly logBytes: bigint
  readonly syncs: number
}

const SAMPLE_MS = 1000
const SAMPLES = 5

export class RateMeter {
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #samples: Sample[]
  readonly stop: () => void

  constructor(state: ReplicatedState, clock: Clock) {
    this.#state = state
    this.#clock = clock
    this.#samples = [this.#sample()]
    this.stop = every(clock, SAMPLE_MS, () => {
      this.#samples.push(this.#sample())
      if (this.#samples.length > SAMPLES) this.#samples.shift()
    })
  }

  rates(): { transactionsPerSecond: number; logBytesPerSecond: number; syncsPerSecond: number } {
    const oldest = this.#samples[0]!
    const now = this.#sample()
    const seconds = Math.max(0.001, (now.atMs - oldest.atMs) / 1000)
    const perSecond = (count: number): number => Math.round((count / seconds) * 10) / 10
    return {
      transactionsPerSecond: perSecond(Number(now.lsn - oldest.lsn)),
      logBytesPerSecond: perSecond(Number(now.logBytes - oldest.logBytes)),
      syncsPerSecond: perSecond(now.syncs - oldest.syncs),
    }
  }

  #sample(): Sample {
    const { durable, logBytes, store } = this.#state
    return { atMs: this.#clock.monotonicMs(), lsn: durable.lsn, logBytes, syncs: store.counters.syncs }
  }
}

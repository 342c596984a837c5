/** The newest delays of one follower, for percentiles: a ring of bounded size, sorted only when somebody asks. */
const SAMPLES_MAX = 1024

export class DelayWindow {
  readonly #samples: number[] = []
  #next = 0
  #last = 0
  #max = 0

  add(delayMs: number): void {
    this.#last = delayMs
    this.#max = Math.max(this.#max, delayMs)
    this.#samples[this.#next] = delayMs
    this.#next = (this.#next + 1) % SAMPLES_MAX
  }

  /** All in milliseconds; `max` since the connection began. */
  summary(): { last: number; p50: number; p99: number; max: number } {
    const sorted = this.#samples.toSorted((left, right) => left - right)
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    return { last: round(this.#last), p50: round(at(0.5)), p99: round(at(0.99)), max: round(this.#max) }
  }
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000
}

/**
 * A token bucket: how many requests a second may pass in the long run, and how many at once after a pause.
 *
 *   tokens(t) = min(perSecond, tokens(t0) + (t - t0) × perSecond)        a request takes one
 */

export class TokenBucket {
  readonly #perSecond: number
  #tokens: number
  #filledMs: number

  /** @param perSecond 1 or more; also what the bucket holds */
  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond
    this.#filledMs = nowMs
  }

  /** Milliseconds until there is a token: 0 when one can be taken now. */
  waitMs(nowMs: number): number {
    this.#tokens = Math.min(this.#perSecond, this.#tokens + ((nowMs - this.#filledMs) * this.#perSecond) / 1000)
    this.#filledMs = nowMs
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1000)
  }

  /** Takes one; ask `waitMs` first. */
  take(): void {
    this.#tokens--
  }
}

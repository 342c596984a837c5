/** The newest step of a replica that takes part in elections, as its status tells it. */
import type { Clock } from '../../core/clock.js'
import type { FailoverStatus } from '../../log/status.js'

export class FailoverSteps {
  readonly #clock: Clock
  #newest: { readonly step: string; readonly since: string }

  constructor(clock: Clock) {
    this.#clock = clock
    this.#newest = this.#now('connects to the witness')
  }

  note(step: string): void {
    this.#newest = this.#now(step)
  }

  status(abandoned: boolean): FailoverStatus {
    return { ...this.#newest, abandoned }
  }

  #now(step: string): { readonly step: string; readonly since: string } {
    return { step, since: new Date(Number(this.#clock.nowUs() / 1000n)).toISOString() }
  }
}

/**
 * Runs background work one run at a time: a kick during a run leads to another one behind it.
 *
 * A store that failed or closed ends a run without a word: what the work is about is durable and goes on after the next
 * start.
 */
import type { ReplicatedState } from './replicated-state.js'

export class JobLoop {
  readonly #state: ReplicatedState
  readonly #work: () => Promise<void>
  readonly #onError: (error: unknown) => void
  #running: Promise<void> | undefined
  #again = false
  #stopped = false

  constructor(state: ReplicatedState, work: () => Promise<void>, onError: (error: unknown) => void) {
    this.#state = state
    this.#work = work
    this.#onError = onError
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  kick(): void {
    if (this.#stopped) return
    if (this.#running !== undefined) {
      this.#again = true
      return
    }
    this.#running = this.#work()
      .catch((error: unknown) => {
        if (!this.#stopped && !this.#state.failed && !this.#state.closed) this.#onError(error)
      })
      .finally(() => {
        this.#running = undefined
        if (!this.#again) return
        this.#again = false
        this.kick()
      })
  }

  /** For the work itself: there is more to do, or, after a fault, nothing that may be tried at once. */
  set again(isWanted: boolean) {
    this.#again = isWanted
  }

  /** Resolves when nothing is running. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Resolves when the run that is going on has ended; there is no other one. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }
}

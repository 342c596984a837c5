/**
 * The projections that run on a server, which end with it.
 *
 * Invariant: when `stop` has resolved, no projection waits or writes; a handler that does not end is left behind, and its
 * transaction was rolled back.
 */
import type { Clock } from '../../core/clock.js'
import { PROJECTION_STOP_MS_MAX } from '../../core/limits.js'

/** One of them. */
export interface RunningProjection {
  /** Resolves when what is under way has ended. */
  stop(): Promise<void>
}

export class RunningProjections {
  readonly #running = new Set<RunningProjection>()

  add(projection: RunningProjection): void {
    this.#running.add(projection)
  }

  delete(projection: RunningProjection): void {
    this.#running.delete(projection)
  }

  /** Stops them all. One whose handler waits for the end of the server itself is waited for so long and no longer. */
  async stop(clock: Clock): Promise<void> {
    if (this.#running.size === 0) return
    const stopped = Promise.all([...this.#running].map((projection) => projection.stop()))
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel()
        clearInterval(alive)
        resolve()
      }
      const cancel = clock.after(PROJECTION_STOP_MS_MAX, end)
      // Somebody waits for it, so it keeps the process alive.
      const alive = setInterval(() => undefined, PROJECTION_STOP_MS_MAX)
      void stopped.then(end)
    })
  }
}

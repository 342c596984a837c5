/**
 * Writes verify markers: now and then, and only when tables changed, the log says what they hold. (G8)
 *
 * A marker is taken and ordered in one step of the commit lane, so its counts are those of exactly the LSN before it.
 * A marker that cannot be written (the disk is full, the server is fenced or closing) is left for the next time.
 */
import { type Clock, every } from '../core/clock.js'
import { isReplogError } from '../core/errors.js'
import type { TableCount } from '../log/codec/message.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import { ChangedTables } from '../log/verify/marker-counts.js'
import type { CommitLane } from './commit-lane.js'

/** Of no catalog: a marker counts tables of all of them. */
const NO_CATALOG = 0

export interface VerifyMarkersOptions {
  /** How often, in milliseconds; 0 writes none by itself. */
  readonly intervalMs: number
  readonly onError: (error: unknown) => void
}

export class VerifyMarkers {
  readonly #state: ReplicatedState
  readonly #lane: CommitLane
  readonly #clock: Clock
  readonly #changed: ChangedTables
  readonly #onError: (error: unknown) => void
  readonly #cancel: () => void
  #writing: Promise<void> | undefined

  constructor(state: ReplicatedState, lane: CommitLane, clock: Clock, options: VerifyMarkersOptions) {
    this.#state = state
    this.#lane = lane
    this.#clock = clock
    this.#onError = options.onError
    this.#changed = new ChangedTables(state)
    const { intervalMs } = options
    this.#cancel = intervalMs === 0 ? () => undefined : every(clock, intervalMs, () => void this.write())
  }

  /** Writes a marker if tables changed since the last one; resolves when it is durable. */
  write(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  stop(): void {
    this.#cancel()
  }

  async #write(): Promise<void> {
    if (this.#changed.isEmpty) return
    let taken: readonly TableCount[] = []
    try {
      await this.#changed.findOwners()
      const { position } = await this.#lane.commitDefinitions(this.#clock.nowUs(), () => {
        taken = this.#changed.take()
        if (taken.length === 0) return undefined
        return { catalogId: NO_CATALOG, statements: [{ kind: 'verifyMarker', counts: taken }] }
      })
      if (taken.length === 0) return
      this.#state.verification.marker = { lsn: position.lsn, commitUs: this.#clock.nowUs(), tables: taken.length }
    } catch (error) {
      this.#changed.restore(taken)
      if (!isReplogError(error) || error.code === 'CORRUPT') this.#onError(error)
    }
  }
}

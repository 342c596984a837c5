/**
 * The snapshots that a server is sending: how many there may be, how far they are, and which part of the log they need.
 *
 * Invariant: each is bounded by the connection that it goes over; who begins one ends it.
 */
import { ReplogError } from '../../core/errors.js'
import { SNAPSHOTS_RUNNING_MAX } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import type { CopyStatus } from './copy-status.js'

export interface RunningSnapshot {
  /** How the receiver calls itself. */
  readonly name: string
  readonly startedAt: Date
  /** The log from behind here on is needed when the pages are sent. */
  readonly startLsn: Lsn
  bytesEstimate: number
  bytesSent: number
  entriesSent: number
}

export class RunningSnapshots {
  readonly #running = new Set<RunningSnapshot>()
  #completed = 0
  /** Called when one has begun, and when one is about to end: what it needs of the log is still in `list`. */
  onChange: () => void = () => undefined
  #bytesSent = 0

  /** Sent to the end since the start of the server. */
  get completed(): number {
    return this.#completed
  }

  /** By all since the start of the server. */
  get bytesSent(): number {
    return this.#bytesSent
  }

  list(): readonly RunningSnapshot[] {
    return [...this.#running]
  }

  status(): readonly CopyStatus[] {
    return this.list().map(({ name, startedAt, startLsn, bytesSent, bytesEstimate, entriesSent }) => ({
      name,
      since: startedAt.toISOString(),
      startLsn: startLsn.toString(),
      bytesSent,
      bytesEstimate,
      entriesSent,
    }))
  }

  /** @throws ReplogError LIMIT */
  begin(name: string, startLsn: Lsn): RunningSnapshot {
    if (this.#running.size >= SNAPSHOTS_RUNNING_MAX) {
      throw new ReplogError(
        'LIMIT',
        `this server is being copied ${SNAPSHOTS_RUNNING_MAX} times already; ask again when one of them is done`,
      )
    }
    const snapshot = { name, startedAt: new Date(), startLsn, bytesEstimate: 0, bytesSent: 0, entriesSent: 0 }
    this.#running.add(snapshot)
    this.onChange()
    return snapshot
  }

  note(snapshot: RunningSnapshot, bytes: number, entries: number): void {
    snapshot.bytesSent += bytes
    snapshot.entriesSent += entries
    this.#bytesSent += bytes
  }

  end(snapshot: RunningSnapshot, isComplete: boolean): void {
    if (!this.#running.has(snapshot)) return
    this.onChange()
    this.#running.delete(snapshot)
    if (isComplete) this.#completed++
  }
}

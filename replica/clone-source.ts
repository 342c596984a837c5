/** Where a copy comes from: a server, or a backup file. */
import type { Position } from '../core/position.js'
import type { SnapshotResume } from '../log/snapshot/snapshot-records.js'

export interface CloneSource {
  /** For people, and by which a copy that was cut off knows its source again. */
  readonly name: string
  /** Whether what was damaged or cut off may come whole when it is asked for again; true when left out. */
  readonly isWorthRetrying?: boolean
  /** The bytes of a snapshot, as they come. @throws ReplogError of the server; UNREACHABLE when it is cut off */
  snapshot(resume: SnapshotResume | undefined, signal: AbortSignal): AsyncIterable<Buffer>
  /** The bytes of the log from behind a position, at least up to where the last snapshot ended. */
  log(after: Position, signal: AbortSignal): AsyncIterable<Buffer>
}

export type ClonePhase = 'copying' | 'applying the log' | 'counting'

export interface CloneProgress {
  readonly phase: ClonePhase
  /** Bytes of the snapshot, transactions, or rows, by phase. */
  readonly done: number
  /** An estimate for the first phase. */
  readonly total: number
}

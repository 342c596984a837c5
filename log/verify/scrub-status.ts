/** What a scrub found and how far it is, as status, metrics and the answer of `POST /v1/admin/verify` tell it. */
import type { Flaw } from './flaw.js'

/** A pass over everything that a store holds. */
export interface PassReport {
  /** ISO 8601. */
  readonly startedAt: string
  readonly finishedAt: string
  /** Where the log ended when the pass did. */
  readonly position: string
  readonly tables: number
  readonly rows: number
  readonly entries: number
  readonly frames: number
  /** Bytes of keys and values read. */
  readonly bytes: number
  /** What is damaged; at most `VERIFY_FLAWS_MAX` of them. */
  readonly flaws: readonly Flaw[]
  /** All that were found. */
  readonly flawCount: number
}

export interface ScrubStatus {
  /** Bytes per second that a pass may read; 0: none begins by itself. */
  readonly bytesPerSecond: number
  readonly running: boolean
  /** What the pass that is running looks at. */
  readonly at: string | null
  /** How much of the running pass is done, 0 to 1. */
  readonly share: number
  /** Of the running pass. */
  readonly rows: number
  readonly bytes: number
  /** Flaws found since the start, by every pass. */
  readonly flawsFound: number
  /** The newest complete pass. */
  readonly last: PassReport | null
}

/** What a server knows of its own soundness since it started: the newest marker, and what a scrub found. In memory only. */
import type { Lsn } from '../../core/position.js'
import type { PassReport, ScrubStatus } from './scrub-status.js'

/** A marker that this server wrote, or that it compared with its own counts and found equal. */
export interface MarkerPoint {
  readonly lsn: Lsn
  readonly commitUs: bigint
  /** How many tables it counts, and how many of those are held here. */
  readonly tables: number
}

export interface VerificationStatus {
  /** On a primary the newest marker written, on a replica the newest that its own counts equalled; null when none was. */
  readonly marker: { readonly lsn: string; readonly at: string; readonly tables: number } | null
  /** Null when this server does not scrub. */
  readonly scrub: ScrubStatus | null
}

export interface Scrubber {
  status(): ScrubStatus
  /** @throws ReplogError CLOSED */
  run(bytesPerSecond?: number): Promise<PassReport>
}

export class Verification {
  marker: MarkerPoint | undefined
  /** That of this server, while it has one. */
  scrub: Scrubber | undefined

  status(): VerificationStatus {
    const { marker } = this
    return {
      marker:
        marker === undefined
          ? null
          : {
              lsn: marker.lsn.toString(),
              at: new Date(Number(marker.commitUs / 1000n)).toISOString(),
              tables: marker.tables,
            },
      scrub: this.scrub?.status() ?? null,
    }
  }
}

/**
 * The delay of a peer's replica, from samples of how far both servers are. A position of the replica is as old as the
 * newest sample in which the primary was no further than it; so the delay is right to the time between two samples, and
 * asks nothing of the peer that would change its load. Pure.
 */
import { rounded } from '../samples.js'

export interface PositionSample {
  /** Milliseconds since the first run began. */
  readonly atMs: number
  readonly primary: number
  readonly replica: number
}

export interface ReplicaDelay {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly samples: readonly { readonly atMs: number; readonly delayMs: number; readonly behind: number }[]
}

/** Of one sample at least, in their order. */
export function summaryOfPositions(samples: readonly PositionSample[]): ReplicaDelay {
  let since = 0
  const delays = samples.map(({ atMs, primary, replica }) => {
    // Positions only grow, so what was passed once need not be looked at again.
    while (since + 1 < samples.length && samples[since + 1]!.primary <= replica && samples[since + 1]!.atMs <= atMs)
      since++
    const delayMs = replica >= primary ? 0 : Math.max(0, atMs - samples[since]!.atMs)
    return { atMs, delayMs: rounded(delayMs, 1), behind: Math.max(0, primary - replica) }
  })
  const sorted = delays.map(({ delayMs }) => delayMs).sort((left, right) => left - right)
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), samples: delays }
}

/** What a report of rotating blades says of peers, and how replog compares with them. */
import { rounded } from '../samples.js'
import type { PeerDescription, PeerName } from '../peers/peer.js'
import type { ReplicaDelay } from './replica-positions.js'
import type { QuerySummaries } from './tally.js'

export interface PeerFinalState {
  /** Null when the item has no row. */
  readonly fans: string | null
  readonly rows: number
  readonly rowsOfItem: number
  readonly firstUser: string | null
  readonly lastUser: string | null
}

/** Of a peer, with one number of clients. */
export interface PeerPointReport {
  readonly clients: number
  readonly runs: number
  /** From the first query until the last commit was acknowledged, and applied by the replica where there is one. */
  readonly seconds: number
  readonly runsPerSecond: number
  readonly commitSeconds: number
  readonly replica: (ReplicaDelay & { readonly appliedAfterMs: number }) | null
  readonly foundAfterTimeout: number
  readonly retries: { readonly total: number; readonly byCause: Readonly<Record<string, number>> }
  readonly queries: QuerySummaries
  /** As the server counts them. */
  readonly syncs: number
  readonly syncsPerRun: number
  readonly cpu: {
    /** Null where the system does not tell. */
    readonly serverSeconds: number | null
    readonly replicaSeconds: number | null
    readonly loadSeconds: number
    /** Of one processor, that a load process used on the average: near 1, the client is the limit. */
    readonly loadShare: number
    readonly shareOfMachine: number | null
  }
  readonly final: { readonly primary: PeerFinalState; readonly replica: PeerFinalState | null }
  readonly problems: readonly string[]
}

export interface PeerReport extends PeerDescription {
  readonly points: readonly PeerPointReport[]
}

/** Throughput of replog over that of a peer, with the same number of clients in the same run. */
export interface BladesRatio {
  readonly peer: PeerName
  readonly clients: number
  readonly runsPerSecond: number
  readonly peerRunsPerSecond: number
  readonly ratio: number
}

/** Of every number of clients with which both were measured. */
export function ratiosOf(
  points: readonly { readonly clients: number; readonly runsPerSecond: number }[],
  peers: readonly Pick<PeerReport, 'name' | 'points'>[],
): BladesRatio[] {
  return points.flatMap(({ clients, runsPerSecond }) =>
    peers.flatMap(({ name, points: others }) => {
      const other = others.find((point) => point.clients === clients)
      if (other === undefined) return []
      const ratio = rounded(runsPerSecond / other.runsPerSecond, 2)
      return [{ peer: name, clients, runsPerSecond, peerRunsPerSecond: other.runsPerSecond, ratio }]
    }),
  )
}

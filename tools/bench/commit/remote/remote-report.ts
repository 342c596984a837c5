/**
 * The result of `bench commit --remote` as data. Pure: figures of cells go in, summaries come out.
 *
 * Invariant: a ratio is of two cells of one repetition, which ran one after the other; the summary has their median.
 */
import { QueryTimes, type TimesState, type TimesSummary } from '../../blades/query-times.js'
import type { Device } from '../../fsync/device.js'
import type { Machine } from '../../machine.js'
import type { PeerDescription, PeerName } from '../../peers/peer.js'
import { type Spread, rounded, spreadOf } from '../../samples.js'

export type Side = 'replog' | PeerName

/** One cell of one repetition. */
export interface InsertFigures {
  readonly throughput: number
  /** Of all its load processes together. */
  readonly loadCpuUs: number
  /** Of one processor, that a load process used on the average. */
  readonly loadShare: number
  /** Of the server for each transaction; null where the system does not tell. */
  readonly serverCpuUs: number | null
  readonly syncsPerTransaction: number
  readonly acknowledged: number
  readonly times: TimesState
}

export interface MeasuredInserts {
  readonly side: Side
  readonly clients: number
  readonly figures: readonly InsertFigures[]
}

export interface RemoteCell {
  readonly side: Side
  readonly clients: number
  /** Transactions a second. */
  readonly throughput: Spread
  readonly latency: TimesSummary
  readonly serverCpuUs: Spread | null
  readonly loadCpuUs: Spread
  readonly loadShare: Spread
  readonly syncsPerTransaction: Spread
  readonly transactions: number
}

/** Throughput of replog over that of a peer. */
export interface RemoteRatio {
  readonly peer: PeerName
  readonly clients: number
  readonly ratio: Spread
}

export interface RemoteSettings {
  readonly clients: readonly number[]
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly repetitions: number
  /** Of id, item and body. */
  readonly rowBytes: number
  readonly loadProcesses: number
  readonly peers: readonly PeerName[]
  /** On every side. */
  readonly replica: boolean
}

export interface RemoteReport {
  readonly benchmark: 'commit-remote'
  readonly measuredAt: string
  readonly machine: Machine
  readonly device: Device
  readonly loadAverage: { readonly before: number; readonly after: number }
  readonly settings: RemoteSettings
  readonly peers: readonly PeerDescription[]
  readonly cells: readonly RemoteCell[]
  readonly ratios: readonly RemoteRatio[]
  /** What is wrong on the servers; empty when the benchmark is valid. */
  readonly problems: readonly string[]
}

export function summarizeInserts(measured: readonly MeasuredInserts[]): RemoteCell[] {
  return measured.map(({ side, clients, figures }) => {
    const times = new QueryTimes()
    for (const one of figures) times.merge(one.times)
    const cpu = figures.map(({ serverCpuUs }) => serverCpuUs)
    const spread = (valueOf: (one: InsertFigures) => number, decimals: number): Spread =>
      spreadOf(figures.map(valueOf), decimals)
    return {
      side,
      clients,
      throughput: spread(({ throughput }) => throughput, 1),
      latency: times.summary()!,
      serverCpuUs: cpu.includes(null) ? null : spreadOf(cpu as readonly number[], 1),
      loadCpuUs: spread(({ loadCpuUs }) => loadCpuUs, 1),
      loadShare: spread(({ loadShare }) => loadShare, 3),
      syncsPerTransaction: spread(({ syncsPerTransaction }) => syncsPerTransaction, 4),
      transactions: figures.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
    }
  })
}

export function insertRatios(measured: readonly MeasuredInserts[]): RemoteRatio[] {
  return measured.flatMap(({ side, clients, figures }) => {
    if (side === 'replog') return []
    const ours = measured.find((other) => other.side === 'replog' && other.clients === clients)
    if (ours === undefined) return []
    const ratios = figures.map(({ throughput }, at) => rounded(ours.figures[at]!.throughput / throughput, 3))
    return [{ peer: side, clients, ratio: spreadOf(ratios, 3) }]
  })
}

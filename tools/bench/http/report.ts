/**
 * The result of `bench http` as data. Pure: figures of slices go in, summaries come out.
 *
 * Invariant: a ratio is of two slices of one repetition, which ran one after the other; the summary has the median of them.
 */
import type { Device } from '../fsync/device.js'
import type { Machine } from '../machine.js'
import { type Spread, medianOf, rounded, spreadOf } from '../samples.js'

export interface HttpSettings {
  readonly connections: readonly number[]
  readonly echoClients: readonly number[]
  readonly seconds: number
  readonly repetitions: number
}

/** One slice of time with one kind of load. */
export interface SliceFigures {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly serverCpuUs: number
  readonly loadCpuUs: number
}

export interface HttpRow {
  readonly series: string
  /** Connections, each with one request under way. */
  readonly connections: number
  readonly requestsPerSecond: Spread
  readonly p50Ms: number
  readonly p99Ms: number
  /** Processor time for each request, of all threads. */
  readonly serverCpuUs: Spread
  readonly loadCpuUs: Spread
  /** Requests a second over those of the row that this one is held beside; null for that row itself. */
  readonly ratio: Spread | null
}

export interface HttpReport {
  readonly benchmark: 'http'
  readonly measuredAt: string
  readonly machine: Machine
  readonly device: Device
  readonly settings: HttpSettings
  /** Processes that wanted to run, on average over the minute before: before the benchmark, and at its end. */
  readonly loadAverage: { readonly before: number; readonly after: number }
  /** One-shot transactions, beside the empty route with as many connections. */
  readonly http: readonly HttpRow[]
  /** A WebSocket that sends back what it gets, beside itself with the first number of clients. */
  readonly echo: readonly HttpRow[]
}

/** @param figures one for each repetition; @param beside the same of the row that it is held beside */
export function rowOf(
  series: string,
  connections: number,
  figures: readonly SliceFigures[],
  beside: readonly SliceFigures[] | undefined,
): HttpRow {
  const of = (valueOf: (slice: SliceFigures) => number): number[] => figures.map(valueOf)
  return {
    series,
    connections,
    requestsPerSecond: spreadOf(
      of((slice) => slice.requestsPerSecond),
      1,
    ),
    p50Ms: rounded(medianOf(of((slice) => slice.p50Ms)), 4),
    p99Ms: rounded(medianOf(of((slice) => slice.p99Ms)), 4),
    serverCpuUs: spreadOf(
      of((slice) => slice.serverCpuUs),
      2,
    ),
    loadCpuUs: spreadOf(
      of((slice) => slice.loadCpuUs),
      2,
    ),
    ratio:
      beside === undefined
        ? null
        : spreadOf(
            figures.map((slice, at) => slice.requestsPerSecond / beside[at]!.requestsPerSecond),
            3,
          ),
  }
}

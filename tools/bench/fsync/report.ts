/**
 * The result of `bench fsync` as data: what the JSON holds and everything else is drawn from. Pure: measured cells go in,
 * summaries come out.
 *
 * Invariants: a cell is summarised over its repetitions, which ran in turns with those of the other modes; what has no
 * counterpart (no sync, no `batch` in the run) is null, not zero.
 */
import type { Machine } from '../machine.js'
import { type Spread, medianOf, rounded, spreadOf } from '../samples.js'
import { type Calibration, limitWithDelay } from './calibrate.js'
import type { CellResult } from './cell.js'
import type { Device } from './device.js'
import { Latencies } from './latency.js'
import type { ModeName } from './mode.js'
import type { Proof } from './proof.js'

/** Which cell: one mode under one load on a device of one speed. */
export interface CellPlace {
  readonly mode: ModeName
  readonly committers: number
  readonly rowBytes: number
  readonly delayUs: number
}

export interface CellSummary extends CellPlace {
  /** Of all repetitions, warm-up included. */
  readonly transactions: number
  readonly syncs: number
  /** Transactions a second. */
  readonly throughput: Spread
  /**
   * Null when fewer transactions ended in the windows than there are committers: those that ended are then the ones that
   * had to wait least, and their latency would flatter the mode.
   */
  readonly latency: { readonly medianMs: number; readonly p99Ms: number } | null
  readonly syncsPerTransaction: number
  readonly syncsPerSecond: number
  /** Syncs a second over those that the device can do, one after another and so much slower. Null without syncs. */
  readonly shareOfLimit: number | null
  /** Throughput over that of `batch` under the same load; null where `batch` was not measured. */
  readonly ratioToBatch: number | null
}

/** What `batch` gains over another mode on one device. */
export interface Gain {
  readonly mode: ModeName
  readonly rowBytes: number
  readonly delayUs: number
  /** Best throughput of each, whatever number of committers it takes. */
  readonly best: number
  readonly bestCommitters: number
  readonly batchBest: number
  readonly bestRatio: number
  /** With one committer alone; null when that was not measured. */
  readonly aloneRatio: number | null
}

export interface FsyncSettings {
  readonly modes: readonly ModeName[]
  readonly committers: readonly number[]
  readonly rowBytes: readonly number[]
  readonly fsyncDelaysUs: readonly number[]
  readonly secondsPerCell: number | null
  readonly transactionsPerCell: number | null
  readonly repetitions: number
}

export interface FsyncReport {
  readonly benchmark: 'fsync'
  readonly measuredAt: string
  readonly machine: Machine
  readonly device: Device
  readonly settings: FsyncSettings
  readonly calibration: Calibration
  readonly proof: Proof
  readonly cells: readonly CellSummary[]
  readonly gains: readonly Gain[]
}

/** All repetitions of one cell. */
export interface MeasuredCell {
  readonly place: CellPlace
  readonly results: readonly CellResult[]
}

export function summarize(measured: readonly MeasuredCell[], limitPerSecond: number): CellSummary[] {
  const throughputs = new Map(measured.map((cell) => [placeText(cell.place), throughputOf(cell.results)]))
  return measured.map(({ place, results }) => {
    const latencies = new Latencies()
    for (const result of results) latencies.merge(result.latencies)
    const transactions = sumOf(results.map((result) => result.transactions))
    const syncs = sumOf(results.map((result) => result.syncs))
    const throughput = throughputOf(results)
    const syncsPerSecond = medianOf(results.map((result) => result.syncsPerSecond))
    const batch = throughputs.get(placeText({ ...place, mode: 'batch' }))
    return {
      ...place,
      transactions,
      syncs,
      throughput,
      latency:
        latencies.count < Math.min(place.committers, transactions / results.length) * results.length
          ? null
          : { medianMs: latencies.percentileMs(0.5), p99Ms: latencies.percentileMs(0.99) },
      syncsPerTransaction: rounded(syncs / transactions, 4),
      syncsPerSecond: rounded(syncsPerSecond, 1),
      shareOfLimit: syncs === 0 ? null : rounded(syncsPerSecond / limitWithDelay(limitPerSecond, place.delayUs), 3),
      ratioToBatch: batch === undefined ? null : rounded(throughput.median / batch.median, 3),
    }
  })
}

export function gainsOf(cells: readonly CellSummary[]): Gain[] {
  const gains: Gain[] = []
  for (const { rowBytes, delayUs } of devicesOf(cells)) {
    const here = cells.filter((cell) => cell.rowBytes === rowBytes && cell.delayUs === delayUs)
    const batch = bestOf(here, 'batch')
    if (batch === undefined) continue
    for (const mode of new Set(here.map((cell) => cell.mode))) {
      const best = bestOf(here, mode)
      if (mode === 'batch' || best === undefined) continue
      const alone = (which: ModeName): number | undefined =>
        here.find((cell) => cell.mode === which && cell.committers === 1)?.throughput.median
      const [batchAlone, modeAlone] = [alone('batch'), alone(mode)]
      gains.push({
        mode,
        rowBytes,
        delayUs,
        best: best.throughput.median,
        bestCommitters: best.committers,
        batchBest: batch.throughput.median,
        bestRatio: rounded(batch.throughput.median / best.throughput.median, 2),
        aloneRatio: batchAlone === undefined || modeAlone === undefined ? null : rounded(batchAlone / modeAlone, 2),
      })
    }
  }
  return gains
}

/** The loads and devices of a sweep without modes and committers: one table and one set of plots each. */
export function devicesOf(
  cells: readonly CellSummary[],
): readonly { readonly rowBytes: number; readonly delayUs: number }[] {
  const seen = new Map(cells.map(({ rowBytes, delayUs }) => [`${rowBytes} ${delayUs}`, { rowBytes, delayUs }]))
  return [...seen.values()]
}

function bestOf(cells: readonly CellSummary[], mode: ModeName): CellSummary | undefined {
  return cells
    .filter((cell) => cell.mode === mode)
    .sort((left, right) => right.throughput.median - left.throughput.median)[0]
}

function placeText({ mode, committers, rowBytes, delayUs }: CellPlace): string {
  return `${mode} ${committers} ${rowBytes} ${delayUs}`
}

function throughputOf(results: readonly CellResult[]): Spread {
  return spreadOf(
    results.map(({ throughput }) => throughput),
    1,
  )
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

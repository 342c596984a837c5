/**
 * The result of `bench commit` as data. Pure: figures of cells go in, summaries come out.
 *
 * Invariant: a ratio is of two cells of one repetition, which ran one after the other; the summary has the median of them.
 */
import type { Device } from '../fsync/device.js'
import type { Machine } from '../machine.js'
import { type Spread, medianOf, rounded, spreadOf } from '../samples.js'
import type { CommitProof } from './proof.js'
import type { CellFigures } from './run-cell.js'
import type { SeriesName } from './targets.js'

export interface CommitPlace {
  readonly series: SeriesName
  readonly committers: number
  /** In each repetition. */
  readonly transactions: number
}

export interface CommitCell extends CommitPlace {
  /** Transactions a second. */
  readonly throughput: Spread
  readonly cpuUsPerTransaction: Spread
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of all repetitions. */
  readonly syncs: number
  readonly syncsPerTransaction: number
  /** Bytes for each transaction; null where the system does not tell. */
  readonly bytesPerTransaction: {
    readonly handed: number | null
    readonly toFiles: number | null
    readonly toDevice: number | null
    readonly onDisk: number
  }
  /** Bytes written to files over bytes of rows; null where the system does not tell. */
  readonly writeAmplification: number | null
  /** Bytes of the files over bytes of rows. */
  readonly spaceAmplification: number
  /** Over the ceiling of the same committers: throughput, and processor time for each transaction. Null for the ceiling. */
  readonly ratioToCeiling: Spread | null
  readonly cpuRatioToCeiling: Spread | null
}

export interface CommitSettings {
  readonly committers: readonly number[]
  readonly transactionsMax: number
  readonly transactionsPerCommitterMax: number
  readonly rowBytes: number
  readonly repetitions: number
}

/** Flags of Node that say how every side keeps its heap. */
export interface HeapSettings {
  readonly heapFlags: readonly string[]
}

export interface CommitReport {
  readonly benchmark: 'commit'
  readonly measuredAt: string
  readonly machine: Machine
  readonly device: Device
  /** Processes that wanted to run, on average over the minute before: before the benchmark, and at its end. */
  readonly loadAverage: { readonly before: number; readonly after: number }
  readonly settings: CommitSettings & HeapSettings
  readonly proof: CommitProof
  readonly cells: readonly CommitCell[]
}

export interface MeasuredCommitCell {
  readonly place: CommitPlace
  /** One for each repetition, in their order. */
  readonly figures: readonly CellFigures[]
}

export function summarizeCommit(measured: readonly MeasuredCommitCell[], rowBytes: number): CommitCell[] {
  return measured.map(({ place, figures }) => {
    const ceiling = measured.find(
      (other) => other.place.series === 'ceiling' && other.place.committers === place.committers,
    )?.figures
    const ratio = (valueOf: (cell: CellFigures) => number): Spread | null =>
      ceiling === undefined || place.series === 'ceiling'
        ? null
        : spreadOf(
            figures.map((cell, at) => valueOf(cell) / valueOf(ceiling[at]!)),
            3,
          )
    const transactions = sumOf(figures.map((cell) => cell.transactions))
    const syncs = sumOf(figures.map((cell) => cell.syncs))
    const bytes = (valueOf: (cell: CellFigures) => number): number =>
      rounded(sumOf(figures.map(valueOf)) / transactions, 1)
    const known = figures.every((cell) => cell.bytes.toFiles !== null)
    const bytesPerTransaction = {
      handed: place.series === 'ceiling' ? bytes((cell) => cell.bytes.handed!) : null,
      toFiles: known ? bytes((cell) => cell.bytes.toFiles!) : null,
      toDevice: known ? bytes((cell) => cell.bytes.toDevice!) : null,
      onDisk: bytes((cell) => cell.bytes.onDisk),
    }
    return {
      ...place,
      throughput: spreadOf(
        figures.map((cell) => cell.throughput),
        1,
      ),
      cpuUsPerTransaction: spreadOf(
        figures.map((cell) => cell.cpuUsPerTransaction),
        2,
      ),
      p50Ms: rounded(medianOf(figures.map((cell) => cell.p50Ms)), 4),
      p99Ms: rounded(medianOf(figures.map((cell) => cell.p99Ms)), 4),
      syncs,
      syncsPerTransaction: rounded(syncs / transactions, 5),
      bytesPerTransaction,
      writeAmplification: known ? rounded(bytesPerTransaction.toFiles! / rowBytes, 2) : null,
      spaceAmplification: rounded(bytesPerTransaction.onDisk / rowBytes, 2),
      ratioToCeiling: ratio((cell) => cell.throughput),
      cpuRatioToCeiling: ratio((cell) => cell.cpuUsPerTransaction),
    }
  })
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

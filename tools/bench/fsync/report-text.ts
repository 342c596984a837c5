/** The result of `bench fsync` as text for a terminal: the device, one table per row size and delay, and what it means. */
import { alignedTable, formatCount } from '../../table-text.js'
import { MODES } from './modes.js'
import type { SyncLatency } from './calibrate.js'
import { type CellSummary, type FsyncReport, type Gain, devicesOf } from './report.js'

export const TABLE_HEADING = [
  'mode',
  'committers',
  'transactions/s',
  'min..max',
  'p50 ms',
  'p99 ms',
  'syncs/transaction',
  'of device limit',
  'ratio to batch',
] as const

export function reportText(report: FsyncReport): string {
  const { cells, gains, settings } = report
  return [
    ...deviceLines(report),
    '',
    ...settings.modes.map((mode) => `${mode}: ${MODES[mode].summary}`),
    '',
    ...proofLines(report),
    ...devicesOf(cells).flatMap(({ rowBytes, delayUs }) => [
      '',
      `Rows of ${rowBytes} bytes${delayUs === 0 ? '' : `, every sync ${formatCount(delayUs)} µs slower`}:`,
      alignedTable([
        TABLE_HEADING,
        ...cells.filter((cell) => cell.rowBytes === rowBytes && cell.delayUs === delayUs).map(cellRow),
      ]),
      ...gains.filter((gain) => gain.rowBytes === rowBytes && gain.delayUs === delayUs).map(gainLine),
    ]),
  ].join('\n')
}

export function deviceLines({ device, calibration, machine, settings }: FsyncReport): string[] {
  const { overwrite, append, limitPerSecond } = calibration
  const length =
    settings.secondsPerCell === null
      ? `${formatCount(settings.transactionsPerCell ?? 0)} transactions`
      : `${settings.secondsPerCell} s`
  return [
    `Measured device: ${device.name} (${device.fileSystem}${device.mountOptions === '' ? '' : `, ${device.mountOptions}`})`,
    `Machine: ${machine.processors} processors, ${machine.memoryGiB} GiB, ${machine.platform}, Node ${machine.node}, replog ${machine.replog}`,
    `write and fdatasync of ${calibration.pageBytes} bytes: overwriting ${latencyText(overwrite)}; appending ${latencyText(append)}`,
    `The device's limit: ${formatCount(limitPerSecond)} syncs/s, one after another`,
    `Each cell: ${length}, ${settings.repetitions} interleaved repetitions; throughput is their median`,
  ]
}

export function proofLines({ proof }: FsyncReport): string[] {
  const rows = 'every store was opened again and held the transactions that it had acknowledged'
  return [
    proof.notTraced === null
      ? `Proof: the kernel saw the syncs that each mode counted, and ${rows}.`
      : `Proof: ${rows}; syncs are as each mode counted them (${proof.notTraced}).`,
  ]
}

export function cellRow(cell: CellSummary): string[] {
  const { throughput, latency } = cell
  return [
    cell.mode,
    formatCount(cell.committers),
    formatCount(Math.round(throughput.median)),
    `${formatCount(Math.round(throughput.min))}..${formatCount(Math.round(throughput.max))}`,
    latency === null ? '–' : latency.medianMs.toFixed(2),
    latency === null ? '–' : latency.p99Ms.toFixed(2),
    cell.syncsPerTransaction.toFixed(4),
    cell.shareOfLimit === null ? '–' : cell.shareOfLimit.toFixed(2),
    cell.ratioToBatch === null ? '–' : cell.ratioToBatch.toFixed(2),
  ]
}

export function gainLine({ mode, bestRatio, aloneRatio, best, bestCommitters, batchBest }: Gain): string {
  const alone = aloneRatio === null ? '' : `, ${aloneRatio} × with 1 committer`
  return (
    `batch against ${mode}: ${bestRatio} × at the best of each (${formatCount(Math.round(batchBest))}/s against ` +
    `${formatCount(Math.round(best))}/s with ${formatCount(bestCommitters)} committers)${alone}`
  )
}

function latencyText({ medianUs, p99Us, samples }: SyncLatency): string {
  return `p50 ${medianUs} µs, p99 ${p99Us} µs (${formatCount(samples)} times)`
}

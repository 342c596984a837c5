/** The result of `bench commit` as text and tables, for a terminal and for pages. */
import { alignedTable, formatCount } from '../../table-text.js'
import type { Spread } from '../samples.js'
import type { CommitCell, CommitReport } from './report.js'

const SPEED_HEADING = [
  'series',
  'committers',
  'transactions/s',
  'from',
  'to',
  'of ceiling',
  'p50 ms',
  'p99 ms',
  'cpu µs',
  'cpu of ceiling',
  'syncs/transaction',
] as const
const BYTES_HEADING = [
  'series',
  'committers',
  'given to LevelDB',
  'written to files',
  'to the device',
  'on disk',
  'write amplification',
  'space amplification',
] as const

/** Each with its heading first. */
export function tablesOf({ cells }: CommitReport): {
  readonly speed: readonly (readonly string[])[]
  readonly bytes: readonly (readonly string[])[]
} {
  return { speed: [SPEED_HEADING, ...cells.map(speedRow)], bytes: [BYTES_HEADING, ...cells.map(bytesRow)] }
}

export function settingsLine({ settings, machine, device, loadAverage }: CommitReport): string {
  const { rowBytes, repetitions, transactionsMax } = settings
  return (
    `One-row inserts of ${rowBytes} bytes into a table with one index, up to ${formatCount(transactionsMax)} in each cell, ` +
    `${repetitions} repetitions in turns; ${machine.processors} processors, ${device.fileSystem} on ${device.name}, ` +
    `load average ${loadAverage.before} before and ${loadAverage.after} after`
  )
}

/** What the figures mean, and what was proven. */
export function noteLines({ proof, settings }: CommitReport): string[] {
  return [
    'one-shot: db.execute([{ insert }]). transaction: db.transaction((tx) => tx.insert(table, row)).',
    'ceiling: the same keys and bytes, recorded at the door of the engine, through chained batches of LevelDB alone, ' +
      'synced, one in flight; what waits meanwhile goes into the next. With 1 committer: one synced batch each.',
    'Each series has a process of its own; processor time is of all its threads, the committers included. Ratios are of ' +
      'cells that ran one after the other.',
    ...(settings.heapFlags.length === 0
      ? []
      : [`Node was started with ${settings.heapFlags.join(' ')}, on every side.`]),
    `Bytes are for each transaction; amplification is over the ${settings.rowBytes} bytes of its row.`,
    proof.notTraced === null
      ? `Syncs were counted by the kernel as well, in ${proof.cells.length} runs under strace, and every series held the ` +
        'same rows and index entries, byte by byte.'
      : `Syncs are as the engine counts them: ${proof.notTraced}.`,
  ]
}

export function reportText(report: CommitReport): string {
  const { speed, bytes } = tablesOf(report)
  return [settingsLine(report), '', alignedTable(speed), '', alignedTable(bytes), '', ...noteLines(report)].join('\n')
}

function speedRow(cell: CommitCell): string[] {
  const { series, committers, throughput, ratioToCeiling, p50Ms, p99Ms, cpuUsPerTransaction, cpuRatioToCeiling } = cell
  return [
    series,
    formatCount(committers),
    formatCount(Math.round(throughput.median)),
    formatCount(Math.round(throughput.min)),
    formatCount(Math.round(throughput.max)),
    ratioText(ratioToCeiling),
    String(p50Ms),
    String(p99Ms),
    String(cpuUsPerTransaction.median),
    ratioText(cpuRatioToCeiling),
    String(cell.syncsPerTransaction),
  ]
}

function bytesRow({ series, committers, bytesPerTransaction, ...cell }: CommitCell): string[] {
  const { handed, toFiles, toDevice, onDisk } = bytesPerTransaction
  return [
    series,
    formatCount(committers),
    ...[handed, toFiles, toDevice, onDisk, cell.writeAmplification, cell.spaceAmplification].map((value) =>
      value === null ? '' : String(value),
    ),
  ]
}

function ratioText(ratio: Spread | null): string {
  return ratio === null ? '' : String(ratio.median)
}

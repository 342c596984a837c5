/** The result of `bench apply` as data, and as text and tables. Pure. */
import { alignedTable, formatCount } from '../../table-text.js'
import type { Device } from '../fsync/device.js'
import type { Machine } from '../machine.js'
import { type NamedPlot, barPlot } from '../plot.js'
import { pageStory, reportPage } from '../report-page.js'
import { type Spread, rounded, spreadOf } from '../samples.js'
import type { Story } from '../story.js'
import type { Applied, Timed } from './requests.js'

/** One of what is compared. */
export interface ApplySide {
  /** Transactions a second. */
  readonly throughput: Spread
  readonly cpuUsPerTransaction: Spread
}

export interface ApplyReport {
  readonly benchmark: 'apply'
  readonly measuredAt: string
  readonly machine: Machine
  readonly device: Device
  readonly loadAverage: { readonly before: number; readonly after: number }
  readonly settings: {
    readonly transactions: number
    readonly committers: number
    readonly rowBytes: number
    readonly repetitions: number
  }
  /** The primary, with so many committers. */
  readonly commit: ApplySide
  /** A replica that copies the whole log over a socket, from the call of `open` on; the primary serves it meanwhile. */
  readonly replica: ApplySide & {
    readonly primaryCpuUsPerTransaction: Spread
    readonly syncsPerTransaction: number
  }
  /** The applier alone, fed from memory. */
  readonly applier: ApplySide & { readonly syncsPerTransaction: number }
  /** Throughput over that of the commits of the same repetition. */
  readonly ratio: { readonly replica: Spread; readonly applier: Spread }
}

export interface ApplyRepetition {
  readonly commit: Timed
  readonly replica: Applied
  readonly primaryCpuSeconds: number
  readonly applier: Applied
}

export function summarizeApply(
  repetitions: readonly ApplyRepetition[],
): Pick<ApplyReport, 'commit' | 'replica' | 'applier' | 'ratio'> {
  const over = (valueOf: (repetition: ApplyRepetition) => number, decimals: number): Spread =>
    spreadOf(repetitions.map(valueOf), decimals)
  const side = (name: 'commit' | 'replica' | 'applier'): ApplySide => ({
    throughput: over((repetition) => rateOf(repetition[name]), 1),
    cpuUsPerTransaction: over(({ [name]: { cpuSeconds, transactions } }) => (cpuSeconds * 1e6) / transactions, 2),
  })
  const syncs = (name: 'replica' | 'applier'): number => {
    const all = repetitions.map((repetition) => repetition[name])
    return rounded(sumOf(all.map((one) => one.syncs)) / sumOf(all.map((one) => one.transactions)), 5)
  }
  return {
    commit: side('commit'),
    replica: {
      ...side('replica'),
      primaryCpuUsPerTransaction: over(
        ({ primaryCpuSeconds, replica }) => (primaryCpuSeconds * 1e6) / replica.transactions,
        2,
      ),
      syncsPerTransaction: syncs('replica'),
    },
    applier: { ...side('applier'), syncsPerTransaction: syncs('applier') },
    ratio: {
      replica: over(({ replica, commit }) => rateOf(replica) / rateOf(commit), 3),
      applier: over(({ applier, commit }) => rateOf(applier) / rateOf(commit), 3),
    },
  }
}

export function tableOf({ commit, replica, applier, ratio }: ApplyReport): readonly (readonly string[])[] {
  const row = (name: string, { throughput, cpuUsPerTransaction }: ApplySide, of?: Spread): string[] => [
    name,
    ...[throughput.median, throughput.min, throughput.max].map((value) => formatCount(Math.round(value))),
    of === undefined ? '' : String(of.median),
    String(cpuUsPerTransaction.median),
  ]
  return [
    ['', 'transactions/s', 'from', 'to', 'of commits', 'cpu µs'],
    row('primary commits', commit),
    row('replica over a socket', replica, ratio.replica),
    row('applier alone', applier, ratio.applier),
  ]
}

export function settingsLine({ settings, machine, device, loadAverage }: ApplyReport): string {
  const { transactions, committers, rowBytes, repetitions } = settings
  return (
    `A log of ${formatCount(transactions)} one-row transactions of ${rowBytes} bytes, committed by ${formatCount(committers)} ` +
    `committers, ${repetitions} repetitions; ${machine.processors} processors, ${device.fileSystem} on ${device.name}, ` +
    `load average ${loadAverage.before} before and ${loadAverage.after} after`
  )
}

export function noteLines({ replica, applier }: ApplyReport): string[] {
  return [
    'A replica begins with nothing; its time runs from the call of open until the last transaction is durable there. ' +
      `Meanwhile the primary spends ${replica.primaryCpuUsPerTransaction.median} µs of processor time on each transaction that it sends.`,
    `Syncs per transaction: ${replica.syncsPerTransaction} on the replica, ${applier.syncsPerTransaction} by the applier alone.`,
    "Each replica ended at the primary's position: the same LSN and digest.",
  ]
}

export function reportText(report: ApplyReport): string {
  return [settingsLine(report), '', alignedTable(tableOf(report)), '', ...noteLines(report)].join('\n')
}

export function plotsOf({ commit, replica, applier }: ApplyReport): NamedPlot[] {
  const sides = [
    ['primary commits', commit],
    ['replica over a socket', replica],
    ['applier alone', applier],
  ] as const
  return [
    {
      name: 'apply-throughput',
      svg: barPlot({
        title: 'What a replica applies, and what its primary commits',
        yLabel: 'transactions / s',
        bars: sides.map(([label, { throughput }], at) => ({
          label,
          color: COLORS[at]!,
          value: throughput.median,
          low: throughput.min,
          high: throughput.max,
        })),
      }),
    },
  ]
}

/** Okabe and Ito's palette, which colour-blind readers can tell apart. */
const COLORS = ['#0072b2', '#d55e00', '#009e73'] as const

export function storyOf(report: ApplyReport): Story {
  return [
    { text: `${report.measuredAt}: ${settingsLine(report)}` },
    ...plotsOf(report).map((plot) => ({ plot })),
    { table: tableOf(report) },
    { lines: noteLines(report) },
  ]
}

export function reportHtml(report: ApplyReport): string {
  return reportPage({ title: 'replog bench apply', parts: pageStory(storyOf(report)), report })
}

function rateOf({ transactions, seconds }: Timed): number {
  return transactions / seconds
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

/** The result of `bench clone` as data, and as text and tables. Pure. */
import { alignedTable, formatBytes, formatCount, formatSeconds } from '../../table-text.js'
import type { Device } from '../fsync/device.js'
import type { Machine } from '../machine.js'
import { type NamedPlot, barPlot } from '../plot.js'
import { pageStory, reportPage } from '../report-page.js'
import type { Story } from '../story.js'
import type { Lap } from './requests.js'

export interface CloneReport {
  readonly benchmark: 'clone'
  readonly measuredAt: string
  readonly machine: Machine
  readonly device: Device
  readonly settings: {
    readonly bytes: number
    readonly rows: number
    readonly rowBytes: number
    readonly commitsPerSecond: number
    /** Bytes a second; null is no limit. */
    readonly rate: number | null
  }
  /** Commits before the copy, and while it was made. */
  readonly alone: Lap
  readonly meanwhile: Lap
  readonly p99Ratio: number | null
  /** From the first start of the command to the end of the second. */
  readonly seconds: number
  /** Sent until the first was killed, and in all. */
  readonly bytesSentFirst: number
  readonly bytesSent: number
  /** Most bytes of their own at a time; what the kernel keeps of mapped files does not count. */
  readonly memory: { readonly primaryBefore: number; readonly primary: number; readonly copy: number }
  /** Of both, in the end. */
  readonly position: string
  readonly digest: string
  readonly rowsCompared: number
}

export function tableOf({ alone, meanwhile }: CloneReport): readonly (readonly string[])[] {
  const row = (name: string, { commits, seconds, latency }: Lap): string[] => [
    name,
    formatCount(Math.round(commits / seconds)),
    ...(latency === undefined ? ['', ''] : [String(latency.medianMs), String(latency.p99Ms)]),
  ]
  return [['', 'commits/s', 'median ms', 'p99 ms'], row('commits alone', alone), row('while it was copied', meanwhile)]
}

export function settingsLine({ settings, machine, device }: CloneReport): string {
  const { bytes, rows, rowBytes, commitsPerSecond, rate } = settings
  const pace = rate === null ? 'as fast as it went' : `at most ${formatBytes(rate)} a second`
  return (
    `${formatBytes(bytes)} in ${formatCount(rows)} rows of ${rowBytes} bytes, copied ${pace} while ` +
    `${formatCount(commitsPerSecond)} transactions a second came due; ${machine.processors} processors, ` +
    `${device.fileSystem} on ${device.name}`
  )
}

export function noteLines(report: CloneReport): string[] {
  const { seconds, bytesSent, bytesSentFirst, memory, position, digest, rowsCompared, p99Ratio } = report
  return [
    `The copy took ${formatSeconds(seconds)}. It was killed when ${formatBytes(bytesSentFirst)} were sent; after its second ` +
      `run ${formatBytes(bytesSent)} were sent in all, so it went on.`,
    `Memory at most: ${formatBytes(memory.primary)} of the server (${formatBytes(memory.primaryBefore)} before), ` +
      `${formatBytes(memory.copy)} of the copying process.`,
    `The p99 of commits while it was copied is ${p99Ratio ?? 'not known'} times that before; a commit counts from when it was due.`,
    `In the end both are at ${position}, with ${formatCount(rowsCompared)} rows of digest ${digest}.`,
  ]
}

export function reportText(report: CloneReport): string {
  return [settingsLine(report), '', alignedTable(tableOf(report)), '', ...noteLines(report)].join('\n')
}

export function plotsOf({ alone, meanwhile }: CloneReport): NamedPlot[] {
  const sides = [
    ['alone', alone],
    ['while it was copied', meanwhile],
  ] as const
  return [
    {
      name: 'clone-p99',
      svg: barPlot({
        title: 'Commits while their server is copied',
        yLabel: 'p99, ms',
        bars: sides.map(([label, { latency }], at) => ({
          label,
          color: COLORS[at]!,
          value: latency?.p99Ms ?? 0,
          low: latency?.medianMs ?? 0,
          high: latency?.p99Ms ?? 0,
        })),
      }),
    },
  ]
}

/** Okabe and Ito's palette, which colour-blind readers can tell apart. */
const COLORS = ['#0072b2', '#d55e00'] as const

export function storyOf(report: CloneReport): Story {
  return [
    { text: `${report.measuredAt}: ${settingsLine(report)}` },
    ...plotsOf(report).map((plot) => ({ plot })),
    { table: tableOf(report) },
    { lines: noteLines(report) },
  ]
}

export function reportHtml(report: CloneReport): string {
  return reportPage({ title: 'replog bench clone', parts: pageStory(storyOf(report)), report })
}

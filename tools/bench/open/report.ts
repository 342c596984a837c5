/** The result of `bench open` as data, and as text and tables. Pure. */
import { alignedTable, formatBytes, formatCount } from '../../table-text.js'
import type { Device } from '../fsync/device.js'
import type { Machine } from '../machine.js'
import { type NamedPlot, type Axis, type Series, linePlot } from '../plot.js'
import { pageStory, reportPage } from '../report-page.js'
import { type Spread, spreadOf } from '../samples.js'
import type { Story } from '../story.js'
import type { Grown, Opened } from './requests.js'

/** Of one repetition. */
export interface OpenFigures {
  /** `replog primary`, from its start until it listens; the store was closed. */
  readonly programMs: number
  readonly clean: Opened
  /** After the process that had the store open was killed. */
  readonly killed: Opened
}

export interface OpenPoint {
  /** In the log, when it was made. */
  readonly transactions: number
  readonly bytes: number
  readonly programMs: Spread
  /** `Primary.open` in a process that did nothing before; the store was closed. */
  readonly openMs: Spread
  readonly openAfterKillMs: Spread
  /** Of commits by one committer, after opening. */
  readonly commitP50Ms: Spread
  readonly commitP99Ms: Spread
  readonly memoryBytes: Spread
  /** Medians over those of the shortest log. */
  readonly ratioToFirst: {
    readonly programMs: number
    readonly openMs: number
    readonly openAfterKillMs: number
    readonly commitP50Ms: number
  }
}

export interface OpenReport {
  readonly benchmark: 'open'
  readonly measuredAt: string
  readonly machine: Machine
  readonly device: Device
  readonly loadAverage: { readonly before: number; readonly after: number }
  readonly settings: {
    readonly transactions: readonly number[]
    readonly commits: number
    readonly repetitions: number
  }
  readonly points: readonly OpenPoint[]
}

export interface MeasuredOpen {
  readonly grown: Grown
  readonly figures: readonly OpenFigures[]
}

export function summarizeOpen(measured: readonly MeasuredOpen[]): OpenPoint[] {
  const points = measured.map(({ grown, figures }) => {
    const over = (valueOf: (one: OpenFigures) => number, decimals: number): Spread =>
      spreadOf(figures.map(valueOf), decimals)
    return {
      ...grown,
      programMs: over(({ programMs }) => programMs, 1),
      openMs: over(({ clean }) => clean.openMs, 2),
      openAfterKillMs: over(({ killed }) => killed.openMs, 2),
      // Whatever ended the process before, commits are the same.
      commitP50Ms: spreadOf(
        figures.flatMap(({ clean, killed }) => [clean.p50Ms, killed.p50Ms]),
        4,
      ),
      commitP99Ms: spreadOf(
        figures.flatMap(({ clean, killed }) => [clean.p99Ms, killed.p99Ms]),
        4,
      ),
      memoryBytes: over(({ clean }) => clean.memoryBytes, 0),
    }
  })
  const [first] = points
  return points.map((point) => {
    const ratio = (name: keyof OpenPoint['ratioToFirst']): number =>
      Number((point[name].median / first![name].median).toFixed(3))
    return {
      ...point,
      ratioToFirst: {
        programMs: ratio('programMs'),
        openMs: ratio('openMs'),
        openAfterKillMs: ratio('openAfterKillMs'),
        commitP50Ms: ratio('commitP50Ms'),
      },
    }
  })
}

/** Each with its heading first. */
export function tablesOf({ points }: OpenReport): {
  readonly times: readonly (readonly string[])[]
  readonly ratios: readonly (readonly string[])[]
} {
  const range = ({ median, min, max }: Spread): string => `${median} (${min} to ${max})`
  return {
    times: [
      [
        'transactions',
        'store',
        'program starts ms',
        'opens ms',
        'after a kill ms',
        'commit p50 ms',
        'p99 ms',
        'memory',
      ],
      ...points.map((point) => [
        formatCount(point.transactions),
        formatBytes(point.bytes),
        range(point.programMs),
        range(point.openMs),
        range(point.openAfterKillMs),
        range(point.commitP50Ms),
        String(point.commitP99Ms.median),
        formatBytes(point.memoryBytes.median),
      ]),
    ],
    ratios: [
      ['transactions', 'program starts', 'opens', 'after a kill', 'commit p50'],
      ...points.map(({ transactions, ratioToFirst: ratio }) => [
        formatCount(transactions),
        ...[ratio.programMs, ratio.openMs, ratio.openAfterKillMs, ratio.commitP50Ms].map(String),
      ]),
    ],
  }
}

export function settingsLine({ settings, machine, device, loadAverage }: OpenReport): string {
  return (
    `One-row transactions of 100 bytes; ${formatCount(settings.commits)} commits of one committer after each opening, ` +
    `${settings.repetitions} repetitions in turns; ${machine.processors} processors, ${device.fileSystem} on ` +
    `${device.name}, load average ${loadAverage.before} before and ${loadAverage.after} after`
  )
}

export const NOTES = [
  '"program starts" is `replog primary` from its start until it listens. "opens" is Primary.open in a process of its own ' +
    'that did nothing before; "after a kill" the same when the process that had the store open was ended by SIGKILL.',
  'Stores of all lengths are opened in turns; medians, with the least and the greatest in parentheses.',
] as const

export function reportText(report: OpenReport): string {
  const { times, ratios } = tablesOf(report)
  return [
    settingsLine(report),
    '',
    alignedTable(times),
    '',
    'Over the shortest log:',
    alignedTable(ratios),
    '',
    ...NOTES,
  ].join('\n')
}

/** Okabe and Ito's palette, which colour-blind readers can tell apart. */
const COLORS = ['#0072b2', '#d55e00', '#009e73'] as const

export function plotsOf({ points }: OpenReport): NamedPlot[] {
  const x: Axis = {
    label: 'transactions in the log',
    scale: 'log',
    ticks: points.map(({ transactions }) => transactions),
  }
  const series = (name: string, color: string, valueOf: (point: OpenPoint) => Spread): Series => ({
    name,
    color,
    points: points.map((point) => {
      const { median, min, max } = valueOf(point)
      return { x: point.transactions, y: median, low: min, high: max }
    }),
  })
  const plot = (name: string, title: string, all: readonly Series[]): NamedPlot => ({
    name: `open-${name}`,
    svg: linePlot({ title, x, y: { label: 'milliseconds', scale: 'linear', atLeast: 0 }, series: all }),
  })
  return [
    plot('time', 'Opening a store, by the length of its log', [
      series('program starts', COLORS[0], ({ programMs }) => programMs),
      series('opens', COLORS[1], ({ openMs }) => openMs),
      series('opens after a kill', COLORS[2], ({ openAfterKillMs }) => openAfterKillMs),
    ]),
    plot('commit', 'A commit by one committer, by the length of the log', [
      series('p50', COLORS[0], ({ commitP50Ms }) => commitP50Ms),
    ]),
  ]
}

export function storyOf(report: OpenReport): Story {
  const { times, ratios } = tablesOf(report)
  return [
    { text: `${report.measuredAt}: ${settingsLine(report)}` },
    ...plotsOf(report).map((plot) => ({ plot })),
    { table: times },
    { text: 'Over the shortest log:' },
    { table: ratios },
    { lines: NOTES },
  ]
}

export function reportHtml(report: OpenReport): string {
  return reportPage({ title: 'replog bench open', parts: pageStory(storyOf(report)), report })
}

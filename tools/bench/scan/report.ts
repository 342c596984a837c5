/** The result of `bench scan` as data, and as text and tables. Pure. */
import { alignedTable, formatCount } from '../../table-text.js'
import type { Device } from '../fsync/device.js'
import type { Machine } from '../machine.js'
import { type NamedPlot, barPlot } from '../plot.js'
import { pageStory, reportPage } from '../report-page.js'
import { type Spread, spreadOf } from '../samples.js'
import type { Story } from '../story.js'
import type { ReadFigures, Reading } from './requests.js'

export interface ScanPlace {
  readonly reading: Reading
  readonly rowsPerTransaction: number
}

export interface ScanSeries extends ScanPlace {
  /** Rows, or changes of a log, that were read in each repetition. */
  readonly units: number
  readonly perSecond: Spread
  /** Of all threads. */
  readonly cpuUsPerUnit: Spread
  /** An iterator of LevelDB over the same entries, in entries a second. */
  readonly ceilingEntriesPerSecond: Spread
  /** Time of that iterator over the time of the reading, in the same repetition: 1 is as fast. */
  readonly ratioToCeiling: Spread
}

export interface ScanReport {
  readonly benchmark: 'scan'
  readonly measuredAt: string
  readonly machine: Machine
  readonly device: Device
  readonly loadAverage: { readonly before: number; readonly after: number }
  readonly settings: { readonly rows: number; readonly repetitions: number }
  readonly series: readonly ScanSeries[]
}

export interface MeasuredScan {
  readonly place: ScanPlace
  /** One for each repetition. */
  readonly product: readonly ReadFigures[]
  readonly bare: readonly ReadFigures[]
}

export function summarizeScan(measured: readonly MeasuredScan[]): ScanSeries[] {
  return measured.map(({ place, product, bare }) => ({
    ...place,
    units: product[0]!.units,
    perSecond: spreadOf(product.map(rateOf), 1),
    cpuUsPerUnit: spreadOf(
      product.map(({ cpuSeconds, units }) => (cpuSeconds * 1e6) / units),
      3,
    ),
    ceilingEntriesPerSecond: spreadOf(bare.map(rateOf), 1),
    ratioToCeiling: spreadOf(
      product.map(({ seconds }, at) => bare[at]!.seconds / seconds),
      3,
    ),
  }))
}

function rateOf({ units, seconds }: ReadFigures): number {
  return units / seconds
}

export function nameOf({ reading, rowsPerTransaction }: ScanPlace): string {
  return reading === 'log' ? `log, ${rowsPerTransaction} row${rowsPerTransaction === 1 ? '' : 's'} each` : reading
}

export function tableOf({ series }: ScanReport): readonly (readonly string[])[] {
  return [
    ['what is read', 'rows or changes', 'a second', 'from', 'to', 'cpu µs', 'LevelDB entries/s', 'of its speed'],
    ...series.map((one) => [
      nameOf(one),
      formatCount(one.units),
      ...[one.perSecond.median, one.perSecond.min, one.perSecond.max].map((value) => formatCount(Math.round(value))),
      String(one.cpuUsPerUnit.median),
      formatCount(Math.round(one.ceilingEntriesPerSecond.median)),
      String(one.ratioToCeiling.median),
    ]),
  ]
}

export function settingsLine({ settings, machine, device, loadAverage }: ScanReport): string {
  return (
    `${formatCount(settings.rows)} rows, ${settings.repetitions} repetitions in turns; ${machine.processors} processors, ` +
    `${device.fileSystem} on ${device.name}, load average ${loadAverage.before} before and ${loadAverage.after} after`
  )
}

export const NOTES = [
  'Rows are read as objects, as an application gets them: the whole table by its primary key, by an index whose entries ' +
    'lead to the rows, and every tenth value of the first key column.',
  'A log is read from its beginning, each frame checked, each change decoded.',
  'Beside each stands an iterator of LevelDB over the same entries, which throws them away; "of its speed" compares the ' +
    'time that both take.',
] as const

export function reportText(report: ScanReport): string {
  return [settingsLine(report), '', alignedTable(tableOf(report)), '', ...NOTES].join('\n')
}

/** Okabe and Ito's palette, which colour-blind readers can tell apart. */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'] as const

export function plotsOf({ series }: ScanReport): NamedPlot[] {
  return [
    {
      name: 'scan-speed',
      svg: barPlot({
        title: 'Rows, and changes of a log, read and decoded',
        yLabel: 'a second',
        bars: series.map((one, at) => ({
          label: nameOf(one),
          color: COLORS[at % COLORS.length]!,
          value: one.perSecond.median,
          low: one.perSecond.min,
          high: one.perSecond.max,
        })),
      }),
    },
  ]
}

export function storyOf(report: ScanReport): Story {
  return [
    { text: `${report.measuredAt}: ${settingsLine(report)}` },
    ...plotsOf(report).map((plot) => ({ plot })),
    { table: tableOf(report) },
    { lines: NOTES },
  ]
}

export function reportHtml(report: ScanReport): string {
  return reportPage({ title: 'replog bench scan', parts: pageStory(storyOf(report)), report })
}

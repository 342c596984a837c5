/** The result of `bench changes` as data, and as text and tables. Pure. */
import { alignedTable, formatBytes, formatCount } from '../../table-text.js'
import type { Device } from '../fsync/device.js'
import type { Machine } from '../machine.js'
import { type NamedPlot, barPlot } from '../plot.js'
import { pageStory, reportPage } from '../report-page.js'
import { type Spread, rounded, spreadOf } from '../samples.js'
import type { Story } from '../story.js'
import type { ReadFigures } from './requests.js'

/** With `for await` in the process that has the store, or as lines of JSON from a server. */
export const READERS = ['embedded', 'ndjson'] as const
export type Reader = (typeof READERS)[number]

export interface ChangesPlace {
  readonly reader: Reader
  readonly rowsPerTransaction: number
}

export interface ChangesSeries extends ChangesPlace {
  /** That were read in each repetition. */
  readonly changes: number
  readonly perSecond: Spread
  /** Of all threads of the reading process; of NDJSON that is the client. */
  readonly cpuUsPerChange: Spread
}

/** Of a long reading: most memory (RSS, in bytes) in its first fifth and in the rest, and the one over the other. */
export interface ChangesMemory {
  readonly reader: Reader
  readonly rowsPerTransaction: number
  readonly changes: number
  readonly early: number
  readonly late: number
  readonly ratio: number
}

export interface ChangesReport {
  readonly benchmark: 'changes'
  readonly measuredAt: string
  readonly machine: Machine
  readonly device: Device
  readonly loadAverage: { readonly before: number; readonly after: number }
  readonly settings: { readonly changes: number; readonly memoryChanges: number; readonly repetitions: number }
  readonly series: readonly ChangesSeries[]
  readonly memory: ChangesMemory
}

export interface MeasuredChanges {
  readonly place: ChangesPlace
  /** One for each repetition. */
  readonly figures: readonly ReadFigures[]
}

export function summarizeChanges(measured: readonly MeasuredChanges[]): ChangesSeries[] {
  return measured.map(({ place, figures }) => ({
    ...place,
    changes: figures[0]!.changes,
    perSecond: spreadOf(
      figures.map(({ changes, seconds }) => changes / seconds),
      1,
    ),
    cpuUsPerChange: spreadOf(
      figures.map(({ changes, cpuSeconds }) => (cpuSeconds * 1e6) / changes),
      3,
    ),
  }))
}

export function memoryOf(
  { reader, rowsPerTransaction }: ChangesPlace,
  { changes, memory }: ReadFigures,
): ChangesMemory {
  const { early, late } = memory
  return { reader, rowsPerTransaction, changes, early, late, ratio: rounded(late / early, 3) }
}

function nameOf({ reader, rowsPerTransaction }: ChangesPlace): string {
  return `${reader}, ${rowsPerTransaction} row${rowsPerTransaction === 1 ? '' : 's'} each`
}

function tableOf({ series }: ChangesReport): readonly (readonly string[])[] {
  return [
    ['reader', 'changes', 'a second', 'from', 'to', 'cpu µs'],
    ...series.map((one) => [
      nameOf(one),
      formatCount(one.changes),
      ...[one.perSecond.median, one.perSecond.min, one.perSecond.max].map((value) => formatCount(Math.round(value))),
      String(one.cpuUsPerChange.median),
    ]),
  ]
}

function settingsLine({ settings, machine, device, loadAverage }: ChangesReport): string {
  return (
    `${formatCount(settings.changes)} changes, ${settings.repetitions} repetitions in turns; ${machine.processors} ` +
    `processors, ${device.fileSystem} on ${device.name}, load average ${loadAverage.before} before and ${loadAverage.after} after`
  )
}

function memoryLine({ memory }: ChangesReport): string {
  const { changes, rowsPerTransaction, early, late, ratio } = memory
  return (
    `Memory of the process that reads ${formatCount(changes)} changes, ${rowsPerTransaction} in each transaction, with ` +
    `\`for await\`: at most ${formatBytes(early)} in the first fifth, ${formatBytes(late)} in the rest (${ratio} ×).`
  )
}

const NOTES = [
  'Inserts of rows of about 50 bytes, read from the beginning of a log that lies on disk: each frame checked, each row ' +
    'decoded to an object of its own.',
  'As NDJSON they come from `replog primary` in a process of its own over a loopback connection; the client counts lines. ' +
    'Its cpu is in the table, that of the server is not.',
] as const

export function reportText(report: ChangesReport): string {
  return [settingsLine(report), '', alignedTable(tableOf(report)), '', memoryLine(report), ...NOTES].join('\n')
}

/** Okabe and Ito's palette, which colour-blind readers can tell apart. */
const COLORS: Readonly<Record<Reader, string>> = { embedded: '#0072b2', ndjson: '#d55e00' }

export function plotsOf({ series }: ChangesReport): NamedPlot[] {
  return [
    {
      name: 'changes-speed',
      svg: barPlot({
        title: 'Changes of a stream, read and decoded',
        yLabel: 'a second',
        bars: series.map((one) => ({
          label: nameOf(one),
          color: COLORS[one.reader],
          value: one.perSecond.median,
          low: one.perSecond.min,
          high: one.perSecond.max,
        })),
      }),
    },
  ]
}

export function storyOf(report: ChangesReport): Story {
  return [
    { text: `${report.measuredAt}: ${settingsLine(report)}` },
    ...plotsOf(report).map((plot) => ({ plot })),
    { table: tableOf(report) },
    { lines: [memoryLine(report), ...NOTES] },
  ]
}

export function reportHtml(report: ChangesReport): string {
  return reportPage({ title: 'replog bench changes', parts: pageStory(storyOf(report)), report })
}

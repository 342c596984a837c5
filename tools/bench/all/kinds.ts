/**
 * Every benchmark by the name that its JSON has: how its result is told. `bench all` joins the stories of several, and the
 * docs are made from those of published results.
 *
 * A result comes from a file; that it has the form which its `benchmark` names is taken at its word.
 */
import { type ApplyReport, storyOf as storyOfApply } from '../apply/report.js'
import { plotsOf as plotsOfBlades } from '../blades/plots.js'
import { type BladesReport, resultLines, settingsLine, tablesOf } from '../blades/report.js'
import type { CommitReport } from '../commit/report.js'
import { storyOf as storyOfCommit } from '../commit/report-html.js'
import type { FsyncReport } from '../fsync/report.js'
import { storyOf as storyOfFsync } from '../fsync/report-html.js'
import { type OpenReport, storyOf as storyOfOpen } from '../open/report.js'
import { type ScanReport, storyOf as storyOfScan } from '../scan/report.js'
import type { Story } from '../story.js'

export interface ReportsByKind {
  readonly fsync: FsyncReport
  readonly commit: CommitReport
  readonly apply: ApplyReport
  readonly scan: ScanReport
  readonly open: OpenReport
  readonly 'rotating-blades': BladesReport
}

export type Kind = keyof ReportsByKind

type Stories = { readonly [Name in Kind]: (report: ReportsByKind[Name]) => Story }

const STORIES: Stories = {
  fsync: storyOfFsync,
  commit: storyOfCommit,
  apply: storyOfApply,
  scan: storyOfScan,
  open: storyOfOpen,
  'rotating-blades': storyOfBlades,
}

/** What every result has, whatever was measured. */
export interface AnyReport {
  readonly benchmark: string
}

/** Undefined for a benchmark that is not told in this way. */
export function storyOfAny(report: AnyReport): Story | undefined {
  const { benchmark } = report
  return benchmark in STORIES ? STORIES[benchmark as Kind](report as never) : undefined
}

function storyOfBlades(report: BladesReport): Story {
  const tables = tablesOf(report)
  return [
    { text: `${report.measuredAt}: ${settingsLine(report)}` },
    { table: tables.points },
    ...plotsOfBlades(report).map((plot) => ({ plot })),
    { heading: 'Queries' },
    { table: tables.queries },
    { heading: 'What it took of the machine' },
    { table: tables.usage },
    { lines: resultLines(report) },
  ]
}

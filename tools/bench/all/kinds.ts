/**
 * Every benchmark by the name that its JSON has: how its result is told. `bench all` joins the stories of several, and the
 * docs are made from those of published results.
 *
 * A result comes from a file; that it has the form which its `benchmark` names is taken at its word.
 */
import { type ApplyReport, storyOf as storyOfApply } from '../apply/report.js'
import type { BladesReport } from '../blades/report.js'
import { storyOf as storyOfBlades } from '../blades/report-html.js'
import { type CloneReport, storyOf as storyOfClone } from '../clone/report.js'
import { type ChangesReport, storyOf as storyOfChanges } from '../changes/report.js'
import type { CommitReport } from '../commit/report.js'
import type { RemoteReport } from '../commit/remote/remote-report.js'
import { remoteStory } from '../commit/remote/remote-text.js'
import { storyOf as storyOfCommit } from '../commit/report-html.js'
import type { FsyncReport } from '../fsync/report.js'
import { storyOf as storyOfFsync } from '../fsync/report-html.js'
import type { HttpReport } from '../http/report.js'
import { storyOf as storyOfHttp } from '../http/report-html.js'
import { type OpenReport, storyOf as storyOfOpen } from '../open/report.js'
import { type ScanReport, storyOf as storyOfScan } from '../scan/report.js'
import type { Story } from '../story.js'

export interface ReportsByKind {
  readonly fsync: FsyncReport
  readonly commit: CommitReport
  readonly 'commit-remote': RemoteReport
  readonly apply: ApplyReport
  readonly clone: CloneReport
  readonly scan: ScanReport
  readonly changes: ChangesReport
  readonly open: OpenReport
  readonly http: HttpReport
  readonly 'rotating-blades': BladesReport
}

export type Kind = keyof ReportsByKind

type Stories = { readonly [Name in Kind]: (report: ReportsByKind[Name]) => Story }

const STORIES: Stories = {
  fsync: storyOfFsync,
  commit: storyOfCommit,
  'commit-remote': remoteStory,
  apply: storyOfApply,
  clone: storyOfClone,
  scan: storyOfScan,
  changes: storyOfChanges,
  open: storyOfOpen,
  http: storyOfHttp,
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

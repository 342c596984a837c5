/**
 * Published results: the JSON files of docs/benchmarks, by name. Everything that the docs say of speed is made from them.
 */
import type { CommitReport } from '../commit/report.js'
import type { AnyReport, Kind, ReportsByKind } from '../all/kinds.js'

export interface PublishedResult {
  /** Of the file, without its ending. */
  readonly name: string
  readonly report: AnyReport
}

/** What every report has that docs quote. */
export interface MeasuredReport extends AnyReport {
  readonly measuredAt: string
  /** As it was typed; missing when the benchmark was not run from the command line. */
  readonly command?: string
  readonly machine: CommitReport['machine']
  readonly device?: CommitReport['device']
}

/** The first result of a kind, in the order of names, of which `find` finds something. */
export function findIn<Name extends Kind, Found>(
  results: readonly PublishedResult[],
  kind: Name,
  find: (report: ReportsByKind[Name]) => Found | undefined,
): { readonly found: Found; readonly name: string } | undefined {
  for (const { name, report } of results) {
    if (report.benchmark !== kind) continue
    const found = find(report as unknown as ReportsByKind[Name])
    if (found !== undefined) return { found, name }
  }
  return undefined
}

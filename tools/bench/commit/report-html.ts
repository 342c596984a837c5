/** The result of `bench commit` as one HTML file that needs nothing from outside. */
import { pageFigure, pageHeading, pageList, pageTable, pageText, reportPage } from '../report-page.js'
import { plotsOf } from './plots.js'
import type { CommitReport } from './report.js'
import { noteLines, settingsLine, tablesOf } from './report-text.js'

export function reportHtml(report: CommitReport): string {
  return reportPage({ title: 'replog bench commit', parts: pageParts(report), report })
}

export function pageParts(report: CommitReport): string[] {
  const { speed, bytes } = tablesOf(report)
  return [
    pageText(`${report.measuredAt}: ${settingsLine(report)}`),
    pageList(noteLines(report)),
    ...plotsOf(report).map(pageFigure),
    pageTable(speed),
    pageHeading('Bytes'),
    pageTable(bytes),
  ]
}

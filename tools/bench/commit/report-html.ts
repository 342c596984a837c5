/** The result of `bench commit` as a story, and as one HTML file that needs nothing from outside. */
import { pageStory, reportPage } from '../report-page.js'
import type { Story } from '../story.js'
import { plotsOf } from './plots.js'
import type { CommitReport } from './report.js'
import { noteLines, settingsLine, tablesOf } from './report-text.js'

export function reportHtml(report: CommitReport): string {
  return reportPage({ title: 'replog bench commit', parts: pageStory(storyOf(report)), report })
}

export function storyOf(report: CommitReport): Story {
  const { speed, bytes } = tablesOf(report)
  return [
    { text: `${report.measuredAt}: ${settingsLine(report)}` },
    { lines: noteLines(report) },
    ...plotsOf(report).map((plot) => ({ plot })),
    { table: speed },
    { heading: 'Bytes' },
    { table: bytes },
  ]
}

/** The result of rotating blades as a story, and as one HTML file that needs nothing from outside. */
import { pageStory, reportPage } from '../report-page.js'
import type { Story } from '../story.js'
import { plotsOf } from './plots.js'
import { type BladesReport, resultLines, settingsLine, tablesOf } from './report.js'

export function reportHtml(report: BladesReport): string {
  return reportPage({ title: 'replog bench rotating-blades', parts: pageStory(storyOf(report)), report })
}

export function storyOf(report: BladesReport): Story {
  const tables = tablesOf(report)
  return [
    { text: `${report.measuredAt}: ${settingsLine(report)}` },
    { table: tables.points },
    ...plotsOf(report).map((plot) => ({ plot })),
    { heading: 'Queries' },
    { table: tables.queries },
    { heading: 'What it took of the machine' },
    { table: tables.usage },
    { lines: resultLines(report) },
  ]
}

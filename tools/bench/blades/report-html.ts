/** The result of rotating blades as one HTML file that needs nothing from outside: plots, tables, and the JSON itself. */
import { pageFigure, pageHeading, pageList, pageTable, pageText, reportPage } from '../report-page.js'
import { plotsOf } from './plots.js'
import { type BladesReport, resultLines, settingsLine, tablesOf } from './report.js'

export function reportHtml(report: BladesReport): string {
  return reportPage({ title: 'replog bench rotating-blades', parts: pageParts(report), report })
}

export function pageParts(report: BladesReport): string[] {
  const tables = tablesOf(report)
  return [
    pageText(`${report.measuredAt}: ${settingsLine(report)}`),
    pageTable(tables.points),
    ...plotsOf(report).map(pageFigure),
    pageHeading('Queries'),
    pageTable(tables.queries),
    pageHeading('What it took of the machine'),
    pageTable(tables.usage),
    pageList(resultLines(report)),
  ]
}

/** The result of `bench http` as one HTML file that needs nothing from outside, and its plots. */
import { barPlot } from '../plot.js'
import { type NamedPlot, pageFigure, pageHeading, pageList, pageTable, pageText, reportPage } from '../report-page.js'
import type { HttpReport, HttpRow } from './report.js'
import { noteLines, settingsLine, tablesOf } from './report-text.js'

/** Okabe and Ito's palette, which colour-blind readers can tell apart. */
const COLORS: Readonly<Record<string, string>> = { 'empty route': '#6e7781', transaction: '#0072b2', echo: '#009e73' }

export function plotsOf({ http, echo }: HttpReport): NamedPlot[] {
  const plots = [bars('http-throughput', 'One-shot transactions beside an empty Fastify route', http)]
  return echo.length === 0 ? plots : [...plots, bars('http-echo', 'A bare WebSocket echo, by clients', echo)]
}

export function pageParts(report: HttpReport): string[] {
  const { http, echo } = tablesOf(report)
  return [
    pageText(`${report.measuredAt}: ${settingsLine(report)}`),
    pageList(noteLines(report)),
    ...plotsOf(report).map(pageFigure),
    pageTable(http),
    ...(report.echo.length === 0 ? [] : [pageHeading('WebSocket echo'), pageTable(echo)]),
  ]
}

export function reportHtml(report: HttpReport): string {
  return reportPage({ title: 'replog bench http', parts: pageParts(report), report })
}

function bars(name: string, title: string, rows: readonly HttpRow[]): NamedPlot {
  const svg = barPlot({
    title,
    yLabel: 'requests / s',
    bars: rows.map(({ series, connections, requestsPerSecond: { median, min, max } }) => ({
      label: `${series}, ${connections}`,
      color: COLORS[series]!,
      value: median,
      low: min,
      high: max,
    })),
  })
  return { name, svg }
}

/** The result of `bench http` as a story, as one HTML file that needs nothing from outside, and its plots. */
import { type NamedPlot, barPlot } from '../plot.js'
import { pageStory, reportPage } from '../report-page.js'
import type { Story } from '../story.js'
import type { HttpReport, HttpRow } from './report.js'
import { noteLines, settingsLine, tablesOf } from './report-text.js'

/** Okabe and Ito's palette, which colour-blind readers can tell apart. */
const COLORS: Readonly<Record<string, string>> = { 'empty route': '#6e7781', transaction: '#0072b2', echo: '#009e73' }

export function plotsOf({ http, echo }: HttpReport): NamedPlot[] {
  const plots = [bars('http-throughput', 'One-shot transactions beside an empty Fastify route', http)]
  return echo.length === 0 ? plots : [...plots, bars('http-echo', 'A bare WebSocket echo, by clients', echo)]
}

export function storyOf(report: HttpReport): Story {
  const { http, echo } = tablesOf(report)
  return [
    { text: `${report.measuredAt}: ${settingsLine(report)}` },
    { lines: noteLines(report) },
    ...plotsOf(report).map((plot) => ({ plot })),
    { table: http },
    ...(report.echo.length === 0 ? [] : [{ heading: 'WebSocket echo' }, { table: echo }]),
  ]
}

export function reportHtml(report: HttpReport): string {
  return reportPage({ title: 'replog bench http', parts: pageStory(storyOf(report)), report })
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

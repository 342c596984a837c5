/** The result of `bench fsync` as one HTML file that needs nothing from outside: plots, tables, and the JSON itself. */
import { pageFigure, pageHeading, pageList, pageTable, pageText, reportPage } from '../report-page.js'
import { MODES } from './modes.js'
import { plotsOf } from './plots.js'
import { type FsyncReport, devicesOf } from './report.js'
import { TABLE_HEADING, cellRow, deviceLines, gainLine, proofLines } from './report-text.js'

export function reportHtml(report: FsyncReport): string {
  return reportPage({ title: 'replog bench fsync', parts: pageParts(report), report })
}

export function pageParts(report: FsyncReport): string[] {
  const plots = plotsOf(report)
  const drawn = new Set<string>()
  const plotsEnding = (suffix: string): string =>
    plots
      .filter(({ name }) => name.endsWith(suffix) && !drawn.has(name))
      .map((plot) => {
        drawn.add(plot.name)
        return pageFigure(plot)
      })
      .join('\n')
  const sections = devicesOf(report.cells).flatMap(({ rowBytes, delayUs }) => {
    const here = report.cells.filter((cell) => cell.rowBytes === rowBytes && cell.delayUs === delayUs)
    const gains = report.gains.filter((gain) => gain.rowBytes === rowBytes && gain.delayUs === delayUs)
    return [
      pageHeading(`Rows of ${rowBytes} bytes${delayUs === 0 ? '' : `, every sync ${delayUs} µs slower`}`),
      plotsEnding(`-${rowBytes}-bytes-${delayUs}-us`),
      pageTable([TABLE_HEADING, ...here.map(cellRow)]),
      pageList(gains.map(gainLine)),
    ]
  })
  return [
    pageText(report.measuredAt),
    pageList([...deviceLines(report), ...proofLines(report)]),
    pageHeading('The modes'),
    pageList(report.settings.modes.map((mode) => `${mode}: ${MODES[mode].summary}`)),
    plotsEnding('calibration'),
    ...sections,
    // What compares the sections comes after them.
    plotsEnding(''),
  ]
}

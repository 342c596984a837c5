/** The result of `bench fsync` as a story, and as one HTML file that needs nothing from outside. */
import type { NamedPlot } from '../plot.js'
import { pageStory, reportPage } from '../report-page.js'
import type { Story, StoryPart } from '../story.js'
import { MODES } from './modes.js'
import { plotsOf } from './plots.js'
import { type FsyncReport, devicesOf } from './report.js'
import { TABLE_HEADING, cellRow, deviceLines, gainLine, proofLines } from './report-text.js'

export function reportHtml(report: FsyncReport): string {
  return reportPage({ title: 'replog bench fsync', parts: pageStory(storyOf(report)), report })
}

export function storyOf(report: FsyncReport): Story {
  const plots = plotsOf(report)
  const told = new Set<NamedPlot>()
  const plotsEnding = (suffix: string): StoryPart[] =>
    plots
      .filter((plot) => plot.name.endsWith(suffix) && !told.has(plot))
      .map((plot) => {
        told.add(plot)
        return { plot }
      })
  const sections = devicesOf(report.cells).flatMap(({ rowBytes, delayUs }): StoryPart[] => {
    const here = report.cells.filter((cell) => cell.rowBytes === rowBytes && cell.delayUs === delayUs)
    const gains = report.gains.filter((gain) => gain.rowBytes === rowBytes && gain.delayUs === delayUs)
    return [
      { heading: `Rows of ${rowBytes} bytes${delayUs === 0 ? '' : `, every sync ${delayUs} µs slower`}` },
      ...plotsEnding(`-${rowBytes}-bytes-${delayUs}-us`),
      { table: [TABLE_HEADING, ...here.map(cellRow)] },
      { lines: gains.map(gainLine) },
    ]
  })
  return [
    { text: report.measuredAt },
    { lines: [...deviceLines(report), ...proofLines(report)] },
    { heading: 'The modes' },
    { lines: report.settings.modes.map((mode) => `${mode}: ${MODES[mode].summary}`) },
    ...plotsEnding('calibration'),
    ...sections,
    // What compares the sections comes after them.
    ...plotsEnding(''),
  ]
}

/** The result of `bench fsync` as one HTML file that needs nothing from outside: plots, tables, and the JSON itself. */
import { escaped } from '../plot.js'
import { MODES } from './modes.js'
import { plotsOf } from './plots.js'
import { type CellSummary, type FsyncReport, devicesOf } from './report.js'
import { TABLE_HEADING, cellRow, deviceLines, gainLine, proofLines } from './report-text.js'

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; color: #24292f; margin: 2rem auto; max-width: 1000px; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0 }
th, td { padding: 0.2rem 0.7rem; text-align: right; border-bottom: 1px solid #d8dee4 }
th:first-child, td:first-child { text-align: left }
svg { max-width: 100%; height: auto; display: block; margin: 1rem 0 }
pre { overflow: auto; max-height: 30rem; background: #f6f8fa; padding: 1rem }`

export function reportHtml(report: FsyncReport): string {
  const plots = plotsOf(report)
  const drawn = new Set<string>()
  const plotsEnding = (suffix: string): string =>
    plots
      .filter(({ name }) => name.endsWith(suffix) && !drawn.has(name))
      .map(({ name, svg }) => {
        drawn.add(name)
        return `<figure id="${escaped(name)}">${svg}</figure>`
      })
      .join('\n')
  const sections = devicesOf(report.cells).map(({ rowBytes, delayUs }) => {
    const here = report.cells.filter((cell) => cell.rowBytes === rowBytes && cell.delayUs === delayUs)
    const gains = report.gains.filter((gain) => gain.rowBytes === rowBytes && gain.delayUs === delayUs)
    const heading = `Rows of ${rowBytes} bytes${delayUs === 0 ? '' : `, every sync ${delayUs} µs slower`}`
    return [
      `<h2>${escaped(heading)}</h2>`,
      plotsEnding(`-${rowBytes}-bytes-${delayUs}-us`),
      table(here),
      list(gains.map(gainLine)),
    ].join('\n')
  })
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<title>replog bench fsync</title>',
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    '<h1>replog bench fsync</h1>',
    `<p>${escaped(report.measuredAt)}</p>`,
    list([...deviceLines(report), ...proofLines(report)]),
    '<h2>The modes</h2>',
    list(report.settings.modes.map((mode) => `${mode}: ${MODES[mode].summary}`)),
    plotsEnding('calibration'),
    ...sections,
    // What compares the sections comes after them.
    plotsEnding(''),
    '<h2>Data</h2>',
    `<details><summary>The result as JSON</summary><pre>${escaped(JSON.stringify(report, undefined, 2))}</pre></details>`,
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

function table(cells: readonly CellSummary[]): string {
  const row = (tag: 'th' | 'td', texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join('')}</tr>`
  return ['<table>', row('th', TABLE_HEADING), ...cells.map((cell) => row('td', cellRow(cell))), '</table>'].join('\n')
}

function list(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `<ul>${lines.map((line) => `<li>${escaped(line)}</li>`).join('')}</ul>`
}

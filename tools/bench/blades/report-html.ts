/** The result of rotating blades as one HTML file that needs nothing from outside: plots, tables, and the JSON itself. */
import { escaped } from '../plot.js'
import { plotsOf } from './plots.js'
import { type BladesReport, resultLines, settingsLine, tablesOf } from './report.js'

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; color: #24292f; margin: 2rem auto; max-width: 1000px; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0 }
th, td { padding: 0.2rem 0.7rem; text-align: right; border-bottom: 1px solid #d8dee4 }
svg { max-width: 100%; height: auto; display: block; margin: 1rem 0 }
pre { overflow: auto; max-height: 30rem; background: #f6f8fa; padding: 1rem }`

export function reportHtml(report: BladesReport): string {
  const tables = tablesOf(report)
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<title>replog bench rotating-blades</title>',
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    '<h1>replog bench rotating-blades</h1>',
    `<p>${escaped(report.measuredAt)}: ${escaped(settingsLine(report))}</p>`,
    table(tables.points),
    ...plotsOf(report).map(({ name, svg }) => `<figure id="${escaped(name)}">${svg}</figure>`),
    '<h2>Queries</h2>',
    table(tables.queries),
    '<h2>What it took of the machine</h2>',
    table(tables.usage),
    `<ul>${resultLines(report)
      .map((line) => `<li>${escaped(line)}</li>`)
      .join('')}</ul>`,
    '<h2>Data</h2>',
    `<details><summary>The result as JSON</summary><pre>${escaped(JSON.stringify(report, undefined, 2))}</pre></details>`,
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

function table([heading = [], ...rows]: readonly (readonly string[])[]): string {
  const row = (tag: 'th' | 'td', texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join('')}</tr>`
  return ['<table>', row('th', heading), ...rows.map((texts) => row('td', texts)), '</table>'].join('\n')
}

/**
 * The HTML page that reports of benchmarks are written to: one file that needs nothing from outside. Every benchmark
 * puts its own parts into it, so that all look alike and `bench all` can join them.
 *
 * Invariant: every text of a caller is escaped; only what the functions below made, and SVG of `plot.ts`, is markup.
 */
import { type NamedPlot, escaped } from './plot.js'
import type { Story } from './story.js'

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; color: #24292f; margin: 2rem auto; max-width: 1000px; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0 }
th, td { padding: 0.2rem 0.7rem; text-align: right; border-bottom: 1px solid #d8dee4 }
th:first-child, td:first-child { text-align: left }
svg { max-width: 100%; height: auto; display: block; margin: 1rem 0 }
pre { overflow: auto; max-height: 30rem; background: #f6f8fa; padding: 1rem }`

export interface ReportPage {
  readonly title: string
  /** Markup, in order. */
  readonly parts: readonly string[]
  /** The result itself, which is put at the end as JSON. */
  readonly report: unknown
}

export function reportPage({ title, parts, report }: ReportPage): string {
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    '</head>',
    '<body>',
    `<h1>${escaped(title)}</h1>`,
    ...parts,
    pageHeading('Data'),
    `<details><summary>The result as JSON</summary><pre>${escaped(JSON.stringify(report, undefined, 2))}</pre></details>`,
    '</body>',
    '</html>',
    '',
  ].join('\n')
}

/** A story as markup, part by part. */
export function pageStory(story: Story): string[] {
  return story.map((part) => {
    if ('heading' in part) return pageHeading(part.heading)
    if ('text' in part) return pageText(part.text)
    if ('lines' in part) return pageList(part.lines)
    return 'table' in part ? pageTable(part.table) : pageFigure(part.plot)
  })
}

export function pageHeading(text: string): string {
  return `<h2>${escaped(text)}</h2>`
}

export function pageText(text: string): string {
  return `<p>${escaped(text)}</p>`
}

export function pageFigure({ name, svg }: NamedPlot): string {
  return `<figure id="${escaped(name)}">${svg}</figure>`
}

/** The first row is the heading. */
export function pageTable([heading = [], ...rows]: readonly (readonly string[])[]): string {
  const row = (tag: 'th' | 'td', texts: readonly string[]): string =>
    `<tr>${texts.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join('')}</tr>`
  return ['<table>', row('th', heading), ...rows.map((texts) => row('td', texts)), '</table>'].join('\n')
}

export function pageList(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `<ul>${lines.map((line) => `<li>${escaped(line)}</li>`).join('')}</ul>`
}

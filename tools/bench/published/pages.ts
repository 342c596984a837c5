/**
 * The pages of the docs that are made from published results: docs/BENCHMARKS.md with its plots, and a part of README.md.
 *
 * Invariants: every number comes from a result; a result that is missing is said to be missing; equal results give equal
 * pages. What a person has to say of a row that is not met is in the notes, a heading for each.
 */
import type { NamedPlot } from '../plot.js'
import type { CatalogReport } from '../catalog-benchmark.js'
import { type AnyReport, storyOfAny } from '../all/kinds.js'
import { type Story, plotsIn } from '../story.js'
import { catalogsPage, catalogsTable } from './catalogs-page.js'
import { escaped, markdownTable, storyMarkdown } from './markdown.js'
import type { MeasuredReport, PublishedResult } from './results.js'
import { TARGETS, type Target, type Verdict } from './targets.js'

export interface PublishedPages {
  /** Text of docs/BENCHMARKS.md. */
  readonly page: string
  /** What README.md says of it. */
  readonly readme: string
  /** Pages of single benchmarks, by their path in docs/benchmarks. */
  readonly details: ReadonlyMap<string, string>
  /** File name → SVG, for docs/benchmarks/plots. */
  readonly plots: ReadonlyMap<string, string>
  /** Rows that are not met and that no note explains. */
  readonly unexplained: readonly string[]
  /** Notes of no row, or of a row that is met or not measured. */
  readonly needless: readonly string[]
}

/** Plots that README.md shows, as far as there are results: the name of the benchmark, and the plot's. */
const README_PLOTS = [
  ['commit', 'commit-throughput'],
  ['commit', 'commit-ratio'],
  ['commit-remote', 'commit-remote-throughput'],
  ['rotating-blades', 'throughput'],
  ['fsync', 'gain-100-bytes'],
  ['apply', 'apply-throughput'],
  ['scan', 'scan-speed'],
  ['open', 'open-time'],
] as const

const MADE = '<!-- Made by `npm run docs` from docs/benchmarks/*.json and notes.md. -->'

interface Judged {
  readonly target: Target
  readonly verdict: Verdict | undefined
}

/** @param notes text of docs/benchmarks/notes.md: for each row that is not met a heading `## ID` and what there is to say */
export function publishedPages(results: readonly PublishedResult[], notes: string): PublishedPages {
  const explained = notesOf(notes)
  const judged = TARGETS.map((target) => ({ target, verdict: target.judge(results) }))
  const missed = judged.filter(({ verdict }) => verdict?.met === false)
  const stories = results.flatMap(({ name, report }) => {
    const story = storyOfAny(report)
    return story === undefined ? [] : [{ name, report: report as MeasuredReport, story }]
  })
  const catalogs = results
    .filter(({ name, report }) => name === 'catalogs' && report.benchmark === 'catalogs')
    .map(({ report }) => report as CatalogReport)
  const plots = new Map(
    stories.flatMap(({ name, story }) => plotsIn(story).map((plot) => [plotFile(name, plot), `${plot.svg}\n`])),
  )
  return {
    page: [
      MADE,
      '# Benchmarks',
      `Every number here comes from a JSON file in [docs/benchmarks](benchmarks/README.md), which the command above it wrote. A
ratio is of two sides that ran in the same run, in turns.`,
      '## What it must reach',
      targetTable(judged, ''),
      ...(missed.length === 0 ? [] : ['## What is not met, and why']),
      ...missed.flatMap(({ target }) => [
        `### ${target.what}`,
        explained.get(target.id) ??
          `There is no note on it yet: write \`## ${target.id}\` in docs/benchmarks/notes.md.`,
      ]),
      ...stories.flatMap(({ name, report, story }) => [
        `## ${name}`,
        originOf(name, report, 'benchmarks/'),
        storyMarkdown(story, (plot) => `benchmarks/plots/${plotFile(name, plot)}`),
      ]),
      othersOf(results),
    ]
      .filter((text) => text !== '')
      .join('\n\n')
      .concat('\n'),
    readme: [readmePart(judged, stories), ...catalogs.map(catalogsTable)].join('\n\n'),
    details: new Map(catalogs.map((report) => ['catalogs.md', catalogsPage(report)])),
    plots,
    unexplained: missed.map(({ target }) => target.id).filter((id) => !explained.has(id)),
    needless: [...explained.keys()].filter((id) => !missed.some(({ target }) => target.id === id)),
  }
}

function readmePart(
  judged: readonly Judged[],
  stories: readonly { readonly name: string; readonly report: MeasuredReport; readonly story: Story }[],
): string {
  const shown = README_PLOTS.flatMap(([kind, plotName]) => {
    const told = stories.find(({ report }) => report.benchmark === kind)
    const plot = told === undefined ? undefined : plotsIn(told.story).find(({ name }) => name === plotName)
    if (told === undefined || plot === undefined) return []
    const file = plotFile(told.name, plot)
    return [
      `![${escaped(plotName)}](docs/benchmarks/plots/${file})`,
      originOf(told.name, told.report, 'docs/benchmarks/'),
    ]
  })
  return [targetTable(judged, 'docs/'), ...shown].join('\n\n')
}

/** @param base from the page to the docs folder */
function targetTable(judged: readonly Judged[], base: string): string {
  return markdownTable([
    ['what', 'at least', 'measured', 'met', 'from'],
    ...judged.map(({ target, verdict }) => {
      const { what, atLeast } = target
      if (verdict === undefined) return [what, atLeast, 'not measured yet', '–', '–']
      const met = verdict.met === null ? 'reported' : verdict.met ? 'yes' : '**no**'
      return [what, atLeast, verdict.measured, met, `[${verdict.from}.json](${base}benchmarks/${verdict.from}.json)`]
    }),
  ])
}

/** The command that made a result, and the machine it ran on. */
function originOf(name: string, { measuredAt, command, machine, device }: MeasuredReport, base: string): string {
  const { processors, memoryGiB, platform, node, replog } = machine
  const disk = device === undefined ? '' : `, ${device.fileSystem} on ${device.name}`
  const made = command === undefined ? '' : `\`npx ${command}\`, `
  return (
    `${made}${measuredAt.slice(0, 10)}, on ${processors} processors, ${memoryGiB} GiB, ${escaped(platform)}, Node ${node}, ` +
    `replog ${replog}${escaped(disk)}: [${name}.json](${base}${name}.json)`
  )
}

/** Results that have pages of their own. */
function othersOf(results: readonly PublishedResult[]): string {
  const others = results.filter(({ report }) => storyOfAny(report) === undefined)
  if (others.length === 0) return ''
  const lines = others.map(({ name }) => `- [${name}](benchmarks/${name}.md): [${name}.json](benchmarks/${name}.json)`)
  return ['## Others', lines.join('\n')].join('\n\n')
}

/** One benchmark may be published several times. */
function plotFile(name: string, plot: NamedPlot): string {
  return `${plot.name.startsWith(`${name}-`) ? '' : `${name}-`}${plot.name}.svg`
}

/** `## ID` and the text below it. */
function notesOf(notes: string): ReadonlyMap<string, string> {
  const [, ...sections] = `\n${notes}`.split(/\n## /)
  return new Map(
    sections.map((section) => {
      const [id = '', ...lines] = section.split('\n')
      return [id.trim(), lines.join('\n').trim()]
    }),
  )
}

/** A result as it is read from its file. @throws when it is none */
export function publishedResult(name: string, text: string): PublishedResult {
  const report = JSON.parse(text) as AnyReport
  if (typeof report.benchmark !== 'string') throw new Error(`docs/benchmarks/${name}.json is no result of a benchmark`)
  return { name, report }
}

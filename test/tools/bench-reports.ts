/** Results of benchmarks that tests look at: made by tiny runs through the command line. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Ran, replog } from './recording-terminal.js'

export interface TinyRun<Report> {
  readonly ran: Ran
  readonly report: Report
  readonly html: string
  /** Text of a plot that was written as a file. */
  readonly svg: (name: string) => string
}

/** Runs `replog bench ARGS` in `directory`, with every form of output. */
export async function tinyRun<Report>(
  t: Test,
  directory: string,
  ...args: readonly string[]
): Promise<TinyRun<Report>> {
  const [json, html, svgs] = [join(directory, 'r.json'), join(directory, 'r.html'), join(directory, 'svg')]
  const ran = await replog('bench', ...args, '--dir', directory, '--json', json, '--html', html, '--svg', svgs)
  t.equal(ran.code, 0, ran.stderr)
  return {
    ran,
    report: JSON.parse(readFileSync(json, 'utf8')) as Report,
    html: readFileSync(html, 'utf8'),
    svg: (name) => readFileSync(join(svgs, `${name}.svg`), 'utf8'),
  }
}

/** Every plot is in the page and in a file of its own, and the page needs nothing from outside. */
export function checkPlots(
  t: Test,
  { html, svg }: TinyRun<unknown>,
  plots: readonly { readonly name: string; readonly svg: string }[],
): void {
  t.ok(plots.length > 0)
  for (const plot of plots) {
    t.ok(html.includes(`<figure id="${plot.name}">${plot.svg}</figure>`), plot.name)
    t.equal(svg(plot.name), `${plot.svg}\n`)
  }
  t.notMatch(html, /(src|href)=/)
}

/** `replog bench all`: every benchmark after another, in one report. */
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { alignedTable } from '../table-text.js'
import { jsonText } from '../terminal.js'
import type { Verb } from '../verb.js'
import { type AnyReport, storyOfAny } from './all/kinds.js'
import { partsOf } from './all/parts.js'
import { runAll } from './all/run-all.js'
import { type FileOptions, addFileFlags, inBenchDirectory, putOut, writeReport } from './bench-files.js'
import { deviceOf } from './fsync/device.js'
import { type PeerFlags, addPeerListFlag } from './peers/peer-flags.js'
import { requirePeer } from './peers/start-peer.js'
import { type Machine, thisMachine } from './machine.js'
import { pageHeading, pageList, pageStory, reportPage } from './report-page.js'
import { type Story, plotsIn } from './story.js'
import type { NamedPlot } from './plot.js'

interface Options extends FileOptions, Pick<PeerFlags, 'peer'> {
  readonly quick?: boolean
  readonly parts?: string
}

export interface AllReport {
  readonly benchmark: 'all'
  readonly measuredAt: string
  readonly machine: Machine
  readonly device: Awaited<ReturnType<typeof deviceOf>>
  readonly settings: { readonly quick: boolean; readonly peers: readonly string[]; readonly parts: readonly string[] }
  /** The results of the benchmarks by their names, each as its own --json writes it. */
  readonly results: Readonly<Record<string, AnyReport>>
}

export const verb: Verb<Options> = {
  name: 'bench all',
  summary: 'Run every benchmark, and write one report',
  configure(command) {
    addRunFlags(command)
    addFileFlags(command)
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const signal = untilStopped()
    const { peer: peers = [] } = options
    for (const peer of peers) await requirePeer(peer)
    const parts = partsOf({ quick: options.quick === true, peers })
    await inBenchDirectory(invocation, 'replog-bench-all-', async (directory) => {
      // Peers run as users of their own, who have to get to their directories in it.
      if (peers.length > 0) await chmod(directory, 0o711)
      const results = await runAll({
        parts,
        directory,
        terminal,
        signal,
        onPart(name, done, of) {
          terminal.note(`bench ${name} (${done + 1} of ${of})`)
        },
        async onResult(name, result) {
          if (options.parts === undefined) return
          await writeReport(join(options.parts, `${name}.json`), `${jsonText(result, 2)}\n`, terminal)
        },
      })
      const report: AllReport = {
        benchmark: 'all',
        measuredAt: new Date().toISOString(),
        machine: thisMachine(),
        device: await deviceOf(directory),
        settings: { quick: options.quick === true, peers, parts: parts.map(({ name }) => name) },
        results,
      }
      await putOut(invocation, {
        report,
        text: () => reportText(report),
        html: () => reportHtml(report),
        plots: () => plotsOf(report),
      })
    })
  },
}

function addRunFlags(command: Command): Command {
  return addPeerListFlag(command)
    .option('--quick', 'a few seconds for each, instead of the full profiles')
    .option('--parts <dir>', 'write the JSON of each benchmark into this directory as well, such as docs/benchmarks')
}

function storiesOf({ results }: AllReport): [name: string, story: Story][] {
  return Object.entries(results).map(([name, result]) => [name, storyOfAny(result) ?? []])
}

/** Tables and lines; what can only be seen is left to the HTML. */
export function reportText(report: AllReport): string {
  const lines = storiesOf(report).flatMap(([name, story]) => [
    `bench ${name}`,
    '',
    ...story.flatMap((part) => {
      if ('heading' in part) return [part.heading]
      if ('text' in part) return [part.text, '']
      if ('lines' in part) return [...part.lines, '']
      return 'table' in part ? [alignedTable(part.table), ''] : []
    }),
  ])
  return lines.join('\n').trimEnd()
}

export function reportHtml(report: AllReport): string {
  const stories = storiesOf(report)
  const parts = stories.flatMap(([name, story]) => [pageHeading(`bench ${name}`), ...pageStory(inPart(name, story))])
  const title = `replog bench all${report.settings.quick ? ' --quick' : ''}`
  return reportPage({ title, parts: [pageList([report.measuredAt]), ...parts], report })
}

export function plotsOf(report: AllReport): NamedPlot[] {
  return storiesOf(report).flatMap(([name, story]) => plotsIn(inPart(name, story)))
}

/** Plots of two benchmarks may have the same name. */
function inPart(name: string, story: Story): Story {
  return story.map((part) =>
    'plot' in part && !part.plot.name.startsWith(`${name}-`)
      ? { plot: { ...part.plot, name: `${name}-${part.plot.name}` } }
      : part,
  )
}

/** `replog bench catalogs`: what many catalogs on one server cost. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addJsonFlag, positiveInteger } from '../flags.js'
import { ProgressBar } from '../progress-bar.js'
import { alignedTable, formatBytes, formatCount, formatSeconds } from '../table-text.js'
import { jsonText } from '../terminal.js'
import type { Verb } from '../verb.js'
import { type CatalogReport, type Compared, measureCatalogs } from './catalog-benchmark.js'

interface Options {
  readonly count: number
  readonly requests: number
  readonly concurrency: number
  readonly data?: string
  readonly json?: boolean
}

export const verb: Verb<Options> = {
  name: 'bench catalogs',
  summary: 'Measure what many catalogs on one server cost: opening, memory, and requests to any of them',
  configure(command) {
    addJsonFlag(command)
      .option('--count <n>', 'catalogs, with one table each', positiveInteger, 70_000)
      .option('--requests <n>', 'reads, and writes, to random catalogs and to the first', positiveInteger, 10_000)
      .option('--concurrency <n>', 'requests under way while catalogs are made', positiveInteger, 64)
      .option('--data <dir>', 'a new directory for the server; a temporary one when left out')
  },
  async run({ options, terminal, untilStopped }) {
    const { count, requests, concurrency, data } = options
    const signal = untilStopped()
    const temporary = data === undefined ? await mkdtemp(join(tmpdir(), 'replog-bench-')) : undefined
    const bar = new ProgressBar(terminal.stderr, undefined, 'done')
    try {
      const report = await measureCatalogs({
        path: data ?? join(temporary!, 'data'),
        count,
        requests,
        concurrency,
        memoryReadings: { count: 6, pauseMs: 500 },
        terminal,
        signal,
        onPhase(phase, done, of) {
          bar.update({ phase, rows: done, fraction: done / of })
        },
      })
      bar.end()
      terminal.print(options.json === true ? jsonText(report, 2) : reportText(report))
    } finally {
      bar.end()
      if (temporary !== undefined) await rm(temporary, { recursive: true, force: true })
    }
  },
}

export function reportText(report: CatalogReport): string {
  const { catalogs, creation, open, memory } = report
  return [
    alignedTable([
      ['catalogs', formatCount(catalogs)],
      ['made in', `${formatSeconds(creation.seconds)}, ${formatCount(creation.catalogsPerSecond)} a second`],
      ['server opens in', `${open.withCatalogsMs} ms (${open.emptyMs} ms without them)`],
      [
        'memory when idle',
        `${formatBytes(memory.idleBytes)} (${formatBytes(memory.emptyBytes)} without them): ` +
          `${memory.bytesPerIdleCatalog} bytes a catalog`,
      ],
      [
        'memory when touched',
        `${formatBytes(memory.touchedBytes)} after ${formatCount(memory.touchedCatalogs)} were used ` +
          `(${formatBytes(memory.warmBytes)} before): ${memory.bytesPerTouchedCatalog} bytes a catalog`,
      ],
    ]),
    '',
    alignedTable([
      ['request', 'to', 'median ms', 'p99 ms'],
      ...comparedRows('first read', report.firstRead),
      ...comparedRows('read', report.read),
      ...comparedRows('write', report.write),
    ]),
  ].join('\n')
}

function comparedRows(kind: string, { random, first, ratio }: Compared): string[][] {
  return [
    [kind, 'the first catalog', String(first.medianMs), String(first.p99Ms)],
    [kind, 'a random one', String(random.medianMs), String(random.p99Ms)],
    [kind, 'ratio', String(ratio.median), String(ratio.p99)],
  ]
}

/**
 * `replog bench rotating-blades`: many clients who all add to one row, against real servers over real sockets, with a
 * replica attached. What a run is, is in `blades/blades-set.ts`.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Option } from 'commander'
import { ReplogError } from '../../core/errors.js'
import { CATALOG_CONNECTIONS_MAX } from '../../core/limits.js'
import { listOf, positiveInteger, within } from '../flags.js'
import { ProgressBar } from '../progress-bar.js'
import { formatCount } from '../table-text.js'
import { type Terminal, jsonText } from '../terminal.js'
import { UsageError, type Verb } from '../verb.js'
import { jsonFileOf, makeBenchDirectory, writeReport } from './bench-files.js'
import { FORMS, type Form } from './blades/blades-set.js'
import { measurePoint } from './blades/measure.js'
import { openFileLimit, requireOpenFiles } from './blades/open-files.js'
import { plotsOf } from './blades/plots.js'
import { ERROR_SHARE } from './blades/query-times.js'
import { type BladesReport, type PointReport, reportText } from './blades/report.js'
import { reportHtml } from './blades/report-html.js'
import { deviceOf } from './fsync/device.js'
import { thisMachine } from './machine.js'
import { rounded } from './samples.js'

interface Options {
  readonly clients: readonly number[]
  readonly runs: number
  readonly transaction: Form
  readonly loadProcesses: number
  readonly timeoutMs: number
  readonly sampleMs: number
  readonly dir: string
  readonly keep?: boolean
  readonly json?: string | true
  readonly html?: string
  readonly svg?: string
}

const CLIENTS_DEFAULT = [1000, 2000, 4000, 8000]
const RUNS_DEFAULT = 20_000
const LOAD_PROCESSES_MAX = 64
const TIMEOUT_MS_MAX = 120_000
const SAMPLE_MS_MAX = 60_000
/** What REPLOG_JSON says for verbs whose --json takes no file. */

export const verb: Verb<Options> = {
  name: 'bench rotating-blades',
  summary: 'Measure many clients who add to one row, each with its own connection, with a replica attached',
  configure(command) {
    command
      .option(
        '--clients <list>',
        'how many clients, each with its own connection',
        listOf(within(1, CATALOG_CONNECTIONS_MAX)),
        CLIENTS_DEFAULT,
      )
      .option(
        '--runs <n>',
        'how often all clients together run the set of queries; 23000000 is the full benchmark',
        positiveInteger,
        RUNS_DEFAULT,
      )
      .addOption(
        new Option('--transaction <form>', 'in one request, or statement by statement')
          .choices(FORMS)
          .default('one-shot'),
      )
      .option('--load-processes <n>', 'processes that the clients are spread over', within(1, LOAD_PROCESSES_MAX), 1)
      .option(
        '--timeout-ms <n>',
        'longest wait for an answer; then a run begins anew',
        within(1, TIMEOUT_MS_MAX),
        60_000,
      )
      .option('--sample-ms <n>', 'how often the delay of the replica is read', within(1, SAMPLE_MS_MAX), 250)
      .option('--dir <dir>', 'where to measure: data directories are made in it, on its device', '.')
      .option('--keep', 'leave the data directories there')
      .option('--json [file]', 'write the result as JSON to a file, or print it')
      .option('--html <file>', 'write a report with plots, one file that needs nothing else')
      .option('--svg <dir>', 'write each plot as an SVG file')
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const jsonFile = jsonFileOf(invocation)
    const limit = openFileLimit()
    for (const clients of options.clients) requireMeasurable(clients, options, limit)
    const signal = untilStopped()
    const directory = await makeBenchDirectory(options.dir, 'replog-rotating-blades-')
    terminal.note(`measuring in ${directory}`)
    try {
      const report = await measureAll(options, directory, terminal, signal)
      const json = jsonText(report, 2)
      terminal.print(jsonFile === true ? json : reportText(report))
      if (typeof jsonFile === 'string') await writeReport(jsonFile, `${json}\n`, terminal)
      if (options.html !== undefined) await writeReport(options.html, reportHtml(report), terminal)
      if (options.svg !== undefined) {
        for (const { name, svg } of plotsOf(report))
          await writeReport(join(options.svg, `${name}.svg`), `${svg}\n`, terminal)
      }
      requireValid(report.points)
    } finally {
      if (options.keep === true) terminal.note(`kept ${directory}`)
      else await rm(directory, { recursive: true, force: true })
    }
  },
}

async function measureAll(
  options: Options,
  directory: string,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<BladesReport> {
  const { clients, runs, transaction, loadProcesses, timeoutMs, sampleMs } = options
  const bar = new ProgressBar(terminal.stderr, undefined, 'done')
  const points: PointReport[] = []
  try {
    for (const count of clients) {
      const pointDirectory = join(directory, `clients-${count}`)
      const point = await measurePoint({
        directory: pointDirectory,
        clients: count,
        runs,
        form: transaction,
        loadProcesses: Math.min(loadProcesses, count),
        timeoutMs,
        sampleMs,
        terminal,
        signal,
        onPhase(phase, done, of) {
          bar.update({ phase, rows: done, fraction: done / of })
        },
      })
      bar.end()
      points.push(point)
      terminal.note(`${formatCount(count)} clients: ${formatCount(point.runsPerSecond)} runs/s`)
      if (options.keep !== true) await rm(pointDirectory, { recursive: true, force: true })
    }
  } finally {
    bar.end()
  }
  return {
    benchmark: 'rotating-blades',
    measuredAt: new Date().toISOString(),
    machine: thisMachine(),
    device: await deviceOf(directory),
    settings: { runs, clients, transaction, loadProcesses, timeoutMs, sampleMs },
    percentileErrorShare: rounded(ERROR_SHARE, 4),
    points,
  }
}

/** @throws UsageError; ReplogError LIMIT */
function requireMeasurable(clients: number, { runs, loadProcesses }: Options, limit: number | undefined): void {
  if (runs < clients) {
    throw new UsageError(`--runs ${runs} is less than --clients ${clients}: each client runs the set once at least`)
  }
  requireOpenFiles(clients, Math.min(loadProcesses, clients), limit)
}

/** @throws ReplogError INTERNAL that says what is wrong on the servers */
function requireValid(points: readonly PointReport[]): void {
  const problems = points.flatMap(({ clients, problems: found }) =>
    found.map((problem) => `${problem} (${formatCount(clients)} clients)`),
  )
  if (problems.length === 0) return
  throw new ReplogError(
    'INTERNAL',
    `the benchmark is not valid: ${problems.join('; ')}; run it again with --keep and report it with both data directories`,
  )
}

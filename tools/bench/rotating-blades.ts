/**
 * `replog bench rotating-blades`: many clients who all add to one row, against real servers over real sockets, with a
 * replica attached. What a run is, is in `blades/blades-set.ts`.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import { ReplogError, messageOf } from '../../core/errors.js'
import { CATALOG_CONNECTIONS_MAX } from '../../core/limits.js'
import { positiveInteger } from '../flags.js'
import { ProgressBar } from '../progress-bar.js'
import { formatCount } from '../table-text.js'
import { type Terminal, jsonText } from '../terminal.js'
import { type Invocation, UsageError, type Verb } from '../verb.js'
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
const YES = new Set(['1', 'true', 'yes', 'on'])

export const verb: Verb<Options> = {
  name: 'bench rotating-blades',
  summary: 'Measure many clients who add to one row, each with its own connection, with a replica attached',
  configure(command) {
    command
      .option('--clients <list>', 'how many clients, each with its own connection', clientList, CLIENTS_DEFAULT)
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
    const directory = await makeDirectory(options.dir)
    terminal.note(`measuring in ${directory}`)
    try {
      const report = await measureAll(options, directory, terminal, signal)
      const json = jsonText(report, 2)
      terminal.print(jsonFile === true ? json : reportText(report))
      if (typeof jsonFile === 'string') await writeOut(jsonFile, `${json}\n`, terminal)
      if (options.html !== undefined) await writeOut(options.html, reportHtml(report), terminal)
      if (options.svg !== undefined) {
        for (const { name, svg } of plotsOf(report))
          await writeOut(join(options.svg, `${name}.svg`), `${svg}\n`, terminal)
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

/** The file that JSON goes to, true for stdout. */
function jsonFileOf({ options, isFromEnvironment }: Invocation<Options>): string | true | undefined {
  const { json } = options
  return isFromEnvironment('json') && typeof json === 'string' && YES.has(json.toLowerCase()) ? true : json
}

async function makeDirectory(parent: string): Promise<string> {
  try {
    await mkdir(parent, { recursive: true })
    return await mkdtemp(join(resolve(parent), 'replog-rotating-blades-'))
  } catch (error) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `cannot measure in ${parent}: ${messageOf(error)}; choose with --dir a directory that this user may write`,
      { cause: error },
    )
  }
}

async function writeOut(path: string, text: string, terminal: Terminal): Promise<void> {
  const file = resolve(path)
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  } catch (error) {
    throw new ReplogError('INVALID_ARGUMENT', `cannot write ${path}: ${messageOf(error)}; choose another place`, {
      cause: error,
    })
  }
  terminal.note(`wrote ${path}`)
}

/** Numbers of clients, each once. */
function clientList(text: string): readonly number[] {
  const parse = within(1, CATALOG_CONNECTIONS_MAX)
  return [...new Set(text.split(',').map((part) => parse(part.trim())))]
}

function within(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`${JSON.stringify(text)} is not a whole number from ${min} to ${max}.`)
  }
}

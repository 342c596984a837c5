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
import type { Terminal } from '../terminal.js'
import { UsageError, type Verb } from '../verb.js'
import { type FileOptions, addFileFlags, inBenchDirectory, putOut } from './bench-files.js'
import { FORMS, type Form } from './blades/blades-set.js'
import { measurePoint } from './blades/measure.js'
import { type MeasuredPeer, measurePeerPoint } from './blades/measure-peer.js'
import { openFileLimit, requireOpenFiles } from './blades/open-files.js'
import { type PeerReport, ratiosOf } from './blades/peer-report.js'
import { plotsOf } from './blades/plots.js'
import { ERROR_SHARE } from './blades/query-times.js'
import { type BladesReport, type PointReport, reportText } from './blades/report.js'
import { reportHtml } from './blades/report-html.js'
import { deviceOf } from './fsync/device.js'
import { thisMachine } from './machine.js'
import type { PeerName } from './peers/peer.js'
import { type PeerFlags, addPeerFlags } from './peers/peer-flags.js'
import { requirePeer, requireReachable } from './peers/start-peer.js'
import { rounded } from './samples.js'

interface Options extends FileOptions, PeerFlags {
  readonly clients: readonly number[]
  readonly runs: number
  readonly transaction: Form
  readonly loadProcesses: number
  readonly timeoutMs: number
  readonly sampleMs: number
  readonly peerRuns?: number
}

const CLIENTS_DEFAULT = [1000, 2000, 4000, 8000]
const RUNS_DEFAULT = 20_000
const LOAD_PROCESSES_MAX = 64
const TIMEOUT_MS_MAX = 120_000
const SAMPLE_MS_MAX = 60_000

export const verb: Verb<Options> = {
  name: 'bench rotating-blades',
  summary: 'Measure many clients who add to one row, each with its own connection, with a replica attached',
  configure(command) {
    const own = command
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
    addPeerFlags(own).option(
      '--peer-runs <n>',
      'how often on a peer; as often as on replog when left out',
      positiveInteger,
    )
    addFileFlags(command)
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const limit = openFileLimit()
    for (const clients of options.clients) requireMeasurable(clients, options, limit)
    for (const peer of options.peer ?? []) await requirePeer(peer)
    const signal = untilStopped()
    await inBenchDirectory(invocation, 'replog-rotating-blades-', async (directory) => {
      for (const peer of options.peer ?? []) await requireReachable(peer, directory)
      const report = await measureAll(options, directory, terminal, signal)
      await putOut(invocation, {
        report,
        text: () => reportText(report),
        html: () => reportHtml(report),
        plots: () => plotsOf(report),
      })
      requireValid(report)
    })
  },
}

async function measureAll(
  options: Options,
  directory: string,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<BladesReport> {
  const { clients, runs, transaction, loadProcesses, timeoutMs, sampleMs } = options
  const { peer: peers = [], peerReplica = false, peerRuns = runs, keep = false } = options
  const bar = new ProgressBar(terminal.stderr, undefined, 'done')
  const onPhase = (phase: string, done: number, of: number): void => {
    bar.update({ phase, rows: done, fraction: done / of })
  }
  const points: PointReport[] = []
  const measuredPeers = new Map<PeerName, MeasuredPeer[]>(peers.map((peer) => [peer, []]))
  try {
    // One after another with each number of clients, so that what changes on the machine meanwhile is met by all.
    for (const count of clients) {
      const load = { clients: count, form: transaction, loadProcesses: Math.min(loadProcesses, count) }
      const common = { ...load, timeoutMs, sampleMs, signal, onPhase }
      const directoryOf = (name: string): string => join(directory, name)
      const pointDirectory = directoryOf(`clients-${count}`)
      const point = await measurePoint({ ...common, directory: pointDirectory, runs, terminal })
      bar.end()
      points.push(point)
      terminal.note(`${formatCount(count)} clients: ${formatCount(point.runsPerSecond)} runs/s`)
      if (!keep) await rm(pointDirectory, { recursive: true, force: true })
      for (const peer of peers) {
        const peerDirectory = directoryOf(`${peer}-clients-${count}`)
        const withReplica = peerReplica
        const measured = await measurePeerPoint({
          ...common,
          ...{ peer, withReplica, directory: peerDirectory, keep, runs: peerRuns },
        })
        bar.end()
        measuredPeers.get(peer)!.push(measured)
        const { runsPerSecond } = measured.point
        terminal.note(`${peer}, ${formatCount(count)} clients: ${formatCount(runsPerSecond)} runs/s`)
        if (!keep) await rm(peerDirectory, { recursive: true, force: true })
      }
    }
  } finally {
    bar.end()
  }
  const peerReports = [...measuredPeers.values()].map(peerReportOf)
  return {
    benchmark: 'rotating-blades',
    measuredAt: new Date().toISOString(),
    machine: thisMachine(),
    device: await deviceOf(directory),
    settings: { runs, clients, transaction, loadProcesses, timeoutMs, sampleMs, peers, peerReplica, peerRuns },
    percentileErrorShare: rounded(ERROR_SHARE, 4),
    points,
    peers: peerReports,
    ratios: ratiosOf(points, peerReports),
  }
}

/** The settings are those of the most clients: what follows from their number is then seen at its largest. */
function peerReportOf(measured: readonly MeasuredPeer[]): PeerReport {
  const most = measured.reduce((left, right) => (right.point.clients > left.point.clients ? right : left))
  return { ...most.description, points: measured.map(({ point }) => point) }
}

/** @throws UsageError; ReplogError LIMIT */
function requireMeasurable(clients: number, options: Options, limit: number | undefined): void {
  const { runs, loadProcesses, peer, peerReplica, peerRuns = runs } = options
  if (peer === undefined && (peerReplica === true || options.peerRuns !== undefined)) {
    throw new UsageError('--peer-replica and --peer-runs say how peers are measured; say which with --peer')
  }
  if (runs < clients) {
    throw new UsageError(`--runs ${runs} is less than --clients ${clients}: each client runs the set once at least`)
  }
  if (peerRuns < clients) throw new UsageError(`--peer-runs ${peerRuns} is less than --clients ${clients}`)
  requireOpenFiles(clients, Math.min(loadProcesses, clients), limit)
}

/** @throws ReplogError INTERNAL that says what is wrong on the servers */
function requireValid({ points, peers }: BladesReport): void {
  const problems = [{ name: 'replog', points }, ...peers].flatMap(({ name, points: measured }) =>
    measured.flatMap(({ clients, problems: found }) =>
      found.map((problem) => `${problem} (${name}, ${formatCount(clients)} clients)`),
    ),
  )
  if (problems.length === 0) return
  throw new ReplogError(
    'INTERNAL',
    `the benchmark is not valid: ${problems.join('; ')}; run it again with --keep and report it with both data directories`,
  )
}

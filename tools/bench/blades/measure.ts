/**
 * Rotating blades with one number of clients on replog:
 *
 *   two new servers, both tables made and replicated
 *   every client connects
 *   the clock starts, all clients begin ── runs ── the last commit is acknowledged ── the replica has applied it: stop
 *   both servers are read and compared with what must be there
 *
 * The delay of the replica is sampled while the clock runs.
 */
import { ReplogError, isReplogError } from '../../../core/errors.js'
import { DEFAULT_CATALOG_NAME } from '../../../ddl/identifiers.js'
import type { Terminal } from '../../terminal.js'
import { thisMachine } from '../machine.js'
import { rounded } from '../samples.js'
import { APPLIED_POLL_MS, untilApplied } from './applied.js'
import { CREATE_TABLES, type Form } from './blades-set.js'
import { DelaySamples, type DelaySummary } from './delay-samples.js'
import { type FinalStates, finalStateOf, problemsOf } from './final-state.js'
import { Load, type LoadResult } from './load.js'
import type { PointReport } from './report.js'
import { ServerPair } from './server-pair.js'
import { cpuReport, syncReport, usageOf } from './usage.js'

export interface PointOptions {
  /** New; both servers keep their data in it. */
  readonly directory: string
  readonly clients: number
  readonly runs: number
  readonly form: Form
  readonly loadProcesses: number
  readonly timeoutMs: number
  readonly sampleMs: number
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly onPhase: (phase: string, done: number, of: number) => void
}

/** @throws ReplogError CLOSED (stopped, or a server or load process ended); what a server answers */
export async function measurePoint(options: PointOptions): Promise<PointReport> {
  const ended = new AbortController()
  const signal = AbortSignal.any([options.signal, ended.signal])
  const onDeath = (error: ReplogError): void => {
    ended.abort(error)
  }
  let pair: ServerPair | undefined
  try {
    const { directory, terminal } = options
    pair = await ServerPair.start({ directory, statements: CREATE_TABLES, terminal, signal, onDeath })
    return await measure(pair, options, signal)
  } catch (error) {
    // That a server ended is the cause of whatever else failed.
    if (ended.signal.aborted) throw ended.signal.reason as ReplogError
    if (options.signal.aborted && !isReplogError(error)) throw new ReplogError('CLOSED', 'the benchmark was stopped')
    throw error
  } finally {
    await pair?.stop()
  }
}

async function measure(pair: ServerPair, options: PointOptions, signal: AbortSignal): Promise<PointReport> {
  const { clients, runs, form, loadProcesses, timeoutMs, onPhase } = options
  const load = await Load.connect({
    target: { kind: 'replog', url: pair.sessionUrl(DEFAULT_CATALOG_NAME) },
    clients,
    runs,
    form,
    timeoutMs,
    processes: loadProcesses,
    signal,
    onConnected: (connections) => {
      onPhase(`${clients} clients: connecting`, connections, clients)
    },
    onProgress: (done) => {
      onPhase(`${clients} clients: running`, done, runs)
    },
  })
  try {
    const before = await usageOf(pair)
    const { tally, cpuSeconds, startNs, lastCommitNs, appliedNs, delay } = await runLoad(load, pair, options, signal)
    const after = await usageOf(pair)
    await load.stop()
    const final = await finalStates(pair, options, signal)
    const seconds = Number(appliedNs - startNs) / 1e9
    const { processors } = thisMachine()
    return {
      clients,
      runs: tally.runs,
      seconds: rounded(seconds, 3),
      runsPerSecond: Math.round(runs / seconds),
      commitSeconds: rounded(Number(lastCommitNs - startNs) / 1e9, 3),
      // Another process saw the last commit, and the replica may have been faster than its answer.
      appliedAfterMs: rounded(Math.max(0, Number(appliedNs - lastCommitNs) / 1e6), 1),
      appliedPollMs: APPLIED_POLL_MS,
      foundAfterTimeout: tally.found,
      retries: { total: Object.values(tally.retries).reduce((sum, one) => sum + one, 0), byCause: tally.retries },
      queries: tally.summaries(),
      delay,
      syncs: syncReport(before, after, runs),
      cpu: cpuReport(before, after, cpuSeconds, { seconds, processors, loadProcesses }),
      final,
      problems: problemsOf(final, runs),
    }
  } finally {
    await load.stop()
  }
}

interface Timed extends LoadResult {
  readonly startNs: bigint
  readonly appliedNs: bigint
  readonly delay: DelaySummary
}

/** What the clock runs for. */
async function runLoad(load: Load, pair: ServerPair, { sampleMs }: PointOptions, signal: AbortSignal): Promise<Timed> {
  const startNs = process.hrtime.bigint()
  const samples = DelaySamples.begin(pair.primary, sampleMs)
  try {
    const result = await load.run()
    const appliedNs = await untilApplied(pair, signal)
    return { ...result, startNs, appliedNs, delay: await samples.end() }
  } finally {
    samples.cancel()
  }
}

async function finalStates(pair: ServerPair, options: PointOptions, signal: AbortSignal): Promise<FinalStates> {
  const { clients, runs, onPhase } = options
  const read = (server: 'primary' | 'replica'): ReturnType<typeof finalStateOf> =>
    finalStateOf(pair[server], signal, (rows) => {
      onPhase(`${clients} clients: reading the ${server}`, rows, runs)
    })
  return { primary: await read('primary'), replica: await read('replica') }
}

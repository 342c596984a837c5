/**
 * `replog pair`: a primary and a replica, real data, a small live workload. What `npm start` runs.
 *
 * With --once it loads, waits until the replica has everything, compares both servers row by row and ends.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ReplogError } from '../core/errors.js'
import { HttpClient } from './http-client.js'
import { ChildServer } from './pair/child-server.js'
import { type Comparison, compareServers } from './pair/compare.js'
import { type LoadedDataset, loadDatasets } from './pair/datasets.js'
import { waitForReplica } from './pair/wait-for-replica.js'
import { type WorkloadCounters, runWorkload } from './pair/workload.js'
import { parsePort } from './serve.js'
import type { Terminal } from './terminal.js'
import { UsageError, type Verb } from './verb.js'

interface PairFlags {
  readonly data?: string
  readonly port: number
  readonly replicaPort: number
  readonly rate: number
  readonly once: boolean
  readonly json: boolean
}

interface Pair {
  readonly primary: ChildServer
  readonly replica: ChildServer
}

export const verb: Verb<PairFlags> = {
  name: 'pair',
  summary: 'Run a primary and a replica with real data and a small live workload',
  configure(command) {
    command
      .option('--data <dir>', 'directory for both servers; default data/pair, with --once a temporary one')
      .option('--port <port>', 'port of the primary; 0 chooses any', parsePort, 7400)
      .option('--replica-port <port>', 'port of the replica; 0 chooses any', parsePort, 7401)
      .option('--rate <n>', 'transactions per second of the workload', parseRate, 50)
      .option('--once', 'load, compare both servers row by row, print a report and exit', false)
      .option('--json', 'print the report of --once as JSON', false)
  },
  async run({ options, terminal, untilStopped }) {
    const signal = untilStopped()
    const isTemporary = options.once && options.data === undefined
    const directory = isTemporary ? await mkdtemp(join(tmpdir(), 'replog-pair-')) : (options.data ?? 'data/pair')
    try {
      await runPair(options, directory, terminal, signal)
    } finally {
      if (isTemporary) await rm(directory, { recursive: true, force: true })
    }
  },
}

async function runPair(options: PairFlags, directory: string, terminal: Terminal, stop: AbortSignal): Promise<void> {
  const ended = new AbortController()
  const signal = AbortSignal.any([stop, ended.signal])
  const onDeath = (error: ReplogError): void => {
    ended.abort(error)
  }
  const servers: ChildServer[] = []
  try {
    const pair = await startPair(options, directory, terminal, onDeath, servers)
    await loadAndRun(options, pair, terminal, signal)
  } finally {
    // The replica first, so that it does not report a lost primary.
    for (const server of servers.reverse()) await server.stop()
  }
  if (ended.signal.aborted) throw ended.signal.reason as ReplogError
}

async function loadAndRun(options: PairFlags, pair: Pair, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const primary = new HttpClient(pair.primary.url)
  terminal.note(`primary  ${pair.primary.url}`)
  terminal.note(`replica  ${pair.replica.url}`)
  if (!options.once) terminal.print(`status page: ${pair.primary.url}/?peer=${encodeURIComponent(pair.replica.url)}`)
  const startMs = performance.now()
  const datasets = await loadDatasets(primary, terminal, signal)
  const loadSeconds = (performance.now() - startMs) / 1000
  if (signal.aborted) return
  if (options.once) await reportOnce(options, pair, datasets, loadSeconds, terminal, signal)
  else await stayUp(options, primary, terminal, signal)
}

async function startPair(
  options: PairFlags,
  directory: string,
  terminal: Terminal,
  onDeath: (error: ReplogError) => void,
  servers: ChildServer[],
): Promise<Pair> {
  const port = (value: number): string[] => ['--port', String(options.once ? 0 : value)]
  const primary = await ChildServer.start(
    'primary',
    ['--data', join(directory, 'primary'), '--name', 'primary', ...port(options.port)],
    terminal,
    onDeath,
  )
  servers.push(primary)
  const replica = await ChildServer.start(
    'replica',
    ['--from', primary.url, '--data', join(directory, 'replica'), '--name', 'replica', ...port(options.replicaPort)],
    terminal,
    onDeath,
  )
  servers.push(replica)
  return { primary, replica }
}

async function stayUp(options: PairFlags, primary: HttpClient, terminal: Terminal, signal: AbortSignal): Promise<void> {
  terminal.print(`running ${options.rate} transactions a second; Ctrl-C ends it`)
  const counters: WorkloadCounters = { committed: 0, failed: 0 }
  await runWorkload(primary, options.rate, signal, counters)
  terminal.note(`\nstopping: ${counters.committed} transactions committed, ${counters.failed} refused`)
}

async function reportOnce(
  options: PairFlags,
  pair: Pair,
  datasets: readonly LoadedDataset[],
  loadSeconds: number,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  const primary = new HttpClient(pair.primary.url)
  const replica = new HttpClient(pair.replica.url)
  const counters: WorkloadCounters = { committed: 0, failed: 0 }
  const workloadEnd = AbortSignal.any([signal, AbortSignal.timeout(2000)])
  await runWorkload(primary, options.rate, workloadEnd, counters)
  const position = await waitForReplica(primary, replica, signal)
  const comparison: Comparison = await compareServers(primary, replica, 'local')
  const { store, lsn } = await primary.status()
  if (counters.failed > 0)
    throw new ReplogError('INTERNAL', `${counters.failed} transactions of the workload were refused`)
  if (options.json) {
    terminal.printJson({ equal: true, position, lsn, loadSeconds, datasets, workload: counters, ...comparison })
    return
  }
  for (const { file, table, rows } of datasets) terminal.print(`loaded   ${file}: ${rows} rows into ${table}`)
  terminal.print(`in       ${loadSeconds.toFixed(1)} s, over HTTP, durable and replicated as it went`)
  terminal.print(`workload ${counters.committed} transactions`)
  terminal.print(`position ${position} on both servers`)
  terminal.print(
    `equal    ${comparison.tables} tables, ${comparison.rows} rows, ${comparison.logBytes} bytes of log compared one by one`,
  )
  terminal.print(`syncs    ${store.syncs} for ${lsn} transactions on the primary`)
}

function parseRate(text: string): number {
  const rate = Number(text)
  if (!(rate > 0 && rate <= 10_000)) throw new UsageError(`"${text}" is not a rate; one is 1 to 10000 per second`)
  return rate
}

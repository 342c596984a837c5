/** `replog bench commit --remote`: its flags, and what it does with them. */
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { CATALOG_CONNECTIONS_MAX } from '../../../../core/limits.js'
import { ReplogError } from '../../../../core/errors.js'
import { listOf, within } from '../../../flags.js'
import { ProgressBar } from '../../../progress-bar.js'
import { type Invocation, UsageError } from '../../../verb.js'
import { type FileOptions, inBenchDirectory, putOut } from '../../bench-files.js'
import { openFileLimit, requireOpenFiles } from '../../blades/open-files.js'
import { type PeerFlags, addPeerFlags } from '../../peers/peer-flags.js'
import { requirePeer, requireReachable } from '../../peers/start-peer.js'
import { measureRemote } from './remote-measure.js'
import { remoteHtml, remotePlots, remoteText } from './remote-text.js'

export interface RemoteFlags extends FileOptions, PeerFlags {
  readonly remote?: boolean
  readonly profile: 'quick' | 'full'
  readonly clients?: readonly number[]
  readonly seconds?: number
  readonly loadProcesses?: number
  readonly rowBytes?: number
  readonly repetitions?: number
}

const PROFILES = {
  quick: { clients: [1, 64], seconds: 1, warmUpSeconds: 1, rowBytes: 100, repetitions: 3 },
  full: { clients: [1, 16, 64, 256], seconds: 3, warmUpSeconds: 1, rowBytes: 100, repetitions: 5 },
} as const

const LOAD_PROCESSES_MAX = 64
const SECONDS_MAX = 3600
const ONLY_REMOTE = {
  clients: 'clients',
  seconds: 'seconds',
  loadProcesses: 'load-processes',
  peer: 'peer',
  peerReplica: 'peer-replica',
} as const

export function addRemoteFlags(command: Command): Command {
  command
    .option('--remote', 'over connections to a real primary instead of embedded, and beside peers')
    .option(
      '--clients <list>',
      'with --remote: how many clients, each with its own connection, such as 1,16,64,256',
      listOf(within(1, CATALOG_CONNECTIONS_MAX)),
    )
    .option('--seconds <n>', 'with --remote: how long each cell is measured', secondsFlag)
    .option(
      '--load-processes <n>',
      'with --remote: processes that the clients are spread over',
      within(1, LOAD_PROCESSES_MAX),
    )
  return addPeerFlags(command)
}

/** @throws UsageError for flags that only mean something with --remote */
export function requireNoRemoteFlags(options: Partial<RemoteFlags>): void {
  for (const [member, flag] of Object.entries(ONLY_REMOTE) as [keyof typeof ONLY_REMOTE, string][]) {
    if (options[member] !== undefined) throw new UsageError(`--${flag} is for --remote; give --remote as well`)
  }
}

/** @throws UsageError; ReplogError NOT_FOUND when a peer is not installed, LIMIT, CLOSED, INTERNAL when it is not valid */
export async function runRemote(
  invocation: Invocation<RemoteFlags & { readonly committers?: unknown; readonly transactions?: unknown }>,
): Promise<void> {
  const { options, terminal, untilStopped } = invocation
  const preset = PROFILES[options.profile]
  const { peer: peers = [], loadProcesses = 1, clients = preset.clients, seconds = preset.seconds } = options
  for (const name of ['committers', 'transactions'] as const) {
    if (options[name] !== undefined)
      throw new UsageError(`--${name} is for embedded commits; with --remote give --clients`)
  }
  const limit = openFileLimit()
  for (const count of clients) requireOpenFiles(count, Math.min(loadProcesses, count), limit)
  for (const peer of peers) await requirePeer(peer)
  const signal = untilStopped()
  const bar = new ProgressBar(terminal.stderr, undefined, 'cells')
  await inBenchDirectory(invocation, 'replog-bench-commit-', async (directory) => {
    for (const peer of peers) await requireReachable(peer, directory)
    const report = await measureRemote({
      ...{ directory, clients, loadProcesses, peers, terminal, signal },
      seconds,
      warmUpSeconds: Math.min(preset.warmUpSeconds, seconds),
      repetitions: options.repetitions ?? preset.repetitions,
      rowBytes: options.rowBytes ?? preset.rowBytes,
      replica: options.peerReplica === true,
      keep: options.keep === true,
      onProgress(phase, done, of) {
        bar.update({ phase, rows: done, fraction: done / of })
      },
    }).finally(() => {
      bar.end()
    })
    await putOut(invocation, {
      report,
      text: () => remoteText(report),
      html: () => remoteHtml(report),
      plots: () => remotePlots(report),
    })
    if (report.problems.length > 0) {
      throw new ReplogError('INTERNAL', `the benchmark is not valid: ${report.problems.join('; ')}; report it`)
    }
  })
}

function secondsFlag(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= SECONDS_MAX) return value
  throw new InvalidArgumentError(`It is a number of seconds, above 0 and at most ${SECONDS_MAX}, such as 0.5.`)
}

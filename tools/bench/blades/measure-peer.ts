/**
 * Rotating blades with one number of clients on a peer, as on replog: a new server, the same clients in load processes of
 * their own, the clock from the first query to the last commit, and until the replica has applied it where there is one;
 * then the tables are read and compared with what must be there.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError, isReplogError } from '../../../core/errors.js'
import { formatCount } from '../../table-text.js'
import { thisMachine } from '../machine.js'
import type { Peer, PeerCpu, PeerDescription, PeerName } from '../peers/peer.js'
import { startPeer } from '../peers/start-peer.js'
import { rounded } from '../samples.js'
import type { Form } from './blades-set.js'
import { Load } from './load.js'
import { FANS_SQL, FAN_ROWS_SQL, PEER_SETS } from './peer-set.js'
import type { PeerFinalState, PeerPointReport } from './peer-report.js'
import { type ReplicaDelay, summaryOfPositions } from './replica-positions.js'

export interface PeerPointOptions {
  readonly peer: PeerName
  readonly withReplica: boolean
  /** New, in the directory of the benchmark. */
  readonly directory: string
  readonly keep: boolean
  readonly clients: number
  readonly runs: number
  readonly form: Form
  readonly loadProcesses: number
  readonly timeoutMs: number
  readonly sampleMs: number
  readonly signal: AbortSignal
  readonly onPhase: (phase: string, done: number, of: number) => void
}

export interface MeasuredPeer {
  readonly description: PeerDescription
  readonly point: PeerPointReport
}

/** @throws ReplogError NOT_FOUND when it is not installed; CLOSED (stopped, or a process ended); what it refuses */
export async function measurePeerPoint(options: PeerPointOptions): Promise<MeasuredPeer> {
  const ended = new AbortController()
  const signal = AbortSignal.any([options.signal, ended.signal])
  let peer: Peer | undefined
  try {
    const { directory, clients, withReplica, timeoutMs, keep } = options
    peer = await startPeer(options.peer, {
      ...{ directory, clients, withReplica, timeoutMs, keep, signal },
      onDeath: (error) => {
        ended.abort(error)
      },
    })
    await peer.define(PEER_SETS[options.peer].define)
    return { description: await peer.describe(), point: await measure(peer, options, signal) }
  } catch (error) {
    // That a server ended is the cause of whatever else failed.
    if (ended.signal.aborted) throw ended.signal.reason as ReplogError
    if (options.signal.aborted && !isReplogError(error)) throw new ReplogError('CLOSED', 'the benchmark was stopped')
    throw error
  } finally {
    await peer?.stop()
  }
}

async function measure(peer: Peer, options: PeerPointOptions, signal: AbortSignal): Promise<PeerPointReport> {
  const { clients, runs, form, loadProcesses, timeoutMs, onPhase } = options
  const { name } = peer
  if (peer.hasReplica) await peer.untilApplied(signal)
  const syncsBefore = await peer.syncs()
  const load = await Load.connect({
    target: { kind: 'peer', address: peer.addressFor(clients) },
    ...{ clients, runs, form, timeoutMs, signal, processes: loadProcesses },
    onConnected: (connections) => {
      onPhase(`${name}, ${clients} clients: connecting`, connections, clients)
    },
    onProgress: (done) => {
      onPhase(`${name}, ${clients} clients: running`, done, runs)
    },
  })
  try {
    const cpuBefore = await peer.cpuSeconds()
    const startNs = process.hrtime.bigint()
    const sampler = peer.hasReplica ? PositionSampler.begin(peer, options.sampleMs) : undefined
    const { tally, cpuSeconds, lastCommitNs } = await load.run()
    const appliedNs = peer.hasReplica ? await peer.untilApplied(signal) : lastCommitNs
    const replica = await sampler?.end()
    const cpuAfter = await peer.cpuSeconds()
    await load.stop()
    const syncs = (await peer.syncs()) - syncsBefore
    const seconds = Number(appliedNs - startNs) / 1e9
    const final = { primary: await finalState(peer, 'primary'), replica: null as PeerFinalState | null }
    if (peer.hasReplica) final.replica = await finalState(peer, 'replica')
    return {
      clients,
      runs: tally.runs,
      seconds: rounded(seconds, 3),
      runsPerSecond: rounded(runs / seconds, 1),
      commitSeconds: rounded(Number(lastCommitNs - startNs) / 1e9, 3),
      replica:
        replica === undefined
          ? null
          : { ...replica, appliedAfterMs: rounded(Math.max(0, Number(appliedNs - lastCommitNs) / 1e6), 1) },
      foundAfterTimeout: tally.found,
      retries: { total: Object.values(tally.retries).reduce((sum, one) => sum + one, 0), byCause: tally.retries },
      queries: tally.summaries(),
      syncs,
      syncsPerRun: rounded(syncs / runs, 4),
      cpu: cpuOf(cpuBefore, cpuAfter, cpuSeconds, { seconds, loadProcesses }),
      final,
      problems: problemsOfPeer(final, runs),
    }
  } finally {
    await load.stop()
  }
}

/** The positions of both servers over time, read at intervals. */
class PositionSampler {
  readonly #samples: { atMs: number; primary: number; replica: number }[] = []
  readonly #stop = new AbortController()
  readonly #sampling: Promise<void>

  private constructor(peer: Peer, everyMs: number) {
    const startMs = performance.now()
    this.#sampling = (async () => {
      const { signal } = this.#stop
      do {
        const positions = await peer.positions()
        this.#samples.push({ atMs: rounded(performance.now() - startMs, 1), ...positions })
        await delay(everyMs, undefined, { signal }).catch(() => undefined)
      } while (!signal.aborted)
    })()
    // Its error is that of `end`.
    this.#sampling.catch(() => undefined)
  }

  static begin(peer: Peer, everyMs: number): PositionSampler {
    return new PositionSampler(peer, everyMs)
  }

  async end(): Promise<ReplicaDelay> {
    this.#stop.abort()
    await this.#sampling
    return summaryOfPositions(this.#samples)
  }
}

function cpuOf(
  before: PeerCpu,
  after: PeerCpu,
  loadSeconds: number,
  { seconds, loadProcesses }: { readonly seconds: number; readonly loadProcesses: number },
): PeerPointReport['cpu'] {
  const between = (from: number | null, to: number | null): number | null =>
    from === null || to === null ? null : rounded(to - from, 3)
  const serverSeconds = between(before.primary, after.primary)
  const replicaSeconds = between(before.replica, after.replica)
  const { processors } = thisMachine()
  return {
    serverSeconds,
    replicaSeconds,
    loadSeconds: rounded(loadSeconds, 3),
    loadShare: rounded(loadSeconds / (seconds * loadProcesses), 3),
    shareOfMachine:
      serverSeconds === null
        ? null
        : rounded((serverSeconds + (replicaSeconds ?? 0) + loadSeconds) / (seconds * processors), 3),
  }
}

async function finalState(peer: Peer, server: 'primary' | 'replica'): Promise<PeerFinalState> {
  const [fans] = await peer.rows(FANS_SQL, server)
  const [rows = []] = await peer.rows(FAN_ROWS_SQL, server)
  const [count, ofItem, first, last] = rows
  return {
    fans: fans?.[0] ?? null,
    rows: Number(count),
    rowsOfItem: Number(ofItem),
    firstUser: first ?? null,
    lastUser: last ?? null,
  }
}

/** What is not as it must be, one sentence each; empty when all is. The primary key holds that no user is there twice. */
export function problemsOfPeer(states: PeerPointReport['final'], runs: number): string[] {
  const problems: string[] = []
  for (const [server, state] of Object.entries<PeerFinalState | null>(states)) {
    if (state === null) continue
    const { fans, rows, rowsOfItem, firstUser, lastUser } = state
    const expected = `after ${formatCount(runs)} runs`
    if (fans !== String(runs)) problems.push(`fans on the ${server} is ${fans ?? 'missing'} ${expected}`)
    if (rows !== runs) problems.push(`fan_of on the ${server} has ${rows} rows ${expected}`)
    if (rowsOfItem !== rows || firstUser !== '1' || lastUser !== String(runs)) {
      problems.push(`fan_of on the ${server} has rows of no run`)
    }
  }
  return problems
}

/** The result of rotating blades: as data for JSON, and as text for a terminal. */
import { alignedTable, formatCount, formatSeconds } from '../../table-text.js'
import type { Device } from '../fsync/device.js'
import type { Machine } from '../machine.js'
import type { PeerName } from '../peers/peer.js'
import type { Form } from './blades-set.js'
import type { DelaySummary } from './delay-samples.js'
import type { FinalStates } from './final-state.js'
import type { BladesRatio, PeerPointReport, PeerReport } from './peer-report.js'
import type { QuerySummaries } from './tally.js'
import type { CpuReport, SyncReport } from './usage.js'

/** With one number of clients. */
export interface PointReport {
  readonly clients: number
  /** That were counted; as many as were asked for. */
  readonly runs: number
  /** From the first query until the replica had applied everything. */
  readonly seconds: number
  readonly runsPerSecond: number
  /** Until the last commit was acknowledged. */
  readonly commitSeconds: number
  /** From the last commit until the replica had applied everything; found by asking it every `appliedPollMs`. */
  readonly appliedAfterMs: number
  readonly appliedPollMs: number
  /** Runs whose commit had taken place although its answer was overdue. */
  readonly foundAfterTimeout: number
  /** Times that a run went back to its first query, by error code, or TIMEOUT. They are not counted as runs. */
  readonly retries: { readonly total: number; readonly byCause: Readonly<Record<string, number>> }
  readonly queries: QuerySummaries
  readonly delay: DelaySummary
  readonly syncs: SyncReport
  readonly cpu: CpuReport
  readonly final: FinalStates
  /** What is wrong on the servers; empty when the benchmark is valid. */
  readonly problems: readonly string[]
}

export interface BladesReport {
  readonly benchmark: 'rotating-blades'
  readonly measuredAt: string
  readonly machine: Machine
  /** Where both servers keep their data. */
  readonly device: Device
  readonly settings: {
    readonly runs: number
    readonly clients: readonly number[]
    readonly transaction: Form
    readonly loadProcesses: number
    readonly timeoutMs: number
    readonly sampleMs: number
    readonly peers: readonly PeerName[]
    /** Whether peers have a replica, as replog always has. */
    readonly peerReplica: boolean
    /** Of each number of clients on a peer. */
    readonly peerRuns: number
  }
  /** Percentiles of query times may be off by this share of their value; least, average and greatest are exact. */
  readonly percentileErrorShare: number
  readonly points: readonly PointReport[]
  /** Measured in the same run, after replog with each number of clients. */
  readonly peers: readonly PeerReport[]
  readonly ratios: readonly BladesRatio[]
}

const POINT_HEADING = [
  'server',
  'clients',
  'runs/s',
  'total',
  'retries',
  'delay p50 ms',
  'delay p99 ms',
  'delay max ms',
  'applied after ms',
] as const
const USAGE_HEADING = [
  'server',
  'clients',
  'syncs/run',
  'primary cpu s',
  'replica cpu s',
  'load cpu s',
  'load of a processor',
  'of machine',
] as const
const QUERY_HEADING = ['server', 'clients', 'query', 'count', 'min ms', 'avg ms', 'p50 ms', 'p99 ms', 'max ms'] as const

const OURS = 'replog'
/** From this share of a processor on, a load process is what is measured. */
const SATURATED = 0.9
const NONE = '–'

/** Each table with its heading first; replog's lines before those of its peers. */
export function tablesOf({ points, peers }: BladesReport): {
  readonly points: readonly (readonly string[])[]
  readonly usage: readonly (readonly string[])[]
  readonly queries: readonly (readonly string[])[]
} {
  const ofPeers = <Row>(row: (peer: string, point: PeerPointReport) => Row): Row[] =>
    peers.flatMap((peer) => peer.points.map((point) => row(peer.name, point)))
  return {
    points: [POINT_HEADING, ...points.map(pointRow), ...ofPeers(peerPointRow)],
    usage: [USAGE_HEADING, ...points.map(usageRow), ...ofPeers(peerUsageRow)],
    queries: [QUERY_HEADING, ...points.flatMap((point) => queryRows(OURS, point)), ...ofPeers(queryRows).flat()],
  }
}

/** What was measured, in a line. */
export function settingsLine({ settings, machine, device }: BladesReport): string {
  const { runs, transaction, loadProcesses } = settings
  const { peers, peerRuns, peerReplica } = settings
  const others = peers.length === 0 ? '' : `${peers.join(' and ')} ${peerReplica ? 'with' : 'without'} a replica`
  const fewer = peers.length > 0 && peerRuns !== runs ? `, ${formatCount(peerRuns)} on each peer` : ''
  return (
    `${formatCount(runs)} runs for each number of clients${fewer}, ${transaction} transactions, ` +
    `${loadProcesses} load process${loadProcesses === 1 ? '' : 'es'}, replica attached` +
    `${others === '' ? '' : `, beside ${others}`}; ` +
    `${machine.processors} processors, ${device.fileSystem} on ${device.name}`
  )
}

/** What the figures mean, and whether they are valid. */
export function resultLines(report: BladesReport): string[] {
  const { percentileErrorShare, points } = report
  return [
    `Percentiles are right to ${(percentileErrorShare * 100).toFixed(1)} %. "transaction" is the insert and the ` +
      'addition together, "run" all of a run with its retries.',
    ...points.map(({ clients, runs, problems }) =>
      problems.length === 0
        ? `${formatCount(clients)} clients: fans = ${runs} on both servers, and as many rows of fan_of`
        : `${formatCount(clients)} clients: FAILED: ${problems.join('; ')}`,
    ),
    ...peerLines(report),
  ]
}

/** How replog compares, and with what: nothing without peers. */
function peerLines({ peers, ratios, settings }: BladesReport): string[] {
  const set = settings.transaction === 'one-shot' ? 'one call of a procedure on the server' : 'statement by statement'
  return [
    ...ratios.map(
      ({ peer, clients, ratio, runsPerSecond, peerRunsPerSecond }) =>
        `${formatCount(clients)} clients: replog : ${peer} = ${ratio} : 1 ` +
        `(${formatCount(runsPerSecond)} : ${formatCount(peerRunsPerSecond)} runs/s)`,
    ),
    ...peers.flatMap(({ name, points }) =>
      points.map(({ clients, runs, problems }) =>
        problems.length === 0
          ? `${name}, ${formatCount(clients)} clients: fans = ${runs}, and as many rows of fan_of`
          : `${name}, ${formatCount(clients)} clients: FAILED: ${problems.join('; ')}`,
      ),
    ),
    ...peers.map(
      ({ name, version, client, network, settings: inForce }) =>
        `${name}: ${version}; ${client}, prepared statements, ${set}; ${network}; ` +
        Object.entries(inForce)
          .map(([setting, value]) => `${setting}=${value}`)
          .join(' '),
    ),
    ...peers.flatMap(({ name, client, points }) =>
      points
        .filter(({ cpu }) => cpu.loadShare >= SATURATED)
        .map(
          ({ clients, cpu }) =>
            `${name}, ${formatCount(clients)} clients: the load processes used ${Math.round(cpu.loadShare * 100)} % of ` +
            `their processors, so ${client} is the limit here; give more --load-processes`,
        ),
    ),
  ]
}

export function reportText(report: BladesReport): string {
  const { points, queries, usage } = tablesOf(report)
  const tables = [points, queries, usage].flatMap((table) => [alignedTable(table), ''])
  return [settingsLine(report), '', ...tables, ...resultLines(report)].join('\n')
}

function pointRow({ clients, runsPerSecond, seconds, retries, delay, appliedAfterMs }: PointReport): string[] {
  return [
    OURS,
    formatCount(clients),
    formatCount(runsPerSecond),
    formatSeconds(seconds),
    formatCount(retries.total),
    String(delay.p50Ms),
    String(delay.p99Ms),
    String(delay.maxMs),
    String(appliedAfterMs),
  ]
}

function peerPointRow(peer: string, point: PeerPointReport): string[] {
  const { clients, runsPerSecond, seconds, retries, replica } = point
  return [
    peer,
    formatCount(clients),
    formatCount(runsPerSecond),
    formatSeconds(seconds),
    formatCount(retries.total),
    ...(replica === null
      ? [NONE, NONE, NONE, NONE]
      : [replica.p50Ms, replica.p99Ms, replica.maxMs, replica.appliedAfterMs].map(String)),
  ]
}

function usageRow({ clients, syncs, cpu }: PointReport): string[] {
  return [
    OURS,
    formatCount(clients),
    String(syncs.primaryPerRun),
    String(cpu.primarySeconds),
    String(cpu.replicaSeconds),
    String(cpu.loadSeconds),
    percent(cpu.loadShare),
    percent(cpu.shareOfMachine),
  ]
}

function peerUsageRow(peer: string, { clients, syncsPerRun, cpu }: PeerPointReport): string[] {
  return [
    peer,
    formatCount(clients),
    String(syncsPerRun),
    String(cpu.serverSeconds ?? NONE),
    String(cpu.replicaSeconds ?? NONE),
    String(cpu.loadSeconds),
    percent(cpu.loadShare),
    cpu.shareOfMachine === null ? NONE : percent(cpu.shareOfMachine),
  ]
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function queryRows(server: string, { clients, queries }: PointReport | PeerPointReport): string[][] {
  return Object.entries(queries).map(([query, times]) => [
    server,
    formatCount(clients),
    query,
    formatCount(times.count),
    String(times.minMs),
    String(times.averageMs),
    String(times.p50Ms),
    String(times.p99Ms),
    String(times.maxMs),
  ])
}

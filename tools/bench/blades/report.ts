/** The result of rotating blades: as data for JSON, and as text for a terminal. */
import { alignedTable, formatCount, formatSeconds } from '../../table-text.js'
import type { Device } from '../fsync/device.js'
import type { Machine } from '../machine.js'
import type { Form } from './blades-set.js'
import type { DelaySummary } from './delay-samples.js'
import type { FinalStates } from './final-state.js'
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
  }
  /** Percentiles of query times may be off by this share of their value; least, average and greatest are exact. */
  readonly percentileErrorShare: number
  readonly points: readonly PointReport[]
}

const POINT_HEADING = [
  'clients',
  'runs/s',
  'total',
  'retries',
  'delay p50 ms',
  'delay p99 ms',
  'delay max ms',
  'applied after ms',
] as const
const USAGE_HEADING = ['clients', 'syncs/run', 'primary cpu s', 'replica cpu s', 'load cpu s', 'of machine'] as const
const QUERY_HEADING = ['clients', 'query', 'count', 'min ms', 'avg ms', 'p50 ms', 'p99 ms', 'max ms'] as const

/** Each table with its heading first. */
export function tablesOf({ points }: BladesReport): {
  readonly points: readonly (readonly string[])[]
  readonly usage: readonly (readonly string[])[]
  readonly queries: readonly (readonly string[])[]
} {
  return {
    points: [POINT_HEADING, ...points.map(pointRow)],
    usage: [USAGE_HEADING, ...points.map(usageRow)],
    queries: [QUERY_HEADING, ...points.flatMap(queryRows)],
  }
}

/** What was measured, in a line. */
export function settingsLine({ settings, machine, device }: BladesReport): string {
  const { runs, transaction, loadProcesses } = settings
  return (
    `${formatCount(runs)} runs for each number of clients, ${transaction} transactions, ` +
    `${loadProcesses} load process${loadProcesses === 1 ? '' : 'es'}, replica attached; ` +
    `${machine.processors} processors, ${device.fileSystem} on ${device.name}`
  )
}

/** What the figures mean, and whether they are valid. */
export function resultLines({ percentileErrorShare, points }: BladesReport): string[] {
  return [
    `Percentiles are right to ${(percentileErrorShare * 100).toFixed(1)} %. "transaction" is the insert and the ` +
      'addition together, "run" all of a run with its retries.',
    ...points.map(({ clients, runs, problems }) =>
      problems.length === 0
        ? `${formatCount(clients)} clients: fans = ${runs} on both servers, and as many rows of fan_of`
        : `${formatCount(clients)} clients: FAILED: ${problems.join('; ')}`,
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

function usageRow({ clients, syncs, cpu }: PointReport): string[] {
  return [
    formatCount(clients),
    String(syncs.primaryPerRun),
    String(cpu.primarySeconds),
    String(cpu.replicaSeconds),
    String(cpu.loadSeconds),
    `${Math.round(cpu.shareOfMachine * 100)} %`,
  ]
}

function queryRows({ clients, queries }: PointReport): string[][] {
  return Object.entries(queries).map(([query, times]) => [
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

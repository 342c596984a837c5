/** The result of `bench http` as text and tables, for a terminal and for pages. */
import { alignedTable, formatCount } from '../../table-text.js'
import type { HttpReport, HttpRow } from './report.js'

const HEADING = [
  'series',
  'connections',
  'requests/s',
  'from',
  'to',
  'ratio',
  'p50 ms',
  'p99 ms',
  'server cpu µs',
  'load cpu µs',
] as const

/** Each with its heading first. */
export function tablesOf({ http, echo }: HttpReport): {
  readonly http: readonly (readonly string[])[]
  readonly echo: readonly (readonly string[])[]
} {
  return { http: [HEADING, ...http.map(cellsOf)], echo: [HEADING, ...echo.map(cellsOf)] }
}

export function settingsLine({ settings, machine, device, loadAverage }: HttpReport): string {
  const { seconds, repetitions } = settings
  return (
    `Slices of ${seconds} s, ${repetitions} repetitions in turns, load in a process of its own; ` +
    `${machine.processors} processors, ${device.fileSystem} on ${device.name}, ` +
    `load average ${loadAverage.before} before and ${loadAverage.after} after`
  )
}

export function noteLines({ echo }: HttpReport): string[] {
  return [
    'transaction: POST /v1/catalogs/local/transactions with the insert of one row into a table with one index, durable ' +
      'when it is answered. empty route: the same bodies to a Fastify route that does nothing. The ratio is transactions ' +
      'over empty requests with as many connections, of slices that ran one after the other.',
    'Processor time is for each request, of all threads; each connection has one request under way.',
    ...(echo.length === 0
      ? []
      : ['echo: a bare WebSocket that sends back what it gets. The ratio is over the first number of clients.']),
  ]
}

export function reportText(report: HttpReport): string {
  const { http, echo } = tablesOf(report)
  const tables = (report.echo.length === 0 ? [http] : [http, echo]).flatMap((table) => [alignedTable(table), ''])
  return [settingsLine(report), '', ...tables, ...noteLines(report)].join('\n')
}

function cellsOf(row: HttpRow): string[] {
  const { series, connections, requestsPerSecond, ratio, p50Ms, p99Ms, serverCpuUs, loadCpuUs } = row
  return [
    series,
    formatCount(connections),
    formatCount(Math.round(requestsPerSecond.median)),
    formatCount(Math.round(requestsPerSecond.min)),
    formatCount(Math.round(requestsPerSecond.max)),
    ratio === null ? '' : String(ratio.median),
    String(p50Ms),
    String(p99Ms),
    String(serverCpuUs.median),
    String(loadCpuUs.median),
  ]
}

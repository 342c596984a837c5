/** The result of `bench commit --remote` as text, tables and plots. */
import { alignedTable, formatCount } from '../../../table-text.js'
import { type NamedPlot, type Series, linePlot } from '../../plot.js'
import { pageStory, reportPage } from '../../report-page.js'
import type { Story } from '../../story.js'
import type { RemoteCell, RemoteReport, Side } from './remote-report.js'

const HEADING = [
  'server',
  'clients',
  'transactions/s',
  'min..max',
  'p50 ms',
  'p99 ms',
  'syncs/transaction',
  'server cpu µs',
  'load cpu µs',
  'load of a processor',
] as const

/** Okabe and Ito's palette, which colour-blind readers can tell apart. */
const COLORS: Readonly<Record<Side, string>> = { replog: '#0072b2', mariadb: '#d55e00', postgres: '#009e73' }
const DASH = '5 4'
/** From this share of a processor on, the load is what is measured. */
const SATURATED = 0.9

/** With its heading first. */
export function tableOf({ cells }: RemoteReport): readonly (readonly string[])[] {
  return [HEADING, ...cells.map(row)]
}

export function settingsLine({ settings, machine, device, loadAverage }: RemoteReport): string {
  const { rowBytes, seconds, repetitions, loadProcesses, replica } = settings
  return (
    `One-row inserts of ${rowBytes} bytes into a table with one index, each a durable transaction of one round trip; ` +
    `${seconds} s for each cell, ${repetitions} repetitions in turns, ${loadProcesses} load ` +
    `process${loadProcesses === 1 ? '' : 'es'}, ${replica ? 'with a replica each' : 'without replicas'}; ` +
    `${machine.processors} processors, ${device.fileSystem} on ${device.name}, ` +
    `load average ${loadAverage.before} before and ${loadAverage.after} after`
  )
}

export function resultLines({ ratios, peers, problems, settings, cells }: RemoteReport): string[] {
  return [
    ...ratios.map(
      ({ peer, clients, ratio: { median, min, max } }) =>
        `${formatCount(clients)} clients: replog : ${peer} = ${median} : 1 (${min}..${max})`,
    ),
    ...(peers.length < 2
      ? []
      : settings.clients.flatMap((clients) => {
          const here = ratios.filter((ratio) => ratio.clients === clients)
          const best = here.toSorted((left, right) => left.ratio.median - right.ratio.median)[0]
          return best === undefined
            ? []
            : [`${formatCount(clients)} clients: ${best.ratio.median} × the better one, ${best.peer}`]
        })),
    'replog: its session protocol, binary frames over a WebSocket for each client, one-shot transactions; TCP over ' +
      'loopback, unencrypted. Load processes speak it without pool and promises, as those of peers use callbacks.',
    ...peers.map(
      ({ name, version, client, network, settings: inForce }) =>
        `${name}: ${version}; ${client}, prepared statements; ${network}; ` +
        Object.entries(inForce)
          .map(([setting, value]) => `${setting}=${value}`)
          .join(' '),
    ),
    ...cells
      .filter(({ loadShare }) => loadShare.median >= SATURATED)
      .map(
        ({ side, clients, loadShare }) =>
          `${side}, ${formatCount(clients)} clients: the load processes used ${percent(loadShare.median)} of their ` +
          'processors, so the client is the limit here; give more --load-processes',
      ),
    ...problems.map((problem) => `FAILED: ${problem}`),
  ]
}

export function remoteText(report: RemoteReport): string {
  return [settingsLine(report), '', alignedTable(tableOf(report)), '', ...resultLines(report)].join('\n')
}

export function remoteStory(report: RemoteReport): Story {
  return [
    { text: `${report.measuredAt}: ${settingsLine(report)}` },
    { table: tableOf(report) },
    ...remotePlots(report).map((plot) => ({ plot })),
    { lines: resultLines(report) },
  ]
}

export function remoteHtml(report: RemoteReport): string {
  return reportPage({ title: 'replog bench commit --remote', parts: pageStory(remoteStory(report)), report })
}

export function remotePlots({ cells, settings }: RemoteReport): NamedPlot[] {
  const x = { label: 'clients', scale: 'log', ticks: settings.clients } as const
  const series = (pointOf: (cell: RemoteCell) => { y: number; low?: number; high?: number }, dash?: string): Series[] =>
    [...new Set(cells.map(({ side }) => side))].map((side) => ({
      name: dash === undefined ? side : `${side} p99`,
      color: COLORS[side],
      ...(dash === undefined ? {} : { dash }),
      points: cells
        .filter((cell) => cell.side === side)
        .map((cell) => ({ x: cell.clients, ...pointOf(cell) }))
        .sort((left, right) => left.x - right.x),
    }))
  return [
    {
      name: 'commit-remote-throughput',
      svg: linePlot({
        title: 'One-row inserts over connections, one index, durable',
        x,
        y: { label: 'transactions / s', scale: 'log' },
        series: series(({ throughput: { median, min, max } }) => ({ y: median, low: min, high: max })),
      }),
    },
    {
      name: 'commit-remote-latency',
      svg: linePlot({
        title: 'Latency of an insert, as its client sees it',
        x,
        y: { label: 'milliseconds (solid: p50, dashed: p99)', scale: 'log' },
        series: [
          ...series(({ latency }) => ({ y: latency.p50Ms })),
          ...series(({ latency }) => ({ y: latency.p99Ms }), DASH),
        ],
      }),
    },
  ]
}

function row(cell: RemoteCell): string[] {
  const { side, clients, throughput, latency, syncsPerTransaction, serverCpuUs, loadCpuUs, loadShare } = cell
  return [
    side,
    formatCount(clients),
    formatCount(Math.round(throughput.median)),
    `${formatCount(Math.round(throughput.min))}..${formatCount(Math.round(throughput.max))}`,
    latency.p50Ms.toFixed(2),
    latency.p99Ms.toFixed(2),
    syncsPerTransaction.median.toFixed(4),
    serverCpuUs === null ? '–' : serverCpuUs.median.toFixed(1),
    loadCpuUs.median.toFixed(1),
    percent(loadShare.median),
  ]
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

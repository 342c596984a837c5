/** Which plots a report of rotating blades has: throughput and times by the number of clients, the delay over time. */
import { type NamedPlot, type Point, type Series, linePlot } from '../plot.js'
import type { DelaySample } from './delay-samples.js'
import type { BladesReport, PointReport } from './report.js'
import type { Query } from './tally.js'

/** Okabe and Ito's palette, which colour-blind readers can tell apart. */
const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#6e7781'] as const
const DASH = '5 4'
/** A run of an hour has more samples than a plot has room for. */
const POINTS_MAX = 400
const QUERIES: readonly Query[] = ['fans', 'isFan', 'transaction']

export function plotsOf({ points, peers, settings }: BladesReport): NamedPlot[] {
  const clients = { label: 'clients', scale: 'log', ticks: settings.clients } as const
  return [
    {
      name: 'throughput',
      svg: linePlot({
        title: 'Rotating blades: throughput, until the replica has applied everything',
        x: clients,
        // Beside peers, which are of another magnitude, a linear axis would show one of the two.
        y:
          peers.length === 0 ? { label: 'runs / s', scale: 'linear', atLeast: 0 } : { label: 'runs / s', scale: 'log' },
        series: [
          { name: 'replog', color: COLORS[0], points: byClients(points, (point) => point.runsPerSecond) },
          ...peers.map((peer, at) => ({
            name: peer.replicaSettings === null ? `${peer.name}, no replica` : peer.name,
            color: COLORS[at + 1]!,
            points: byClients(peer.points, (point) => point.runsPerSecond),
          })),
        ],
      }),
    },
    {
      name: 'queries',
      svg: linePlot({
        title: 'Rotating blades: times of queries',
        x: clients,
        y: { label: 'milliseconds (solid: p50, dashed: p99)', scale: 'log' },
        series: QUERIES.flatMap((query, at): Series[] => {
          const color = COLORS[at]!
          const times = (of: 'p50Ms' | 'p99Ms'): Series['points'] =>
            byClients(points, ({ queries }) => queries[query]?.[of] ?? 0)
          return [
            { name: `${query} p50`, color, points: times('p50Ms') },
            { name: `${query} p99`, color, dash: DASH, points: times('p99Ms') },
          ]
        }),
      }),
    },
    overTime('delay', 'delay of the replica', 'milliseconds from commit to applied', points, ({ lastMs }) => lastMs),
    overTime(
      'lag',
      'what the replica has not applied',
      'transactions',
      points,
      ({ lagTransactions }) => lagTransactions,
    ),
  ]
}

function overTime(
  name: string,
  title: string,
  label: string,
  points: readonly PointReport[],
  valueOf: (sample: DelaySample) => number,
): NamedPlot {
  const series = points.map(({ clients, delay }, at) => ({
    name: `${clients} clients`,
    color: COLORS[at % COLORS.length]!,
    points: highest(delay.samples.map((sample) => ({ x: sample.atMs / 1000, y: valueOf(sample) }))),
  }))
  const svg = linePlot({
    title: `Rotating blades: ${title}`,
    x: { label: 'seconds', scale: 'linear', atLeast: 0 },
    y: { label, scale: 'linear', atLeast: 0 },
    series,
  })
  return { name, svg }
}

/** At most so many points: of each stretch of time the highest, since that is what a delay is judged by. */
export function highest(points: readonly Point[], countMax = POINTS_MAX): Point[] {
  const perStretch = Math.ceil(points.length / countMax)
  const kept: Point[] = []
  for (let at = 0; at < points.length; at += perStretch) {
    kept.push(points.slice(at, at + perStretch).reduce((top, point) => (point.y > top.y ? point : top)))
  }
  return kept
}

function byClients<Measured extends { readonly clients: number }>(
  points: readonly Measured[],
  valueOf: (point: Measured) => number,
): Series['points'] {
  return points.map((point) => ({ x: point.clients, y: valueOf(point) })).sort((left, right) => left.x - right.x)
}

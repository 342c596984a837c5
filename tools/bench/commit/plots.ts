/** Which plots a report of `bench commit` has. */
import { type NamedPlot, type Series, linePlot } from '../plot.js'
import type { CommitCell, CommitReport } from './report.js'
import type { SeriesName } from './targets.js'

/** Okabe and Ito's palette, which colour-blind readers can tell apart. */
const COLORS: Readonly<Record<SeriesName, string>> = {
  'one-shot': '#0072b2',
  transaction: '#d55e00',
  ceiling: '#6e7781',
}
const DASH = '5 4'

export function plotsOf({ cells, settings }: CommitReport): NamedPlot[] {
  const x = { label: 'committers', scale: 'log', ticks: settings.committers } as const
  const plot = (name: string, title: string, label: string, series: Series[], scale: 'log' | 'linear'): NamedPlot => ({
    name: `commit-${name}`,
    svg: linePlot({ title, x, y: { label, scale, ...(scale === 'linear' ? { atLeast: 0 } : {}) }, series }),
  })
  return [
    plot(
      'throughput',
      'Embedded one-row inserts, one index',
      'durable transactions / s',
      seriesOf(cells, ({ throughput }) => ({ y: throughput.median, low: throughput.min, high: throughput.max })),
      'log',
    ),
    plot(
      'ratio',
      'Share of what LevelDB alone does with the same bytes',
      'throughput / ceiling',
      seriesOf(cells, ({ ratioToCeiling }) =>
        ratioToCeiling === null
          ? undefined
          : { y: ratioToCeiling.median, low: ratioToCeiling.min, high: ratioToCeiling.max },
      ),
      'linear',
    ),
    plot(
      'latency',
      'Latency of a commit',
      'milliseconds (solid: p50, dashed: p99)',
      [
        ...seriesOf(cells, ({ p50Ms }) => ({ y: p50Ms }), ' p50'),
        ...seriesOf(cells, ({ p99Ms }) => ({ y: p99Ms }), ' p99', DASH),
      ],
      'log',
    ),
    plot(
      'cpu',
      'Processor time of a transaction',
      'µs, all threads',
      seriesOf(cells, ({ cpuUsPerTransaction }) => ({ y: cpuUsPerTransaction.median })),
      'log',
    ),
    plot(
      'syncs',
      'Syncs per transaction',
      'syncs / transaction',
      seriesOf(cells, ({ syncsPerTransaction }) => ({ y: syncsPerTransaction })),
      'log',
    ),
  ]
}

function seriesOf(
  cells: readonly CommitCell[],
  valueOf: (cell: CommitCell) => { readonly y: number; readonly low?: number; readonly high?: number } | undefined,
  suffix = '',
  dash?: string,
): Series[] {
  const names = [...new Set(cells.map(({ series }) => series))]
  return names
    .map((name) => ({
      name: name + suffix,
      color: COLORS[name],
      ...(dash === undefined ? {} : { dash }),
      points: cells
        .filter(({ series }) => series === name)
        .flatMap((cell) => {
          const value = valueOf(cell)
          return value === undefined ? [] : [{ x: cell.committers, ...value }]
        })
        .sort((left, right) => left.x - right.x),
    }))
    .filter(({ points }) => points.length > 0)
}

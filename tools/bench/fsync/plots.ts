/** Which plots a report of `bench fsync` has: one set per row size and fsync delay, and those of the whole run. */
import type { Series } from '../plot.js'
import { type NamedPlot, histogram, linePlot } from '../plot.js'
import type { ModeName } from './mode.js'
import { type CellSummary, type FsyncReport, devicesOf } from './report.js'

/** Okabe and Ito's palette, which colour-blind readers can tell apart. */
const COLORS: Readonly<Record<ModeName, string>> = {
  batch: '#0072b2',
  '2pc': '#d55e00',
  '2pc-grouped': '#e69f00',
  file: '#cc79a7',
  nolog: '#009e73',
  nosync: '#6e7781',
}
const DASH = '5 4'

export function plotsOf(report: FsyncReport): NamedPlot[] {
  const { cells, calibration } = report
  const plots: NamedPlot[] = [
    {
      name: 'calibration',
      svg: histogram({
        title: `The device alone: write and fdatasync of ${calibration.pageBytes} bytes`,
        x: { label: 'latency (µs)', scale: 'log' },
        yLabel: 'syncs',
        series: [
          { name: 'overwrite', color: COLORS.batch, histogram: calibration.overwrite.histogram },
          { name: 'append', color: COLORS['2pc'], histogram: calibration.append.histogram },
        ].map(({ name, color, histogram: buckets }) => ({
          name,
          color,
          bars: buckets.map(({ fromUs, toUs, count }) => ({ from: fromUs, to: toUs, height: count })),
        })),
      }),
    },
  ]
  for (const { rowBytes, delayUs } of devicesOf(cells)) {
    const here = cells.filter((cell) => cell.rowBytes === rowBytes && cell.delayUs === delayUs)
    const what = `rows of ${rowBytes} bytes${delayUs === 0 ? '' : `, every sync ${delayUs} µs slower`}`
    const suffix = `${rowBytes}-bytes-${delayUs}-us`
    const x = {
      label: 'committers',
      scale: 'log',
      ticks: [...new Set(here.map(({ committers }) => committers))].sort((left, right) => left - right),
    } as const
    const plot = (name: string, title: string, y: string, series: Series[], scale: 'log' | 'linear' = 'log'): void => {
      const svg = linePlot({ title: `${title}: ${what}`, x, y: { label: y, scale }, series })
      plots.push({ name: `${name}-${suffix}`, svg })
    }
    plot(
      'throughput',
      'Throughput',
      'transactions / s',
      seriesOf(here, ({ throughput }) => throughput.median, {
        spread: ({ throughput }) => ({ low: throughput.min, high: throughput.max }),
      }),
    )
    plot('latency', 'Latency of a commit', 'milliseconds (solid: p50, dashed: p99)', [
      ...seriesOf(here, ({ latency }) => latency?.medianMs, { suffix: ' p50' }),
      ...seriesOf(here, ({ latency }) => latency?.p99Ms, { suffix: ' p99', dash: DASH }),
    ])
    plot(
      'syncs',
      'Syncs per transaction',
      'syncs / transaction',
      seriesOf(here, (cell) => cell.syncsPerTransaction),
    )
    plot(
      'limit',
      "Share of the device's limit",
      'syncs made / syncs the device can do',
      seriesOf(here, ({ shareOfLimit }) => shareOfLimit ?? undefined),
      'linear',
    )
  }
  plots.push(...gainPlots(report))
  return plots
}

/** How much `batch` gains, by the latency of a sync: one plot per row size, once there are delays to compare. */
function gainPlots({ gains, calibration, settings }: FsyncReport): NamedPlot[] {
  if (new Set(settings.fsyncDelaysUs).size < 2) return []
  return settings.rowBytes.flatMap((rowBytes) => {
    const here = gains.filter((gain) => gain.rowBytes === rowBytes)
    if (here.length === 0) return []
    const curve = (mode: ModeName, name: string, ratio: 'bestRatio' | 'aloneRatio', dash?: string): Series => ({
      name,
      color: COLORS[mode],
      ...(dash === undefined ? {} : { dash }),
      points: here
        .filter((gain) => gain.mode === mode && gain[ratio] !== null)
        .map((gain) => ({ x: gain.delayUs + 1_000_000 / calibration.limitPerSecond, y: gain[ratio]! }))
        .sort((left, right) => left.x - right.x),
    })
    const modes = [...new Set(here.map(({ mode }) => mode))]
    return [
      {
        name: `gain-${rowBytes}-bytes`,
        svg: linePlot({
          title: `What batch gains, by the latency of a sync: rows of ${rowBytes} bytes`,
          x: { label: 'latency of a sync (µs)', scale: 'log' },
          y: { label: 'batch / mode (solid: best of each, dashed: 1 committer)', scale: 'log' },
          series: [
            ...modes.map((mode) => curve(mode, mode, 'bestRatio')),
            ...modes.map((mode) => curve(mode, `${mode}, alone`, 'aloneRatio', DASH)),
          ],
        }),
      },
    ]
  })
}

interface SeriesOptions {
  readonly suffix?: string
  readonly dash?: string
  readonly spread?: (cell: CellSummary) => { readonly low: number; readonly high: number }
}

function seriesOf(
  cells: readonly CellSummary[],
  valueOf: (cell: CellSummary) => number | undefined,
  { suffix = '', dash, spread }: SeriesOptions = {},
): Series[] {
  const modes = [...new Set(cells.map(({ mode }) => mode))]
  return modes.map((mode) => ({
    name: mode + suffix,
    color: COLORS[mode],
    ...(dash === undefined ? {} : { dash }),
    points: cells
      .filter((cell) => cell.mode === mode)
      .sort((left, right) => left.committers - right.committers)
      .flatMap((cell) => {
        const y = valueOf(cell)
        return y === undefined ? [] : [{ x: cell.committers, y, ...spread?.(cell) }]
      }),
  }))
}

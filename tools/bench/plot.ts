/**
 * Plots as SVG text: lines over a logarithmic or linear axis with a band for their spread, and histograms. The only file
 * that knows d3 (d3-scale for axes, d3-shape for paths); nothing here knows what is measured.
 *
 * Invariants: the text is a complete SVG document that needs nothing from outside and can stand inside of HTML; every
 * text of a caller is escaped; a point that a logarithmic axis cannot show (zero or less) is left out, and so is a series
 * that has no other; equal input gives equal output.
 */
import { scaleLinear, scaleLog } from 'd3-scale'
import { area, line } from 'd3-shape'

export interface NamedPlot {
  /** Good for a file name and for the id of an element. */
  readonly name: string
  readonly svg: string
}

export interface Axis {
  readonly label: string
  readonly scale: 'log' | 'linear'
  /** Where ticks are put; chosen when left out. */
  readonly ticks?: readonly number[]
  /** The axis ends no lower than this. */
  readonly atLeast?: number
}

export interface Point {
  readonly x: number
  readonly y: number
  /** The spread around `y`. */
  readonly low?: number
  readonly high?: number
}

export interface Series {
  readonly name: string
  /** A CSS colour. */
  readonly color: string
  /** A dash pattern of SVG, for series that colour alone would not tell apart. */
  readonly dash?: string
  readonly points: readonly Point[]
}

export interface LinePlot {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
}

export interface Bar {
  readonly from: number
  readonly to: number
  readonly height: number
}

export interface Histogram {
  readonly title: string
  readonly x: Axis
  readonly yLabel: string
  readonly series: readonly { readonly name: string; readonly color: string; readonly bars: readonly Bar[] }[]
}

const WIDTH = 790
const HEIGHT = 420
const MARGIN = { top: 44, right: 180, bottom: 56, left: 76 }
const PLOT_WIDTH = WIDTH - MARGIN.left - MARGIN.right
const PLOT_HEIGHT = HEIGHT - MARGIN.top - MARGIN.bottom
const LEGEND_LINE = 20
const TICKS_LINEAR = 6
const INK = '#24292f'
const GRID = '#d8dee4'

type Place = (value: number) => number

interface DrawnAxis {
  readonly place: Place
  readonly ticks: readonly number[]
}

export function linePlot({ title, x, y, series }: LinePlot): string {
  const shown = series
    .map((one) => ({
      ...one,
      points: one.points.filter((point) => isShown(x, point.x) && isShown(y, point.y)),
    }))
    .filter((one) => one.points.length > 0)
  const points = shown.flatMap((one) => one.points)
  const across = axis(
    x,
    points.map((point) => point.x),
    [0, PLOT_WIDTH],
  )
  const up = axis(
    y,
    points
      .flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y])
      .filter((value) => isShown(y, value)),
    [PLOT_HEIGHT, 0],
  )
  const marks = shown.map(({ name, color, dash, points: own }) => {
    const band = area<Point>()
      .x((point) => across.place(point.x))
      .y0((point) => up.place(isShown(y, point.low ?? point.y) ? (point.low ?? point.y) : point.y))
      .y1((point) => up.place(point.high ?? point.y))(own)
    const path = line<Point>()
      .x((point) => across.place(point.x))
      .y((point) => up.place(point.y))(own)
    const dots = own.map(
      (point) =>
        `<circle cx="${short(across.place(point.x))}" cy="${short(up.place(point.y))}" r="3" fill="${escaped(color)}">` +
        `<title>${escaped(`${name}: ${formatted(point.x)}, ${formatted(point.y)}`)}</title></circle>`,
    )
    const dashes = dash === undefined ? '' : ` stroke-dasharray="${escaped(dash)}"`
    return (
      `<g data-series="${escaped(name)}">` +
      `<path d="${band ?? ''}" fill="${escaped(color)}" fill-opacity="0.15"/>` +
      `<path d="${path ?? ''}" fill="none" stroke="${escaped(color)}" stroke-width="2"${dashes}/>${dots.join('')}</g>`
    )
  })
  return document(title, across, up, x.label, y.label, shown, marks)
}

/** Bars over ranges of x; several series lie over one another, half transparent. */
export function histogram({ title, x, yLabel, series }: Histogram): string {
  const bars = series.flatMap((one) => one.bars).filter((bar) => isShown(x, bar.from))
  const across = axis(
    x,
    bars.flatMap((bar) => [bar.from, bar.to]),
    [0, PLOT_WIDTH],
  )
  const up = axis(
    { label: yLabel, scale: 'linear', atLeast: 0 },
    [0, ...bars.map((bar) => bar.height)],
    [PLOT_HEIGHT, 0],
  )
  const marks = series.map(({ name, color, bars: own }) => {
    const drawn = own
      .filter((bar) => isShown(x, bar.from))
      .map((bar) => {
        const [left, right, top] = [across.place(bar.from), across.place(bar.to), up.place(bar.height)]
        return (
          `<rect x="${short(left)}" y="${short(top)}" width="${short(Math.max(0, right - left - 1))}" ` +
          `height="${short(PLOT_HEIGHT - top)}"><title>${escaped(`${name}: ${formatted(bar.height)}`)}</title></rect>`
        )
      })
    return `<g data-series="${escaped(name)}" fill="${escaped(color)}" fill-opacity="0.55">${drawn.join('')}</g>`
  })
  return document(title, across, up, x.label, yLabel, series, marks)
}

export interface BarPlot {
  readonly title: string
  readonly yLabel: string
  readonly bars: readonly {
    readonly label: string
    /** A CSS colour. */
    readonly color: string
    readonly value: number
    /** The spread around it. */
    readonly low?: number
    readonly high?: number
  }[]
}

/** A bar for each of what is compared, from zero, with a line for its spread. */
export function barPlot({ title, yLabel, bars }: BarPlot): string {
  const up = axis(
    { label: yLabel, scale: 'linear', atLeast: 0 },
    [0, ...bars.map(({ value, high }) => high ?? value)],
    [PLOT_HEIGHT, 0],
  )
  const slot = PLOT_WIDTH / Math.max(1, bars.length)
  const drawn = bars.map(({ label, color, value, low, high }, at) => {
    const middle = short((at + 0.5) * slot)
    const spread =
      low === undefined || high === undefined
        ? ''
        : `<line x1="${middle}" x2="${middle}" y1="${short(up.place(low))}" y2="${short(up.place(high))}" stroke="${INK}"/>`
    return (
      `<g data-series="${escaped(label)}"><rect x="${short((at + 0.15) * slot)}" y="${short(up.place(value))}" ` +
      `width="${short(slot * 0.7)}" height="${short(PLOT_HEIGHT - up.place(value))}" fill="${escaped(color)}">` +
      `<title>${escaped(`${label}: ${formatted(value)}`)}</title></rect>${spread}` +
      `<text x="${middle}" y="${short(up.place(high ?? value) - 6)}" text-anchor="middle">${formatted(value)}</text></g>`
    )
  })
  const legend = bars.map(({ label, color }) => ({ name: label, color }))
  return document(title, { place: (value) => value, ticks: [] }, up, '', yLabel, legend, drawn)
}

function isShown({ scale }: Axis, value: number): boolean {
  return Number.isFinite(value) && (scale === 'linear' || value > 0)
}

function axis(
  { scale, ticks, atLeast }: Pick<Axis, 'scale' | 'ticks' | 'atLeast'> & { readonly label: string },
  values: readonly number[],
  range: readonly [number, number],
): DrawnAxis {
  const all = atLeast === undefined ? values : [...values, atLeast]
  let [low, high] = all.length === 0 ? [1, 10] : [Math.min(...all), Math.max(...all)]
  if (scale === 'log') {
    // One value alone gets some room on both sides.
    if (low === high) [low, high] = [low / 2, high * 2]
    const place = scaleLog().domain([low, high]).range(range)
    if (ticks === undefined) place.nice()
    return { place, ticks: ticks ?? logTicks(place.domain()) }
  }
  if (low === high) [low, high] = [Math.min(0, low), high === 0 ? 1 : high * 2]
  const place = scaleLinear().domain([low, high]).range(range).nice()
  return { place, ticks: ticks ?? place.ticks(TICKS_LINEAR) }
}

/** Powers of ten, and what lies between them when there are few. */
function logTicks(domain: readonly number[]): number[] {
  const [low = 1, high = 10] = domain
  const steps = Math.log10(high / low) > 4 ? [1] : Math.log10(high / low) > 2 ? [1, 3] : [1, 2, 5]
  const ticks: number[] = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const step of steps) {
      const tick = Number(`${step}e${power}`)
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push(tick)
    }
  }
  return ticks
}

function document(
  title: string,
  across: DrawnAxis,
  up: DrawnAxis,
  xLabel: string,
  yLabel: string,
  series: readonly { readonly name: string; readonly color: string; readonly dash?: string }[],
  marks: readonly string[],
): string {
  const verticals = across.ticks.map((tick) => {
    const at = short(across.place(tick))
    return (
      `<line x1="${at}" x2="${at}" y1="0" y2="${PLOT_HEIGHT}" stroke="${GRID}"/>` +
      `<text x="${at}" y="${PLOT_HEIGHT + 18}" text-anchor="middle">${formatted(tick)}</text>`
    )
  })
  const horizontals = up.ticks.map((tick) => {
    const at = short(up.place(tick))
    return (
      `<line x1="0" x2="${PLOT_WIDTH}" y1="${at}" y2="${at}" stroke="${GRID}"/>` +
      `<text x="-8" y="${at}" dy="0.32em" text-anchor="end">${formatted(tick)}</text>`
    )
  })
  const legend = series.map(({ name, color, dash }, at) => {
    const dashes = dash === undefined ? '' : ` stroke-dasharray="${escaped(dash)}"`
    return (
      `<g transform="translate(${PLOT_WIDTH + 16},${at * LEGEND_LINE + 6})">` +
      `<line x2="22" stroke="${escaped(color)}" stroke-width="3"${dashes}/>` +
      `<text x="28" dy="0.32em">${escaped(name)}</text></g>`
    )
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" ` +
      `role="img" font-family="system-ui, sans-serif" font-size="12" fill="${INK}">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${MARGIN.left}" y="24" font-size="15" font-weight="600">${escaped(title)}</text>`,
    `<g transform="translate(${MARGIN.left},${MARGIN.top})">`,
    ...verticals,
    ...horizontals,
    ...marks,
    ...legend,
    `<text x="${PLOT_WIDTH / 2}" y="${PLOT_HEIGHT + 42}" text-anchor="middle">${escaped(xLabel)}</text>`,
    `<text transform="translate(-58,${PLOT_HEIGHT / 2}) rotate(-90)" text-anchor="middle">${escaped(yLabel)}</text>`,
    '</g>',
    '</svg>',
  ].join('\n')
}

const SUFFIXES = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e4, 'k'],
] as const

/** 250000 → "250k", 0.0123 → "0.0123" */
function formatted(value: number): string {
  const suffix = SUFFIXES.find(([from]) => Math.abs(value) >= from)
  if (suffix === undefined) return String(Number(value.toPrecision(4)))
  const [from, letter] = suffix
  return `${Number((value / (letter === 'k' ? 1e3 : from)).toPrecision(3))}${letter}`
}

function short(value: number): string {
  return String(Number(value.toFixed(2)))
}

export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** Where the points of a line chart lie: pure arithmetic, in a plot that is 1000 wide and 100 high. */
import { HISTORY_MS, type Sample } from './history.js'

export const PLOT_WIDTH = 1000
export const PLOT_HEIGHT = 100
/** Samples farther apart than this are not joined: nobody knows what was between them. */
const JOIN_MS_MAX = 5_000

export interface Point {
  readonly x: number
  readonly y: number
}

export type ValueOf<Value> = (value: Value) => number

/** The round number (1, 2 or 5 times a power of ten; with base 1024 of the unit below it) that the scale ends at. */
export function scaleMax(highest: number, floor: number, base: 1000 | 1024 = 1000): number {
  const least = Math.max(highest, floor)
  let unit = 1
  if (base === 1024) while (least > unit * 1000) unit *= 1024
  const power = 10 ** Math.floor(Math.log10(least / unit))
  const steps = [1, 2, 5, 10].map((step) => step * power * unit)
  return steps.find((step) => step >= least * (1 - 1e-9))!
}

/** The points as runs without a gap. */
export function runsOf<Value>(
  samples: readonly Sample<Value>[],
  valueOf: ValueOf<Value>,
  nowMs: number,
  max: number,
): Point[][] {
  const runs: Point[][] = []
  let previousMs = -Infinity
  for (const { atMs, value } of samples) {
    if (value === null) {
      previousMs = -Infinity
      continue
    }
    if (atMs - previousMs > JOIN_MS_MAX) runs.push([])
    previousMs = atMs
    const x = PLOT_WIDTH * (1 - (nowMs - atMs) / HISTORY_MS)
    const y = PLOT_HEIGHT * (1 - Math.min(1, Math.max(0, valueOf(value) / max)))
    runs.at(-1)!.push({ x, y })
  }
  return runs
}

/** SVG path of the lines; a run of one point is a dot, drawn by the round end of the stroke. */
export function linePath(runs: readonly (readonly Point[])[]): string {
  return runs
    .map((run) => {
      const [first, ...rest] = run.map(coordinates)
      return rest.length === 0 ? `M${first!}h0` : `M${first!}L${rest.join(' ')}`
    })
    .join('')
}

/** SVG path of the areas below the lines. */
export function areaPath(runs: readonly (readonly Point[])[]): string {
  return runs
    .filter((run) => run.length > 1)
    .map((run) => {
      const [first, last] = [run[0]!, run.at(-1)!]
      const floor = (x: number): string => coordinates({ x, y: PLOT_HEIGHT })
      return `M${floor(first.x)}L${run.map(coordinates).join(' ')} ${floor(last.x)}Z`
    })
    .join('')
}

function coordinates({ x, y }: Point): string {
  return `${x.toFixed(1)},${y.toFixed(2)}`
}

/**
 * A live line chart of the last two minutes, in SVG. The plot is stretched to the room there is; its labels are text
 * beside it, so they keep their shape. The chart's name says in words what the lines show.
 */
import type { PageElement } from './browser.js'
import {
  PLOT_HEIGHT,
  PLOT_WIDTH,
  type Point,
  type ValueOf,
  areaPath,
  linePath,
  runsOf,
  scaleMax,
} from './chart-geometry.js'
import { type Dom, setAttribute, setText } from './dom.js'
import { type Quantity, quantityText } from './format.js'
import { HISTORY_MS, type Sample } from './history.js'

export interface Scale {
  readonly format: (value: number) => Quantity
  /** The scale never ends below this, so that noise does not look like a mountain. */
  readonly floor: number
  readonly base?: 1000 | 1024
}

export interface Line<Value> {
  readonly label: string
  readonly valueOf: ValueOf<Value>
}

interface DrawnLine {
  readonly area: PageElement
  readonly line: PageElement
  readonly end: PageElement
}

/** The first line is the one that counts: it has an area below it and a dot at its end. */
export class LineChart<Value> {
  readonly element: PageElement
  readonly #plot: PageElement
  readonly #lines: readonly DrawnLine[]
  readonly #top: PageElement
  readonly #title: string

  constructor(dom: Dom, title: string, linesMax: number) {
    this.#title = title
    this.#lines = Array.from({ length: linesMax }, (_, index) => ({
      area: dom.svg('path', { class: `chart-area line-${index}` }),
      line: dom.svg('path', { class: `chart-line line-${index}` }),
      end: dom.svg('path', { class: `chart-end line-${index}` }),
    }))
    const grid = [0, 0.5, 1].map((share) => {
      const y = (share * PLOT_HEIGHT).toString()
      return dom.svg('line', { class: 'chart-grid', x1: '0', x2: PLOT_WIDTH.toString(), y1: y, y2: y })
    })
    this.#plot = dom.svg(
      'svg',
      { role: 'img', class: 'chart-plot', viewBox: `0 0 ${PLOT_WIDTH} ${PLOT_HEIGHT}`, preserveAspectRatio: 'none' },
      ...grid,
      ...this.#lines.toReversed().flatMap(({ area, line, end }) => [area, line, end]),
    )
    this.#top = dom.html('span', {})
    const hidden = { 'aria-hidden': 'true' }
    this.element = dom.html(
      'div',
      { class: 'chart' },
      dom.html('div', { class: 'chart-values', ...hidden }, this.#top, dom.html('span', {}, '0')),
      this.#plot,
      dom.html(
        'div',
        { class: 'chart-times', ...hidden },
        dom.html('span', {}, '2 min ago'),
        dom.html('span', {}, '1 min ago'),
        dom.html('span', {}, 'now'),
      ),
    )
  }

  draw(samples: readonly Sample<Value>[], lines: readonly Line<Value>[], scale: Scale, nowMs: number): void {
    const shown = samples.filter(({ atMs }) => atMs >= nowMs - HISTORY_MS)
    const known = shown.flatMap(({ value }) => (value === null ? [] : [value]))
    const highest = Math.max(0, ...lines.flatMap(({ valueOf }) => known.map(valueOf)))
    const max = scaleMax(highest, scale.floor, scale.base)
    setText(this.#top, quantityText(scale.format(max)))
    for (const [index, drawn] of this.#lines.entries()) {
      const line = lines[index]
      const runs = line === undefined ? [] : runsOf(shown, line.valueOf, nowMs, max)
      setAttribute(drawn.line, 'd', linePath(runs))
      setAttribute(drawn.area, 'd', index === 0 ? areaPath(runs) : '')
      setAttribute(drawn.end, 'd', index === 0 ? endPath(runs, shown) : '')
    }
    setAttribute(this.#plot, 'aria-label', this.#describe(known, lines, scale))
  }

  #describe(known: readonly Value[], lines: readonly Line<Value>[], scale: Scale): string {
    if (known.length === 0) return `${this.#title} over the last 2 minutes: no figures yet`
    const texts = lines.map(({ label, valueOf }) => {
      const values = known.map(valueOf)
      const [now, low, high] = [values.at(-1)!, Math.min(...values), Math.max(...values)]
      const text = (value: number): string => quantityText(scale.format(value))
      return `${label} now ${text(now)}, lowest ${text(low)}, highest ${text(high)}`
    })
    return `${this.#title} over the last 2 minutes: ${texts.join('; ')}`
  }
}

/** A dot on the newest point, unless the newest sample is a gap. */
function endPath<Value>(runs: readonly (readonly Point[])[], samples: readonly Sample<Value>[]): string {
  const last = runs.at(-1)?.at(-1)
  return last === undefined || samples.at(-1)?.value === null ? '' : linePath([[last]])
}

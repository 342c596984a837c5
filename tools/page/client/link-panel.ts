/** One replica following its primary: three stages in three units, the delay of commits, and the lag over time. */
import type { ReplicaStages } from '../../../log/status.js'
import type { PageElement } from './browser.js'
import { type Line, LineChart, type Scale } from './chart.js'
import { type Dom, setAttribute, setShown, setText } from './dom.js'
import { FigureList, QuantityText } from './figure.js'
import {
  type Quantity,
  bytesQuantity,
  countQuantity,
  formatClock,
  formatSpan,
  secondsQuantity,
  unknownQuantity,
} from './format.js'
import type { Panel } from './keyed-list.js'
import { Mark } from './mark.js'
import { type LinkView, hostOf } from './overview.js'
import type { LinkLag, Recorder } from './recorder.js'

type Stage = keyof ReplicaStages
type Unit = 'transactions' | 'bytes' | 'seconds'

const STAGES: Readonly<Record<Stage, string>> = {
  received: 'in its memory',
  durable: 'on its disk',
  applied: 'visible to its readers',
}

interface UnitEntry {
  readonly heading: string
  readonly scale: Scale
}

const UNITS: Readonly<Record<Unit, UnitEntry>> = {
  transactions: { heading: 'Transactions', scale: { format: countQuantity, floor: 10 } },
  bytes: { heading: 'Bytes', scale: { format: bytesQuantity, floor: 1024, base: 1024 } },
  seconds: { heading: 'Time', scale: { format: secondsQuantity, floor: 0.01 } },
}

const STAGE_NAMES = Object.keys(STAGES) as readonly Stage[]
const UNIT_NAMES = Object.keys(UNITS) as readonly Unit[]

interface StageRow {
  readonly lsn: QuantityText
  readonly lags: Readonly<Record<Unit, QuantityText>>
}

export class LinkPanel implements Panel<LinkView> {
  readonly element: PageElement
  readonly #dom: Dom
  readonly #recorder: Recorder
  readonly #mark: Mark
  readonly #title: PageElement
  readonly #reason: PageElement
  readonly #rows = new Map<Stage, StageRow>()
  readonly #chart: LineChart<LinkLag>
  readonly #delayTitle: PageElement
  readonly #delays: FigureList
  readonly #figures: FigureList
  readonly #note: PageElement
  #unit: Unit = 'seconds'
  #redraw: () => void = () => undefined

  constructor(dom: Dom, recorder: Recorder, key: string) {
    this.#dom = dom
    this.#recorder = recorder
    this.#mark = new Mark(dom)
    this.#title = dom.html('h3', { class: 'name' })
    this.#reason = dom.html('p', { class: 'reason' })
    this.#chart = new LineChart(dom, 'Lag', 2)
    this.#delayTitle = dom.html('p', { class: 'caption' }, 'From commit to applied')
    this.#delays = new FigureList(dom, { class: 'figures delays' })
    this.#figures = new FigureList(dom, { class: 'figures' })
    this.#note = dom.html('p', { class: 'note' })
    this.element = dom.html(
      'article',
      { class: 'card link' },
      dom.html('header', { class: 'card-head' }, this.#title, this.#mark.element),
      this.#reason,
      dom.html(
        'div',
        { class: 'link-body' },
        dom.html('div', {}, this.#table(), this.#delayTitle, this.#delays.element),
        dom.html('div', {}, this.#unitChoice(key), this.#chart.element, this.#legend()),
      ),
      this.#figures.element,
      this.#note,
    )
  }

  show(view: LinkView, nowMs: number): void {
    const { health, stages, follower } = view
    setAttribute(this.element, 'data-stale', view.staleSinceMs === undefined ? undefined : '')
    setText(this.#title, `${view.replica} follows ${view.primary}`)
    this.#mark.show(health.level, health.word)
    setText(this.#reason, health.reason)
    setShown(this.#reason, health.reason !== '')
    this.#showStages(stages)
    setShown(this.#delayTitle, follower !== undefined)
    this.#delays.show(follower === undefined ? {} : delayFigures(follower.delayMs))
    this.#figures.show(linkFigures(view))
    this.#redraw = () => {
      const { samples } = this.#recorder.link(view.key)
      this.#chart.draw(samples, linesOf(this.#unit), UNITS[this.#unit].scale, nowMs)
    }
    this.#redraw()
    const measured = view.measuredBy === 'primary' ? view.primary : view.replica
    const stale = view.staleSinceMs === undefined ? '' : ` Last known figures, from ${formatClock(view.staleSinceMs)}.`
    setText(this.#note, `Measured by ${measured}, on the clock of the primary.${stale}`)
  }

  #showStages(stages: ReplicaStages | undefined): void {
    for (const [stage, row] of this.#rows) {
      const status = stages?.[stage]
      row.lsn.show(status === undefined ? unknownQuantity() : countQuantity(status.lsn))
      for (const unit of UNIT_NAMES) {
        row.lags[unit].show(status === undefined ? unknownQuantity() : UNITS[unit].scale.format(status.lag[unit]))
      }
    }
  }

  #table(): PageElement {
    const dom = this.#dom
    const heading = (text: string): PageElement => dom.html('th', { scope: 'col' }, text)
    const rows = STAGE_NAMES.map((stage) => {
      const cell = (name: string): QuantityText => new QuantityText(dom, 'td', { 'data-figure': `${stage}-${name}` })
      const lags = { transactions: cell('transactions'), bytes: cell('bytes'), seconds: cell('seconds') }
      const row = { lsn: cell('lsn'), lags }
      this.#rows.set(stage, row)
      const meaning = dom.html('span', { class: 'stage-meaning' }, STAGES[stage])
      const cells = [row.lsn, ...UNIT_NAMES.map((unit) => lags[unit])].map(({ element }) => element)
      return dom.html('tr', {}, dom.html('th', { scope: 'row' }, `${stage} `, meaning), ...cells)
    })
    const headings = [heading('Stage'), heading('LSN'), ...UNIT_NAMES.map((unit) => heading(UNITS[unit].heading))]
    return dom.html(
      'table',
      { class: 'stages' },
      dom.html('caption', {}, 'Behind the primary'),
      dom.html('thead', {}, dom.html('tr', {}, ...headings)),
      dom.html('tbody', {}, ...rows),
    )
  }

  #unitChoice(key: string): PageElement {
    const dom = this.#dom
    const choices = UNIT_NAMES.toReversed().map((unit) => {
      const input = dom.html('input', { type: 'radio', name: `lag-unit-${key}` })
      input.checked = unit === this.#unit
      input.addEventListener('change', () => {
        this.#unit = unit
        this.#redraw()
      })
      return dom.html('label', {}, input, dom.html('span', {}, UNITS[unit].heading))
    })
    return dom.html('fieldset', { class: 'choice' }, dom.html('legend', {}, 'Lag in'), ...choices)
  }

  #legend(): PageElement {
    const entry = (index: number, text: string): PageElement =>
      this.#dom.html('li', { class: `line-${index}` }, this.#dom.html('span', { class: 'swatch' }), text)
    return this.#dom.html(
      'ul',
      { class: 'chart-legend', 'aria-hidden': 'true' },
      entry(0, 'applied'),
      entry(1, 'received'),
    )
  }
}

function linesOf(unit: Unit): readonly Line<LinkLag>[] {
  return [
    { label: 'applied', valueOf: ({ applied }) => applied[unit] },
    { label: 'received', valueOf: ({ received }) => received[unit] },
  ]
}

function delayFigures(delayMs: {
  readonly p50: number
  readonly p99: number
  readonly max: number
}): Record<string, Quantity> {
  return {
    'half within (p50)': secondsQuantity(delayMs.p50 / 1000),
    '99 % within (p99)': secondsQuantity(delayMs.p99 / 1000),
    longest: secondsQuantity(delayMs.max / 1000),
  }
}

function linkFigures({ follower, replication, measuredBy }: LinkView): Record<string, Quantity | undefined> {
  const silenceMs = replication?.silenceMs ?? undefined
  return {
    Address: follower && { value: follower.address, unit: '' },
    [follower?.connected === false ? 'Disconnected since' : 'Connected since']: follower && {
      value: formatClock(Date.parse(follower.since)),
      unit: '',
    },
    From: replication && { value: hostOf(replication.from), unit: '' },
    'The replica says': replication && measuredBy === 'primary' ? { value: replication.state, unit: '' } : undefined,
    Reconnects: replication && countQuantity(replication.reconnects),
    'Primary heard': replication && {
      value: silenceMs === undefined ? 'never' : formatSpan(silenceMs / 1000),
      unit: silenceMs === undefined ? '' : 'ago',
    },
    'Last error': replication?.error ? { value: replication.error.code, unit: '' } : undefined,
  }
}

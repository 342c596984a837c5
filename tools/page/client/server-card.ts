/** One server: where its log stands, what it gets through, and how many transactions share a sync. */
import type { ServerStatus } from '../../../log/status.js'
import type { PageElement } from './browser.js'
import { LineChart, type Scale } from './chart.js'
import { type Dom, setAttribute, setShown, setText } from './dom.js'
import { FactList } from './fact-list.js'
import { FigureList, QuantityText } from './figure.js'
import {
  type Quantity,
  bytesQuantity,
  countQuantity,
  formatClock,
  formatCount,
  formatRate,
  formatSpan,
  rateQuantity,
  unknownQuantity,
} from './format.js'
import type { Panel } from './keyed-list.js'
import { Mark } from './mark.js'
import { operationFacts } from './operations.js'
import { type ServerView, ageSeconds } from './overview.js'
import type { Recorder } from './recorder.js'

const RATE_SCALE: Scale = { format: rateQuantity, floor: 10 }
const DIGEST_DIGITS_SHOWN = 8

export class ServerCard implements Panel<ServerView> {
  readonly element: PageElement
  readonly #recorder: Recorder
  readonly #mark: Mark
  readonly #name: PageElement
  readonly #role: PageElement
  readonly #reason: PageElement
  readonly #position: PageElement
  readonly #lsn: QuantityText
  readonly #throughput: QuantityText
  readonly #grouping: QuantityText
  readonly #groupingText: PageElement
  readonly #groupingGroup: PageElement
  readonly #chart: LineChart<number>
  readonly #figures: FigureList
  readonly #facts: FactList
  readonly #note: PageElement

  constructor(dom: Dom, recorder: Recorder) {
    this.#recorder = recorder
    this.#mark = new Mark(dom)
    this.#name = dom.html('h3', { class: 'name' })
    this.#role = dom.html('span', { class: 'role' })
    this.#reason = dom.html('p', { class: 'reason' })
    this.#position = dom.html('p', { class: 'position' })
    this.#lsn = new QuantityText(dom, 'dd', { 'data-figure': 'lsn' })
    this.#throughput = new QuantityText(dom, 'dd', { 'data-figure': 'throughput' })
    this.#grouping = new QuantityText(dom, 'dd', { 'data-figure': 'grouping' })
    this.#groupingText = dom.html('dd', { class: 'footnote' })
    this.#chart = new LineChart(dom, 'Transactions per second', 1)
    this.#figures = new FigureList(dom, { class: 'figures' })
    this.#facts = new FactList(dom)
    this.#note = dom.html('p', { class: 'note' })
    const headline = (label: string, quantity: QuantityText, ...more: PageElement[]): PageElement =>
      dom.html('div', { class: 'headline' }, dom.html('dt', {}, label), quantity.element, ...more)
    this.#groupingGroup = headline('Transactions per sync', this.#grouping, this.#groupingText)
    this.element = dom.html(
      'article',
      { class: 'card server' },
      dom.html('header', { class: 'card-head' }, this.#role, this.#name, this.#mark.element),
      this.#reason,
      dom.html(
        'dl',
        { class: 'headlines' },
        headline('LSN', this.#lsn),
        headline('Transactions', this.#throughput),
        this.#groupingGroup,
      ),
      this.#position,
      this.#chart.element,
      this.#figures.element,
      this.#facts.element,
      this.#note,
    )
  }

  show(view: ServerView, nowMs: number): void {
    const { health, lsn, role, status } = view
    const { samples } = this.#recorder.server(view.key).throughput
    const rate = status?.throughput.transactionsPerSecond ?? samples.at(-1)?.value ?? undefined
    setAttribute(this.element, 'data-role', role)
    setAttribute(this.element, 'data-stale', view.staleSinceMs === undefined ? undefined : '')
    setText(this.#name, view.name)
    setText(this.#role, role ?? 'server')
    this.#mark.show(health.level, health.word)
    setText(this.#reason, health.reason)
    setShown(this.#reason, health.reason !== '')
    this.#lsn.show(lsn === undefined ? unknownQuantity() : countQuantity(lsn))
    this.#throughput.show(rate === undefined ? unknownQuantity() : rateQuantity(rate))
    this.#showGrouping(status)
    setText(this.#position, status === undefined ? '' : positionText(status))
    setShown(this.#position, status !== undefined)
    this.#chart.draw(samples, [{ label: 'transactions per second', valueOf: (value) => value }], RATE_SCALE, nowMs)
    this.#figures.show(status === undefined ? {} : figuresOf(status))
    this.#facts.show(status === undefined ? [] : operationFacts(status))
    const note = noteOf(view)
    setText(this.#note, note)
    setShown(this.#note, note !== '')
  }

  #showGrouping(status: ServerStatus | undefined): void {
    const { transactionsPerSecond = 0, syncsPerSecond = 0 } = status?.throughput ?? {}
    const isWriting = transactionsPerSecond > 0 && syncsPerSecond > 0
    this.#grouping.show(
      isWriting ? countQuantity(Math.round((10 * transactionsPerSecond) / syncsPerSecond) / 10) : unknownQuantity(),
    )
    setText(this.#groupingText, `${formatRate(syncsPerSecond)} syncs/s`)
    setShown(this.#groupingGroup, status !== undefined)
  }
}

/** Epoch, LSN and the beginning of the digest; the three parts that two servers are compared by. */
function positionText({ position, epoch, lsn }: ServerStatus): string {
  const digest = position.split('.')[2] ?? ''
  return `epoch ${epoch} · LSN ${formatCount(lsn)} · digest ${digest.slice(0, DIGEST_DIGITS_SHOWN)}…`
}

function figuresOf(status: ServerStatus): Record<string, Quantity | undefined> {
  const { throughput, log, store, snapshots, transactions, lastCommitAt } = status
  const logRate = bytesQuantity(throughput.logBytesPerSecond)
  const age = lastCommitAt === null ? undefined : formatSpan(ageSeconds(status, lastCommitAt))
  return {
    'Log written': { value: logRate.value, unit: `${logRate.unit}/s` },
    'Log size': bytesQuantity(log.bytes),
    'Store written': bytesQuantity(store.bytesWritten),
    'Free disk space': store.freeBytes === null ? undefined : bytesQuantity(store.freeBytes),
    'Open transactions': transactions && countQuantity(transactions.open),
    Retried: transactions && countQuantity(transactions.retries),
    'Rolled back': transactions && countQuantity(transactions.rollbacks),
    'Open snapshots': transactions === undefined ? countQuantity(snapshots.open) : undefined,
    'Last commit': age === undefined ? unknownQuantity() : { value: age === '0 s' ? '< 1 s' : age, unit: 'ago' },
    'Up for': { value: formatSpan(status.uptimeSeconds), unit: '' },
  }
}

function noteOf({ knownBy, staleSinceMs, url, role, status }: ServerView): string {
  if (staleSinceMs !== undefined) return `Last known figures, from ${formatClock(staleSinceMs)}.`
  if (knownBy === undefined) return status === undefined ? '' : `replog ${status.version}`
  const port = role === 'primary' ? 7400 : 7401
  return `As ${knownBy} knows it. To see its own figures here, add ?peer= and its address to the address of this page, such as ${url}/?peer=http://127.0.0.1:${port}`
}

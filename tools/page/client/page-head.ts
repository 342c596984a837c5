/** The top of the page: how all is, whether the figures are live, and the same in the tab's title and icon. */
import type { PageElement } from './browser.js'
import { type Dom, setAttribute, setShown, setText } from './dom.js'
import { formatClock, formatCount, formatSpan } from './format.js'
import { LEVELS, type Level, worstOf } from './health.js'
import { Mark } from './mark.js'
import { type Overview, type Source, hostOf } from './overview.js'

/** The shapes of the marks in an icon of 16 by 16; colours that are readable on light and dark tabs. */
const ICONS: Readonly<Record<Level, string>> = {
  good: '<circle cx="8" cy="8" r="6" fill="#2da44e"/>',
  attention: '<path d="M8 1.5 15 14.5H1Z" fill="#bf8700"/>',
  action: '<path d="M2 2h12v12H2Z" fill="#cf222e"/>',
}

export class PageHead {
  readonly #dom: Dom
  readonly #mark: Mark
  readonly #icon: PageElement
  readonly #cluster: PageElement
  readonly #connection: PageElement
  readonly #countdown: PageElement
  readonly #banner: PageElement

  constructor(dom: Dom) {
    this.#dom = dom
    this.#mark = new Mark(dom)
    this.#icon = dom.byId('icon')
    this.#cluster = dom.byId('cluster')
    this.#connection = dom.byId('connection')
    this.#countdown = dom.byId('countdown')
    this.#banner = dom.byId('banner')
    dom.byId('overall').append(this.#mark.element)
  }

  show(own: Source, { servers, links }: Overview, wallMs: number): void {
    const level = worstOf([...servers, ...links].map(({ health }) => health.level))
    this.#mark.show(level, LEVELS[level].word)
    setAttribute(this.#icon, 'href', iconUrl(level))
    const status = own.answer
    const clusterId = status?.clusterId ?? null
    setText(this.#cluster, clusterId === null ? '' : `cluster ${clusterId.slice(0, 8)}`)
    const title = status === undefined ? 'replog' : `${status.name} · LSN ${formatCount(status.lsn)} · replog`
    this.#setTitle(`${LEVELS[level].mark} ${title}`)
    this.#showConnection(own, wallMs)
  }

  /** The text that a screen reader announces changes with the state only; the seconds beside it are not announced. */
  #showConnection({ url, answer, failure, answeredMs }: Source, wallMs: number): void {
    setAttribute(this.#banner, 'data-level', failure === undefined ? 'good' : 'action')
    if (failure === undefined) {
      setText(this.#connection, answeredMs === undefined ? 'Connecting …' : 'Live, every second')
      setShown(this.#countdown, false)
      return
    }
    const name = answer?.name ?? hostOf(url)
    setText(this.#connection, `${name}: unreachable since ${formatClock(failure.sinceMs)} (${failure.reason}).`)
    const span = formatSpan((wallMs - failure.sinceMs) / 1000)
    const pauseSeconds = Math.ceil((failure.nextMs - wallMs) / 1000)
    const next = pauseSeconds > 0 ? `next attempt in ${pauseSeconds} s` : 'trying now'
    setText(this.#countdown, `That is ${span}; ${next}.`)
    setShown(this.#countdown, true)
  }

  #setTitle(title: string): void {
    if (this.#dom.document.title !== title) this.#dom.document.title = title
  }
}

function iconUrl(level: Level): string {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${ICONS[level]}</svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}

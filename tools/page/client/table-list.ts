/** The tables of the catalog `local` and how many rows each has. */
import type { PageElement } from './browser.js'
import { type Dom, setShown, setText } from './dom.js'
import { QuantityText } from './figure.js'
import { countQuantity, formatCount } from './format.js'
import { KeyedList, type Panel } from './keyed-list.js'
import type { PollState } from './poller.js'
import type { TableRow } from './status-parser.js'

/** A catalog may have thousands; the page stays readable. */
const TABLES_SHOWN_MAX = 100
const DIGEST_DIGITS_SHOWN = 8

interface KeyedRow extends TableRow {
  readonly key: string
}

export class TableList {
  readonly #rows: KeyedList<KeyedRow>
  readonly #table: PageElement
  readonly #note: PageElement

  constructor(dom: Dom, table: PageElement, body: PageElement, note: PageElement) {
    this.#table = table
    this.#note = note
    this.#rows = new KeyedList<KeyedRow>(body, () => new TableLine(dom))
  }

  show({ answer, failure }: PollState<readonly TableRow[]>, nowMs: number): void {
    const tables = answer ?? []
    this.#rows.show(
      tables.slice(0, TABLES_SHOWN_MAX).map((table) => ({ ...table, key: table.name })),
      nowMs,
    )
    setShown(this.#table, tables.length > 0)
    const note = this.#noteOf(answer, failure?.reason)
    setText(this.#note, note)
    setShown(this.#note, note !== '')
  }

  #noteOf(tables: readonly TableRow[] | undefined, failure: string | undefined): string {
    if (failure !== undefined) return `The list could not be read: ${failure}.`
    if (tables === undefined) return 'Not read yet.'
    if (tables.length === 0) return 'There are no tables yet.'
    const more = tables.length - TABLES_SHOWN_MAX
    return more > 0 ? `And ${formatCount(more)} more.` : ''
  }
}

class TableLine implements Panel<TableRow> {
  readonly element: PageElement
  readonly #name: PageElement
  readonly #rows: QuantityText
  readonly #version: QuantityText
  readonly #digest: PageElement

  constructor(dom: Dom) {
    this.#name = dom.html('th', { scope: 'row', class: 'name' })
    this.#rows = new QuantityText(dom, 'td', { 'data-figure': 'rows' })
    this.#version = new QuantityText(dom, 'td')
    this.#digest = dom.html('td', { class: 'digest' })
    this.element = dom.html('tr', {}, this.#name, this.#rows.element, this.#version.element, this.#digest)
  }

  show({ name, rows, version, digest }: TableRow): void {
    setText(this.#name, name)
    this.#rows.show(countQuantity(rows))
    this.#version.show(countQuantity(version))
    setText(this.#digest, `${digest.slice(0, DIGEST_DIGITS_SHOWN)}…`)
  }
}

/** A labelled number on the page: the label above, the value in tabular numerals, the unit small beside it. */
import type { PageElement } from './browser.js'
import { type Attributes, type Dom, setText } from './dom.js'
import type { Quantity } from './format.js'

/** A value and its unit in an element of the caller's choice. */
export class QuantityText {
  readonly element: PageElement
  readonly #value: PageElement
  readonly #unit: PageElement

  constructor(dom: Dom, tag: string, attributes: Attributes = {}) {
    this.#value = dom.html('span', { class: 'value' })
    this.#unit = dom.html('span', { class: 'unit' })
    this.element = dom.html(tag, attributes, this.#value, this.#unit)
  }

  show({ value, unit }: Quantity): void {
    setText(this.#value, value)
    // The space is a character, so that text that is copied or read aloud has it too.
    setText(this.#unit, unit === '' ? '' : ` ${unit}`)
  }
}

/** A definition list whose entries come and go. */
export class FigureList {
  readonly element: PageElement
  readonly #dom: Dom
  readonly #figures = new Map<string, { readonly group: PageElement; readonly quantity: QuantityText }>()

  constructor(dom: Dom, attributes: Attributes) {
    this.#dom = dom
    this.element = dom.html('dl', attributes)
  }

  /** Shows exactly these, in the order in which they first appeared. */
  show(figures: Readonly<Record<string, Quantity | undefined>>): void {
    for (const [label, quantity] of Object.entries(figures)) {
      if (quantity !== undefined) this.#figure(label).show(quantity)
    }
    for (const [label, { group }] of this.#figures) {
      if (figures[label] !== undefined) continue
      group.remove()
      this.#figures.delete(label)
    }
  }

  #figure(label: string): QuantityText {
    const existing = this.#figures.get(label)
    if (existing !== undefined) return existing.quantity
    const quantity = new QuantityText(this.#dom, 'dd')
    const group = this.#dom.html('div', { class: 'figure' }, this.#dom.html('dt', {}, label), quantity.element)
    this.#figures.set(label, { group, quantity })
    this.element.append(group)
    return quantity
  }
}

/** One panel for each key, kept while the key is there, in the order of the keys. */
import type { PageElement } from './browser.js'

export interface Panel<View> {
  readonly element: PageElement
  show(view: View, nowMs: number): void
}

export class KeyedList<View extends { readonly key: string }> {
  readonly #parent: PageElement
  readonly #make: (key: string) => Panel<View>
  readonly #panels = new Map<string, Panel<View>>()
  #order = ''

  constructor(parent: PageElement, make: (key: string) => Panel<View>) {
    this.#parent = parent
    this.#make = make
  }

  show(views: readonly View[], nowMs: number): void {
    const keys = new Set(views.map(({ key }) => key))
    for (const key of this.#panels.keys()) if (!keys.has(key)) this.#panels.delete(key)
    for (const view of views) this.#panel(view.key).show(view, nowMs)
    const order = JSON.stringify([...keys])
    if (order === this.#order) return
    this.#order = order
    this.#parent.replaceChildren(...[...keys].map((key) => this.#panel(key).element))
  }

  #panel(key: string): Panel<View> {
    let panel = this.#panels.get(key)
    if (panel === undefined) this.#panels.set(key, (panel = this.#make(key)))
    return panel
  }
}

/** The sign of a state: a shape, a word and a colour, so that it is told by each of them alone. */
import type { PageElement } from './browser.js'
import { type Dom, setAttribute, setText } from './dom.js'
import { LEVELS, type Level } from './health.js'

export class Mark {
  readonly element: PageElement
  readonly #shape: PageElement
  readonly #word: PageElement

  constructor(dom: Dom) {
    this.#shape = dom.html('span', { class: 'mark-shape', 'aria-hidden': 'true' })
    this.#word = dom.html('span', {})
    this.element = dom.html('span', { class: 'mark' }, this.#shape, this.#word)
  }

  show(level: Level, word: string): void {
    setAttribute(this.element, 'data-level', level)
    setText(this.#shape, LEVELS[level].mark)
    setText(this.#word, word)
  }
}

/** What operators look after, a line each: a label, a sentence, and the mark of the level where it is not good. */
import type { PageElement } from './browser.js'
import { type Dom, setAttribute, setShown, setText } from './dom.js'
import { Mark } from './mark.js'
import type { Fact } from './operations.js'

interface Line {
  readonly label: PageElement
  readonly text: PageElement
  readonly mark: Mark
  readonly group: PageElement
}

export class FactList {
  readonly element: PageElement
  readonly #dom: Dom
  readonly #lines: Line[] = []

  constructor(dom: Dom) {
    this.#dom = dom
    this.element = dom.html('dl', { class: 'facts' })
  }

  /** Shows exactly these, in this order. */
  show(facts: readonly Fact[]): void {
    while (this.#lines.length > facts.length) this.#lines.pop()!.group.remove()
    for (const [index, { label, text, level }] of facts.entries()) {
      const line = (this.#lines[index] ??= this.#line())
      setText(line.label, label)
      setText(line.text, text)
      setAttribute(line.group, 'data-level', level)
      line.mark.show(level, '')
      setShown(line.mark.element, level !== 'good')
    }
    setShown(this.element, facts.length > 0)
  }

  #line(): Line {
    const dom = this.#dom
    const label = dom.html('dt', {})
    const text = dom.html('span', {})
    const mark = new Mark(dom)
    const group = dom.html('div', { class: 'fact' }, label, dom.html('dd', {}, mark.element, text))
    this.element.append(group)
    return { label, text, mark, group }
  }
}

/**
 * Builds and changes elements. Invariant: whatever comes from a server enters the document as text or as the value of
 * an attribute that cannot run anything, never as markup.
 */
import type { PageDocument, PageElement } from './browser.js'

const SVG_NAMESPACE = 'http://www.w3.org/2000/svg'

export type Attributes = Readonly<Record<string, string>>

export class Dom {
  readonly document: PageDocument

  constructor(document: PageDocument) {
    this.document = document
  }

  html(tag: string, attributes: Attributes, ...children: (PageElement | string)[]): PageElement {
    return filled(this.document.createElement(tag), attributes, children)
  }

  svg(tag: string, attributes: Attributes, ...children: PageElement[]): PageElement {
    return filled(this.document.createElementNS(SVG_NAMESPACE, tag), attributes, children)
  }

  /** An element of the page's own markup. */
  byId(id: string): PageElement {
    const element = this.document.getElementById(id)
    if (element === null) throw new Error(`the page has no element #${id}`)
    return element
  }
}

function filled(
  element: PageElement,
  attributes: Attributes,
  children: readonly (PageElement | string)[],
): PageElement {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/** Touches the document only when the text is another, so that a selection and a screen reader are left in peace. */
export function setText(element: PageElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** Sets the attribute, or removes it when there is no value. */
export function setAttribute(element: PageElement, name: string, value: string | undefined): void {
  if (value === undefined) element.removeAttribute(name)
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value)
}

/** Shows the element or takes it out of the layout. */
export function setShown(element: PageElement, shown: boolean): void {
  setAttribute(element, 'hidden', shown ? undefined : '')
}

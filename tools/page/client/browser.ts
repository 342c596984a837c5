/**
 * The part of the browser that the page uses, as types only.
 *
 * The compiler's own DOM library is not used: in the one program that all files here form it would give every server
 * file the globals `name`, `status`, `close` … and change the types of timers. This is what is left to declare, and at
 * the same time the list of what the page may touch: there is no `innerHTML` here.
 */

export interface PageElement {
  textContent: string | null
  checked: boolean
  getAttribute(name: string): string | null
  setAttribute(name: string, value: string): void
  removeAttribute(name: string): void
  addEventListener(type: 'change' | 'click', listener: () => void): void
  append(...children: (PageElement | string)[]): void
  replaceChildren(...children: (PageElement | string)[]): void
  remove(): void
}

export interface PageDocument {
  title: string
  readonly visibilityState: 'visible' | 'hidden'
  createElement(tag: string): PageElement
  createElementNS(namespace: string, tag: string): PageElement
  getElementById(id: string): PageElement | null
  addEventListener(type: 'visibilitychange', listener: () => void): void
}

export interface PageResponse {
  readonly ok: boolean
  readonly status: number
  readonly statusText: string
  json(): Promise<unknown>
}

export type Fetch = (
  url: string,
  init: { readonly cache: 'no-store'; readonly signal: AbortSignal },
) => Promise<PageResponse>

export interface Browser {
  readonly document: PageDocument
  readonly fetch: Fetch
  readonly location: { readonly origin: string; readonly search: string }
  addEventListener(type: 'online', listener: () => void): void
}

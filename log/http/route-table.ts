/** The routes of a server, to tell an unknown path from a wrong method and to name the nearest path. */
import { nearest } from '../../ddl/nearest.js'
import { SUGGESTED_PATH_LENGTH_MAX } from './bounds.js'

interface Route {
  /** Between the slashes; one that begins with ":" stands for any text. */
  readonly segments: readonly string[]
  readonly methods: Set<string>
}

export class RouteTable {
  readonly #routes = new Map<string, Route>()

  /** @param url pattern such as /v1/catalogs/:catalog/tables */
  add(url: string, methods: string | readonly string[]): void {
    let route = this.#routes.get(url)
    if (route === undefined) {
      route = { segments: url.split('/'), methods: new Set() }
      this.#routes.set(url, route)
    }
    for (const method of typeof methods === 'string' ? [methods] : methods) route.methods.add(method)
  }

  /** The methods that a path takes, for the Allow header; none when no route has it. */
  methods(path: string): string[] {
    const segments = path.split('/')
    const methods = new Set<string>()
    for (const route of this.#routes.values()) {
      if (!matches(route.segments, segments)) continue
      for (const method of route.methods) methods.add(method)
    }
    return [...methods].sort()
  }

  /** `; did you mean "/v1/status"?`, or an empty text when nothing is near. */
  nearest(path: string): string {
    if (path.length > SUGGESTED_PATH_LENGTH_MAX) return ''
    const segments = path.split('/')
    const candidates = [...this.#routes.values()]
      .filter((route) => route.segments.length === segments.length)
      .map((route) => route.segments.map((part, at) => (part.startsWith(':') ? segments[at]! : part)).join('/'))
    return nearest(path, candidates)
  }
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, at) => (part.startsWith(':') ? segments[at] !== '' : part === segments[at]))
  )
}

/**
 * Which transaction must come before which, and a shortest cycle where there is one.
 *
 * Kinds of edges, after Adya (1999): ww: overwrote its version; wr: read its version; rw: its version was overwritten
 * after this one read; time: it had ended before this one began.
 */

export type EdgeKind = 'ww' | 'wr' | 'rw' | 'time'

export interface Edge {
  readonly from: string
  readonly to: string
  readonly kind: EdgeKind
  /** What the dependency is about. */
  readonly why: string
}

export class DependencyGraph {
  readonly #edges = new Map<string, Edge[]>()

  add(from: string, to: string, kind: EdgeKind, why: string): void {
    if (from === to) return
    const edges = this.#edges.get(from)
    if (edges === undefined) this.#edges.set(from, [{ from, to, kind, why }])
    else edges.push({ from, to, kind, why })
  }

  /** A cycle of edges of these kinds, as short as one through its first node can be; undefined when there is none. */
  cycle(kinds: ReadonlySet<EdgeKind>): Edge[] | undefined {
    const component = this.#componentWithCycle(kinds)
    if (component === undefined) return undefined
    let shortest: Edge[] | undefined
    for (const start of component) {
      const cycle = this.#shortestThrough(start, kinds, component)
      if (cycle !== undefined && (shortest === undefined || cycle.length < shortest.length)) shortest = cycle
    }
    return shortest
  }

  #from(node: string, kinds: ReadonlySet<EdgeKind>): Edge[] {
    return (this.#edges.get(node) ?? []).filter((edge) => kinds.has(edge.kind))
  }

  /** Nodes of a strongly connected component of two or more. Tarjan's algorithm without recursion. */
  #componentWithCycle(kinds: ReadonlySet<EdgeKind>): Set<string> | undefined {
    const index = new Map<string, number>()
    const low = new Map<string, number>()
    const onStack = new Set<string>()
    const stack: string[] = []
    for (const root of this.#edges.keys()) {
      if (index.has(root)) continue
      const work: { node: string; edges: Edge[]; next: number }[] = []
      const enter = (node: string): void => {
        index.set(node, index.size)
        low.set(node, index.get(node)!)
        stack.push(node)
        onStack.add(node)
        work.push({ node, edges: this.#from(node, kinds), next: 0 })
      }
      enter(root)
      while (work.length > 0) {
        const frame = work.at(-1)!
        const edge = frame.edges[frame.next++]
        if (edge !== undefined) {
          if (!index.has(edge.to)) enter(edge.to)
          else if (onStack.has(edge.to)) low.set(frame.node, Math.min(low.get(frame.node)!, index.get(edge.to)!))
          continue
        }
        work.pop()
        const parent = work.at(-1)?.node
        if (parent !== undefined) low.set(parent, Math.min(low.get(parent)!, low.get(frame.node)!))
        if (low.get(frame.node) !== index.get(frame.node)) continue
        const component = new Set(stack.splice(stack.indexOf(frame.node)))
        for (const node of component) onStack.delete(node)
        if (component.size > 1) return component
      }
    }
    return undefined
  }

  #shortestThrough(start: string, kinds: ReadonlySet<EdgeKind>, within: ReadonlySet<string>): Edge[] | undefined {
    const cameBy = new Map<string, Edge>()
    let frontier = [start]
    while (frontier.length > 0) {
      const next: string[] = []
      for (const node of frontier) {
        for (const edge of this.#from(node, kinds)) {
          if (!within.has(edge.to) || cameBy.has(edge.to)) continue
          cameBy.set(edge.to, edge)
          if (edge.to === start) return pathBack(start, cameBy)
          next.push(edge.to)
        }
      }
      frontier = next
    }
    return undefined
  }
}

function pathBack(start: string, cameBy: ReadonlyMap<string, Edge>): Edge[] {
  const path: Edge[] = []
  let node = start
  do {
    const edge = cameBy.get(node)!
    path.unshift(edge)
    node = edge.from
  } while (node !== start)
  return path
}

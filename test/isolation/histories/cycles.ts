/**
 * Which transaction must come before which, and shortest cycles among them.
 *
 * Kinds of edges, after Adya (1999): ww: overwrote its version; wr: read its version; rw: its version of a thing was
 * overwritten after this one read it; prw: the same of a range, into which the other inserted; time: it had ended before
 * this one began. rw and prw are the anti-dependencies.
 *
 * Snapshot isolation forbids exactly the cycles without two anti-dependencies in a row (Cerone and Gotsman, 2016). They
 * are found as cycles of a graph with two nodes for each transaction: reached by an anti-dependency, or by another edge.
 */

export type Kind = 'ww' | 'wr' | 'rw' | 'prw' | 'time'

export interface Edge {
  readonly from: string
  readonly to: string
  readonly kind: Kind
  /** What the dependency is about. */
  readonly why: string
}

export interface CycleOptions {
  readonly kinds: readonly Kind[]
  /** Whether two anti-dependencies may follow one another. */
  readonly adjacent: boolean
}

interface Arc {
  readonly edge: Edge
  readonly to: number
  readonly isAnti: boolean
}

/** A shortest cycle is looked for from so many places; one from any place is a proof. */
const STARTS_MAX = 300

export class Dependencies {
  readonly #numbers = new Map<string, number>()
  readonly #arcs: Arc[][] = []

  add(from: string, to: string, kind: Kind, why: string): void {
    if (from === to) return
    const arcs = this.#arcs[this.#numberOf(from)]!
    arcs.push({ edge: { from, to, kind, why }, to: this.#numberOf(to), isAnti: kind === 'rw' || kind === 'prw' })
  }

  /** A cycle of such edges, as short as one through its first node can be; undefined when there is none. */
  shortestCycle(options: CycleOptions): readonly Edge[] | undefined {
    const allowed = new Set(options.kinds)
    const next = (state: number): readonly Arc[] => {
      const cameByAnti = state % 2 === 1
      return this.#arcs[state >> 1]!.filter(
        ({ edge, isAnti }) => allowed.has(edge.kind) && !(isAnti && cameByAnti && !options.adjacent),
      )
    }
    const stateOf = (arc: Arc): number => arc.to * 2 + (arc.isAnti && !options.adjacent ? 1 : 0)
    const component = componentOf(this.#arcs.length * 2, (state) => next(state).map(stateOf))
    if (component === undefined) return undefined
    let shortest: Edge[] | undefined
    for (const start of [...component].slice(0, STARTS_MAX)) {
      const cycle = cycleThrough(start, component, next, stateOf, (shortest?.length ?? Infinity) - 1)
      if (cycle !== undefined) shortest = cycle
    }
    return shortest
  }

  #numberOf(node: string): number {
    let number = this.#numbers.get(node)
    if (number === undefined) {
      number = this.#numbers.size
      this.#numbers.set(node, number)
      this.#arcs.push([])
    }
    return number
  }
}

/** The states of the strongly connected components of two or more. Tarjan's algorithm without recursion. */
function componentOf(states: number, successors: (state: number) => readonly number[]): Set<number> | undefined {
  const index = new Int32Array(states).fill(-1)
  const low = new Int32Array(states)
  const onStack = new Uint8Array(states)
  const stack: number[] = []
  const found = new Set<number>()
  let count = 0
  for (let root = 0; root < states; root++) {
    if (index[root] !== -1) continue
    const work: { readonly state: number; readonly to: readonly number[]; next: number }[] = []
    const enter = (state: number): void => {
      index[state] = low[state] = count++
      stack.push(state)
      onStack[state] = 1
      work.push({ state, to: successors(state), next: 0 })
    }
    enter(root)
    while (work.length > 0) {
      const frame = work.at(-1)!
      const to = frame.to[frame.next++]
      if (to !== undefined) {
        if (index[to] === -1) enter(to)
        else if (onStack[to] === 1) low[frame.state] = Math.min(low[frame.state]!, index[to]!)
        continue
      }
      work.pop()
      const parent = work.at(-1)?.state
      if (parent !== undefined) low[parent] = Math.min(low[parent]!, low[frame.state]!)
      if (low[frame.state] !== index[frame.state]) continue
      const component = stack.splice(stack.lastIndexOf(frame.state))
      for (const state of component) onStack[state] = 0
      if (component.length > 1) for (const state of component) found.add(state)
    }
  }
  return found.size === 0 ? undefined : found
}

function cycleThrough(
  start: number,
  within: ReadonlySet<number>,
  next: (state: number) => readonly Arc[],
  stateOf: (arc: Arc) => number,
  lengthMax: number,
): Edge[] | undefined {
  const cameBy = new Map<number, { readonly edge: Edge; readonly before: number }>()
  let frontier = [start]
  for (let length = 1; length <= lengthMax && frontier.length > 0; length++) {
    const reached: number[] = []
    for (const state of frontier) {
      for (const arc of next(state)) {
        const to = stateOf(arc)
        if (!within.has(to) || cameBy.has(to)) continue
        cameBy.set(to, { edge: arc.edge, before: state })
        if (to === start) return pathBack(start, cameBy)
        reached.push(to)
      }
    }
    frontier = reached
  }
  return undefined
}

function pathBack(
  start: number,
  cameBy: ReadonlyMap<number, { readonly edge: Edge; readonly before: number }>,
): Edge[] {
  const path: Edge[] = []
  let state = start
  do {
    const { edge, before } = cameBy.get(state)!
    path.unshift(edge)
    state = before
  } while (state !== start)
  return path
}

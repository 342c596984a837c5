/**
 * Finds what no serial execution could have shown, in the names of Adya (1999) and Elle (2020).
 *
 *   internal      a transaction does not see its own writes, or two reads in it differ
 *   G1a           a read of what an aborted transaction wrote       G1b   a read of half of what one transaction wrote
 *   unordered     two reads of a list of which neither continues the other: a lost or duplicated write
 *   G0            a cycle of ww        G1c   a cycle of ww and wr
 *   G-single      a cycle with one rw (lost update, read skew)      G2    one with more (write skew, phantoms)
 *   … realtime    the cycle needs that a transaction saw less than what had ended before it began
 */
import { DependencyGraph, type Edge, type EdgeKind } from './dependency-graph.js'
import type { RecordedTransaction } from './history.js'

type Writers = ReadonlyMap<string, RecordedTransaction>

/** Sentences; none for a history that is strictly serializable as far as its reads can tell. */
export function anomaliesIn(history: readonly RecordedTransaction[]): string[] {
  const writers = new Map<string, RecordedTransaction>()
  for (const transaction of history) {
    for (const event of transaction.events) {
      if (event.type === 'append') writers.set(version(event.key, event.value), transaction)
      if (event.type === 'insert') writers.set(version(event.set, event.element), transaction)
    }
  }
  const found = [...internal(history), ...dirtyReads(history, writers)]
  const orders = versionOrders(history, found)
  if (found.length > 0) return found
  const graph = dependencies(history, writers, orders)
  const cycle = worstCycle(graph)
  return cycle === undefined ? [] : [cycle]
}

function version(key: string, value: number): string {
  return `${key}=${value}`
}

/** Committed, or observed to have happened. */
function happened(history: readonly RecordedTransaction[], writers: Writers): RecordedTransaction[] {
  const observed = new Set<RecordedTransaction | undefined>()
  for (const { events, outcome } of history) {
    if (outcome !== 'committed') continue
    for (const event of events) {
      if (event.type === 'read') for (const value of event.values) observed.add(writers.get(version(event.key, value)))
      if (event.type === 'scan')
        for (const element of event.elements) observed.add(writers.get(version(event.set, element)))
    }
  }
  return history.filter(
    ({ outcome }, ordinal) => outcome === 'committed' || (outcome === 'unknown' && observed.has(history[ordinal])),
  )
}

/** Within each transaction: a read is the one before it, continued by what the transaction itself wrote since. */
function internal(history: readonly RecordedTransaction[]): string[] {
  const found: string[] = []
  for (const { id, events } of history) {
    const known = new Map<string, number[]>()
    const added = new Map<string, number[]>()
    for (const event of events) {
      if (event.type === 'append') {
        known.get(event.key)?.push(event.value)
        added.set(event.key, [...(added.get(event.key) ?? []), event.value])
      } else if (event.type === 'insert') {
        known.get(event.set)?.push(event.element)
        added.set(event.set, [...(added.get(event.set) ?? []), event.element])
      } else {
        const key = event.type === 'read' ? event.key : event.set
        const seen = event.type === 'read' ? event.values : sorted(event.elements)
        const own = added.get(key) ?? []
        const before = known.get(key)
        const expected = event.type === 'scan' && before !== undefined ? sorted(before) : before
        const isRight =
          expected !== undefined
            ? same(seen, expected)
            : event.type === 'read'
              ? same(seen.slice(seen.length - own.length), own)
              : own.every((element) => seen.includes(element))
        if (!isRight)
          found.push(`internal: ${id} read ${key} as [${seen.join(' ')}] after its own writes [${own.join(' ')}]`)
        known.set(key, [...seen])
      }
    }
  }
  return found
}

function dirtyReads(history: readonly RecordedTransaction[], writers: Writers): string[] {
  const found: string[] = []
  for (const { id, events, outcome } of history) {
    if (outcome !== 'committed') continue
    for (const event of events) {
      if (event.type !== 'read' && event.type !== 'scan') continue
      const [key, seen] = event.type === 'read' ? [event.key, event.values] : [event.set, event.elements]
      if (new Set(seen).size !== seen.length)
        found.push(`unordered: ${id} read a value of ${key} twice: [${seen.join(' ')}]`)
      for (const value of seen) {
        const writer = writers.get(version(key, value))
        if (writer === undefined) found.push(`G1a: ${id} read ${version(key, value)}, which nobody wrote`)
        else if (writer.outcome === 'aborted')
          found.push(`G1a: ${id} read ${version(key, value)} of ${writer.id}, which aborted`)
        else if (writer.id !== id) found.push(...halfRead(id, key, seen, value, writer))
      }
    }
  }
  return found
}

/** A transaction writes all of its values at one point, so a read has all of them or none. */
function halfRead(
  reader: string,
  key: string,
  seen: readonly number[],
  value: number,
  writer: RecordedTransaction,
): string[] {
  for (const event of writer.events) {
    const written =
      event.type === 'append' && event.key === key
        ? event.value
        : event.type === 'insert' && event.set === key
          ? event.element
          : undefined
    if (written === undefined || seen.includes(written)) continue
    return [`G1b: ${reader} read ${version(key, value)} of ${writer.id} without its ${version(key, written)}`]
  }
  return []
}

/** The longest read of each list; every other one must be a prefix of it. */
function versionOrders(history: readonly RecordedTransaction[], found: string[]): Map<string, readonly number[]> {
  const orders = new Map<string, readonly number[]>()
  const reads: { id: string; key: string; values: readonly number[] }[] = []
  for (const { id, events, outcome } of history) {
    if (outcome !== 'committed') continue
    for (const event of events) {
      if (event.type !== 'read') continue
      reads.push({ id, key: event.key, values: event.values })
      if (event.values.length > (orders.get(event.key)?.length ?? -1)) orders.set(event.key, event.values)
    }
  }
  for (const { id, key, values } of reads) {
    const order = orders.get(key)!
    if (!same(values, order.slice(0, values.length))) {
      found.push(`unordered: ${id} read ${key} as [${values.join(' ')}], another transaction as [${order.join(' ')}]`)
    }
  }
  return orders
}

function dependencies(
  history: readonly RecordedTransaction[],
  writers: Writers,
  orders: ReadonlyMap<string, readonly number[]>,
): DependencyGraph {
  const graph = new DependencyGraph()
  const committed = happened(history, writers)
  const writerOf = (key: string, value: number): string => writers.get(version(key, value))!.id
  for (const [key, order] of orders) {
    for (let at = 1; at < order.length; at++) {
      graph.add(writerOf(key, order[at - 1]!), writerOf(key, order[at]!), 'ww', version(key, order[at]!))
    }
  }
  const inserted = new Map<string, number[]>()
  for (const { events } of committed) {
    for (const event of events) {
      if (event.type !== 'insert') continue
      inserted.set(event.set, [...(inserted.get(event.set) ?? []), event.element])
    }
  }
  for (const { id, events } of committed) {
    for (const event of events) {
      if (event.type === 'read') {
        const order = orders.get(event.key) ?? []
        const last = event.values.at(-1)
        if (last !== undefined) graph.add(writerOf(event.key, last), id, 'wr', version(event.key, last))
        const next = order[event.values.length]
        if (next !== undefined) graph.add(id, writerOf(event.key, next), 'rw', version(event.key, next))
      } else if (event.type === 'scan') {
        const seen = new Set(event.elements)
        for (const element of inserted.get(event.set) ?? []) {
          const writer = writerOf(event.set, element)
          if (seen.has(element)) graph.add(writer, id, 'wr', version(event.set, element))
          else graph.add(id, writer, 'rw', version(event.set, element))
        }
      }
    }
  }
  addTime(graph, committed)
  return graph
}

/** Ended before it began, through a chain of instants instead of an edge for each pair. */
function addTime(graph: DependencyGraph, transactions: readonly RecordedTransaction[]): void {
  const instants = [
    ...transactions.map(({ id, began }) => ({ id, at: began, isEnd: false })),
    ...transactions.map(({ id, ended }) => ({ id, at: ended, isEnd: true })),
  ].sort((left, right) => left.at - right.at)
  let latest: string | undefined
  for (const { id, at, isEnd } of instants) {
    if (isEnd) {
      const instant = `@${at}`
      graph.add(id, instant, 'time', 'ended')
      if (latest !== undefined) graph.add(latest, instant, 'time', 'later')
      latest = instant
    } else if (latest !== undefined) {
      graph.add(latest, id, 'time', 'began')
    }
  }
}

const LEVELS: readonly { readonly name: string; readonly kinds: ReadonlySet<EdgeKind> }[] = [
  { name: 'G0', kinds: new Set(['ww']) },
  { name: 'G1c', kinds: new Set(['ww', 'wr']) },
  { name: 'G2', kinds: new Set(['ww', 'wr', 'rw']) },
  { name: 'realtime', kinds: new Set(['ww', 'wr', 'rw', 'time']) },
]

function worstCycle(graph: DependencyGraph): string | undefined {
  for (const { name, kinds } of LEVELS) {
    const cycle = graph.cycle(kinds)
    if (cycle === undefined) continue
    const antiDependencies = cycle.filter(({ kind }) => kind === 'rw').length
    const kind = name === 'G2' && antiDependencies === 1 ? 'G-single' : name
    return `${kind}: ${describe(cycle)}`
  }
  return undefined
}

function describe(cycle: readonly Edge[]): string {
  return cycle.map(({ from, kind, why }) => `${from} -${kind} ${why}-> `).join('') + cycle[0]!.from
}

function same(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((value, at) => value === right[at])
}

function sorted(values: readonly number[]): number[] {
  return values.toSorted((left, right) => left - right)
}

/** Reads the dependencies between transactions off what they wrote and saw. */
import { Dependencies } from './cycles.js'
import type { Recorded } from './observation.js'
import { type Writers, readBy, versionName } from './writers.js'

/** @param transactions those that happened */
export function dependenciesOf(transactions: readonly Recorded[], writers: Writers): Dependencies {
  const graph = new Dependencies()
  for (const { id, events } of transactions) {
    for (const event of events) {
      if (event.type === 'list') {
        // The last one carries those before it.
        const last = readBy(event).at(-1)
        if (last !== undefined) graph.add(writers.of(last)!.id, id, 'wr', last)
      } else {
        for (const version of readBy(event)) graph.add(writers.of(version)!.id, id, 'wr', version)
      }
    }
  }
  addLists(graph, transactions, writers)
  addRegisters(graph, transactions, writers)
  addSets(graph, transactions)
  addTime(graph, transactions)
  return graph
}

/** The versions of a list are the prefixes of its longest read; what nobody saw comes behind them. */
function addLists(graph: Dependencies, transactions: readonly Recorded[], writers: Writers): void {
  const orders = new Map<string, readonly number[]>()
  const reads: { readonly id: string; readonly list: string; readonly length: number }[] = []
  for (const { id, events } of transactions) {
    for (const event of events) {
      if (event.type !== 'list') continue
      reads.push({ id, list: event.list, length: event.values.length })
      if (event.values.length >= (orders.get(event.list)?.length ?? 0)) orders.set(event.list, event.values)
    }
  }
  const unseen = new Map<string, { readonly id: string; readonly version: string }[]>()
  for (const { id, events } of transactions) {
    for (const event of events) {
      if (event.type !== 'append' || orders.get(event.list)?.includes(event.value) === true) continue
      const version = versionName('list', event.list, event.value)
      unseen.set(event.list, [...(unseen.get(event.list) ?? []), { id, version }])
    }
  }
  for (const [list, order] of orders) {
    const versions = order.map((value) => versionName('list', list, value))
    for (let at = 1; at < versions.length; at++) {
      graph.add(writers.of(versions[at - 1]!)!.id, writers.of(versions[at]!)!.id, 'ww', versions[at]!)
    }
    const last = versions.at(-1)
    if (last === undefined) continue
    for (const { id, version } of unseen.get(list) ?? []) graph.add(writers.of(last)!.id, id, 'ww', version)
  }
  for (const { id, list, length } of reads) {
    const order = orders.get(list)!
    if (length < order.length) {
      const next = versionName('list', list, order[length]!)
      graph.add(id, writers.of(next)!.id, 'rw', next)
    } else {
      for (const { id: writer, version } of unseen.get(list) ?? []) graph.add(id, writer, 'rw', version)
    }
  }
}

/** A transaction that read a version of a register and then wrote one says that the second came after the first. */
function addRegisters(graph: Dependencies, transactions: readonly Recorded[], writers: Writers): void {
  const nameOf = (register: string, value: number | null): string =>
    value === null ? `register ${register} at first` : versionName('register', register, value)
  const readers = new Map<string, string[]>()
  /** Version → those that wrote over it. */
  const successors = new Map<string, Map<string, string>>()
  for (const { id, events } of transactions) {
    const seen = new Map<string, number | null>()
    const written = new Map<string, number>()
    for (const event of events) {
      if (event.type === 'register' && !written.has(event.register)) {
        seen.set(event.register, event.value)
        const version = nameOf(event.register, event.value)
        readers.set(version, [...(readers.get(version) ?? []), id])
      } else if (event.type === 'write') {
        written.set(event.register, event.value)
      }
    }
    for (const [register, value] of written) {
      // One that did not look comes after the beginning, and more is not known.
      const before = nameOf(register, seen.get(register) ?? null)
      const after = successors.get(before) ?? new Map<string, string>()
      successors.set(before, after.set(id, versionName('register', register, value)))
    }
  }
  for (const [version, after] of successors) {
    const writer = writers.of(version)
    for (const [id, over] of after) {
      if (writer !== undefined) graph.add(writer.id, id, 'ww', over)
      for (const reader of readers.get(version) ?? []) graph.add(reader, id, 'rw', over)
    }
  }
}

function addSets(graph: Dependencies, transactions: readonly Recorded[]): void {
  const inserted = new Map<string, { readonly element: number; readonly id: string }[]>()
  for (const { id, events } of transactions) {
    for (const event of events) {
      if (event.type !== 'insert') continue
      const elements = inserted.get(event.set)
      if (elements === undefined) inserted.set(event.set, [{ element: event.element, id }])
      else elements.push({ element: event.element, id })
    }
  }
  for (const { id, events } of transactions) {
    for (const event of events) {
      if (event.type !== 'members') continue
      const { set, from, to } = event
      const seen = new Set(event.elements)
      for (const { element, id: writer } of inserted.get(set) ?? []) {
        if (element < from || element >= to || seen.has(element)) continue
        graph.add(id, writer, to - from === 1 ? 'rw' : 'prw', versionName('set', set, element))
      }
    }
  }
}

/** Ended before it began, through a chain of instants instead of an edge for each pair. */
function addTime(graph: Dependencies, transactions: readonly Recorded[]): void {
  const instants = transactions
    .flatMap(({ id, outcome, began, ended }) => [
      { id, at: began, isEnd: false },
      // One whose client gave up may take effect at any time after.
      ...(outcome === 'unknown' ? [] : [{ id, at: ended, isEnd: true }]),
    ])
    .sort((left, right) => left.at - right.at)
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

/**
 * Anomalies that show without a graph: in one transaction, between a reader and a writer, or in a number.
 *
 *   internal      a transaction does not see what it wrote, or sees it twice in different ways
 *   G1a           a read of what was rolled back, or of what nobody wrote
 *   G1b           a read of a part of what one transaction wrote
 *   unordered     a value twice, or two reads of a list of which neither continues the other: a write was lost
 *   lost update   two transactions read one version and both wrote over it
 *   total         a sum that is not what every transaction keeps it at
 *   count         a counter without an addition that was acknowledged before, or with one that was not made yet
 */
import type { Observation, Recorded } from './observation.js'
import { type Writers, readBy, writtenBy } from './writers.js'

export interface Anomaly {
  readonly name: string
  /** A sentence that names the transactions. */
  readonly text: string
}

export function directAnomalies(
  history: readonly Recorded[],
  transactions: readonly Recorded[],
  writers: Writers,
): Anomaly[] {
  return [
    ...history.flatMap(internal),
    ...transactions.flatMap((transaction) => dirtyReads(transaction, writers)),
    ...unorderedLists(transactions),
    ...lostUpdates(transactions),
    ...history.filter(({ outcome }) => outcome !== 'aborted').flatMap(wrongTotals),
    ...wrongCounts(history),
  ]
}

/** Each read is the one before it, with what the transaction wrote since. */
function internal({ id, events }: Recorded): Anomaly[] {
  const found: Anomaly[] = []
  const report = (what: string, seen: unknown, expected: string): void => {
    found.push({ name: 'internal', text: `${id} read ${what} as ${JSON.stringify(seen)} after ${expected}` })
  }
  const lists = new Map<string, { whole: number[] | undefined; own: number[] }>()
  const registers = new Map<string, number | null>()
  const reads: Extract<Observation, { type: 'members' }>[] = []
  const inserts: Extract<Observation, { type: 'insert' }>[] = []
  for (const event of events) {
    if (event.type === 'append' || event.type === 'list') {
      const known = lists.get(event.list) ?? { whole: undefined, own: [] }
      lists.set(event.list, known)
      if (event.type === 'append') {
        known.whole?.push(event.value)
        known.own.push(event.value)
        continue
      }
      const expected = known.whole ?? known.own
      const seen = known.whole === undefined ? event.values.slice(event.values.length - known.own.length) : event.values
      if (!isSame(seen, expected)) report(`list ${event.list}`, event.values, `[…${expected.join(' ')}]`)
      known.whole = [...event.values]
    } else if (event.type === 'write') {
      registers.set(event.register, event.value)
    } else if (event.type === 'register') {
      const known = registers.get(event.register)
      if (known !== undefined && known !== event.value) report(`register ${event.register}`, event.value, String(known))
      registers.set(event.register, event.value)
    } else if (event.type === 'insert') {
      inserts.push(event)
    } else if (event.type === 'members') {
      const own = inserts.filter(({ set, element }) => set === event.set && isWithin(event, element))
      for (const { element } of own) {
        if (!event.elements.includes(element))
          report(`set ${event.set}`, event.elements, `its own insert of ${element}`)
      }
      for (const before of reads) {
        if (before.set !== event.set) continue
        const [then, now] = [before, event].map(({ elements }) =>
          elements.filter((element) => isWithin(before, element) && isWithin(event, element)),
        )
        const lost = then!.filter((element) => !now!.includes(element))
        const appeared = now!.filter(
          (element) => !then!.includes(element) && !own.some((insert) => insert.element === element),
        )
        if (lost.length + appeared.length > 0)
          report(`set ${event.set}`, event.elements, JSON.stringify(before.elements))
      }
      reads.push(event)
    }
  }
  return found
}

function isWithin({ from, to }: { readonly from: number; readonly to: number }, element: number): boolean {
  return element >= from && element < to
}

function dirtyReads({ id, events, outcome }: Recorded, writers: Writers): Anomaly[] {
  if (outcome !== 'committed') return []
  const found: Anomaly[] = []
  for (const event of events) {
    const versions = readBy(event)
    const seen = new Set(versions)
    if (seen.size !== versions.length)
      found.push({ name: 'unordered', text: `${id} read a value twice: ${versions.join(', ')}` })
    for (const version of seen) {
      const writer = writers.of(version)
      if (writer === undefined) found.push({ name: 'G1a', text: `${id} read ${version}, which nobody wrote` })
      else if (writer.outcome === 'aborted') {
        found.push({ name: 'G1a', text: `${id} read ${version} of ${writer.id}, which was rolled back` })
      } else if (writer.id !== id) {
        const missing = missingPart(event, seen, writer, version)
        if (missing !== undefined) {
          found.push({ name: 'G1b', text: `${id} read ${version} of ${writer.id} without its ${missing}` })
        }
      }
    }
  }
  return found
}

/** What else the writer wrote that a reader of `version` must have seen in the same read. */
function missingPart(
  event: Observation,
  seen: ReadonlySet<string>,
  writer: Recorded,
  version: string,
): string | undefined {
  for (const written of writer.events) {
    const other = writtenBy(written)
    if (other === undefined || seen.has(other)) continue
    if (written.type === 'append' && event.type === 'list' && written.list === event.list) return other
    if (written.type === 'insert' && event.type === 'members' && written.set === event.set) {
      if (isWithin(event, written.element)) return other
    }
    if (written.type === 'write' && event.type === 'register' && written.register === event.register) {
      // Registers show their last write alone.
      const last = writer.events.findLast((one) => one.type === 'write' && one.register === event.register)
      if (last !== undefined && writtenBy(last) !== version) return writtenBy(last)
    }
  }
  return undefined
}

/** Every read of a list is a prefix of the longest one. */
function unorderedLists(transactions: readonly Recorded[]): Anomaly[] {
  const longest = new Map<string, { readonly id: string; readonly values: readonly number[] }>()
  const reads: { readonly id: string; readonly list: string; readonly values: readonly number[] }[] = []
  for (const { id, events, outcome } of transactions) {
    if (outcome !== 'committed') continue
    for (const event of events) {
      if (event.type !== 'list') continue
      reads.push({ id, list: event.list, values: event.values })
      if (event.values.length > (longest.get(event.list)?.values.length ?? -1)) {
        longest.set(event.list, { id, values: event.values })
      }
    }
  }
  return reads.flatMap(({ id, list, values }) => {
    const whole = longest.get(list)!
    if (isSame(values, whole.values.slice(0, values.length))) return []
    const text = `${id} read list ${list} as [${values.join(' ')}], ${whole.id} as [${whole.values.join(' ')}]`
    return [{ name: 'unordered', text }]
  })
}

function lostUpdates(transactions: readonly Recorded[]): Anomaly[] {
  /** Version that was read → those that then wrote over it. */
  const overwriters = new Map<string, string[]>()
  for (const { id, events } of transactions) {
    const seen = new Map<string, string>()
    for (const event of events) {
      const thing = thingOf(event)
      if (thing === undefined) continue
      if (event.type === 'list' && !seen.has(thing)) seen.set(thing, `${thing} of ${event.values.length}`)
      if (event.type === 'register' && !seen.has(thing)) seen.set(thing, `${thing} at ${event.value ?? 'first'}`)
      if (event.type !== 'append' && event.type !== 'write') continue
      const version = seen.get(thing) ?? ''
      // From its first write on it overwrites its own.
      seen.set(thing, '')
      if (version !== '') overwriters.set(version, [...(overwriters.get(version) ?? []), id])
    }
  }
  return [...overwriters]
    .filter(([, ids]) => ids.length > 1)
    .map(([version, ids]) => ({
      name: 'lost update',
      text: `${ids.join(' and ')} both read ${version} and wrote over it`,
    }))
}

function thingOf(event: Observation): string | undefined {
  if (event.type === 'append' || event.type === 'list') return `list ${event.list}`
  if (event.type === 'write' || event.type === 'register') return `register ${event.register}`
  return undefined
}

function wrongTotals({ id, events }: Recorded): Anomaly[] {
  return events.flatMap((event) => {
    if (event.type !== 'total' || event.value === event.expected) return []
    return [
      { name: 'total', text: `${id} found a total of ${event.value} in ${event.of} instead of ${event.expected}` },
    ]
  })
}

/** Additions commute, so they leave no order to check, but a read has at least those that had ended before it began. */
function wrongCounts(history: readonly Recorded[]): Anomaly[] {
  const additions = history.flatMap(({ id, events, outcome, began, ended }) =>
    events.flatMap((event) => (event.type === 'add' ? [{ id, counter: event.counter, outcome, began, ended }] : [])),
  )
  return history.flatMap(({ id, events, outcome, began, ended }) => {
    if (outcome !== 'committed') return []
    return events.flatMap((event) => {
      if (event.type !== 'count') return []
      const of = additions.filter(({ counter }) => counter === event.counter)
      const own = of.filter((addition) => addition.id === id).length
      const others = of.filter((addition) => addition.id !== id)
      const least = others.filter((addition) => addition.outcome === 'committed' && addition.ended < began).length
      const most = others.filter((addition) => addition.outcome !== 'aborted' && addition.began < ended).length + own
      if (event.value >= least && event.value <= most) return []
      const text = `${id} read counter ${event.counter} as ${event.value}; ${least} to ${most} additions can be in it`
      return [{ name: 'count', text }]
    })
  })
}

function isSame(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((value, at) => value === right[at])
}

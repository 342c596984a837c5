/**
 * Finds what no execution of the promised level could have shown, in the names of Adya (1999) and Elle (2020).
 *
 *   G0              a cycle of ww                       G1c            a cycle of ww and wr
 *   G-single        a cycle with one anti-dependency    G-nonadjacent  with more, but never two in a row
 *   G2-item         a cycle with two in a row: write skew              G2  the same with a range: phantoms
 *   …-realtime      the cycle needs that a transaction saw less than what had ended before it began
 *
 * The rest of the names are in `direct-anomalies.ts`. Under `snapshot` the G2 family is allowed, and nothing else.
 */
import type { CycleOptions, Dependencies, Edge } from './cycles.js'
import { dependenciesOf } from './dependencies.js'
import { type Anomaly, directAnomalies } from './direct-anomalies.js'
import type { Recorded } from './observation.js'
import { Writers, happened } from './writers.js'

export type { Anomaly } from './direct-anomalies.js'

const WRITE_SKEW: ReadonlySet<string> = new Set(['G2-item', 'G2', 'G2-item-realtime', 'G2-realtime'])

/** All that is odd about a history, whatever was promised. Empty: it is strictly serializable as far as reads can tell. */
export function anomaliesIn(history: readonly Recorded[]): Anomaly[] {
  const writers = new Writers(history)
  const transactions = happened(history, writers)
  const direct = directAnomalies(history, transactions, writers)
  // A graph of versions that nobody wrote, or that have no order, says nothing.
  if (direct.some(({ name }) => name === 'G1a' || name === 'unordered')) return direct
  return [...direct, ...cyclesIn(dependenciesOf(transactions, writers))]
}

/** What of it the level does not allow. */
export function forbiddenAt(level: 'serializable' | 'snapshot', anomalies: readonly Anomaly[]): Anomaly[] {
  return level === 'serializable' ? [...anomalies] : anomalies.filter(({ name }) => !WRITE_SKEW.has(name))
}

const ITEMS = ['ww', 'wr', 'rw'] as const
const ALL = ['ww', 'wr', 'rw', 'prw'] as const

/** From the worst to the mildest; each search that finds something makes those that would find it again pointless. */
const SEARCHES: readonly (readonly CycleOptions[])[] = [
  [
    { kinds: ['ww'], adjacent: false },
    { kinds: ['ww', 'wr'], adjacent: false },
    { kinds: ALL, adjacent: false },
    { kinds: ['ww', 'wr', 'time'], adjacent: false },
    { kinds: [...ALL, 'time'], adjacent: false },
  ],
  [
    { kinds: ITEMS, adjacent: true },
    { kinds: ALL, adjacent: true },
    { kinds: [...ALL, 'time'], adjacent: true },
  ],
]

function cyclesIn(graph: Dependencies): Anomaly[] {
  const found: Anomaly[] = []
  for (const searches of SEARCHES) {
    // What snapshot isolation forbids is a cycle of the second kind, too, so the second is of interest only without it.
    if (found.length > 0) break
    for (const options of searches) {
      const cycle = graph.shortestCycle(options)
      if (cycle === undefined) continue
      found.push({ name: nameOf(cycle), text: describe(cycle) })
      break
    }
  }
  return found
}

function nameOf(cycle: readonly Edge[]): string {
  const suffix = cycle.some(({ kind }) => kind === 'time') ? '-realtime' : ''
  const anti = cycle.map(({ kind }) => kind === 'rw' || kind === 'prw')
  const count = anti.filter(Boolean).length
  const isAdjacent = anti.some((isAnti, at) => isAnti && anti[(at + 1) % anti.length] === true && count > 1)
  const hasRange = cycle.some(({ kind }) => kind === 'prw')
  if (isAdjacent) return `${hasRange ? 'G2' : 'G2-item'}${suffix}`
  if (count > 1) return `G-nonadjacent${suffix}`
  if (count === 1) return `G-single${suffix}`
  return `${cycle.every(({ kind }) => kind === 'ww') ? 'G0' : 'G1c'}${suffix}`
}

/** "T1 -rw list x=2-> T2 -time-> T1": the instants between an end and a begin are left out. */
function describe(cycle: readonly Edge[]): string {
  const first = cycle.findIndex(({ from }) => !from.startsWith('@'))
  const turned = [...cycle.slice(first), ...cycle.slice(0, first)]
  let text = turned[0]!.from
  for (const { to, kind, why } of turned) {
    if (to.startsWith('@')) continue
    text += kind === 'time' ? ` -ended before-> ${to}` : ` -${kind} ${why}-> ${to}`
  }
  return text
}

/** Keeps the last two minutes of every server and link for the charts, and the rates of servers known by LSN alone. */
import type { Lag } from '../../../log/status.js'
import { History, LsnRate } from './history.js'
import type { LinkView, Overview, ServerView } from './overview.js'

export interface LinkLag {
  readonly received: Lag
  readonly applied: Lag
}

export interface ServerRecord {
  /** Transactions per second. */
  readonly throughput: History<number>
  readonly lsnRate: LsnRate
}

export class Recorder {
  readonly #servers = new Map<string, ServerRecord>()
  readonly #links = new Map<string, History<LinkLag>>()

  server(key: string): ServerRecord {
    return entryOf(this.#servers, key, () => ({ throughput: new History(), lsnRate: new LsnRate() }))
  }

  link(key: string): History<LinkLag> {
    return entryOf(this.#links, key, () => new History())
  }

  /** Takes a sample of everything that the source has just told, or a gap when it did not answer. */
  record(overview: Overview, url: string, nowMs: number): void {
    for (const view of overview.servers) if (view.url === url) this.#recordServer(view, nowMs)
    for (const view of overview.links) if (view.url === url) this.#recordLink(view, nowMs)
  }

  #recordServer(view: ServerView, nowMs: number): void {
    const { throughput, lsnRate } = this.server(view.key)
    const isKnown = view.staleSinceMs === undefined && view.lsn !== undefined
    const derived = isKnown ? lsnRate.note(nowMs, BigInt(view.lsn)) : undefined
    const rate = view.status?.throughput.transactionsPerSecond ?? derived
    throughput.add(nowMs, isKnown && rate !== undefined ? rate : null)
  }

  #recordLink(view: LinkView, nowMs: number): void {
    const { stages, staleSinceMs } = view
    const isKnown = stages !== undefined && staleSinceMs === undefined
    this.link(view.key).add(nowMs, isKnown ? { received: stages.received.lag, applied: stages.applied.lag } : null)
  }
}

function entryOf<Entry>(entries: Map<string, Entry>, key: string, make: () => Entry): Entry {
  let entry = entries.get(key)
  if (entry === undefined) entries.set(key, (entry = make()))
  return entry
}

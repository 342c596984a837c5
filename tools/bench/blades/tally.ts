/** What the clients of one load process counted together. */
import { QueryTimes, type TimesState, type TimesSummary } from './query-times.js'

/**
 * What has times of its own. `transaction` is the whole of it in either form, the four after `run` are its requests in
 * the interactive one; `run` is a whole run from its first query to the answer of its commit, with all its retries.
 */
const QUERIES = ['fans', 'isFan', 'transaction', 'run', 'begin', 'insert', 'count', 'commit'] as const
export type Query = (typeof QUERIES)[number]

export interface TallyState {
  readonly runs: number
  readonly found: number
  readonly retries: readonly (readonly [cause: string, count: number])[]
  readonly times: readonly (readonly [query: Query, times: TimesState])[]
}

/** Times of a query's successful answers. A query of an attempt that was abandoned later counts: it was served. */
export type QuerySummaries = Partial<Record<Query, TimesSummary>>

export class Tally {
  readonly times: Readonly<Record<Query, QueryTimes>>
  readonly #retries = new Map<string, number>()
  /** Runs whose transaction was acknowledged. */
  runs = 0
  /** Runs among them that found their own fan row after a timeout: the answer was lost, the commit was not. */
  found = 0

  constructor() {
    this.times = Object.fromEntries(QUERIES.map((query) => [query, new QueryTimes()])) as Record<Query, QueryTimes>
  }

  get retries(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#retries].sort())
  }

  /** A run goes back to its first query. @param cause an error code, or TIMEOUT */
  retry(cause: string): void {
    this.#retries.set(cause, (this.#retries.get(cause) ?? 0) + 1)
  }

  get state(): TallyState {
    return {
      runs: this.runs,
      found: this.found,
      retries: [...this.#retries],
      times: QUERIES.map((query) => [query, this.times[query].state]),
    }
  }

  merge(other: TallyState): void {
    this.runs += other.runs
    this.found += other.found
    for (const [cause, count] of other.retries) this.#retries.set(cause, (this.#retries.get(cause) ?? 0) + count)
    for (const [query, times] of other.times) this.times[query].merge(times)
  }

  summaries(): QuerySummaries {
    const summaries: QuerySummaries = {}
    for (const query of QUERIES) {
      const summary = this.times[query].summary()
      if (summary !== undefined) summaries[query] = summary
    }
    return summaries
  }
}

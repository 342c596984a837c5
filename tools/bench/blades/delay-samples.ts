/**
 * The replica's delay over time, as its primary sees it: from a commit to the acknowledgement that it is applied, both
 * read on the primary's clock, so that no difference of clocks falsifies it. An acknowledgement is for many transactions,
 * and its delay is that of the newest of them; how old the oldest one is that is not applied, is the lag in seconds.
 *
 * Samples are taken from the primary's status. Between two of them there may be more acknowledgements than one: each
 * sample also has the percentiles of the newest 1024, and the summary the highest of all, which miss none.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError } from '../../../core/errors.js'
import type { HttpClient } from '../../http-client.js'
import { rounded } from '../samples.js'

export interface DelaySample {
  /** When the status was answered, in milliseconds since the first run began. */
  readonly atMs: number
  /** The newest durable transaction of the primary. */
  readonly lsn: string
  /** Of the newest acknowledgement. */
  readonly lastMs: number
  /** Of the newest 1024. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** What the replica has not applied at this moment. */
  readonly lagTransactions: number
  readonly lagBytes: number
  readonly lagSeconds: number
}

export interface DelaySummary {
  /** Of the samples' newest acknowledgements. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** The highest 99th percentile of any 1024 acknowledgements in a row. */
  readonly worstP99Ms: number
  /** The highest of all acknowledgements since the replica connected, which was when it had nothing to apply. */
  readonly maxMs: number
  /** The highest of the samples. */
  readonly maxLagTransactions: number
  readonly maxLagSeconds: number
  readonly samples: readonly DelaySample[]
}

export class DelaySamples {
  readonly #primary: HttpClient
  readonly #startMs = performance.now()
  readonly #samples: DelaySample[] = []
  readonly #stop = new AbortController()
  readonly #sampling: Promise<void>
  #maxMs = 0

  private constructor(primary: HttpClient, everyMs: number) {
    this.#primary = primary
    this.#sampling = this.#sample(everyMs)
    // Its error is that of `end`.
    this.#sampling.catch(() => undefined)
  }

  static begin(primary: HttpClient, everyMs: number): DelaySamples {
    return new DelaySamples(primary, everyMs)
  }

  /** Takes no further samples; what was taken is not wanted. */
  cancel(): void {
    this.#stop.abort()
  }

  /** Takes a last sample. @throws ReplogError what a request for the status met */
  async end(): Promise<DelaySummary> {
    this.#stop.abort()
    await this.#sampling
    await this.#take()
    // Until the first acknowledgement there is none, which reads as 0.
    const lasts = this.#samples.map(({ lastMs }) => lastMs).filter((lastMs) => lastMs > 0)
    lasts.sort((left, right) => left - right)
    const at = (share: number): number => lasts[Math.floor(share * (lasts.length - 1))] ?? 0
    return {
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      worstP99Ms: this.#highest(({ p99Ms }) => p99Ms),
      maxMs: this.#maxMs,
      maxLagTransactions: this.#highest(({ lagTransactions }) => lagTransactions),
      maxLagSeconds: this.#highest(({ lagSeconds }) => lagSeconds),
      samples: this.#samples,
    }
  }

  #highest(of: (sample: DelaySample) => number): number {
    return this.#samples.reduce((highest, sample) => Math.max(highest, of(sample)), 0)
  }

  async #sample(everyMs: number): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      await this.#take()
      await delay(everyMs, undefined, { signal }).catch(() => undefined)
    }
  }

  async #take(): Promise<void> {
    const { lsn, replicas = [] } = await this.#primary.status()
    const follower = replicas.find(({ connected }) => connected)
    if (follower === undefined) throw new ReplogError('UNREACHABLE', 'the replica has lost its primary')
    const { delayMs, applied } = follower
    this.#maxMs = delayMs.max
    this.#samples.push({
      atMs: rounded(performance.now() - this.#startMs, 1),
      lsn,
      lastMs: delayMs.last,
      p50Ms: delayMs.p50,
      p99Ms: delayMs.p99,
      lagTransactions: applied.lag.transactions,
      lagBytes: applied.lag.bytes,
      lagSeconds: rounded(applied.lag.seconds, 3),
    })
  }
}

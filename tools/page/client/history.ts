/**
 * The last two minutes of something, a sample a second: what the charts draw.
 *
 * A gap (no answer) is a sample without a value, so that a chart shows it as a gap and not as a straight line.
 * Invariant: samples are in the order of time.
 */

export const HISTORY_MS = 120_000
/** More than the window holds at one sample a second; a bound for pages whose clock is set back. */
const SAMPLES_MAX = 600

export interface Sample<Value> {
  /** Monotonic milliseconds. */
  readonly atMs: number
  /** Null when it was not known. */
  readonly value: Value | null
}

export class History<Value> {
  readonly #samples: Sample<Value>[] = []

  get samples(): readonly Sample<Value>[] {
    return this.#samples
  }

  add(atMs: number, value: Value | null): void {
    const samples = this.#samples
    samples.push({ atMs, value })
    while (samples.length > SAMPLES_MAX || samples[0]!.atMs < atMs - HISTORY_MS) samples.shift()
  }
}

/** The window over which the servers measure their own rates. */
const RATE_MS = 5_000

/** Transactions per second of a server that is known only by its LSN. */
export class LsnRate {
  readonly #seen: { readonly atMs: number; readonly lsn: bigint }[] = []

  /** The rate as of this observation; undefined until there are two, or when the log went back. */
  note(atMs: number, lsn: bigint): number | undefined {
    const seen = this.#seen
    if (seen.length > 0 && lsn < seen.at(-1)!.lsn) seen.length = 0
    seen.push({ atMs, lsn })
    while (seen.length > 2 && seen[1]!.atMs <= atMs - RATE_MS) seen.shift()
    const oldest = seen[0]!
    return atMs > oldest.atMs ? (Number(lsn - oldest.lsn) * 1000) / (atMs - oldest.atMs) : undefined
  }
}

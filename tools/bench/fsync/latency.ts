/**
 * Latencies in buckets, since a cell may have millions: log-linear, as in HdrHistogram, so that a percentile is right to
 * about one percent at any magnitude. Adding costs an increment, and repetitions are merged by adding up buckets.
 *
 *   bucket n holds [2^(n / BUCKETS_PER_OCTAVE), 2^((n + 1) / BUCKETS_PER_OCTAVE)) microseconds; the first what is less,
 *   the last what is more
 */
import assert from 'node:assert/strict'
import { rounded } from '../samples.js'

const BUCKETS_PER_OCTAVE = 64
/** Up to 2^30 µs, which is 18 minutes. */
const OCTAVES = 30
const BUCKETS = BUCKETS_PER_OCTAVE * OCTAVES

export interface LatencyBucket {
  readonly fromUs: number
  readonly toUs: number
  readonly count: number
}

export class Latencies {
  readonly #counts = new Float64Array(BUCKETS)
  #count = 0
  #totalMs = 0

  get count(): number {
    return this.#count
  }

  add(milliseconds: number): void {
    const octaves = Math.log2(Math.max(1, milliseconds * 1000))
    const bucket = Math.min(BUCKETS - 1, Math.floor(octaves * BUCKETS_PER_OCTAVE))
    this.#counts[bucket]!++
    this.#count++
    this.#totalMs += milliseconds
  }

  merge(other: Latencies): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#counts[bucket]! += other.#counts[bucket]!
    this.#count += other.#count
    this.#totalMs += other.#totalMs
  }

  get meanMs(): number {
    assert(this.#count > 0, 'a mean is of something')
    return this.#totalMs / this.#count
  }

  /** The latency that this share of all does not exceed, in milliseconds. */
  percentileMs(share: number): number {
    assert(this.#count > 0, 'a percentile is of something')
    const rank = Math.max(1, Math.ceil(share * this.#count))
    let seen = 0
    let bucket = 0
    while ((seen += this.#counts[bucket]!) < rank) bucket++
    // The middle of the bucket, in the measure in which buckets are equal.
    return Number((2 ** ((bucket + 0.5) / BUCKETS_PER_OCTAVE) / 1000).toPrecision(4))
  }

  /** The same in wide buckets, so many an octave, from the first that holds something to the last; for a picture. */
  buckets(perOctave: number): LatencyBucket[] {
    assert(BUCKETS_PER_OCTAVE % perOctave === 0, 'wide buckets consist of whole ones')
    const width = BUCKETS_PER_OCTAVE / perOctave
    const wide: LatencyBucket[] = []
    for (let at = 0; at < BUCKETS; at += width) {
      const count = this.#counts.subarray(at, at + width).reduce((sum, part) => sum + part, 0)
      const fromUs = rounded(2 ** (at / BUCKETS_PER_OCTAVE), 2)
      wide.push({ fromUs, toUs: rounded(2 ** ((at + width) / BUCKETS_PER_OCTAVE), 2), count })
    }
    const first = wide.findIndex(({ count }) => count > 0)
    const last = wide.findLastIndex(({ count }) => count > 0)
    return first < 0 ? [] : wide.slice(first, last + 1)
  }
}

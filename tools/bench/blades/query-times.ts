/**
 * Times of queries in a histogram of fixed size: recording one allocates nothing, and what several processes recorded is
 * merged by adding up. Least, greatest and average are exact; percentiles are right to ERROR_SHARE.
 *
 * Buckets are log-linear, as in HdrHistogram: a time is counted in units of 1/8 microsecond, the first 128 units have a
 * bucket each, and every further power of two is cut into 128 equal ones.
 *
 *   units  0 1 … 127 | 128 129 … 255 | 256 258 … 510 | 512 516 … 1020 | …
 */
import assert from 'node:assert/strict'
import { rounded } from '../samples.js'

const UNITS_PER_MS = 8000
const SLICE_BITS = 7
const SLICES = 2 ** SLICE_BITS
/** About 268 seconds; what took longer counts in the last bucket. */
const UNITS_MAX = 2 ** 31 - 1
const BUCKETS = bucketOf(UNITS_MAX) + 1

/** A percentile is the middle of its bucket, which is 1/128 of its lower end wide at most. */
export const ERROR_SHARE = 1 / (2 * SLICES)

/** What goes from one process to another. */
export interface TimesState {
  readonly counts: Float64Array
  readonly count: number
  readonly totalMs: number
  readonly minMs: number
  readonly maxMs: number
}

export interface TimesSummary {
  readonly count: number
  readonly minMs: number
  readonly averageMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export class QueryTimes {
  readonly #counts = new Float64Array(BUCKETS)
  #count = 0
  #totalMs = 0
  #minMs = Infinity
  #maxMs = 0

  add(milliseconds: number): void {
    const units = Math.min(UNITS_MAX, Math.max(0, Math.floor(milliseconds * UNITS_PER_MS)))
    this.#counts[bucketOf(units)]!++
    this.#count++
    this.#totalMs += milliseconds
    if (milliseconds < this.#minMs) this.#minMs = milliseconds
    if (milliseconds > this.#maxMs) this.#maxMs = milliseconds
  }

  get state(): TimesState {
    return {
      counts: this.#counts,
      count: this.#count,
      totalMs: this.#totalMs,
      minMs: this.#minMs,
      maxMs: this.#maxMs,
    }
  }

  merge(other: TimesState): void {
    assert.equal(other.counts.length, BUCKETS, 'both have the same buckets')
    for (let bucket = 0; bucket < BUCKETS; bucket++) this.#counts[bucket]! += other.counts[bucket]!
    this.#count += other.count
    this.#totalMs += other.totalMs
    this.#minMs = Math.min(this.#minMs, other.minMs)
    this.#maxMs = Math.max(this.#maxMs, other.maxMs)
  }

  /** Undefined when nothing was recorded. */
  summary(): TimesSummary | undefined {
    if (this.#count === 0) return undefined
    return {
      count: this.#count,
      minMs: rounded(this.#minMs, 4),
      averageMs: rounded(this.#totalMs / this.#count, 4),
      p50Ms: rounded(this.percentileMs(0.5), 4),
      p99Ms: rounded(this.percentileMs(0.99), 4),
      maxMs: rounded(this.#maxMs, 4),
    }
  }

  /** The time that this share of all does not exceed. */
  percentileMs(share: number): number {
    assert(this.#count > 0, 'a percentile is of something')
    const rank = Math.max(1, Math.ceil(share * this.#count))
    let seen = 0
    let bucket = 0
    while ((seen += this.#counts[bucket]!) < rank) bucket++
    const { from, width } = unitsOf(bucket)
    return Math.min(this.#maxMs, Math.max(this.#minMs, (from + width / 2) / UNITS_PER_MS))
  }
}

function bucketOf(units: number): number {
  if (units < SLICES) return units
  const shift = 31 - Math.clz32(units) - SLICE_BITS
  return shift * SLICES + (units >>> shift)
}

/** The units that a bucket counts: `width` of them, from `from` on. */
function unitsOf(bucket: number): { readonly from: number; readonly width: number } {
  if (bucket < 2 * SLICES) return { from: bucket, width: 1 }
  const shift = Math.floor(bucket / SLICES) - 1
  const width = 2 ** shift
  return { from: (bucket - shift * SLICES) * width, width }
}

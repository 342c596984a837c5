/** What a series of measurements says: median and 99th percentile of times, median and spread of repetitions. */
import assert from 'node:assert/strict'

export interface Summary {
  readonly medianMs: number
  readonly p99Ms: number
}

export class Samples {
  readonly #times: number[] = []

  add(milliseconds: number): void {
    this.#times.push(milliseconds)
  }

  /** Of at least one sample. */
  summary(): Summary {
    const sorted = Float64Array.from(this.#times).sort()
    const at = (share: number): number => rounded(sorted[Math.floor(share * (sorted.length - 1))]!, 4)
    return { medianMs: at(0.5), p99Ms: at(0.99) }
  }
}

/** With so many decimals, so that a report does not claim more than was measured. */
export function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals))
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Of repetitions, of which there is one at least. */
export function spreadOf(values: readonly number[], decimals: number): Spread {
  return {
    median: rounded(medianOf(values), decimals),
    min: rounded(Math.min(...values), decimals),
    max: rounded(Math.max(...values), decimals),
  }
}

export function medianOf(values: readonly number[]): number {
  assert(values.length > 0, 'a median is of something')
  const sorted = [...values].sort((left, right) => left - right)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

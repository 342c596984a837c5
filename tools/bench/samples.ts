/** What a series of measured times says: its median and its 99th percentile. */

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

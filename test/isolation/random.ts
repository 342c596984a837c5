/**
 * Random choices that a seed repeats: REPLOG_TEST_SEED, or a new one for each run, which the test prints.
 *
 * What runs concurrently is still ordered by the machine; the seed repeats the choices, not the interleaving.
 */
import { randomInt } from 'node:crypto'

export const TEST_SEED = Number(process.env['REPLOG_TEST_SEED'] ?? randomInt(2 ** 31))

export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** Uniform in [0, 1). mulberry32 (Tommy Ettinger). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** An integer from 0 to `end` - 1. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!
  }
}

/**
 * What the device can do by itself, as pg_test_fsync asks it: write a page of 4 KiB, fdatasync, again and again, by one
 * caller and without any thread in between. No commit path that waits for each sync of its own can do more.
 *
 *   overwrite   always the same page of a file that is as long before as after
 *   append      the next page each time, so that the file system has to write down the new length as well; this is what
 *               a log does, and what LevelDB's own does
 *
 * Invariant: what is written differs each time, so that nothing can be left out.
 */
import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { rounded } from '../samples.js'
import { Latencies, type LatencyBucket } from './latency.js'

export interface SyncLatency {
  readonly samples: number
  readonly medianUs: number
  readonly p99Us: number
  readonly meanUs: number
  /** By one caller that does nothing else. */
  readonly perSecond: number
  readonly histogram: readonly LatencyBucket[]
}

export interface Calibration {
  readonly pageBytes: number
  readonly overwrite: SyncLatency
  readonly append: SyncLatency
  /** Syncs a second of the faster of the two. */
  readonly limitPerSecond: number
}

export interface CalibratorOptions {
  readonly directory: string
  readonly signal: AbortSignal
}

const PAGE_BYTES = 4096
/** The first ones find a cold path. */
const WARM_UP = 10
const HISTOGRAM_BUCKETS_PER_OCTAVE = 4

/** Measured in parts, between the repetitions of a sweep, so that a device which drifts is met as the modes meet it. */
export class Calibrator {
  readonly #options: CalibratorOptions
  readonly #overwrite = new Latencies()
  readonly #append = new Latencies()

  constructor(options: CalibratorOptions) {
    this.#options = options
  }

  /** Measures each of the two for so long. @throws the reason of the signal when it is aborted */
  async measure(seconds: number): Promise<void> {
    await syncPages(this.#options, seconds, () => 0, this.#overwrite)
    await syncPages(this.#options, seconds, (turn) => (turn + 1) * PAGE_BYTES, this.#append)
  }

  /** Of all parts so far; at least one. */
  result(): Calibration {
    const [overwrite, append] = [summaryOf(this.#overwrite), summaryOf(this.#append)]
    return {
      pageBytes: PAGE_BYTES,
      overwrite,
      append,
      limitPerSecond: Math.max(overwrite.perSecond, append.perSecond),
    }
  }
}

/** What is left of so many syncs a second when each takes so much longer. */
export function limitWithDelay(limitPerSecond: number, delayUs: number): number {
  return 1 / (1 / limitPerSecond + delayUs / 1_000_000)
}

async function syncPages(
  { directory, signal }: CalibratorOptions,
  seconds: number,
  placeOf: (turn: number) => number,
  latencies: Latencies,
): Promise<void> {
  const path = join(directory, 'calibration')
  const page = Buffer.alloc(PAGE_BYTES, 0x55)
  const file = openSync(path, 'w')
  try {
    writeSync(file, page, 0, PAGE_BYTES, 0)
    fsyncSync(file)
    const until = performance.now() + seconds * 1000
    let turnEnd = performance.now()
    for (let turn = 0; turn < WARM_UP + 1 || performance.now() < until; turn++) {
      // Signals are heard, and the progress is drawn, in between.
      if (performance.now() - turnEnd > 50) {
        await nextTurn()
        turnEnd = performance.now()
      }
      if (signal.aborted) break
      page.writeUInt32LE(turn, 0)
      const start = performance.now()
      writeSync(file, page, 0, PAGE_BYTES, placeOf(turn))
      fdatasyncSync(file)
      if (turn >= WARM_UP) latencies.add(performance.now() - start)
    }
  } finally {
    closeSync(file)
    rmSync(path)
  }
  signal.throwIfAborted()
}

function summaryOf(latencies: Latencies): SyncLatency {
  return {
    samples: latencies.count,
    medianUs: rounded(latencies.percentileMs(0.5) * 1000, 1),
    p99Us: rounded(latencies.percentileMs(0.99) * 1000, 1),
    meanUs: rounded(latencies.meanMs * 1000, 1),
    perSecond: Math.round(1000 / latencies.meanMs),
    histogram: latencies.buckets(HISTOGRAM_BUCKETS_PER_OCTAVE),
  }
}

/**
 * The measurement of `bench scan`: two stores with the same rows, one row and a hundred in each transaction, are read by
 * the product and by LevelDB alone, in turns.
 *
 * Invariants: product and LevelDB have processes of their own that live through the whole run; each opens the store for
 * its turn, so that no cache of the one serves the other; the first turn of each is not counted; both read all entries.
 */
import { rm } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { deviceOf } from '../fsync/device.js'
import { thisMachine } from '../machine.js'
import { MeasuringChild } from '../measuring-child.js'
import { rounded } from '../samples.js'
import { benchmarkIsWrong } from '../traced-syncs.js'
import { type MeasuredScan, type ScanReport, summarizeScan } from './report.js'
import type { Filled, ReadAnswer, ReadFigures, Reading, ScanRequest } from './requests.js'
import { CATEGORIES } from './scan-table.js'

export interface ScanMeasureOptions {
  /** An empty directory on the device that is measured. */
  readonly directory: string
  readonly rows: number
  readonly repetitions: number
  readonly keep: boolean
  readonly signal: AbortSignal
  readonly onProgress: (phase: string, done: number, of: number) => void
}

const CHILD = fileURLToPath(new URL('scan-child.js', import.meta.url))

interface ReadStore {
  readonly rowsPerTransaction: number
  readonly readings: readonly Reading[]
}

const STORES: readonly ReadStore[] = [
  { rowsPerTransaction: 1, readings: ['primary key', 'index', 'prefix', 'log'] },
  { rowsPerTransaction: 100, readings: ['log'] },
]

/** @throws ReplogError CLOSED when it was stopped; INTERNAL when not everything was read; what a store throws */
export async function measureScan(options: ScanMeasureOptions): Promise<ScanReport> {
  const { directory, rows, repetitions, keep, signal, onProgress } = options
  const before = loadavg()[0]!
  const started: MeasuringChild[] = []
  const start = (): MeasuringChild => {
    const child = MeasuringChild.start({ module: CHILD, signal, onProgress })
    started.push(child)
    return child
  }
  const measured: MeasuredScan[] = []
  try {
    const ask = <Answer>(child: MeasuringChild, request: ScanRequest): Promise<Answer> => child.ask<Answer>(request)
    const [product, bare] = [start(), start()]
    for (const { rowsPerTransaction, readings } of STORES) {
      const path = join(directory, `${rowsPerTransaction}-per-transaction`)
      const { ranges } = await ask<Filled>(product, { kind: 'fill', path, rows, rowsPerTransaction })
      const figures = readings.map((reading) => {
        const own: { product: ReadFigures[]; bare: ReadFigures[] } = { product: [], bare: [] }
        return { reading, ...own }
      })
      const wanted = Object.fromEntries(readings.map((reading) => [reading, ranges[reading]]))
      const turns = {
        product: () => ask<ReadAnswer>(product, { kind: 'product', path, readings }),
        bare: () => ask<ReadAnswer>(bare, { kind: 'bare', path, ranges: wanted }),
      }
      for (let repetition = 0; repetition <= repetitions; repetition++) {
        onProgress(`reading, ${rowsPerTransaction} in each transaction`, repetition, repetitions + 1)
        for (const side of repetition % 2 === 0 ? (['product', 'bare'] as const) : (['bare', 'product'] as const)) {
          const answer = await turns[side]()
          if (repetition === 0) continue
          for (const one of figures) one[side].push(answer[one.reading]!)
        }
      }
      for (const { reading, ...sides } of figures) {
        const place = { reading, rowsPerTransaction }
        for (const { units } of sides.product) requireAll(reading, units, rows)
        measured.push({ place, ...sides })
      }
      if (!keep) await rm(path, { recursive: true })
    }
  } finally {
    for (const child of started) await child.stop()
  }
  return {
    benchmark: 'scan',
    measuredAt: new Date().toISOString(),
    machine: thisMachine(),
    device: await deviceOf(directory),
    loadAverage: { before: rounded(before, 2), after: rounded(loadavg()[0]!, 2) },
    settings: { rows, repetitions },
    series: summarizeScan(measured),
  }
}

/** @throws ReplogError INTERNAL */
function requireAll(reading: Reading, units: number, rows: number): void {
  const expected =
    reading === 'prefix'
      ? Array.from({ length: rows }, (_, ordinal) => ordinal % CATEGORIES).filter((category) => category % 10 === 0)
          .length
      : rows
  if (units !== expected) throw benchmarkIsWrong(`reading by ${reading} found ${units} of ${expected} rows`)
}

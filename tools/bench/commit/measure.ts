/**
 * The measurement of `bench commit`: the proof, a recording of what the product writes, then every cell of the sweep.
 *
 * Invariants
 * - every cell has a new directory, which is removed afterwards unless it is kept;
 * - every side has a process of its own, which lives through the whole run; only one of them does something at a time;
 * - repetitions are interleaved: all cells of one before any of the next, the sides of one load one after another, each
 *   time beginning with another one. So what drifts (the device, the machine) meets all sides alike;
 * - nothing is under way, and no process left, when it returns or throws.
 */
import { rm } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ReplogError } from '../../../core/errors.js'
import { deviceOf } from '../fsync/device.js'
import { rotated } from '../fsync/sweep.js'
import { thisMachine } from '../machine.js'
import { MeasuringChild, heapFlags } from '../measuring-child.js'
import { rounded } from '../samples.js'
import { proveCommit } from './proof.js'
import { type CommitPlace, type CommitReport, type CommitSettings, summarizeCommit } from './report.js'
import type { CellFigures, CellRequest, RecordRequest, RecordingPlace } from './run-cell.js'
import { PRODUCT_SERIES, type SeriesName } from './targets.js'

export interface CommitOptions extends CommitSettings {
  /** An empty directory on the device that is measured. */
  readonly directory: string
  readonly keep: boolean
  readonly signal: AbortSignal
  readonly onProgress: (phase: string, done: number, of: number) => void
}

const CHILD = fileURLToPath(new URL('commit-child.js', import.meta.url))
const SERIES: readonly SeriesName[] = [...PRODUCT_SERIES, 'ceiling']
const RECORDING_COMMITTERS = 1000
const WARM_UP = { committers: 64, transactions: 20_000 } as const

/** @throws ReplogError CLOSED when it was stopped; INTERNAL when the proof fails; what a store throws */
export async function measureCommit(options: CommitOptions): Promise<CommitReport> {
  const { directory, committers, rowBytes, repetitions, transactionsMax, signal, onProgress } = options
  const before = loadavg()[0]!
  onProgress('proving', 0, 1)
  const proof = await proveCommit({ directory, rowBytes, series: SERIES, signal }).catch((error: unknown) => {
    if (signal.aborted) throw new ReplogError('CLOSED', 'the benchmark was stopped', { cause: error })
    throw error
  })
  const places = plan(options)
  const recording: RecordingPlace = {
    file: join(directory, 'recording'),
    transactions: Math.max(...places.map(({ transactions }) => transactions)),
  }
  onProgress('recording', 0, 1)
  await makeRecording(options, recording)
  const children = new Map<SeriesName, MeasuringChild>()
  const figures = new Map<CommitPlace, CellFigures[]>(places.map((place) => [place, []]))
  const measure = (place: CommitPlace, name: string): Promise<CellFigures> =>
    measureCell(children.get(place.series)!, options, place, recording, name)
  try {
    for (const series of SERIES) children.set(series, MeasuringChild.start({ module: CHILD, signal }))
    for (const [at, series] of SERIES.entries()) {
      onProgress('warming up', at, SERIES.length)
      const transactions = Math.min(WARM_UP.transactions, recording.transactions)
      await measure({ series, committers: WARM_UP.committers, transactions }, 'warm-up')
    }
    let done = 0
    for (let repetition = 0; repetition < repetitions; repetition++) {
      for (const place of rotated(places, SERIES.length, repetition)) {
        onProgress('measuring', done++, places.length * repetitions)
        figures.get(place)!.push(await measure(place, String(repetition + 1)))
      }
    }
  } finally {
    for (const child of children.values()) await child.stop()
    await rm(recording.file, { force: true })
  }
  const measured = places.map((place) => ({ place, figures: figures.get(place)! }))
  return {
    benchmark: 'commit',
    measuredAt: new Date().toISOString(),
    machine: thisMachine(),
    device: await deviceOf(directory),
    loadAverage: { before: rounded(before, 2), after: rounded(loadavg()[0]!, 2) },
    settings: {
      committers,
      transactionsMax,
      transactionsPerCommitterMax: options.transactionsPerCommitterMax,
      rowBytes,
      repetitions,
      heapFlags: heapFlags(),
    },
    proof,
    cells: summarizeCommit(measured, rowBytes),
  }
}

/** Every cell once; those of one load side by side. */
function plan({ committers, transactionsMax, transactionsPerCommitterMax }: CommitSettings): CommitPlace[] {
  return committers.flatMap((count) => {
    const transactions = Math.min(transactionsMax, count * transactionsPerCommitterMax)
    return SERIES.map((series) => ({ series, committers: count, transactions }))
  })
}

async function makeRecording({ directory, rowBytes, signal }: CommitOptions, recording: RecordingPlace): Promise<void> {
  const path = join(directory, 'recorded')
  const child = MeasuringChild.start({ module: CHILD, signal })
  try {
    const request: RecordRequest = { kind: 'record', rowBytes, path, committers: RECORDING_COMMITTERS, recording }
    await child.ask(request)
  } finally {
    await child.stop()
  }
  await rm(path, { recursive: true })
}

async function measureCell(
  child: MeasuringChild,
  { directory, rowBytes, keep }: CommitOptions,
  place: CommitPlace,
  recording: RecordingPlace,
  name: string,
): Promise<CellFigures> {
  const path = join(directory, `${place.series}-${place.committers}-committers-${name}`)
  const request: CellRequest = { kind: 'cell', ...place, rowBytes, path, recording }
  try {
    return await child.ask<CellFigures>(request)
  } finally {
    if (!keep) await rm(path, { recursive: true, force: true })
  }
}

/**
 * The measurement of `bench fsync`: the proof, then every cell of the sweep, with a part of the calibration before each
 * repetition.
 *
 * Invariants
 * - every cell starts with an empty store of its own, which is removed afterwards unless it is kept;
 * - repetitions are interleaved: all cells of one repetition before any of the next, and the modes of one load one after
 *   another, each time beginning with another one. So what drifts (the device, the machine) meets all modes alike;
 * - before the first cell that counts every mode has run for a moment, so that none pays for compiling another's code;
 * - nothing is under way, and no store is open, when it returns or throws.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ReplogError } from '../../../core/errors.js'
import { thisMachine } from '../machine.js'
import { Calibrator } from './calibrate.js'
import { type CellLength, type CellResult, runCell } from './cell.js'
import { deviceOf } from './device.js'
import type { ModeName } from './mode.js'
import { MODES } from './modes.js'
import { prove } from './proof.js'
import { type CellPlace, type FsyncReport, type MeasuredCell, gainsOf, summarize } from './report.js'
import { Workload } from './workload.js'

export interface SweepOptions {
  /** An empty directory on the device that is measured. */
  readonly directory: string
  readonly modes: readonly ModeName[]
  readonly committers: readonly number[]
  readonly rowBytes: readonly number[]
  readonly delaysUs: readonly number[]
  readonly length: CellLength
  readonly repetitions: number
  /** Of each way to write, over all repetitions. */
  readonly calibrationSeconds: number
  /** Whether the stores of the cells stay. */
  readonly keep: boolean
  readonly signal: AbortSignal
  readonly onProgress: (phase: string, done: number, of: number) => void
}

const WARM_UP_SECONDS_MAX = 0.1
const WARM_UP_COMMITTERS = 64
/** LevelDB must not begin to compact within a proof, for its syncs are not a commit's. */
const PROOF_ROW_BYTES_MAX = 1000

/** @throws ReplogError CLOSED when it was stopped; INTERNAL when the proof fails; what a mode's store throws */
export async function measureFsync(options: SweepOptions): Promise<FsyncReport> {
  try {
    return await measure(options)
  } catch (error) {
    if (options.signal.aborted) throw new ReplogError('CLOSED', 'the benchmark was stopped', { cause: error })
    throw error
  }
}

async function measure(options: SweepOptions): Promise<FsyncReport> {
  const { directory, modes, committers, rowBytes, delaysUs, length, repetitions, signal, onProgress } = options
  const calibrator = new Calibrator({ directory, signal })
  onProgress('proving', 0, 1)
  const proofRowBytes = Math.min(PROOF_ROW_BYTES_MAX, ...rowBytes)
  const proof = await prove({ directory, rowBytes: proofRowBytes, modes, signal })

  const workloads = new Map<number, Workload>()
  for (const bytes of rowBytes) workloads.set(bytes, await Workload.create(bytes))
  const places = plan(options)
  if ('seconds' in length) {
    const seconds = Math.min(WARM_UP_SECONDS_MAX, length.seconds)
    for (const [at, mode] of modes.entries()) {
      onProgress('warming up', at, modes.length)
      const place = { mode, committers: WARM_UP_COMMITTERS, rowBytes: rowBytes[0]!, delayUs: 0 }
      await measureCell({ ...options, keep: false, length: { seconds } }, place, workloads, 'warm-up')
    }
  }
  const results = new Map<CellPlace, CellResult[]>(places.map((place) => [place, []]))
  let done = 0
  for (let repetition = 0; repetition < repetitions; repetition++) {
    onProgress('calibrating', repetition, repetitions)
    await calibrator.measure(options.calibrationSeconds / repetitions)
    for (const place of rotated(places, modes.length, repetition)) {
      onProgress('measuring', done++, places.length * repetitions)
      results.get(place)!.push(await measureCell(options, place, workloads, String(repetition + 1)))
    }
  }
  const calibration = calibrator.result()
  const measured: MeasuredCell[] = places.map((place) => ({ place, results: results.get(place)! }))
  const cells = summarize(measured, calibration.limitPerSecond)
  return {
    benchmark: 'fsync',
    measuredAt: new Date().toISOString(),
    machine: thisMachine(),
    device: await deviceOf(directory),
    settings: {
      modes,
      committers,
      rowBytes,
      fsyncDelaysUs: delaysUs,
      secondsPerCell: 'seconds' in length ? length.seconds : null,
      transactionsPerCell: 'transactions' in length ? length.transactions : null,
      repetitions,
    },
    calibration,
    proof,
    cells,
    gains: gainsOf(cells),
  }
}

/** Every cell once; those of one load side by side. */
function plan({ modes, committers, rowBytes, delaysUs }: SweepOptions): CellPlace[] {
  return delaysUs.flatMap((delayUs) =>
    rowBytes.flatMap((bytes) =>
      committers.flatMap((count) => modes.map((mode) => ({ mode, committers: count, rowBytes: bytes, delayUs }))),
    ),
  )
}

/** The cells in the order of a repetition: within each load another mode is first, and they all take turns. */
export function rotated<Place>(places: readonly Place[], modes: number, repetition: number): Place[] {
  return places.map((_, at) => {
    const load = Math.floor(at / modes)
    return places[load * modes + ((at + load + repetition) % modes)]!
  })
}

/** Where the store of a cell lies in the directory of the benchmark. */
export function cellName({ mode, committers, rowBytes, delayUs }: CellPlace, repetition: string): string {
  return `${mode}-${committers}-committers-${rowBytes}-bytes-${delayUs}-us-${repetition}`
}

async function measureCell(
  { directory, length, keep, signal }: SweepOptions,
  place: CellPlace,
  workloads: ReadonlyMap<number, Workload>,
  repetition: string,
): Promise<CellResult> {
  const path = join(directory, cellName(place, repetition))
  const workload = workloads.get(place.rowBytes)!
  const mode = await MODES[place.mode].open({ path, workload, delayUs: place.delayUs })
  try {
    return await runCell(mode, place.committers, length, signal)
  } finally {
    await mode.close()
    if (!keep) await rm(path, { recursive: true })
  }
}

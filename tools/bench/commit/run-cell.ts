/** One cell of `bench commit`: one side under one load, in a new directory, which it leaves closed. */
import { join } from 'node:path'
import { Workload } from '../fsync/workload.js'
import { directoryBytes, writtenBytes } from '../written-bytes.js'
import { runCommitters } from './committers.js'
import { Recording } from './recording.js'
import { type CommitTarget, DATABASE_FOLDER, type SeriesName, openCeiling, openProduct, record } from './targets.js'

export interface CellRequest {
  readonly kind: 'cell'
  readonly series: SeriesName
  readonly committers: number
  readonly transactions: number
  readonly rowBytes: number
  /** New. */
  readonly path: string
  readonly recording: RecordingPlace
}

export interface RecordRequest {
  readonly kind: 'record'
  readonly rowBytes: number
  readonly path: string
  readonly committers: number
  readonly recording: RecordingPlace
}

export interface RecordingPlace {
  readonly file: string
  /** That it holds. */
  readonly transactions: number
}

export interface CellFigures {
  /** Committed and counted, warm-up included. */
  readonly transactions: number
  readonly syncs: number
  /** Of the window. */
  readonly throughput: number
  readonly cpuUsPerTransaction: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of the whole cell, until it was closed. */
  readonly bytes: CellBytes
}

/** Null where the system does not tell. */
export interface CellBytes {
  /** Keys and values that LevelDB was given; the ceiling counts them, and every series gives it the same. */
  readonly handed: number | null
  /** Written to files: LevelDB's log, tables and what compactions wrote again. */
  readonly toFiles: number | null
  /** Brought to the device: pages that were synced again count again. */
  readonly toDevice: number | null
  /** Of the files, when it was closed. */
  readonly onDisk: number
}

const workloads = new Map<number, Promise<Workload>>()
let recorded: { readonly file: string; readonly recording: Recording } | undefined

/** @param onMark called before the first and after the last commit */
export async function runCell(request: CellRequest, onMark: () => void = () => undefined): Promise<CellFigures> {
  const { committers, transactions, path } = request
  const before = writtenBytes()
  const target = await openTarget(request)
  let figures: Omit<CellFigures, 'bytes'>
  let handed: number | null
  try {
    globalThis.gc?.()
    onMark()
    const window = await runCommitters((ordinal) => target.commit(ordinal), { committers, transactions })
    onMark()
    handed = target.bytesHanded ?? null
    figures = {
      transactions,
      syncs: target.syncs,
      throughput: window.transactions / window.seconds,
      cpuUsPerTransaction: (window.cpuSeconds * 1e6) / window.transactions,
      p50Ms: window.latencies.percentileMs(0.5),
      p99Ms: window.latencies.percentileMs(0.99),
    }
  } finally {
    await target.close()
  }
  const after = writtenBytes()
  const written = before === undefined || after === undefined ? undefined : { before, after }
  const bytes: CellBytes = {
    handed,
    toFiles: written === undefined ? null : written.after.toFiles - written.before.toFiles,
    toDevice: written === undefined ? null : written.after.toDevice - written.before.toDevice,
    onDisk: await directoryBytes(join(path, DATABASE_FOLDER)),
  }
  return { ...figures, bytes }
}

export async function makeRecording({ rowBytes, path, committers, recording }: RecordRequest): Promise<object> {
  const { file, transactions } = recording
  await record(path, await workloadOf(rowBytes), { transactions, committers, file })
  return {}
}

async function openTarget({ series, path, rowBytes, recording }: CellRequest): Promise<CommitTarget> {
  if (series !== 'ceiling') return openProduct(path, series, await workloadOf(rowBytes))
  const { file, transactions } = recording
  if (recorded?.file !== file) recorded = { file, recording: await Recording.read(file, transactions) }
  return openCeiling(path, recorded.recording)
}

function workloadOf(rowBytes: number): Promise<Workload> {
  const known = workloads.get(rowBytes) ?? Workload.create(rowBytes)
  workloads.set(rowBytes, known)
  return known
}

/**
 * That both sides of `bench commit` do what they say, before anything is measured: each commits a few transactions, by one
 * committer and by many, in a process of its own under strace.
 *
 * - the syncs that a side counts are those that the kernel saw;
 * - opened again, every side holds the transactions that were asked for: as many rows, index entries and frames, and rows
 *   and index entries are the same keys and bytes on every side.
 *
 * Where either does not hold, the benchmark is wrong, and says so instead of printing numbers.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LSN_ZERO } from '../../../core/position.js'
import { openDataDirectory } from '../../../store/data-directory.js'
import type { Engine } from '../../../store/engine.js'
import { logRange } from '../../../store/keys.js'
import { LevelEngine } from '../../../store/level-engine.js'
import { engineContents, entriesOf } from '../fsync/contents.js'
import { Workload } from '../fsync/workload.js'
import { benchmarkIsWrong, traceSyncs } from '../traced-syncs.js'
import { type CellFigures, type CellRequest, type RecordingPlace, runCell } from './run-cell.js'
import { DATABASE_FOLDER, type SeriesName, record } from './targets.js'

export interface ProvenCell {
  readonly series: SeriesName
  readonly committers: number
  readonly transactions: number
  /** As the side counts them. */
  readonly syncs: number
  /** As the kernel saw them; null where nobody looked. */
  readonly kernelSyncs: number | null
  /** After it was closed and opened again. */
  readonly rows: number
  readonly indexEntries: number
  readonly frames: number
}

export interface CommitProof {
  /** Why the kernel's count is missing; null when it is there. */
  readonly notTraced: string | null
  readonly cells: readonly ProvenCell[]
}

export interface ProofOptions {
  readonly directory: string
  readonly rowBytes: number
  readonly series: readonly SeriesName[]
  readonly signal: AbortSignal
  readonly searchPath?: string
}

const CHILD = fileURLToPath(new URL('proof-child.js', import.meta.url))
const LOADS = [
  { committers: 1, transactions: 5 },
  { committers: 16, transactions: 32 },
] as const
const TRANSACTIONS_MAX = 32

/** @throws ReplogError INTERNAL when a side does not do what it says */
export async function proveCommit(options: ProofOptions): Promise<CommitProof> {
  const { rowBytes, series, signal, searchPath } = options
  const directory = join(options.directory, 'proof')
  const workload = await Workload.create(rowBytes)
  const recording: RecordingPlace = { file: join(options.directory, 'proof-recording'), transactions: TRANSACTIONS_MAX }
  await record(join(directory, 'recorded'), workload, { ...recording, committers: 16 })
  const requests = series.flatMap((name): CellRequest[] =>
    LOADS.map(({ committers, transactions }) => ({
      kind: 'cell',
      series: name,
      committers,
      transactions,
      rowBytes,
      path: join(directory, `${name}-${committers}`),
      recording,
    })),
  )
  const args = [CHILD, JSON.stringify(requests)]
  const traced = await traceSyncs({ args, directory: options.directory, signal, searchPath })
  const figures = typeof traced === 'string' ? await runAll(requests) : (JSON.parse(traced.output) as CellFigures[])
  const cells: ProvenCell[] = []
  const digests = new Map<number, string>()
  for (const [at, request] of requests.entries()) {
    const { committers, transactions } = request
    const { rows, indexEntries, frames, digest } = await contentsOf(request, workload)
    const kernelSyncs = typeof traced === 'string' ? null : traced.windows[at]!
    const cell: ProvenCell = {
      series: request.series,
      committers,
      transactions,
      syncs: figures[at]!.syncs,
      kernelSyncs,
      rows,
      indexEntries,
      frames,
    }
    checkCell(cell)
    if ((digests.get(transactions) ?? digest) !== digest) {
      throw benchmarkIsWrong(`${request.series} does not write the same keys and bytes as the other sides`)
    }
    digests.set(transactions, digest)
    cells.push(cell)
  }
  await rm(directory, { recursive: true })
  await rm(recording.file)
  return { notTraced: typeof traced === 'string' ? traced : null, cells }
}

/** @throws ReplogError INTERNAL */
export function checkCell(cell: ProvenCell): void {
  const { series, committers, transactions, syncs, kernelSyncs, rows, indexEntries, frames } = cell
  const load = `${series} with ${committers} committers`
  if (kernelSyncs !== null && kernelSyncs !== syncs) {
    throw benchmarkIsWrong(`${load}: it counted ${syncs} syncs and the kernel ${kernelSyncs}`)
  }
  if (rows !== transactions || indexEntries !== transactions || frames !== transactions) {
    throw benchmarkIsWrong(
      `${load}: it acknowledged ${transactions} transactions and holds ${rows} rows, ${indexEntries} index entries and ` +
        `${frames} frames`,
    )
  }
}

async function runAll(requests: readonly CellRequest[]): Promise<CellFigures[]> {
  const figures: CellFigures[] = []
  for (const request of requests) figures.push(await runCell(request))
  return figures
}

async function contentsOf(
  { series, path }: CellRequest,
  workload: Workload,
): Promise<{ rows: number; indexEntries: number; frames: number; digest: string }> {
  const folder = join(path, DATABASE_FOLDER)
  const engine: Engine =
    series === 'ceiling' ? await LevelEngine.open(folder) : (await openDataDirectory(folder)).engine
  try {
    let frames = 0
    for await (const { key } of entriesOf(engine, logRange(LSN_ZERO))) if (isOfRows(key, workload)) frames++
    return { ...(await engineContents(engine, workload.table)), frames }
  } finally {
    await engine.close()
  }
}

/** Frames before the first row made the catalog and the table. */
function isOfRows(key: Buffer, { start }: Workload): boolean {
  return key.readBigUInt64BE(1) > start.lsn
}

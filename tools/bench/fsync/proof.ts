/**
 * That the modes do what they say, before anything is measured: each commits a few transactions, once by one committer
 * and once by many, in a process of its own under strace.
 *
 * - the syncs that the mode counts are those that the kernel saw;
 * - after it was closed and opened again, its rows, index entries and messages are the transactions it acknowledged.
 *
 * Where either does not hold, the benchmark is wrong, and says so instead of printing numbers. Where strace is not
 * there, or may not trace, the syncs stay unproven, and the report says that.
 *
 * Opening, closing and recovery are left out of both counts (see `traced-syncs.ts`).
 */
import { fileURLToPath } from 'node:url'
import { benchmarkIsWrong as wrong, traceSyncs } from '../traced-syncs.js'
import type { ModeName } from './mode.js'
import { type ProvenRun, runProof } from './proof-run.js'

export interface ModeProof extends ProvenRun {
  /** Successful fsync and fdatasync calls that the kernel saw; null where nobody looked. */
  readonly kernelSyncs: number | null
}

export interface Proof {
  /** Why the kernel's count is missing; null when it is there. */
  readonly notTraced: string | null
  readonly runs: readonly ModeProof[]
}

export interface ProofOptions {
  readonly directory: string
  readonly rowBytes: number
  readonly modes: readonly ModeName[]
  readonly signal: AbortSignal
  /** Directories in which strace is looked for; those of PATH when left out. */
  readonly searchPath?: string
}

const CHILD = fileURLToPath(new URL('proof-child.js', import.meta.url))

/** @throws ReplogError INTERNAL when a mode does not do what it says */
export async function prove(options: ProofOptions): Promise<Proof> {
  const traced = await traceRuns(options)
  const proof: Proof =
    typeof traced === 'string'
      ? {
          notTraced: traced,
          runs: (await runProof(options)).map((run) => ({ ...run, kernelSyncs: null })),
        }
      : { notTraced: null, runs: traced }
  for (const run of proof.runs) check(run)
  return proof
}

/** @throws ReplogError INTERNAL */
export function check(run: ModeProof): void {
  const { mode, committers, transactions, syncs, kernelSyncs, rows, indexEntries, messages } = run
  const load = `mode ${mode}, ${committers} committers`
  if (kernelSyncs !== null && kernelSyncs !== syncs) {
    throw wrong(`${load}: it counted ${syncs} syncs and the kernel ${kernelSyncs}`)
  }
  if (rows !== transactions || indexEntries !== transactions || (messages !== null && messages !== transactions)) {
    throw wrong(
      `${load}: it acknowledged ${transactions} transactions and holds ${rows} rows, ${indexEntries} index entries and ` +
        `${messages ?? 'no'} messages`,
    )
  }
}

/** The runs with what the kernel saw, or why it could not be asked. */
async function traceRuns(options: ProofOptions): Promise<ModeProof[] | string> {
  const { directory, rowBytes, modes, signal, searchPath } = options
  const args = [CHILD, directory, String(rowBytes), modes.join(',')]
  const traced = await traceSyncs({ args, directory, signal, searchPath })
  if (typeof traced === 'string') return traced
  const { output, windows } = traced
  const runs = JSON.parse(output) as ProvenRun[]
  if (windows.length !== runs.length) throw wrong(`${runs.length} runs left ${windows.length} windows in the trace`)
  return runs.map((run, at) => ({ ...run, kernelSyncs: windows[at]! }))
}

/** The runs of a proof (see `proof.ts`): each mode commits a known number of transactions and is read back. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runCell } from './cell.js'
import type { ModeName } from './mode.js'
import { MODES } from './modes.js'
import { Workload } from './workload.js'

export interface ProvenRun {
  readonly mode: ModeName
  readonly committers: number
  readonly transactions: number
  /** As the mode counts them. */
  readonly syncs: number
  /** After it was closed and opened again. */
  readonly rows: number
  readonly indexEntries: number
  /** Null where nothing is logged. */
  readonly messages: number | null
}

export interface ProofRunOptions {
  readonly directory: string
  readonly rowBytes: number
  readonly modes: readonly ModeName[]
  readonly signal: AbortSignal
  /** Called before the first and after the last commit of each run. */
  readonly onMark?: () => void
}

const LOADS = [
  { committers: 1, transactions: 5 },
  { committers: 16, transactions: 32 },
] as const

export async function runProof(options: ProofRunOptions): Promise<ProvenRun[]> {
  const { directory, rowBytes, modes, signal, onMark = () => undefined } = options
  const workload = await Workload.create(rowBytes)
  const runs: ProvenRun[] = []
  for (const name of modes) {
    for (const { committers, transactions } of LOADS) {
      const context = { path: join(directory, `proof-${name}-${committers}`), workload, delayUs: 0 }
      const mode = await MODES[name].open(context)
      let syncs: number
      try {
        onMark()
        const result = await runCell(mode, committers, { transactions }, signal)
        onMark()
        syncs = result.syncs
      } finally {
        await mode.close()
      }
      const reopened = await MODES[name].open(context)
      try {
        const { rows, indexEntries, messages = null } = await reopened.contents()
        runs.push({ mode: name, committers, transactions, syncs, rows, indexEntries, messages })
      } finally {
        await reopened.close()
      }
      await rm(context.path, { recursive: true })
    }
  }
  return runs
}

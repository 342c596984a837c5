/**
 * The measurement of `bench apply`: in each repetition a primary commits a log, a replica copies it over a socket, and the
 * applier alone is fed with it. So both sides of the ratio are minutes apart at most, and meet the same device.
 *
 * Invariants: the three have processes of their own that live through the whole run, so their code is compiled when it
 * counts; only what is measured does something (while a replica copies, its primary serves it); a replica that does not
 * end at its primary's position makes the benchmark wrong.
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
import { type ApplyRepetition, type ApplyReport, summarizeApply } from './report.js'
import type { Applied, FilledPrimary, PrimaryRequest, PrimaryUsage, ReplicaRequest } from './requests.js'

export interface ApplyOptions {
  /** An empty directory on the device that is measured. */
  readonly directory: string
  readonly transactions: number
  readonly committers: number
  readonly rowBytes: number
  readonly repetitions: number
  readonly keep: boolean
  readonly signal: AbortSignal
  readonly onProgress: (phase: string, done: number, of: number) => void
}

const PRIMARY = fileURLToPath(new URL('primary-child.js', import.meta.url))
const REPLICA = fileURLToPath(new URL('replica-child.js', import.meta.url))
const WARM_UP_TRANSACTIONS = 20_000

interface Children {
  readonly primary: MeasuringChild
  readonly replica: MeasuringChild
  readonly applier: MeasuringChild
}

/** @throws ReplogError CLOSED when it was stopped; INTERNAL when a replica is not like its primary; what a store throws */
export async function measureApply(options: ApplyOptions): Promise<ApplyReport> {
  const { directory, transactions, committers, rowBytes, repetitions, signal, onProgress } = options
  const before = loadavg()[0]!
  const started: MeasuringChild[] = []
  const start = (module: string): MeasuringChild => {
    const child = MeasuringChild.start({ module, signal })
    started.push(child)
    return child
  }
  const measured: ApplyRepetition[] = []
  try {
    const children: Children = { primary: start(PRIMARY), replica: start(REPLICA), applier: start(REPLICA) }
    onProgress('warming up', 0, 1)
    const warmUp = { ...options, transactions: Math.min(WARM_UP_TRANSACTIONS, transactions) }
    await repeat(children, warmUp, 'warm-up', () => undefined)
    for (let repetition = 0; repetition < repetitions; repetition++) {
      const onPhase = (phase: string, at: number): void => {
        onProgress(phase, repetition * 3 + at, repetitions * 3)
      }
      measured.push(await repeat(children, options, String(repetition + 1), onPhase))
    }
  } finally {
    for (const child of started) await child.stop()
  }
  return {
    benchmark: 'apply',
    measuredAt: new Date().toISOString(),
    machine: thisMachine(),
    device: await deviceOf(directory),
    loadAverage: { before: rounded(before, 2), after: rounded(loadavg()[0]!, 2) },
    settings: { transactions, committers, rowBytes, repetitions },
    ...summarizeApply(measured),
  }
}

async function repeat(
  { primary, replica, applier }: Children,
  { directory, transactions, committers, rowBytes, keep }: ApplyOptions,
  name: string,
  onPhase: (phase: string, at: number) => void,
): Promise<ApplyRepetition> {
  const path = (of: string): string => join(directory, `${of}-${name}`)
  const framesFile = path('frames')
  const askPrimary = <Answer>(request: PrimaryRequest): Promise<Answer> => primary.ask<Answer>(request)
  const askReplica = async (child: MeasuringChild, request: ReplicaRequest): Promise<Applied> => {
    const applied = await child.ask<Applied>(request)
    if (applied.position === request.position) return applied
    throw benchmarkIsWrong(`the replica ended at ${applied.position} and its primary at ${request.position}`)
  }
  onPhase('committing', 0)
  const filled = await askPrimary<FilledPrimary>({
    kind: 'fill',
    path: path('primary'),
    committers,
    transactions,
    rowBytes,
    framesFile,
  })
  const { url, position, clusterIdHex } = filled
  onPhase('replicating', 1)
  await askPrimary<PrimaryUsage>({ kind: 'usage' })
  const followed = await askReplica(replica, { kind: 'follow', path: path('replica'), url, position })
  const { cpuSeconds } = await askPrimary<PrimaryUsage>({ kind: 'usage' })
  await askPrimary({ kind: 'close' })
  onPhase('applying alone', 2)
  const alone = await askReplica(applier, { kind: 'apply', path: path('applier'), framesFile, clusterIdHex, position })
  if (!keep) for (const of of ['primary', 'replica', 'applier', 'frames']) await rm(path(of), { recursive: true })
  return { commit: filled, replica: followed, primaryCpuSeconds: cpuSeconds, applier: alone }
}

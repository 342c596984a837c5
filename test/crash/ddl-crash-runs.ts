/**
 * One run of a scenario of definition statements, whole or up to a crash point, on a primary or on a replica.
 *
 * Time stands still, so a run that is cut off and goes on after the restart ends with the very bytes of one that was not.
 */
import { setImmediate } from 'node:timers/promises'
import { Replica } from '../../replica/replica.js'
import { Primary } from '../../primary/primary.js'
import { LogCursor } from '../../log/log-cursor.js'
import { openState } from '../../log/open-state.js'
import { systemClock } from '../../core/clock.js'
import { type Lsn, LSN_ZERO } from '../../core/position.js'
import type { MemoryEngine } from '../../store/memory-engine.js'
import { ManualClock } from '../primary/manual-clock.js'
import type { FakeLink } from '../replication/fake-primary.js'
import { type CrashPoint, CutEngine, type PassedBatch } from './cut-engine.js'
import type { LimitOptions } from '../../primary/limit-options.js'
import type { Scenario, Work } from './ddl-scenarios.js'

const PATH = '/memory'
const PAUSE_MS_MAX = 100

/** Its time stands still, and short pauses end all the same: a job waits in them until a reader of the server's own has gone. */
class StandingClock extends ManualClock {
  override after(delayMs: number, callback: () => void): () => void {
    return delayMs <= PAUSE_MS_MAX ? systemClock.after(delayMs, callback) : super.after(delayMs, callback)
  }
}

/** What a run left behind. */
export interface Run {
  /** What a restart opens. */
  readonly engine: MemoryEngine
  readonly passed: readonly PassedBatch[]
  /** Transactions whose caller was told that they are durable. */
  readonly told: number
  /** Those that may have been told, and those that are durable. */
  readonly acknowledged: number
  readonly durable: number
  /** False when the run ended before it came to its point. */
  readonly wasCut: boolean
}

export function openPrimary(
  engine: MemoryEngine | CutEngine,
  limits: LimitOptions = {},
  onError?: (error: unknown) => void,
): Promise<Primary> {
  const clock = new StandingClock()
  return Primary.open({ path: PATH, engine, clock, limits, ...(onError === undefined ? {} : { onError }) })
}

/** Runs the first transactions of a scenario, and its jobs to their end. */
export async function runPrimary(
  base: MemoryEngine,
  { limits }: Scenario,
  transactions: readonly Work[],
  point?: CrashPoint,
): Promise<Run> {
  const engine = new CutEngine(base, point)
  const primary = await openPrimary(engine, limits)
  let told = 0
  const work = async (): Promise<void> => {
    for (const transaction of transactions) {
      await transaction(primary)
      told++
    }
    await primary.jobsDone()
  }
  return runUntilCut(
    engine,
    work,
    () => primary.close(),
    () => told,
  )
}

/** A log, or the beginning of one. */
export class LogSource {
  readonly clusterId: Buffer
  readonly #transactions: readonly Buffer[]

  /** The frames of each transaction, from LSN 1 on. */
  constructor(clusterId: Buffer, transactions: readonly Buffer[]) {
    this.clusterId = clusterId
    this.#transactions = transactions
  }

  get head(): Lsn {
    return BigInt(this.#transactions.length) as Lsn
  }

  framesBehind(lsn: bigint): readonly Buffer[] {
    return this.#transactions.slice(Number(lsn))
  }

  lsnsBehind(lsn: bigint): readonly Lsn[] {
    return this.framesBehind(lsn).map((_, ordinal) => (lsn + 1n + BigInt(ordinal)) as Lsn)
  }

  upTo(lsn: Lsn): LogSource {
    return new LogSource(this.clusterId, this.#transactions.slice(0, Number(lsn)))
  }
}

/** The log of a store, for sending it a transaction at a time. */
export async function logOf(engine: MemoryEngine): Promise<LogSource> {
  const state = await openState({ path: PATH, role: 'primary', engine: engine.crash() })
  try {
    const transactions: Buffer[] = []
    const cursor = new LogCursor(state, LSN_ZERO)
    while (!cursor.atHead) {
      const lsn = cursor.nextLsn
      const segments: Buffer[] = []
      while (cursor.nextLsn === lsn) segments.push((await cursor.read(1)).bytes)
      transactions.push(Buffer.concat(segments))
    }
    return new LogSource(state.identity.clusterId!, transactions)
  } finally {
    await state.close()
  }
}

/** A link that a test takes hold of when a replica has connected. */
export interface Links {
  readonly url: string
  readonly connected: () => Promise<FakeLink>
}

/**
 * Sends a replica a log a transaction at a time, each when all jobs have gone as far as they can: so its batches are the
 * same in every run.
 */
export async function runReplica(base: MemoryEngine, log: LogSource, links: Links, point?: CrashPoint): Promise<Run> {
  const engine = new CutEngine(base, point)
  const replica = await Replica.open({ path: PATH, engine, from: links.url })
  const work = async (): Promise<void> => {
    const link = await links.connected()
    link.welcome(log.clusterId, log.head)
    let { lsn } = replica.position
    for (const frames of log.framesBehind(lsn)) {
      link.frames(frames)
      await replica.waitFor(++lsn as Lsn)
      await replica.jobsDone()
    }
  }
  return runUntilCut(
    engine,
    work,
    () => replica.close(),
    () => 0,
  )
}

async function runUntilCut(
  engine: CutEngine,
  work: () => Promise<void>,
  close: () => Promise<void>,
  told: () => number,
): Promise<Run> {
  const working = work().then(() => false)
  // Of what comes behind the cut only the owner of the power switch hears.
  working.catch(() => undefined)
  const wasCut = await Promise.race([engine.reached.then(() => true), working])
  // Whoever would be told too early is told by now.
  for (let turn = 0; turn < 3; turn++) await setImmediate()
  const { passed, acknowledged, durable } = engine
  const run = { passed: [...passed], told: told(), acknowledged, durable, wasCut }
  if (wasCut) {
    const found = engine.powerOff()
    await close()
    await working.catch(() => undefined)
    return { ...run, engine: found }
  }
  await close()
  return { ...run, engine: engine.powerOff() }
}

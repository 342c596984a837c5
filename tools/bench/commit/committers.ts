/**
 * The load of `bench commit`: so many committers, each of which commits one transaction after another, until a number of
 * transactions is through. The same for every side of the comparison.
 *
 *   warm-up ── window: from the end of the warm-up until no new transaction is begun ── those under way end
 *
 * Within the window every committer is busy, so groups are as large as they get. With few transactions for each committer
 * there is no such time, and the window is the whole run.
 *
 * Invariant: exactly `transactions` ordinals are committed, each once; a fault of a commit ends the run with that fault.
 */
import assert from 'node:assert/strict'
import { Latencies } from '../fsync/latency.js'

export interface CommittedWindow {
  readonly transactions: number
  readonly seconds: number
  /** Of all threads of this process, the committers included. */
  readonly cpuSeconds: number
  readonly latencies: Latencies
}

/** This share of the transactions goes before the window: code is compiled and groups find their size. */
const WARM_UP_SHARE = 0.2
/** With fewer transactions for each committer the window is the whole run. */
const ROUNDS_MIN = 5

interface Mark {
  readonly committed: number
  readonly atMs: number
  readonly cpuUs: number
}

/** @throws what a commit threw */
export async function runCommitters(
  commit: (ordinal: number) => Promise<unknown>,
  { committers, transactions }: { readonly committers: number; readonly transactions: number },
): Promise<CommittedWindow> {
  const isLong = transactions >= committers * ROUNDS_MIN
  const warmUp = isLong ? Math.floor(transactions * WARM_UP_SHARE) : 0
  const latencies = new Latencies()
  let next = 0
  let committed = 0
  let failure: Error | undefined
  let from = markAt(0)
  let to: Mark | undefined

  const committer = async (): Promise<void> => {
    while (next < transactions && failure === undefined) {
      const ordinal = next++
      if (next === transactions && isLong) to = markAt(committed)
      const startMs = performance.now()
      await commit(ordinal)
      committed++
      if (committed > warmUp) latencies.add(performance.now() - startMs)
      else if (committed === warmUp) from = markAt(committed)
    }
  }
  await Promise.all(
    Array.from({ length: Math.min(committers, transactions) }, () =>
      committer().catch((error: unknown) => {
        assert(error instanceof Error, 'what is thrown is an error')
        failure ??= error
      }),
    ),
  )
  if (failure !== undefined) throw failure
  assert(committed === transactions, 'every transaction was committed')
  const end = to ?? markAt(committed)
  return {
    transactions: end.committed - from.committed,
    seconds: (end.atMs - from.atMs) / 1000,
    cpuSeconds: (end.cpuUs - from.cpuUs) / 1e6,
    latencies,
  }
}

function markAt(committed: number): Mark {
  const { user, system } = process.cpuUsage()
  return { committed, atMs: performance.now(), cpuUs: user + system }
}

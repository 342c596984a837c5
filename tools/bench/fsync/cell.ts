/**
 * One cell of the sweep: one mode, so many committers, each of which commits one transaction after another.
 *
 *   open ── warm-up ── window that is measured ── stop ── those under way end ── close
 *
 * Throughput and latencies are of the window; transactions and syncs are counted from the opening to the end of the last
 * transaction, so that their ratio is exact. Latency is the time from the call of `commit` to its return, waiting in line
 * included, as a client would see it.
 *
 * Invariants
 * - a cell committed exactly `transactions` rows, and its store holds them;
 * - a window holds at least one transaction: it is prolonged until one has ended;
 * - a fault of a commit ends the cell with that fault.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { isReplogError } from '../../../core/errors.js'
import { Latencies } from './latency.js'
import type { OpenMode } from './mode.js'

/** How long: by time, or by a number of transactions, which is exact and what tests want. */
export type CellLength = { readonly seconds: number } | { readonly transactions: number }

export interface CellResult {
  /** Committed, warm-up included. */
  readonly transactions: number
  /** Calls made for them. */
  readonly syncs: number
  /** Of the window. */
  readonly seconds: number
  readonly throughput: number
  readonly syncsPerSecond: number
  readonly latencies: Latencies
}

/** This share of the time goes before the window: code is compiled and groups find their size. */
const WARM_UP_SHARE = 0.2

interface Run {
  next: number
  committed: number
  latencies: Latencies
  stopped: boolean
  failure: Error | undefined
  /** Called after a commit, and when there will be no more. */
  onTurn: () => void
}

interface Window {
  readonly committed: number
  readonly syncs: number
  readonly seconds: number
  readonly latencies: Latencies
}

/** @throws what a commit threw; the reason of `signal` when it is aborted, with nothing under way any more */
export async function runCell(
  mode: OpenMode,
  committers: number,
  length: CellLength,
  signal: AbortSignal,
): Promise<CellResult> {
  const run: Run = {
    next: 0,
    committed: 0,
    latencies: new Latencies(),
    stopped: false,
    failure: undefined,
    onTurn: () => undefined,
  }
  const last = 'transactions' in length ? length.transactions : Number.POSITIVE_INFINITY
  const started = performance.now()
  const ended = Promise.all(Array.from({ length: Math.min(committers, last) }, () => commitInTurn(mode, run, last)))
  let window: Window | undefined
  try {
    if ('seconds' in length) window = await measureWindow(mode, run, length.seconds * 1000, ended, signal)
    else await ended
  } finally {
    run.stopped = true
    // With a number of transactions all have ended by themselves.
    if ('seconds' in length) mode.stop()
    await ended
  }
  if (run.failure !== undefined) throw run.failure
  const { committed, latencies } = run
  const { syncs } = mode
  window ??= { committed, syncs, latencies, seconds: (performance.now() - started) / 1000 }
  return {
    transactions: committed,
    syncs,
    seconds: window.seconds,
    throughput: window.committed / window.seconds,
    syncsPerSecond: window.syncs / window.seconds,
    latencies: window.latencies,
  }
}

async function measureWindow(
  mode: OpenMode,
  run: Run,
  windowMs: number,
  ended: Promise<unknown>,
  signal: AbortSignal,
): Promise<Window> {
  await pause(windowMs * WARM_UP_SHARE, ended, signal)
  const [committed, syncs, from] = [run.committed, mode.syncs, performance.now()]
  run.latencies = new Latencies()
  await pause(windowMs, ended, signal)
  while (run.latencies.count === 0 && run.failure === undefined) {
    await Promise.race([ended, new Promise<void>((resolve) => (run.onTurn = resolve))])
  }
  const { latencies } = run
  // Those that end from here on are counted, but do not belong to the window.
  run.latencies = new Latencies()
  return {
    committed: run.committed - committed,
    syncs: mode.syncs - syncs,
    seconds: (performance.now() - from) / 1000,
    latencies,
  }
}

/** Never rejects: the first fault is kept, and ends the others. */
async function commitInTurn(mode: OpenMode, run: Run, last: number): Promise<void> {
  while (!run.stopped && run.next < last) {
    const started = performance.now()
    try {
      await mode.commit(run.next++)
    } catch (error) {
      assert(error instanceof Error, 'what is thrown is an error')
      if (!(run.stopped && isReplogError(error, 'CLOSED'))) run.failure ??= error
      run.stopped = true
      run.onTurn()
      return
    }
    run.committed++
    run.latencies.add(performance.now() - started)
    run.onTurn()
  }
}

/** For so long, or until all have ended. @throws the reason of the signal */
async function pause(milliseconds: number, ended: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  try {
    await Promise.race([ended, sleep(milliseconds, undefined, { signal: AbortSignal.any([signal, over.signal]) })])
  } finally {
    // A timer that is left would keep the process.
    over.abort()
  }
}

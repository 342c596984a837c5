/**
 * The measurement of `bench open`: one log grows, and a copy of its store is kept at each length; then all of them are
 * opened in turns.
 *
 *   replog primary starts, stops ── opened by a new process, commits, killed ── opened again, commits, closed
 *
 * Invariants: every opening is the first thing that its process does; stores of all lengths take turns within a
 * repetition; what was committed before a kill is there afterwards.
 */
import { cp, rename, rm } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ReplogError } from '../../../core/errors.js'
import { ChildServer } from '../../pair/child-server.js'
import type { Terminal } from '../../terminal.js'
import { deviceOf } from '../fsync/device.js'
import { thisMachine } from '../machine.js'
import { MeasuringChild } from '../measuring-child.js'
import { rounded } from '../samples.js'
import { benchmarkIsWrong } from '../traced-syncs.js'
import { type OpenFigures, type OpenReport, summarizeOpen } from './report.js'
import type { Grown, Opened, OpenRequest } from './requests.js'

export interface OpenMeasureOptions {
  /** An empty directory on the device that is measured. */
  readonly directory: string
  /** Lengths of the log, from the shortest. */
  readonly transactions: readonly number[]
  /** After each opening. */
  readonly commits: number
  readonly repetitions: number
  readonly keep: boolean
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly onProgress: (phase: string, done: number, of: number) => void
}

const CHILD = fileURLToPath(new URL('open-child.js', import.meta.url))
const GROW_COMMITTERS = 1000

interface Store {
  readonly path: string
  readonly grown: Grown
  readonly figures: OpenFigures[]
}

/** @throws ReplogError CLOSED when it was stopped; INTERNAL when a commit is lost; what a store throws */
export async function measureOpen(options: OpenMeasureOptions): Promise<OpenReport> {
  const { directory, commits, repetitions, keep, signal, onProgress } = options
  const before = loadavg()[0]!
  const transactions = [...options.transactions].sort((left, right) => left - right)
  const stores = await growStores(options, transactions)
  let done = 0
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (let turn = 0; turn < stores.length; turn++) {
      const store = stores[(turn + repetition) % stores.length]!
      if (signal.aborted) throw new ReplogError('CLOSED', 'the benchmark was stopped')
      onProgress('opening', done++, stores.length * repetitions)
      store.figures.push(await measureOnce(store, options))
    }
  }
  if (!keep) for (const { path } of stores) await rm(path, { recursive: true })
  return {
    benchmark: 'open',
    measuredAt: new Date().toISOString(),
    machine: thisMachine(),
    device: await deviceOf(directory),
    loadAverage: { before: rounded(before, 2), after: rounded(loadavg()[0]!, 2) },
    settings: { transactions, commits, repetitions },
    points: summarizeOpen(stores),
  }
}

async function growStores(options: OpenMeasureOptions, transactions: readonly number[]): Promise<Store[]> {
  const { directory, signal, onProgress } = options
  const growing = join(directory, 'growing')
  const stores: Store[] = []
  const child = MeasuringChild.start({ module: CHILD, signal, onProgress })
  try {
    for (const count of transactions) {
      const request: OpenRequest = { kind: 'grow', path: growing, transactions: count, committers: GROW_COMMITTERS }
      const grown = await child.ask<Grown>(request)
      const path = join(directory, `${count}-transactions`)
      if (count === transactions.at(-1)) await rename(growing, path)
      else await cp(growing, path, { recursive: true })
      stores.push({ path, grown, figures: [] })
    }
    return stores
  } finally {
    await child.stop()
  }
}

async function measureOnce({ path }: Store, options: OpenMeasureOptions): Promise<OpenFigures> {
  const programMs = await startProgram(path, options)
  const clean = await openOnce(path, options, true)
  const killed = await openOnce(path, options, false)
  if (killed.transactions <= clean.transactions) {
    throw benchmarkIsWrong(`the log had ${clean.transactions} transactions and after a kill ${killed.transactions}`)
  }
  return { programMs, clean, killed }
}

async function startProgram(path: string, { terminal }: OpenMeasureOptions): Promise<number> {
  const startMs = performance.now()
  const server = await ChildServer.start('primary', ['--data', path, '--port', '0'], terminal, (error) => {
    terminal.note(`error: ${error.message}`)
  })
  const programMs = performance.now() - startMs
  await server.stop()
  return programMs
}

async function openOnce(path: string, { commits, signal }: OpenMeasureOptions, dies: boolean): Promise<Opened> {
  const child = MeasuringChild.start({ module: CHILD, signal })
  try {
    const request: OpenRequest = { kind: 'open', path, commits, dies }
    return await child.ask<Opened>(request)
  } finally {
    await (dies ? child.kill() : child.stop())
  }
}

/** The load of rotating blades: its clients spread over processes, and what all of them counted together. */
import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { LoadGroup } from '../load/load-group.js'
import { shareOut } from '../load/share-out.js'
import type { LoadPartResult, LoadShare } from './load-share.js'
import { Tally } from './tally.js'

const PROGRAM = fileURLToPath(new URL('load-process.js', import.meta.url))

export interface LoadOptions {
  readonly target: LoadShare['target']
  readonly clients: number
  readonly runs: number
  readonly form: LoadShare['form']
  readonly timeoutMs: number
  readonly processes: number
  /** Its reason ends the load. */
  readonly signal: AbortSignal
  readonly onConnected: (connections: number) => void
  readonly onProgress: (runs: number) => void
}

export interface LoadResult {
  readonly tally: Tally
  /** Of the last acknowledged commit, on the clock of `process.hrtime`. */
  readonly lastCommitNs: bigint
  /** Processor time of all load processes. */
  readonly cpuSeconds: number
}

export class Load {
  readonly #group: LoadGroup<LoadShare, LoadPartResult>
  readonly #runs: number

  private constructor(group: LoadGroup<LoadShare, LoadPartResult>, runs: number) {
    this.#group = group
    this.#runs = runs
  }

  /** Resolves when every connection is open. @throws ReplogError of a load process; the signal's reason */
  static async connect(options: LoadOptions): Promise<Load> {
    const { target, clients, runs, form, timeoutMs, processes, signal, onConnected, onProgress } = options
    const group = await LoadGroup.connect<LoadShare, LoadPartResult>({
      program: PROGRAM,
      shares: shareOut(clients, processes).map(({ first, count }) => ({
        ...{ target, form, timeoutMs, firstClient: first, clients: count, clientsTotal: clients, runsTotal: runs },
      })),
      connectionsOf: (share) => share.clients,
      ...{ signal, onConnected, onProgress },
    })
    return new Load(group, runs)
  }

  /** All runs, from the first to the answer of the last. @throws as `connect` */
  async run(): Promise<LoadResult> {
    const parts = await this.#group.run()
    const tally = new Tally()
    for (const part of parts) tally.merge(part.tally)
    const lastCommitNs = parts.map((part) => part.lastCommitNs).reduce((left, right) => (left > right ? left : right))
    assert.equal(tally.runs, this.#runs, 'every run was made, once')
    const cpuSeconds = parts.reduce((sum, part) => sum + part.cpuSeconds, 0)
    return { tally, lastCommitNs, cpuSeconds }
  }

  /** Ends the processes. Safe to call again. */
  stop(): Promise<void> {
    return this.#group.stop()
  }
}

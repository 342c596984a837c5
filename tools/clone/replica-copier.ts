/**
 * When a replica begins with a copy of the server that it follows, instead of the log from LSN 1:
 *
 *   its directory is new or empty, and    the log there begins later, or has more than CLONE_LOG_BYTES_MIN;
 *                                         or a copy was begun and not finished
 *   its position was purged there, and    it holds nothing yet, or --reclone allows it
 *
 * In the last case the old directory stays at its place until the copy is whole.
 */
import { readdir } from 'node:fs/promises'
import { type ReplogError, isReplogError } from '../../core/errors.js'
import { CLONE_LOG_BYTES_MIN } from '../../core/limits.js'
import type { ServerStatus } from '../../log/status.js'
import { clone } from '../../replica/clone.js'
import { HttpClient } from '../http-client.js'
import type { Terminal } from '../terminal.js'
import { CloneProgressBar } from './clone-progress.js'
import { httpSource } from './http-source.js'

const STATUS_MS_MAX = 3000

export interface ReplicaCopierOptions {
  readonly from: string
  readonly data: string
  readonly reclone: boolean
  readonly json: boolean
}

export class ReplicaCopier {
  readonly #options: ReplicaCopierOptions
  readonly #terminal: Terminal
  readonly #signal: AbortSignal
  #isWanted = false

  constructor(options: ReplicaCopierOptions, terminal: Terminal, signal: AbortSignal) {
    this.#options = options
    this.#terminal = terminal
    this.#signal = signal
  }

  /** Whether the replica has to be closed and replaced by a copy. */
  get isWanted(): boolean {
    return this.#isWanted
  }

  /** Before the directory is opened. @throws what `clone` throws */
  async begin(): Promise<void> {
    const { from, data } = this.#options
    if (!(await isEmpty(data))) return
    const isBegun = !(await isEmpty(`${data}.cloning`))
    if (isBegun || (await this.#isLogWorse(from))) await this.#copy('this replica begins with a copy')
  }

  /** Told why the replica has stopped. @param lsn what it holds. @returns whether it is to be closed for a copy */
  noteStopped(error: ReplogError | undefined, lsn: bigint): boolean {
    this.#isWanted = isReplogError(error, 'HISTORY_LOST') && (this.#options.reclone || lsn === 0n)
    return this.#isWanted
  }

  /** After the replica was closed. @throws what `clone` throws */
  async replace(): Promise<void> {
    this.#isWanted = false
    await this.#copy('the log that this replica needs was purged there')
  }

  /** A server that does not answer is waited for by the replica itself, which also says what is wrong with an address. */
  async #isLogWorse(from: string): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(STATUS_MS_MAX)
      const { log } = (await new HttpClient(from).json('/v1/status', { signal })) as ServerStatus
      return BigInt(log.trimFloor) > 0n || BigInt(log.bytes) >= BigInt(CLONE_LOG_BYTES_MIN)
    } catch {
      return false
    }
  }

  async #copy(why: string): Promise<void> {
    const { from, data, json } = this.#options
    if (json) this.#terminal.printJson({ event: 'cloning', from, why })
    else this.#terminal.note(`cloning ${from}: ${why}`)
    const bar = new CloneProgressBar(this.#terminal, json)
    const { onProgress, onInterrupted } = bar
    try {
      const source = httpSource(from)
      const made = await clone({ source, path: data, replace: true, signal: this.#signal, onProgress, onInterrupted })
      bar.end()
      if (json) this.#terminal.printJson({ event: 'cloned', path: data, ...made })
      else this.#terminal.note(`cloned: goes on from LSN ${made.lsn}`)
    } finally {
      bar.end()
    }
  }
}

/** Missing counts as empty. Whatever else it is, opening it says so. */
async function isEmpty(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).length === 0
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT'
  }
}

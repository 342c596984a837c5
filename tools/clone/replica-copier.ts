/**
 * When a replica begins with a copy of the server that it follows, instead of the log from LSN 1:
 *
 *   its directory is new or empty, and    the log there begins later, or has more than CLONE_LOG_BYTES_MIN;
 *                                         or a copy was begun and not finished
 *   its position was purged there, and    it holds nothing yet, or --reclone allows it
 *
 * In the last case the old directory stays at its place until the copy is whole. It is deleted then only where its history
 * is surely that of the server, which was purged before anybody could compare: within one epoch there is one history. Where
 * the epochs differ it may hold confirmed transactions that were lost in a failover, and is kept. (G8)
 */
import { readdir } from 'node:fs/promises'
import { type ReplogError, isReplogError } from '../../core/errors.js'
import { CLONE_LOG_BYTES_MIN } from '../../core/limits.js'
import { type Position, parsePosition } from '../../core/position.js'
import type { ServerStatus } from '../../log/status.js'
import { clone } from '../../replica/clone.js'
import { keptDirectory } from '../../replica/clone-directory.js'
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
  /** Of the replica that has stopped and is to be replaced. */
  #replaced: Position | undefined

  constructor(options: ReplicaCopierOptions, terminal: Terminal, signal: AbortSignal) {
    this.#options = options
    this.#terminal = terminal
    this.#signal = signal
  }

  /** Whether the replica has to be closed and replaced by a copy. */
  get isWanted(): boolean {
    return this.#replaced !== undefined
  }

  /** Before the directory is opened. @throws what `clone` throws */
  async begin(): Promise<void> {
    const { from, data } = this.#options
    if (!(await isEmpty(data))) return
    const isBegun = !(await isEmpty(`${data}.cloning`))
    if (isBegun || (await this.#isLogWorse(from))) await this.#copy('this replica begins with a copy')
  }

  /** Told why the replica has stopped. @param position what it holds. @returns whether it is to be closed for a copy */
  noteStopped(error: ReplogError | undefined, position: Position): boolean {
    const mayBeReplaced = this.#options.reclone || position.lsn === 0n
    this.#replaced = isReplogError(error, 'HISTORY_LOST') && mayBeReplaced ? position : undefined
    return this.isWanted
  }

  /** After the replica was closed. @throws what `clone` throws */
  async replace(): Promise<void> {
    const replaced = this.#replaced
    this.#replaced = undefined
    const keep = replaced !== undefined && replaced.lsn > 0n && !(await this.#isSameHistory(replaced))
    await this.#copy('the log that this replica needs was purged there', keep)
  }

  /** Whether the server purged within the epoch of the replica; who cannot be asked may have done otherwise. */
  async #isSameHistory({ epoch, lsn }: Position): Promise<boolean> {
    const { logPurge } = (await this.#statusOf(this.#options.from)) ?? {}
    const floor = logPurge && parsePosition(logPurge.floor)
    return floor !== undefined && floor.epoch === epoch && floor.lsn >= lsn
  }

  /** A server that does not answer is waited for by the replica itself, which also says what is wrong with an address. */
  async #isLogWorse(from: string): Promise<boolean> {
    const log = (await this.#statusOf(from))?.log
    return log !== undefined && (BigInt(log.trimFloor) > 0n || BigInt(log.bytes) >= BigInt(CLONE_LOG_BYTES_MIN))
  }

  /** Undefined when there is no answer, or not in time. */
  async #statusOf(from: string): Promise<ServerStatus | undefined> {
    try {
      const signal = AbortSignal.timeout(STATUS_MS_MAX)
      return (await new HttpClient(from).json('/v1/status', { signal })) as ServerStatus
    } catch {
      return undefined
    }
  }

  async #copy(why: string, keep = false): Promise<void> {
    const { from, data, json } = this.#options
    const kept = keep ? keptDirectory(data) : undefined
    if (json) this.#terminal.printJson({ event: 'cloning', from, why })
    else this.#terminal.note(`cloning ${from}: ${why}`)
    const bar = new CloneProgressBar(this.#terminal, json)
    const { onProgress, onInterrupted } = bar
    try {
      const source = httpSource(from)
      const [signal, keepReplaced] = [this.#signal, keep]
      const made = await clone({ source, path: data, replace: true, keepReplaced, signal, onProgress, onInterrupted })
      bar.end()
      if (json) this.#terminal.printJson({ event: 'cloned', path: data, ...made, ...(kept && { kept }) })
      else this.#terminal.note(`cloned: goes on from LSN ${made.lsn}`)
      if (kept !== undefined && !json) {
        this.#terminal.note(
          `the old directory is of another epoch and may hold transactions that nobody else has: it is kept as ${kept}; ` +
            `\`replog log dump --data ${kept}\` shows its log`,
        )
      }
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

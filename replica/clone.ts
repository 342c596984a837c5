/**
 * Makes a copy of a running server: online, resumable, and exact at one LSN.
 *
 *   pages ──> log on top of them ──> index entries, count, comparison ──> identity ──> appears
 *
 * Each step notes in its own batches how far it is, so a copy that was cut off, on either side, goes on where it was: a
 * lost connection by itself, a killed process with the next call. The copy has its own server id. Its log begins where
 * the copying began, and reaches to where it ended.
 *
 * Invariants:
 * - a directory that appears is a whole copy that was compared with its source; (G8)
 * - a copy never goes on with pages of another history, nor across a gap in the log. (G9)
 */
import { type Clock, pause, systemClock } from '../core/clock.js'
import { ReplogError, isReplogError } from '../core/errors.js'
import {
  CLONE_ATTEMPTS_MAX,
  CLONE_DAMAGED_ATTEMPTS_MAX,
  CLONE_RESTARTS_MAX,
  RECONNECT_MS_MAX,
  RECONNECT_MS_MIN,
} from '../core/limits.js'
import { LSN_ZERO, type Lsn } from '../core/position.js'
import { ROLE_META, type Role, identityWrites, newId } from '../log/identity.js'
import { LOG_BYTES_META, decodeLogBytes, encodeLogBytes } from '../log/log-bytes.js'
import { LOG_FLOOR_META, decodeLogFloor, encodeLogFloor } from '../log/log-floor.js'
import { COPIED_OUTCOMES_META, encodeCopiedOutcomes } from '../log/stored-outcome.js'
import type { Engine } from '../store/engine.js'
import { Store } from '../store/store.js'
import type { WriteSet } from '../store/write-set.js'
import { CloneBatches } from './clone-batches.js'
import { CopyCounter, rowsOf } from './clone-count.js'
import { appear, openPartial, prepareCloneDirectory, removePartial } from './clone-directory.js'
import { takeLog } from './clone-log.js'
import { takePages } from './clone-pages.js'
import { CLONE_META, type CloneRecord, readCloneRecord } from './clone-record.js'
import type { CloneProgress, CloneSource } from './clone-source.js'

export interface CloneOptions {
  readonly source: CloneSource
  /** The data directory to be; missing or empty. */
  readonly path: string
  /** A data directory at the place gives way when the copy is whole. */
  readonly replace?: boolean
  /** With `replace`: that one is kept beside it, see `keptDirectory`. */
  readonly keepReplaced?: boolean
  readonly clock?: Clock
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: CloneProgress) => void
  /** Told why the copy is taken up again, and after how long. */
  readonly onInterrupted?: (error: ReplogError, pauseMs: number) => void
  /**
   * Called with the whole copy before it appears, to make something else of it. After a crash it is called again with
   * what it has made so far, unless that is a primary.
   */
  readonly prepare?: (directory: string) => Promise<void>
  readonly freeBytes?: (path: string) => Promise<number>
}

export interface ClonedServer {
  readonly role: Role
  /** Of its last transaction. */
  readonly lsn: Lsn
  /** Behind which its log begins. */
  readonly floor: Lsn
  readonly rows: number
}

/** The source has moved on, or is another one now: what was copied is of no use any more. */
const BEGIN_ANEW: ReadonlySet<string> = new Set(['HISTORY_LOST', 'DIVERGED', 'FOREIGN_CLUSTER', 'LOG_GAP', 'FENCED'])
/** The same may go well when it is tried again. */
const TRY_AGAIN: ReadonlySet<string> = new Set(['UNREACHABLE', 'LIMIT', 'CLOSED', 'CORRUPT'])

/**
 * @throws ReplogError ALREADY_EXISTS, LOCKED, DISK_FULL, UNREACHABLE, CORRUPT, HISTORY_LOST, …; CLOSED when it was stopped
 *   by the signal. What was copied stays, and the next call with the same source goes on with it.
 */
export async function clone(options: CloneOptions): Promise<ClonedServer> {
  const { source, path, replace = false, keepReplaced = false, prepare } = options
  const directory = await prepareCloneDirectory(path, source.name, replace, keepReplaced)
  let made: ClonedServer | undefined
  for (let restarts = 0; made === undefined; restarts++) {
    const copying = new Copying(await openPartial(directory), directory.data, options)
    try {
      made = await copying.run()
    } catch (error) {
      await copying.close()
      if (!isReplogError(error)) throw error
      const isUnequal = copying.isCounting && error.code === 'CORRUPT'
      const isOutdated = BEGIN_ANEW.has(error.code)
      if (isUnequal || isOutdated) await removePartial(directory)
      if (!isOutdated || restarts >= CLONE_RESTARTS_MAX) throw error
      options.onInterrupted?.(error, 0)
    }
  }
  if (made.role === 'replica') await prepare?.(directory.data)
  await appear(directory)
  return made
}

/** Fills an engine that nobody else has; for tests and simulations, in which there is no directory that could appear. */
export async function cloneInto(
  engine: Engine,
  options: Omit<CloneOptions, 'path' | 'replace' | 'prepare'>,
): Promise<ClonedServer> {
  const copying = new Copying(engine, '(memory)', { freeBytes: () => Promise.resolve(Infinity), ...options })
  try {
    return await copying.run()
  } finally {
    await copying.close()
  }
}

/** One opening of a copy: from how far it is to the end. */
class Copying {
  readonly #engine: Engine
  readonly #store: Store
  readonly #options: Omit<CloneOptions, 'path'>
  readonly #clock: Clock
  readonly #signal: AbortSignal
  #isCounting = false

  constructor(engine: Engine, path: string, options: Omit<CloneOptions, 'path'>) {
    this.#clock = options.clock ?? systemClock
    this.#engine = engine
    this.#store = new Store({
      engine,
      clock: this.#clock,
      path,
      ...(options.freeBytes === undefined ? {} : { freeBytes: options.freeBytes }),
    })
    this.#options = options
    this.#signal = options.signal ?? new AbortController().signal
  }

  /** Whether all was fetched: what is wrong then is wrong with the copy. */
  get isCounting(): boolean {
    return this.#isCounting
  }

  async run(): Promise<ClonedServer> {
    await this.#store.start()
    // It was whole already, and did not come to appear.
    if (this.#store.get(ROLE_META) === undefined) {
      const record = await this.#fetchAll()
      this.#isCounting = true
      const batches = new CloneBatches(this.#store, this.#clock)
      await new CopyCounter(batches, this.#noteProgress).run().finally(() => batches.discard())
      await this.#store.commit([identityOf(record)])
    }
    const made = await madeOf(this.#store)
    await this.close()
    return made
  }

  async close(): Promise<void> {
    await this.#store.close()
    await this.#engine.close()
  }

  /** Pages and log, over as many connections as it takes. */
  async #fetchAll(): Promise<CloneRecord> {
    let failures = 0
    let damaged = 0
    let pauseMs = RECONNECT_MS_MIN
    let place = this.#place()
    for (;;) {
      try {
        return await this.#fetch()
      } catch (error) {
        if (this.#signal.aborted) {
          throw new ReplogError('CLOSED', 'the copying was stopped; the same command goes on with it', { cause: error })
        }
        if (!isReplogError(error) || !TRY_AGAIN.has(error.code) || this.#store.failure !== undefined) throw error
        if (this.#options.source.isWorthRetrying === false) throw error
        const reached = this.#place()
        if (reached !== place) [failures, damaged, pauseMs, place] = [0, 0, RECONNECT_MS_MIN, reached]
        failures++
        if (error.code === 'CORRUPT') damaged++
        if (failures >= CLONE_ATTEMPTS_MAX || damaged >= CLONE_DAMAGED_ATTEMPTS_MAX) throw error
        this.#options.onInterrupted?.(error, pauseMs)
        await pause(this.#clock, pauseMs)
        pauseMs = Math.min(pauseMs * 2, RECONNECT_MS_MAX)
      }
    }
  }

  async #fetch(): Promise<CloneRecord> {
    const { source } = this.#options
    const batches = new CloneBatches(this.#store, this.#clock)
    try {
      let record = readCloneRecord(this.#store)
      if (record?.end === undefined) {
        record = await takePages(batches, record, source, this.#noteProgress, this.#signal)
      }
      return await takeLog(batches, record, source, this.#noteProgress, this.#signal)
    } finally {
      await batches.discard()
    }
  }

  /** Differs when something arrived. A header is nothing: the next attempt gets another. */
  #place(): string {
    const record = readCloneRecord(this.#store)
    if (record === undefined) return ''
    const { after, end, reached, header } = record
    return `${after?.toString('hex') ?? ''} ${end !== undefined} ${reached.lsn - header.start.lsn}`
  }

  readonly #noteProgress = (progress: CloneProgress): void => {
    this.#options.onProgress?.(progress)
  }
}

async function madeOf(store: Store): Promise<ClonedServer> {
  const position = store.get(LOG_BYTES_META)
  const floor = store.get(LOG_FLOOR_META)
  return {
    role: store.get(ROLE_META)?.toString() === 'primary' ? 'primary' : 'replica',
    lsn: position === undefined ? LSN_ZERO : decodeLogBytes(position).lsn,
    floor: floor === undefined ? LSN_ZERO : decodeLogFloor(floor).position.lsn,
    rows: await rowsOf(store),
  }
}

/** What makes the copy a server's data directory: a replica of the cluster, whose log begins where the copying began. */
function identityOf({ header, end, reached, reachedLogBytes }: CloneRecord): WriteSet {
  const { clusterId, start, startLogBytes, startCommitUs, outcomeFloor } = header
  if (reachedLogBytes !== end!.logBytes) {
    throw new ReplogError(
      'CORRUPT',
      `the log has ${reachedLogBytes} bytes at LSN ${reached.lsn}, on the source ${end!.logBytes}; clone again`,
    )
  }
  const writes = identityWrites({ serverId: newId(), clusterId }, 'replica')
  if (reached.lsn > LSN_ZERO) writes.put(LOG_BYTES_META, encodeLogBytes(reached.lsn, reachedLogBytes))
  if (start.lsn > LSN_ZERO) {
    const floor = { position: start, logBytes: startLogBytes, commitUs: startCommitUs }
    writes.put(LOG_FLOOR_META, encodeLogFloor(floor))
    const copied = { logFloor: start.lsn, outcomeFloor: outcomeFloor as Lsn }
    writes.put(COPIED_OUTCOMES_META, encodeCopiedOutcomes(copied))
  }
  writes.delete(CLONE_META)
  return writes
}

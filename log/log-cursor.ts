/**
 * Reads the log forwards from a position: from the tail in memory where it can, else from the store.
 *
 * Invariants:
 * - what it returns is durable, gapless and in order; (G2, G3)
 * - a frame read from disk is verified before it is handed on; (G8)
 * - asking below the trim floor is an error that names the oldest position. (G9)
 */
import { ReplogError } from '../core/errors.js'
import { type Lsn, nextLsn } from '../core/position.js'
import { logKey } from '../store/keys.js'
import { readWholeFrame } from './codec/frame.js'
import type { ReplicatedState } from './replicated-state.js'

export interface LogChunk {
  /** Whole frames in order, header and payload, as they go on the wire. */
  readonly frames: readonly Buffer[]
  readonly bytes: number
}

const EMPTY: LogChunk = { frames: [], bytes: 0 }
const STORE_PAGE_FRAMES_MAX = 4096

export class LogCursor {
  readonly #state: ReplicatedState
  #nextLsn: Lsn
  /** Segments of `#nextLsn` that were returned already. */
  #segmentsDone = 0

  /** @throws ReplogError HISTORY_LOST, INVALID_ARGUMENT (a position ahead of the log) */
  constructor(state: ReplicatedState, after: Lsn) {
    this.#state = state
    assertReachable(state, after)
    if (after > state.durable.lsn) {
      throw new ReplogError('INVALID_ARGUMENT', `LSN ${after} is ahead of this log, which ends at ${state.durable.lsn}`)
    }
    this.#nextLsn = nextLsn(after)
  }

  /** The LSN whose frames come next. */
  get nextLsn(): Lsn {
    return this.#nextLsn
  }

  get atHead(): boolean {
    return this.#nextLsn > this.#state.durable.lsn
  }

  /** The next frames from memory, about `bytesTarget` of them; undefined when they must be read from the store. */
  readTail(bytesTarget: number): LogChunk | undefined {
    if (this.atHead) return EMPTY
    let entry = this.#state.tail.get(this.#nextLsn)
    if (entry === undefined) return undefined
    const frames: Buffer[] = []
    let bytes = 0
    while (entry !== undefined && bytes < bytesTarget) {
      const frame: Buffer = entry.frames[this.#segmentsDone]!
      frames.push(frame)
      bytes += frame.length
      this.#advance(this.#segmentsDone + 1 === entry.frames.length)
      if (this.#segmentsDone === 0) entry = this.#state.tail.get(this.#nextLsn)
    }
    return { frames, bytes }
  }

  /**
   * The next frames, about `bytesTarget` of them; none at the head of the log.
   * @throws ReplogError CORRUPT, HISTORY_LOST
   */
  async read(bytesTarget: number): Promise<LogChunk> {
    const inMemory = this.readTail(bytesTarget)
    if (inMemory !== undefined) return inMemory
    const range = {
      from: logKey(this.#nextLsn, this.#segmentsDone),
      to: logKey(nextLsn(this.#state.durable.lsn), 0),
    }
    const page = await this.#state.store.frames(range, {
      entriesMax: STORE_PAGE_FRAMES_MAX,
      bytesMax: bytesTarget,
      reverse: false,
    })
    if (page.entries.length === 0) throw damaged(this.#nextLsn, this.#segmentsDone)
    let bytes = 0
    for (const { value } of page.entries) {
      const frame = readWholeFrame(value)
      if (frame.lsn !== this.#nextLsn || frame.segment !== this.#segmentsDone) {
        throw damaged(this.#nextLsn, this.#segmentsDone)
      }
      bytes += value.length
      this.#advance(frame.lastSegment)
    }
    return { frames: page.entries.map((entry) => entry.value), bytes }
  }

  /** Resolves when there is more to read, or when the signal is aborted. @throws ReplogError CLOSED, STORE_FAILED */
  wait(signal?: AbortSignal): Promise<void> {
    return this.atHead ? this.#state.whenDurable(this.#nextLsn, signal) : Promise.resolve()
  }

  #advance(wasLastSegment: boolean): void {
    if (wasLastSegment) {
      this.#nextLsn = nextLsn(this.#nextLsn)
      this.#segmentsDone = 0
    } else {
      this.#segmentsDone++
    }
  }
}

function damaged(lsn: Lsn, segment: number): ReplogError {
  return new ReplogError('CORRUPT', `frame ${lsn}/${segment} is missing from the log; restore this server from a peer`)
}

/** @throws ReplogError HISTORY_LOST when the transaction after `after` was purged; names the oldest position */
export function assertReachable(state: ReplicatedState, after: Lsn): void {
  const oldest = state.trimFloor
  if (after >= oldest) return
  throw new ReplogError(
    'HISTORY_LOST',
    `the log was purged up to LSN ${oldest}; LSN ${after + 1n} is gone. The oldest position to start after is ${oldest}`,
    { details: { oldest: oldest.toString() } },
  )
}

/**
 * Reads the log forwards from a position: from the tail in memory where it can, else from the store.
 *
 * Invariants:
 * - what it returns is durable, gapless and in order; (G2, G3)
 * - a frame read from disk is verified before it is handed on; (G8)
 * - asking below the trim floor is an error that names the oldest position, also when it rises above a reader that has
 *   begun, and whether or not frames below it are still in memory or on disk. (G9)
 */
import { ReplogError } from '../core/errors.js'
import { type Lsn, LSN_ZERO, formatPosition, nextLsn } from '../core/position.js'
import type { Page } from '../store/engine.js'
import { logKey } from '../store/keys.js'
import { checkWholeFrame, isLastSegmentAt, lsnAt, segmentAt } from './codec/frame.js'
import type { ReplicatedState } from './replicated-state.js'

export interface LogChunk {
  /** Whole frames in order, header and payload, back to back as they go on the wire. Not to be written to. */
  readonly bytes: Buffer
  readonly frames: number
  /** Whether the last frame is the last one of its transaction. */
  readonly endsWhole: boolean
}

const EMPTY: LogChunk = { bytes: Buffer.alloc(0), frames: 0, endsWhole: true }
const STORE_PAGE_FRAMES_MAX = 4096

export class LogCursor {
  readonly #state: ReplicatedState
  #nextLsn: Lsn
  /** Segments of `#nextLsn` that were returned already. */
  #segmentsDone = 0
  /** The page of the store that comes next, when it was asked for already. */
  #ahead: Promise<Page> | undefined

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

  /** The last transaction that was read whole. */
  get #before(): Lsn {
    return (this.#nextLsn - 1n) as Lsn
  }

  get atHead(): boolean {
    return this.#nextLsn > this.#state.durable.lsn
  }

  /**
   * The next frames from memory, at most about `bytesTarget` of them; undefined when the store must be read.
   * @throws ReplogError HISTORY_LOST
   */
  readTail(bytesTarget: number): LogChunk | undefined {
    if (this.atHead) return EMPTY
    assertReachable(this.#state, this.#before)
    const run = this.#state.tail.run(this.#nextLsn, this.#segmentsDone, bytesTarget)
    if (run === undefined) return undefined
    this.#nextLsn = (this.#nextLsn + BigInt(run.transactions)) as Lsn
    this.#segmentsDone = run.segmentsBehind
    return { bytes: run.bytes, frames: run.frames, endsWhole: run.segmentsBehind === 0 }
  }

  /**
   * The next frames, at most about `bytesTarget` of them, and at least one; none at the head of the log.
   * @throws ReplogError CORRUPT, HISTORY_LOST
   */
  async read(bytesTarget: number): Promise<LogChunk> {
    const inMemory = this.readTail(bytesTarget)
    if (inMemory !== undefined) return inMemory
    const { entries } = await (this.#ahead ?? this.#readStore(bytesTarget))
    this.#ahead = undefined
    // Purged while the store was read, or since it was read ahead: what is there, or is not, counts for nothing.
    assertReachable(this.#state, this.#before)
    if (entries.length === 0) throw damaged(this.#nextLsn, this.#segmentsDone)
    const frames: Buffer[] = []
    for (const { value } of entries) {
      checkWholeFrame(value)
      if (lsnAt(value, 0) !== this.#nextLsn || segmentAt(value, 0) !== this.#segmentsDone) {
        throw damaged(this.#nextLsn, this.#segmentsDone)
      }
      frames.push(value)
      this.#advance(isLastSegmentAt(value, 0))
    }
    const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames)
    this.#readAhead(bytesTarget)
    return { bytes, frames: frames.length, endsWhole: this.#segmentsDone === 0 }
  }

  /** Whoever reads the store reads on: the next page is fetched off the main thread while this one is made use of. */
  #readAhead(bytesTarget: number): void {
    const { firstLsn } = this.#state.tail
    if (this.atHead || (firstLsn !== LSN_ZERO && this.#nextLsn >= firstLsn)) return
    const ahead = this.#readStore(bytesTarget)
    // Its error is that of the next `read`, which may never come.
    ahead.catch(() => undefined)
    this.#ahead = ahead
  }

  #readStore(bytesTarget: number): Promise<Page> {
    const range = {
      from: logKey(this.#nextLsn, this.#segmentsDone),
      to: logKey(nextLsn(this.#state.durable.lsn), 0),
    }
    const options = { entriesMax: STORE_PAGE_FRAMES_MAX, bytesMax: bytesTarget, reverse: false, valuesOnly: true }
    return this.#state.store.frames(range, options)
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

/** @throws ReplogError HISTORY_LOST when the transaction after `after` was purged; names the oldest position, and why */
export function assertReachable(state: ReplicatedState, after: Lsn): void {
  if (after >= state.trimFloor) return
  const { position } = state.floor
  const why = state.floorCause === undefined ? '' : `, because ${state.floorCause}`
  throw new ReplogError(
    'HISTORY_LOST',
    `the log was purged up to LSN ${position.lsn}${why}; LSN ${after + 1n} is gone. The oldest position to start after is ` +
      formatPosition(position),
    { details: { oldest: position.lsn.toString(), oldestPosition: formatPosition(position) } },
  )
}

/**
 * Groups the frames of a log into whole transactions, and accepts only what continues it, as `log-chain.ts` says.
 *
 * Invariants: a frame that is refused changes nothing; `position` is that of the last whole transaction; a transaction
 * is handed out whole or not at all.
 */
import type { Position } from '../../core/position.js'
import type { Frame } from './frame.js'
import { LogChain } from './log-chain.js'

export class ChainVerifier {
  readonly #chain: LogChain
  /** Segments of the transaction whose last one has not come. */
  #open: Frame[] = []
  #openBytes = 0

  /** `position` is that of the transaction before the first frame to come. */
  constructor(position: Position) {
    this.#chain = new LogChain(position)
  }

  /** Where the whole transactions so far end. */
  get position(): Position {
    return this.#chain.position
  }

  /** Bytes of frames held until their transaction is whole. */
  get openBytes(): number {
    return this.#openBytes
  }

  /**
   * Takes the next frame. Returns the frames of its transaction when it is the last of them, undefined when more
   * segments are to come. @throws ReplogError LOG_GAP, FENCED, DIVERGED, CORRUPT.
   */
  push(frame: Frame): readonly Frame[] | undefined {
    const isWhole = this.#chain.take(frame.bytes, 0, frame.bytes.length)
    this.#open.push(frame)
    this.#openBytes += frame.bytes.length
    if (!isWhole) return undefined
    const frames = this.#open
    this.#open = []
    this.#openBytes = 0
    return frames
  }
}

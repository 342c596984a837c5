/**
 * Makes whole frames of the messages of the log's stream, from a position on.
 *
 * Invariants: frames come out whole, and those at or below the position do not; the frame at the position is compared with
 * it (DIVERGED), and the first one behind it is the next (HISTORY_LOST). What follows then is verified by who applies it. (G8, G9)
 */
import { ReplogError } from '../../core/errors.js'
import { FRAME_PAYLOAD_BYTES_MAX } from '../../core/limits.js'
import { type Position, digestsEqual, formatPosition, nextLsn } from '../../core/position.js'
import { DIGEST_OFFSET, FRAME_HEADER_BYTES, checkFrame, epochAt, isLastSegmentAt, lsnAt } from '../codec/frame.js'
import type { LogMessageHead } from './log-message.js'

export class FrameAssembler {
  readonly #after: Position
  /** Whether the first frame behind the position has come. */
  #begun = false
  /** Pieces of a frame that is not whole yet. */
  #pieces: Buffer[] = []
  #pieceBytes = 0

  constructor(after: Position) {
    this.#after = after
  }

  /**
   * The whole frames that the message completes; empty when there are none.
   * @throws ReplogError HISTORY_LOST, DIVERGED, LOG_GAP, CORRUPT, UNSUPPORTED_VERSION
   */
  take(head: LogMessageHead, bytes: Buffer): Buffer {
    const frames = head.piece === undefined ? this.#whole(bytes) : this.#join(head, bytes)
    if (this.#begun || frames.length === 0) return frames
    return this.#behindStart(frames)
  }

  #whole(bytes: Buffer): Buffer {
    if (this.#pieces.length > 0) throw gap('a frame is missing pieces')
    return bytes
  }

  #join(head: LogMessageHead, bytes: Buffer): Buffer {
    const { begin, end, length } = head.piece!
    if (end - begin !== bytes.length || end > length || length > FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX) {
      throw new ReplogError('CORRUPT', 'a piece of a frame is not what its header says')
    }
    // Of a frame that is not needed some pieces may have gone.
    if (!this.#begun && head.position.lsn <= this.#after.lsn) return Buffer.alloc(0)
    if (begin === 0) {
      this.#pieces = []
      this.#pieceBytes = 0
    }
    if (begin !== this.#pieceBytes) {
      // The stream begins in the middle of a frame that is needed, or lost a piece.
      if (this.#pieces.length === 0 && !this.#begun) throw historyLost(this.#after)
      throw gap('a piece of a frame is missing')
    }
    this.#pieces.push(bytes)
    this.#pieceBytes = end
    if (end < length) return Buffer.alloc(0)
    const frame = Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#pieceBytes = 0
    return frame
  }

  /** What of the frames lies behind the position. */
  #behindStart(frames: Buffer): Buffer {
    const { lsn } = this.#after
    for (let at = 0; at < frames.length;) {
      const end = checkFrame(frames, at)
      if (end === undefined) throw new ReplogError('CORRUPT', 'a frame was cut off on its way')
      const here = lsnAt(frames, at)
      if (here > lsn) {
        if (here !== nextLsn(lsn)) throw historyLost(this.#after)
        this.#begun = true
        return frames.subarray(at)
      }
      if (here === lsn && isLastSegmentAt(frames, at)) this.#compare(frames, at)
      at = end
    }
    return Buffer.alloc(0)
  }

  #compare(frames: Buffer, at: number): void {
    const { epoch, digest } = this.#after
    const there = frames.subarray(at + DIGEST_OFFSET, at + FRAME_HEADER_BYTES)
    if (epochAt(frames, at) === epoch && digestsEqual(there, digest)) return
    throw new ReplogError(
      'DIVERGED',
      `the log in the stream differs from this one at ${formatPosition(this.#after)}. Keep this data directory for ` +
        'inspection and set the replica up anew, or let `replog rejoin` bring it back',
    )
  }
}

function gap(what: string): ReplogError {
  return new ReplogError('LOG_GAP', `${what} in the stream; it is read again`)
}

function historyLost(after: Position): ReplogError {
  return new ReplogError(
    'HISTORY_LOST',
    `the stream does not reach back to ${formatPosition(after)}; follow the primary itself (--from) or start from a new copy`,
  )
}

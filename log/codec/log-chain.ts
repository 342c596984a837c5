/**
 * Follows the log frame by frame and accepts only what continues it. It keeps nothing of a frame but where it ends.
 *
 * A frame continues the log when its place is the next one (LOG_GAP), its epoch is not lower (FENCED), its header says
 * what its payload says (CORRUPT) and its digest is the chain's (DIVERGED).
 *
 * Invariants: a frame that is refused changes nothing; `position` is that of the last whole transaction.
 */
import { ReplogError } from '../../core/errors.js'
import { DIGEST_BYTES, type Epoch, type Lsn, formatPosition, nextLsn, type Position } from '../../core/position.js'
import { digestFollows } from './digest.js'
import { DIGEST_OFFSET, FRAME_HEADER_BYTES, epochAt, isLastSegmentAt, lsnAt, segmentAt } from './frame.js'
import { headSays } from './transaction-codec.js'

export class LogChain {
  #epoch: Epoch
  #nextLsn: Lsn
  /** After the last whole transaction, and after the last frame. */
  readonly #wholeDigest = Buffer.alloc(DIGEST_BYTES)
  readonly #lastDigest = Buffer.alloc(DIGEST_BYTES)
  /** Segments of the transaction whose last one has not come, and their epoch. */
  #openSegments = 0
  #openEpoch: Epoch

  /** `position` is that of the transaction before the first frame to come. */
  constructor(position: Position) {
    this.#epoch = position.epoch
    this.#openEpoch = position.epoch
    this.#nextLsn = nextLsn(position.lsn)
    this.#wholeDigest.set(position.digest)
    this.#lastDigest.set(position.digest)
  }

  /** Where the whole transactions so far end. */
  get position(): Position {
    return { epoch: this.#epoch, lsn: (this.#nextLsn - 1n) as Lsn, digest: new Uint8Array(this.#wholeDigest) }
  }

  /**
   * Takes the next frame, which is sound and lies in `bytes[start..end)`. Returns true when it is the last one of its
   * transaction. @throws ReplogError LOG_GAP, FENCED, DIVERGED, CORRUPT.
   */
  take(bytes: Buffer, start: number, end: number): boolean {
    const epoch = epochAt(bytes, start)
    const lastSegment = isLastSegmentAt(bytes, start)
    this.#checkPlace(bytes, start, epoch)
    if (!headSays(bytes, start + FRAME_HEADER_BYTES, end, this.#nextLsn, epoch, this.#openSegments, lastSegment)) {
      throw new ReplogError(
        'CORRUPT',
        `the header of frame ${place(bytes, start)} contradicts its payload; restore this copy from a peer`,
      )
    }
    const digestAt = start + DIGEST_OFFSET
    if (!digestFollows(this.#lastDigest, bytes, start + FRAME_HEADER_BYTES, end, digestAt)) {
      throw new ReplogError(
        'DIVERGED',
        `frame ${place(bytes, start)} does not continue the log at ${formatPosition(this.position)}: the two logs have ` +
          'different histories. Keep this data directory for inspection and set the replica up anew.',
      )
    }
    for (let at = 0; at < DIGEST_BYTES; at++) this.#lastDigest[at] = bytes[digestAt + at]!
    if (!lastSegment) {
      this.#openSegments++
      this.#openEpoch = epoch
      return false
    }
    for (let at = 0; at < DIGEST_BYTES; at++) this.#wholeDigest[at] = bytes[digestAt + at]!
    this.#epoch = epoch
    this.#nextLsn = nextLsn(this.#nextLsn)
    this.#openSegments = 0
    return true
  }

  #checkPlace(bytes: Buffer, start: number, epoch: Epoch): void {
    if (epoch < this.#epoch) {
      throw new ReplogError(
        'FENCED',
        `frame ${place(bytes, start)} has epoch ${epoch}, but epoch ${this.#epoch} has begun; follow the new primary`,
      )
    }
    const lsn = this.#nextLsn
    if (lsnAt(bytes, start) !== lsn || segmentAt(bytes, start) !== this.#openSegments) {
      throw new ReplogError(
        'LOG_GAP',
        `frame ${place(bytes, start)} came where ${lsn}/${this.#openSegments} was expected; read again from ` +
          formatPosition(this.position),
      )
    }
    if (this.#openSegments > 0 && epoch !== this.#openEpoch) {
      throw new ReplogError('CORRUPT', `the epoch changes inside transaction ${lsn}; restore this copy from a peer`)
    }
  }
}

/** LSN and segment. */
function place(bytes: Buffer, start: number): string {
  return `${lsnAt(bytes, start)}/${segmentAt(bytes, start)}`
}

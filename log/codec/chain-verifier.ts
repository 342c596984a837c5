/**
 * Follows the log frame by frame, accepts only what continues it, and groups the frames into whole transactions.
 *
 * A frame continues the log when its place is the next one (LOG_GAP), its epoch is not lower (FENCED), its header says
 * what its payload says (CORRUPT) and its digest is the chain's (DIVERGED).
 *
 * Invariants: a frame that is refused changes nothing; `position` is that of the last whole transaction; a transaction
 * is handed out whole or not at all.
 */
import { ReplogError } from '../../core/errors.js'
import { digestsEqual, formatPosition, nextLsn, type Position } from '../../core/position.js'
import { chainDigest } from './digest.js'
import type { Frame } from './frame.js'
import { peekTransaction } from './transaction-codec.js'

export class ChainVerifier {
  private last: Position
  /** Segments of the transaction whose last one has not come. */
  private open: Frame[] = []
  private openBytesTotal = 0

  /** `position` is that of the transaction before the first frame to come. */
  constructor(position: Position) {
    this.last = position
  }

  /** Where the whole transactions so far end. */
  get position(): Position {
    return this.last
  }

  /** Bytes of frames held until their transaction is whole. */
  get openBytes(): number {
    return this.openBytesTotal
  }

  /**
   * Takes the next frame. Returns the frames of its transaction when it is the last of them, undefined when more
   * segments are to come. @throws ReplogError LOG_GAP, FENCED, DIVERGED, CORRUPT.
   */
  push(frame: Frame): readonly Frame[] | undefined {
    this.checkPlace(frame)
    checkPayload(frame)
    const previous = this.open.at(-1)?.digest ?? this.last.digest
    if (!digestsEqual(chainDigest(previous, frame.payload), frame.digest)) {
      throw new ReplogError(
        'DIVERGED',
        `frame ${place(frame)} does not continue the log at ${formatPosition(this.last)}: the two logs have different ` +
          'histories. Keep this data directory for inspection and set the replica up anew.',
      )
    }
    this.open.push(frame)
    this.openBytesTotal += frame.bytes.length
    if (!frame.lastSegment) return undefined
    const frames = this.open
    // A copy, so that a position that is kept does not pin the frame.
    this.last = { epoch: frame.epoch, lsn: frame.lsn, digest: new Uint8Array(frame.digest) }
    this.open = []
    this.openBytesTotal = 0
    return frames
  }

  private checkPlace(frame: Frame): void {
    if (frame.epoch < this.last.epoch) {
      throw new ReplogError(
        'FENCED',
        `frame ${place(frame)} has epoch ${frame.epoch}, but epoch ${this.last.epoch} has begun; follow the new primary`,
      )
    }
    const first = this.open[0]
    const lsn = first?.lsn ?? nextLsn(this.last.lsn)
    if (frame.lsn !== lsn || frame.segment !== this.open.length) {
      throw new ReplogError(
        'LOG_GAP',
        `frame ${place(frame)} came where ${lsn}/${this.open.length} was expected; read again from ${formatPosition(this.last)}`,
      )
    }
    if (first !== undefined && frame.epoch !== first.epoch) {
      throw new ReplogError(
        'CORRUPT',
        `the epoch changes inside transaction ${frame.lsn}; restore this copy from a peer`,
      )
    }
  }
}

/** A header may be read without its payload, so it must not say anything else. */
function checkPayload(frame: Frame): void {
  const inside = peekTransaction(frame.payload)
  if (
    inside.lsn !== frame.lsn ||
    inside.epoch !== frame.epoch ||
    inside.segment !== frame.segment ||
    inside.lastSegment !== frame.lastSegment
  ) {
    throw new ReplogError(
      'CORRUPT',
      `the header of frame ${place(frame)} contradicts its payload (${inside.lsn}/${inside.segment}); restore this copy from a peer`,
    )
  }
}

/** LSN and segment. */
function place(frame: Frame): string {
  return `${frame.lsn}/${frame.segment}`
}

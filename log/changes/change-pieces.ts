/**
 * A stream of changes as bytes to send, in pieces that are made when they are taken.
 *
 * Invariants:
 * - no more is held than a batch of changes, which may be a whole transaction, and a piece, however large that is as text;
 * - what waits to be sent while there is nothing more to tell goes out at once: a piece never waits to be filled.
 */
import { CHANGE_PIECE_LENGTH_TARGET } from '../../core/limits.js'
import type { Change } from './change.js'
import type { ChangeFormat, Framing } from './change-format.js'

export interface PieceOptions {
  readonly format: ChangeFormat
  readonly framing: Framing
  /** Called with the number of changes of each batch that was taken. */
  readonly onSent: (changes: number) => void
  /** Called before a piece is given: whether it ends in the midst of a message. */
  readonly onPiece?: (isWithinMessage: boolean) => void
}

/** @throws what the batches throw */
export async function* changePieces(
  batches: AsyncIterable<readonly Change[]>,
  { format, framing, onSent, onPiece }: PieceOptions,
): AsyncGenerator<Buffer> {
  for await (const batch of batches) {
    let text = ''
    let count = 0
    for (const change of batch) {
      if (change.type === 'heartbeat' || change.type === 'snapshotEnd') {
        text += (change.type === 'heartbeat' ? framing.heartbeat?.(change.token) : undefined) ?? format.text(change)
      } else if (change.type !== 'transaction') {
        text += format.text(change)
        count++
      } else {
        count += change.changes.length
        for (const part of format.transaction(change)) {
          text += part
          if (text.length < CHANGE_PIECE_LENGTH_TARGET) continue
          onPiece?.(true)
          yield Buffer.from(text)
          text = ''
        }
      }
      if (text.length < CHANGE_PIECE_LENGTH_TARGET) continue
      onPiece?.(false)
      yield Buffer.from(text)
      text = ''
    }
    onSent(count)
    if (text === '') continue
    onPiece?.(false)
    yield Buffer.from(text)
  }
}

/**
 * Finds a receiver that stands still. Its connection may live as long as its kernel answers, and with it its place among
 * the copies or change streams, and what it holds back of the log.
 *
 * Invariant: only a piece that is offered and not taken counts; who waits for this server, or for the pace that it asked
 * for, does not stand still.
 */
import { type Clock, every } from '../../core/clock.js'
import { SNAPSHOT_STALL_MS } from '../../core/limits.js'

/**
 * The same pieces.
 * @param onStalled called when the same piece was offered, and not taken, at two looks in a row
 * @param stallMs between two looks
 */
export async function* watched(
  pieces: AsyncIterable<Buffer>,
  clock: Clock,
  onStalled: () => void,
  stallMs: number = SNAPSHOT_STALL_MS,
): AsyncGenerator<Buffer> {
  let offered: Buffer | undefined
  let before: Buffer | undefined
  const cancel = every(clock, stallMs, () => {
    if (offered !== undefined && offered === before) onStalled()
    before = offered
  })
  try {
    for await (const piece of pieces) {
      offered = piece
      yield piece
      offered = undefined
    }
  } finally {
    cancel()
  }
}

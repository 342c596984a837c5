/** The position after a transaction that is in the log, or after which it begins. */
import { ReplogError } from '../core/errors.js'
import { type Lsn, type Position, nextLsn } from '../core/position.js'
import { logRange } from '../store/keys.js'
import { readFrame } from './codec/frame.js'
import { peekTransaction } from './codec/transaction-codec.js'
import { assertReachable } from './log-cursor.js'
import type { ReplicatedState } from './replicated-state.js'

/** @throws ReplogError HISTORY_LOST when it was purged; CORRUPT when the log lacks the transaction's last frame */
export async function positionAt(
  state: ReplicatedState,
  lsn: Lsn,
): Promise<{ readonly position: Position; readonly commitUs: bigint }> {
  const { floor } = state
  if (lsn === floor.position.lsn) return { position: floor.position, commitUs: floor.commitUs }
  assertReachable(state, lsn)
  const { entries } = await state.store.frames(logRange(lsn, nextLsn(lsn)), {
    entriesMax: 1,
    bytesMax: 1,
    reverse: true,
  })
  // It may have been purged meanwhile.
  assertReachable(state, lsn)
  const frame = entries[0] && readFrame(entries[0].value, 0)
  if (frame?.lsn !== lsn || !frame.lastSegment) {
    throw new ReplogError('CORRUPT', `the log lacks transaction ${lsn}; restore this server from a peer`)
  }
  return {
    position: { epoch: frame.epoch, lsn, digest: frame.digest },
    commitUs: peekTransaction(frame.payload).commitTimestampUs,
  }
}

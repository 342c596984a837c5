/** Whether a position that somebody brings is one of this log: an LSN alone means nothing on a server with another history. */
import { ReplogError, isReplogError } from '../core/errors.js'
import { LSN_ZERO, type Lsn, type Position, digestsEqual, formatPosition } from '../core/position.js'
import { readFrame } from './codec/frame.js'
import { positionAt } from './position-at.js'
import type { ReplicatedState } from './replicated-state.js'

/**
 * Compares the digest of a position that the log should contain with the log's own; one that was purged is let pass.
 * @throws ReplogError DIVERGED
 */
export async function requireSameHistory(state: ReplicatedState, position: Position): Promise<void> {
  const { lsn } = position
  // Before the first transaction there is nothing to agree about.
  if (lsn > state.durable.lsn || lsn < state.trimFloor || lsn === LSN_ZERO) return
  const own = await ownPosition(state, lsn)
  if (own === undefined) return
  if (own.epoch === position.epoch && digestsEqual(own.digest, position.digest)) return
  throw new ReplogError(
    'DIVERGED',
    `position ${formatPosition(position)} is not in the history of this server, which at LSN ${lsn} has ` +
      `${formatPosition(own)}; it comes from another server or from before a restore`,
  )
}

/** Undefined when it was purged meanwhile. */
async function ownPosition(state: ReplicatedState, lsn: Lsn): Promise<Position | undefined> {
  if (lsn === state.durable.lsn) return state.durable
  const newest = state.tail.get(lsn)?.frames.at(-1)
  const frame = newest && readFrame(newest)
  if (frame !== undefined) return { epoch: frame.epoch, lsn, digest: frame.digest }
  try {
    return (await positionAt(state, lsn)).position
  } catch (error) {
    if (isReplogError(error, 'HISTORY_LOST')) return undefined
    throw error
  }
}

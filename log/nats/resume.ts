/**
 * Where the stream ends, held against the log: from where it is to be continued, or why it must not be.
 *
 *   the stream's newest message       │ what follows
 *   ──────────────────────────────────┼───────────────────────────────────────────────────────────────
 *   none                              │ from the beginning of the log
 *   in the log                        │ from there
 *   below the floor of the log        │ from the floor; readers find a gap in between, and say so
 *   of another cluster                │ FOREIGN_CLUSTER
 *   of a higher epoch                 │ FENCED: there is a newer primary
 *   of a lower epoch, not in the log  │ what a former primary published and lost is deleted, from the newest on
 *   of this epoch, not in the log     │ DIVERGED: this server lost what it had published
 */
import { ReplogError } from '../../core/errors.js'
import { type Lsn, digestsEqual, formatPosition } from '../../core/position.js'
import { logKey } from '../../store/keys.js'
import { readWholeFrame } from '../codec/frame.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { LogMessageHead, ResumePoint } from './log-message.js'

export interface Continuation {
  /** The cursor reads on after this LSN. */
  readonly after: Lsn
  /** What of the transaction behind it is in the stream already. */
  readonly resume: ResumePoint | undefined
  readonly logBytes: bigint
  readonly commitUs: bigint
}

/** Undefined where the message must be deleted first. @throws ReplogError FOREIGN_CLUSTER, FENCED, DIVERGED, CORRUPT */
export async function continuation(
  state: ReplicatedState,
  end: LogMessageHead | undefined,
): Promise<Continuation | undefined> {
  if (end === undefined) return fromFloor(state)
  const { durable, identity, floor } = state
  const { position } = end
  const cluster = identity.clusterId!.toString('hex')
  if (end.cluster !== cluster) {
    throw new ReplogError(
      'FOREIGN_CLUSTER',
      `the stream holds the log of cluster ${end.cluster}, this server belongs to ${cluster}`,
    )
  }
  if (position.epoch > durable.epoch) {
    throw new ReplogError(
      'FENCED',
      `the stream ends in epoch ${position.epoch}, this server has epoch ${durable.epoch}: there is a newer primary`,
      { details: { epoch: position.epoch } },
    )
  }
  if (position.lsn < floor.position.lsn) return fromFloor(state)
  if (await holds(state, end)) {
    const isPart = !end.isWhole
    return {
      after: (isPart ? position.lsn - 1n : position.lsn) as Lsn,
      resume: isPart
        ? { lsn: position.lsn, segment: end.segment, offset: end.piece?.end ?? Number.MAX_SAFE_INTEGER }
        : undefined,
      logBytes: end.logBytes,
      commitUs: end.commitUs,
    }
  }
  if (position.epoch < durable.epoch) return undefined
  throw new ReplogError(
    'DIVERGED',
    `the stream ends at ${formatPosition(position)}, which is not in this log (${formatPosition(durable)}): this server lost ` +
      'transactions, or has another history. Set it up from a replica that has them, or delete the stream to give them up',
  )
}

function fromFloor({ floor }: ReplicatedState): Continuation {
  return { after: floor.position.lsn, resume: undefined, logBytes: floor.logBytes, commitUs: floor.commitUs }
}

/** Whether the frame with which the message ends is in the log. */
async function holds(state: ReplicatedState, { position, segment }: LogMessageHead): Promise<boolean> {
  if (position.lsn > state.durable.lsn) return false
  if (position.lsn === state.floor.position.lsn) return digestsEqual(position.digest, state.floor.position.digest)
  const range = { from: logKey(position.lsn, segment), to: logKey(position.lsn, segment + 1) }
  const { entries } = await state.store.frames(range, { entriesMax: 1, bytesMax: 1, reverse: false })
  const frame = entries[0] && readWholeFrame(entries[0].value)
  return frame?.epoch === position.epoch && digestsEqual(frame.digest, position.digest)
}

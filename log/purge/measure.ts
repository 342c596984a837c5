/**
 * Reads the oldest part of a log to find how much of it may go, without changing anything.
 *
 * Invariants: what may go is whole transactions; each frame of them was read and is sound, so damage is met here and
 * not lost with what is deleted; (G8) the floor that comes out is exact: position, bytes and time.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { LOG_PURGE_PAGE_FRAMES, SCAN_PAGE_BYTES_MAX } from '../../core/limits.js'
import { type Lsn, nextLsn } from '../../core/position.js'
import { logKey } from '../../store/keys.js'
import { type Frame, readWholeFrame } from '../codec/frame.js'
import { peekTransaction } from '../codec/transaction-codec.js'
import type { LogFloor } from '../log-floor.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { PurgeRule } from './purge-policy.js'

export interface MeasureBounds {
  /** Nothing above this may go. */
  readonly lsnMax: Lsn
  /** Stop behind the transaction with which this is reached. */
  readonly bytesMax: number
  readonly transactionsMax: number
  readonly isStopped: () => boolean
}

export interface Measured {
  /** As it would be after a purge: of the newest transaction that may go. */
  readonly floor: LogFloor
  readonly transactions: number
  readonly bytes: number
  /** False when there may be more to go above what was measured. */
  readonly isAll: boolean
}

/** @throws ReplogError CORRUPT when the log is damaged there; CLOSED */
export async function measure(
  state: ReplicatedState,
  from: LogFloor,
  rule: PurgeRule,
  { bytesMax, transactionsMax, isStopped, ...bounds }: MeasureBounds,
): Promise<Measured> {
  const lsnMax = bounds.lsnMax < rule.lsnMax ? bounds.lsnMax : rule.lsnMax
  let floor = from
  let transactions = 0
  let bytes = 0
  let open = { segments: 0, bytes: 0 }
  let lsn = nextLsn(from.position.lsn)
  const measured = (isAll: boolean): Measured => ({ floor, transactions, bytes, isAll })
  while (lsn <= lsnMax) {
    if (isStopped() || bytes >= bytesMax || transactions >= transactionsMax) return measured(false)
    const range = { from: logKey(lsn, open.segments), to: logKey(nextLsn(lsnMax), 0) }
    const { entries } = await state.store.frames(range, {
      entriesMax: LOG_PURGE_PAGE_FRAMES,
      bytesMax: SCAN_PAGE_BYTES_MAX,
      reverse: false,
    })
    if (entries.length === 0) throw damaged(lsn, open.segments)
    for (const { value } of entries) {
      const frame = soundFrame(value, lsn, open.segments)
      // What lies before the damage may go.
      if (frame === undefined && transactions > 0) return measured(false)
      if (frame === undefined) throw damaged(lsn, open.segments)
      open = { segments: open.segments + 1, bytes: open.bytes + value.length }
      if (!frame.lastSegment) continue
      const { commitTimestampUs: commitUs } = peekTransaction(frame.payload)
      const bytesFromHere = state.logBytes - floor.logBytes
      if (!rule.mayGo({ commitUs, bytes: open.bytes, bytesFromHere })) return measured(true)
      floor = {
        position: { epoch: frame.epoch, lsn, digest: Buffer.from(frame.digest) },
        logBytes: floor.logBytes + BigInt(open.bytes),
        commitUs,
      }
      transactions++
      bytes += open.bytes
      lsn = nextLsn(lsn)
      open = { segments: 0, bytes: 0 }
      if (bytes >= bytesMax || transactions >= transactionsMax) return measured(lsn > lsnMax)
    }
  }
  return measured(true)
}

/** Undefined for what is not the frame that belongs there. */
function soundFrame(value: Buffer, lsn: Lsn, segment: number): Frame | undefined {
  try {
    const frame = readWholeFrame(value)
    return frame.lsn === lsn && frame.segment === segment ? frame : undefined
  } catch (error) {
    if (isReplogError(error, 'CORRUPT')) return undefined
    throw error
  }
}

function damaged(lsn: Lsn, segment: number): ReplogError {
  return new ReplogError(
    'CORRUPT',
    `frame ${lsn}/${segment} of the log is damaged or missing, so it is not purged from there on; mend it with ` +
      '`replog repair`, or restore this server from a peer',
  )
}

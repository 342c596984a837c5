/**
 * Reads the oldest part of a log to find how much of it may go, without changing anything.
 *
 * Invariants: what may go is whole transactions; each frame of them was read and is sound, so damage is met here and
 * not lost with what is deleted; (G8) the floor that comes out is exact: position, bytes and time.
 */
import { ReplogError } from '../../core/errors.js'
import { LOG_PURGE_PAGE_FRAMES, SCAN_PAGE_BYTES_MAX } from '../../core/limits.js'
import { type Lsn, nextLsn } from '../../core/position.js'
import { logKey } from '../../store/keys.js'
import { frameAt, readWholeFrame } from '../codec/frame.js'
import { peekTransaction } from '../codec/transaction-codec.js'
import type { LogFloor } from '../log-floor.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { MayGo } from './purge-policy.js'

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
  mayGo: MayGo,
  { lsnMax, bytesMax, transactionsMax, isStopped }: MeasureBounds,
): Promise<Measured> {
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
    if (entries.length === 0) throw missing(lsn, open.segments)
    for (const { value } of entries) {
      const frame = readWholeFrame(value)
      if (frame.lsn !== lsn || frame.segment !== open.segments) throw missing(lsn, open.segments)
      open = { segments: open.segments + 1, bytes: open.bytes + value.length }
      if (!frame.lastSegment) continue
      const { commitTimestampUs: commitUs } = peekTransaction(frame.payload)
      const bytesFromHere = state.logBytes - floor.logBytes
      if (!mayGo({ lsn, commitUs, bytes: open.bytes, bytesFromHere })) return measured(true)
      const digest = Buffer.from(frameAt(value, 0, value.length).digest)
      floor = {
        position: { epoch: frame.epoch, lsn, digest },
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

function missing(lsn: Lsn, segment: number): ReplogError {
  return new ReplogError(
    'CORRUPT',
    `frame ${lsn}/${segment} is missing from the log, so nothing behind it is purged; restore this server from a peer`,
  )
}

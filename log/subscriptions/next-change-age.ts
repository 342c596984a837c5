/**
 * When the oldest transaction was committed that a subscription has still to look at, so how long it lags.
 *
 * An acknowledgement is a transaction itself, behind what it acknowledges: such ones do not count, or who has read
 * everything would lag behind his own acknowledgement.
 */
import { isReplogError } from '../../core/errors.js'
import { SUBSCRIPTION_LOOK_TRANSACTIONS_MAX } from '../../core/limits.js'
import type { Lsn } from '../../core/position.js'
import { FRAME_HEADER_BYTES, frameLength, isLastSegmentAt } from '../codec/frame.js'
import { decodeTransaction, peekTransaction } from '../codec/transaction-codec.js'
import { LogCursor } from '../log-cursor.js'
import type { ReplicatedState } from '../replicated-state.js'

const READ_BYTES_TARGET = 4096

/** Microseconds since 1970; undefined when there is nothing, or it is gone. @throws ReplogError CORRUPT, CLOSED */
export async function nextCommitUs(state: ReplicatedState, after: Lsn): Promise<bigint | undefined> {
  try {
    const cursor = new LogCursor(state, after)
    for (let looked = 0; !cursor.atHead;) {
      const { bytes } = await cursor.read(READ_BYTES_TARGET)
      for (let at = 0; at < bytes.length; at += frameLength(bytes, at)!) {
        const payload = bytes.subarray(at + FRAME_HEADER_BYTES, at + frameLength(bytes, at)!)
        // An acknowledgement is small.
        const isOurs = isLastSegmentAt(bytes, at) && isAcknowledgement(state, payload)
        if (!isOurs || ++looked >= SUBSCRIPTION_LOOK_TRANSACTIONS_MAX) return peekTransaction(payload).commitTimestampUs
      }
    }
    return undefined
  } catch (error) {
    if (isReplogError(error, 'HISTORY_LOST')) return undefined
    throw error
  }
}

function isAcknowledgement({ dictionary, readDurable }: ReplicatedState, payload: Buffer): boolean {
  return decodeTransaction([payload]).statements.every((statement) => {
    if (statement.kind === 'verifyMarker') return true
    return 'rows' in statement && dictionary.tableById(readDurable, statement.tableId)?.isSystem === true
  })
}

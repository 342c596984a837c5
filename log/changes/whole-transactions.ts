/** Takes transactions out of what a log cursor returns. */
import type { Position } from '../../core/position.js'
import { DIGEST_OFFSET, FRAME_HEADER_BYTES, epochAt, frameLength, isLastSegmentAt, lsnAt } from '../codec/frame.js'
import type { Transaction } from '../codec/message.js'
import { decodeTransaction, peekTransaction } from '../codec/transaction-codec.js'

export interface WholeTransaction {
  readonly position: Position
  readonly catalogId: number
  /** @throws ReplogError CORRUPT, UNSUPPORTED_VERSION */
  decode(): Transaction
}

/**
 * The transactions that end in `bytes`, whole frames that were checked.
 * @param begun payloads of one whose last segment has not come; keep it for the next call
 */
export function* wholeTransactions(bytes: Buffer, begun: Buffer[]): Generator<WholeTransaction, undefined> {
  for (let at = 0; at < bytes.length;) {
    const end = at + frameLength(bytes, at)!
    begun.push(bytes.subarray(at + FRAME_HEADER_BYTES, end))
    if (isLastSegmentAt(bytes, at)) {
      const payloads = begun.splice(0)
      const digest = bytes.subarray(at + DIGEST_OFFSET, at + FRAME_HEADER_BYTES)
      const position = { epoch: epochAt(bytes, at), lsn: lsnAt(bytes, at), digest }
      yield { position, catalogId: peekTransaction(payloads[0]!).catalogId, decode: () => decodeTransaction(payloads) }
    }
    at = end
  }
  return undefined
}

/** From a committed transaction to the frames of the log: encode behind room for the headers, then chain and seal. */
import type { Transaction } from './message.js'
import { FRAME_HEADER_BYTES, sealFrame } from './frame.js'
import { encodeTransaction } from './transaction-codec.js'

export interface SealedTransaction {
  /** One per segment, in order; frame n is stored under log key (LSN, n). */
  readonly frames: readonly Buffer[]
  /** Digest of the chain after the last of them; a view of it. */
  readonly digest: Buffer
}

/** `previousDigest` is that of the position before. `segmentBytesTarget` is for tests. */
export function sealTransaction(
  transaction: Transaction,
  previousDigest: Uint8Array,
  segmentBytesTarget?: number,
): SealedTransaction {
  const { lsn, epoch } = transaction
  const frames = encodeTransaction(transaction, FRAME_HEADER_BYTES, segmentBytesTarget)
  const last = frames.length - 1
  let digest = sealFrame(frames[0]!, { epoch, lsn, segment: 0, lastSegment: last === 0 }, previousDigest)
  for (let segment = 1; segment <= last; segment++) {
    digest = sealFrame(frames[segment]!, { epoch, lsn, segment, lastSegment: segment === last }, digest)
  }
  return { frames, digest }
}

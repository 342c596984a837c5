/**
 * Whole transactions of a log, each verified to continue the one before: checksum, density, digest. (G8)
 *
 * The first one is compared with the start point when that is a whole position, or the empty log. After a bare LSN the
 * transaction of that LSN is read first and taken at its word; when it was purged, the one behind it is.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { type Epoch, LSN_ZERO, type Lsn, type Position, formatPosition } from '../../core/position.js'
import { ChainVerifier } from '../../log/codec/chain-verifier.js'
import { genesisDigest } from '../../log/codec/digest.js'
import type { Frame } from '../../log/codec/frame.js'
import type { Transaction } from '../../log/codec/message.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import type { StartPoint } from '../flags.js'
import type { LogSource } from './log-source.js'

export interface VerifiedTransaction {
  readonly transaction: Transaction
  readonly position: Position
  readonly frames: readonly Frame[]
}

/** @throws ReplogError CORRUPT, HISTORY_LOST, INVALID_ARGUMENT; DIVERGED when `start` is of another history */
export async function* verifiedTransactions(source: LogSource, start: StartPoint): AsyncGenerator<VerifiedTransaction> {
  const known = await knownPosition(source, start)
  if (known !== undefined) {
    yield* verified(source, start.lsn, new ChainVerifier(known), start.position !== undefined)
    return
  }
  const before = (start.lsn - 1n) as Lsn
  try {
    for await (const { position } of verified(source, before, undefined, false)) {
      // Found: it is the start. Go on behind it, in a reading of its own.
      yield* verified(source, start.lsn, new ChainVerifier(position), false)
      return
    }
  } catch (error) {
    // Purged, or ahead of the log: reading from the start itself tells which.
    if (!isReplogError(error, 'HISTORY_LOST') && !isReplogError(error, 'INVALID_ARGUMENT')) throw error
  }
  yield* verified(source, start.lsn, undefined, false)
}

async function knownPosition(source: LogSource, start: StartPoint): Promise<Position | undefined> {
  if (start.position !== undefined) return start.position
  if (start.lsn !== LSN_ZERO) return undefined
  return { epoch: 0 as Epoch, lsn: LSN_ZERO, digest: genesisDigest(await source.clusterId()) }
}

/** @param verifier undefined to take the first transaction at its word */
async function* verified(
  source: LogSource,
  after: Lsn,
  verifier: ChainVerifier | undefined,
  isAsked: boolean,
): AsyncGenerator<VerifiedTransaction> {
  let unverified: Frame[] = []
  let count = 0
  for await (const frame of source.frames(after)) {
    let frames: readonly Frame[] | undefined
    if (verifier === undefined) {
      unverified.push(frame)
      if (!frame.lastSegment) continue
      frames = unverified
      unverified = []
      verifier = new ChainVerifier({ epoch: frame.epoch, lsn: frame.lsn, digest: new Uint8Array(frame.digest) })
    } else {
      frames = pushed(verifier, frame, isAsked && count === 0)
    }
    if (frames === undefined) continue
    count++
    const transaction = decodeTransaction(frames.map(({ payload }) => payload))
    source.note(transaction)
    yield { transaction, position: verifier.position, frames }
  }
  if (source.isStopped || (unverified.length === 0 && (verifier?.openBytes ?? 0) === 0)) return
  throw new ReplogError(
    'CORRUPT',
    'the last transaction of the log lacks its last segment; restore this server from a peer',
  )
}

/** @param isAsked whether a misfit may be the user's: the position given may be of another log */
function pushed(verifier: ChainVerifier, frame: Frame, isAsked: boolean): readonly Frame[] | undefined {
  try {
    return verifier.push(frame)
  } catch (error) {
    if (!isReplogError(error)) throw error
    if (isAsked && error.code === 'DIVERGED') {
      const message = `position ${formatPosition(verifier.position)} is not in this log; it is of another server or older than a restore`
      throw new ReplogError('DIVERGED', message, { cause: error })
    }
    const message =
      `frame ${frame.lsn}/${frame.segment} does not continue the log: it is damaged, or one before it is. ` +
      `Restore this server from a peer (${error.message})`
    throw new ReplogError('CORRUPT', message, { cause: error })
  }
}

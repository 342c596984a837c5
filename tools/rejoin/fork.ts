/**
 * Where two histories part: the last position that both logs have. (G8)
 *
 * The digest chain makes it a binary search: where the digests after an LSN are equal, everything up to there is.
 */
import { ReplogError } from '../../core/errors.js'
import { type Lsn, type Position, digestsEqual, formatPosition } from '../../core/position.js'

/** A log of which single positions can be asked for. */
export interface History {
  /** It begins behind this LSN. */
  readonly floor: Lsn
  readonly head: Position
  positionAt(lsn: Lsn): Promise<Position>
}

/** @throws ReplogError HISTORY_LOST when the logs do not reach back to where they part; what `positionAt` throws */
export async function findFork(own: History, peer: History): Promise<Position> {
  let low = own.floor > peer.floor ? own.floor : peer.floor
  let high = own.head.lsn < peer.head.lsn ? own.head.lsn : peer.head.lsn
  if (low > high) {
    throw lost(
      own.floor > peer.head.lsn
        ? `the log here begins at LSN ${own.floor}, behind the end of the peer's at ${formatPosition(peer.head)}`
        : `the peer's log begins at LSN ${peer.floor}, behind the end of this one at ${formatPosition(own.head)}`,
    )
  }
  if (!(await isCommon(own, peer, low))) {
    throw lost(`the two logs differ already at LSN ${low}, the oldest position that both still have`)
  }
  while (low < high) {
    const middle = (low + (high - low + 1n) / 2n) as Lsn
    if (await isCommon(own, peer, middle)) low = middle
    else high = (middle - 1n) as Lsn
  }
  return own.positionAt(low)
}

async function isCommon(own: History, peer: History, lsn: Lsn): Promise<boolean> {
  const [one, other] = await Promise.all([own.positionAt(lsn), peer.positionAt(lsn)])
  return one.epoch === other.epoch && digestsEqual(one.digest, other.digest)
}

function lost(what: string): ReplogError {
  return new ReplogError(
    'HISTORY_LOST',
    `${what}, so where they part cannot be found; keep the data directory for inspection and set this server up anew ` +
      'with `replog clone`',
  )
}

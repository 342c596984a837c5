/**
 * The order in which a stream gives its tokens.
 *
 * A page of a snapshot comes behind the changes up to its position, and each has the place of the snapshot that it was
 * given at: so first the LSN counts, then how much of the transaction was given, then the place; a stream whose snapshot
 * has ended is behind all of its places.
 */
import { type ChangeToken, type SnapshotPlace, parseChangeToken } from '../../log/changes/change-token.js'

/** Below 0 when the left one comes first, 0 when they are equal. @throws ReplogError INVALID_ARGUMENT */
export function compareTokens(left: string, right: string): number {
  if (left === right) return 0
  return compareParsed(parseChangeToken(left), parseChangeToken(right))
}

function compareParsed(left: ChangeToken, right: ChangeToken): number {
  const { lsn } = left.position
  if (lsn !== right.position.lsn) return lsn < right.position.lsn ? -1 : 1
  const done =
    (left.done ?? Infinity) === (right.done ?? Infinity) ? 0 : (left.done ?? Infinity) - (right.done ?? Infinity)
  return done === 0 ? comparePlaces(left.place, right.place) : done
}

function comparePlaces(left: SnapshotPlace | undefined, right: SnapshotPlace | undefined): number {
  if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined)
  return left.tableId - right.tableId || Buffer.compare(left.key, right.key)
}

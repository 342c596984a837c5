/**
 * Resume tokens of change streams. Opaque to users.
 *
 *   token    := position-text ["/" done] ["~" place]
 *   done     := decimal, 1 or more      so many changes of the transaction at the position were given; all when left out
 *   place    := last-table "." table "." [key]       the snapshot of the stream is under way
 *   last-table, table := decimal        tables behind `last-table` came after the snapshot began; those before `table` are done
 *   key      := base64url               key tuple of the last row of `table` that was given
 *
 * A bare position is a token, so whatever names a position resumes a stream.
 */
import { ReplogError } from '../../core/errors.js'
import { type Position, parsePosition } from '../../core/position.js'

/** How far a snapshot is. */
export interface SnapshotPlace {
  /** Tables with a higher id were made after the snapshot began: all that happens to them is told as it happens. */
  readonly lastTableId: number
  /** Tables with a lower id are done. */
  readonly tableId: number
  /** Key tuple of the last row of the table that was given; empty before the first. */
  readonly key: Buffer
}

export interface ChangeToken {
  readonly position: Position
  /** Changes of the transaction at the position that were given, 0 for a place before it; undefined when all were. */
  readonly done: number | undefined
  readonly place: SnapshotPlace | undefined
}

const TOKEN_PATTERN = /^([^/~]*)(?:\/(0|[1-9]\d{0,9}))?(?:~(\d{1,10})\.(\d{1,10})\.([\w-]*))?$/
const U32_MAX = 0xffff_ffff

export function formatChangeToken(
  positionText: string,
  done: number | undefined,
  place: SnapshotPlace | undefined,
): string {
  const behind = done === undefined ? positionText : `${positionText}/${done}`
  if (place === undefined) return behind
  return `${behind}~${place.lastTableId}.${place.tableId}.${place.key.toString('base64url')}`
}

/** @throws ReplogError INVALID_ARGUMENT */
export function parseChangeToken(text: string): ChangeToken {
  const match = TOKEN_PATTERN.exec(text)
  const [, positionText, done, lastTableId, tableId, key] = match ?? []
  const isBeyond = (id: string | undefined): boolean => id !== undefined && Number(id) > U32_MAX
  // Base64 that no writer writes is garbage, though it could be read.
  const isGarbled = key !== undefined && Buffer.from(key, 'base64url').toString('base64url') !== key
  if (positionText === undefined || isBeyond(lastTableId) || isBeyond(tableId) || isGarbled) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `${JSON.stringify(text)} is no token of a change stream; pass on the \`token\` of a change as it is, or a position`,
    )
  }
  return {
    position: parsePosition(positionText),
    done: done === undefined ? undefined : Number(done),
    place:
      tableId === undefined
        ? undefined
        : { lastTableId: Number(lastTableId), tableId: Number(tableId), key: Buffer.from(key!, 'base64url') },
  }
}

/** Keys that come from outside, as the keys of rows that they have to be. */
import { ReplogError } from '../../core/errors.js'
import { rowPrefix } from '../../store/keys.js'

/** @throws ReplogError INVALID_ARGUMENT */
export function assertRowKeyOf(key: Buffer, storageId: number): void {
  const prefix = rowPrefix(storageId)
  if (key.subarray(0, prefix.length).equals(prefix)) return
  throw new ReplogError('INVALID_ARGUMENT', `0x${key.toString('hex')} is no key of a row of storage ${storageId}`)
}

/** The end of a range of rows: a key of a row, or the end of them all. @throws ReplogError INVALID_ARGUMENT */
export function assertRangeEnd(end: Buffer, last: Uint8Array, storageId: number): void {
  if (!end.equals(last)) assertRowKeyOf(end, storageId)
}

/**
 * The note that a replica has become a primary and has not begun its epoch yet.
 *
 *   promotion := epoch(u32 BE)        under the meta key 'promotion'; the epoch that it takes
 *
 * It is written in one batch with the role, when the replica follows nobody any more and all that it received is applied,
 * and deleted in one batch with the transaction that begins the epoch. So a crash at any instant leaves a replica, or a
 * primary that finishes its promotion when it is opened, and never two primaries of one epoch made of one directory.
 */
import { ReplogError } from '../core/errors.js'
import type { Epoch } from '../core/position.js'
import { metaKey } from '../store/keys.js'
import type { Store } from '../store/store.js'
import { WriteSet } from '../store/write-set.js'
import { roleWrites } from './identity.js'

export const PROMOTION_META = metaKey('promotion')

/** Makes a primary of a replica's directory. */
export function promotionWrites(epoch: Epoch): WriteSet {
  const writes = roleWrites('primary')
  const payload = Buffer.allocUnsafe(4)
  payload.writeUInt32BE(epoch)
  writes.put(PROMOTION_META, payload)
  return writes
}

/** The epoch has begun. */
export function promotedWrites(): WriteSet {
  const writes = new WriteSet()
  writes.delete(PROMOTION_META)
  return writes
}

/** The epoch that is to begin; undefined where no promotion is under way. @throws ReplogError CORRUPT */
export function readPromotion(store: Store): Epoch | undefined {
  const payload = store.get(PROMOTION_META)
  if (payload === undefined) return undefined
  if (payload.length !== 4) throw new ReplogError('CORRUPT', 'the promotion record does not parse; restore from a peer')
  return payload.readUInt32BE() as Epoch
}

/**
 * When and why the floor of the log was raised last, for status and for those who ask for what is gone.
 *
 *   last-log-purge := JSON { "atUs", "lsn", "transactions", "bytes", "cause" }      meta value; atUs, lsn decimal text
 */
import { ReplogError } from '../../core/errors.js'
import type { Lsn } from '../../core/position.js'
import { metaKey } from '../../store/keys.js'
import type { Store } from '../../store/store.js'
import { WriteSet } from '../../store/write-set.js'

export interface LastPurge {
  readonly atUs: bigint
  /** The new floor. */
  readonly lsn: Lsn
  readonly transactions: number
  /** Of their frames. */
  readonly bytes: number
  /** A clause that says why, such as "it was purged by hand". */
  readonly cause: string
}

export const LAST_PURGE_META = metaKey('last-log-purge')

export function lastPurgeWrites({ atUs, lsn, transactions, bytes, cause }: LastPurge): WriteSet {
  const writes = new WriteSet()
  const record = { atUs: atUs.toString(), lsn: lsn.toString(), transactions, bytes, cause }
  writes.put(LAST_PURGE_META, Buffer.from(JSON.stringify(record)))
  return writes
}

/** Undefined when the log was never purged. @throws ReplogError CORRUPT */
export function readLastPurge(store: Store): LastPurge | undefined {
  const record = store.get(LAST_PURGE_META)
  if (record === undefined) return undefined
  try {
    const { atUs, lsn, transactions, bytes, cause } = JSON.parse(record.toString()) as Record<string, string | number>
    return {
      atUs: BigInt(atUs!),
      lsn: BigInt(lsn!) as Lsn,
      transactions: Number(transactions),
      bytes: Number(bytes),
      cause: String(cause),
    }
  } catch (error) {
    throw new ReplogError('CORRUPT', 'the record of the last purge does not parse; restore this server from a peer', {
      cause: error,
    })
  }
}

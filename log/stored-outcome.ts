/**
 * The first outcome of an idempotency key, in the batch of the transaction that had it. (G10)
 *
 *   stored := epoch(u32 BE) lsn(u64 BE) digest(16) outcome          under the key 'K' catalog-id idempotency-key
 *
 * It is a fold of the log like everything else, so a replica has it too. It expires with the log: where the frame of its
 * LSN is purged, it counts as absent. A copy has the outcomes of its server, but a log that begins later; so it notes from
 * where on they count as long as its log begins there. The record goes when those that have expired since were swept away:
 *
 *   copied-outcomes := log-floor(u64 BE) outcome-floor(u64 BE)
 */
import { ReplogError } from '../core/errors.js'
import { DIGEST_BYTES, type Epoch, type Lsn, type Position } from '../core/position.js'
import { idempotencyKey, keyText, metaKey } from '../store/keys.js'
import type { Store } from '../store/store.js'
import type { ReadKey } from '../ddl/dictionary.js'

export interface StoredOutcome {
  readonly position: Position
  readonly outcome: Buffer
}

export function encodeStoredOutcome(position: Position, outcome: Uint8Array | undefined): Buffer {
  const bytes = Buffer.allocUnsafe(12 + DIGEST_BYTES + (outcome?.length ?? 0))
  bytes.writeUInt32BE(position.epoch, 0)
  bytes.writeBigUInt64BE(position.lsn, 4)
  bytes.set(position.digest, 12)
  if (outcome !== undefined) bytes.set(outcome, 12 + DIGEST_BYTES)
  return bytes
}

export function decodeStoredOutcome(payload: Buffer): StoredOutcome {
  if (payload.length < 12 + DIGEST_BYTES) throw new ReplogError('CORRUPT', 'a stored outcome does not parse')
  return {
    position: {
      epoch: payload.readUInt32BE(0) as Epoch,
      lsn: payload.readBigUInt64BE(4) as Lsn,
      digest: Buffer.from(payload.subarray(12, 12 + DIGEST_BYTES)),
    },
    outcome: payload.subarray(12 + DIGEST_BYTES),
  }
}

export const COPIED_OUTCOMES_META = metaKey('copied-outcomes')

/** While the log begins behind `logFloor`, outcomes from behind `outcomeFloor` on count. */
export interface CopiedOutcomes {
  readonly logFloor: Lsn
  readonly outcomeFloor: Lsn
}

export function encodeCopiedOutcomes({ logFloor, outcomeFloor }: CopiedOutcomes): Buffer {
  const record = Buffer.allocUnsafe(16)
  record.writeBigUInt64BE(logFloor, 0)
  record.writeBigUInt64BE(outcomeFloor, 8)
  return record
}

/** Undefined on a server that is no copy. @throws ReplogError CORRUPT */
export function readCopiedOutcomes(store: Store): CopiedOutcomes | undefined {
  const record = store.get(COPIED_OUTCOMES_META)
  if (record === undefined) return undefined
  if (record.length !== 16) throw new ReplogError('CORRUPT', 'the record of copied outcomes has a wrong length')
  return { logFloor: record.readBigUInt64BE(0) as Lsn, outcomeFloor: record.readBigUInt64BE(8) as Lsn }
}

/**
 * What an idempotency key stands for where `read` reads; undefined when no transaction had it, or it has expired.
 * @param outcomeFloor that of the server
 */
export function findOutcome(
  read: ReadKey,
  outcomeFloor: Lsn,
  catalogId: number,
  key: string,
): StoredOutcome | undefined {
  const storeKey = idempotencyKey(catalogId, key)
  const payload = read(storeKey, keyText(storeKey))
  const stored = payload && decodeStoredOutcome(payload)
  return stored === undefined || stored.position.lsn <= outcomeFloor ? undefined : stored
}

/**
 * The note that a rejoin is under way: transactions of the log are being undone, and the store may stand between two of
 * them. Nothing opens it until `replog rejoin` has finished.
 *
 *   rejoin := epoch(u32 BE) lsn(u64 BE) digest(16) (table-id(u32 BE) storage-id(u32 BE) index-id(u32 BE))*
 *
 * The position is the fork: where the log will end. The indexes are those whose entries are made anew when it does.
 */
import { ReplogError } from '../core/errors.js'
import { DIGEST_BYTES, type Epoch, type Lsn, type Position } from '../core/position.js'
import { metaKey } from '../store/keys.js'
import type { Store } from '../store/store.js'

export const REJOIN_META = metaKey('rejoin')

export interface IndexPlace {
  readonly tableId: number
  readonly storageId: number
  readonly indexId: number
}

export interface RejoinNote {
  readonly fork: Position
  readonly indexes: readonly IndexPlace[]
}

const HEAD_BYTES = 12 + DIGEST_BYTES
const INDEX_BYTES = 12

export function encodeRejoinNote({ fork, indexes }: RejoinNote): Buffer {
  const payload = Buffer.allocUnsafe(HEAD_BYTES + indexes.length * INDEX_BYTES)
  payload.writeUInt32BE(fork.epoch, 0)
  payload.writeBigUInt64BE(fork.lsn, 4)
  payload.set(fork.digest, 12)
  for (const [ordinal, { tableId, storageId, indexId }] of indexes.entries()) {
    const at = HEAD_BYTES + ordinal * INDEX_BYTES
    payload.writeUInt32BE(tableId, at)
    payload.writeUInt32BE(storageId, at + 4)
    payload.writeUInt32BE(indexId, at + 8)
  }
  return payload
}

/** @throws ReplogError CORRUPT */
export function readRejoinNote(store: Store): RejoinNote | undefined {
  const payload = store.get(REJOIN_META)
  if (payload === undefined) return undefined
  if (payload.length < HEAD_BYTES || (payload.length - HEAD_BYTES) % INDEX_BYTES !== 0) {
    throw new ReplogError('CORRUPT', 'the note of a rejoin does not parse; set this server up anew with a clone')
  }
  const indexes: IndexPlace[] = []
  for (let at = HEAD_BYTES; at < payload.length; at += INDEX_BYTES) {
    indexes.push({
      tableId: payload.readUInt32BE(at),
      storageId: payload.readUInt32BE(at + 4),
      indexId: payload.readUInt32BE(at + 8),
    })
  }
  return {
    fork: {
      epoch: payload.readUInt32BE(0) as Epoch,
      lsn: payload.readBigUInt64BE(4) as Lsn,
      digest: Buffer.from(payload.subarray(12, HEAD_BYTES)),
    },
    indexes,
  }
}

/** @throws ReplogError INVALID_ARGUMENT while a rejoin is under way */
export function assertNoRejoin(store: Store, path: string): void {
  if (store.get(REJOIN_META) === undefined) return
  throw new ReplogError(
    'INVALID_ARGUMENT',
    `a rejoin of ${path} was interrupted; run \`replog rejoin --from URL --data ${path}\` again, which finishes it`,
  )
}

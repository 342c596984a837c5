/**
 * The durable notes that keys are to be deleted: those of a storage that no table has any more, of an index that was
 * dropped, of a catalog. Each is written in the batch of the statement that makes the keys unreachable and removed in
 * the batch that deletes the last of them, so a crash at any instant leaves either the keys with the note or neither. (G6)
 *
 *   storage: job-key := 'J' 'p' storage-id(u64)                    payload := table-id(u32 BE) index-id(u32 BE)*
 *   index:   job-key := 'J' 'x' storage-id(u32) index-id(u32)      payload := table-id(u32 BE)
 *   catalog: job-key := 'J' 'c' catalog-id(u64)                    payload := (empty)
 *
 * `table-id` is that of the table whose keys they were, by which people know it.
 */
import { ReplogError } from '../core/errors.js'

/** Kind letters in the job key. */
export const PURGE_JOB = 'p'
export const PURGE_INDEX_JOB = 'x'
export const PURGE_CATALOG_JOB = 'c'

export interface PurgeJob {
  readonly tableId: number
  readonly indexIds: readonly number[]
}

export function encodePurgeJob(job: PurgeJob): Buffer {
  const bytes = Buffer.allocUnsafe(4 + job.indexIds.length * 4)
  bytes.writeUInt32BE(job.tableId, 0)
  job.indexIds.forEach((id, ordinal) => bytes.writeUInt32BE(id, 4 + ordinal * 4))
  return bytes
}

export function decodePurgeJob(bytes: Buffer): PurgeJob {
  if (bytes.length < 4 || bytes.length % 4 !== 0) throw new ReplogError('CORRUPT', 'a purge job does not parse')
  const indexIds: number[] = []
  for (let offset = 4; offset < bytes.length; offset += 4) indexIds.push(bytes.readUInt32BE(offset))
  return { tableId: bytes.readUInt32BE(0), indexIds }
}

export function encodePurgeIndexJob(tableId: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(tableId, 0)
  return bytes
}

/** The id of the table. */
export function decodePurgeIndexJob(bytes: Buffer): number {
  if (bytes.length !== 4) throw new ReplogError('CORRUPT', 'a purge job of an index does not parse')
  return bytes.readUInt32BE(0)
}

/** The id of a job on one index. */
export function indexJobId(storageId: number, indexId: number): bigint {
  return (BigInt(storageId) << 32n) | BigInt(indexId)
}

export function parseIndexJobId(id: bigint): { readonly storageId: number; readonly indexId: number } {
  return { storageId: Number(id >> 32n), indexId: Number(id & 0xffff_ffffn) }
}

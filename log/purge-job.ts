/**
 * The durable note that a dropped table's keys are to be deleted. It is written in the batch of the drop and removed in
 * the batch that deletes the last key, so a crash at any instant leaves either the keys with the note or neither. (G6)
 *
 *   job-key := 'J' 'p' table-id(u64)
 *   payload := table-id(u32 BE) index-id(u32 BE)*
 */
import { ReplogError } from '../core/errors.js'

/** Kind letter in the job key. */
export const PURGE_JOB = 'p'
/** A dropped catalog: job-key := 'J' 'c' catalog-id(u64); the payload is empty. */
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

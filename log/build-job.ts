/**
 * The durable note that an index is being built, on each server by itself. It is written in the batch of the statement
 * that begins the build and deleted in that of the statement that ends it, one way or the other. (G6)
 *
 *   job-key := 'J' 'b' storage-id(u32 BE) index-id(u32 BE)
 *   payload := table-id(u32 BE) version(u32 BE) pass(u8) rows(f64 BE) [row-key]
 *
 * `version` is that of the table with which the build began. A pass goes over the rows in the order of their keys, from
 * behind `row-key` on. A unique index takes two: the second begins when nobody can commit any more who began before the
 * first was through, and so finds every pair of rows with equal values.
 */
import { ReplogError } from '../core/errors.js'

/** Kind letter in the job key. */
export const BUILD_JOB = 'b'

/** What is done, and what comes next. */
export type BuildPass = 'first' | 'first done' | 'second' | 'done'
const PASSES: readonly BuildPass[] = ['first', 'first done', 'second', 'done']

export interface BuildStep {
  readonly pass: BuildPass
  /** Rows seen in this pass, for the listing of jobs. */
  readonly rows: number
  /** Store key of the last row seen in this pass; undefined at its beginning. */
  readonly last: Buffer | undefined
}

export interface BuildJob extends BuildStep {
  readonly tableId: number
  readonly version: number
}

export const firstBuildStep: BuildStep = { pass: 'first', rows: 0, last: undefined }

const HEAD_BYTES = 17

export function encodeBuildJob({ tableId, version, pass, rows, last }: BuildJob): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + (last?.length ?? 0))
  bytes.writeUInt32BE(tableId, 0)
  bytes.writeUInt32BE(version, 4)
  bytes.writeUInt8(PASSES.indexOf(pass), 8)
  bytes.writeDoubleBE(rows, 9)
  last?.copy(bytes, HEAD_BYTES)
  return bytes
}

export function decodeBuildJob(bytes: Buffer): BuildJob {
  const pass = bytes.length < HEAD_BYTES ? undefined : PASSES[bytes.readUInt8(8)]
  if (pass === undefined) throw new ReplogError('CORRUPT', 'an index build job does not parse; restore from a peer')
  return {
    tableId: bytes.readUInt32BE(0),
    version: bytes.readUInt32BE(4),
    pass,
    rows: bytes.readDoubleBE(9),
    last: bytes.length === HEAD_BYTES ? undefined : Buffer.from(bytes.subarray(HEAD_BYTES)),
  }
}

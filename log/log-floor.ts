/**
 * Where a log begins: the newest transaction that it does not hold.
 *
 *   log-floor := epoch(u32 BE) lsn(u64 BE) digest(16 bytes) log-bytes(u64 BE) commit-timestamp-us(i64 BE)
 *
 * A log without the record begins at LSN 1. One is written when the log is purged, and when a copy begins with the rows
 * of a later time. The frames above the floor continue its digest, so the chain is whole from there on. (G8)
 *
 * Invariant: the floor is durable before a frame at or below it is deleted. Such a frame may be there after a crash, and
 * nobody reads it. (G9)
 */
import { ReplogError } from '../core/errors.js'
import { DIGEST_BYTES, type Epoch, LSN_ZERO, type Lsn, type Position } from '../core/position.js'
import { metaKey } from '../store/keys.js'
import type { Store } from '../store/store.js'
import { genesisDigest } from './codec/digest.js'

export interface LogFloor {
  /** After this transaction the log begins. */
  readonly position: Position
  /** Bytes of all frames ever written up to there. */
  readonly logBytes: bigint
  /** Commit timestamp of that transaction; 0 where the log begins at LSN 1. */
  readonly commitUs: bigint
}

export const LOG_FLOOR_META = metaKey('log-floor')

const LSN_OFFSET = 4
const DIGEST_OFFSET = 12
const LOG_BYTES_OFFSET = DIGEST_OFFSET + DIGEST_BYTES
const COMMIT_OFFSET = LOG_BYTES_OFFSET + 8
const RECORD_BYTES = COMMIT_OFFSET + 8

export function encodeLogFloor({ position, logBytes, commitUs }: LogFloor): Buffer {
  const record = Buffer.allocUnsafe(RECORD_BYTES)
  record.writeUInt32BE(position.epoch, 0)
  record.writeBigUInt64BE(position.lsn, LSN_OFFSET)
  record.set(position.digest, DIGEST_OFFSET)
  record.writeBigUInt64BE(logBytes, LOG_BYTES_OFFSET)
  record.writeBigInt64BE(commitUs, COMMIT_OFFSET)
  return record
}

/** @throws ReplogError CORRUPT */
export function decodeLogFloor(record: Buffer): LogFloor {
  if (record.length !== RECORD_BYTES) throw new ReplogError('CORRUPT', 'the record of the log floor has a wrong length')
  return {
    position: {
      epoch: record.readUInt32BE(0) as Epoch,
      lsn: record.readBigUInt64BE(LSN_OFFSET) as Lsn,
      digest: Buffer.from(record.subarray(DIGEST_OFFSET, LOG_BYTES_OFFSET)),
    },
    logBytes: record.readBigUInt64BE(LOG_BYTES_OFFSET),
    commitUs: record.readBigInt64BE(COMMIT_OFFSET),
  }
}

/** @param clusterId undefined on a server that has not met its cluster */
export function readLogFloor(store: Store, clusterId: Buffer | undefined): LogFloor {
  const record = store.get(LOG_FLOOR_META)
  return record === undefined ? logBeginning(clusterId) : decodeLogFloor(record)
}

/** The floor of a log that holds everything from LSN 1 on. */
export function logBeginning(clusterId: Buffer | undefined): LogFloor {
  return { position: startOf(clusterId), logBytes: 0n, commitUs: 0n }
}

/** Where the empty log of a cluster stands. */
export function startOf(clusterId: Buffer | undefined): Position {
  const digest = clusterId === undefined ? Buffer.alloc(DIGEST_BYTES) : genesisDigest(clusterId)
  return { epoch: 0 as Epoch, lsn: LSN_ZERO, digest }
}

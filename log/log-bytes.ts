/**
 * How many bytes of frames a log has had in all, trimmed ones included: the scale on which lag in bytes is measured.
 * Since a replica's log is a byte-identical prefix, the figure at one LSN is the same on every server.
 *
 *   log-bytes := lsn(u64 BE) bytes(u64 BE)
 *
 * The LSN is there to be checked against the last frame when the store is opened.
 */
import { ReplogError } from '../core/errors.js'
import type { Lsn } from '../core/position.js'
import { metaKey } from '../store/keys.js'

export const LOG_BYTES_META = metaKey('log-bytes')

export function encodeLogBytes(lsn: Lsn, bytes: bigint): Buffer {
  const encoded = Buffer.allocUnsafe(16)
  encoded.writeBigUInt64BE(lsn, 0)
  encoded.writeBigUInt64BE(bytes, 8)
  return encoded
}

export function decodeLogBytes(payload: Buffer): { lsn: Lsn; bytes: bigint } {
  if (payload.length !== 16) throw new ReplogError('CORRUPT', 'the log size record has a wrong length')
  return { lsn: payload.readBigUInt64BE(0) as Lsn, bytes: payload.readBigUInt64BE(8) }
}

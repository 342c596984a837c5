/** The digest of a table's rows as bytes: what markers and range digests carry. */
import { TABLE_DIGEST_BYTES } from '../codec/marker-codec.js'
import type { TableStats } from '../table-stats.js'

/** The two sums, big-endian, high half first. */
export function digestBytes({ digestHigh, digestLow }: TableStats): Buffer {
  const bytes = Buffer.allocUnsafe(TABLE_DIGEST_BYTES)
  bytes.writeUInt32BE(digestHigh, 0)
  bytes.writeUInt32BE(digestLow, 4)
  return bytes
}

/**
 * What the store keeps per table beside its rows: row count and bytes, order-free digest, AUTO_INCREMENT high-water mark.
 *
 *   stats := rows(f64 BE, an integer) digest-high(u32 BE) digest-low(u32 BE) auto-increment(i64 BE) bytes(f64 BE)
 *
 * The digest is a sum over the rows of a mixed per-row checksum, so adding and removing a row are one addition each and
 * the order does not matter. Every change to it is in the batch of the rows that caused it. Invariant: on every server
 * the stats at one LSN are equal, because they are a fold of the log; but for the AUTO_INCREMENT mark, which stays ahead on
 * one that undid transactions to rejoin, so that no id comes twice.
 */
import { crc32 } from '../core/crc32.js'
import { ReplogError } from '../core/errors.js'

const STATS_BYTES = 32

export class TableStats {
  rows = 0
  /** Of row keys and images. */
  bytes = 0
  digestHigh = 0
  digestLow = 0
  /** The highest AUTO_INCREMENT value that a committed row ever had. */
  autoIncrement = 0n

  /** A row appears (`sign` 1) or disappears (`sign` -1). */
  count(rowKey: Uint8Array, rowBytes: Uint8Array, sign: 1 | -1): void {
    const checksum = crc32(rowBytes, crc32(rowKey))
    this.rows += sign
    this.bytes += sign * (rowKey.length + rowBytes.length)
    this.digestHigh = (this.digestHigh + sign * mix(checksum, 0x9e3779b9)) >>> 0
    this.digestLow = (this.digestLow + sign * mix(checksum, 0x7f4a7c15)) >>> 0
  }

  noteAutoIncrement(value: bigint): void {
    if (value > this.autoIncrement) this.autoIncrement = value
  }

  get digest(): string {
    return this.digestHigh.toString(16).padStart(8, '0') + this.digestLow.toString(16).padStart(8, '0')
  }

  encode(): Buffer {
    const bytes = Buffer.allocUnsafe(STATS_BYTES)
    bytes.writeDoubleBE(this.rows, 0)
    bytes.writeUInt32BE(this.digestHigh, 8)
    bytes.writeUInt32BE(this.digestLow, 12)
    bytes.writeBigInt64BE(this.autoIncrement, 16)
    bytes.writeDoubleBE(this.bytes, 24)
    return bytes
  }

  static decode(bytes: Buffer): TableStats {
    if (bytes.length !== STATS_BYTES) throw new ReplogError('CORRUPT', 'the statistics of a table have a wrong length')
    const stats = new TableStats()
    stats.rows = bytes.readDoubleBE(0)
    stats.digestHigh = bytes.readUInt32BE(8)
    stats.digestLow = bytes.readUInt32BE(12)
    stats.autoIncrement = bytes.readBigInt64BE(16)
    stats.bytes = bytes.readDoubleBE(24)
    return stats
  }
}

/**
 * Spreads a CRC over 32 bits without keeping its linearity, so that the sums of two rows with exchanged contents differ.
 * Finalizer of MurmurHash3 (Appleby).
 */
function mix(checksum: number, salt: number): number {
  let hash = (checksum ^ salt) >>> 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/**
 * Where a log stands: (epoch, LSN, digest).
 *
 *   position-text := epoch "." lsn "." digest-hex      e.g. 1.7.9f86d081884c7d659a2feaa0c55ad015
 *
 * The same text is the resume token of a reader. The digest makes two positions of different histories unequal even
 * where epoch and LSN agree (after superfly/ltx, whose position is a transaction id and a checksum).
 */
import { ReplogError } from './errors.js'

/** Log sequence number: u64, dense, one per committed transaction; 0 is the empty log. */
export type Lsn = bigint & { readonly __brand: 'Lsn' }

/** Raised durably by every promotion: u32. */
export type Epoch = number & { readonly __brand: 'Epoch' }

/** Bytes of a chain digest: SHA-256 cut to 128 bits. */
export const DIGEST_BYTES = 16

/** Where a log stands. `formatPosition` makes its text, which is also a token for change streams. */
export interface Position {
  readonly epoch: Epoch
  readonly lsn: Lsn
  /** Chain digest after the last frame of `lsn`; `DIGEST_BYTES` long. */
  readonly digest: Uint8Array
}

export const LSN_ZERO = 0n as Lsn
export const LSN_MAX = 0xffff_ffff_ffff_ffffn as Lsn
export const EPOCH_FIRST = 1 as Epoch

/** A number as an LSN. @throws ReplogError INVALID_ARGUMENT when it is no u64 */
export function asLsn(value: bigint): Lsn {
  if (value < 0n || value > LSN_MAX) throw new ReplogError('INVALID_ARGUMENT', `LSN ${value} is not a u64`)
  return value as Lsn
}

export function asEpoch(value: number): Epoch {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw new ReplogError('INVALID_ARGUMENT', `epoch ${value} is not a u32`)
  }
  return value as Epoch
}

export function nextLsn(lsn: Lsn): Lsn {
  return (lsn + 1n) as Lsn
}

/** The text of a position, "epoch.lsn.digest"; `parsePosition` reads it back. */
export function formatPosition(position: Position): string {
  return `${position.epoch}.${position.lsn}.${Buffer.from(position.digest).toString('hex')}`
}

const POSITION_PATTERN = /^(\d{1,10})\.(\d{1,20})\.([0-9a-f]{32})$/

/** @throws ReplogError INVALID_ARGUMENT when the text is not a position. */
export function parsePosition(text: string): Position {
  const match = POSITION_PATTERN.exec(text)
  if (match === null) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `"${text}" is not a position; one looks like 1.7.${'0'.repeat(DIGEST_BYTES * 2)} (epoch.lsn.digest)`,
    )
  }
  return {
    epoch: asEpoch(Number(match[1])),
    lsn: asLsn(BigInt(match[2]!)),
    digest: Buffer.from(match[3]!, 'hex'),
  }
}

/** A u64 LSN from decimal text. */
export function parseLsn(text: string): Lsn {
  if (!/^\d{1,20}$/.test(text)) {
    throw new ReplogError('INVALID_ARGUMENT', `"${text}" is not an LSN; one is a decimal number such as 7`)
  }
  return asLsn(BigInt(text))
}

export function digestsEqual(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0
}

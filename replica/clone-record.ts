/**
 * How far a copy is that is being made. It is written in the batch of what it is about, so that a copy that was cut off
 * goes on where it was, and deleted in the batch that makes it a server's data directory.
 *
 *   clone := JSON, see `encode`          a meta value
 */
import { ReplogError } from '../core/errors.js'
import { type Position, formatPosition } from '../core/position.js'
import {
  type SnapshotEnd,
  type SnapshotHeader,
  headerFields,
  hexOf,
  integerOf,
  positionOf,
  readHeader,
} from '../log/snapshot/snapshot-records.js'
import { metaKey } from '../store/keys.js'
import type { Store } from '../store/store.js'

export const CLONE_META = metaKey('clone')

export interface CloneRecord {
  readonly header: SnapshotHeader
  /** The last key of the pages that are here, and the newest position that one of them named. */
  readonly after: Buffer | undefined
  readonly seen: Position
  /** Bytes of the snapshot that arrived, for people. */
  readonly bytes: number
  /** Set when all pages are here. */
  readonly end: SnapshotEnd | undefined
  /** The last transaction that was applied on top of the pages, and the bytes of log up to there. */
  readonly reached: Position
  readonly reachedLogBytes: bigint
  readonly reachedCommitUs: bigint
}

export function encodeCloneRecord(record: CloneRecord): Buffer {
  const { header, after, seen, bytes, end, reached, reachedLogBytes, reachedCommitUs } = record
  return Buffer.from(
    JSON.stringify({
      header: headerFields(header),
      after: after?.toString('hex') ?? null,
      seen: formatPosition(seen),
      bytes,
      end: end === undefined ? null : { position: formatPosition(end.position), logBytes: end.logBytes.toString() },
      reached: formatPosition(reached),
      reachedLogBytes: reachedLogBytes.toString(),
      reachedCommitUs: reachedCommitUs.toString(),
    }),
  )
}

/** Undefined in a copy that has not begun, and in one that is whole. @throws ReplogError CORRUPT */
export function readCloneRecord(store: Store): CloneRecord | undefined {
  const payload = store.get(CLONE_META)
  if (payload === undefined) return undefined
  const fields = fieldsOf(JSON.parse(payload.toString('utf8')))
  const end = fields['end'] === null ? undefined : fieldsOf(fields['end'])
  return {
    header: readHeader({ kind: 'header', payload: Buffer.from(JSON.stringify(fields['header'])) }),
    after: fields['after'] === null ? undefined : hexOf(fields, 'after'),
    seen: positionOf(fields, 'seen'),
    bytes: Number(fields['bytes']),
    end: end && { position: positionOf(end, 'position'), logBytes: integerOf(end, 'logBytes') },
    reached: positionOf(fields, 'reached'),
    reachedLogBytes: integerOf(fields, 'reachedLogBytes'),
    reachedCommitUs: integerOf(fields, 'reachedCommitUs'),
  }
}

export function firstRecord(header: SnapshotHeader): CloneRecord {
  const { start, startLogBytes, startCommitUs } = header
  return {
    header,
    after: undefined,
    seen: start,
    bytes: 0,
    end: undefined,
    reached: start,
    reachedLogBytes: startLogBytes,
    reachedCommitUs: startCommitUs,
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>
  throw new ReplogError('CORRUPT', 'the record of a copy does not parse; remove the directory and clone again')
}

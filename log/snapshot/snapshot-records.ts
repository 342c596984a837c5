/**
 * What the header and the end of a snapshot say, and how it is asked for.
 *
 * Bigints and positions are text in the JSON, bytes are hex.
 */
import { ReplogError } from '../../core/errors.js'
import { type Position, formatPosition, parsePosition } from '../../core/position.js'
import { type Chunk, SNAPSHOT_FORMAT, chunkFields, damaged } from './snapshot-stream.js'

/** From where a snapshot is to go on that was cut off. */
export interface SnapshotResume {
  /** The last key that arrived. */
  readonly after: Buffer
  /** Where the copying began. */
  readonly start: Position
  /** A position that the server had when it sent the last page: it must not have lost it since. */
  readonly seen: Position
}

export interface SnapshotHeader {
  readonly clusterId: Buffer
  /** Of the server that is copied. */
  readonly serverId: Buffer
  /** From behind here on the log is applied on top of the pages. */
  readonly start: Position
  /** Bytes of log up to there, and the commit timestamp there. */
  readonly startLogBytes: bigint
  readonly startCommitUs: bigint
  /** Outcomes of idempotency keys up to this LSN have expired. */
  readonly outcomeFloor: bigint
  /** The id counters, of some time between the start and the end; undefined in an empty cluster. */
  readonly ids: Buffer | undefined
  /** Of rows with their keys. */
  readonly bytesEstimate: number
}

export interface SnapshotEnd {
  /** The state at this position is what pages, counters and the log up to here make. */
  readonly position: Position
  readonly logBytes: bigint
}

export function headerFields(header: SnapshotHeader): object {
  return {
    format: SNAPSHOT_FORMAT,
    clusterId: header.clusterId.toString('hex'),
    serverId: header.serverId.toString('hex'),
    start: formatPosition(header.start),
    startLogBytes: header.startLogBytes.toString(),
    startCommitUs: header.startCommitUs.toString(),
    outcomeFloor: header.outcomeFloor.toString(),
    ids: header.ids?.toString('hex') ?? null,
    bytesEstimate: header.bytesEstimate,
  }
}

/** @throws ReplogError CORRUPT, UNSUPPORTED_VERSION */
export function readHeader(chunk: Chunk): SnapshotHeader {
  if (chunk.kind !== 'header') throw damaged('it does not begin with a header')
  const fields = chunkFields(chunk)
  if (fields['format'] !== SNAPSHOT_FORMAT) {
    throw new ReplogError(
      'UNSUPPORTED_VERSION',
      `the snapshot has format ${String(fields['format'])}, this program knows ${SNAPSHOT_FORMAT}; upgrade it`,
    )
  }
  const bytesEstimate = fields['bytesEstimate']
  return {
    clusterId: hexOf(fields, 'clusterId'),
    serverId: hexOf(fields, 'serverId'),
    start: positionOf(fields, 'start'),
    startLogBytes: integerOf(fields, 'startLogBytes'),
    startCommitUs: integerOf(fields, 'startCommitUs'),
    outcomeFloor: integerOf(fields, 'outcomeFloor'),
    ids: fields['ids'] === null ? undefined : hexOf(fields, 'ids'),
    bytesEstimate: typeof bytesEstimate === 'number' ? bytesEstimate : 0,
  }
}

export function endFields(end: SnapshotEnd, { chunks, digest }: Before): object {
  return { position: formatPosition(end.position), logBytes: end.logBytes.toString(), chunks, digest }
}

/** What came before the end of a stream, as its reader counted. */
export interface Before {
  readonly chunks: number
  readonly digest: string
}

/** @throws ReplogError CORRUPT */
export function readEnd(chunk: Chunk, before: Before): SnapshotEnd {
  const fields = chunkFields(chunk)
  if (fields['chunks'] !== before.chunks || fields['digest'] !== before.digest) {
    throw damaged('chunks are missing before its end')
  }
  return { position: positionOf(fields, 'position'), logBytes: integerOf(fields, 'logBytes') }
}

export function positionOf(fields: Readonly<Record<string, unknown>>, name: string): Position {
  return parsePosition(textOf(fields, name))
}

export function integerOf(fields: Readonly<Record<string, unknown>>, name: string): bigint {
  const text = textOf(fields, name)
  if (!/^-?\d{1,20}$/.test(text)) throw damaged(`field ${name} is no integer`)
  return BigInt(text)
}

export function hexOf(fields: Readonly<Record<string, unknown>>, name: string): Buffer {
  const text = textOf(fields, name)
  if (!/^([0-9a-f]{2})*$/.test(text)) throw damaged(`field ${name} is not hex`)
  return Buffer.from(text, 'hex')
}

function textOf(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string') throw damaged(`field ${name} is missing`)
  return value
}

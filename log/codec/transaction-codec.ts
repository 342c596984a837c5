/**
 * `Transaction` as protobuf bytes: the hot message, so sizes first and then one write into one buffer, by hand.
 *
 *   payload    := head statement* annotation* repetition   fields in number order; unknown fields may follow
 *   head       := fields 1 to 8 of Transaction, each at most once
 *   statement  := field 9, a Statement                     annotation := field 10, a map entry; in segment 0 only
 *   repetition := [field 11, idempotency key] [field 12, outcome]                           in segment 0 only
 *
 * Invariants: the bytes are those that protobufjs writes for the same message; row images are copied in as they are and
 * come out as views; decode(encode(x)) is x, but for statements that lie across a cut, which come out in parts.
 *
 * What is malformed is CORRUPT; a statement of an unknown kind is UNSUPPORTED_VERSION, for skipping it would lose a
 * change; other unknown fields are passed over. They survive, because the bytes that are stored and forwarded are the
 * original ones. Head fields come first and in order, so that a peek and a decode cannot disagree.
 */
import assert from 'node:assert/strict'
import { SEGMENT_BYTES_TARGET } from '../../core/limits.js'
import { LSN_MAX, type Epoch, type Lsn } from '../../core/position.js'
import { SERVER_ID_BYTES } from './definition-statement-codec.js'
import type { Statement, Transaction } from './message.js'
import { isCounted, isInt64, isUint32 } from './ranges.js'
import { cutSegments } from './segment.js'
import { readStatement, statementSize, writeStatement, type Piece } from './statement-codec.js'
import { readStringEntry, stringMapSize, writeStringMap, type StringEntry } from './string-map.js'
import {
  delimitedSize,
  highHalf,
  lowHalf,
  sint64Size,
  stringSize,
  uint64Size,
  varintSize,
  VARINT32_BYTES_MAX,
  WireReader,
  writeBytes,
  writeSint64,
  writeString,
  writeUint64,
  writeVarint,
  wrongWireType,
} from './wire.js'

const LSN_TAG = 0x08
const EPOCH_TAG = 0x10
const SEGMENT_TAG = 0x18
const LAST_SEGMENT_TAG = 0x20
const ORIGIN_TAG = 0x2a
const CATALOG_TAG = 0x30
const START_TAG = 0x38
const COMMIT_TAG = 0x40
const STATEMENT_TAG = 0x4a
const ANNOTATION_TAG = 0x52
const IDEMPOTENCY_KEY_TAG = 0x5a
const OUTCOME_TAG = 0x62

/** The segment number and the flag of the last segment. */
const SEGMENT_FIELDS_BYTES_MAX = 1 + VARINT32_BYTES_MAX + 2
const HEAD_FIELD_MAX = 8
const TRANSACTION_FIELD_MAX = 12

/**
 * One buffer per segment; one segment in most cases. The first `headroomBytes` of each buffer are left for the frame
 * header, the rest is the payload. Cuts at about `segmentBytesTarget` bytes of payload.
 */
export function encodeTransaction(
  transaction: Transaction,
  headroomBytes = 0,
  segmentBytesTarget = SEGMENT_BYTES_TARGET,
): Buffer[] {
  assertHead(transaction)
  const headBytes = headSize(transaction)
  const annotations = annotationEntries(transaction)
  const annotationBytes = stringMapSize(ANNOTATION_TAG, annotations) + repetitionSize(transaction)
  const segments = cutSegments(
    transaction.statements,
    headBytes + SEGMENT_FIELDS_BYTES_MAX,
    annotationBytes,
    segmentBytesTarget,
  )
  const last = segments.length - 1
  const encode = (pieces: readonly Piece[], segment: number): Buffer => {
    let bytes = headroomBytes + headBytes
    if (segment > 0) bytes += 1 + varintSize(segment)
    if (segment === last) bytes += 2
    if (segment === 0) bytes += annotationBytes
    for (const piece of pieces) bytes += 1 + delimitedSize(statementSize(piece))
    const buffer = Buffer.allocUnsafe(bytes)
    let offset = writeHead(buffer, headroomBytes, transaction, segment, segment === last)
    for (const piece of pieces) {
      buffer[offset] = STATEMENT_TAG
      offset = writeStatement(buffer, offset + 1, piece)
    }
    if (segment === 0) {
      offset = writeStringMap(buffer, offset, ANNOTATION_TAG, annotations)
      offset = writeRepetition(buffer, offset, transaction)
    }
    assert(offset === bytes, 'the sizes foretell what is written')
    return buffer
  }
  return last === 0 ? [encode(segments[0]!, 0)] : segments.map(encode)
}

function assertHead(transaction: Transaction): void {
  const { lsn, epoch, startTimestampUs: start, commitTimestampUs: commit } = transaction
  assert(lsn > 0n && lsn <= LSN_MAX && isCounted(epoch), 'a committed transaction has an LSN and an epoch')
  assert(transaction.originServerId.length === SERVER_ID_BYTES, 'a server id is a UUID')
  assert(isUint32(transaction.catalogId), 'a catalog id is a u32')
  assert(isInt64(start) && isInt64(commit), 'times fit 64 bits')
}

/** Size of the head but for the segment fields. */
function headSize(transaction: Transaction): number {
  let size = 1 + uint64Size(transaction.lsn) + 1 + varintSize(transaction.epoch) + 1 + 1 + SERVER_ID_BYTES
  if (transaction.catalogId !== 0) size += 1 + varintSize(transaction.catalogId)
  if (transaction.startTimestampUs !== 0n) size += 1 + sint64Size(transaction.startTimestampUs)
  if (transaction.commitTimestampUs !== 0n) size += 1 + sint64Size(transaction.commitTimestampUs)
  return size
}

function writeHead(buffer: Buffer, offset: number, transaction: Transaction, segment: number, last: boolean): number {
  buffer[offset++] = LSN_TAG
  offset = writeUint64(buffer, offset, transaction.lsn)
  buffer[offset++] = EPOCH_TAG
  offset = writeVarint(buffer, offset, transaction.epoch)
  if (segment > 0) {
    buffer[offset++] = SEGMENT_TAG
    offset = writeVarint(buffer, offset, segment)
  }
  if (last) {
    buffer[offset++] = LAST_SEGMENT_TAG
    buffer[offset++] = 1
  }
  buffer[offset++] = ORIGIN_TAG
  offset = writeBytes(buffer, offset, transaction.originServerId)
  if (transaction.catalogId !== 0) {
    buffer[offset++] = CATALOG_TAG
    offset = writeVarint(buffer, offset, transaction.catalogId)
  }
  if (transaction.startTimestampUs !== 0n) {
    buffer[offset++] = START_TAG
    offset = writeSint64(buffer, offset, transaction.startTimestampUs)
  }
  if (transaction.commitTimestampUs !== 0n) {
    buffer[offset++] = COMMIT_TAG
    offset = writeSint64(buffer, offset, transaction.commitTimestampUs)
  }
  return offset
}

const NO_ENTRIES: readonly StringEntry[] = []

function annotationEntries({ annotations }: Transaction): readonly StringEntry[] {
  if (annotations === undefined) return NO_ENTRIES
  const entries = Object.entries(annotations)
  assert(
    entries.every(([name, value]) => name.isWellFormed() && value.isWellFormed()),
    'annotations were checked when they came in',
  )
  return entries
}

function repetitionSize({ idempotencyKey, outcome }: Transaction): number {
  let size = 0
  if (idempotencyKey !== undefined && idempotencyKey !== '') {
    assert(idempotencyKey.isWellFormed(), 'an idempotency key was checked when it came in')
    size += 1 + stringSize(idempotencyKey)
  }
  if (outcome !== undefined && outcome.length > 0) size += 1 + delimitedSize(outcome.length)
  return size
}

function writeRepetition(buffer: Buffer, offset: number, { idempotencyKey, outcome }: Transaction): number {
  if (idempotencyKey !== undefined && idempotencyKey !== '') {
    buffer[offset++] = IDEMPOTENCY_KEY_TAG
    offset = writeString(buffer, offset, idempotencyKey)
  }
  if (outcome !== undefined && outcome.length > 0) {
    buffer[offset++] = OUTCOME_TAG
    offset = writeBytes(buffer, offset, outcome)
  }
  return offset
}

/** The fields of a segment's head that are needed without decoding its statements. */
export interface TransactionPeek {
  readonly lsn: Lsn
  readonly epoch: Epoch
  readonly segment: number
  readonly lastSegment: boolean
  readonly catalogId: number
  readonly commitTimestampUs: bigint
}

interface Head extends TransactionPeek {
  /** Where the server id lies in the payload. */
  readonly originStart: number
  readonly startTimestampUs: bigint
}

/** One reader for all: decoding does not nest. */
const reader = new WireReader()

/** Reads the head of one payload, whatever its length, in constant time. @throws ReplogError CORRUPT. */
export function peekTransaction(payload: Uint8Array): TransactionPeek {
  reader.reset(payload)
  try {
    return readHead()
  } finally {
    reader.release()
  }
}

/** The catalog that one payload names, without making anything of the rest of its head. @throws ReplogError CORRUPT. */
export function peekCatalogId(payload: Uint8Array): number {
  reader.reset(payload)
  try {
    while (reader.more()) {
      const tag = reader.tag()
      if (tag === CATALOG_TAG) return reader.uint32()
      // The fields of a head are in order; one that is absent is zero.
      if (tag > CATALOG_TAG) break
      reader.skip(tag)
    }
    return 0
  } finally {
    reader.release()
  }
}

/**
 * The idempotency key in the payload of a transaction's segment 0, whose statements are passed over; undefined when it has
 * none, and in other segments. @throws ReplogError CORRUPT.
 */
export function peekIdempotencyKey(
  payload: Uint8Array,
): { readonly catalogId: number; readonly idempotencyKey: string } | undefined {
  reader.reset(payload)
  try {
    const { catalogId, segment } = readHead()
    if (segment > 0) return undefined
    while (reader.more()) {
      const tag = reader.tag()
      if (tag === IDEMPOTENCY_KEY_TAG) return { catalogId, idempotencyKey: reader.string() }
      reader.skip(tag)
    }
    return undefined
  } finally {
    reader.release()
  }
}

/**
 * Whether the payload `bytes[start..end)` begins with the head of this segment: what a peek would compare, for the reader of
 * every frame, so without an object. @throws ReplogError CORRUPT.
 */
export function headSays(
  bytes: Uint8Array,
  start: number,
  end: number,
  lsn: Lsn,
  epoch: Epoch,
  segment: number,
  lastSegment: boolean,
): boolean {
  reader.reset(bytes, start, end)
  try {
    const low = lowHalf(lsn)
    const high = highHalf(lsn)
    if (reader.tag() !== LSN_TAG) return false
    reader.readHalves()
    if (reader.low !== low || reader.high !== high) return false
    if (reader.tag() !== EPOCH_TAG || reader.uint32() !== epoch) return false
    // Writers of other programs may write what is zero.
    let tag = reader.tag()
    let writtenSegment = 0
    let writtenLast = false
    if (tag === SEGMENT_TAG) {
      writtenSegment = reader.uint32()
      tag = reader.tag()
    }
    if (tag === LAST_SEGMENT_TAG) {
      writtenLast = reader.bool()
      tag = reader.tag()
    }
    // The server id comes next in every head, so what stood before it was all there is.
    return tag === ORIGIN_TAG && writtenSegment === segment && writtenLast === lastSegment
  } finally {
    reader.release()
  }
}

/**
 * The transaction that the payloads of all its segments, in order, make. Images and server ids are views of the
 * payloads. @throws ReplogError CORRUPT, UNSUPPORTED_VERSION.
 */
export function decodeTransaction(payloads: readonly Uint8Array[]): Transaction {
  assert(payloads.length > 0, 'a transaction has at least one segment')
  const body = new Body()
  let first: Head | undefined
  let originServerId: Uint8Array | undefined
  try {
    for (let segment = 0; segment < payloads.length; segment++) {
      reader.reset(payloads[segment]!)
      const head = readHead()
      const origin = reader.buffer.subarray(head.originStart, head.originStart + SERVER_ID_BYTES)
      first ??= head
      originServerId ??= origin
      if (head.segment !== segment) throw reader.corrupt(`segment ${head.segment} stands in the place of ${segment}`)
      if (head.lastSegment !== (segment === payloads.length - 1))
        throw reader.corrupt('segments are missing or too many')
      if (segment > 0 && (!sameTransaction(head, first) || Buffer.compare(origin, originServerId) !== 0)) {
        throw reader.corrupt(`segment ${segment} belongs to another transaction`)
      }
      readBody(segment, body)
    }
  } finally {
    reader.release()
  }
  assert(first !== undefined && originServerId !== undefined)
  const { lsn, epoch, catalogId, startTimestampUs, commitTimestampUs } = first
  const { statements, annotations, idempotencyKey, outcome } = body
  const plain = { lsn, epoch, originServerId, catalogId, startTimestampUs, commitTimestampUs, statements }
  // Most have nothing else, and spreading objects together costs as much as the rest.
  if (annotations === undefined && idempotencyKey === '' && outcome === undefined) return plain
  return {
    ...plain,
    ...(annotations === undefined ? {} : { annotations: Object.fromEntries(annotations) }),
    ...(idempotencyKey === '' ? {} : { idempotencyKey }),
    ...(outcome === undefined ? {} : { outcome }),
  }
}

/** What stands behind the heads of the segments. */
class Body {
  readonly statements: Statement[] = []
  annotations: StringEntry[] | undefined = undefined
  idempotencyKey = ''
  outcome: Uint8Array | undefined = undefined
}

function sameTransaction(one: Head, other: Head): boolean {
  return (
    one.lsn === other.lsn &&
    one.epoch === other.epoch &&
    one.catalogId === other.catalogId &&
    one.startTimestampUs === other.startTimestampUs &&
    one.commitTimestampUs === other.commitTimestampUs
  )
}

/** Reads fields 1 to 8 and stops before the first other field. */
function readHead(): Head {
  let lsn = 0n
  let epoch = 0
  let segment = 0
  let lastSegment = false
  let originStart = -1
  let catalogId = 0
  let startTimestampUs = 0n
  let commitTimestampUs = 0n
  let fieldBefore = 0
  while (reader.more()) {
    const start = reader.position
    const tag = reader.tag()
    const field = tag >>> 3
    if (field > HEAD_FIELD_MAX) {
      reader.position = start
      break
    }
    if (field <= fieldBefore) throw reader.corrupt('the head fields of a transaction are out of order')
    fieldBefore = field
    if (tag === LSN_TAG) lsn = reader.uint64()
    else if (tag === EPOCH_TAG) epoch = reader.uint32()
    else if (tag === SEGMENT_TAG) segment = reader.uint32()
    else if (tag === LAST_SEGMENT_TAG) lastSegment = reader.bool()
    else if (tag === CATALOG_TAG) catalogId = reader.uint32()
    else if (tag === START_TAG) startTimestampUs = reader.sint64()
    else if (tag === COMMIT_TAG) commitTimestampUs = reader.sint64()
    else if (tag === ORIGIN_TAG) {
      const end = reader.delimitedEnd()
      originStart = reader.position
      if (end - originStart !== SERVER_ID_BYTES) throw reader.corrupt('a server id is not 16 bytes long')
      reader.position = end
    } else throw wrongWireType(reader, field, 'Transaction')
  }
  if (lsn === 0n || epoch === 0 || originStart === -1) throw reader.corrupt('a transaction lacks LSN, epoch or origin')
  return {
    lsn: lsn as Lsn,
    epoch: epoch as Epoch,
    segment,
    lastSegment,
    catalogId,
    commitTimestampUs,
    originStart,
    startTimestampUs,
  }
}

function readBody(segment: number, body: Body): void {
  while (reader.more()) {
    const tag = reader.tag()
    const field = tag >>> 3
    if (tag === STATEMENT_TAG) {
      body.statements.push(readStatement(reader))
    } else if (tag === ANNOTATION_TAG) {
      if (segment > 0) throw reader.corrupt('annotations stand in segment 0 only')
      body.annotations ??= []
      body.annotations.push(readStringEntry(reader, 'annotation'))
    } else if (tag === IDEMPOTENCY_KEY_TAG || tag === OUTCOME_TAG) {
      if (segment > 0) throw reader.corrupt('an idempotency key stands in segment 0 only')
      if (tag === IDEMPOTENCY_KEY_TAG) body.idempotencyKey = reader.string()
      else body.outcome = reader.bytesView()
    } else if (field <= HEAD_FIELD_MAX) {
      throw reader.corrupt('the head fields of a transaction are out of order')
    } else if (field <= TRANSACTION_FIELD_MAX) {
      throw wrongWireType(reader, field, 'Transaction')
    } else {
      reader.skip(tag)
    }
  }
}

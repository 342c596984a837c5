/**
 * A verify marker as protobuf bytes: what tables held after the transaction before it.
 *
 *   marker := count*                                            field 1, repeated; VerifyMarker
 *   count  := catalog-id storage-id table-id rows digest        fields 1 to 5; TableCount
 *
 * Invariants: fields in number order, a row count of 0 left out; ids are there and the digest has its length. Reading
 * throws CORRUPT for what is malformed.
 */
import assert from 'node:assert/strict'
import type { TableCount, VerifyMarker } from './message.js'
import { isCounted } from './ranges.js'
import {
  delimitedSize,
  readMessage,
  skipUnknown,
  uint64Size,
  varintSize,
  writeBytes,
  writeUint64,
  writeVarint,
  type WireReader,
} from './wire.js'

const COUNT_TAG = 0x0a
const CATALOG_TAG = 0x08
const STORAGE_TAG = 0x10
const TABLE_TAG = 0x18
const ROWS_TAG = 0x20
const DIGEST_TAG = 0x2a

export const TABLE_DIGEST_BYTES = 8

/** The message inside the Statement's oneof. */
export function encodeVerifyMarker({ counts }: VerifyMarker): Buffer {
  const sizes = counts.map(countSize)
  const body = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + 1 + delimitedSize(size), 0))
  let offset = 0
  for (const [ordinal, count] of counts.entries()) {
    body[offset] = COUNT_TAG
    offset = writeVarint(body, offset + 1, sizes[ordinal]!)
    offset = writeCount(body, offset, count)
  }
  assert(offset === body.length, 'the sizes foretell what is written')
  return body
}

function countSize({ catalogId, storageId, tableId, rows, digest }: TableCount): number {
  assert(isCounted(catalogId) && isCounted(storageId) && isCounted(tableId), 'ids are counted from 1')
  assert(Number.isSafeInteger(rows) && rows >= 0 && digest.length === TABLE_DIGEST_BYTES, 'the statistics are sound')
  const ids = 3 + varintSize(catalogId) + varintSize(storageId) + varintSize(tableId)
  return ids + (rows === 0 ? 0 : 1 + uint64Size(BigInt(rows))) + 1 + delimitedSize(TABLE_DIGEST_BYTES)
}

function writeCount(body: Buffer, offset: number, { catalogId, storageId, tableId, rows, digest }: TableCount): number {
  body[offset++] = CATALOG_TAG
  offset = writeVarint(body, offset, catalogId)
  body[offset++] = STORAGE_TAG
  offset = writeVarint(body, offset, storageId)
  body[offset++] = TABLE_TAG
  offset = writeVarint(body, offset, tableId)
  if (rows > 0) {
    body[offset++] = ROWS_TAG
    offset = writeUint64(body, offset, BigInt(rows))
  }
  body[offset++] = DIGEST_TAG
  return writeBytes(body, offset, digest)
}

export function readVerifyMarker(reader: WireReader): VerifyMarker {
  const counts: TableCount[] = []
  readMessage(reader, (tag) => {
    if (tag === COUNT_TAG) counts.push(readCount(reader))
    else skipUnknown(reader, tag, 1, 'VerifyMarker')
  })
  return { kind: 'verifyMarker', counts }
}

function readCount(reader: WireReader): TableCount {
  let catalogId = 0
  let storageId = 0
  let tableId = 0
  let rows = 0n
  let digest: Uint8Array | undefined
  readMessage(reader, (tag) => {
    if (tag === CATALOG_TAG) catalogId = reader.uint32()
    else if (tag === STORAGE_TAG) storageId = reader.uint32()
    else if (tag === TABLE_TAG) tableId = reader.uint32()
    else if (tag === ROWS_TAG) rows = reader.uint64()
    else if (tag === DIGEST_TAG) digest = reader.bytesView()
    else skipUnknown(reader, tag, 5, 'TableCount')
  })
  if (catalogId === 0 || storageId === 0 || tableId === 0) throw reader.corrupt('a count does not say of which table')
  if (rows > BigInt(Number.MAX_SAFE_INTEGER)) throw reader.corrupt('a table has too many rows')
  if (digest?.length !== TABLE_DIGEST_BYTES) throw reader.corrupt('the digest of a table has a wrong length')
  return { catalogId, storageId, tableId, rows: Number(rows), digest }
}

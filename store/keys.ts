/**
 * The keyspace: the one place that knows how keys are made. Byte order is the order that scans want.
 *
 *   key      := meta | catalog | schema | table | place | version | stats | log | row | index | job | outcome
 *              | catalog-stats
 *   meta     := 'M' name
 *   catalog  := 'D' 'c' catalog-name
 *   schema   := 'D' 's' catalog-id schema-name
 *   table    := 'D' 't' catalog-id schema-id table-name
 *   place    := 'D' 'i' table-id                     the key under which the table's definition is now
 *              | 'D' 'j' schema-id                    the same of a schema
 *   version  := 'D' 'v' table-id table-version
 *   stats    := 'T' storage-id
 *   catalog-stats := 'C' catalog-id
 *   log      := 'L' lsn segment
 *   row      := 'R' storage-id key-tuple
 *   index    := 'I' storage-id index-id index-tuple [key-tuple]
 *   job      := 'J' job-kind job-id
 *   outcome  := 'K' catalog-id idempotency-key
 *   name, …-name, idempotency-key := utf-8, to the end of the key
 *   catalog-id, schema-id, table-id, storage-id, table-version, index-id, segment := u32 big-endian
 *   lsn, job-id                                  := u64 big-endian, so that byte order is commit order
 *   job-kind                                     := one ASCII character
 *   key-tuple, index-tuple                       := memcmp-ordered tuples, see log/codec
 *
 * A table's storage id is its table id until a change replaces all its rows at once; both come from one counter.
 * Reserved: 'S' for subscriptions.
 * Every prefix is an ASCII letter, so a prefix always has a successor.
 */
import assert from 'node:assert/strict'
import type { Lsn } from '../core/position.js'
import { writeU64BE } from '../core/u64.js'
import type { KeyRange } from './engine.js'

const U32_MAX = 0xffff_ffff
const U64_MAX = 0xffff_ffff_ffff_ffffn

export const META_PREFIX = 0x4d // M
export const DICTIONARY_PREFIX = 0x44 // D
export const STATS_PREFIX = 0x54 // T
export const CATALOG_STATS_PREFIX = 0x43 // C
export const LOG_PREFIX = 0x4c // L
export const ROW_PREFIX = 0x52 // R
export const INDEX_PREFIX = 0x49 // I
export const JOB_PREFIX = 0x4a // J
export const IDEMPOTENCY_PREFIX = 0x4b // K
export const SUBSCRIPTION_PREFIX = 0x53 // S, reserved

const CATALOG = 0x63 // c
const SCHEMA = 0x73 // s
const TABLE = 0x74 // t
const VERSION = 0x76 // v
const TABLE_PLACE = 0x69 // i
const SCHEMA_PLACE = 0x6a // j

const LOG_KEY_BYTES = 13

export function metaKey(name: string): Buffer {
  return named(Buffer.of(META_PREFIX), name)
}

export function catalogKey(name: string): Buffer {
  return named(catalogPrefix(), name)
}

export function schemaKey(catalogId: number, name: string): Buffer {
  return named(schemaPrefix(catalogId), name)
}

export function tableKey(catalogId: number, schemaId: number, name: string): Buffer {
  return named(tablePrefix(catalogId, schemaId), name)
}

/** Where the definition of a table is found by its id. */
export function tablePlaceKey(tableId: number): Buffer {
  return placeKey(TABLE_PLACE, tableId)
}

/** Where the definition of a schema is found by its id. */
export function schemaPlaceKey(schemaId: number): Buffer {
  return placeKey(SCHEMA_PLACE, schemaId)
}

function placeKey(kind: number, id: number): Buffer {
  const key = Buffer.allocUnsafe(6)
  key[0] = DICTIONARY_PREFIX
  key[1] = kind
  writeU32(key, id, 2)
  return key
}

export function tableVersionKey(tableId: number, version: number): Buffer {
  const key = Buffer.allocUnsafe(10)
  key[0] = DICTIONARY_PREFIX
  key[1] = VERSION
  writeU32(key, tableId, 2)
  writeU32(key, version, 6)
  return key
}

export function statsKey(storageId: number): Buffer {
  const key = Buffer.allocUnsafe(5)
  key[0] = STATS_PREFIX
  writeU32(key, storageId, 1)
  return key
}

export function catalogStatsKey(catalogId: number): Buffer {
  const key = Buffer.allocUnsafe(5)
  key[0] = CATALOG_STATS_PREFIX
  writeU32(key, catalogId, 1)
  return key
}

export function logKey(lsn: Lsn, segment: number): Buffer {
  const key = Buffer.allocUnsafe(LOG_KEY_BYTES)
  key[0] = LOG_PREFIX
  key.writeBigUInt64BE(lsn, 1)
  writeU32(key, segment, 9)
  return key
}

const logScratch = Buffer.alloc(LOG_KEY_BYTES, LOG_PREFIX)

/** As `logKey`; the next call writes over it. */
export function scratchLogKey(lsn: Lsn, segment: number): Buffer {
  writeU64BE(logScratch, lsn, 1)
  writeU32(logScratch, segment, 9)
  return logScratch
}

/** `kind` is one ASCII character. */
export function jobKey(kind: string, id: bigint): Buffer {
  assert(id >= 0n && id <= U64_MAX, `job id ${id} is a u64`)
  const key = Buffer.allocUnsafe(10)
  jobPrefix(kind).copy(key)
  key.writeBigUInt64BE(id, 2)
  return key
}

/** The keys of all catalogs. */
export function catalogPrefix(): Buffer {
  return Buffer.of(DICTIONARY_PREFIX, CATALOG)
}

/** The keys of all schemas of a catalog. */
export function schemaPrefix(catalogId: number): Buffer {
  const prefix = Buffer.allocUnsafe(6)
  prefix[0] = DICTIONARY_PREFIX
  prefix[1] = SCHEMA
  writeU32(prefix, catalogId, 2)
  return prefix
}

/** The keys of all schemas of all catalogs. */
export function schemaKindPrefix(): Buffer {
  return Buffer.of(DICTIONARY_PREFIX, SCHEMA)
}

/** The keys of all tables of a schema. */
export function tablePrefix(catalogId: number, schemaId: number): Buffer {
  const prefix = Buffer.allocUnsafe(10)
  prefix[0] = DICTIONARY_PREFIX
  prefix[1] = TABLE
  writeU32(prefix, catalogId, 2)
  writeU32(prefix, schemaId, 6)
  return prefix
}

/** The keys of all tables of a catalog. */
export function catalogTablesPrefix(catalogId: number): Buffer {
  return tablePrefix(catalogId, 0).subarray(0, 6)
}

/** The keys of all tables of all catalogs. */
export function tableKindPrefix(): Buffer {
  return Buffer.of(DICTIONARY_PREFIX, TABLE)
}

/** The keys of all versions of a table's definition, oldest first. */
export function tableVersionPrefix(tableId: number): Buffer {
  return tableVersionKey(tableId, 0).subarray(0, 6)
}

/** The keys of all rows of a table; a row key is this and the key tuple. */
export function rowPrefix(storageId: number): Buffer {
  const prefix = Buffer.allocUnsafe(5)
  prefix[0] = ROW_PREFIX
  writeU32(prefix, storageId, 1)
  return prefix
}

/** The keys of all entries of an index; an index key is this, the index tuple and (unless unique) the key tuple. */
export function indexPrefix(storageId: number, indexId: number): Buffer {
  const prefix = Buffer.allocUnsafe(9)
  prefix[0] = INDEX_PREFIX
  writeU32(prefix, storageId, 1)
  writeU32(prefix, indexId, 5)
  return prefix
}

/** Under which the first outcome of an idempotency key is kept. */
export function idempotencyKey(catalogId: number, key: string): Buffer {
  return named(idempotencyPrefix(catalogId), key)
}

/** The idempotency keys of a catalog. */
export function idempotencyPrefix(catalogId: number): Buffer {
  const prefix = Buffer.allocUnsafe(5)
  prefix[0] = IDEMPOTENCY_PREFIX
  writeU32(prefix, catalogId, 1)
  return prefix
}

/** The keys of all jobs of a kind, or of all jobs. */
export function jobPrefix(kind?: string): Buffer {
  if (kind === undefined) return Buffer.of(JOB_PREFIX)
  assert(/^[\x21-\x7e]$/.test(kind), `job kind ${JSON.stringify(kind)} is one ASCII character`)
  return Buffer.of(JOB_PREFIX, kind.charCodeAt(0))
}

/** The least key that is greater than every key with this prefix. */
export function successor(prefix: Uint8Array): Buffer {
  let end = prefix.length
  while (end > 0 && prefix[end - 1] === 0xff) end--
  assert(end > 0, 'every key starts with an ASCII letter')
  const next = Buffer.from(prefix.subarray(0, end))
  next[end - 1]!++
  return next
}

/** The least key that is greater than this one. */
export function keyAfter(key: Uint8Array): Buffer {
  const next = Buffer.alloc(key.length + 1)
  next.set(key)
  return next
}

/** All keys with this prefix. */
export function prefixRange(prefix: Uint8Array): KeyRange {
  return { from: prefix, to: successor(prefix) }
}

/** The frames from `fromLsn` (inclusive) to `toLsn` (exclusive; the end of the log when left out). */
export function logRange(fromLsn: Lsn, toLsn?: Lsn): KeyRange {
  return { from: logKey(fromLsn, 0), to: toLsn === undefined ? Buffer.of(LOG_PREFIX + 1) : logKey(toLsn, 0) }
}

export function parseLogKey(key: Uint8Array): { readonly lsn: Lsn; readonly segment: number } {
  assert(key.length === LOG_KEY_BYTES && key[0] === LOG_PREFIX, 'the key is a log key')
  const bytes = asBuffer(key)
  return { lsn: bytes.readBigUInt64BE(1) as Lsn, segment: bytes.readUInt32BE(9) }
}

/** `tuple` shares the key's memory. */
export function parseRowKey(key: Uint8Array): { readonly storageId: number; readonly tuple: Buffer } {
  assert(key.length >= 5 && key[0] === ROW_PREFIX, 'the key is a row key')
  const bytes = asBuffer(key)
  return { storageId: bytes.readUInt32BE(1), tuple: bytes.subarray(5) }
}

/** `tuple` is the index tuple and what follows it; it shares the key's memory. */
export function parseIndexKey(key: Uint8Array): {
  readonly storageId: number
  readonly indexId: number
  readonly tuple: Buffer
} {
  assert(key.length >= 9 && key[0] === INDEX_PREFIX, 'the key is an index key')
  const bytes = asBuffer(key)
  return { storageId: bytes.readUInt32BE(1), indexId: bytes.readUInt32BE(5), tuple: bytes.subarray(9) }
}

export function parseJobKey(key: Uint8Array): { readonly kind: string; readonly id: bigint } {
  assert(key.length === 10 && key[0] === JOB_PREFIX, 'the key is a job key')
  return { kind: String.fromCharCode(key[1]!), id: asBuffer(key).readBigUInt64BE(2) }
}

/**
 * A key as text: one character per byte (latin1), for use as a Map key. Comparing two such texts with `<` compares
 * the keys byte by byte.
 */
export function keyText(key: Buffer): string {
  return key.toString('latin1')
}

/** The key of a text that `keyText` made. */
export function keyBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** A key in words, for messages. Never throws, whatever the bytes are. */
export function describeKey(key: Uint8Array): string {
  const bytes = asBuffer(key)
  switch (bytes[0]) {
    case META_PREFIX:
      return `meta value ${quoted(bytes, 1)}`
    case DICTIONARY_PREFIX:
      return describeDictionaryKey(bytes) ?? unknownKey(bytes)
    case STATS_PREFIX:
      return bytes.length === 5 ? `statistics of storage ${bytes.readUInt32BE(1)}` : unknownKey(bytes)
    case CATALOG_STATS_PREFIX:
      return bytes.length === 5 ? `statistics of catalog ${bytes.readUInt32BE(1)}` : unknownKey(bytes)
    case LOG_PREFIX:
      return bytes.length === LOG_KEY_BYTES
        ? `log frame ${bytes.readBigUInt64BE(1)} segment ${bytes.readUInt32BE(9)}`
        : unknownKey(bytes)
    case ROW_PREFIX:
      return bytes.length >= 5
        ? `row of storage ${bytes.readUInt32BE(1)}, key tuple ${hex(bytes.subarray(5))}`
        : unknownKey(bytes)
    case INDEX_PREFIX:
      return bytes.length >= 9
        ? `entry of storage ${bytes.readUInt32BE(1)} index ${bytes.readUInt32BE(5)}, tuple ${hex(bytes.subarray(9))}`
        : unknownKey(bytes)
    case IDEMPOTENCY_PREFIX:
      return bytes.length >= 5
        ? `outcome of idempotency key ${quoted(bytes, 5)} of catalog ${bytes.readUInt32BE(1)}`
        : unknownKey(bytes)
    case JOB_PREFIX:
      return bytes.length === 10
        ? `job ${String.fromCharCode(bytes[1]!)} ${bytes.readBigUInt64BE(2)}`
        : unknownKey(bytes)
    default:
      return unknownKey(bytes)
  }
}

function describeDictionaryKey(bytes: Buffer): string | undefined {
  const kind = bytes[1]
  if (kind === CATALOG) return `catalog ${quoted(bytes, 2)}`
  if (kind === SCHEMA && bytes.length >= 6) return `schema ${quoted(bytes, 6)} of catalog ${bytes.readUInt32BE(2)}`
  if (kind === TABLE && bytes.length >= 10) {
    return `table ${quoted(bytes, 10)} of schema ${bytes.readUInt32BE(6)} in catalog ${bytes.readUInt32BE(2)}`
  }
  if (kind === TABLE_PLACE && bytes.length === 6) return `place of table ${bytes.readUInt32BE(2)}`
  if (kind === SCHEMA_PLACE && bytes.length === 6) return `place of schema ${bytes.readUInt32BE(2)}`
  if (kind === VERSION && bytes.length === 10) {
    return `version ${bytes.readUInt32BE(6)} of table ${bytes.readUInt32BE(2)}`
  }
  return undefined
}

function unknownKey(bytes: Buffer): string {
  return `unknown key ${hex(bytes)}`
}

function quoted(bytes: Buffer, start: number): string {
  return JSON.stringify(bytes.toString('utf8', start))
}

function hex(bytes: Buffer): string {
  return `0x${bytes.toString('hex')}`
}

function named(prefix: Buffer, name: string): Buffer {
  return Buffer.concat([prefix, Buffer.from(name, 'utf8')])
}

function writeU32(target: Buffer, value: number, offset: number): void {
  assert(Number.isInteger(value) && value >= 0 && value <= U32_MAX, `${value} is a u32`)
  target.writeUInt32BE(value, offset)
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

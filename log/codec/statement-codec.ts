/**
 * `Statement` as protobuf bytes: row changes here, definition statements through `definition-statement-codec.ts`,
 * markers through `marker-codec.ts`.
 *
 *   statement   := row-changes | definition-statement | marker   one field of the oneof
 *   row-changes := table-id table-version row-change*
 *   row-change  := key? before? after?                          row messages, copied as they are
 *
 * Invariants: the size functions foretell what the write functions write; reading gives images as views. Reading throws
 * CORRUPT for what is malformed and UNSUPPORTED_VERSION for a kind of statement that this program does not know.
 */
import assert from 'node:assert/strict'
import { ReplogError } from '../../core/errors.js'
import { readDefinitionStatement } from './definition-statement-codec.js'
import { readVerifyMarker } from './marker-codec.js'
import type { RowChange, RowChanges, Statement } from './message.js'
import { isCounted } from './ranges.js'
import {
  delimitedSize,
  skipUnknown,
  varintSize,
  writeBytes,
  writeVarint,
  wrongWireType,
  type WireReader,
} from './wire.js'

/** Tags of the Statement oneof. */
const KIND_TAGS: Record<Statement['kind'], number> = {
  insert: 0x0a,
  update: 0x12,
  delete: 0x1a,
  rewrite: 0x22,
  createTable: 0x52,
  dropTable: 0x5a,
  alterTable: 0x62,
  truncateTable: 0x6a,
  renameTables: 0x72,
  createIndex: 0x7a,
  dropIndex: 0x82,
  createSchema: 0xa2,
  alterSchema: 0xaa,
  dropSchema: 0xb2,
  createCatalog: 0xf2,
  dropCatalog: 0xfa,
  alterCatalog: 0x102,
  newEpoch: 0x142,
  verifyMarker: 0x14a,
}
const KIND_BY_TAG = new Map(Object.entries(KIND_TAGS).map(([kind, tag]) => [tag, kind as Statement['kind']]))
const KIND_FIELDS = new Set(Object.values(KIND_TAGS).map((tag) => tag >>> 3))

const TABLE_ID_TAG = 0x08
const TABLE_VERSION_TAG = 0x10
const ROW_TAG = 0x1a

const KEY_TAG = 0x0a
const BEFORE_TAG = 0x12
const AFTER_TAG = 0x1a

/** Rows `[from, to)` of a statement. `bodyBytes` is the size of their RowChanges message. */
export interface RowsPiece {
  readonly changes: RowChanges
  readonly from: number
  readonly to: number
  readonly bodyBytes: number
}

/** A definition statement, or a marker; `body` is its message inside the Statement's oneof. */
export interface DefinitionPiece {
  readonly kind: Exclude<Statement['kind'], RowChanges['kind']>
  readonly body: Buffer
}

export type Piece = RowsPiece | DefinitionPiece

export function isRowChanges(statement: Statement): statement is RowChanges {
  return 'rows' in statement
}

/** Size of the RowChange message. */
export function rowChangeSize(kind: RowChanges['kind'], change: RowChange): number {
  const { key, before, after } = change
  if (kind === 'insert') assert(after !== undefined && before === undefined, 'an insert has the row after it alone')
  else if (kind === 'rewrite') assert(after !== undefined && (before ?? key) === undefined, 'a rewrite has one image')
  else if (kind === 'update') assert(after !== undefined && (before ?? key) !== undefined, 'an update has both images')
  else assert(after === undefined && (before ?? key) !== undefined, 'a delete has the row before it alone')
  return imageSize(key) + imageSize(before) + imageSize(after)
}

function imageSize(image: Uint8Array | undefined): number {
  if (image === undefined) return 0
  assert(image.length > 0, 'a row message holds at least its table version')
  return 1 + delimitedSize(image.length)
}

/** Size of the fields of RowChanges before its rows. */
export function tableFieldsSize(changes: RowChanges): number {
  assert(isCounted(changes.tableId) && isCounted(changes.tableVersion), 'ids and versions are counted from 1')
  return 2 + varintSize(changes.tableId) + varintSize(changes.tableVersion)
}

/** Size of the Statement message. */
export function statementSize(piece: Piece): number {
  return 'changes' in piece
    ? 1 + delimitedSize(piece.bodyBytes)
    : varintSize(KIND_TAGS[piece.kind]) + delimitedSize(piece.body.length)
}

/** Writes length and content. */
export function writeStatement(buffer: Buffer, offset: number, piece: Piece): number {
  offset = writeVarint(buffer, offset, statementSize(piece))
  return 'changes' in piece ? writeRowChanges(buffer, offset, piece) : writeDefinition(buffer, offset, piece)
}

function writeDefinition(buffer: Buffer, offset: number, piece: DefinitionPiece): number {
  offset = writeVarint(buffer, offset, KIND_TAGS[piece.kind])
  return writeBytes(buffer, offset, piece.body)
}

function writeRowChanges(buffer: Buffer, offset: number, piece: RowsPiece): number {
  const { kind, tableId, tableVersion, rows } = piece.changes
  buffer[offset++] = KIND_TAGS[kind]
  offset = writeVarint(buffer, offset, piece.bodyBytes)
  buffer[offset++] = TABLE_ID_TAG
  offset = writeVarint(buffer, offset, tableId)
  buffer[offset++] = TABLE_VERSION_TAG
  offset = writeVarint(buffer, offset, tableVersion)
  for (let row = piece.from; row < piece.to; row++) {
    const change = rows[row]!
    buffer[offset++] = ROW_TAG
    offset = writeVarint(buffer, offset, rowChangeSize(kind, change))
    offset = writeImage(buffer, offset, KEY_TAG, change.key)
    offset = writeImage(buffer, offset, BEFORE_TAG, change.before)
    offset = writeImage(buffer, offset, AFTER_TAG, change.after)
  }
  return offset
}

function writeImage(buffer: Buffer, offset: number, tag: number, image: Uint8Array | undefined): number {
  if (image === undefined) return offset
  buffer[offset] = tag
  return writeBytes(buffer, offset + 1, image)
}

export function readStatement(reader: WireReader): Statement {
  let statement: Statement | undefined
  let unknownField = 0
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.more()) {
    const tag = reader.tag()
    const kind = KIND_BY_TAG.get(tag)
    if (kind === undefined) {
      unknownField = tag >>> 3
      if (KIND_FIELDS.has(unknownField)) throw wrongWireType(reader, unknownField, 'Statement')
      reader.skip(tag)
      continue
    }
    const next = readKind(reader, kind)
    if (statement !== undefined) throw reader.corrupt('a statement is of two kinds')
    statement = next
  }
  reader.end = outerEnd
  if (statement !== undefined) return statement
  if (unknownField === 0) throw reader.corrupt('a statement has no kind')
  throw new ReplogError(
    'UNSUPPORTED_VERSION',
    `the log holds a statement of a kind (field ${unknownField}) that this program does not know; upgrade this server`,
  )
}

function readKind(reader: WireReader, kind: Statement['kind']): Statement {
  const isOfRows = kind === 'insert' || kind === 'update' || kind === 'delete' || kind === 'rewrite'
  if (isOfRows) return readRowChanges(reader, kind)
  return kind === 'verifyMarker' ? readVerifyMarker(reader) : readDefinitionStatement(reader, kind)
}

// Loops and not `readMessage`: a replica reads as many row changes as it applies, and a closure for each costs as much as
// the reading.
function readRowChanges(reader: WireReader, kind: RowChanges['kind']): RowChanges {
  let tableId = 0
  let tableVersion = 0
  const rows: RowChange[] = []
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === ROW_TAG) rows.push(readRowChange(reader, kind))
    else if (tag === TABLE_ID_TAG) tableId = reader.uint32()
    else if (tag === TABLE_VERSION_TAG) tableVersion = reader.uint32()
    else skipUnknown(reader, tag, 3, 'RowChanges')
  }
  reader.end = outerEnd
  if (tableId === 0 || tableVersion === 0) throw reader.corrupt('row changes lack their table or its version')
  return { kind, tableId, tableVersion, rows }
}

function readRowChange(reader: WireReader, kind: RowChanges['kind']): RowChange {
  let key: Uint8Array | undefined
  let before: Uint8Array | undefined
  let after: Uint8Array | undefined
  const outerEnd = reader.end
  reader.end = reader.delimitedEnd()
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === AFTER_TAG) after = readImage(reader)
    else if (tag === BEFORE_TAG) before = readImage(reader)
    else if (tag === KEY_TAG) key = readImage(reader)
    else skipUnknown(reader, tag, 3, 'RowChange')
  }
  reader.end = outerEnd
  if (kind === 'insert') {
    if (after === undefined || before !== undefined) throw reader.corrupt('an insert has not the row after it alone')
    return key === undefined ? { after } : { key, after }
  }
  if (kind === 'rewrite') {
    if (after === undefined || (before ?? key) !== undefined) throw reader.corrupt('a rewrite has not one image alone')
    return { after }
  }
  if (before === undefined && key === undefined) throw reader.corrupt(`the ${kind} of a row does not say which`)
  if (kind === 'update') {
    if (after === undefined) throw reader.corrupt('an update lacks the row after it')
    return key === undefined ? { before, after } : { key, before, after }
  }
  if (after !== undefined) throw reader.corrupt('a delete has a row after it')
  return key === undefined ? { before } : { key, before }
}

/** An empty `bytes` field is the same as none. */
function readImage(reader: WireReader): Uint8Array | undefined {
  const image = reader.bytesView()
  return image.length === 0 ? undefined : image
}

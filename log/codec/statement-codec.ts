/**
 * `Statement` as protobuf bytes: row changes by hand, definitions through their codec.
 *
 *   statement   := row-changes | definition | new-epoch         one field of the oneof
 *   row-changes := table-id table-version row-change*
 *   row-change  := key? before? after?                          row messages, copied as they are
 *
 * Invariants: the size functions foretell what the write functions write; reading gives images as views. Reading throws
 * CORRUPT for what is malformed and UNSUPPORTED_VERSION for a kind of statement that this program does not know.
 */
import assert from 'node:assert/strict'
import { ReplogError } from '../../core/errors.js'
import type { Epoch } from '../../core/position.js'
import {
  decodeCatalogMessage,
  decodeSchemaMessage,
  decodeTableMessage,
  encodeCatalogMessage,
  encodeSchemaMessage,
  encodeTableMessage,
} from './definition-codec.js'
import type { DefinitionStatement, RowChange, RowChanges, Statement } from './message.js'
import { isCounted } from './ranges.js'
import { delimitedSize, varintSize, writeBytes, writeVarint, type WireReader } from './wire.js'

/** Tags of the Statement oneof. */
const KIND_TAGS: Record<Statement['kind'], number> = {
  insert: 0x0a,
  update: 0x12,
  delete: 0x1a,
  createTable: 0x52,
  dropTable: 0x5a,
  createSchema: 0xa2,
  createCatalog: 0xf2,
  dropCatalog: 0xfa,
  newEpoch: 0x142,
}
const KIND_FIELDS = new Set(Object.values(KIND_TAGS).map((tag) => tag >>> 3))

const TABLE_ID_TAG = 0x08
const TABLE_VERSION_TAG = 0x10
const ROW_TAG = 0x1a

const KEY_TAG = 0x0a
const BEFORE_TAG = 0x12
const AFTER_TAG = 0x1a

const DEFINITION_TAG = 0x0a
const NEW_EPOCH_TAG = 0x08
const NEW_EPOCH_SERVER_TAG = 0x12

/** Rows `[from, to)` of a statement. `bodyBytes` is the size of their RowChanges message. */
export interface RowsPiece {
  readonly changes: RowChanges
  readonly from: number
  readonly to: number
  readonly bodyBytes: number
}

/** A definition statement; `body` is its message inside the Statement's oneof. */
export interface DefinitionPiece {
  readonly kind: DefinitionStatement['kind']
  readonly body: Buffer
}

export type Piece = RowsPiece | DefinitionPiece

/** Bytes of a server id (a UUID). */
export const SERVER_ID_BYTES = 16

export function isRowChanges(statement: Statement): statement is RowChanges {
  return statement.kind === 'insert' || statement.kind === 'update' || statement.kind === 'delete'
}

/** Size of the RowChange message. */
export function rowChangeSize(kind: RowChanges['kind'], change: RowChange): number {
  const { key, before, after } = change
  if (kind === 'insert') assert(after !== undefined && before === undefined, 'an insert has the row after it alone')
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

/** The message of a definition statement inside the Statement's oneof. */
export function encodeDefinition(statement: DefinitionStatement): Buffer {
  switch (statement.kind) {
    case 'createTable':
      return wrap(encodeTableMessage(statement.after))
    case 'dropTable':
      return wrap(encodeTableMessage(statement.before))
    case 'createSchema':
      return wrap(encodeSchemaMessage(statement.after))
    case 'createCatalog':
      return wrap(encodeCatalogMessage(statement.after))
    case 'dropCatalog':
      return wrap(encodeCatalogMessage(statement.before))
    case 'newEpoch': {
      assert(
        isCounted(statement.epoch) && statement.serverId.length === SERVER_ID_BYTES,
        'an epoch has a number and a server',
      )
      const body = Buffer.allocUnsafe(1 + varintSize(statement.epoch) + 2 + SERVER_ID_BYTES)
      body[0] = NEW_EPOCH_TAG
      const end = writeVarint(body, 1, statement.epoch)
      body[end] = NEW_EPOCH_SERVER_TAG
      body[end + 1] = SERVER_ID_BYTES
      body.set(statement.serverId, end + 2)
      return body
    }
  }
}

/** A message whose field 1 is the definition. */
function wrap(definition: Buffer): Buffer {
  const body = Buffer.allocUnsafe(1 + delimitedSize(definition.length))
  body[0] = DEFINITION_TAG
  body.set(definition, writeVarint(body, 1, definition.length))
  return body
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
  readMessage(reader, (tag) => {
    const next = readKind(reader, tag)
    if (next === undefined) {
      unknownField = tag >>> 3
      if (KIND_FIELDS.has(unknownField)) throw wrongWireType(reader, unknownField, 'Statement')
      reader.skip(tag)
      return
    }
    if (statement !== undefined) throw reader.corrupt('a statement is of two kinds')
    statement = next
  })
  if (statement !== undefined) return statement
  if (unknownField === 0) throw reader.corrupt('a statement has no kind')
  throw new ReplogError(
    'UNSUPPORTED_VERSION',
    `the log holds a statement of a kind (field ${unknownField}) that this program does not know; upgrade this server`,
  )
}

function readKind(reader: WireReader, tag: number): Statement | undefined {
  switch (tag) {
    case KIND_TAGS.insert:
      return readRowChanges(reader, 'insert')
    case KIND_TAGS.update:
      return readRowChanges(reader, 'update')
    case KIND_TAGS.delete:
      return readRowChanges(reader, 'delete')
    case KIND_TAGS.createTable:
      return { kind: 'createTable', after: decodeTableMessage(readDefinition(reader)) }
    case KIND_TAGS.dropTable:
      return { kind: 'dropTable', before: decodeTableMessage(readDefinition(reader)) }
    case KIND_TAGS.createSchema:
      return { kind: 'createSchema', after: decodeSchemaMessage(readDefinition(reader)) }
    case KIND_TAGS.createCatalog:
      return { kind: 'createCatalog', after: decodeCatalogMessage(readDefinition(reader)) }
    case KIND_TAGS.dropCatalog:
      return { kind: 'dropCatalog', before: decodeCatalogMessage(readDefinition(reader)) }
    case KIND_TAGS.newEpoch:
      return readNewEpoch(reader)
    default:
      return undefined
  }
}

function readRowChanges(reader: WireReader, kind: RowChanges['kind']): RowChanges {
  let tableId = 0
  let tableVersion = 0
  const rows: RowChange[] = []
  readMessage(reader, (tag) => {
    if (tag === ROW_TAG) rows.push(readRowChange(reader, kind))
    else if (tag === TABLE_ID_TAG) tableId = reader.uint32()
    else if (tag === TABLE_VERSION_TAG) tableVersion = reader.uint32()
    else skipUnknown(reader, tag, 3, 'RowChanges')
  })
  if (tableId === 0 || tableVersion === 0) throw reader.corrupt('row changes lack their table or its version')
  return { kind, tableId, tableVersion, rows }
}

function readRowChange(reader: WireReader, kind: RowChanges['kind']): RowChange {
  let key: Uint8Array | undefined
  let before: Uint8Array | undefined
  let after: Uint8Array | undefined
  readMessage(reader, (tag) => {
    if (tag === AFTER_TAG) after = readImage(reader)
    else if (tag === BEFORE_TAG) before = readImage(reader)
    else if (tag === KEY_TAG) key = readImage(reader)
    else skipUnknown(reader, tag, 3, 'RowChange')
  })
  if (kind === 'insert') {
    if (after === undefined || before !== undefined) throw reader.corrupt('an insert has not the row after it alone')
    return key === undefined ? { after } : { key, after }
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

/** The definition inside CreateTable and its kind. */
function readDefinition(reader: WireReader): Uint8Array {
  let definition: Uint8Array | undefined
  readMessage(reader, (tag) => {
    if (tag !== DEFINITION_TAG) skipUnknown(reader, tag, 1, 'definition statement')
    else if (definition === undefined) definition = reader.bytesView()
    else throw reader.corrupt('a definition statement has two definitions')
  })
  if (definition === undefined) throw reader.corrupt('a definition statement has no definition')
  return definition
}

function readNewEpoch(reader: WireReader): Statement {
  let epoch = 0
  let serverId: Uint8Array | undefined
  readMessage(reader, (tag) => {
    if (tag === NEW_EPOCH_TAG) epoch = reader.uint32()
    else if (tag === NEW_EPOCH_SERVER_TAG) serverId = reader.bytesView()
    else skipUnknown(reader, tag, 2, 'NewEpoch')
  })
  if (epoch === 0 || serverId?.length !== SERVER_ID_BYTES) throw reader.corrupt('an epoch lacks its number or server')
  return { kind: 'newEpoch', epoch: epoch as Epoch, serverId }
}

/**
 * Definition statements as protobuf bytes: the messages inside the Statement's oneof, around the definitions that
 * `definition-codec.ts` makes.
 *
 *   created  := after                           field 1; CreateTable, CreateSchema, CreateCatalog
 *   dropped  := before                          field 1; DropTable, DropSchema, DropCatalog
 *   changed  := before after [more]             fields 1 to 3; AlterTable, TruncateTable, CreateIndex, DropIndex,
 *                                               AlterSchema, AlterCatalog, TableChange
 *   renamed  := (changed)+                      field 1, repeated; RenameTables
 *   epoch    := number server-id                fields 1 and 2; NewEpoch
 *
 * Invariants: fields in number order, defaults left out; before and after of a change are the same object's. Reading
 * throws CORRUPT for what is malformed, and what the definition codec throws.
 */
import assert from 'node:assert/strict'
import type { Epoch } from '../../core/position.js'
import {
  decodeCatalogMessage,
  decodeSchemaMessage,
  decodeTableMessage,
  encodeCatalogMessage,
  encodeSchemaMessage,
  encodeTableMessage,
} from './definition-codec.js'
import type { DefinitionStatement, TableChange } from './message.js'
import { isCounted, isInt64 } from './ranges.js'
import {
  delimitedSize,
  readMessage,
  skipUnknown,
  sint64Size,
  stringSize,
  varintSize,
  writeBytes,
  writeSint64,
  writeString,
  writeVarint,
  type WireReader,
} from './wire.js'

const FIRST_TAG = 0x0a
const SECOND_TAG = 0x12
const AUTO_INCREMENT_TAG = 0x18
const REASON_TAG = 0x1a

const NEW_EPOCH_TAG = 0x08
const NEW_EPOCH_SERVER_TAG = 0x12

/** Bytes of a server id (a UUID). */
export const SERVER_ID_BYTES = 16

type DefinitionKind = DefinitionStatement['kind']

/** The message inside the Statement's oneof. */
export function encodeDefinitionStatement(statement: DefinitionStatement): Buffer {
  switch (statement.kind) {
    case 'createTable':
      return oneDefinition(encodeTableMessage(statement.after))
    case 'dropTable':
      return oneDefinition(encodeTableMessage(statement.before))
    case 'alterTable':
    case 'truncateTable':
      return Buffer.concat([tableChange(statement), autoIncrementField(statement.autoIncrement)])
    case 'renameTables': {
      assert(statement.tables.length > 0, 'a rename names a table')
      return Buffer.concat(statement.tables.map((change) => oneDefinition(tableChange(change))))
    }
    case 'createIndex':
      return tableChange(statement)
    case 'dropIndex':
      return Buffer.concat([tableChange(statement), reasonField(statement.reason)])
    case 'createSchema':
      return oneDefinition(encodeSchemaMessage(statement.after))
    case 'alterSchema': {
      const { before, after } = statement
      assertSame(before, after)
      return twoDefinitions(encodeSchemaMessage(before), encodeSchemaMessage(after))
    }
    case 'dropSchema':
      return oneDefinition(encodeSchemaMessage(statement.before))
    case 'createCatalog':
      return oneDefinition(encodeCatalogMessage(statement.after))
    case 'alterCatalog': {
      const { before, after } = statement
      assertSame(before, after)
      return twoDefinitions(encodeCatalogMessage(before), encodeCatalogMessage(after))
    }
    case 'dropCatalog':
      return oneDefinition(encodeCatalogMessage(statement.before))
    case 'newEpoch':
      return newEpoch(statement)
  }
}

function tableChange({ before, after }: TableChange): Buffer {
  assertSame(before, after)
  return twoDefinitions(encodeTableMessage(before), encodeTableMessage(after))
}

function oneDefinition(definition: Buffer): Buffer {
  const body = Buffer.allocUnsafe(1 + delimitedSize(definition.length))
  body[0] = FIRST_TAG
  writeBytes(body, 1, definition)
  return body
}

function twoDefinitions(before: Buffer, after: Buffer): Buffer {
  const body = Buffer.allocUnsafe(2 + delimitedSize(before.length) + delimitedSize(after.length))
  body[0] = FIRST_TAG
  const end = writeBytes(body, 1, before)
  body[end] = SECOND_TAG
  writeBytes(body, end + 1, after)
  return body
}

function autoIncrementField(value: bigint): Buffer {
  assert(isInt64(value), 'an AUTO_INCREMENT value fits 64 bits')
  if (value === 0n) return Buffer.alloc(0)
  const field = Buffer.allocUnsafe(1 + sint64Size(value))
  field[0] = AUTO_INCREMENT_TAG
  writeSint64(field, 1, value)
  return field
}

function reasonField(reason: string): Buffer {
  assert(reason.isWellFormed(), 'a reason is a text of ours')
  if (reason === '') return Buffer.alloc(0)
  const field = Buffer.allocUnsafe(1 + stringSize(reason))
  field[0] = REASON_TAG
  writeString(field, 1, reason)
  return field
}

function newEpoch({ epoch, serverId }: Extract<DefinitionStatement, { readonly kind: 'newEpoch' }>): Buffer {
  assert(isCounted(epoch) && serverId.length === SERVER_ID_BYTES, 'an epoch has a number and a server')
  const body = Buffer.allocUnsafe(1 + varintSize(epoch) + 2 + SERVER_ID_BYTES)
  body[0] = NEW_EPOCH_TAG
  const end = writeVarint(body, 1, epoch)
  body[end] = NEW_EPOCH_SERVER_TAG
  writeBytes(body, end + 1, serverId)
  return body
}

/** The statement whose message comes next. @throws ReplogError CORRUPT, UNSUPPORTED_VERSION */
export function readDefinitionStatement(reader: WireReader, kind: DefinitionKind): DefinitionStatement {
  switch (kind) {
    case 'createTable':
      return { kind, after: decodeTableMessage(readOne(reader)) }
    case 'dropTable':
      return { kind, before: decodeTableMessage(readOne(reader)) }
    case 'alterTable':
    case 'truncateTable': {
      let autoIncrement = 0n
      const change = readTableChange(reader, AUTO_INCREMENT_TAG, () => {
        autoIncrement = reader.sint64()
      })
      return { kind, ...change, autoIncrement }
    }
    case 'renameTables':
      return { kind, tables: readTableChanges(reader) }
    case 'createIndex':
      return { kind, ...readTableChange(reader) }
    case 'dropIndex': {
      let reason = ''
      const change = readTableChange(reader, REASON_TAG, () => {
        reason = reader.string()
      })
      return { kind, ...change, reason }
    }
    case 'createSchema':
      return { kind, after: decodeSchemaMessage(readOne(reader)) }
    case 'alterSchema':
      return { kind, ...readChange(reader, decodeSchemaMessage) }
    case 'dropSchema':
      return { kind, before: decodeSchemaMessage(readOne(reader)) }
    case 'createCatalog':
      return { kind, after: decodeCatalogMessage(readOne(reader)) }
    case 'alterCatalog':
      return { kind, ...readChange(reader, decodeCatalogMessage) }
    case 'dropCatalog':
      return { kind, before: decodeCatalogMessage(readOne(reader)) }
    case 'newEpoch':
      return readNewEpoch(reader)
  }
}

/** The bytes of the definition in a statement that has one. */
function readOne(reader: WireReader): Uint8Array {
  let definition: Uint8Array | undefined
  readMessage(reader, (tag) => {
    if (tag !== FIRST_TAG) skipUnknown(reader, tag, 1, 'definition statement')
    else definition = nextDefinition(reader, definition)
  })
  if (definition === undefined) throw reader.corrupt('a definition statement has no definition')
  return definition
}

/** `more` reads the value behind `moreTag`, in field 3. */
function readTableChange(reader: WireReader, moreTag?: number, more?: () => void): TableChange {
  return readChange(reader, decodeTableMessage, moreTag, more)
}

interface Identified {
  readonly id: number
  readonly catalogId?: number
}

interface Change<Message> {
  readonly before: Message
  readonly after: Message
}

function readChange<Message extends Identified>(
  reader: WireReader,
  decode: (bytes: Uint8Array) => Message,
  moreTag?: number,
  more?: () => void,
): Change<Message> {
  let before: Uint8Array | undefined
  let after: Uint8Array | undefined
  readMessage(reader, (tag) => {
    if (tag === FIRST_TAG) before = nextDefinition(reader, before)
    else if (tag === SECOND_TAG) after = nextDefinition(reader, after)
    else if (tag === moreTag) more?.()
    else skipUnknown(reader, tag, moreTag === undefined ? 2 : 3, 'change of a definition')
  })
  if (before === undefined || after === undefined) throw reader.corrupt('a change lacks the definition before or after')
  const change = { before: decode(before), after: decode(after) }
  if (!isSame(change.before, change.after)) throw reader.corrupt('a change makes another object of one')
  return change
}

function readTableChanges(reader: WireReader): TableChange[] {
  const changes: TableChange[] = []
  readMessage(reader, (tag) => {
    if (tag === FIRST_TAG) changes.push(readTableChange(reader))
    else skipUnknown(reader, tag, 1, 'RenameTables')
  })
  if (changes.length === 0) throw reader.corrupt('a rename names no table')
  return changes
}

function nextDefinition(reader: WireReader, earlier: Uint8Array | undefined): Uint8Array {
  if (earlier !== undefined) throw reader.corrupt('a definition statement has two definitions in one place')
  return reader.bytesView()
}

function readNewEpoch(reader: WireReader): DefinitionStatement {
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

function isSame(before: Identified, after: Identified): boolean {
  return before.id === after.id && before.catalogId === after.catalogId
}

function assertSame(before: Identified, after: Identified): void {
  assert(isSame(before, after), 'before and after are of one object')
}

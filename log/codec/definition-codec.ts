/**
 * The dictionary messages (table, schema, catalog) as protobuf bytes, through protobufjs: they are rare, and the
 * transaction codec, which is not, carries these bytes as they are.
 *
 * Invariants: equal messages give equal bytes (fields in number order, defaults left out, options in the order of their
 * names' bytes); what this file encodes and what it accepts when decoding pass the same checks (`definition-flaws.ts`).
 * A storage id that is the table's own and the first constraint id are left out too, so a table that uses neither has
 * the bytes that it had before those fields were added.
 *
 * protobufjs writes a bigint given to `encode` as 0. Everything therefore goes through `fromObject`, which takes it.
 */
import assert from 'node:assert/strict'
import protobuf from 'protobufjs/light.js'
import { ReplogError } from '../../core/errors.js'
import { toColumn, type DecodedColumn } from './column-codec.js'
import {
  plainCheck,
  toCheck,
  toForeignKey,
  toReference,
  type DecodedCheck,
  type DecodedForeignKey,
} from './constraint-codec.js'
import { flawOfCatalog, flawOfSchema, flawOfTable, type Flaw } from './definition-flaws.js'
import { corruptDefinition, newerDefinition } from './definition-refusal.js'
import { catalogType, namesOf, schemaType, tableType } from './definition-types.js'
import type {
  CatalogMessage,
  IndexMessage,
  KeyPartMessage,
  Options,
  RowImage,
  SchemaMessage,
  TableMessage,
} from './message.js'
import { stringMapSize, writeStringMap } from './string-map.js'
import { joinSigned, makeTag, WIRE_LENGTH_DELIMITED } from './wire.js'

const rowImageNames = namesOf<RowImage>('RowImage')

const NEXT_CONSTRAINT_ID_FIRST = 1

/** A message as protobufjs decodes it: what is absent reads as its default, 64-bit integers are two halves. */
type Decoded<Message> = {
  readonly [Field in keyof Message]: Message[Field] extends bigint
    ? { readonly low: number; readonly high: number }
    : Message[Field]
}

interface DecodedTable extends Decoded<Omit<TableMessage, 'columns' | 'foreignKeys' | 'checks' | 'rowImage'>> {
  readonly columns: readonly DecodedColumn[]
  readonly foreignKeys: readonly DecodedForeignKey[]
  readonly checks: readonly DecodedCheck[]
  readonly rowImage: number
}

export function encodeTableMessage(table: TableMessage): Buffer {
  refuseFlaw(flawOfTable(table))
  const { options, rowImage, storageId, nextConstraintId, checks, ...fields } = table
  const plain = {
    ...fields,
    storageId: storageId === table.id ? 0 : storageId,
    nextConstraintId: nextConstraintId === NEXT_CONSTRAINT_ID_FIRST ? 0 : nextConstraintId,
    checks: checks.map(plainCheck),
  }
  return Buffer.concat([encode(tableType, plain), encodeOptions(tableType, options), encode(tableType, { rowImage })])
}

/** @throws ReplogError CORRUPT, UNSUPPORTED_VERSION. */
export function decodeTableMessage(bytes: Uint8Array): TableMessage {
  const decoded = decode<DecodedTable>(tableType, bytes)
  const table: TableMessage = {
    id: decoded.id,
    version: decoded.version,
    catalogId: decoded.catalogId,
    schemaId: decoded.schemaId,
    name: decoded.name,
    columns: decoded.columns.map(toColumn),
    primaryKey: decoded.primaryKey.map(toKeyPart),
    indexes: decoded.indexes.map(toIndex),
    nextColumnId: decoded.nextColumnId,
    nextIndexId: decoded.nextIndexId,
    comment: decoded.comment,
    createdUs: toBigInt(decoded.createdUs),
    changedUs: toBigInt(decoded.changedUs),
    storageId: decoded.storageId === 0 ? decoded.id : decoded.storageId,
    foreignKeys: decoded.foreignKeys.map(toForeignKey),
    checks: decoded.checks.map(toCheck),
    nextConstraintId: decoded.nextConstraintId === 0 ? NEXT_CONSTRAINT_ID_FIRST : decoded.nextConstraintId,
    referencedBy: decoded.referencedBy.map(toReference),
    options: { ...decoded.options },
    rowImage: toRowImage(decoded),
  }
  return sound(table, flawOfTable(table))
}

export function encodeSchemaMessage(schema: SchemaMessage): Buffer {
  refuseFlaw(flawOfSchema(schema))
  const { options, ...fields } = schema
  return Buffer.concat([encode(schemaType, fields), encodeOptions(schemaType, options)])
}

/** @throws ReplogError CORRUPT. */
export function decodeSchemaMessage(bytes: Uint8Array): SchemaMessage {
  const { id, catalogId, name, createdUs, comment, options } = decode<Decoded<SchemaMessage>>(schemaType, bytes)
  const schema = { id, catalogId, name, createdUs: toBigInt(createdUs), comment, options: { ...options } }
  return sound(schema, flawOfSchema(schema))
}

export function encodeCatalogMessage(catalog: CatalogMessage): Buffer {
  refuseFlaw(flawOfCatalog(catalog))
  const { options, ...fields } = catalog
  return Buffer.concat([encode(catalogType, fields), encodeOptions(catalogType, options)])
}

/** @throws ReplogError CORRUPT. */
export function decodeCatalogMessage(bytes: Uint8Array): CatalogMessage {
  const { id, name, createdUs, comment, options } = decode<Decoded<CatalogMessage>>(catalogType, bytes)
  const catalog = { id, name, createdUs: toBigInt(createdUs), comment, options: { ...options } }
  return sound(catalog, flawOfCatalog(catalog))
}

function encode(type: protobuf.Type, plain: object): Uint8Array {
  return type.encode(type.fromObject(plain)).finish()
}

function encodeOptions(type: protobuf.Type, options: Options): Buffer {
  const tag = makeTag(type.fields['options']!.id, WIRE_LENGTH_DELIMITED)
  const entries = Object.entries(options).sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
  const bytes = Buffer.allocUnsafe(stringMapSize(tag, entries))
  const end = writeStringMap(bytes, 0, tag, entries)
  assert(end === bytes.length, 'the size foretells what is written')
  return bytes
}

function decode<Message>(type: protobuf.Type, bytes: Uint8Array): Message {
  const reader = protobuf.Reader.create(bytes)
  // Kept, so that a default or expression of an unknown kind can be told from one without a kind.
  reader.discardUnknown = false
  try {
    return type.decode(reader) as unknown as Message
  } catch (cause) {
    throw new ReplogError('CORRUPT', `a ${type.name} does not parse; restore this copy from a peer`, { cause })
  }
}

function toBigInt({ low, high }: { readonly low: number; readonly high: number }): bigint {
  return joinSigned(low, high)
}

function toKeyPart(decoded: KeyPartMessage): KeyPartMessage {
  return { columnId: decoded.columnId, descending: decoded.descending }
}

function toIndex(decoded: IndexMessage): IndexMessage {
  const { id, name, unique, parts, building, validating } = decoded
  return { id, name, unique, parts: parts.map(toKeyPart), building, validating }
}

function toRowImage({ name, rowImage }: DecodedTable): RowImage {
  const image = rowImageNames[rowImage]
  if (image === undefined) throw newerDefinition(`table "${name}" has a row image (number ${rowImage})`)
  return image
}

function refuseFlaw(flaw: Flaw): void {
  assert(flaw === undefined, flaw)
}

function sound<Message>(message: Message, flaw: Flaw): Message {
  if (flaw !== undefined) throw corruptDefinition(flaw)
  return message
}

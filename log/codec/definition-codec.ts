/**
 * The dictionary messages (table, schema, catalog) as protobuf bytes, through protobufjs: they are rare, and the
 * transaction codec, which is not, carries these bytes as they are.
 *
 * Invariants: equal messages give equal bytes (fields in number order, defaults left out); what this file encodes and
 * what it accepts when decoding pass the same checks, so a definition that contradicts itself neither gets into a log
 * nor out of one. Bounds that users meet (lengths, counts, legal names) are the dictionary's to check, not the codec's.
 *
 * protobufjs writes a bigint given to `encode` as 0. Everything therefore goes through `fromObject`, which takes it.
 */
import assert from 'node:assert/strict'
import protobuf from 'protobufjs/light.js'
import { ReplogError } from '../../core/errors.js'
import type { ColumnType, ColumnTypeKind } from './column-type.js'
import { REPLICATION_DESCRIPTOR } from './generated/replication.js'
import {
  COLUMN_ID_FIRST,
  type CatalogMessage,
  type ColumnDefault,
  type ColumnMessage,
  type IndexMessage,
  type KeyPartMessage,
  type SchemaMessage,
  type TableMessage,
} from './message.js'
import { isCounted, isInt64 } from './ranges.js'

const root = protobuf.Root.fromJSON(REPLICATION_DESCRIPTOR)
const catalogType = root.lookupType('replog.v1.CatalogMessage')
const schemaType = root.lookupType('replog.v1.SchemaMessage')
const tableType = root.lookupType('replog.v1.TableMessage')
const kindNames = root.lookupEnum('replog.v1.ColumnType.Kind').valuesById
const functionNames = root.lookupEnum('replog.v1.ColumnDefault.Function').valuesById

/** What `toObject` gives: every field is there, 64-bit integers are bigint, enums are numbers, absent messages null. */
const PLAIN = { longs: BigInt, defaults: true, arrays: true } as const

interface PlainType {
  readonly kind: number
  readonly length: number
  readonly precision: number
  readonly scale: number
  readonly labels: readonly string[]
}

interface PlainColumn extends Omit<ColumnMessage, 'type' | 'default'> {
  readonly type: PlainType | null
  readonly default: { readonly literal?: string; readonly function?: number } | null
}

interface PlainTable extends Omit<TableMessage, 'columns'> {
  readonly columns: readonly PlainColumn[]
}

export function encodeTableMessage(table: TableMessage): Buffer {
  return encode(tableType, table, flawOfTable(table))
}

/** @throws ReplogError CORRUPT, UNSUPPORTED_VERSION. */
export function decodeTableMessage(bytes: Uint8Array): TableMessage {
  const plain = decode<PlainTable>(tableType, bytes)
  const table: TableMessage = {
    id: plain.id,
    version: plain.version,
    catalogId: plain.catalogId,
    schemaId: plain.schemaId,
    name: plain.name,
    columns: plain.columns.map(toColumn),
    primaryKey: plain.primaryKey.map(toKeyPart),
    indexes: plain.indexes.map(toIndex),
    nextColumnId: plain.nextColumnId,
    nextIndexId: plain.nextIndexId,
    comment: plain.comment,
    createdUs: plain.createdUs,
    changedUs: plain.changedUs,
  }
  refuse(flawOfTable(table))
  return table
}

export function encodeSchemaMessage(schema: SchemaMessage): Buffer {
  return encode(schemaType, schema, flawOfSchema(schema))
}

/** @throws ReplogError CORRUPT. */
export function decodeSchemaMessage(bytes: Uint8Array): SchemaMessage {
  const { id, catalogId, name, createdUs } = decode<SchemaMessage>(schemaType, bytes)
  const schema = { id, catalogId, name, createdUs }
  refuse(flawOfSchema(schema))
  return schema
}

export function encodeCatalogMessage(catalog: CatalogMessage): Buffer {
  return encode(catalogType, catalog, flawOfCatalog(catalog))
}

/** @throws ReplogError CORRUPT. */
export function decodeCatalogMessage(bytes: Uint8Array): CatalogMessage {
  const { id, name, createdUs } = decode<CatalogMessage>(catalogType, bytes)
  const catalog = { id, name, createdUs }
  refuse(flawOfCatalog(catalog))
  return catalog
}

function encode(type: protobuf.Type, message: object, flaw: string | undefined): Buffer {
  assert(flaw === undefined, flaw)
  const bytes = type.encode(type.fromObject(message)).finish()
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function decode<Plain>(type: protobuf.Type, bytes: Uint8Array): Plain {
  const reader = protobuf.Reader.create(bytes)
  // Kept, so that a default of an unknown kind can be told from one without a kind.
  reader.discardUnknown = false
  let message: protobuf.Message
  try {
    message = type.decode(reader)
  } catch (cause) {
    throw new ReplogError('CORRUPT', `a ${type.name} does not parse; restore this copy from a peer`, { cause })
  }
  if (type === tableType) refuseUnknownDefaults(message)
  return type.toObject(message, PLAIN) as Plain
}

interface DecodedDefaults {
  readonly columns: readonly {
    readonly name: string
    readonly default?: { readonly kind?: string; readonly $unknowns?: readonly Uint8Array[] } | null
  }[]
}

/** `toObject` drops unknown fields, and with them the only trace of a kind of default that is newer than this program. */
function refuseUnknownDefaults(table: protobuf.Message): void {
  for (const column of (table as protobuf.Message & DecodedDefaults).columns) {
    const value = column.default
    if (value == null || value.kind !== undefined) continue
    if (value.$unknowns !== undefined) throw newer(`column "${column.name}" has a kind of default`)
    refuse(`column "${column.name}" has a default without a kind`)
  }
}

function toColumn(plain: PlainColumn): ColumnMessage {
  return {
    id: plain.id,
    name: plain.name,
    type: toType(plain.name, plain.type),
    notNull: plain.notNull,
    ...(plain.default === null ? {} : { default: toDefault(plain.name, plain.default) }),
    autoIncrement: plain.autoIncrement,
    addedInVersion: plain.addedInVersion,
    ...(plain.missingValue === undefined ? {} : { missingValue: plain.missingValue }),
    comment: plain.comment,
  }
}

function toType(column: string, plain: PlainType | null): ColumnType {
  if (plain === null || plain.kind === 0) throw corrupt(`column "${column}" has no type`)
  const kind = kindNames[plain.kind] as ColumnTypeKind | undefined
  switch (kind) {
    case undefined:
      throw newer(`column "${column}" has a type (number ${plain.kind})`)
    case 'DECIMAL':
      return { kind, precision: plain.precision, scale: plain.scale }
    case 'VARCHAR':
      return { kind, length: plain.length }
    case 'ENUM':
      return { kind, labels: plain.labels }
    case 'BOOLEAN':
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
    case 'TEXT':
    case 'BLOB':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'UUID':
    case 'JSON':
      return { kind }
  }
}

function toDefault(column: string, plain: { literal?: string; function?: number }): ColumnDefault {
  if (plain.literal !== undefined) return { literal: plain.literal }
  if (plain.function === undefined || plain.function === 0) throw corrupt(`column "${column}" has an empty default`)
  const name = functionNames[plain.function] as 'NOW' | 'UUID' | undefined
  if (name === undefined) throw newer(`column "${column}" has a default function (number ${plain.function})`)
  return { function: name }
}

function toKeyPart(plain: KeyPartMessage): KeyPartMessage {
  return { columnId: plain.columnId, descending: plain.descending }
}

function toIndex(plain: IndexMessage): IndexMessage {
  return { id: plain.id, name: plain.name, unique: plain.unique, parts: plain.parts.map(toKeyPart) }
}

/** Why a definition contradicts itself, or undefined when it does not. */
function flawOfTable(table: TableMessage): string | undefined {
  const what = `table ${table.id} "${table.name}"`
  const flaw =
    flawOfIds(what, table.id, table.version, table.catalogId, table.schemaId, table.nextIndexId) ??
    flawOfTexts(what, table.name) ??
    flawOfTimes(what, table.createdUs, table.changedUs)
  if (flaw !== undefined) return flaw
  if (!table.comment.isWellFormed()) return `${what}: its comment is not well formed`
  if (table.columns.length === 0) return `${what} has no columns`
  const columnIds = new Set<number>()
  for (const column of table.columns) {
    const columnFlaw = flawOfColumn(column, table)
    if (columnFlaw !== undefined) return `${what}, column "${column.name}": ${columnFlaw}`
    columnIds.add(column.id)
  }
  if (columnIds.size !== table.columns.length) return `${what} has two columns of one id`
  if (new Set(table.columns.map((column) => column.name)).size !== columnIds.size) {
    return `${what} has two columns of one name`
  }
  const indexIds = new Set<number>()
  for (const index of table.indexes) {
    if (!isCounted(index.id) || index.id >= table.nextIndexId)
      return `${what}: an index has an id that was never given out`
    if (!isText(index.name)) return `${what}: index ${index.id} has no name`
    indexIds.add(index.id)
  }
  if (indexIds.size !== table.indexes.length) return `${what} has two indexes of one id`
  for (const parts of [table.primaryKey, ...table.indexes.map((index) => index.parts)]) {
    if (parts.length === 0) return `${what} has a key without columns`
    if (!parts.every((part) => columnIds.has(part.columnId))) return `${what} has a key on a column that it lacks`
  }
  return undefined
}

function flawOfColumn(column: ColumnMessage, table: TableMessage): string | undefined {
  if (!isCounted(column.id) || column.id < COLUMN_ID_FIRST) return `${column.id} is not a column id`
  if (column.id >= table.nextColumnId) return 'its id was never given out'
  if (!isText(column.name)) return 'no name'
  if (column.addedInVersion > table.version) return 'added in a later version than the table has'
  if (column.missingValue?.isWellFormed() === false) return 'its missing value is not well formed'
  if (!column.comment.isWellFormed()) return 'its comment is not well formed'
  if (column.default !== undefined && 'literal' in column.default && !column.default.literal.isWellFormed()) {
    return 'its default is not well formed'
  }
  const type = column.type
  if (type.kind === 'VARCHAR' && !isCounted(type.length)) return 'a VARCHAR without a length'
  if (type.kind === 'DECIMAL' && !isCounted(type.precision)) return 'a DECIMAL without a precision'
  if (type.kind === 'DECIMAL' && !(type.scale >= 0 && type.scale <= type.precision)) return 'a scale over the precision'
  if (type.kind === 'ENUM' && (type.labels.length === 0 || !type.labels.every((label) => label.isWellFormed()))) {
    return 'an ENUM without well formed labels'
  }
  return undefined
}

function flawOfSchema(schema: SchemaMessage): string | undefined {
  const what = `schema ${schema.id} "${schema.name}"`
  return (
    flawOfIds(what, schema.id, schema.catalogId) ??
    flawOfTexts(what, schema.name) ??
    flawOfTimes(what, schema.createdUs)
  )
}

function flawOfCatalog(catalog: CatalogMessage): string | undefined {
  const what = `catalog ${catalog.id} "${catalog.name}"`
  return flawOfIds(what, catalog.id) ?? flawOfTexts(what, catalog.name) ?? flawOfTimes(what, catalog.createdUs)
}

function flawOfIds(what: string, ...ids: number[]): string | undefined {
  return ids.every(isCounted) ? undefined : `${what} lacks an id or a version`
}

function flawOfTexts(what: string, ...texts: string[]): string | undefined {
  return texts.every(isText) ? undefined : `${what} lacks a well formed name`
}

function flawOfTimes(what: string, ...times: bigint[]): string | undefined {
  return times.every(isInt64) ? undefined : `${what}: a time is out of range`
}

function isText(text: string): boolean {
  return text.length > 0 && text.isWellFormed()
}

function refuse(flaw: string | undefined): void {
  if (flaw !== undefined) throw corrupt(flaw)
}

function corrupt(flaw: string): ReplogError {
  return new ReplogError('CORRUPT', `${flaw}; restore this copy from a peer`)
}

function newer(what: string): ReplogError {
  return new ReplogError('UNSUPPORTED_VERSION', `${what} that this program does not know; upgrade this server`)
}

/**
 * A table as JSON: all that its message holds, with names beside ids, and the JSON schema that says so. The two stand
 * together because a property belongs into both.
 */
import { definitionOfCheck } from '../../ddl/check-definition.js'
import { definitionOfColumn } from '../../ddl/column-definition.js'
import { expressionText } from '../../ddl/expression-text.js'
import { targetNames } from '../../ddl/referenced-table.js'
import { definitionOf } from '../../ddl/table-definition.js'
import type { JsonValue } from '../codec/column-type.js'
import type {
  ColumnMessage,
  ForeignKeyMessage,
  KeyPartMessage,
  ReferenceMessage,
  ReferentialAction,
  RowImage,
} from '../codec/message.js'
import type { DescribedTable } from '../dictionary-listing.js'
import { isoTime } from './iso-time.js'

const TEXT = { type: 'string' }
const INTEGER = { type: 'integer' }
const BOOLEAN = { type: 'boolean' }
const TEXT_OR_NULL = { type: ['string', 'null'] }
const TIME = { type: 'string', description: 'ISO 8601.' }
const OPTIONS = { type: 'object', additionalProperties: { type: 'string' } }
const NAMES = { type: 'array', items: TEXT }
const ACTION = { type: 'string', enum: ['restrict', 'cascade', 'set null'] }

const KEY_PARTS = listOf({ column: TEXT, descending: BOOLEAN })

function listOf(properties: Readonly<Record<string, unknown>>): object {
  return { type: 'array', items: { type: 'object', properties } }
}

/** What lists and descriptions of tables have. */
export const TABLE_NAME_PROPERTIES = {
  schema: TEXT,
  name: TEXT,
  id: { type: 'integer', description: 'Never reused.' },
  version: { type: 'integer', description: 'Raised by every change of the definition.' },
}

export const TABLE_SIZE_PROPERTIES = {
  rows: { type: ['integer', 'null'], description: 'Rows in the newest state; null for an older version of the table.' },
  bytes: { type: ['integer', 'null'], description: 'Keys and images of its rows.' },
  digest: {
    type: ['string', 'null'],
    description: 'Order-free digest of the rows: equal on servers with equal rows.',
  },
}

export const TABLE_PROPERTIES = {
  catalog: TEXT,
  ...TABLE_NAME_PROPERTIES,
  storageId: {
    type: 'integer',
    description: 'Under which rows are stored: the id of the table, until a change replaces all rows at once.',
  },
  ...TABLE_SIZE_PROPERTIES,
  createdAt: TIME,
  changedAt: TIME,
  comment: TEXT,
  options: OPTIONS,
  rowImage: {
    type: 'string',
    enum: ['full', 'minimal'],
    description: 'What updates and deletes carry in the log: the whole row before, or its key.',
  },
  columns: listOf({
    id: { type: 'integer', description: 'Field number in the row messages.' },
    name: TEXT,
    type: TEXT,
    notNull: BOOLEAN,
    default: { description: 'A value, or {"function":"now"} or {"function":"uuid"}; left out when there is none.' },
    autoIncrement: BOOLEAN,
    addedInVersion: INTEGER,
    missingValue: { description: 'What rows read that were written under an older version of the table.' },
    comment: TEXT,
  }),
  primaryKey: KEY_PARTS,
  indexes: listOf({
    id: INTEGER,
    name: TEXT,
    unique: BOOLEAN,
    columns: KEY_PARTS,
    building: { type: 'boolean', description: 'Not readable yet: a job makes the entries of older rows.' },
    validating: { type: 'boolean', description: 'Unique and building: all entries are made and compared once more.' },
  }),
  foreignKeys: listOf({
    id: INTEGER,
    name: TEXT,
    columns: NAMES,
    references: {
      type: 'object',
      properties: { schema: TEXT_OR_NULL, table: TEXT_OR_NULL, tableId: INTEGER, columns: NAMES },
    },
    onDelete: ACTION,
    onUpdate: ACTION,
  }),
  checks: listOf({ id: INTEGER, name: TEXT, expression: { type: 'object' }, sql: TEXT }),
  referencedBy: listOf({
    schema: TEXT_OR_NULL,
    table: TEXT_OR_NULL,
    tableId: INTEGER,
    foreignKey: TEXT_OR_NULL,
    foreignKeyId: INTEGER,
  }),
  definition: { type: 'object', description: 'What `createTable` takes to make a table like this one.' },
}

const ACTIONS: Readonly<Record<ReferentialAction, string>> = {
  RESTRICT: 'restrict',
  CASCADE: 'cascade',
  SET_NULL: 'set null',
}
const ROW_IMAGES: Readonly<Record<RowImage, string>> = { FULL: 'full', MINIMAL: 'minimal' }

export function tableJson(catalog: string, table: DescribedTable): Record<keyof typeof TABLE_PROPERTIES, unknown> {
  const { message, schema, stats, tableOf } = table
  const { columns, checks } = message
  return {
    catalog,
    schema,
    name: message.name,
    id: message.id,
    version: message.version,
    storageId: message.storageId,
    rows: stats?.rows ?? null,
    bytes: stats?.bytes ?? null,
    digest: stats?.digest ?? null,
    createdAt: isoTime(message.createdUs),
    changedAt: isoTime(message.changedUs),
    comment: message.comment,
    options: message.options,
    rowImage: ROW_IMAGES[message.rowImage],
    columns: columns.map(columnJson),
    primaryKey: keyJson(message.primaryKey, columns),
    indexes: message.indexes.map(({ id, name, unique, parts, building, validating }) => {
      return { id, name, unique, columns: keyJson(parts, columns), building, validating }
    }),
    foreignKeys: message.foreignKeys.map((foreignKey) => foreignKeyJson(foreignKey, table)),
    checks: checks.map((check) => ({
      id: check.id,
      ...definitionOfCheck(check, columns),
      sql: expressionText(check.expression, columns),
    })),
    referencedBy: message.referencedBy.map((reference) => referenceJson(reference, table)),
    definition: definitionOf(message, schema, tableOf),
  }
}

function columnJson(column: ColumnMessage): object {
  const { id, notNull, autoIncrement, addedInVersion, missingValue, comment } = column
  return {
    id,
    ...definitionOfColumn(column),
    notNull,
    autoIncrement,
    addedInVersion,
    // Every row is of the first version or a later one.
    ...(addedInVersion === 1 ? {} : { missingValue: JSON.parse(missingValue ?? 'null') as JsonValue }),
    comment,
  }
}

function keyJson(parts: readonly KeyPartMessage[], columns: readonly ColumnMessage[]): object[] {
  const names = new Map(columns.map(({ id, name }) => [id, name]))
  return parts.map(({ columnId, descending }) => ({ column: names.get(columnId), descending }))
}

function foreignKeyJson(foreignKey: ForeignKeyMessage, { message, schema, tableOf }: DescribedTable): object {
  const { id, name, columnIds, targetTableId, onDelete, onUpdate } = foreignKey
  const names = new Map(message.columns.map((column) => [column.id, column.name]))
  const target = targetNames(foreignKey, message, schema, tableOf)
  const isKnown = target.schema !== undefined
  return {
    id,
    name,
    columns: columnIds.map((columnId) => names.get(columnId)),
    references: {
      schema: target.schema ?? null,
      table: isKnown ? target.table : null,
      tableId: targetTableId,
      columns: target.columns,
    },
    onDelete: ACTIONS[onDelete],
    onUpdate: ACTIONS[onUpdate],
  }
}

function referenceJson({ tableId, foreignKeyId }: ReferenceMessage, table: DescribedTable): object {
  const isOwn = tableId === table.message.id
  const message = isOwn ? table.message : table.messageOf(tableId)
  return {
    schema: (isOwn ? table.schema : table.tableOf(tableId)?.schema) ?? null,
    table: message?.name ?? null,
    tableId,
    foreignKey: message?.foreignKeys.find(({ id }) => id === foreignKeyId)?.name ?? null,
    foreignKeyId,
  }
}

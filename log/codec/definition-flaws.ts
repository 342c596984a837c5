/**
 * What makes a dictionary message contradict itself. Encoding and decoding ask here alike, so such a definition neither
 * gets into a log nor out of one.
 *
 * Bounds that users meet (lengths, counts, legal names) are the dictionary's to check, not the codec's. The bounds on
 * expressions are checked in both places, because whoever walks a definition relies on them.
 */
import { flawOfExpression } from './expression-codec.js'
import {
  COLUMN_ID_FIRST,
  type CatalogMessage,
  type ColumnMessage,
  type ForeignKeyMessage,
  type IndexMessage,
  type Options,
  type SchemaMessage,
  type TableMessage,
} from './message.js'
import { isCounted, isInt64 } from './ranges.js'

/** Undefined when the definition has no flaw; else the text of a refusal. */
export type Flaw = string | undefined

export function flawOfTable(table: TableMessage): Flaw {
  const what = `table ${table.id} "${table.name}"`
  const flaw =
    flawOfIds(what, table.id, table.version, table.catalogId, table.schemaId, table.storageId) ??
    flawOfIds(what, table.nextIndexId, table.nextConstraintId) ??
    flawOfNames(what, table.name) ??
    flawOfTimes(what, table.createdUs, table.changedUs) ??
    flawOfTexts(what, table.comment, table.options)
  if (flaw !== undefined) return flaw
  if (table.columns.length === 0) return `${what} has no columns`
  for (const column of table.columns) {
    const columnFlaw = flawOfColumn(column, table)
    if (columnFlaw !== undefined) return `${what}, column "${column.name}": ${columnFlaw}`
  }
  const columnIds = new Set(table.columns.map((column) => column.id))
  if (columnIds.size !== table.columns.length) return `${what} has two columns of one id`
  if (new Set(table.columns.map((column) => column.name)).size !== columnIds.size) {
    return `${what} has two columns of one name`
  }
  const partFlaw = flawOfKeys(table, columnIds) ?? flawOfConstraints(table, columnIds) ?? flawOfReferences(table)
  return partFlaw === undefined ? undefined : `${what}: ${partFlaw}`
}

export function flawOfSchema(schema: SchemaMessage): Flaw {
  const what = `schema ${schema.id} "${schema.name}"`
  return (
    flawOfIds(what, schema.id, schema.catalogId) ??
    flawOfNames(what, schema.name) ??
    flawOfTimes(what, schema.createdUs) ??
    flawOfTexts(what, schema.comment, schema.options)
  )
}

export function flawOfCatalog(catalog: CatalogMessage): Flaw {
  const what = `catalog ${catalog.id} "${catalog.name}"`
  return (
    flawOfIds(what, catalog.id) ??
    flawOfNames(what, catalog.name) ??
    flawOfTimes(what, catalog.createdUs) ??
    flawOfTexts(what, catalog.comment, catalog.options)
  )
}

function flawOfColumn(column: ColumnMessage, table: TableMessage): Flaw {
  if (!isColumnId(column.id)) return `${column.id} is not a column id`
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

function flawOfKeys({ primaryKey, indexes, nextIndexId }: TableMessage, columnIds: ReadonlySet<number>): Flaw {
  for (const index of indexes) {
    if (!isGivenOut(index.id, nextIndexId)) return 'an index has an id that was never given out'
    if (!isText(index.name)) return `index ${index.id} has no name`
    if (index.validating && !isBuildingUnique(index)) return `index ${index.id} validates what it does not build`
  }
  if (new Set(indexes.map(({ id }) => id)).size !== indexes.length) return 'two indexes of one id'
  for (const parts of [primaryKey, ...indexes.map((index) => index.parts)]) {
    if (parts.length === 0) return 'a key without columns'
    if (!parts.every((part) => columnIds.has(part.columnId))) return 'a key on a column that it lacks'
  }
  return undefined
}

function isBuildingUnique({ building, unique }: IndexMessage): boolean {
  return building && unique
}

function flawOfConstraints(table: TableMessage, columnIds: ReadonlySet<number>): Flaw {
  const { foreignKeys, checks, nextConstraintId } = table
  const constraints = [...foreignKeys, ...checks]
  for (const { id, name } of constraints) {
    if (!isGivenOut(id, nextConstraintId)) return 'a constraint has an id that was never given out'
    if (!isText(name)) return `constraint ${id} has no name`
  }
  if (new Set(constraints.map(({ id }) => id)).size !== constraints.length) return 'two constraints of one id'
  for (const foreignKey of foreignKeys) {
    const flaw = flawOfForeignKey(foreignKey, columnIds)
    if (flaw !== undefined) return `foreign key "${foreignKey.name}" ${flaw}`
  }
  for (const check of checks) {
    const flaw = flawOfExpression(check.expression, columnIds)
    if (flaw !== undefined) return `check "${check.name}" has ${flaw}`
  }
  return undefined
}

function flawOfForeignKey(foreignKey: ForeignKeyMessage, columnIds: ReadonlySet<number>): Flaw {
  const { columnIds: own, targetColumnIds: targets, targetTableId } = foreignKey
  if (own.length === 0) return 'has no columns'
  if (!own.every((id) => columnIds.has(id))) return 'is on a column that the table lacks'
  if (!isCounted(targetTableId)) return 'targets no table'
  if (targets.length !== own.length) return `has ${own.length} columns for ${targets.length} of the target`
  return targets.every(isColumnId) ? undefined : 'targets what is not a column'
}

function flawOfReferences({ referencedBy }: TableMessage): Flaw {
  for (const { tableId, foreignKeyId } of referencedBy) {
    if (!isCounted(tableId) || !isCounted(foreignKeyId)) return 'a reference lacks its table or foreign key'
  }
  const references = new Set(referencedBy.map(({ tableId, foreignKeyId }) => `${tableId}.${foreignKeyId}`))
  return references.size === referencedBy.length ? undefined : 'it is listed twice by whom it is referred to'
}

function flawOfIds(what: string, ...ids: number[]): Flaw {
  return ids.every(isCounted) ? undefined : `${what} lacks an id or a version`
}

function flawOfNames(what: string, ...names: string[]): Flaw {
  return names.every(isText) ? undefined : `${what} lacks a well formed name`
}

function flawOfTimes(what: string, ...times: bigint[]): Flaw {
  return times.every(isInt64) ? undefined : `${what}: a time is out of range`
}

function flawOfTexts(what: string, comment: string, options: Options): Flaw {
  if (!comment.isWellFormed()) return `${what}: its comment is not well formed`
  const isWhole = Object.entries(options).every(([name, value]) => name.isWellFormed() && value.isWellFormed())
  return isWhole ? undefined : `${what}: an option is not well formed`
}

/** True for an id from a counter that stands at `next`. */
function isGivenOut(id: number, next: number): boolean {
  return isCounted(id) && id < next
}

function isColumnId(id: number): boolean {
  return isCounted(id) && id >= COLUMN_ID_FIRST
}

function isText(text: string): boolean {
  return text.length > 0 && text.isWellFormed()
}

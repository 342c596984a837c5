/**
 * The changes of ALTER TABLE to indexes and the primary key.
 *
 * Invariants: index ids are never given out twice; every foreign key that targets the table finds its columns in the
 * primary key or a unique index; every foreign key of the table finds its rows through a key that begins with its columns.
 */
import { isDeepStrictEqual } from 'node:util'
import { ReplogError } from '../core/errors.js'
import type { ForeignKeyMessage, IndexMessage, TableMessage } from '../log/codec/message.js'
import type { ChangeBody } from './alter-change.js'
import { makeNotNull } from './alter-column.js'
import { type AlteredTable, type Reference, foreignKeyText, requireNewName } from './altered-table.js'
import { byName } from './column-definition.js'
import { checkName } from './identifiers.js'
import { indexMessageOf, keyPartsOf, requireIndexFits } from './index-definition.js'
import { invalidDefinition } from './invalid-definition.js'
import { leadingKeyOf, targetKeyOf } from './reference-keys.js'

/** @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT, ALREADY_EXISTS */
export function addIndex(table: AlteredTable, definition: ChangeBody<'addIndex'>): void {
  const { columns, indexes, nextIndexId } = table.message
  requireNewName('index', definition.name, indexes)
  requireIndexFits(definition.name, indexes, invalidDefinition)
  const index = indexMessageOf(definition, nextIndexId, byName(columns), invalidDefinition)
  table.message = { ...table.message, indexes: [...indexes, index], nextIndexId: nextIndexId + 1 }
}

/** @throws ReplogError NOT_FOUND, DEPENDENT_OBJECTS */
export function dropIndex(table: AlteredTable, { name }: ChangeBody<'dropIndex'>): void {
  const dropped = table.index(name)
  const indexes = table.message.indexes.filter(({ id }) => id !== dropped.id)
  table.message = { ...table.message, indexes }
  requireKeys(table, `the index ${JSON.stringify(name)}`)
}

/** @throws ReplogError NOT_FOUND, ALREADY_EXISTS, INVALID_ARGUMENT */
export function renameIndex(table: AlteredTable, { name, to }: ChangeBody<'renameIndex'>): void {
  const renamed = table.index(name)
  if (name === to) return
  const { indexes } = table.message
  requireNewName('index', checkName('index', to), indexes)
  table.message = {
    ...table.message,
    indexes: indexes.map((index) => (index.id === renamed.id ? { ...index, name: to } : index)),
  }
}

/** @throws ReplogError INVALID_DEFINITION, DEPENDENT_OBJECTS */
export function setPrimaryKey(table: AlteredTable, body: ChangeBody<'setPrimaryKey'>): void {
  const primaryKey = keyPartsOf(body.columns, 'the primary key', byName(table.message.columns), invalidDefinition)
  if (isDeepStrictEqual(primaryKey, table.message.primaryKey)) return
  const ids = new Set(primaryKey.map(({ columnId }) => columnId))
  // As in SQL, they stay NOT NULL when the key later moves to other columns.
  for (const column of table.message.columns) if (ids.has(column.id)) makeNotNull(table, column)
  table.message = { ...table.message, primaryKey }
  requireKeys(table, 'the primary key')
}

/** Refuses what would leave a foreign key without the key that it is looked up by. */
function requireKeys(table: AlteredTable, gone: string): void {
  const [reference] = referencesWithoutKey(table, table.message)
  if (reference !== undefined) {
    throw needed(gone, reference, 'refers to', 'add a unique index over the same columns')
  }
  const [foreignKey] = foreignKeysWithoutKey(table.message)
  if (foreignKey !== undefined) {
    throw needed(gone, { foreignKey }, 'is looked up by', 'add an index that begins with the same columns')
  }
}

type Keys = Pick<TableMessage, 'primaryKey' | 'indexes' | 'foreignKeys'>

/** Those that target the table and whose target columns are neither its primary key nor a complete unique index. */
function referencesWithoutKey(table: AlteredTable, keys: Keys): Reference[] {
  return table.references().filter(({ foreignKey }) => targetKeyOf(keys, foreignKey.targetColumnIds) === undefined)
}

/** Those of the table whose columns no complete key begins with. */
function foreignKeysWithoutKey({ primaryKey, indexes, foreignKeys }: Keys): ForeignKeyMessage[] {
  const complete = { primaryKey, indexes: indexes.filter(({ building }) => !building) }
  return foreignKeys.filter(({ columnIds }) => leadingKeyOf(complete, columnIds) === undefined)
}

/** Ids of the new indexes without which a foreign key would have no complete key. */
export function neededIndexIds(table: AlteredTable, newIndexIds: readonly number[]): number[] {
  const { message } = table
  const lacking = (indexes: readonly IndexMessage[]): number =>
    referencesWithoutKey(table, { ...message, indexes }).length + foreignKeysWithoutKey({ ...message, indexes }).length
  // One after another, so that of two that would serve only the first counts.
  let complete = message.indexes.filter(({ id }) => !newIndexIds.includes(id))
  const needed: number[] = []
  for (const index of message.indexes.filter(({ id }) => newIndexIds.includes(id))) {
    const more = [...complete, index]
    if (lacking(more) === lacking(complete)) continue
    complete = more
    needed.push(index.id)
  }
  return needed
}

function needed(gone: string, reference: Reference, use: string, instead: string): ReplogError {
  const { table, foreignKey } = reference
  return new ReplogError(
    'DEPENDENT_OBJECTS',
    `${gone} is what ${foreignKeyText(reference)} ${use}; drop that foreign key first, or ${instead}`,
    { details: { foreignKey: foreignKey.name, ...(table === undefined ? {} : { table }) } },
  )
}

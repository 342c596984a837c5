/**
 * The keys that foreign keys rest on: at the target a key of exactly the target columns, which has at most one row for
 * their values; at the referring table an index that begins with the columns, through which the rows of a target are
 * found when it is deleted or changed. And the note of each foreign key at its target.
 */
import { TABLE_CONSTRAINTS_MAX } from '../core/limits.js'
import type {
  ForeignKeyMessage,
  IndexMessage,
  KeyPartMessage,
  ReferenceMessage,
  TableMessage,
} from '../log/codec/message.js'
import { freeName } from './constraint-name.js'
import { requireIndexFits } from './index-definition.js'
import type { Invalid } from './invalid-definition.js'

type Keys = Pick<TableMessage, 'primaryKey' | 'indexes'>

/** The parts of the primary key, or of a unique and complete index, over exactly these columns in whatever order. */
export function targetKeyOf(target: Keys, columnIds: readonly number[]): readonly KeyPartMessage[] | undefined {
  const candidates = [target.primaryKey, ...target.indexes.filter(isCompleteUnique).map((index) => index.parts)]
  return candidates.find((parts) => {
    return parts.length === columnIds.length && parts.every((part) => columnIds.includes(part.columnId))
  })
}

function isCompleteUnique(index: IndexMessage): boolean {
  return index.unique && !index.building
}

/**
 * Through what the rows with given values of these columns are found: the primary key, or else an index, one that is not
 * being built if there is one. The directions do not matter, the order of the columns does.
 */
export function leadingKeyOf(table: Keys, columnIds: readonly number[]): 'primaryKey' | IndexMessage | undefined {
  const leads = (parts: readonly KeyPartMessage[]): boolean =>
    columnIds.every((columnId, index) => parts[index]?.columnId === columnId)
  if (leads(table.primaryKey)) return 'primaryKey'
  const indexes = table.indexes.filter((index) => leads(index.parts))
  return indexes.find((index) => !index.building) ?? indexes[0]
}

/**
 * The table with an index through which the foreign key's rows are found: itself when it has one, else with one more,
 * named like the foreign key, as MySQL does.
 * @throws ReplogError INVALID_DEFINITION when the table has no room for it
 */
export function withForeignKeyIndex(
  table: TableMessage,
  foreignKey: ForeignKeyMessage,
  invalid: Invalid,
): TableMessage {
  if (leadingKeyOf(table, foreignKey.columnIds) !== undefined) return table
  const name = freeName(foreignKey.name, '', new Set(table.indexes.map((index) => index.name)))
  const index: IndexMessage = {
    id: table.nextIndexId,
    name,
    unique: false,
    parts: foreignKey.columnIds.map((columnId) => ({ columnId, descending: false })),
    building: false,
    validating: false,
  }
  requireIndexFits(name, table.indexes, (message) => {
    return invalid(`foreign key ${JSON.stringify(foreignKey.name)} needs an index: ${message}`)
  })
  return { ...table, indexes: [...table.indexes, index], nextIndexId: table.nextIndexId + 1 }
}

/**
 * The target with the note of a foreign key that refers to it.
 * @throws ReplogError INVALID_DEFINITION when too many do
 */
export function withReference(target: TableMessage, reference: ReferenceMessage, invalid: Invalid): TableMessage {
  if (target.referencedBy.length >= TABLE_CONSTRAINTS_MAX) {
    throw invalid(`at most ${TABLE_CONSTRAINTS_MAX} foreign keys refer to table ${JSON.stringify(target.name)}`)
  }
  return { ...target, referencedBy: [...target.referencedBy, reference] }
}

/** The target without the note of that foreign key. */
export function withoutReference(target: TableMessage, reference: ReferenceMessage): TableMessage {
  const referencedBy = target.referencedBy.filter(({ tableId, foreignKeyId }) => {
    return tableId !== reference.tableId || foreignKeyId !== reference.foreignKeyId
  })
  return { ...target, referencedBy }
}

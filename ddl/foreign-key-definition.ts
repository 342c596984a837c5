/**
 * A foreign key as a user writes it, and its way into a foreign key message and back.
 *
 * Checked here: columns that exist, as many as target columns; target columns that are the target's primary key or a
 * unique index of its own, so that at most one row is meant; types whose equal values have equal key bytes, so that a
 * value of one is found through a key of the other; NULL where an action sets it.
 *
 * Invariant: the columns are listed in the order of the target's key, so that a target row is one point read.
 */
import { TABLE_CONSTRAINTS_MAX } from '../core/limits.js'
import type { ColumnType } from '../log/codec/column-type.js'
import type {
  ColumnMessage,
  ForeignKeyMessage,
  KeyPartMessage,
  ReferentialAction,
  TableMessage,
} from '../log/codec/message.js'
import { formatColumnType } from '../log/codec/types/sql-text.js'
import { byName } from './column-definition.js'
import { sameLabels } from './comparison-type.js'
import { type ConstraintOwner, constraintNames, freeName, requireConstraintName } from './constraint-name.js'
import { checkName, formatTableName, parseQualifiedName } from './identifiers.js'
import { type Invalid, requireObject } from './invalid-definition.js'
import { nearest } from './nearest.js'
import type { TargetNames } from './referenced-table.js'
import { targetKeyOf } from './reference-keys.js'

/** What becomes of rows that refer to a row which goes or changes its key. */
export type ReferentialActionDefinition = 'restrict' | 'cascade' | 'set null'

/** Columns whose values must be there in another table, or in the same one. */
export interface ForeignKeyDefinition {
  /** `TABLE_COLUMN_…_fkey` when left out. */
  readonly name?: string
  readonly columns: readonly string[]
  readonly references: {
    /** "schema.table"; the schema `test` may be left out. */
    readonly table: string
    /** The primary key or the columns of a unique index; the primary key when left out. */
    readonly columns?: readonly string[]
  }
  /** `restrict` when left out. */
  readonly onDelete?: ReferentialActionDefinition
  readonly onUpdate?: ReferentialActionDefinition
}

const ACTIONS: Readonly<Record<ReferentialActionDefinition, ReferentialAction>> = {
  restrict: 'RESTRICT',
  cascade: 'CASCADE',
  'set null': 'SET_NULL',
}
const ACTION_NAMES: Readonly<Record<ReferentialAction, ReferentialActionDefinition>> = {
  RESTRICT: 'restrict',
  CASCADE: 'cascade',
  SET_NULL: 'set null',
}

/**
 * The table that a foreign key refers to, which the caller looks up.
 * @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT (a text that names no table)
 */
export function targetIdentifierOf(
  definition: ForeignKeyDefinition,
  invalid: Invalid,
): { readonly schema: string; readonly table: string } {
  requireObject(definition, 'a foreign key', invalid)
  requireObject(definition.references, 'a foreign key: `references`', invalid)
  return parseQualifiedName(definition.references.table)
}

/**
 * One more foreign key of a table.
 * @param target the table itself for a foreign key within it
 * @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT (the name)
 */
export function foreignKeyMessageOf(
  definition: ForeignKeyDefinition,
  id: number,
  table: ConstraintOwner,
  target: TableMessage,
  invalid: Invalid,
): ForeignKeyMessage {
  requireObject(definition, 'a foreign key', invalid)
  requireObject(definition.references, 'a foreign key: `references`', invalid)
  if (table.foreignKeys.length >= TABLE_CONSTRAINTS_MAX) throw invalid(`at most ${TABLE_CONSTRAINTS_MAX} foreign keys`)
  const listed = columnsOf(definition.columns, 'a foreign key', table, invalid)
  const name =
    definition.name === undefined
      ? freeName([table.name, ...listed.map((column) => column.name)].join('_'), '_fkey', constraintNames(table))
      : checkName('foreign key', definition.name)
  requireConstraintName(name, table, invalid)
  const at = `foreign key ${JSON.stringify(name)}`
  const wrong: Invalid = (message) => invalid(`${at}: ${message}`)

  const { columns, targets } = pairsOf(listed, definition.references.columns, target, wrong)
  columns.forEach((column, index) => {
    const flaw = typeMismatch(column.type, targets[index]!.type)
    if (flaw === undefined) return
    const names = `${JSON.stringify(column.name)} cannot refer to ${JSON.stringify(targets[index]!.name)}`
    throw wrong(`column ${names} of table ${JSON.stringify(target.name)}: ${flaw}`)
  })
  const onDelete = actionOf(definition.onDelete, 'onDelete', columns, wrong)
  const onUpdate = actionOf(definition.onUpdate, 'onUpdate', columns, wrong)
  return {
    id,
    name,
    columnIds: columns.map((column) => column.id),
    targetTableId: target.id,
    targetColumnIds: targets.map((column) => column.id),
    onDelete,
    onUpdate,
  }
}

/** Columns and the target columns that they refer to, in the order of the target's key. */
function pairsOf(
  listed: readonly ColumnMessage[],
  targetNames: unknown,
  target: TableMessage,
  wrong: Invalid,
): { columns: ColumnMessage[]; targets: ColumnMessage[] } {
  const byId = new Map(target.columns.map((column) => [column.id, column]))
  const columnOf = (part: KeyPartMessage): ColumnMessage => byId.get(part.columnId)!
  const what = `the target, table ${JSON.stringify(target.name)},`
  const listedTargets =
    targetNames === undefined
      ? target.primaryKey.map(columnOf)
      : columnsOf(targetNames, `the reference to table ${JSON.stringify(target.name)}`, target, wrong)
  if (listed.length !== listedTargets.length) {
    throw wrong(`${listed.length} of its columns refer to ${listedTargets.length} of the target; name as many of each`)
  }
  const key = targetKeyOf(
    target,
    listedTargets.map((column) => column.id),
  )
  if (key === undefined) {
    const names = listedTargets.map((column) => JSON.stringify(column.name)).join(', ')
    throw wrong(`${what} has no primary key and no complete unique index of exactly ${names}; make such an index first`)
  }
  const targets = key.map(columnOf)
  return { columns: targets.map((column) => listed[listedTargets.indexOf(column)]!), targets }
}

function columnsOf(
  names: unknown,
  what: string,
  table: Pick<TableMessage, 'columns'>,
  invalid: Invalid,
): ColumnMessage[] {
  if (!Array.isArray(names) || names.length === 0) throw invalid(`${what} must name at least one column`)
  const columns = byName(table.columns)
  // Not `map`, which passes over holes.
  const found = Array.from<unknown, ColumnMessage>(names, (name) => {
    if (typeof name !== 'string') throw invalid(`${what} names a column by something that is not a text`)
    const column = columns.get(name)
    if (column !== undefined) return column
    throw invalid(`${what} names the unknown column ${JSON.stringify(name)}${nearest(name, columns.keys())}`)
  })
  if (new Set(found).size !== found.length) throw invalid(`${what} names a column twice`)
  return found
}

/**
 * Why a column cannot refer to a target column, or undefined when it can: equal values must have equal key bytes.
 * The lengths of VARCHAR and the precisions of DECIMAL may differ; a value that only one can hold has no counterpart.
 */
export function typeMismatch(type: ColumnType, target: ColumnType): string | undefined {
  const same =
    (isText(type) && isText(target)) ||
    (type.kind === target.kind &&
      (type.kind !== 'DECIMAL' || (target.kind === 'DECIMAL' && type.scale === target.scale)) &&
      (type.kind !== 'ENUM' || (target.kind === 'ENUM' && sameLabels(type.labels, target.labels))))
  return same ? undefined : `${formatColumnType(type)} is not ${formatColumnType(target)}; give both columns one type`
}

function isText(type: ColumnType): boolean {
  return type.kind === 'VARCHAR' || type.kind === 'TEXT'
}

function actionOf(
  action: unknown,
  option: 'onDelete' | 'onUpdate',
  columns: readonly ColumnMessage[],
  wrong: Invalid,
): ReferentialAction {
  if (action === undefined) return 'RESTRICT'
  if (typeof action !== 'string' || !Object.hasOwn(ACTIONS, action)) {
    throw wrong(`\`${option}\` is one of ${Object.keys(ACTIONS).join(', ')}`)
  }
  const notNull = columns.find((column) => column.notNull)
  if (action === 'set null' && notNull !== undefined) {
    throw wrong(`\`${option}\` cannot set column ${JSON.stringify(notNull.name)} to NULL, because it is NOT NULL`)
  }
  return ACTIONS[action as ReferentialActionDefinition]
}

/** The inverse of `foreignKeyMessageOf`. */
export function definitionOfForeignKey(
  foreignKey: ForeignKeyMessage,
  columns: readonly ColumnMessage[],
  target: TargetNames,
): ForeignKeyDefinition {
  const nameOf = new Map(columns.map((column) => [column.id, column.name]))
  const { schema, table } = target
  return {
    name: foreignKey.name,
    columns: foreignKey.columnIds.map((id) => nameOf.get(id) ?? ''),
    references: {
      table: schema === undefined ? table : formatTableName({ schema, table }),
      columns: target.columns,
    },
    ...(foreignKey.onDelete === 'RESTRICT' ? {} : { onDelete: ACTION_NAMES[foreignKey.onDelete] }),
    ...(foreignKey.onUpdate === 'RESTRICT' ? {} : { onUpdate: ACTION_NAMES[foreignKey.onUpdate] }),
  }
}

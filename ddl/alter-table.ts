/**
 * ALTER TABLE as a plan: the table message after a list of changes, and what has to be done to the rows and to other
 * tables for it. Pure: whoever runs the plan reads and writes.
 *
 *   changes ──> working copy, one change at a time ──> compared with the table before ──> plan
 *
 * Invariants:
 * - the list is atomic: a plan of all changes, or a refusal that names the change, and nothing happened;
 * - the version rises by one exactly when something changes; what was changed there and back did not;
 * - ids of columns, indexes and constraints are never given out twice;
 * - without a rewrite, every stored row is a row of `after`, and its keys are the same bytes.
 */
import { isDeepStrictEqual } from 'node:util'
import { ReplogError, isReplogError } from '../core/errors.js'
import { encodeTableMessage } from '../log/codec/definition-codec.js'
import type { ColumnMessage, ForeignKeyMessage, TableMessage } from '../log/codec/message.js'
import { type ChangeBody, type ChangeKind, bodyOf, kindOf, requireChangeList } from './alter-change.js'
import {
  addColumn,
  dropColumn,
  dropDefault,
  dropNotNull,
  moveColumn,
  renameColumn,
  setColumnComment,
  setDefault,
  setNotNull,
} from './alter-column.js'
import { addCheck, addForeignKey, dropCheck, dropForeignKey } from './alter-constraint.js'
import type { AlterTableChange } from './alter-definition.js'
import { addIndex, dropIndex, neededIndexIds, renameIndex, setPrimaryKey } from './alter-index.js'
import { setType } from './alter-type.js'
import { type AlterContext, AlteredTable } from './altered-table.js'
import { columnIdsOf } from './check-expression.js'
import { invalidDefinition } from './invalid-definition.js'
import { checkComment, checkOptions } from './options.js'
import { type RewriteRow, rewriteOf } from './rewrite-row.js'
import { checkDefinitionBytes, rowImageOf } from './table-definition.js'

export type { AlterContext } from './altered-table.js'

export interface AlterPlan {
  /** Version + 1, changed now, with the storage id of before. The very table of before when nothing changes. */
  readonly after: TableMessage
  readonly isChanged: boolean
  /** Set when every row must be rewritten, into a new storage, which the caller allocates. */
  readonly rewrite: RewriteRow | undefined
  /** Columns of after that no present row may have NULL in, although nothing ensured it before. */
  readonly notNullColumnIds: readonly number[]
  /** Indexes of after whose entries must be made from the present rows; none with a rewrite, which makes all. */
  readonly newIndexIds: readonly number[]
  /** Those of them that a foreign key rests on: they must be complete when it is, and cannot be left to a job. */
  readonly neededIndexIds: readonly number[]
  /** Checks that present rows were not held against: new ones, and those of a column whose values are converted. */
  readonly newCheckIds: readonly number[]
  /** Foreign keys that present rows were not held against, and that their targets do not know, but for this table. */
  readonly newForeignKeyIds: readonly number[]
  /** Foreign keys of before that are gone: their targets lose the reference. This table as a target has lost it. */
  readonly droppedForeignKeys: readonly ForeignKeyMessage[]
}

const CHANGES: { readonly [Kind in ChangeKind]: (table: AlteredTable, body: ChangeBody<Kind>) => void } = {
  addColumn,
  dropColumn,
  renameColumn,
  moveColumn,
  setDefault,
  dropDefault,
  setNotNull,
  dropNotNull,
  setType,
  setColumnComment,
  addIndex,
  dropIndex,
  renameIndex,
  setPrimaryKey,
  addForeignKey,
  dropForeignKey,
  addCheck,
  dropCheck,
  setComment(table, body) {
    table.message = { ...table.message, comment: checkComment(body.comment, invalidDefinition) }
  },
  setOptions(table, body) {
    table.message = { ...table.message, options: checkOptions(body, table.message.options, invalidDefinition) }
  },
  setRowImage(table, body) {
    table.message = { ...table.message, rowImage: rowImageOf(body.rowImage, invalidDefinition) }
  },
}

/** Where in the statement something is refused. */
interface Place {
  readonly text: string
  readonly details: { readonly change?: number }
}

/**
 * @param isEmpty the table has no rows: nothing is rewritten, and what only rows could contradict is allowed
 * @throws ReplogError that names table and change: INVALID_ARGUMENT, INVALID_DEFINITION, NOT_FOUND, ALREADY_EXISTS,
 *   DEPENDENT_OBJECTS
 */
export function planAlter(
  before: TableMessage,
  changes: readonly AlterTableChange[],
  context: AlterContext,
  isEmpty: boolean,
): AlterPlan {
  const table = new AlteredTable(before, context, isEmpty)
  const whole: Place = { text: `table ${JSON.stringify(before.name)}`, details: {} }
  let place = whole
  try {
    requireChangeList(changes)
    for (const [index, change] of (changes as readonly unknown[]).entries()) {
      const number = index + 1
      place = { text: `${whole.text}, change ${number}`, details: { change: number } }
      const kind = kindOf(change)
      place = { ...place, text: `${place.text} (${kind})` }
      apply(table, kind, change as Readonly<Record<string, unknown>>)
    }
    place = whole
    checkDefinitionBytes(table.message, invalidDefinition)
  } catch (error) {
    if (!isReplogError(error)) throw error
    throw new ReplogError(error.code, `${place.text}: ${error.message}`, {
      cause: error,
      details: { ...error.details, ...place.details },
    })
  }
  return isUnchanged(table) ? nothing(before) : planOf(table)
}

function apply(table: AlteredTable, kind: ChangeKind, change: Readonly<Record<string, unknown>>): void {
  const make = CHANGES[kind] as (table: AlteredTable, body: unknown) => void
  make(table, bodyOf(change, kind))
}

/** True when the changes leave the definition as it was, but for ids that were used up on the way. */
function isUnchanged({ before, message }: AlteredTable): boolean {
  const { version, changedUs, nextColumnId, nextIndexId, nextConstraintId } = before
  if (message.columns.some(({ addedInVersion }) => addedInVersion > version)) return false
  const counted = { ...message, version, changedUs, nextColumnId, nextIndexId, nextConstraintId }
  if (message.indexes.some(({ id }) => id >= nextIndexId)) return false
  if ([...message.checks, ...message.foreignKeys].some(({ id }) => id >= nextConstraintId)) return false
  return encodeTableMessage(counted).equals(encodeTableMessage(before))
}

function nothing(before: TableMessage): AlterPlan {
  return {
    after: before,
    isChanged: false,
    rewrite: undefined,
    notNullColumnIds: [],
    newIndexIds: [],
    neededIndexIds: [],
    newCheckIds: [],
    newForeignKeyIds: [],
    droppedForeignKeys: [],
  }
}

function planOf(table: AlteredTable): AlterPlan {
  const { before, message, isEmpty } = table
  const rewritten = !isEmpty && mustRewrite(table)
  const converted = new Set(message.columns.filter((column) => isConverted(table, column)).map(({ id }) => id))
  const isNew = (items: readonly { readonly id: number }[]) => {
    const ids = new Set(items.map(({ id }) => id))
    return ({ id }: { readonly id: number }): boolean => !ids.has(id)
  }
  const isNewCheck = isNew(before.checks)
  const newIndexIds = rewritten ? [] : message.indexes.filter(isNew(before.indexes)).map(({ id }) => id)
  return {
    after: rewritten
      ? { ...message, indexes: message.indexes.map((index) => ({ ...index, building: false, validating: false })) }
      : message,
    isChanged: true,
    rewrite: rewritten ? rewriteOf(table) : undefined,
    notNullColumnIds: message.columns.filter((column) => mayHoldNull(table, column)).map(({ id }) => id),
    newIndexIds,
    neededIndexIds: neededIndexIds(table, newIndexIds),
    newCheckIds: message.checks
      .filter((check) => isNewCheck(check) || [...columnIdsOf(check.expression)].some((id) => converted.has(id)))
      .map(({ id }) => id),
    newForeignKeyIds: message.foreignKeys.filter(isNew(before.foreignKeys)).map(({ id }) => id),
    droppedForeignKeys: before.foreignKeys.filter(isNew(message.foreignKeys)),
  }
}

function mustRewrite(table: AlteredTable): boolean {
  const { before, message } = table
  return (
    !isDeepStrictEqual(message.primaryKey, before.primaryKey) ||
    message.columns.some((column) => table.sourceOf(column.id).kind === 'uuid' || isConverted(table, column))
  )
}

/** True when stored values of the column become other ones. */
function isConverted(table: AlteredTable, column: ColumnMessage): boolean {
  const source = table.sourceOf(column.id)
  return source.kind === 'stored' && source.conversions.some(({ isInstant }) => !isInstant)
}

/** True for a NOT NULL column in which rows may have NULL. */
function mayHoldNull(table: AlteredTable, column: ColumnMessage): boolean {
  if (!column.notNull) return false
  const source = table.sourceOf(column.id)
  switch (source.kind) {
    case 'stored':
      return !source.column.notNull
    case 'constant':
      return column.missingValue === undefined
    case 'uuid':
      return false
  }
}

/**
 * A change of a column's type: which of the changes are instant, which give the column a new id and its rows new bytes,
 * and what becomes of its default, its missing value and the checks that name it.
 *
 *   stored bytes stay bytes of the type  ──> the column keeps its id; nothing is rewritten
 *   they do not                          ──> a new id at the same place, so that no bytes under the old one are ever
 *                                            read as another wire form; keys and checks follow
 *   the column was added in this list    ──> no row has bytes of it; it keeps its id
 *
 * Invariant: literals of the table (default, missing value, checks) are values of their column's type.
 */
import { ReplogError, isReplogError } from '../core/errors.js'
import type { ColumnType } from '../log/codec/column-type.js'
import type { ColumnMessage } from '../log/codec/message.js'
import { valueCodec } from '../log/codec/type-codecs.js'
import { formatColumnType, parseColumnType } from '../log/codec/types/sql-text.js'
import type { ChangeBody } from './alter-change.js'
import type { AlteredTable, ColumnSource } from './altered-table.js'
import { columnIdsOf } from './check-expression.js'
import { columnDefaultOf } from './column-definition.js'
import { type Conversion, conversionOf, convertedLiteral, isSameType } from './convert-value.js'
import { typeMismatch } from './foreign-key-definition.js'
import { type Invalid, invalidDefinition } from './invalid-definition.js'
import { retypedExpression } from './retype-check.js'

/** @throws ReplogError NOT_FOUND, INVALID_DEFINITION, DEPENDENT_OBJECTS */
export function setType(table: AlteredTable, body: ChangeBody<'setType'>): void {
  const column = table.column(body.column)
  const to = parseColumnType(body.type)
  if (isSameType(column.type, to)) return
  const at = `column ${JSON.stringify(column.name)}`
  const conversion = conversionOf(column.type, to)
  if (conversion === undefined) {
    throw invalidDefinition(
      `${at}: values of ${shown(column.type)} do not become values of ${shown(to)}; ` +
        'add a column of the new type, fill it as you mean it, and drop this one',
    )
  }
  if (column.autoIncrement && to.kind !== 'INTEGER' && to.kind !== 'BIGINT') {
    throw invalidDefinition(`${at} is AUTO_INCREMENT, which needs INTEGER or BIGINT`)
  }
  requireIndependent(table, column, to, conversion)
  const typed = { ...column, type: to, ...convertedDefault(column, to, conversion) }
  const { next, source } = withSource(table, column, typed, conversion)
  table.replaceColumn(column.id, next, source)
  retypeChecks(table, column, next, conversion)
}

/** What keys and foreign keys demand of the column's type. */
function requireIndependent(table: AlteredTable, column: ColumnMessage, to: ColumnType, conversion: Conversion): void {
  const keys = valueCodec(to).key === undefined ? table.keysOf(column.id) : []
  if (keys.length > 0) {
    throw dependent(column, `is part of ${keys.join(', ')}, and ${to.kind} has no order; drop that first`)
  }
  // What was comparable with the old type is comparable with one that is comparable with it.
  if (conversion.isInstant && typeMismatch(to, column.type) === undefined) return
  const foreignKeys = table.foreignKeysOf(column.id)
  if (foreignKeys.length > 0) {
    throw dependent(column, `is part of ${foreignKeys.join(', ')}; drop that first and add it again after the change`)
  }
}

function convertedDefault(
  column: ColumnMessage,
  to: ColumnType,
  conversion: Conversion,
): Pick<ColumnMessage, 'default'> {
  const value = column.default
  if (value === undefined) return {}
  const at = `column ${JSON.stringify(column.name)}`
  const refused = (message: string): ReplogError =>
    invalidDefinition(`${message}; put dropDefault before this change, and setDefault behind it`)
  if ('function' in value)
    return { default: columnDefaultOf({ function: value.function.toLowerCase() }, to, at, refused) }
  try {
    return { default: { literal: convertedLiteral(value.literal, column.type, to, conversion) } }
  } catch (error) {
    if (isReplogError(error, 'INVALID_VALUE')) throw refused(`${at}: the default does not fit: ${error.message}`)
    throw error
  }
}

/** The column with the id and the missing value that go with where its values come from, and that. */
function withSource(
  table: AlteredTable,
  before: ColumnMessage,
  after: ColumnMessage,
  conversion: Conversion,
): { next: ColumnMessage; source: ColumnSource } {
  const source = table.sourceOf(before.id)
  switch (source.kind) {
    case 'constant':
      return { next: withMissing(after, before, conversion, table.isEmpty), source }
    case 'uuid':
      return { next: after, source: { ...source, conversions: [...source.conversions, conversion] } }
    case 'stored': {
      const stored = source.column
      const direct = conversionOf(stored.type, after.type)
      if (direct?.isInstant === true && source.conversions.every(({ isReversible }) => isReversible)) {
        // The stored bytes serve as they are, also when the type went to another one and came back.
        const { id, addedInVersion } = stored
        const conversions = isSameType(stored.type, after.type) ? [] : [direct]
        return {
          next: withMissing({ ...after, id, addedInVersion }, stored, direct, false),
          source: { ...source, conversions },
        }
      }
      const converted = { ...source, conversions: [...source.conversions, conversion] }
      // Under an id that this list has given out, no row has bytes.
      if (before.id !== stored.id) return { next: after, source: converted }
      const id = table.newColumnId()
      const addedInVersion = table.message.version
      return { next: { ...after, id, addedInVersion, missingValue: undefined }, source: converted }
    }
  }
}

/** The column with the missing value of another, converted. It may get lost where no row reads it. */
function withMissing(
  column: ColumnMessage,
  from: ColumnMessage,
  conversion: Conversion,
  isEmpty: boolean,
): ColumnMessage {
  const missing = from.missingValue
  if (missing === undefined || isSameType(from.type, column.type)) return { ...column, missingValue: missing }
  try {
    return { ...column, missingValue: convertedLiteral(missing, from.type, column.type, conversion) }
  } catch (error) {
    if (!isReplogError(error, 'INVALID_VALUE')) throw error
    if (isEmpty) return { ...column, missingValue: undefined }
    throw invalidDefinition(
      `column ${JSON.stringify(column.name)}: what it was added with does not fit: ${error.message}; ` +
        'add it with the type and the default that it is to have',
    )
  }
}

/** Checks that name the column name it still, with literals of its new type. */
function retypeChecks(table: AlteredTable, before: ColumnMessage, after: ColumnMessage, conversion: Conversion): void {
  const { columns, checks } = table.message
  table.message = {
    ...table.message,
    checks: checks.map((check) => {
      if (!columnIdsOf(check.expression).has(before.id)) return check
      const refused: Invalid = (message) =>
        dependent(before, `is part of the check ${JSON.stringify(check.name)}: ${message}; drop that check first`)
      return {
        ...check,
        expression: retypedExpression(check.expression, { before, after, conversion }, columns, refused),
      }
    }),
  }
}

function dependent(column: ColumnMessage, message: string): ReplogError {
  return new ReplogError('DEPENDENT_OBJECTS', `column ${JSON.stringify(column.name)} ${message}`, {
    details: { column: column.name },
  })
}

function shown(type: ColumnType): string {
  return type.kind === 'ENUM' ? type.kind : formatColumnType(type)
}

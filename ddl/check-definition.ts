/** A CHECK as a user writes it, and its way into a check message and back. */
import { TABLE_CONSTRAINTS_MAX } from '../core/limits.js'
import type { CheckMessage, ColumnMessage } from '../log/codec/message.js'
import { byName } from './column-definition.js'
import { type ConstraintOwner, constraintNames, freeName, requireConstraintName } from './constraint-name.js'
import { type ExpressionDefinition, definitionOfExpression } from './expression-definition.js'
import { expressionOf } from './expression-parser.js'
import { checkName } from './identifiers.js'
import { type Invalid, requireObject } from './invalid-definition.js'

/** A condition that every row must meet, unless it is unknown because of a NULL. */
export interface CheckDefinition {
  /** `TABLE_check_N` when left out. */
  readonly name?: string
  readonly expression: ExpressionDefinition
}

/**
 * One more check of a table.
 * @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT (the name)
 */
export function checkMessageOf(
  definition: CheckDefinition,
  id: number,
  table: ConstraintOwner,
  invalid: Invalid,
): CheckMessage {
  requireObject(definition, 'a check', invalid)
  if (table.checks.length >= TABLE_CONSTRAINTS_MAX) throw invalid(`at most ${TABLE_CONSTRAINTS_MAX} checks`)
  const name =
    definition.name === undefined
      ? freeName(table.name, `_check_${id}`, constraintNames(table))
      : checkName('check', definition.name)
  requireConstraintName(name, table, invalid)
  const at = `check ${JSON.stringify(name)}`
  return {
    id,
    name,
    expression: expressionOf(definition.expression, byName(table.columns), (message) => invalid(`${at}: ${message}`)),
  }
}

/** The inverse of `checkMessageOf`. */
export function definitionOfCheck(check: CheckMessage, columns: readonly ColumnMessage[]): CheckDefinition {
  return { name: check.name, expression: definitionOfExpression(check.expression, columns) }
}

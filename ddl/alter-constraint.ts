/**
 * The changes of ALTER TABLE to checks and foreign keys.
 *
 * Invariants: constraint ids are never given out twice; a foreign key that targets its own table is in that table's list
 * of references. Those of other tables are kept by whoever runs the change, who can write them.
 */
import type { ChangeBody } from './alter-change.js'
import { type AlteredTable, named, requireNewName } from './altered-table.js'
import { checkMessageOf } from './check-definition.js'
import { foreignKeyMessageOf, targetIdentifierOf } from './foreign-key-definition.js'
import { formatTableName } from './identifiers.js'
import { invalidDefinition } from './invalid-definition.js'
import { withForeignKeyIndex, withReference, withoutReference } from './reference-keys.js'

/** @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT, ALREADY_EXISTS */
export function addCheck(table: AlteredTable, definition: ChangeBody<'addCheck'>): void {
  requireFreeName(table, definition.name)
  const { message } = table
  const check = checkMessageOf(definition, message.nextConstraintId, message, invalidDefinition)
  table.message = { ...message, checks: [...message.checks, check], nextConstraintId: message.nextConstraintId + 1 }
}

/** @throws ReplogError NOT_FOUND */
export function dropCheck(table: AlteredTable, { name }: ChangeBody<'dropCheck'>): void {
  const { checks } = table.message
  const dropped = named('check', name, checks)
  table.message = { ...table.message, checks: checks.filter((check) => check !== dropped) }
}

/** @throws ReplogError INVALID_DEFINITION, INVALID_ARGUMENT, ALREADY_EXISTS, NOT_FOUND (the target) */
export function addForeignKey(table: AlteredTable, definition: ChangeBody<'addForeignKey'>): void {
  requireFreeName(table, definition.name)
  const { message, context } = table
  const identifier = targetIdentifierOf(definition, invalidDefinition)
  const isOwn = identifier.schema === context.schema && identifier.table === message.name
  const target = isOwn ? message : context.target(formatTableName(identifier))
  const id = message.nextConstraintId
  const foreignKey = foreignKeyMessageOf(definition, id, message, target, invalidDefinition)
  const added = { ...message, foreignKeys: [...message.foreignKeys, foreignKey], nextConstraintId: id + 1 }
  const indexed = withForeignKeyIndex(added, foreignKey, invalidDefinition)
  table.message = isOwn ? withReference(indexed, { tableId: message.id, foreignKeyId: id }, invalidDefinition) : indexed
}

/** The index that was made for it stays. @throws ReplogError NOT_FOUND */
export function dropForeignKey(table: AlteredTable, { name }: ChangeBody<'dropForeignKey'>): void {
  const { message } = table
  const dropped = named('foreign key', name, message.foreignKeys)
  const remaining = { ...message, foreignKeys: message.foreignKeys.filter((foreignKey) => foreignKey !== dropped) }
  const reference = { tableId: message.id, foreignKeyId: dropped.id }
  table.message = dropped.targetTableId === message.id ? withoutReference(remaining, reference) : remaining
}

/** Checks and foreign keys share their names. */
function requireFreeName({ message }: AlteredTable, name: string | undefined): void {
  if (name !== undefined) requireNewName('constraint', name, [...message.checks, ...message.foreignKeys])
}

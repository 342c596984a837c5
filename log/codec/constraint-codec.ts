/**
 * Foreign keys, checks and references of a table message, between the objects of `message.ts` and those of protobufjs.
 *
 * Invariant: an action that this program does not know is refused as newer; taken for another it would change rows of
 * its own accord.
 */
import { corruptDefinition, newerDefinition } from './definition-refusal.js'
import { namesOf } from './definition-types.js'
import { plainExpression, toExpression, type DecodedExpression } from './expression-codec.js'
import type { CheckMessage, ForeignKeyMessage, ReferenceMessage, ReferentialAction } from './message.js'

const actionNames = namesOf<ReferentialAction>('ForeignKey.Action')

/** A foreign key as protobufjs decodes it. */
export interface DecodedForeignKey extends Omit<ForeignKeyMessage, 'onDelete' | 'onUpdate'> {
  readonly onDelete: number
  readonly onUpdate: number
}

export interface DecodedCheck extends Omit<CheckMessage, 'expression'> {
  readonly expression: DecodedExpression | null
}

/** @throws ReplogError UNSUPPORTED_VERSION */
export function toForeignKey(decoded: DecodedForeignKey): ForeignKeyMessage {
  return {
    id: decoded.id,
    name: decoded.name,
    columnIds: [...decoded.columnIds],
    targetTableId: decoded.targetTableId,
    targetColumnIds: [...decoded.targetColumnIds],
    onDelete: toAction(decoded.name, decoded.onDelete),
    onUpdate: toAction(decoded.name, decoded.onUpdate),
  }
}

function toAction(name: string, number: number): ReferentialAction {
  const action = actionNames[number]
  if (action === undefined) throw newerDefinition(`foreign key "${name}" has an action (number ${number})`)
  return action
}

/** @throws ReplogError CORRUPT, UNSUPPORTED_VERSION */
export function toCheck(decoded: DecodedCheck): CheckMessage {
  const where = `check "${decoded.name}"`
  if (decoded.expression === null) throw corruptDefinition(`${where} has no expression`)
  return { id: decoded.id, name: decoded.name, expression: toExpression(where, decoded.expression) }
}

/** The check as protobufjs' `fromObject` takes it. */
export function plainCheck(check: CheckMessage): object {
  return { ...check, expression: plainExpression(check.expression) }
}

export function toReference(decoded: ReferenceMessage): ReferenceMessage {
  return { tableId: decoded.tableId, foreignKeyId: decoded.foreignKeyId }
}

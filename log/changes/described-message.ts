/**
 * A table message of a definition change, for whoever shows it. Its schema has the name that the change gives it where it
 * does, and other tables and schemas have the names that they have now: of those no others are kept.
 */
import { parseQualifiedName } from '../../ddl/identifiers.js'
import { referencedTablesIn } from '../../ddl/referenced-table.js'
import type { TableMessage } from '../codec/message.js'
import { type DescribedTable, schemaNameOf } from '../dictionary-listing.js'
import type { ReplicatedState } from '../replicated-state.js'
import type { DefinitionEvent } from './change.js'

export type DefinedMessage = NonNullable<DefinitionEvent['after']>

export function isTableMessage(message: DefinedMessage): message is TableMessage {
  return 'columns' in message
}

/** @param message of the event, before or after it */
export function describedMessage(
  { dictionary, readDurable }: ReplicatedState,
  { table, before, after }: DefinitionEvent,
  message: TableMessage,
): DescribedTable {
  const named = (after ?? before) as TableMessage
  const isNamed = table !== undefined && named.schemaId === message.schemaId
  return {
    message,
    schema: isNamed ? parseQualifiedName(table).schema : schemaNameOf(message, dictionary, readDurable),
    stats: undefined,
    tableOf: referencedTablesIn(dictionary, readDurable),
    messageOf: (tableId) => dictionary.tableById(readDurable, tableId)?.message,
  }
}

/** Where the tables of these tests stand, and the tables that foreign keys of theirs may refer to. */
import { ReplogError } from '../../core/errors.js'
import { type TableDefinition, type TablePlace, tableMessageOf } from '../../ddl/table-definition.js'
import type { TableMessage } from '../../log/codec/message.js'

export const NOW_US = 1_700_000_000_000_000n

/** A place with the id in schema `test`; `targets` by their "schema.table" text. */
export function placeOf(id: number, targets: Readonly<Record<string, TableMessage>> = {}): TablePlace {
  return {
    id,
    catalogId: 1,
    schemaId: 1,
    schema: 'test',
    nowUs: NOW_US,
    target(table) {
      const target = targets[table]
      if (target === undefined) throw new ReplogError('NOT_FOUND', `table ${table} does not exist`)
      return target
    },
  }
}

export const PLACE = placeOf(7)

export function messageOf(
  definition: TableDefinition,
  targets: Readonly<Record<string, TableMessage>> = {},
): TableMessage {
  return tableMessageOf(definition, placeOf(7, targets))
}

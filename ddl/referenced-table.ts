/**
 * The targets of foreign keys by name. A table message knows its targets by id, so that renaming one touches the
 * dictionary only; whoever shows a definition says what each id is called.
 */
import type { ColumnMessage, TableMessage } from '../log/codec/message.js'
import type { Dictionary, ReadKey } from './dictionary.js'

export interface ReferencedTable {
  readonly schema: string
  readonly name: string
  readonly columns: readonly ColumnMessage[]
}

/** Undefined for a table that the caller does not know, which is then shown by its ids: `table 12`, `column 3`. */
export type ReferencedTables = (tableId: number) => ReferencedTable | undefined

/** The tables that `read` sees, under the names that they have there. */
export function referencedTablesIn(dictionary: Dictionary, read: ReadKey): ReferencedTables {
  return (tableId) => {
    const message = dictionary.tableById(read, tableId)?.message
    const schema = message && dictionary.schemaById(read, message.schemaId)
    return schema && { schema: schema.name, name: message.name, columns: message.columns }
  }
}

export interface TargetNames {
  /** Undefined when only the id is known. */
  readonly schema: string | undefined
  readonly table: string
  readonly columns: readonly string[]
}

/** What a foreign key of `message`, a table of `schema`, refers to. `tableOf` is not asked for the table itself. */
export function targetNames(
  target: { readonly targetTableId: number; readonly targetColumnIds: readonly number[] },
  message: TableMessage,
  schema: string,
  tableOf: ReferencedTables,
): TargetNames {
  const { targetTableId, targetColumnIds } = target
  const table =
    targetTableId === message.id ? { schema, name: message.name, columns: message.columns } : tableOf(targetTableId)
  const names = new Map(table?.columns.map((column) => [column.id, column.name]))
  return {
    schema: table?.schema,
    table: table?.name ?? `table ${targetTableId}`,
    columns: targetColumnIds.map((id) => names.get(id) ?? `column ${id}`),
  }
}

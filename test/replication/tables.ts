/** A table with every kind of index, for replication tests, and rows for it. */
import type { TableDefinition } from '../../ddl/table-definition.js'

export const ITEMS: TableDefinition = {
  name: 'items',
  columns: [
    { name: 'id', type: 'BIGINT', autoIncrement: true },
    { name: 'group', type: 'INTEGER' },
    { name: 'code', type: 'VARCHAR(20)' },
    { name: 'bytes', type: 'BLOB' },
  ],
  primaryKey: ['id'],
  indexes: [
    { name: 'group', columns: ['group', { column: 'code', descending: true }] },
    { name: 'code', columns: ['code'], unique: true },
  ],
}

export function items(count: number, prefix: string): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, ordinal) => ({ group: ordinal % 5, code: `${prefix} ${ordinal}` }))
}

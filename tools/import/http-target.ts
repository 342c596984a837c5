/** Imports into a server over HTTP. */
import { isReplogError } from '../../core/errors.js'
import { catalogIdentifier, parseTableName } from '../../ddl/identifiers.js'
import { parseColumnType } from '../../log/codec/types/sql-text.js'
import type { HttpClient } from '../http-client.js'
import type { ImportTarget } from './import-target.js'

export function httpTarget(client: HttpClient, catalog: string): ImportTarget {
  return {
    async table(name) {
      try {
        const { id, definition } = await client.table(catalog, parseTableName(catalogIdentifier(catalog), name))
        return {
          id,
          columns: definition.columns.map((column) => {
            const { notNull = false, autoIncrement = false } = column
            return {
              name: column.name,
              type: parseColumnType(column.type),
              isRequired: notNull && column.default === undefined && !autoIncrement,
              takesNull: !notNull || autoIncrement,
            }
          }),
        }
      } catch (error) {
        if (isReplogError(error, 'NOT_FOUND')) return undefined
        throw error
      }
    },
    async execute(statements) {
      return (await client.execute(catalog, statements)).results
    },
  }
}

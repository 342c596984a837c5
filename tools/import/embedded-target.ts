/** Imports into a primary in this process. */
import { isReplogError } from '../../core/errors.js'
import type { Catalog } from '../../primary/catalog.js'
import type { ImportTarget } from './import-target.js'

export function embeddedTarget(catalog: Catalog): ImportTarget {
  return {
    async table(name) {
      try {
        const { message } = catalog.table(name)
        return {
          id: message.id,
          columns: message.columns.map((column) => ({
            name: column.name,
            type: column.type,
            isRequired: column.notNull && column.default === undefined && !column.autoIncrement,
            takesNull: !column.notNull || column.autoIncrement,
          })),
        }
      } catch (error) {
        if (isReplogError(error, 'NOT_FOUND')) return undefined
        throw error
      }
    },
    async execute(statements) {
      return (await catalog.execute(statements)).results
    },
  }
}

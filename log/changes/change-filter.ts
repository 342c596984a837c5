/**
 * Which changes a stream lets through.
 *
 *   tables      "schema.table", "schema.*", "*"; names as in `log/http`: "orders" is "test.orders"
 *   operations  insert, update, delete, rewrite, definition
 *
 * Names are matched against the name that a table has at the place of the log, so a table that is renamed into the
 * filter is told of from there on. The tables of subscriptions and projections are told of only where they are named:
 * who acknowledges what he reads would read his own acknowledgements.
 */
import { ReplogError } from '../../core/errors.js'
import { formatTableName, parseQualifiedName } from '../../ddl/identifiers.js'
import type { RowOperation } from './change.js'

/** What changes a stream may tell of. */
export type ChangeOperation = RowOperation | 'definition'

export const CHANGE_OPERATIONS: readonly ChangeOperation[] = ['insert', 'update', 'delete', 'rewrite', 'definition']

const TABLES_MAX = 1000

export interface ChangeFilterInput {
  /** All tables of the catalog when left out. */
  readonly tables?: readonly string[] | undefined
  /** All of them when left out. */
  readonly operations?: readonly ChangeOperation[] | undefined
}

export class ChangeFilter {
  readonly #operations: ReadonlySet<ChangeOperation>
  readonly #names: ReadonlySet<string>
  readonly #schemas: ReadonlySet<string>
  /** All but the tables of replog itself, beside those that are named. */
  readonly #hasAll: boolean

  /** @throws ReplogError INVALID_ARGUMENT */
  constructor({ tables, operations = CHANGE_OPERATIONS }: ChangeFilterInput = {}) {
    if (!Array.isArray(operations) || operations.length === 0) {
      throw invalid('`operations` is a list of insert, update, delete, rewrite and definition')
    }
    for (const operation of operations as readonly unknown[]) {
      if (CHANGE_OPERATIONS.includes(operation as ChangeOperation)) continue
      throw invalid(
        `${JSON.stringify(operation)} is no operation of a change stream; there are ${CHANGE_OPERATIONS.join(', ')}`,
      )
    }
    this.#operations = new Set(operations)
    const schemas = new Set<string>()
    const names = new Set<string>()
    this.#schemas = schemas
    this.#names = names
    this.#hasAll = tables === undefined || (Array.isArray(tables) && tables.includes('*'))
    if (tables === undefined) return
    if (!Array.isArray(tables) || tables.length === 0 || tables.length > TABLES_MAX) {
      throw invalid(
        `\`tables\` lists 1 to ${TABLES_MAX} names, such as "test.orders" or "test.*"; leave it out for all`,
      )
    }
    for (const table of tables as readonly unknown[]) {
      if (table === '*') continue
      if (typeof table === 'string' && table.endsWith('.*')) {
        schemas.add(parseQualifiedName(`${table.slice(0, -2)}.x`).schema)
      } else names.add(formatTableName(parseQualifiedName(table)))
    }
  }

  hasOperation(operation: ChangeOperation): boolean {
    return this.#operations.has(operation)
  }

  hasTable(schema: string, table: string, isSystem: boolean): boolean {
    if (this.hasSchema(schema, isSystem)) return true
    return this.#names.size > 0 && this.#names.has(formatTableName({ schema, table }))
  }

  /** Whether all tables of a schema, and what happens to itself, are told of. */
  hasSchema(schema: string, isSystem: boolean): boolean {
    return (this.#hasAll && !isSystem) || this.#schemas.has(schema)
  }

  /** Whether changes of the catalog itself are told of: where all tables are. */
  get hasCatalog(): boolean {
    return this.#hasAll
  }
}

function invalid(message: string): ReplogError {
  return new ReplogError('INVALID_ARGUMENT', message)
}

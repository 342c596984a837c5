/**
 * Tables of replog itself in a catalog, made when they are used for the first time.
 *
 * Their rows are written with `runAsSystem` and `executeAsSystem`; a user's statements only read them
 * (`ddl/system-schema.ts`).
 */
import { isReplogError } from '../core/errors.js'
import type { CompiledTable } from '../ddl/compiled-table.js'
import { type CatalogIdentifier, formatTableName } from '../ddl/identifiers.js'
import { SYSTEM_OPTIONS, SYSTEM_SCHEMA_NAME, schemaOfUsers } from '../ddl/system-schema.js'
import type { TableDefinition } from '../ddl/table-definition.js'
import type { CommitOptions, Transaction, TransactionOptions } from './transaction.js'

/** What consumers whose positions are rows need of their catalog. */
export interface ConsumerCatalog {
  readonly name: CatalogIdentifier
  table(name: string): CompiledTable
  begin(options?: TransactionOptions): Transaction
  transaction<Result>(
    work: (transaction: Transaction) => Promise<Result> | Result,
    options?: TransactionOptions & CommitOptions,
  ): Promise<Result>
}

export type SystemTableDefinition = Omit<TableDefinition, 'schema' | 'options'>

/** The name by which statements call a table of replog. */
export function systemTableName(table: string): string {
  return formatTableName({ schema: SYSTEM_SCHEMA_NAME, table })
}

/** Whether the catalog has the table; a lookup in memory while no definition changes. */
export function hasSystemTable(db: ConsumerCatalog, name: string): boolean {
  try {
    return db.table(systemTableName(name)).isSystem
  } catch (error) {
    if (isReplogError(error, 'NOT_FOUND')) return false
    throw error
  }
}

/**
 * Makes schema and table where they are missing, in one transaction. Of two that do so at once one makes them, and both
 * resolve.
 * @throws ReplogError ALREADY_EXISTS when users have a schema of this name; NOT_FOUND (catalog); as any commit
 */
export async function ensureSystemTable(db: ConsumerCatalog, definition: SystemTableDefinition): Promise<void> {
  if (hasSystemTable(db, definition.name)) return
  await db.transaction(async (transaction) => {
    await transaction.runAsSystem({
      createSchema: { schema: SYSTEM_SCHEMA_NAME, options: SYSTEM_OPTIONS, ifNotExists: true },
    })
    const table = { ...definition, schema: SYSTEM_SCHEMA_NAME, options: SYSTEM_OPTIONS }
    const made = await transaction.runAsSystem({ createTable: { table, ifNotExists: true } })
    // One that was there already may be a user's own.
    const isMade = 'created' in made && made.created
    if (!isMade && !hasSystemTable(db, definition.name)) throw schemaOfUsers(SYSTEM_SCHEMA_NAME)
  })
}

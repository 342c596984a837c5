/**
 * The definition statements of a transaction as methods. They are part of the transaction: nothing of them is seen by
 * others before it commits, and its rollback takes them back together with the rows. (G5, G6)
 */
import type { AlterTableChange } from '../ddl/alter-definition.js'
import { type Table, tableNameOf } from '../ddl/define-table.js'
import type { IndexName } from '../ddl/table-types.js'
import type { IndexDefinition, TableDefinition } from '../ddl/table-definition.js'
import { type PointStatementInput, type TableChangeInput, checkStatement } from './run-statement.js'
import type {
  AlterSchemaInput,
  CreateSchemaInput,
  CreateTableAsInput,
  RenameInput,
  StatementResult,
} from './statement.js'

/** The definition statements of a transaction. */
export abstract class TransactionDefinitions {
  /** Runs any statement but a scan and a locking read. The result is that of the statement. */
  protected abstract run<Result extends StatementResult>(
    statement: TableChangeInput | PointStatementInput,
  ): Promise<Result>

  async #checked<Result extends StatementResult>(statement: TableChangeInput | PointStatementInput): Promise<Result> {
    checkStatement(statement)
    return this.run(statement)
  }

  /**
   * Creates a table from its definition, or from a handle of `defineTable`, which is one.
   * @returns `created` false when `ifNotExists` found a table of that name, whatever it is like
   * @throws ReplogError ALREADY_EXISTS, INVALID_DEFINITION, NOT_FOUND (the schema, the target of a foreign key), LIMIT
   */
  async createTable(
    definition: TableDefinition,
    options: { ifNotExists?: boolean } = {},
  ): Promise<{ created: boolean }> {
    return this.#checked({ createTable: { table: definition, ...options } })
  }

  /** A table with columns and rows of a scan. @returns `inserted`, the rows of it */
  async createTableAs(
    table: string,
    from: string | CreateTableAsInput['from'],
    options: Omit<CreateTableAsInput, 'table' | 'from'> = {},
  ): Promise<{ created: boolean; inserted: number }> {
    return this.#checked({
      createTableAs: { table, from: typeof from === 'string' ? { table: from } : from, ...options },
    })
  }

  /**
   * Changes a table's definition: all of the changes, in order, or none.
   * @returns `altered` false when the definition was like that before: nothing was written
   * @throws ReplogError INVALID_DEFINITION, DEPENDENT_OBJECTS; INVALID_VALUE, CHECK_VIOLATION, DUPLICATE_KEY or
   * FOREIGN_KEY_VIOLATION when rows do not fit; TRANSACTION_TOO_LARGE with the count when too many would be rewritten
   */
  async alterTable(table: string | Table, changes: readonly AlterTableChange[]): Promise<{ altered: boolean }> {
    return this.#checked({ alterTable: { table: tableNameOf(table), changes } })
  }

  /** Renames tables, or moves them to other schemas, all at once, so that names may be exchanged. */
  async renameTables(tables: readonly RenameInput[]): Promise<{ renamed: number }> {
    return this.#checked({ renameTables: { tables } })
  }

  /** Takes all rows from a table at once, whatever its size. AUTO_INCREMENT goes on where it was. */
  async truncateTable(table: string | Table): Promise<{ truncated: true }> {
    return this.#checked({ truncateTable: { table: tableNameOf(table) } })
  }

  /**
   * Drops a table with its rows and indexes; a job takes its data away after the commit.
   * @returns `dropped` false when `ifExists` found none
   * @throws ReplogError NOT_FOUND; DEPENDENT_OBJECTS when foreign keys of other tables refer to it
   */
  async dropTable(table: string | Table, options: { ifExists?: boolean } = {}): Promise<{ dropped: boolean }> {
    return this.#checked({ dropTable: { table: tableNameOf(table), ...options } })
  }

  /**
   * @returns `building` when the table has so many rows that a job makes the index after the commit; until it is done,
   * reading through it throws INDEX_BUILDING. One that was to be unique and cannot be is dropped again.
   */
  async createIndex(
    table: string | Table,
    index: IndexDefinition,
    options: { ifNotExists?: boolean } = {},
  ): Promise<{ created: boolean; building?: boolean }> {
    return this.#checked({ createIndex: { table: tableNameOf(table), index, ...options } })
  }

  /**
   * Drops an index by its name.
   * @returns `dropped` false when `ifExists` found none
   * @throws ReplogError NOT_FOUND; DEPENDENT_OBJECTS when a foreign key needs it
   */
  dropIndex<Of extends Table>(
    table: Of,
    index: IndexName<Of>,
    options?: { ifExists?: boolean },
  ): Promise<{ dropped: boolean }>
  dropIndex(table: string, index: string, options?: { ifExists?: boolean }): Promise<{ dropped: boolean }>
  async dropIndex(
    table: string | Table,
    index: string,
    options: { ifExists?: boolean } = {},
  ): Promise<{ dropped: boolean }> {
    return this.#checked({ dropIndex: { table: tableNameOf(table), index, ...options } })
  }

  /**
   * Creates a schema in the catalog.
   * @returns `created` false when `ifNotExists` found one of that name
   * @throws ReplogError ALREADY_EXISTS, INVALID_ARGUMENT (the name), LIMIT
   */
  async createSchema(schema: string, options: Omit<CreateSchemaInput, 'schema'> = {}): Promise<{ created: boolean }> {
    return this.#checked({ createSchema: { schema, ...options } })
  }

  /** Changes name, comment or options of a schema. */
  async alterSchema(schema: string, changes: Omit<AlterSchemaInput, 'schema'>): Promise<{ altered: boolean }> {
    return this.#checked({ alterSchema: { schema, ...changes } })
  }

  /** @throws ReplogError DEPENDENT_OBJECTS when it has tables, unless `cascade` */
  async dropSchema(
    schema: string,
    options: { ifExists?: boolean; cascade?: boolean } = {},
  ): Promise<{ dropped: boolean }> {
    return this.#checked({ dropSchema: { schema, ...options } })
  }
}

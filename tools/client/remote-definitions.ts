/**
 * The definition statements of a transaction on a server, each a round trip. They are part of the transaction: nothing
 * of them is seen by others before it commits, and its rollback takes them back together with the rows. (G5, G6)
 */
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import type { IndexDefinition, TableDefinition } from '../../ddl/table-definition.js'
import type {
  AlterSchemaInput,
  CreateSchemaInput,
  CreateTableAsInput,
  DropSchemaInput,
  RenameInput,
  ScanInput,
} from '../../primary/statement.js'
import type { Altered, Created, Dropped } from './operations.js'
import type { CallOptions, TransactionLife } from './transaction-life.js'

/** The definition statements of a transaction on a server. */
export class RemoteDefinitions {
  protected readonly life: TransactionLife

  constructor(life: TransactionLife) {
    this.life = life
  }

  /** @throws ReplogError ALREADY_EXISTS, INVALID_DEFINITION, NOT_FOUND (schema) */
  async createTable(
    definition: TableDefinition,
    options: CallOptions & { readonly ifNotExists?: boolean | undefined } = {},
  ): Promise<Created> {
    const { signal, ifNotExists } = options
    return this.life.call('createTable', { table: definition, ifNotExists }, { signal })
  }

  /**
   * Makes a table of the rows that a scan of another one finds, as they are in this transaction.
   * @param table "schema.table" of the new one
   * @returns `inserted`: its rows
   */
  async createTableAs(
    table: string,
    from: ScanInput,
    options: CallOptions & Omit<CreateTableAsInput, 'table' | 'from'> = {},
  ): Promise<Created> {
    const { signal, ...how } = options
    return this.life.call('createTableAs', { table, from, ...how }, { signal })
  }

  /**
   * Changes a table: all changes in their order, or none.
   * @returns `altered` false when the table was like that before
   */
  async alterTable(table: string, changes: readonly AlterTableChange[], options: CallOptions = {}): Promise<Altered> {
    return this.life.call('alterTable', { table, changes }, options)
  }

  /** Renames tables, all at once, so that names may be exchanged; a name in another schema moves the table. */
  async renameTables(tables: readonly RenameInput[], options: CallOptions = {}): Promise<{ readonly renamed: number }> {
    return this.life.call('renameTables', { tables }, options)
  }

  /** Deletes all rows of a table at once. @throws ReplogError DEPENDENT_OBJECTS */
  async truncateTable(table: string, options: CallOptions = {}): Promise<{ readonly truncated: true }> {
    return this.life.call('truncateTable', { table }, options)
  }

  /** @throws ReplogError NOT_FOUND, DEPENDENT_OBJECTS */
  async dropTable(
    table: string,
    options: CallOptions & { readonly ifExists?: boolean | undefined } = {},
  ): Promise<Dropped> {
    const { signal, ifExists } = options
    return this.life.call('dropTable', { table, ifExists }, { signal })
  }

  /**
   * Makes an index of a table.
   * @returns `building` true when the table is large: a job makes the index ready after the commit
   * @throws ReplogError ALREADY_EXISTS, DUPLICATE_KEY
   */
  async createIndex(
    table: string,
    index: IndexDefinition,
    options: CallOptions & { readonly ifNotExists?: boolean | undefined } = {},
  ): Promise<Created> {
    const { signal, ifNotExists } = options
    return this.life.call('createIndex', { table, index, ifNotExists }, { signal })
  }

  /** @throws ReplogError NOT_FOUND, DEPENDENT_OBJECTS */
  async dropIndex(
    table: string,
    index: string,
    options: CallOptions & { readonly ifExists?: boolean | undefined } = {},
  ): Promise<Dropped> {
    const { signal, ifExists } = options
    return this.life.call('dropIndex', { table, index, ifExists }, { signal })
  }

  /** @throws ReplogError ALREADY_EXISTS */
  async createSchema(schema: string, options: CallOptions & Omit<CreateSchemaInput, 'schema'> = {}): Promise<Created> {
    const { signal, ...how } = options
    return this.life.call('createSchema', { schema, ...how }, { signal })
  }

  /** Renames a schema, or changes its comment or options; a value of null takes an option away. */
  async alterSchema(
    schema: string,
    changes: Omit<AlterSchemaInput, 'schema'>,
    options: CallOptions = {},
  ): Promise<Altered> {
    return this.life.call('alterSchema', { schema, ...changes }, options)
  }

  /** @throws ReplogError NOT_FOUND, DEPENDENT_OBJECTS: without `cascade` the schema must be empty */
  async dropSchema(schema: string, options: CallOptions & Omit<DropSchemaInput, 'schema'> = {}): Promise<Dropped> {
    const { signal, ...how } = options
    return this.life.call('dropSchema', { schema, ...how }, { signal })
  }
}

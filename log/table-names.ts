/**
 * Table and catalog names to what they mean, remembered while no definition changes.
 *
 * A remembered answer holds for every reader at or after the last definition change; anyone older, and any transaction
 * with DDL of its own, looks the name up through its own eyes. One entry costs one map lookup per statement.
 */
import type { Lsn } from '../core/position.js'
import type { CompiledTable } from '../ddl/compiled-table.js'
import type { ReadKey } from '../ddl/dictionary.js'
import { type CatalogIdentifier, type TableIdentifier, parseTableName } from '../ddl/identifiers.js'
import { catalogKey, keyText, schemaKey, tableKey } from '../store/keys.js'
import type { ReplicatedState } from './replicated-state.js'

export interface NamedTable {
  readonly table: CompiledTable
  /** The dictionary key under which the definition was read, as text: part of a transaction's read set. */
  readonly definitionText: string
  /** The same of its schema. */
  readonly schemaText: string
}

export interface NamedCatalog {
  readonly id: number
  /** As for a table. */
  readonly definitionText: string
}

interface SchemaIds {
  readonly catalogId: number
  readonly schemaId: number
}

/** What one name takes is small, so that those of far more catalogs can be remembered than are used often. */
const REMEMBERED_NAMES_MAX = 100_000
/** Definitions are large; tables that are alike share one. */
const REMEMBERED_DEFINITIONS_MAX = 10_000

export class TableNames {
  readonly #state: ReplicatedState
  #validFrom: Lsn
  /** By catalog and name: joining both to one text would cost more than all else that a lookup does. */
  readonly #remembered = new Map<CatalogIdentifier, Map<string, NamedTable>>()
  #rememberedTables = 0
  /** Those of the remembered tables, by the array of columns that tables which are alike share. */
  readonly #definitions = new Set<CompiledTable['columns']>()
  readonly #catalogs = new Map<string, NamedCatalog>()
  readonly #schemas = new Map<string, SchemaIds>()

  constructor(state: ReplicatedState) {
    this.#state = state
    this.#validFrom = state.definitionLsn
  }

  /**
   * @param asOf the LSN at which the caller reads, `undefined` when it must look itself
   * @throws ReplogError NOT_FOUND, INVALID_ARGUMENT
   */
  lookup(catalog: CatalogIdentifier, name: unknown, asOf: Lsn | undefined, read: ReadKey): NamedTable {
    // What is no text must not be made one to look it up.
    if (typeof name !== 'string' || !this.#holdsFor(asOf)) {
      const identifier = parseTableName(catalog, name)
      return named(this.#state.dictionary.table(read, identifier), identifier.schema)
    }
    let found = this.#remembered.get(catalog)?.get(name)
    if (found === undefined) {
      const identifier = parseTableName(catalog, name)
      found = named(this.#findTable(identifier, read), identifier.schema)
      this.#rememberTable(catalog, name, found)
    }
    return found
  }

  /** As `lookup`. @throws ReplogError NOT_FOUND */
  lookupCatalog(catalog: CatalogIdentifier, asOf: Lsn | undefined, read: ReadKey): NamedCatalog {
    if (!this.#holdsFor(asOf)) return this.#findCatalog(catalog, read)
    let found = this.#catalogs.get(catalog)
    if (found === undefined) {
      found = this.#findCatalog(catalog, read)
      remember(this.#catalogs, catalog, found, REMEMBERED_NAMES_MAX)
    }
    return found
  }

  /** Whether remembered names are right for somebody who reads at `asOf`. */
  #holdsFor(asOf: Lsn | undefined): boolean {
    if (this.#validFrom !== this.#state.definitionLsn) {
      this.#forgetTables()
      this.#catalogs.clear()
      this.#schemas.clear()
      this.#validFrom = this.#state.definitionLsn
    }
    return asOf !== undefined && asOf >= this.#validFrom
  }

  #findCatalog(catalog: CatalogIdentifier, read: ReadKey): NamedCatalog {
    const { id } = this.#state.dictionary.catalog(read, catalog)
    return { id, definitionText: keyText(catalogKey(catalog)) }
  }

  #rememberTable(catalog: CatalogIdentifier, name: string, found: NamedTable): void {
    const isFull =
      this.#rememberedTables >= REMEMBERED_NAMES_MAX || this.#definitions.size >= REMEMBERED_DEFINITIONS_MAX
    if (isFull) this.#forgetTables()
    let tables = this.#remembered.get(catalog)
    if (tables === undefined) {
      tables = new Map<string, NamedTable>()
      this.#remembered.set(catalog, tables)
    }
    tables.set(name, found)
    this.#rememberedTables++
    this.#definitions.add(found.table.columns)
  }

  #forgetTables(): void {
    this.#remembered.clear()
    this.#rememberedTables = 0
    this.#definitions.clear()
  }

  #findTable(identifier: TableIdentifier, read: ReadKey): CompiledTable {
    const { dictionary } = this.#state
    const { catalogId, schemaId } = this.#schemaIds(identifier, read)
    const key = tableKey(catalogId, schemaId, identifier.table)
    const payload = read(key, keyText(key))
    // Without one, the dictionary says what is missing.
    return payload === undefined ? dictionary.table(read, identifier) : dictionary.compile(payload)
  }

  #schemaIds(identifier: TableIdentifier, read: ReadKey): SchemaIds {
    const cacheName = `${identifier.catalog}\0${identifier.schema}`
    let found = this.#schemas.get(cacheName)
    if (found === undefined) {
      const { id, catalogId } = this.#state.dictionary.schema(read, identifier)
      found = { catalogId, schemaId: id }
      remember(this.#schemas, cacheName, found, REMEMBERED_NAMES_MAX)
    }
    return found
  }
}

function named(table: CompiledTable, schema: string): NamedTable {
  const { catalogId, schemaId, name } = table.message
  return {
    table,
    definitionText: keyText(tableKey(catalogId, schemaId, name)),
    schemaText: keyText(schemaKey(catalogId, schema)),
  }
}

function remember<Found>(remembered: Map<string, Found>, name: string, found: Found, most: number): void {
  if (remembered.size >= most) remembered.clear()
  remembered.set(name, found)
}

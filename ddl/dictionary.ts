/**
 * The dictionary: catalogs, schemas and table messages, kept as rows of the same store as the data.
 *
 * Nothing is loaded ahead: a name is looked up through whatever reads the store for the caller (the newest state, a
 * snapshot, a transaction with its own DDL), so that an idle catalog costs nothing and a transaction sees its own
 * definitions. Compiled tables are immutable and cached.
 */
import { ReplogError } from '../core/errors.js'
import { decodeCatalogMessage, decodeSchemaMessage } from '../log/codec/definition-codec.js'
import type { CatalogMessage, SchemaMessage } from '../log/codec/message.js'
import {
  catalogKey,
  keyText,
  schemaKey,
  schemaPlaceKey,
  tableKey,
  tablePlaceKey,
  tableVersionKey,
} from '../store/keys.js'
import type { CompiledTable } from './compiled-table.js'
import { type CatalogIdentifier, type SchemaIdentifier, type TableIdentifier, formatTableName } from './identifiers.js'
import { TableCompiler } from './table-compiler.js'

/** Reads one key for somebody: undefined when it does not exist there. */
export type ReadKey = (key: Buffer, text: string) => Buffer | undefined

const COMPILED_TABLES_MAX = 4096

export class Dictionary {
  /** Committed versions by "id.version", oldest first. */
  readonly #versions = new Map<string, CompiledTable>()
  /** Compiled tables by the bytes of their message, oldest first. */
  readonly #definitions = new Map<string, CompiledTable>()
  readonly #compiler = new TableCompiler()

  /** @throws ReplogError NOT_FOUND */
  catalog(read: ReadKey, catalog: CatalogIdentifier): CatalogMessage {
    const message = this.findCatalog(read, catalog)
    if (message === undefined) throw new ReplogError('NOT_FOUND', `catalog ${JSON.stringify(catalog)} does not exist`)
    return message
  }

  findCatalog(read: ReadKey, catalog: CatalogIdentifier): CatalogMessage | undefined {
    const key = catalogKey(catalog)
    const payload = read(key, keyText(key))
    return payload === undefined ? undefined : decodeCatalogMessage(payload)
  }

  /** @throws ReplogError NOT_FOUND */
  schema(read: ReadKey, identifier: SchemaIdentifier): SchemaMessage {
    const catalog = this.catalog(read, identifier.catalog)
    const message = this.findSchema(read, catalog.id, identifier.schema)
    if (message === undefined) {
      throw new ReplogError(
        'NOT_FOUND',
        `schema ${JSON.stringify(identifier.schema)} does not exist in catalog ${JSON.stringify(identifier.catalog)}`,
      )
    }
    return message
  }

  findSchema(read: ReadKey, catalogId: number, schema: string): SchemaMessage | undefined {
    const key = schemaKey(catalogId, schema)
    const payload = read(key, keyText(key))
    return payload === undefined ? undefined : decodeSchemaMessage(payload)
  }

  /** @throws ReplogError NOT_FOUND */
  table(read: ReadKey, identifier: TableIdentifier): CompiledTable {
    const table = this.findTable(read, identifier)
    if (table === undefined) {
      throw new ReplogError(
        'NOT_FOUND',
        `table ${formatTableName(identifier)} does not exist in catalog ${JSON.stringify(identifier.catalog)}`,
        { details: { table: formatTableName(identifier) } },
      )
    }
    return table
  }

  findTable(read: ReadKey, identifier: TableIdentifier): CompiledTable | undefined {
    const schema = this.schema(read, identifier)
    const key = tableKey(schema.catalogId, schema.id, identifier.table)
    const payload = read(key, keyText(key))
    return payload === undefined ? undefined : this.compile(payload)
  }

  /** The table with this id, whatever its name is now. */
  tableById(read: ReadKey, tableId: number): CompiledTable | undefined {
    const place = tablePlaceKey(tableId)
    const key = read(place, keyText(place))
    const payload = key && read(key, keyText(key))
    return payload === undefined ? undefined : this.compile(payload)
  }

  schemaById(read: ReadKey, schemaId: number): SchemaMessage | undefined {
    const place = schemaPlaceKey(schemaId)
    const key = read(place, keyText(place))
    const payload = key && read(key, keyText(key))
    return payload === undefined ? undefined : decodeSchemaMessage(payload)
  }

  /**
   * The version of a table that a log message names. `read` must read the newest state, never a transaction's own.
   * @throws ReplogError CORRUPT when the dictionary never had it
   */
  tableVersion(read: ReadKey, tableId: number, version: number): CompiledTable {
    const name = `${tableId}.${version}`
    const cached = this.#versions.get(name)
    if (cached !== undefined) return cached
    const key = tableVersionKey(tableId, version)
    const payload = read(key, keyText(key))
    if (payload === undefined) {
      throw new ReplogError('CORRUPT', `the dictionary has no version ${version} of table ${tableId}`)
    }
    return remember(this.#versions, name, this.compile(payload))
  }

  /**
   * The compiled form of an encoded table message. Cached by the bytes themselves: an id and version that a rolled-back
   * transaction used may come again with another definition.
   */
  compile(payload: Buffer): CompiledTable {
    const name = payload.toString('latin1')
    const cached = this.#definitions.get(name)
    return cached ?? remember(this.#definitions, name, this.#compiler.compile(payload))
  }
}

function remember(cache: Map<string, CompiledTable>, name: string, table: CompiledTable): CompiledTable {
  cache.set(name, table)
  if (cache.size > COMPILED_TABLES_MAX) {
    const oldest = cache.keys().next()
    if (oldest.done !== true) cache.delete(oldest.value)
  }
  return table
}

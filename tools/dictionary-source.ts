/**
 * The tables of a store that no server has open. Opening takes the store's lock, so nothing can change underneath.
 */
import { ReplogError, isReplogError } from '../core/errors.js'
import { systemClock } from '../core/clock.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../core/limits.js'
import { Dictionary, type ReadKey } from '../ddl/dictionary.js'
import { catalogIdentifier } from '../ddl/identifiers.js'
import { type ReferencedTables, referencedTablesIn } from '../ddl/referenced-table.js'
import { type TableDefinition, definitionOf } from '../ddl/table-definition.js'
import { decodeTableMessage } from '../log/codec/definition-codec.js'
import type { TableMessage } from '../log/codec/message.js'
import { schemaNameOf } from '../log/dictionary-listing.js'
import { openDataDirectory } from '../store/data-directory.js'
import { catalogTablesPrefix, keyAfter, prefixRange, tableVersionKey } from '../store/keys.js'
import { Store } from '../store/store.js'
import type { TableArgument } from './table-argument.js'

/** @throws ReplogError LOCKED with the advice to ask the server instead; what opening throws */
export async function openStoreToRead(path: string): Promise<Store> {
  try {
    const { engine } = await openDataDirectory(path, { createIfMissing: false })
    return new Store({ engine, clock: systemClock, path })
  } catch (error) {
    if (!isReplogError(error, 'LOCKED')) throw error
    throw new ReplogError('LOCKED', `a server has ${path} open; ask it instead, with --from URL, or stop it first`, {
      cause: error,
    })
  }
}

/**
 * Shows a table, or an older version of it, and the tables that it refers to, while the store is open.
 * @param version the newest when left out
 * @throws ReplogError NOT_FOUND
 */
export async function showTableInStore(
  path: string,
  { catalog, schema, table, name }: TableArgument,
  version: number | undefined,
  show: (message: TableMessage, schema: string, tableOf: ReferencedTables) => string,
): Promise<string> {
  const store = await openStoreToRead(path)
  try {
    const read: ReadKey = (key) => store.get(key)
    const dictionary = new Dictionary()
    const newest = dictionary.table(read, { catalog: catalogIdentifier(catalog), schema, table }).message
    if (version === undefined) return show(newest, schema, referencedTablesIn(dictionary, read))
    const bytes = version > newest.version ? undefined : store.get(tableVersionKey(newest.id, version))
    if (bytes === undefined) {
      throw new ReplogError('NOT_FOUND', `table ${name} has no version ${version}; its newest is ${newest.version}`)
    }
    const message = decodeTableMessage(bytes)
    return show(message, schemaNameOf(message, dictionary, read), referencedTablesIn(dictionary, read))
  } finally {
    await store.close()
  }
}

/**
 * The definitions of tables of a catalog; of all of them where none is named.
 * @throws ReplogError NOT_FOUND
 */
export async function definitionsInStore(
  path: string,
  catalog: string,
  tables: readonly TableArgument[],
): Promise<TableDefinition[]> {
  const store = await openStoreToRead(path)
  try {
    const read: ReadKey = (key) => store.get(key)
    const dictionary = new Dictionary()
    const name = catalogIdentifier(catalog)
    const messages =
      tables.length > 0
        ? tables.map(({ schema, table }) => dictionary.table(read, { catalog: name, schema, table }).message)
        : await allTables(store, dictionary.catalog(read, name).id)
    const tableOf = referencedTablesIn(dictionary, read)
    return messages.map((message) => definitionOf(message, schemaNameOf(message, dictionary, read), tableOf))
  } finally {
    await store.close()
  }
}

async function allTables(store: Store, catalogId: number): Promise<TableMessage[]> {
  const messages: TableMessage[] = []
  const range = prefixRange(catalogTablesPrefix(catalogId))
  let { from } = range
  for (;;) {
    const { entries, exhausted } = await store.page(
      { from, to: range.to },
      { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
    )
    for (const { value } of entries) messages.push(decodeTableMessage(value))
    if (exhausted) return messages
    from = keyAfter(entries.at(-1)!.key)
  }
}

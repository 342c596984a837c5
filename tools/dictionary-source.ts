/**
 * The tables of a store that no server has open. Opening takes the store's lock, so nothing can change underneath.
 */
import { ReplogError, isReplogError } from '../core/errors.js'
import { systemClock } from '../core/clock.js'
import { Dictionary, type ReadKey } from '../ddl/dictionary.js'
import { catalogIdentifier } from '../ddl/identifiers.js'
import { type ReferencedTables, referencedTablesIn } from '../ddl/referenced-table.js'
import type { TableMessage } from '../log/codec/message.js'
import { openDataDirectory } from '../store/data-directory.js'
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

/** Shows a table, and the tables that it refers to, while the store is open. */
export async function showTableInStore(
  path: string,
  { catalog, schema, table }: TableArgument,
  show: (message: TableMessage, tableOf: ReferencedTables) => string,
): Promise<string> {
  const store = await openStoreToRead(path)
  try {
    const read: ReadKey = (key) => store.get(key)
    const dictionary = new Dictionary()
    const { message } = dictionary.table(read, { catalog: catalogIdentifier(catalog), schema, table })
    return show(message, referencedTablesIn(dictionary, read))
  } finally {
    await store.close()
  }
}

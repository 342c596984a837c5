/** All definitions of tables in a store, catalog by catalog, page by page: what a scrub, a verify and a marker go through. */
import { isReplogError } from '../../core/errors.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import { catalogPrefix, keyAfter, prefixRange, schemaKindPrefix, tableKindPrefix } from '../../store/keys.js'
import { unseal } from '../../store/seal.js'
import type { Store } from '../../store/store.js'
import { decodeCatalogMessage, decodeSchemaMessage, decodeTableMessage } from '../codec/definition-codec.js'
import type { TableMessage } from '../codec/message.js'
import type { NamedStorage } from './flaw.js'

/**
 * The encoded table messages as they are stored.
 * @param onDamaged told of keys whose value is damaged; without it they are passed over
 * @throws ReplogError CORRUPT when a page cannot be read; CLOSED
 */
export function everyTable(store: Store, onDamaged?: (key: Buffer) => void): AsyncGenerator<Buffer> {
  return everyValue(store, tableKindPrefix(), onDamaged)
}

export interface NamedTable {
  readonly message: TableMessage
  readonly name: NamedStorage
}

/** All tables with their names; a schema or catalog whose definition is damaged is told by its id. */
export async function namedTables(store: Store): Promise<NamedTable[]> {
  const catalogs = new Map<number, string>()
  for await (const payload of everyValue(store, catalogPrefix())) {
    const { id, name } = decodeCatalogMessage(payload)
    catalogs.set(id, name)
  }
  const schemas = new Map<number, string>()
  for await (const payload of everyValue(store, schemaKindPrefix())) {
    const { id, name } = decodeSchemaMessage(payload)
    schemas.set(id, name)
  }
  const tables: NamedTable[] = []
  for await (const payload of everyTable(store)) {
    const message = decodeTableMessage(payload)
    const { catalogId, schemaId, name, storageId } = message
    // A catalog that was dropped takes its tables along, when its job comes to them.
    if (!catalogs.has(catalogId)) continue
    const schema = schemas.get(schemaId) ?? `schema ${schemaId}`
    tables.push({ message, name: { catalog: catalogs.get(catalogId)!, table: `${schema}.${name}`, storageId } })
  }
  return tables
}

async function* everyValue(store: Store, prefix: Buffer, onDamaged?: (key: Buffer) => void): AsyncGenerator<Buffer> {
  const { from, to } = prefixRange(prefix)
  for (let next: Uint8Array = from; ;) {
    const page = await store.sealedPage(
      { from: next, to },
      { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
    )
    for (const { key, value } of page.entries) {
      let payload: Buffer
      try {
        payload = unseal(key, value)
      } catch (error) {
        if (!isReplogError(error, 'CORRUPT')) throw error
        onDamaged?.(key)
        continue
      }
      yield payload
    }
    if (page.exhausted) return
    next = keyAfter(page.entries.at(-1)!.key)
  }
}

/**
 * What a catalog holds: tables, rows and the bytes of row keys and images, for limits and listings.
 *
 *   catalog-stats := tables(f64 BE) rows(f64 BE) bytes(f64 BE)        integers, under the key 'C' catalog-id
 *
 * Invariant: a fold of the log, like the statistics of tables; index entries are not counted.
 */
import { ReplogError } from '../core/errors.js'
import type { DefinitionStatement } from './codec/message.js'
import type { TableStats } from './table-stats.js'

const CATALOG_STATS_BYTES = 24

/** The storage that belongs to no table any more after the statement, with all that is in it. */
export function abandonedStorage(definition: DefinitionStatement): number | undefined {
  switch (definition.kind) {
    case 'dropTable':
      return definition.before.storageId
    case 'alterTable':
    case 'truncateTable':
      return definition.before.storageId === definition.after.storageId ? undefined : definition.before.storageId
    case 'createTable':
    case 'renameTables':
    case 'createIndex':
    case 'dropIndex':
    case 'createSchema':
    case 'alterSchema':
    case 'dropSchema':
    case 'createCatalog':
    case 'alterCatalog':
    case 'dropCatalog':
    case 'newEpoch':
      return undefined
  }
}

export class CatalogStats {
  tables = 0
  rows = 0
  bytes = 0

  /** A row key changes from one image to another; undefined is no row. */
  countRow(key: Uint8Array, before: Uint8Array | undefined, after: Uint8Array | undefined): void {
    if (before !== undefined) {
      this.rows--
      this.bytes -= key.length + before.length
    }
    if (after !== undefined) {
      this.rows++
      this.bytes += key.length + after.length
    }
  }

  /** After the rows of the same transaction were counted: a table comes, or goes with all that it has. */
  countDefinition(definition: DefinitionStatement, statsOf: (storageId: number) => TableStats): void {
    if (definition.kind === 'createTable') this.tables++
    else if (definition.kind === 'dropTable') this.tables--
    const storageId = abandonedStorage(definition)
    if (storageId === undefined) return
    const { rows, bytes } = statsOf(storageId)
    this.rows -= rows
    this.bytes -= bytes
  }

  encode(): Buffer {
    const payload = Buffer.allocUnsafe(CATALOG_STATS_BYTES)
    payload.writeDoubleBE(this.tables, 0)
    payload.writeDoubleBE(this.rows, 8)
    payload.writeDoubleBE(this.bytes, 16)
    return payload
  }

  static decode(payload: Buffer): CatalogStats {
    if (payload.length !== CATALOG_STATS_BYTES) {
      throw new ReplogError(
        'CORRUPT',
        'the statistics of a catalog have a wrong length; restore this server from a peer',
      )
    }
    const stats = new CatalogStats()
    stats.tables = payload.readDoubleBE(0)
    stats.rows = payload.readDoubleBE(8)
    stats.bytes = payload.readDoubleBE(16)
    return stats
  }
}

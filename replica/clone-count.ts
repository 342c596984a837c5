/**
 * Makes what follows from the rows of a copy, once its pages and the log on top of them are there, and holds it against
 * what the source counted at the same position.
 *
 *   dictionary ──> which storages belong to a table ──> one scan over all rows: entries of indexes, count, digest
 *                                                            │
 *                        statistics of the source at E <──> equal, or CORRUPT
 *
 * Index entries are made here and not copied, because they follow from the rows; so half the bytes stay off the wire, and
 * there is no second thing that could disagree. An index that is being built gets a job that begins anew. What the source
 * was about to purge is not in the copy.
 *
 * Invariants:
 * - a copy whose rows differ from the statistics of the source does not appear; (G8)
 * - nothing here depends on what an earlier attempt has done: a crash leaves it to be done once more.
 */
import { ReplogError } from '../core/errors.js'
import { SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../core/limits.js'
import type { CompiledTable } from '../ddl/compiled-table.js'
import { Dictionary } from '../ddl/dictionary.js'
import { BUILD_JOB, encodeBuildJob, firstBuildStep } from '../log/build-job.js'
import { CatalogStats } from '../log/catalog-stats.js'
import { decodeCatalogMessage, decodeSchemaMessage, decodeTableMessage } from '../log/codec/definition-codec.js'
import type { TableMessage } from '../log/codec/message.js'
import { indexJobId } from '../log/purge-job.js'
import { TableStats } from '../log/table-stats.js'
import type { Entry } from '../store/engine.js'
import {
  CATALOG_STATS_PREFIX,
  IDEMPOTENCY_PREFIX,
  ROW_PREFIX,
  STATS_PREFIX,
  catalogPrefix,
  catalogStatsKey,
  catalogTablesPrefix,
  jobKey,
  parseRowKey,
  prefixRange,
  schemaPlaceKey,
  schemaPrefix,
  statsKey,
  tableKey,
  tablePlaceKey,
  tableVersionPrefix,
} from '../store/keys.js'
import type { Store } from '../store/store.js'
import { WriteSet } from '../store/write-set.js'
import type { CloneBatches } from './clone-batches.js'
import type { CloneProgress } from './clone-source.js'

/** What a storage of a table holds, as this scan counts it. */
interface LiveStorage {
  /** Under which the definition of its table is. */
  readonly tableKey: Buffer
  readonly catalogId: number
  readonly counted: TableStats
}

export class CopyCounter {
  readonly #batches: CloneBatches
  readonly #onProgress: (progress: CloneProgress) => void
  readonly #dictionary = new Dictionary()
  readonly #catalogs = new Map<number, CatalogStats>()
  readonly #storages = new Map<number, LiveStorage>()
  #writes = new WriteSet()
  #rows = 0
  #rowsTotal = 0

  constructor(batches: CloneBatches, onProgress: (progress: CloneProgress) => void) {
    this.#batches = batches
    this.#onProgress = onProgress
  }

  /** @throws ReplogError CORRUPT when the copy is not what the source counted */
  async run(): Promise<void> {
    await this.#readDictionary()
    await this.#dropExpired()
    await this.#countStatistics()
    await this.#countRows()
    await this.#compareTables()
    await this.#compareCatalogs()
    await this.#flush()
    await this.#batches.settle()
  }

  async #readDictionary(): Promise<void> {
    for await (const { value } of this.#entries(catalogPrefix())) {
      this.#catalogs.set(decodeCatalogMessage(value).id, new CatalogStats())
    }
    for await (const { key, value } of this.#entries(schemaPrefix(0).subarray(0, 2))) {
      if (!this.#catalogs.has(decodeSchemaMessage(value).catalogId)) this.#writes.delete(key)
    }
    for await (const { key, value } of this.#entries(catalogTablesPrefix(0).subarray(0, 2))) {
      const message = decodeTableMessage(value)
      const catalog = this.#catalogs.get(message.catalogId)
      if (catalog === undefined) {
        this.#writes.delete(key)
        continue
      }
      catalog.tables++
      await this.#addTable(message)
    }
    // A place may be here whose definition was purged before its page was read: it names the catalog all the same.
    for (const prefix of [tablePlaceKey(0).subarray(0, 2), schemaPlaceKey(0).subarray(0, 2)]) {
      for await (const { key, value } of this.#entries(prefix)) {
        if (!this.#catalogs.has(catalogOfDefinition(value))) this.#writes.delete(key)
        await this.#flushIfFull()
      }
    }
  }

  async #addTable(message: TableMessage): Promise<void> {
    const { id, catalogId, schemaId, name, storageId, indexes } = message
    this.#storages.set(storageId, {
      tableKey: tableKey(catalogId, schemaId, name),
      catalogId,
      counted: new TableStats(),
    })
    for (const index of indexes) {
      if (!index.building) continue
      const version = await this.#beginningOf(message, index.id)
      const job = { tableId: id, version, ...firstBuildStep }
      this.#writes.put(jobKey(BUILD_JOB, indexJobId(storageId, index.id)), encodeBuildJob(job))
    }
  }

  /** The version of a table with which an index of it began to be built. */
  async #beginningOf({ id, storageId, version }: TableMessage, indexId: number): Promise<number> {
    let first = version
    for await (const { value } of this.#entries(tableVersionPrefix(id))) {
      const earlier = decodeTableMessage(value)
      const hasIt = earlier.storageId === storageId && earlier.indexes.some((index) => index.id === indexId)
      if (hasIt && earlier.version < first) first = earlier.version
    }
    return first
  }

  /** Outcomes of catalogs that are gone. */
  async #dropExpired(): Promise<void> {
    for await (const { key } of this.#entries(Buffer.of(IDEMPOTENCY_PREFIX))) {
      if (!this.#catalogs.has(key.readUInt32BE(1))) this.#writes.delete(key)
      await this.#flushIfFull()
    }
  }

  /** How many rows there should be, and what was counted for storages that are gone. */
  async #countStatistics(): Promise<void> {
    for await (const { key, value } of this.#entries(Buffer.of(STATS_PREFIX))) {
      if (this.#storages.has(key.readUInt32BE(1))) this.#rowsTotal += TableStats.decode(value).rows
      else this.#writes.delete(key)
    }
    for await (const { key } of this.#entries(Buffer.of(CATALOG_STATS_PREFIX))) {
      if (!this.#catalogs.has(key.readUInt32BE(1))) this.#writes.delete(key)
    }
  }

  async #countRows(): Promise<void> {
    let storageId = -1
    let storage: LiveStorage | undefined
    let table: CompiledTable | undefined
    for await (const { key, value } of this.#entries(Buffer.of(ROW_PREFIX))) {
      const owner = parseRowKey(key).storageId
      if (owner !== storageId) {
        storageId = owner
        storage = this.#storages.get(owner)
        table = storage && this.#tableOf(storage)
      }
      if (storage === undefined || table === undefined) {
        this.#writes.delete(key)
      } else {
        storage.counted.count(key, value, 1)
        if (table.indexes.length > 0) this.#putEntries(table, key, value)
        if (++this.#rows % SCAN_PAGE_ROWS_MAX === 0) {
          this.#onProgress({ phase: 'counting', done: this.#rows, total: Math.max(this.#rows, this.#rowsTotal) })
        }
      }
      await this.#flushIfFull()
    }
  }

  #tableOf({ tableKey: key }: LiveStorage): CompiledTable | undefined {
    const payload = this.#batches.store.get(key)
    return payload === undefined ? undefined : this.#dictionary.compile(payload)
  }

  #putEntries(table: CompiledTable, rowKey: Buffer, value: Buffer): void {
    const row = table.rows.decode(value)
    for (const index of table.indexes) {
      const { building, unique } = index.message
      // Whose entry it is where rows meet in a unique one, and whether each row has one at all, is found by the build.
      if (building && (unique || !table.hasIndexKey(index, row, rowKey))) continue
      this.#writes.put(table.indexKey(index, row, rowKey), table.indexPayload(index, row, rowKey))
    }
  }

  async #compareTables(): Promise<void> {
    for (const [storageId, { counted, catalogId, tableKey: key }] of this.#storages) {
      const stored = this.#batches.store.get(statsKey(storageId))
      const told = stored === undefined ? new TableStats() : TableStats.decode(stored)
      if (told.rows !== counted.rows || told.digest !== counted.digest || told.bytes !== counted.bytes) {
        const table = this.#batches.store.get(key)
        const name = table === undefined ? `storage ${storageId}` : decodeTableMessage(table).name
        throw unequal(
          `table ${JSON.stringify(name)} has ${counted.rows} rows with digest ${counted.digest}, on the source ` +
            `${told.rows} with ${told.digest}`,
        )
      }
      const catalog = this.#catalogs.get(catalogId)!
      catalog.rows += counted.rows
      catalog.bytes += counted.bytes
    }
  }

  async #compareCatalogs(): Promise<void> {
    for (const [id, { tables, rows, bytes }] of this.#catalogs) {
      const stored = this.#batches.store.get(catalogStatsKey(id))
      const told = stored === undefined ? new CatalogStats() : CatalogStats.decode(stored)
      if (told.tables === tables && told.rows === rows && told.bytes === bytes) continue
      throw unequal(
        `catalog ${id} has ${tables} tables with ${rows} rows, on the source ${told.tables} with ${told.rows}`,
      )
    }
  }

  #entries(prefix: Uint8Array): AsyncGenerator<Entry> {
    return entriesOf(this.#batches.store, prefix)
  }

  async #flushIfFull(): Promise<void> {
    if (this.#writes.length < SCAN_PAGE_ROWS_MAX) return
    this.#batches.group.add(this.#writes)
    this.#writes = new WriteSet()
    if (this.#batches.isFull) await this.#batches.write(new WriteSet())
  }

  async #flush(): Promise<void> {
    if (!this.#writes.isEmpty || !this.#batches.isEmpty) await this.#batches.write(this.#writes)
    this.#writes = new WriteSet()
  }
}

/** Keys of schemas and of tables begin alike. */
function catalogOfDefinition(key: Buffer): number {
  return key.readUInt32BE(2)
}

/** Rows of all catalogs, as they were counted. */
export async function rowsOf(store: Store): Promise<number> {
  let rows = 0
  for await (const { value } of entriesOf(store, Buffer.of(CATALOG_STATS_PREFIX)))
    rows += CatalogStats.decode(value).rows
  return rows
}

async function* entriesOf(store: Store, prefix: Uint8Array): AsyncGenerator<Entry> {
  const { from, to } = prefixRange(prefix)
  for (let next = from; ;) {
    const page = await store.page(
      { from: next, to },
      { entriesMax: SCAN_PAGE_ROWS_MAX, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
    )
    yield* page.entries
    if (page.exhausted) return
    next = Buffer.concat([page.entries.at(-1)!.key, Buffer.of(0)])
  }
}

function unequal(what: string): ReplogError {
  return new ReplogError(
    'CORRUPT',
    `the copy is not what the source holds: ${what}. Clone again, and verify the source`,
  )
}

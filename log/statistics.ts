/**
 * Statistics of tables (by storage id) and catalogs: counters that are a fold of the log, kept in memory as of the newest transaction,
 * written once per group, and shown to readers as of the durable one.
 *
 * Invariants:
 * - newest: what the statistics are after the transaction at the head; for the lane and the applier;
 * - durable: what the last durable group wrote; readers see nothing else. Once something was loaded, the store is not
 *   asked again, because it may be ahead of what is acknowledged; (G2)
 * - what may throw (reading the store) is in `load`, before anything is changed;
 * - what an open or in-flight group changed is held; of the rest as many as the bound allows, the others are read again.
 */
import type { Store } from '../store/store.js'
import { ROW_PREFIX, catalogStatsKey, statsKey } from '../store/keys.js'
import type { WriteSet } from '../store/write-set.js'
import type { Effects } from './effects.js'
import { CatalogStats, abandonedStorage } from './catalog-stats.js'
import { TableStats } from './table-stats.js'

/** So many tables, and so many catalogs, are kept in memory beside those that a group holds. */
const REMEMBERED_STATISTICS_MAX = 10_000
const EVICTED_AT_ONCE = 1000

/** What one group changed: written with its batch, shown when that is durable. */
export class ChangedStatistics {
  /** Of storages: a table whose rows are replaced at once begins to count anew. */
  readonly storageIds = new Set<number>()
  readonly catalogIds = new Set<number>()
  /** As the batch holds them. */
  readonly tables = new Map<number, Buffer>()
  readonly catalogs = new Map<number, Buffer>()
}

/** Whoever adds up the rows of a storage while they change. */
export interface RowWatcher {
  readonly storageId: number
  /** A row key gets another image, in commit order; undefined is no row. */
  changed(key: Buffer, before: Buffer | undefined, after: Buffer | undefined): void
}

export class Statistics {
  /** Undefined while nobody scans, so that counting costs nothing more. */
  watcher: RowWatcher | undefined
  readonly #store: Store
  readonly #tables = new Map<number, TableStats>()
  readonly #catalogs = new Map<number, CatalogStats>()
  /** Encoded, of those that were loaded; undefined where the store had none. */
  readonly #durableTables = new Map<number, Buffer | undefined>()
  readonly #durableCatalogs = new Map<number, Buffer | undefined>()
  /** How many groups that are not durable yet changed them. */
  readonly #tableHolds = new Map<number, number>()
  readonly #catalogHolds = new Map<number, number>()
  /** Highest AUTO_INCREMENT values handed out, committed or not, so that two open transactions get two. */
  readonly #autoIncrements = new Map<number, bigint>()
  readonly #publishedListeners = new Set<(changed: ChangedStatistics) => void>()

  constructor(store: Store) {
    this.#store = store
  }

  /** Newest. */
  table(storageId: number): TableStats {
    let stats = this.#tables.get(storageId)
    if (stats === undefined) {
      const payload = this.#store.get(statsKey(storageId))
      stats = payload === undefined ? new TableStats() : TableStats.decode(payload)
      this.#durableTables.set(storageId, payload)
      this.#tables.set(storageId, stats)
    }
    return stats
  }

  durableTable(storageId: number): TableStats {
    const payload = this.#durableTables.has(storageId)
      ? this.#durableTables.get(storageId)
      : this.#store.get(statsKey(storageId))
    return payload === undefined ? new TableStats() : TableStats.decode(payload)
  }

  /** Newest. */
  catalog(catalogId: number): CatalogStats {
    let stats = this.#catalogs.get(catalogId)
    if (stats === undefined) {
      const payload = this.#store.get(catalogStatsKey(catalogId))
      stats = payload === undefined ? new CatalogStats() : CatalogStats.decode(payload)
      this.#durableCatalogs.set(catalogId, payload)
      this.#catalogs.set(catalogId, stats)
    }
    return stats
  }

  durableCatalog(catalogId: number): CatalogStats {
    const payload = this.#durableCatalogs.has(catalogId)
      ? this.#durableCatalogs.get(catalogId)
      : this.#store.get(catalogStatsKey(catalogId))
    return payload === undefined ? new CatalogStats() : CatalogStats.decode(payload)
  }

  /**
   * The next AUTO_INCREMENT value of a table. Those of committed transactions never come again; those of rolled-back ones
   * are lost, or in rare cases given once more. (G6)
   * @param above a value that the user chose in the same transaction: it is stepped over here, and by others only once it
   * is committed
   */
  nextAutoIncrement(storageId: number, above: bigint): bigint {
    const committed = this.table(storageId).autoIncrement
    const allocated = this.#autoIncrements.get(storageId) ?? 0n
    const highest = allocated > committed ? allocated : committed
    if (above > highest) return above + 1n
    this.#autoIncrements.set(storageId, highest + 1n)
    return highest + 1n
  }

  /** The highest AUTO_INCREMENT value handed out, committed or not. */
  highestAutoIncrement(storageId: number): bigint {
    const committed = this.table(storageId).autoIncrement
    const allocated = this.#autoIncrements.get(storageId) ?? 0n
    return allocated > committed ? allocated : committed
  }

  /** Reads everything that `count` will need. @throws ReplogError CORRUPT, CLOSED */
  load(effects: Effects, catalogId: number): void {
    this.catalog(catalogId)
    let storageId = -1
    for (const key of effects.writes.keys) {
      if (key[0] !== ROW_PREFIX) continue
      const id = key.readUInt32BE(1)
      if (id !== storageId) this.table(id)
      storageId = id
    }
    for (const definition of effects.definitions ?? []) {
      const storageId = abandonedStorage(definition)
      if (storageId !== undefined) this.table(storageId)
    }
    for (const id of effects.autoIncrement?.keys() ?? []) this.table(id)
  }

  /** Moves the newest statistics by a transaction; rows first, then the tables that come and go. */
  count(effects: Effects, catalogId: number, changed: ChangedStatistics): void {
    const catalog = this.catalog(catalogId)
    const { keys, befores, afters } = effects.writes
    const { watcher } = this
    let storageId = -1
    let table: TableStats | undefined
    for (let ordinal = 0; ordinal < keys.length; ordinal++) {
      const key = keys[ordinal]!
      if (key[0] !== ROW_PREFIX) continue
      const id = key.readUInt32BE(1)
      if (table === undefined || id !== storageId) {
        storageId = id
        table = this.table(id)
        hold(changed.storageIds, this.#tableHolds, id)
      }
      const before = befores[ordinal]
      const after = afters[ordinal]
      catalog.countRow(key, before, after)
      if (before !== undefined) table.count(key, before, -1)
      if (after !== undefined) table.count(key, after, 1)
      if (watcher !== undefined && watcher.storageId === id) watcher.changed(key, before, after)
    }
    for (const [id, value] of effects.autoIncrement ?? []) {
      this.table(id).noteAutoIncrement(value)
      hold(changed.storageIds, this.#tableHolds, id)
    }
    for (const definition of effects.definitions ?? []) {
      catalog.countDefinition(definition, (id) => this.table(id))
    }
    if (effects.definitions !== undefined || keys.length > 0) hold(changed.catalogIds, this.#catalogHolds, catalogId)
  }

  /** Adds what a group changed to its batch. */
  write(changed: ChangedStatistics, writes: WriteSet): void {
    for (const id of changed.storageIds) {
      const payload = this.table(id).encode()
      writes.put(statsKey(id), payload)
      changed.tables.set(id, payload)
    }
    for (const id of changed.catalogIds) {
      const payload = this.catalog(id).encode()
      writes.put(catalogStatsKey(id), payload)
      changed.catalogs.set(id, payload)
    }
  }

  /** Called with what a group changed, when it is durable. */
  hear(listener: (changed: ChangedStatistics) => void): () => void {
    this.#publishedListeners.add(listener)
    return () => this.#publishedListeners.delete(listener)
  }

  /** The group is durable: readers see what it wrote. */
  publish(changed: ChangedStatistics): void {
    for (const listener of this.#publishedListeners) listener(changed)
    for (const [id, payload] of changed.tables) this.#durableTables.set(id, payload)
    for (const [id, payload] of changed.catalogs) this.#durableCatalogs.set(id, payload)
    for (const id of changed.storageIds) giveUp(this.#tableHolds, id)
    for (const id of changed.catalogIds) giveUp(this.#catalogHolds, id)
    evict(this.#tables, this.#durableTables, this.#tableHolds)
    if (this.#autoIncrements.size > REMEMBERED_STATISTICS_MAX) this.#autoIncrements.clear()
    evict(this.#catalogs, this.#durableCatalogs, this.#catalogHolds)
  }

  /** Of a purged table. */
  forgetTable(storageId: number): void {
    this.#tables.delete(storageId)
    this.#durableTables.delete(storageId)
    this.#autoIncrements.delete(storageId)
  }

  /** Of a purged catalog. */
  forgetCatalog(catalogId: number): void {
    this.#catalogs.delete(catalogId)
    this.#durableCatalogs.delete(catalogId)
  }
}

/** A group changed something; noted once for each group. */
function hold(changed: Set<number>, holds: Map<number, number>, id: number): void {
  if (changed.has(id)) return
  changed.add(id)
  holds.set(id, (holds.get(id) ?? 0) + 1)
}

function giveUp(holds: Map<number, number>, id: number): void {
  const left = holds.get(id)! - 1
  if (left === 0) holds.delete(id)
  else holds.set(id, left)
}

/** Forgets the oldest that no group holds: the store has what they are. */
function evict(
  newest: Map<number, unknown>,
  durable: Map<number, Buffer | undefined>,
  holds: ReadonlyMap<number, number>,
): void {
  if (newest.size <= REMEMBERED_STATISTICS_MAX) return
  for (const id of newest.keys()) {
    if (newest.size <= REMEMBERED_STATISTICS_MAX - EVICTED_AT_ONCE) return
    if (holds.has(id)) continue
    newest.delete(id)
    durable.delete(id)
  }
}

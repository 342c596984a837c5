/**
 * Makes a filtered replica of one that holds everything, such as a copy: what the filter does not name is given up.
 *
 * Invariant: one batch says what is held, takes the rest out of the counters, and leaves a purge job for its keys. A crash
 * leaves a replica that holds everything, or a filtered one. (G6)
 */
import { catalogStatsKey, jobKey, statsKey } from '../store/keys.js'
import { WriteSet } from '../store/write-set.js'
import type { CatalogStats } from './catalog-stats.js'
import { decodeTableMessage } from './codec/definition-codec.js'
import { PURGE_JOB, encodePurgeJob } from './purge-job.js'
import type { ReplicatedState } from './replicated-state.js'
import { TableFilter } from './table-filter.js'
import { everyTable } from './verify/every-table.js'

/**
 * Before anything is read or applied. A state without data is only noted to be filtered.
 * @throws ReplogError INVALID_ARGUMENT, CORRUPT
 */
export async function narrowToFilter(state: ReplicatedState, only: readonly string[]): Promise<TableFilter> {
  const { statistics, dictionary, readDurable } = state
  const filter = TableFilter.of(only)
  const writes = new WriteSet()
  const catalogs = new Map<number, CatalogStats>()
  for await (const payload of everyTable(state.store)) {
    const table = decodeTableMessage(payload)
    if (filter.noteExisting(table, dictionary, readDurable)) continue
    const { id: tableId, catalogId, storageId, indexes } = table
    const { rows, bytes } = statistics.durableTable(storageId)
    const catalog = catalogs.get(catalogId) ?? statistics.durableCatalog(catalogId)
    catalog.rows -= rows
    catalog.bytes -= bytes
    catalogs.set(catalogId, catalog)
    const job = encodePurgeJob({ tableId, indexIds: indexes.map(({ id }) => id) })
    writes.put(jobKey(PURGE_JOB, BigInt(storageId)), job)
    writes.delete(statsKey(storageId))
  }
  for (const [catalogId, stats] of catalogs) writes.put(catalogStatsKey(catalogId), stats.encode())
  filter.write(writes)
  await state.appendLocal(writes)
  return filter
}

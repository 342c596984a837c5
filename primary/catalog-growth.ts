/**
 * What a catalog would hold with a transaction that is about to get its place in the log, for the limits on tables and
 * stored bytes.
 *
 * Invariant: the same numbers as `CatalogStats` has once the transaction is in the log, because the lane runs this on
 * the newest state and nothing comes in between.
 */
import { abandonedStorage } from '../log/catalog-stats.js'
import type { Effects } from '../log/effects.js'
import type { ReplicatedState } from '../log/replicated-state.js'
import { ROW_PREFIX } from '../store/keys.js'

export interface CatalogSize {
  readonly tables: number
  /** Keys and images of rows. */
  readonly bytes: number
}

/** The size of a catalog with these effects. */
export function sizeWith(state: ReplicatedState, catalogId: number, effects: Effects): CatalogSize {
  let { tables, bytes } = state.statistics.catalog(catalogId)
  const dropped = new Set<number>()
  for (const definition of effects.definitions ?? []) {
    if (definition.kind === 'createTable') tables++
    else if (definition.kind === 'dropTable') tables--
    const storageId = abandonedStorage(definition)
    if (storageId === undefined) continue
    bytes -= state.statistics.table(storageId).bytes
    dropped.add(storageId)
  }
  const { keys, befores, afters } = effects.writes
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at]!
    // What the transaction itself did to the rows of a storage that it gives up goes with the storage.
    if (key[0] !== ROW_PREFIX || (dropped.size > 0 && dropped.has(key.readUInt32BE(1)))) continue
    const before = befores[at]
    const after = afters[at]
    if (before !== undefined) bytes -= key.length + before.length
    if (after !== undefined) bytes += key.length + after.length
  }
  return { tables, bytes }
}

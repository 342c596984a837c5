/**
 * What may be in a store of what the log made: all of it, but for what no table or catalog has any more. That may be gone,
 * in part while its purge job is there, and must be gone without it. (G6)
 */
import { PURGE_CATALOG_JOB, PURGE_INDEX_JOB, PURGE_JOB, indexJobId } from '../../log/purge-job.js'
import {
  IDEMPOTENCY_PREFIX,
  INDEX_PREFIX,
  ROW_PREFIX,
  jobKey,
  keyText,
  parseIndexKey,
  parseRowKey,
} from '../../store/keys.js'
import type { Fold } from './fold.js'
import type { Image } from './store-contents.js'

/**
 * `live`: as the log made it. `building`: with entries that the log does not know. `purging`: partly gone.
 * `purged`: nothing may be left.
 */
export type KeyState = 'live' | 'building' | 'purging' | 'purged'

export class Expectations {
  readonly #fold: Fold
  readonly #jobs: Image

  constructor(fold: Fold, jobs: Image) {
    this.#fold = fold
    this.#jobs = jobs
  }

  ofKey(key: Buffer): KeyState {
    if (key[0] === ROW_PREFIX) return this.ofStorage(parseRowKey(key).storageId)
    if (key[0] === INDEX_PREFIX) {
      const { storageId, indexId } = parseIndexKey(key)
      return this.ofIndex(storageId, indexId)
    }
    const catalogId = catalogOf(key, this.#fold)
    return catalogId === undefined ? 'live' : this.ofCatalog(catalogId)
  }

  ofStorage(storageId: number): KeyState {
    const storage = this.#fold.storages.get(storageId)
    if (storage === undefined) return 'purged'
    if (storage.abandoned === 'no') return 'live'
    if (storage.abandoned === 'with its catalog') {
      const state = this.ofCatalog(storage.table.message.catalogId)
      if (state === 'purging') return state
    }
    return this.#has(PURGE_JOB, BigInt(storageId)) ? 'purging' : 'purged'
  }

  ofIndex(storageId: number, indexId: number): KeyState {
    if (this.#fold.droppedIndexes.has(`${storageId}.${indexId}`)) {
      return this.#has(PURGE_INDEX_JOB, indexJobId(storageId, indexId)) ? 'purging' : 'purged'
    }
    const state = this.ofStorage(storageId)
    return state === 'live' && this.#fold.building.has(`${storageId}.${indexId}`) ? 'building' : state
  }

  ofCatalog(catalogId: number): KeyState {
    if (!this.#fold.droppedCatalogs.has(catalogId)) return 'live'
    return this.#has(PURGE_CATALOG_JOB, BigInt(catalogId)) ? 'purging' : 'purged'
  }

  #has(kind: string, id: bigint): boolean {
    return this.#jobs.has(keyText(jobKey(kind, id)))
  }
}

/** The catalog with whose purge a key goes: of a schema, a table's name, the place of either, an outcome. */
export function catalogOf(key: Buffer, { catalogOfTable, catalogOfSchema }: Fold): number | undefined {
  if (key[0] === IDEMPOTENCY_PREFIX) return key.readUInt32BE(1)
  switch (String.fromCharCode(key[1]!)) {
    case 's':
    case 't':
      return key.readUInt32BE(2)
    case 'i':
      return catalogOfTable.get(key.readUInt32BE(2))
    case 'j':
      return catalogOfSchema.get(key.readUInt32BE(2))
    default:
      return undefined
  }
}

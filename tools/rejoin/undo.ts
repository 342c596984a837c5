/**
 * Undoes the end of a log, newest transaction first, until it ends at the fork.
 *
 *   note ──> storages that the undone transactions made are emptied ──> batches: rows, entries, definitions, outcomes and
 *   statistics as they were before, frames gone, the log's end moved ──> entries of indexes made anew ──> catalogs recounted
 *   ──> role, fence and note in one batch
 *
 * Invariants:
 * - every step is in synced batches and can be begun again: whoever finds the note goes on where the log ends now;
 * - a transaction is undone whole, in one batch with the frames that said it; (G1)
 * - nobody opens the store while the note is there.
 */
import assert from 'node:assert/strict'
import { PURGE_KEYS_PER_BATCH, SCAN_PAGE_BYTES_MAX, SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import { type Lsn, type Position } from '../../core/position.js'
import { Dictionary, type ReadKey } from '../../ddl/dictionary.js'
import { applyDefinition } from '../../log/apply-definition.js'
import { applyRowChange } from '../../log/apply.js'
import { BUILD_JOB, encodeBuildJob, firstBuildStep } from '../../log/build-job.js'
import { CatalogStats } from '../../log/catalog-stats.js'
import { decodeCatalogMessage, decodeTableMessage } from '../../log/codec/definition-codec.js'
import type { Transaction } from '../../log/codec/message.js'
import { Effects } from '../../log/effects.js'
import { FENCE_META } from '../../log/fence.js'
import { fillIndexes } from '../../log/fill-indexes.js'
import { roleWrites } from '../../log/identity.js'
import { LOG_BYTES_META, encodeLogBytes } from '../../log/log-bytes.js'
import { PROMOTION_META } from '../../log/promotion.js'
import { PURGE_CATALOG_JOB, PURGE_INDEX_JOB, PURGE_JOB, indexJobId } from '../../log/purge-job.js'
import { type IndexPlace, REJOIN_META, encodeRejoinNote } from '../../log/rejoin-note.js'
import { TableStats } from '../../log/table-stats.js'
import type { Entry } from '../../store/engine.js'
import {
  INDEX_PREFIX,
  ROW_PREFIX,
  catalogPrefix,
  catalogStatsKey,
  catalogTablesPrefix,
  idempotencyKey,
  indexPrefix,
  jobKey,
  jobPrefix,
  keyText,
  logKey,
  prefixRange,
  rowPrefix,
  statsKey,
} from '../../store/keys.js'
import type { Store } from '../../store/store.js'
import { WriteSet } from '../../store/write-set.js'
import type { UndoPlan } from './plan.js'
import type { StoredLog, StoredTransaction } from './stored-log.js'

/** A batch is written when it has so many bytes; the largest transaction fits one of its own. */
const BATCH_BYTES_TARGET = 4 * 1024 * 1024

export class Undo {
  readonly #store: Store
  readonly #log: StoredLog
  readonly #plan: UndoPlan
  readonly #fork: Position
  readonly #read: ReadKey
  readonly #dictionary = new Dictionary()
  /** Statistics of storages that the open batch changes. */
  readonly #stats = new Map<number, TableStats>()

  constructor(store: Store, log: StoredLog, plan: UndoPlan, fork: Position) {
    this.#store = store
    this.#log = log
    this.#plan = plan
    this.#fork = fork
    this.#read = (key) => store.get(key)
  }

  /** @param indexes of the note of the rejoin, or of the plan when it begins */
  async run(indexes: readonly IndexPlace[], onProgress: (lsn: Lsn) => void): Promise<void> {
    const note = new WriteSet()
    note.put(REJOIN_META, encodeRejoinNote({ fork: this.#fork, indexes }))
    await this.#store.commit([note])
    for (const storageId of this.#plan.born) await this.#empty(storageId)
    await this.#undoAll(onProgress)
    for (const index of indexes) await this.#rebuild(index)
    await this.#recountCatalogs()
    await this.#end()
  }

  async #undoAll(onProgress: (lsn: Lsn) => void): Promise<void> {
    let { lsn } = await this.#log.head()
    let bytes = this.#log.bytes()
    let writes = new WriteSet()
    while (lsn > this.#fork.lsn) {
      const stored = await this.#log.transactionAt(lsn)
      this.#undo(stored, writes)
      for (const frame of stored.frames) bytes -= BigInt(frame.bytes.length)
      lsn = (lsn - 1n) as Lsn
      if (lsn > this.#fork.lsn && writes.bytes < BATCH_BYTES_TARGET) continue
      for (const [storageId, stats] of this.#stats) writes.put(statsKey(storageId), stats.encode())
      writes.put(LOG_BYTES_META, encodeLogBytes(lsn, bytes))
      await this.#store.commit([writes])
      writes = new WriteSet()
      this.#stats.clear()
      onProgress(lsn)
    }
  }

  #undo({ transaction, position, frames }: StoredTransaction, writes: WriteSet): void {
    const effects = this.#effectsOf(transaction)
    const { keys, befores, afters } = effects.writes
    for (let ordinal = keys.length - 1; ordinal >= 0; ordinal--) {
      const key = keys[ordinal]!
      const [before, after] = [befores[ordinal], afters[ordinal]]
      if (this.#isOfBorn(key)) continue
      if (key[0] === ROW_PREFIX) {
        const stats = this.#statsOf(key.readUInt32BE(1))
        if (after !== undefined) stats.count(key, after, -1)
        if (before !== undefined) stats.count(key, before, 1)
      }
      if (before !== undefined) writes.put(key, before)
      // What was deleted without being known is a job of an index that is made anew.
      else if (after !== undefined) writes.delete(key)
    }
    for (const statement of transaction.statements) {
      if (statement.kind !== 'createCatalog') continue
      writes.delete(catalogStatsKey(statement.after.id))
      writes.delete(jobKey(PURGE_CATALOG_JOB, BigInt(statement.after.id)))
    }
    if (transaction.idempotencyKey !== undefined) {
      writes.delete(idempotencyKey(transaction.catalogId, transaction.idempotencyKey))
    }
    for (const { segment } of frames) writes.delete(logKey(position.lsn, segment))
  }

  /** What the transaction wrote, but for entries of indexes that are made anew and rows of storages that are emptied. */
  #effectsOf({ statements }: Transaction): Effects {
    const effects = new Effects()
    for (const statement of statements) {
      if (statement.kind === 'verifyMarker') continue
      if (!('rows' in statement)) {
        applyDefinition(statement, effects)
        continue
      }
      const table = this.#dictionary.tableVersion(this.#read, statement.tableId, statement.tableVersion)
      if (this.#plan.born.has(table.storageId)) continue
      for (const change of statement.rows) {
        applyRowChange(statement.kind, change, table, effects, { read: () => undefined })
      }
    }
    return effects
  }

  #isOfBorn(key: Buffer): boolean {
    return (key[0] === ROW_PREFIX || key[0] === INDEX_PREFIX) && this.#plan.born.has(key.readUInt32BE(1))
  }

  #statsOf(storageId: number): TableStats {
    let stats = this.#stats.get(storageId)
    if (stats === undefined) {
      const payload = this.#store.get(statsKey(storageId))
      stats = payload === undefined ? new TableStats() : TableStats.decode(payload)
      this.#stats.set(storageId, stats)
    }
    return stats
  }

  /** Deletes all that a storage has, and every job on it. */
  async #empty(storageId: number): Promise<void> {
    await this.#deleteAll(rowPrefix(storageId))
    await this.#deleteAll(indexPrefix(storageId, 0).subarray(0, 5))
    const id = rowPrefix(storageId).subarray(1)
    for (const kind of [BUILD_JOB, PURGE_INDEX_JOB]) await this.#deleteAll(Buffer.concat([jobPrefix(kind), id]))
    const writes = new WriteSet()
    writes.delete(statsKey(storageId))
    writes.delete(jobKey(PURGE_JOB, BigInt(storageId)))
    await this.#store.commit([writes])
  }

  async #deleteAll(prefix: Buffer): Promise<void> {
    for await (const entries of this.#pages(prefix)) {
      const writes = new WriteSet()
      for (const { key } of entries) writes.delete(key)
      await this.#store.commit([writes])
    }
  }

  async *#pages(prefix: Buffer): AsyncGenerator<readonly Entry[]> {
    const { from, to } = prefixRange(prefix)
    for (let next = from; ;) {
      const entriesMax = Math.min(PURGE_KEYS_PER_BATCH, SCAN_PAGE_ROWS_MAX)
      const page = await this.#store.page(
        { from: next, to },
        { entriesMax, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
      )
      if (page.entries.length > 0) yield page.entries
      if (page.exhausted) return
      next = Buffer.concat([page.entries.at(-1)!.key, Buffer.of(0)])
    }
  }

  /** The entries of an index as the rows at the fork have them, or a build that begins anew. */
  async #rebuild({ tableId, storageId, indexId }: IndexPlace): Promise<void> {
    await this.#deleteAll(indexPrefix(storageId, indexId))
    const id = indexJobId(storageId, indexId)
    const jobs = new WriteSet()
    jobs.delete(jobKey(PURGE_INDEX_JOB, id))
    const table = new Dictionary().tableById(this.#read, tableId)
    const index =
      table?.storageId === storageId ? table.indexes.find(({ message }) => message.id === indexId) : undefined
    if (table !== undefined && index?.message.building === true) {
      const job = { tableId, version: table.message.version, ...firstBuildStep }
      jobs.put(jobKey(BUILD_JOB, id), encodeBuildJob(job))
    } else {
      jobs.delete(jobKey(BUILD_JOB, id))
    }
    await this.#store.commit([jobs])
    if (table === undefined || index === undefined || index.message.building) return
    for await (const entries of this.#pages(rowPrefix(storageId))) {
      const writes = new WriteSet()
      const rows = entries.map(({ key, value }) => ({ text: keyText(key), value }))
      fillIndexes(table, [indexId], rows, writes)
      if (writes.length > 0) await this.#store.commit([writes])
    }
  }

  /** What a catalog holds is the sum of its tables. */
  async #recountCatalogs(): Promise<void> {
    for await (const catalogs of this.#pages(catalogPrefix())) {
      const writes = new WriteSet()
      for (const { value } of catalogs) {
        const { id } = decodeCatalogMessage(value)
        const counted = new CatalogStats()
        for await (const tables of this.#pages(catalogTablesPrefix(id))) {
          for (const table of tables) {
            const { rows, bytes } = this.#statsOf(decodeTableMessage(table.value).storageId)
            counted.tables++
            counted.rows += rows
            counted.bytes += bytes
          }
        }
        writes.put(catalogStatsKey(id), counted.encode())
      }
      await this.#store.commit([writes])
    }
    this.#stats.clear()
  }

  async #end(): Promise<void> {
    const { lsn } = await this.#log.head()
    assert(lsn === this.#fork.lsn, 'the log ends at the fork')
    const writes = roleWrites('replica')
    for (const key of [FENCE_META, PROMOTION_META, REJOIN_META]) writes.delete(key)
    await this.#store.commit([writes])
  }
}

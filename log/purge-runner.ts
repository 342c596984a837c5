/**
 * Deletes what dropped tables, indexes and catalogs leave behind in the background, on each node by itself. (G6)
 *
 * A job starts when no open snapshot is older than the drop, because purged rows have no before images. It deletes keys
 * in bounded batches and its own note together with the last of them, so that a crash at any instant leaves a job that
 * can be run again from the start: what is deleted already is simply not found.
 */
import { type Clock, pause } from '../core/clock.js'
import { isReplogError } from '../core/errors.js'
import { PURGE_KEYS_PER_BATCH, SCAN_PAGE_BYTES_MAX } from '../core/limits.js'
import type { Lsn } from '../core/position.js'
import type { Entry } from '../store/engine.js'
import {
  catalogStatsKey,
  catalogTablesPrefix,
  idempotencyPrefix,
  indexPrefix,
  jobKey,
  jobPrefix,
  parseJobKey,
  prefixRange,
  rowPrefix,
  schemaPlaceKey,
  schemaPrefix,
  statsKey,
  tablePlaceKey,
} from '../store/keys.js'
import { WriteSet } from '../store/write-set.js'
import { decodeSchemaMessage, decodeTableMessage } from './codec/definition-codec.js'
import { BUILD_JOB } from './build-job.js'
import {
  PURGE_CATALOG_JOB,
  PURGE_INDEX_JOB,
  PURGE_JOB,
  type PurgeJob,
  decodePurgeJob,
  encodePurgeJob,
  indexJobId,
  parseIndexJobId,
} from './purge-job.js'
import type { IndexBuilder } from './index-builder.js'
import { JobLoop } from './job-loop.js'
import type { ReplicatedState } from './replicated-state.js'

const SNAPSHOT_POLL_MS = 20
const JOBS_PER_RUN = 1000

export class PurgeRunner {
  readonly #state: ReplicatedState
  readonly #clock: Clock
  readonly #builds: IndexBuilder
  readonly #onError: (error: unknown) => void
  readonly #loop: JobLoop
  #keysPurged = 0
  /** The job whose turn it is, and the keys that it deleted since the start; undefined while it waits for readers. */
  #current: { readonly job: Buffer; keys: number | undefined } | undefined

  constructor(state: ReplicatedState, builds: IndexBuilder, clock: Clock, onError: (error: unknown) => void) {
    this.#state = state
    this.#clock = clock
    this.#builds = builds
    this.#onError = onError
    this.#loop = new JobLoop(state, () => this.#run(), onError)
  }

  /** Looks for jobs; call it at the start and after a drop became durable. */
  kick(): void {
    this.#loop.kick()
  }

  get keysPurged(): number {
    return this.#keysPurged
  }

  /** Keys that a job deleted since the start of the server; undefined for one that waits. */
  keysPurgedBy(job: Buffer): number | undefined {
    return this.#current?.job.equals(job) === true ? this.#current.keys : undefined
  }

  /** Resolves when no job is running; jobs that are left go on after the next start. */
  async stop(): Promise<void> {
    await this.#loop.stop()
  }

  /** Resolves when the jobs that are known now are done. */
  async idle(): Promise<void> {
    await this.#loop.idle()
  }

  async #run(): Promise<void> {
    // Catalogs first: each leaves a job for every table that it had.
    for (const { key } of await this.#jobs(PURGE_CATALOG_JOB)) {
      await this.#attempt(key, () => this.#purgeCatalog(key))
    }
    for (const { key, value } of await this.#jobs(PURGE_JOB)) {
      await this.#attempt(key, () => this.#purge(key, decodePurgeJob(value)))
    }
    for (const { key } of await this.#jobs(PURGE_INDEX_JOB)) {
      await this.#attempt(key, () => this.#purgeIndex(key))
    }
  }

  /** A job that cannot be done is reported and left for the next start; those behind it go on. */
  async #attempt(job: Buffer, work: () => Promise<void>): Promise<void> {
    if (this.#loop.isStopped) return
    this.#current = { job, keys: undefined }
    try {
      await work()
    } catch (error) {
      if (!isReplogError(error, 'CORRUPT')) throw error
      this.#loop.again = false
      this.#onError(error)
    } finally {
      this.#current = undefined
    }
  }

  /** The next jobs of a kind; when there are more, another run takes them. */
  async #jobs(kind: string): Promise<readonly Entry[]> {
    const page = await this.#state.store.page(prefixRange(jobPrefix(kind)), {
      entriesMax: JOBS_PER_RUN,
      bytesMax: SCAN_PAGE_BYTES_MAX,
      reverse: false,
    })
    if (!page.exhausted) this.#loop.again = true
    // The store may show a job before its fsync was acknowledged; from its LSN on nobody begins to read what it purges.
    if (page.entries.length > 0) await this.#state.whenDurable(this.#state.head.lsn)
    return page.entries
  }

  /** Deletes what a dropped catalog had in the dictionary, in batches that leave a purge job for each table. */
  async #purgeCatalog(job: Buffer): Promise<void> {
    await this.#whenUnread(this.#state.durable.lsn)
    const catalogId = Number(parseJobKey(job).id)
    await this.#deleteAll(catalogTablesPrefix(catalogId), (value, writes) => {
      const { id, storageId, indexes } = decodeTableMessage(value)
      const payload = encodePurgeJob({ tableId: id, indexIds: indexes.map((index) => index.id) })
      writes.put(jobKey(PURGE_JOB, BigInt(storageId)), payload)
      writes.delete(tablePlaceKey(id))
      for (const index of indexes) if (index.building) writes.delete(jobKey(BUILD_JOB, indexJobId(storageId, index.id)))
    })
    await this.#deleteAll(schemaPrefix(catalogId), (value, writes) => {
      writes.delete(schemaPlaceKey(decodeSchemaMessage(value).id))
    })
    await this.#deleteAll(idempotencyPrefix(catalogId))
    if (this.#loop.isStopped) return
    const writes = new WriteSet()
    writes.delete(catalogStatsKey(catalogId))
    writes.delete(job)
    await this.#state.appendLocal(writes)
    this.#state.statistics.forgetCatalog(catalogId)
  }

  /**
   * Deletes all keys with a prefix; `also` adds to the batch of each. A page begins behind the one before: from the
   * start of the prefix it would pass over what was deleted so far, which takes LevelDB as long as passing over keys.
   */
  async #deleteAll(prefix: Buffer, also?: (value: Buffer, writes: WriteSet) => void): Promise<void> {
    const range = prefixRange(prefix)
    let { from } = range
    while (!this.#loop.isStopped) {
      const page = await this.#state.store.page(
        { from, to: range.to },
        { entriesMax: PURGE_KEYS_PER_BATCH, bytesMax: SCAN_PAGE_BYTES_MAX, reverse: false },
      )
      if (page.entries.length === 0) return
      const writes = new WriteSet()
      for (const { key, value } of page.entries) {
        writes.delete(key)
        also?.(value, writes)
      }
      await this.#state.appendLocal(writes)
      this.#keysPurged += page.entries.length
      if (this.#current?.keys !== undefined) this.#current.keys += page.entries.length
      if (page.exhausted) return
      from = Buffer.concat([page.entries.at(-1)!.key, Buffer.of(0)])
    }
  }

  async #purge(job: Buffer, { indexIds }: PurgeJob): Promise<void> {
    const storageId = Number(parseJobKey(job).id)
    await this.#whenUnread(this.#state.durable.lsn)
    await this.#builds.idleOn(storageId)
    for (const prefix of [rowPrefix(storageId), ...indexIds.map((id) => indexPrefix(storageId, id))]) {
      await this.#deleteAll(prefix)
      if (this.#loop.isStopped) return
      await this.#state.store.compact(prefixRange(prefix))
    }
    const writes = new WriteSet()
    writes.delete(statsKey(storageId))
    writes.delete(job)
    await this.#state.appendLocal(writes)
    this.#state.statistics.forgetTable(storageId)
  }

  async #purgeIndex(job: Buffer): Promise<void> {
    await this.#whenUnread(this.#state.durable.lsn)
    const { storageId, indexId } = parseIndexJobId(parseJobKey(job).id)
    await this.#builds.idleOn(storageId)
    const prefix = indexPrefix(storageId, indexId)
    await this.#deleteAll(prefix)
    if (this.#loop.isStopped) return
    await this.#state.store.compact(prefixRange(prefix))
    const writes = new WriteSet()
    writes.delete(job)
    await this.#state.appendLocal(writes)
  }

  /** Waits until nobody reads at an LSN below `lsn`; the bound on a transaction's age ends the wait. */
  async #whenUnread(lsn: Lsn): Promise<void> {
    for (;;) {
      const oldest = this.#state.versions.oldestNeeded
      if (this.#loop.isStopped) return
      if (oldest === undefined || oldest >= lsn) {
        if (this.#current !== undefined) this.#current.keys = 0
        return
      }
      await pause(this.#clock, SNAPSHOT_POLL_MS)
    }
  }
}

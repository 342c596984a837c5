/**
 * The durable jobs of one server as people see them: what is deleted or built, of which table, and how far it is.
 *
 * The jobs, and the names of what they are about, are those of one LSN; the progress is the newest. A dropped table is
 * named as its last version was. A build is not listed any more while the message that ends it is on its way to the disk.
 */
import { JOBS_LISTED_MAX } from '../core/limits.js'
import { catalogPrefix, jobPrefix, keyBytes, parseJobKey, tableVersionPrefix } from '../store/keys.js'
import { BUILD_JOB, type BuildPass, decodeBuildJob } from './build-job.js'
import { decodeCatalogMessage, decodeTableMessage } from './codec/definition-codec.js'
import type { IndexMessage, TableMessage } from './codec/message.js'
import {
  PURGE_CATALOG_JOB,
  PURGE_INDEX_JOB,
  PURGE_JOB,
  decodePurgeIndexJob,
  decodePurgeJob,
  parseIndexJobId,
} from './purge-job.js'
import { SnapshotView, type ViewEntry } from './read-view.js'
import type { ReplicatedState } from './replicated-state.js'
import { entriesOf } from './view-entries.js'

/** An index is in the newest version of its table, or in the one before it was dropped. */
const VERSIONS_PER_PAGE = 2

/** The kind letter of each kind's keys. */
const KIND_LETTERS = {
  buildIndex: BUILD_JOB,
  purgeCatalog: PURGE_CATALOG_JOB,
  purgeTable: PURGE_JOB,
  purgeIndex: PURGE_INDEX_JOB,
} as const

/** What a background job does. */
export type JobKind = keyof typeof KIND_LETTERS

export const JOB_KINDS = Object.keys(KIND_LETTERS) as readonly JobKind[]

/** What a job has done and does: of a build the pass, of a purge whether it waits for others or for old readers. */
export type JobPass = BuildPass | 'waiting' | 'deleting'

export const JOB_PASSES: readonly JobPass[] = ['first', 'first done', 'second', 'done', 'waiting', 'deleting']

/** Names and ids are null where they are not known any more, or where the job is about no such thing. */
export interface JobListing {
  readonly kind: JobKind
  readonly catalog: string | null
  readonly catalogId: number | null
  readonly schema: string | null
  readonly table: string | null
  readonly tableId: number | null
  readonly index: string | null
  readonly indexId: number | null
  readonly storageId: number | null
  readonly pass: JobPass
  /** Rows seen in this pass of a build, or that a purge deleted since the server started. */
  readonly rowsDone: number
  /** Rows that there are, or were when they were dropped; null for a catalog, whose tables get jobs of their own. */
  readonly rowsTotal: number | null
}

/** The background jobs that wait or run. */
export interface JobList {
  /** Kind by kind, at most JOBS_LISTED_MAX. */
  readonly jobs: readonly JobListing[]
  /** Whether there are others. */
  readonly more: boolean
}

/** Keys that a purge deleted since the start of the server; undefined for one that waits. */
export type KeysPurgedBy = (job: Buffer) => number | undefined

export async function listJobs(state: ReplicatedState, keysPurgedBy: KeysPurgedBy): Promise<JobList> {
  const snapshot = state.openSnapshot()
  try {
    const view = new SnapshotView(state, snapshot)
    const entries: ViewEntry[] = []
    for (const kind of JOB_KINDS) {
      for await (const entry of entriesOf(view, jobPrefix(KIND_LETTERS[kind]))) {
        entries.push(entry)
        if (entries.length > JOBS_LISTED_MAX) break
      }
      if (entries.length > JOBS_LISTED_MAX) break
    }
    const describer = new JobDescriber(state, view, keysPurgedBy)
    const jobs: JobListing[] = []
    for (const entry of entries.slice(0, JOBS_LISTED_MAX)) jobs.push(await describer.describe(entry))
    return { jobs: await describer.withCatalogNames(jobs), more: entries.length > JOBS_LISTED_MAX }
  } finally {
    state.versions.close(snapshot)
  }
}

/** How many jobs of each kind there are. */
export async function countJobs(state: ReplicatedState): Promise<Record<JobKind, number>> {
  const snapshot = state.openSnapshot()
  try {
    const view = new SnapshotView(state, snapshot)
    const counts = { buildIndex: 0, purgeCatalog: 0, purgeTable: 0, purgeIndex: 0 }
    for (const kind of JOB_KINDS) {
      for await (const _entry of entriesOf(view, jobPrefix(KIND_LETTERS[kind]))) counts[kind]++
    }
    return counts
  } finally {
    state.versions.close(snapshot)
  }
}

class JobDescriber {
  readonly #state: ReplicatedState
  readonly #view: SnapshotView
  readonly #keysPurgedBy: KeysPurgedBy

  constructor(state: ReplicatedState, view: SnapshotView, keysPurgedBy: KeysPurgedBy) {
    this.#state = state
    this.#view = view
    this.#keysPurgedBy = keysPurgedBy
  }

  async describe({ text, value }: ViewEntry): Promise<JobListing> {
    const key = keyBytes(text)
    const { kind, id } = parseJobKey(key)
    switch (kind) {
      case BUILD_JOB: {
        const { storageId, indexId } = parseIndexJobId(id)
        const { tableId, pass, rows } = decodeBuildJob(value)
        const total = this.#rowsOf(storageId)
        // What the last pass left behind it is not counted again.
        const done = pass === 'first done' || pass === 'done' ? total : Math.min(rows, total)
        return {
          kind: 'buildIndex',
          ...(await this.#indexNames(tableId, indexId)),
          storageId,
          pass,
          rowsDone: done,
          rowsTotal: total,
        }
      }
      case PURGE_INDEX_JOB: {
        const { storageId, indexId } = parseIndexJobId(id)
        const names = await this.#indexNames(decodePurgeIndexJob(value), indexId)
        return { kind: 'purgeIndex', ...names, storageId, ...this.#purged(key, this.#rowsOf(storageId)) }
      }
      case PURGE_JOB: {
        const storageId = Number(id)
        const { tableId } = decodePurgeJob(value)
        const names = this.#names(tableId, await this.#newestVersion(tableId, () => true))
        return {
          kind: 'purgeTable',
          ...names,
          index: null,
          indexId: null,
          storageId,
          ...this.#purged(key, this.#rowsOf(storageId)),
        }
      }
      default: {
        const nothing = { catalog: null, schema: null, table: null, tableId: null, index: null, indexId: null }
        const { pass } = this.#purged(key, 0)
        return {
          kind: 'purgeCatalog',
          ...nothing,
          catalogId: Number(id),
          storageId: null,
          pass,
          rowsDone: 0,
          rowsTotal: null,
        }
      }
    }
  }

  /** Catalogs are found by name, so all names that the jobs need are looked for at once. */
  async withCatalogNames(jobs: readonly JobListing[]): Promise<JobListing[]> {
    const wanted = new Set(jobs.map(({ catalogId }) => catalogId).filter((id) => id !== null))
    const names = new Map<number, string>()
    if (wanted.size > 0) {
      for await (const { value } of entriesOf(this.#view, catalogPrefix())) {
        const { id, name } = decodeCatalogMessage(value)
        if (wanted.delete(id)) names.set(id, name)
        if (wanted.size === 0) break
      }
    }
    return jobs.map((job) => ({ ...job, catalog: job.catalogId === null ? null : (names.get(job.catalogId) ?? null) }))
  }

  #rowsOf(storageId: number): number {
    return this.#state.statistics.durableTable(storageId).rows
  }

  #purged(key: Buffer, rowsTotal: number): Pick<JobListing, 'pass' | 'rowsDone' | 'rowsTotal'> {
    const keys = this.#keysPurgedBy(key)
    // Index entries go behind the rows of a table and are keys, too.
    return { pass: keys === undefined ? 'waiting' : 'deleting', rowsDone: Math.min(keys ?? 0, rowsTotal), rowsTotal }
  }

  async #indexNames(
    tableId: number,
    indexId: number,
  ): Promise<Omit<JobListing, 'kind' | 'storageId' | 'pass' | 'rowsDone' | 'rowsTotal'>> {
    const indexOf = ({ indexes }: TableMessage): IndexMessage | undefined => indexes.find(({ id }) => id === indexId)
    const message = await this.#newestVersion(tableId, (version) => indexOf(version) !== undefined)
    return {
      ...this.#names(tableId, message),
      index: (message && indexOf(message)?.name) ?? null,
      indexId,
    }
  }

  #names(
    tableId: number,
    version: TableMessage | undefined,
  ): Pick<JobListing, 'catalog' | 'catalogId' | 'schema' | 'table' | 'tableId'> {
    const { dictionary } = this.#state
    const read = (key: Buffer, text: string): Buffer | undefined => this.#view.get(key, text)
    const message = dictionary.tableById(read, tableId)?.message ?? version
    const schema = message && dictionary.schemaById(read, message.schemaId)
    return {
      catalog: null,
      catalogId: message?.catalogId ?? null,
      schema: schema?.name ?? null,
      table: message?.name ?? null,
      tableId,
    }
  }

  /** The newest version of a table that is so; tables that are gone have kept theirs. */
  async #newestVersion(tableId: number, isSo: (version: TableMessage) => boolean): Promise<TableMessage | undefined> {
    const newestFirst = { reverse: true, pageEntries: VERSIONS_PER_PAGE }
    for await (const { value } of entriesOf(this.#view, tableVersionPrefix(tableId), newestFirst)) {
      const message = decodeTableMessage(value)
      if (isSo(message)) return message
    }
    return undefined
  }
}

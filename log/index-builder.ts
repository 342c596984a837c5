/**
 * Builds indexes on tables with many rows in the background, on each server by itself. (G6)
 *
 *   statement begins it: index `building`, job in the same batch ──> first pass over the rows
 *       not unique                                              ──> done
 *       unique: primary logs `validating`                       ──> second pass ──> done
 *   primary, when done: logs the index without `building`; the job goes in the same batch
 *   replica, when done: waits for that message, and its applier for the job
 *
 * From the statement that begins it on, every change of a row keeps the index entries that there are, so a pass only adds
 * what is missing. It reads a page at a snapshot, which keeps later changes in memory, and in the one synchronous step that
 * puts the entries into the open group it takes the newest value of each row. What it puts is what the rows are at that
 * place between two transactions.
 *
 * In a unique index a row that comes under a key which is another's is refused on a primary, and a row never takes away an
 * entry that is another's (`building-entries.ts`). So of the rows that were seen or changed each has its entry, and two with
 * equal values are found when the second of them is seen. On a replica, whose job stands elsewhere, rows may meet that never
 * met on the primary, and one of them lose its entry. `validating` says that no rows with equal values are left and none can
 * come any more; the second pass makes the entries that are missing.
 *
 * Invariants:
 * - an index is read by nobody until a message in the log says that it is built;
 * - a crash at any instant leaves the job, which goes on from the page that was durable last.
 */
import { ReplogError, isReplogError } from '../core/errors.js'
import { INDEX_BUILD_ROWS_PER_BATCH, SCAN_PAGE_BYTES_MAX } from '../core/limits.js'
import type { CompiledIndex, CompiledTable } from '../ddl/compiled-table.js'
import { jobKey, jobPrefix, keyBytes, keyText, parseJobKey, prefixRange } from '../store/keys.js'
import { WriteSet } from '../store/write-set.js'
import { BUILD_JOB, type BuildJob, type BuildPass, decodeBuildJob, encodeBuildJob } from './build-job.js'
import { duplicateIn } from './fill-indexes.js'
import { JobLoop } from './job-loop.js'
import { PURGE_CATALOG_JOB, indexJobId, parseIndexJobId } from './purge-job.js'
import { SnapshotView } from './read-view.js'
import type { ReplicatedState } from './replicated-state.js'

const JOBS_PER_RUN = 1000

/** What a primary does about a build; a replica waits for the messages of its primary. */
export interface BuildLeader {
  /** Every row was seen once: logs that the unique index is being validated. */
  validate(tableId: number, indexId: number): Promise<void>
  /** Logs that the index is built. */
  complete(tableId: number, indexId: number): Promise<void>
  /** Rows have equal values: logs that the index is dropped, and why. */
  fail(tableId: number, indexId: number, error: Error): Promise<void>
}

interface Build {
  readonly key: Buffer
  readonly storageId: number
  readonly indexId: number
  readonly table: CompiledTable
  readonly index: CompiledIndex
  readonly job: BuildJob
}

export class IndexBuilder {
  readonly #state: ReplicatedState
  readonly #leader: BuildLeader | undefined
  readonly #onError: (error: unknown) => void
  readonly #waiters = new Map<bigint, { resolve: () => void; reject: (error: unknown) => void }[]>()
  readonly #loop: JobLoop
  #step: { readonly storageId: number; readonly ended: Promise<void> } | undefined

  /** `leader` is that of a primary. */
  constructor(state: ReplicatedState, leader: BuildLeader | undefined, onError: (error: unknown) => void) {
    this.#state = state
    this.#leader = leader
    this.#onError = onError
    this.#loop = new JobLoop(state, () => this.#run(), onError)
  }

  /** Looks for jobs; call it at the start and after definitions became durable. */
  kick(): void {
    this.#loop.kick()
  }

  /** Resolves when no job is running; jobs that are left go on after the next start. */
  async stop(): Promise<void> {
    await this.#loop.stop()
    const error = new ReplogError('CLOSED', 'the server is shutting down')
    for (const id of [...this.#waiters.keys()]) for (const waiter of this.#takeWaiters(id)) waiter.reject(error)
  }

  /** Resolves when nothing more can be done about the jobs that are known now. */
  async idle(): Promise<void> {
    await this.#loop.idle()
  }

  /** Resolves when no entry is being made in a storage; for a purge, once the job is gone. */
  async idleOn(storageId: number): Promise<void> {
    while (this.#step?.storageId === storageId) await this.#step.ended
  }

  /**
   * Resolves when an index that this server knows as building has all its entries here.
   * @throws what ended its job
   */
  async whenBuilt(storageId: number, indexId: number): Promise<void> {
    const id = indexJobId(storageId, indexId)
    const job = this.#readJob(jobKey(BUILD_JOB, id))
    if (job === undefined || job.pass === 'done') return
    if (this.#loop.isStopped) throw new ReplogError('CLOSED', 'the server is shutting down')
    await new Promise<void>((resolve, reject) => {
      const waiters = this.#waiters.get(id)
      if (waiters === undefined) this.#waiters.set(id, [{ resolve, reject }])
      else waiters.push({ resolve, reject })
      this.kick()
    })
  }

  async #run(): Promise<void> {
    const page = await this.#state.store.page(prefixRange(jobPrefix(BUILD_JOB)), {
      entriesMax: JOBS_PER_RUN,
      bytesMax: SCAN_PAGE_BYTES_MAX,
      reverse: false,
    })
    if (page.entries.length === 0) return
    // The store may show a job before its fsync was acknowledged; the snapshots below must not be older than it.
    await this.#state.whenDurable(this.#state.head.lsn)
    // One that cannot go on does not hold up the others.
    const failures: unknown[] = []
    for (const { key } of page.entries) {
      await this.#build(key).catch((error: unknown) => {
        failures.push(error)
      })
    }
    if (failures.length > 0) throw failures[0]
  }

  async #build(key: Buffer): Promise<void> {
    const { id } = parseJobKey(key)
    try {
      let goesOn = true
      while (goesOn && !this.#loop.isStopped) {
        const { storageId } = parseIndexJobId(id)
        let end: () => void = () => undefined
        this.#step = { storageId, ended: new Promise<void>((resolve) => (end = resolve)) }
        try {
          goesOn = await this.#advance(key)
        } finally {
          this.#step = undefined
          end()
        }
      }
    } catch (error) {
      // A snapshot that was given up to bound memory: another one is opened when the job is looked at again.
      if (isReplogError(error, 'SNAPSHOT_TOO_OLD')) {
        this.#loop.again = true
        return
      }
      for (const waiter of this.#takeWaiters(id)) waiter.reject(error)
      if (!isReplogError(error, 'CORRUPT')) throw error
      this.#onError(error)
    }
  }

  /** One step of a job; false when it is over or waits for somebody else. */
  async #advance(key: Buffer): Promise<boolean> {
    const build = this.#open(key)
    if (build === undefined) {
      await this.#forgetOrphan(key)
      for (const waiter of this.#takeWaiters(parseJobKey(key).id)) waiter.resolve()
      return false
    }
    const { job, index } = build
    const leader = this.#leader
    switch (job.pass) {
      case 'first':
      case 'second':
        return this.#readPage(build)
      case 'first done':
        if (!index.message.unique) return this.#enter(build, 'done')
        if (index.message.validating) return this.#enter(build, 'second')
        await leader?.validate(job.tableId, build.indexId)
        // The catalog of the table may have been dropped: then nothing is logged, and the purge ends the job.
        return this.#open(key)?.index.message.validating === true
      case 'done':
        for (const waiter of this.#takeWaiters(parseJobKey(key).id)) waiter.resolve()
        await leader?.complete(job.tableId, build.indexId)
        return false
    }
  }

  /** The job as it stands now; undefined when the index is built or gone. */
  #open(key: Buffer): Build | undefined {
    const job = this.#readJob(key)
    if (job === undefined) return undefined
    const { storageId, indexId } = parseIndexJobId(parseJobKey(key).id)
    const table = this.#state.dictionary.tableById(this.#state.readNewest, job.tableId)
    if (table === undefined || this.#isLeaving(table)) return undefined
    const index = table.indexes.find(({ message }) => message.id === indexId)
    if (table.storageId !== storageId || index?.message.building !== true) return undefined
    return { key, storageId, indexId, table, index, job }
  }

  /** Whether its catalog was dropped: then the purge ends the job. */
  #isLeaving({ message }: CompiledTable): boolean {
    const purge = jobKey(PURGE_CATALOG_JOB, BigInt(message.catalogId))
    return this.#state.readNewest(purge, keyText(purge)) !== undefined
  }

  /** A job whose table is gone has nothing to do and nobody who would delete it. */
  async #forgetOrphan(key: Buffer): Promise<void> {
    const job = this.#readJob(key)
    if (job === undefined || this.#state.dictionary.tableById(this.#state.readNewest, job.tableId) !== undefined) return
    const writes = new WriteSet()
    writes.delete(key)
    await this.#state.appendLocal(writes)
  }

  #readJob(key: Buffer): BuildJob | undefined {
    // A statement deletes the job through the log; its progress is this server's own and not among recent versions.
    const recent = this.#state.versions.newest(keyText(key))
    const payload = recent !== undefined && recent.value === undefined ? undefined : this.#state.store.get(key)
    return payload === undefined ? undefined : decodeBuildJob(payload)
  }

  async #enter({ key, job }: Build, pass: BuildPass): Promise<boolean> {
    const writes = new WriteSet()
    writes.put(key, encodeBuildJob({ ...job, pass, rows: 0, last: undefined }))
    await this.#state.appendLocal(writes)
    return true
  }

  async #readPage({ key, storageId, table, job }: Build): Promise<boolean> {
    const state = this.#state
    const snapshot = state.openSnapshot()
    let written: Promise<void>
    try {
      const range = rowsBehind(table, job.last)
      const { entries, rest } = await new SnapshotView(state, snapshot).page(range, INDEX_BUILD_ROWS_PER_BATCH, false)
      // From here to `appendLocal` nothing else runs.
      const build = this.#open(key)
      if (build?.storageId !== storageId || this.#loop.isStopped) return false
      const writes = new WriteSet()
      let last = job.last
      for (const { text, value } of entries) {
        last = keyBytes(text)
        // A change that leaves the columns of the index alone leaves its entries alone, too: the newest row counts.
        const newest = state.versions.changedSince(text, snapshot) ? state.readNewest(last, text) : value
        if (newest === undefined) continue
        const error = this.#putEntry(build, last, newest, writes)
        if (error === undefined) continue
        if (this.#leader !== undefined) {
          await this.#leader.fail(job.tableId, build.indexId, error)
          return false
        }
        if (job.pass === 'second') throw diverged(error)
      }
      const isLast = rest === undefined
      const pass = isLast ? (job.pass === 'first' ? 'first done' : 'done') : job.pass
      const rows = job.rows + entries.length
      writes.put(key, encodeBuildJob({ ...job, pass, rows, last: isLast ? undefined : last }))
      written = state.appendLocal(writes, { isRead: true })
    } finally {
      state.versions.close(snapshot)
    }
    await written
    return true
  }

  /** Adds the entry that a row lacks. @returns what is wrong when another row has it already, or no entry can hold it */
  #putEntry({ table, index }: Build, rowKey: Buffer, value: Buffer, writes: WriteSet): Error | undefined {
    const row = table.rows.decode(value)
    if (!table.hasIndexKey(index, row, rowKey)) return unfit(table, index)
    const key = table.indexKey(index, row, rowKey)
    const payload = table.indexPayload(index, row, rowKey)
    const present = this.#state.readNewest(key, keyText(key)) ?? ownValue(writes, key)
    if (present === undefined) writes.put(key, payload)
    else if (!present.equals(payload)) return duplicateIn(table, index)
    return undefined
  }

  #takeWaiters(id: bigint): { resolve: () => void; reject: (error: unknown) => void }[] {
    const waiters = this.#waiters.get(id) ?? []
    this.#waiters.delete(id)
    return waiters
  }
}

function unfit(table: CompiledTable, index: CompiledIndex): ReplogError {
  return new ReplogError(
    'TOO_LARGE',
    `table ${JSON.stringify(table.message.name)}: the index ${JSON.stringify(index.message.name)} cannot hold every row, ` +
      `because a row has values that are longer than a key or have no order`,
  )
}

function diverged(cause: Error): ReplogError {
  return new ReplogError('DIVERGED', `${cause.message}, though the primary found none; clone this replica anew`, {
    cause,
  })
}

function ownValue(writes: WriteSet, key: Buffer): Buffer | undefined {
  const ordinal = writes.lastIndexOf(keyText(key))
  return ordinal < 0 ? undefined : writes.afters[ordinal]
}

function rowsBehind(table: CompiledTable, last: Buffer | undefined): { from: string; to: string } {
  const { from, to } = prefixRange(table.rowPrefix)
  return {
    from: last === undefined ? keyText(Buffer.from(from)) : `${keyText(last)}\0`,
    to: keyText(Buffer.from(to)),
  }
}

/**
 * From the rows alone, without the log: what the index entries, counts and digests must be, and that every row is one
 * that the constraints of its table let pass.
 *
 *   index           entries ⇔ rows
 *   being built     each entry stands for a row; when the server's own job is through, each row has one
 */
import { messageOf } from '../../core/errors.js'
import type { CompiledTable } from '../../ddl/compiled-table.js'
import { BUILD_JOB, decodeBuildJob } from '../../log/build-job.js'
import { CatalogStats } from '../../log/catalog-stats.js'
import type { Row } from '../../log/codec/column-type.js'
import { indexJobId } from '../../log/purge-job.js'
import { TableStats } from '../../log/table-stats.js'
import {
  catalogStatsKey,
  describeKey,
  jobKey,
  keyBytes,
  keyText,
  parseIndexKey,
  parseRowKey,
  statsKey,
} from '../../store/keys.js'
import { Expectations } from './expectations.js'
import type { Fold } from './fold.js'
import type { Image, Problems, StoreContents } from './store-contents.js'

export function recount(contents: StoreContents, fold: Fold, problems: Problems): void {
  const recounts = new Map<number, Recount>()
  for (const table of fold.live.values()) recounts.set(table.storageId, new Recount(table, contents, fold))
  for (const [text, payload] of contents.rows) {
    const key = keyBytes(text)
    try {
      for (const flaw of recounts.get(parseRowKey(key).storageId)?.row(key, payload) ?? []) {
        problems.add(`${describeKey(key)} ${flaw}`)
      }
    } catch (error) {
      problems.add(`${describeKey(key)} does not decode: ${messageOf(error)}`)
    }
  }
  const expectations = new Expectations(fold, contents.jobs)
  for (const [text, payload] of contents.entries) {
    const key = keyBytes(text)
    const { storageId, indexId } = parseIndexKey(key)
    const state = expectations.ofIndex(storageId, indexId)
    if (state !== 'live' && state !== 'building') continue
    const standsFor = recounts.get(storageId)?.standsFor(text, payload)
    if (standsFor !== 'its row') problems.add(`${describeKey(key)} stands for ${standsFor ?? 'no row'}`)
  }
  for (const one of recounts.values()) for (const problem of one.totals()) problems.add(problem)
  for (const problem of catalogProblems(contents, fold)) problems.add(problem)
}

/** What catalogs say that they hold, against their tables. */
function catalogProblems({ stats, catalogStats }: StoreContents, fold: Fold): string[] {
  return [...fold.catalogStats.keys()].flatMap((catalogId) => {
    if (fold.droppedCatalogs.has(catalogId)) return []
    const tables = [...fold.live.values()].filter(({ message }) => message.catalogId === catalogId)
    const counted = new CatalogStats()
    for (const { storageId } of tables) {
      const stored = stats.get(keyText(statsKey(storageId)))
      const { rows, bytes } = stored === undefined ? new TableStats() : TableStats.decode(stored)
      counted.tables++
      counted.rows += rows
      counted.bytes += bytes
    }
    if (catalogStats.get(keyText(catalogStatsKey(catalogId)))?.equals(counted.encode()) === true) return []
    return [`catalog ${catalogId} holds ${counted.tables} tables, ${counted.rows} rows, and does not say so`]
  })
}

/** The rows of one table and what follows from them. */
class Recount {
  readonly #table: CompiledTable
  readonly #contents: StoreContents
  readonly #fold: Fold
  readonly #stats = new TableStats()
  /** Payloads by entry: several of a unique index that is being built and will turn out not to be unique. */
  readonly #entries = new Map<string, Buffer[]>()
  readonly #complete: ReadonlySet<number>

  constructor(table: CompiledTable, contents: StoreContents, fold: Fold) {
    this.#table = table
    this.#contents = contents
    this.#fold = fold
    const complete = table.message.indexes.filter(({ id, building }) => {
      return !building || isDone(contents.jobs, table.storageId, id)
    })
    this.#complete = new Set(complete.map(({ id }) => id))
  }

  /** @returns what is wrong with a row */
  row(key: Buffer, payload: Buffer): string[] {
    const table = this.#table
    const row = table.rows.decode(payload)
    this.#stats.count(key, payload, 1)
    for (const index of table.indexes) {
      // The job that comes to a row that no key can hold gives the index up.
      if (index.message.building && !table.hasIndexKey(index, row, key)) continue
      const text = keyText(table.indexKey(index, row, key))
      const entry = table.indexPayload(index, row, key)
      const others = this.#entries.get(text)
      if (others === undefined) this.#entries.set(text, [entry])
      else others.push(entry)
    }
    const flaws: string[] = []
    if (!table.rowKey(row).equals(key)) flaws.push('holds the row of another key')
    for (const { message, ordinal } of table.columns) {
      if (message.notNull && row[ordinal] === null) flaws.push(`has NULL in column ${JSON.stringify(message.name)}`)
    }
    for (const { message, holds } of table.checks) {
      if (holds(row) === false) flaws.push(`violates the check ${JSON.stringify(message.name)}`)
    }
    return [...flaws, ...this.#targetFlaws(row)]
  }

  standsFor(text: string, payload: Buffer): 'its row' | 'another row' | 'no row' {
    const expected = this.#entries.get(text)
    if (expected === undefined) return 'no row'
    return expected.some((one) => one.equals(payload)) ? 'its row' : 'another row'
  }

  /** What is wrong with the table as a whole. */
  totals(): string[] {
    const problems: string[] = []
    for (const [text, payloads] of this.#entries) {
      const key = keyBytes(text)
      const { indexId } = parseIndexKey(key)
      const isUnique = payloads.length === 1
      const isBuilding = this.#table.indexes.some(({ message }) => message.id === indexId && message.building)
      // Whose entry it is shows when the build fails.
      if (!isUnique && isBuilding) continue
      if (!isUnique) problems.push(`${describeKey(key)} would stand for ${payloads.length} rows`)
      if (!this.#complete.has(indexId) || this.#contents.entries.has(text)) continue
      problems.push(`${describeKey(key)} is missing for a row that exists`)
    }
    const { storageId } = this.#table
    const stored = this.#contents.stats.get(keyText(statsKey(storageId)))
    const { rows, digest } = stored === undefined ? new TableStats() : TableStats.decode(stored)
    if (rows !== this.#stats.rows || digest !== this.#stats.digest) {
      problems.push(
        `storage ${storageId} has ${this.#stats.rows} rows of digest ${this.#stats.digest}, its statistics say ${rows} ` +
          `of ${digest}`,
      )
    }
    return problems
  }

  #targetFlaws(row: Row): string[] {
    const table = this.#table
    return table.message.foreignKeys.flatMap(({ name, columnIds, targetTableId, targetColumnIds }) => {
      const values = table.ordinalsOf(columnIds).map((ordinal) => row[ordinal]!)
      if (values.some((value) => value === null)) return []
      const target = this.#fold.live.get(targetTableId)
      const text = target && keyText(target.uniqueKeyOf(targetColumnIds, values))
      const { rows, entries } = this.#contents
      if (text !== undefined && (rows.has(text) || entries.has(text))) return []
      return [`refers to no row by the foreign key ${JSON.stringify(name)}`]
    })
  }
}

/** Whether this server has been over all rows for an index that the log does not call built yet. */
function isDone(jobs: Image, storageId: number, indexId: number): boolean {
  const payload = jobs.get(keyText(jobKey(BUILD_JOB, indexJobId(storageId, indexId))))
  return payload !== undefined && decodeBuildJob(payload).pass === 'done'
}

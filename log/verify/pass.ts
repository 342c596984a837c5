/**
 * One pass over everything that a store holds, on a server that goes on working or on a store that nobody writes to.
 *
 *   every table: rows, entries, count and digest ──> the log from its floor to where it ended ──> all other keys
 *
 * Damage is told and never mended here; a pass goes on behind it, so that one pass tells of all. (G8)
 */
import { isReplogError } from '../../core/errors.js'
import { VERIFY_FLAWS_MAX } from '../../core/limits.js'
import { type Position, formatPosition } from '../../core/position.js'
import { flawAt, type Flaw } from './flaw.js'
import { checkKeys, isBeingPurged } from './key-check.js'
import { type LogCheckResult, checkLog } from './log-check.js'
import type { RowSource } from './row-source.js'
import type { PassReport } from './scrub-status.js'
import { namedTables } from './every-table.js'
import { TableCheck } from './table-check.js'

export interface PassDependencies {
  readonly source: RowSource
  /** After which transaction the log begins, and where it ends, at the time of the call. */
  readonly log: () => { readonly floor: Position; readonly end: Position }
  /** ISO 8601. */
  readonly now: () => string
  /** Called before each page but the first with what was read; resolves when the next one may be read. @throws to end */
  readonly pace: (bytes: number) => Promise<void>
  readonly onFlaw: (flaw: Flaw) => void
  /** Told of the log that was read. */
  readonly onLog?: (log: LogCheckResult) => void
}

export class Pass {
  readonly #dependencies: PassDependencies
  readonly #startedAt: string
  readonly #flaws: Flaw[] = []
  #flawCount = 0
  #tables = 0
  /** What is looked at now. */
  at = ''
  rows = 0
  entries = 0
  bytes = 0
  #tablesInAll = 0

  constructor(dependencies: PassDependencies) {
    this.#dependencies = dependencies
    this.#startedAt = dependencies.now()
  }

  /** How much of it is done, 0 to 1; each table counts alike. */
  get share(): number {
    return this.#tables / (this.#tablesInAll + 1)
  }

  /** @throws ReplogError CLOSED, and what `pace` throws */
  async run(): Promise<PassReport> {
    const { source, now } = this.#dependencies
    const listener = {
      flaw: (flaw: Flaw) => {
        this.#flaw(flaw)
      },
      read: ({ bytes, rows, entries }: { bytes: number; rows: number; entries: number }) => {
        this.bytes += bytes
        this.rows += rows
        this.entries += entries
        return this.#dependencies.pace(bytes)
      },
    }
    this.at = 'dictionary'
    const tables = await this.#reading('the dictionary', () => namedTables(source.store))
    this.#tablesInAll = tables?.length ?? 0
    for (const { message, name } of tables ?? []) {
      // A filtered replica does not hold it: its count is gone, and its rows go one after the other.
      if (isBeingPurged(source, name.storageId)) {
        this.#tablesInAll--
        continue
      }
      this.at = `table ${name.table} of catalog ${name.catalog}`
      await this.#reading(this.at, () => new TableCheck(source, message.id, name, listener).run())
      this.#tables++
    }
    this.at = 'log'
    const frames = await this.#log(listener)
    this.at = 'other keys'
    await this.#reading('the store', () => checkKeys(source, listener))
    return {
      startedAt: this.#startedAt,
      finishedAt: now(),
      position: formatPosition(this.#dependencies.log().end),
      tables: this.#tables,
      rows: this.rows,
      entries: this.entries,
      frames,
      bytes: this.bytes,
      flaws: this.#flaws,
      flawCount: this.#flawCount,
    }
  }

  /** A log that is purged while it is read is read again from where it begins then. */
  async #log(listener: Parameters<typeof checkLog>[3]): Promise<number> {
    for (;;) {
      const { floor, end } = this.#dependencies.log()
      const found: Flaw[] = []
      const keep = {
        ...listener,
        flaw(flaw: Flaw) {
          found.push(flaw)
        },
      }
      const result = await this.#reading('the log', () =>
        checkLog(this.#dependencies.source.store, floor, end.lsn, keep),
      )
      if (this.#dependencies.log().floor.lsn !== floor.lsn) continue
      for (const flaw of found) listener.flaw(flaw)
      if (result !== undefined) this.#dependencies.onLog?.(result)
      return result?.frames ?? 0
    }
  }

  /** What cannot be read is damage as well. */
  async #reading<Result>(what: string, read: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await read()
    } catch (error) {
      if (!isReplogError(error, 'CORRUPT')) throw error
      this.#flaw(flawAt('file', `${what} cannot be read: ${error.message}`))
      return undefined
    }
  }

  #flaw(flaw: Flaw): void {
    this.#flawCount++
    if (this.#flaws.length < VERIFY_FLAWS_MAX) this.#flaws.push(flaw)
    this.#dependencies.onFlaw(flaw)
  }
}

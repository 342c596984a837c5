/**
 * Stores the rows of a file, one transaction for some of them, while the next ones are read.
 *
 * Invariants: transactions are sent one after another, so what is stored is always a prefix of the file; each changes
 * the progress row together with its rows; a row that is refused is found and named by its line.
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import type { StatementInput } from '../../primary/statement.js'
import type { ImportProgress } from './import-progress.js'
import type { ImportTarget, TargetTable } from './import-target.js'
import type { RecordSource } from './record-source.js'
import type { FittedRow, RowFitter } from './row-fitter.js'

/** A transaction ends before its rows have more characters than this, so that it fits a request. */
const BATCH_LENGTH_MAX = 4 * 1024 * 1024

/** Refusals that one row causes, so that it is worth finding which. */
const ROW_FAULTS = new Set(['INVALID_VALUE', 'DUPLICATE_KEY', 'NOT_FOUND', 'TOO_LARGE'])

export interface StoreOptions {
  /** Name of the target table. */
  readonly table: string
  readonly rowsPerTransaction: number
  /** Rows that are stored already. */
  readonly rowsDone: number
  readonly signal?: AbortSignal | undefined
  /** Told of each committed transaction: rows stored of the file, characters of them read in this run. */
  readonly onStored: (rows: number, length: number) => void
}

export interface StoreDependencies {
  readonly target: ImportTarget
  readonly source: RecordSource
  readonly fitter: RowFitter
  readonly progress: ImportProgress
  readonly tableNow: TargetTable
}

export interface StoredRows {
  /** Rows of the file that are stored now. */
  readonly rows: number
  readonly transactions: number
  /** False when the signal came first. */
  readonly isComplete: boolean
}

export class BatchStore {
  readonly #dependencies: StoreDependencies
  readonly #options: StoreOptions
  #rows: FittedRow[] = []
  #lines: number[] = []
  #length = 0
  /** Characters of all rows that were read, those of earlier runs included. */
  #lengthRead = 0
  #rowsStored: number
  #transactions = 0
  #inFlight: Promise<void> | undefined

  constructor(dependencies: StoreDependencies, options: StoreOptions) {
    this.#dependencies = dependencies
    this.#options = options
    this.#rowsStored = options.rowsDone
  }

  /** Rows of the file that are stored; it is right after an error, too. */
  get rowsStored(): number {
    return this.#rowsStored
  }

  /** @throws ReplogError with the line where a row is at fault */
  async run(): Promise<StoredRows> {
    const { source, fitter } = this.#dependencies
    const { rowsPerTransaction, rowsDone, signal } = this.#options
    let skip = rowsDone
    try {
      for await (const records of source.records()) {
        for (const record of records) {
          this.#lengthRead += record.length
          if (skip > 0) {
            skip--
            continue
          }
          const isFull = this.#rows.length >= rowsPerTransaction || this.#length + record.length > BATCH_LENGTH_MAX
          if (isFull && this.#rows.length > 0) await this.#send(false)
          if (signal?.aborted === true) return await this.#ended(false)
          this.#rows.push(fitter.fit(record))
          this.#lines.push(record.line)
          this.#length += record.length
        }
      }
    } catch (error) {
      // What is on its way is part of what this run has stored; its own fault comes first.
      await this.#inFlight
      throw error
    }
    await this.#send(true)
    return this.#ended(true)
  }

  async #ended(isComplete: boolean): Promise<StoredRows> {
    await this.#inFlight
    return { rows: this.#rowsStored, transactions: this.#transactions, isComplete }
  }

  /** Waits for the transaction before, and sends the rows that were gathered. */
  async #send(isLast: boolean): Promise<void> {
    await this.#inFlight
    const rows = this.#rows
    const lines = this.#lines
    const lengthRead = this.#lengthRead
    this.#rows = []
    this.#lines = []
    this.#length = 0
    this.#inFlight = this.#store(rows, lines, lengthRead, isLast)
    // It is awaited before the next one; until then a failure has to wait.
    this.#inFlight.catch(() => undefined)
  }

  async #store(rows: FittedRow[], lines: readonly number[], lengthRead: number, isLast: boolean): Promise<void> {
    const { target, progress, tableNow } = this.#dependencies
    const before = this.#rowsStored
    const after = before + rows.length
    try {
      await target.execute([
        progress.check(before),
        ...this.#insert(rows),
        progress.advance(after, tableNow.id, isLast),
      ])
    } catch (error) {
      throw await this.#explained(error, rows, lines)
    }
    this.#rowsStored = after
    this.#transactions++
    this.#options.onStored(after, lengthRead)
  }

  #insert(rows: readonly FittedRow[]): StatementInput[] {
    return rows.length === 0 ? [] : [{ insert: { table: this.#options.table, rows } }]
  }

  /** A refusal with the line of the row that caused it. */
  async #explained(error: unknown, rows: readonly FittedRow[], lines: readonly number[]): Promise<unknown> {
    if (!isReplogError(error)) return error
    if (error.code === 'CHECK_FAILED') {
      return new ReplogError('CONFLICT', 'another import of this file into this table is at work; let it finish', {
        cause: error,
      })
    }
    if (error.code === 'TRANSACTION_TOO_LARGE') {
      return new ReplogError(error.code, `${error.message}, with a smaller --rows`, { cause: error })
    }
    if (!ROW_FAULTS.has(error.code) || rows.length === 0) return error
    const { at, refusal } = await this.#findRefused(rows, error)
    const line = lines[at]!
    return new ReplogError(refusal.code, `line ${line}: ${refusal.message}`, {
      cause: refusal,
      details: { ...refusal.details, line },
    })
  }

  /**
   * Tries ever smaller beginnings of the refused rows, each with a check behind it that rolls it back: the shortest one
   * that is refused ends with the row at fault.
   */
  async #findRefused(rows: readonly FittedRow[], error: ReplogError): Promise<{ at: number; refusal: ReplogError }> {
    const { target, progress } = this.#dependencies
    let refusal = error
    let accepted = 0
    let refused = rows.length
    while (refused - accepted > 1) {
      const middle = Math.floor((accepted + refused) / 2)
      try {
        await target.execute([...this.#insert(rows.slice(0, middle)), progress.failing()])
        accepted = middle
      } catch (tried) {
        if (!isReplogError(tried)) throw tried
        if (tried.code === 'CHECK_FAILED') accepted = middle
        else if (ROW_FAULTS.has(tried.code)) {
          refused = middle
          refusal = tried
        } else throw tried
      }
    }
    return { at: refused - 1, refusal }
  }
}

/**
 * Imports a file into a table, so that it can be stopped at any instant, also by kill -9, and taken up again without a
 * row lost or stored twice.
 *
 *   open and fingerprint → earlier progress? → look at the rows, make the table → store them in transactions
 */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { DEFAULT_CATALOG_NAME, catalogIdentifier, formatTableName, parseTableName } from '../../ddl/identifiers.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { parseColumnType } from '../../log/codec/types/sql-text.js'
import type { StatementInput } from '../../primary/statement.js'
import { checkRows, guessTable } from './examine.js'
import { ImportProgress, PROGRESS_TABLE, type StoredProgress, settingsOf } from './import-progress.js'
import type { ImportTarget, TargetColumn, TargetTable } from './import-target.js'
import { type FormatOptions, type RecordSource, openRecords } from './record-source.js'
import { RowFitter } from './row-fitter.js'
import { SourceFile } from './source-file.js'
import { BatchStore } from './store-batches.js'

export const ROWS_PER_TRANSACTION_DEFAULT = 1000

export interface ImportOptions extends FormatOptions {
  readonly file: string
  /** "schema.table"; the schema `test` may be left out. */
  readonly table: string
  /** Makes the table, with columns guessed from the rows. */
  readonly create?: boolean | undefined
  /** Key columns of the table that is made; a column of its own when left out. */
  readonly key?: readonly string[] | undefined
  readonly rowsPerTransaction?: number | undefined
  /** Imports once more what was imported completely. */
  readonly again?: boolean | undefined
  /** Stops after the transaction that is under way. */
  readonly signal?: AbortSignal | undefined
}

export interface ImportState {
  readonly phase: 'reading' | 'storing'
  /** Rows looked at, or rows of the file that are stored. */
  readonly rows: number
  /** How much of the file this phase is through, 0 to 1. */
  readonly fraction: number
}

export interface ImportReport {
  readonly file: string
  readonly table: string
  /** Rows of the file that are stored now. */
  readonly rows: number
  /** Those of them that earlier runs had stored. */
  readonly rowsBefore: number
  readonly transactions: number
  readonly created: boolean
  /** False when the signal stopped it. */
  readonly isComplete: boolean
  /** True when an earlier run had stored everything, so that nothing was done. */
  readonly wasComplete: boolean
  readonly seconds: number
}

/**
 * @throws ReplogError: INVALID_ARGUMENT, INVALID_VALUE, NOT_FOUND, DUPLICATE_KEY … with `details.line` where a row is at
 *   fault, and `details.rowsStored`; ALREADY_EXISTS; CONFLICT when another import of the file is at work
 */
export async function importFile(
  options: ImportOptions,
  target: ImportTarget,
  onProgress: (state: ImportState) => void = () => undefined,
): Promise<ImportReport> {
  const run = await ImportRun.open(options, target, onProgress)
  return run.run()
}

class ImportRun {
  readonly #options: ImportOptions
  readonly #target: ImportTarget
  readonly #onProgress: (state: ImportState) => void
  readonly #file: SourceFile
  readonly #source: RecordSource
  readonly #name: { readonly schema: string; readonly table: string }
  readonly #progress: ImportProgress
  readonly #startMs = performance.now()

  private constructor(
    options: ImportOptions,
    target: ImportTarget,
    onProgress: (state: ImportState) => void,
    file: SourceFile,
    source: RecordSource,
  ) {
    this.#options = options
    this.#target = target
    this.#onProgress = onProgress
    this.#file = file
    this.#source = source
    const { schema, table } = parseTableName(catalogIdentifier(DEFAULT_CATALOG_NAME), options.table)
    this.#name = { schema, table }
    if (table === PROGRESS_TABLE) {
      throw new ReplogError('INVALID_ARGUMENT', `${PROGRESS_TABLE} notes the progress of imports; choose another table`)
    }
    this.#progress = new ImportProgress(target, file, this.#name)
  }

  static async open(
    options: ImportOptions,
    target: ImportTarget,
    onProgress: (state: ImportState) => void,
  ): Promise<ImportRun> {
    const file = await SourceFile.open(options.file)
    return new ImportRun(options, target, onProgress, file, await openRecords(file, options))
  }

  async run(): Promise<ImportReport> {
    const { create = false, again = false } = this.#options
    const existing = await this.#target.table(this.#table)
    const earlier = validFor(existing, await this.#progress.read())
    if (earlier?.isFinished === true && !again) return this.#report(earlier.rows, earlier.rows, 0, false, true, true)
    if (existing !== undefined && earlier !== undefined && !earlier.isFinished) {
      this.#progress.requireSame(earlier.settings, settingsOf(this.#source.choices, existing))
      return this.#store(existing, earlier.rows, false)
    }
    if (existing !== undefined) {
      if (create && earlier === undefined) {
        throw new ReplogError(
          'ALREADY_EXISTS',
          `table ${this.#table} exists already; leave out --create to import into it, or name another table`,
        )
      }
      await this.#check(existing)
      await this.#target.execute(this.#progress.begin(settingsOf(this.#source.choices, existing)))
      return this.#store(existing, 0, false)
    }
    if (!create) {
      throw new ReplogError(
        'NOT_FOUND',
        `table ${this.#table} does not exist; add --create to make it with columns guessed from the file`,
      )
    }
    return this.#store(await this.#createTable(), 0, true)
  }

  get #table(): string {
    return formatTableName(this.#name)
  }

  /** Finds rows that do not fit before one is stored. */
  async #check(table: TargetTable): Promise<void> {
    try {
      await checkRows(this.#source, new RowFitter(table.columns, this.#source.isText), this.#onExamined)
    } catch (error) {
      throw this.#inFile(error, 0)
    }
  }

  async #createTable(): Promise<TargetTable> {
    let definition: TableDefinition
    try {
      definition = await guessTable(this.#source, this.#name, this.#options.key ?? [], this.#onExamined)
    } catch (error) {
      throw this.#inFile(error, 0)
    }
    const made = { id: 0, columns: definition.columns.map(guessedColumn) }
    // Values were looked at when types were guessed, but for keys, which must not be NULL.
    if ((this.#options.key ?? []).length > 0) await this.#check(made)
    const statements: StatementInput[] = [
      { createTable: { table: definition } },
      ...this.#progress.begin(settingsOf(this.#source.choices, made)),
    ]
    await this.#target.execute(statements)
    const table = await this.#target.table(this.#table)
    if (table === undefined)
      throw new ReplogError('NOT_FOUND', `table ${this.#table} was dropped while it was imported`)
    return table
  }

  async #store(tableNow: TargetTable, rowsDone: number, created: boolean): Promise<ImportReport> {
    const { rowsPerTransaction = ROWS_PER_TRANSACTION_DEFAULT, signal } = this.#options
    const fitter = new RowFitter(tableNow.columns, this.#source.isText)
    const store = new BatchStore(
      { target: this.#target, source: this.#source, fitter, progress: this.#progress, tableNow },
      {
        table: this.#table,
        rowsPerTransaction,
        rowsDone,
        signal,
        onStored: (rows, length) => {
          this.#onProgress({ phase: 'storing', rows, fraction: this.#fraction(length) })
        },
      },
    )
    try {
      const { rows, transactions, isComplete } = await store.run()
      return this.#report(rows, rowsDone, transactions, created, isComplete, false)
    } catch (error) {
      throw this.#inFile(error, store.rowsStored)
    }
  }

  readonly #onExamined = (rows: number, length: number): void => {
    this.#onProgress({ phase: 'reading', rows, fraction: this.#fraction(length) })
    if (this.#options.signal?.aborted === true) throw new ReplogError('CLOSED', 'stopped before a row was stored')
  }

  /** Characters are fewer than bytes; the last report of a phase says 1 all the same. */
  #fraction(length: number): number {
    return this.#file.bytes === 0 ? 1 : Math.min(1, length / this.#file.bytes)
  }

  #inFile(error: unknown, rowsStored: number): unknown {
    if (!isReplogError(error)) return error
    const line = error.details?.['line']
    const where = line === undefined ? error.message : `${this.#file.path}, ${error.message}`
    const stored =
      rowsStored === 0
        ? 'No row is stored'
        : `The first ${rowsStored} rows are stored; the same command takes the import up behind them. A file that was ` +
          'changed counts as another one and begins anew'
    return new ReplogError(error.code, `${where}. ${stored}.`, {
      cause: error,
      details: { ...error.details, rowsStored },
    })
  }

  #report(
    rows: number,
    rowsBefore: number,
    transactions: number,
    created: boolean,
    isComplete: boolean,
    wasComplete: boolean,
  ): ImportReport {
    const seconds = (performance.now() - this.#startMs) / 1000
    const { path } = this.#file
    return { file: path, table: this.#table, rows, rowsBefore, transactions, created, isComplete, wasComplete, seconds }
  }
}

/** Progress counts only for the table that it was made with: one that was dropped took its rows along. */
function validFor(table: TargetTable | undefined, stored: StoredProgress | undefined): StoredProgress | undefined {
  if (stored === undefined || table === undefined) return undefined
  return stored.tableId === undefined || stored.tableId === table.id ? stored : undefined
}

function guessedColumn(column: TableDefinition['columns'][number]): TargetColumn {
  const isRequired = column.notNull === true && column.autoIncrement !== true
  return { name: column.name, type: parseColumnType(column.type), isRequired, takesNull: !isRequired }
}

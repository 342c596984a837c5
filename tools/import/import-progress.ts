/**
 * How far an import is, as a row in the table `replog_import` of the target's schema.
 *
 * Invariant: the row changes in the transaction of the rows that it counts, so it cannot disagree with them, and each
 * such transaction checks first that the row is as this import left it: a second import of the same file fails instead
 * of storing rows twice.
 */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { ReplogError } from '../../core/errors.js'
import { formatTableName } from '../../ddl/identifiers.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { formatColumnType } from '../../log/codec/types/sql-text.js'
import type { StatementInput } from '../../primary/statement.js'
import type { ImportTarget, TargetTable } from './import-target.js'
import type { SourceFile } from './source-file.js'

export const PROGRESS_TABLE = 'replog_import'

/** What must be the same when an import is taken up again. */
export interface ImportSettings {
  readonly choices: Readonly<Record<string, string>>
  /** Column names and types of the target. */
  readonly columns: Readonly<Record<string, string>>
}

export interface StoredProgress {
  /** Undefined until rows are stored. */
  readonly tableId: number | undefined
  readonly rows: number
  readonly isFinished: boolean
  readonly settings: ImportSettings
}

interface ProgressRow {
  readonly table_id: bigint | string | null
  readonly rows_done: bigint | string
  readonly finished: boolean
  readonly settings: ImportSettings
}

export function settingsOf(choices: Readonly<Record<string, string>>, { columns }: TargetTable): ImportSettings {
  return {
    choices,
    columns: Object.fromEntries(columns.map(({ name, type }) => [name, formatColumnType(type)])),
  }
}

export class ImportProgress {
  readonly #target: ImportTarget
  readonly #file: SourceFile
  readonly #targetName: string
  readonly #schema: string
  readonly #table: string
  readonly #key: { readonly source: string }

  /** @param name of the target table */
  constructor(target: ImportTarget, file: SourceFile, name: { readonly schema: string; readonly table: string }) {
    this.#target = target
    this.#file = file
    this.#targetName = formatTableName(name)
    this.#schema = name.schema
    this.#table = formatTableName({ schema: name.schema, table: PROGRESS_TABLE })
    this.#key = { source: createHash('sha256').update(`${file.fingerprint}\n${this.#targetName}`).digest('hex') }
  }

  /** What an earlier run of the same import has left; undefined when there was none. */
  async read(): Promise<StoredProgress | undefined> {
    if ((await this.#target.table(this.#table)) === undefined) return undefined
    const [result] = await this.#target.execute([{ get: { table: this.#table, key: this.#key } }])
    const { row } = result as { readonly row: ProgressRow | null }
    if (row === null) return undefined
    return {
      tableId: row.table_id === null ? undefined : Number(row.table_id),
      rows: Number(row.rows_done),
      isFinished: row.finished,
      settings: row.settings,
    }
  }

  /** Statements that note an import with nothing done yet, whatever there was before. */
  begin(settings: ImportSettings): StatementInput[] {
    return [
      { createTable: { table: this.#definition(), ifNotExists: true } },
      { delete: { table: this.#table, key: this.#key } },
      {
        insert: {
          table: this.#table,
          rows: [
            {
              ...this.#key,
              file: this.#file.name,
              bytes: this.#file.bytes,
              target: this.#targetName,
              rows_done: 0,
              finished: false,
              settings,
            },
          ],
        },
      },
    ]
  }

  /** The check before rows are stored. */
  check(rowsBefore: number): StatementInput {
    return { check: { table: this.#table, key: this.#key, equals: { rows_done: rowsBefore, finished: false } } }
  }

  /** The note that rows are stored. */
  advance(rows: number, tableId: number, isFinished: boolean): StatementInput {
    return {
      update: { table: this.#table, key: this.#key, set: { rows_done: rows, table_id: tableId, finished: isFinished } },
    }
  }

  /** A check that cannot hold while the import runs: it rolls the statements before it back. */
  failing(): StatementInput {
    return { check: { table: this.#table, key: this.#key, exists: false } }
  }

  /** @throws ReplogError INVALID_ARGUMENT when the earlier run read the file or the table differently */
  requireSame(earlier: ImportSettings, settings: ImportSettings): void {
    if (isDeepStrictEqual(earlier, settings)) return
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `an import of ${this.#file.name} into ${this.#targetName} was begun with other settings ` +
        `(${JSON.stringify(earlier)} then, ${JSON.stringify(settings)} now); use the same ones to take it up again`,
    )
  }

  #definition(): TableDefinition {
    return {
      schema: this.#schema,
      name: PROGRESS_TABLE,
      comment: 'How far `replog import` is with each file; a row changes together with the rows it counts.',
      columns: [
        { name: 'source', type: 'VARCHAR(64)', notNull: true, comment: 'Digest of the file and the target table.' },
        { name: 'file', type: 'TEXT', notNull: true },
        { name: 'bytes', type: 'BIGINT', notNull: true },
        { name: 'target', type: 'TEXT', notNull: true },
        { name: 'table_id', type: 'BIGINT', comment: 'Id of the target table; NULL until rows are stored.' },
        { name: 'rows_done', type: 'BIGINT', notNull: true },
        { name: 'finished', type: 'BOOLEAN', notNull: true },
        { name: 'settings', type: 'JSON', notNull: true },
        { name: 'begun', type: 'TIMESTAMP', notNull: true, default: { function: 'now' } },
      ],
      primaryKey: ['source'],
    }
  }
}

/**
 * Looks at a file before a row of it is stored: rows that do not parse or do not fit are found while nothing is done
 * yet, and the columns of a new table are guessed. Covers the first `EXAMINED_LENGTH_MAX` characters.
 */
import { ReplogError } from '../../core/errors.js'
import { nearest } from '../../ddl/nearest.js'
import type { ColumnDefinition, TableDefinition } from '../../ddl/table-definition.js'
import { formatColumnType } from '../../log/codec/types/sql-text.js'
import { TypeGuess } from './guess-type.js'
import type { RecordSource } from './record-source.js'
import type { RowFitter } from './row-fitter.js'

export const EXAMINED_LENGTH_MAX = 64 * 1024 * 1024

const ROW_ID_COLUMN = 'row_id'

/** Told how many rows and characters were looked at so far. @throws ReplogError to stop */
export type OnExamined = (rows: number, length: number) => void

/** @throws ReplogError for the first row that does not fit, with its line */
export async function checkRows(source: RecordSource, fitter: RowFitter, onExamined: OnExamined): Promise<void> {
  let rows = 0
  let length = 0
  for await (const records of source.records()) {
    for (const record of records) {
      fitter.fit(record)
      length += record.length
    }
    rows += records.length
    onExamined(rows, length)
    if (length > EXAMINED_LENGTH_MAX) return
  }
}

/**
 * A table that holds the rows of the file. Without key columns it gets one of its own, counted by AUTO_INCREMENT.
 * @throws ReplogError for a row that does not parse; INVALID_ARGUMENT when there is no column; NOT_FOUND (key column)
 */
export async function guessTable(
  source: RecordSource,
  name: { readonly schema: string; readonly table: string },
  key: readonly string[],
  onExamined: OnExamined,
): Promise<TableDefinition> {
  const guesses = new Map<string, TypeGuess>()
  let rows = 0
  let length = 0
  for await (const records of source.records()) {
    for (const record of records) {
      const { names, values } = record
      for (let at = 0; at < names.length; at++) guessOf(guesses, names[at]!, source.isText).observe(values[at]!)
      length += record.length
    }
    rows += records.length
    onExamined(rows, length)
    if (length > EXAMINED_LENGTH_MAX) break
  }
  if (guesses.size === 0) {
    throw new ReplogError('INVALID_ARGUMENT', 'the file has no row with a column; create the table without --create')
  }
  return tableOf(guesses, name, key, length <= EXAMINED_LENGTH_MAX)
}

function guessOf(guesses: Map<string, TypeGuess>, name: string, isText: boolean): TypeGuess {
  let guess = guesses.get(name)
  if (guess === undefined) {
    guess = new TypeGuess(isText)
    guesses.set(name, guess)
  }
  return guess
}

function tableOf(
  guesses: ReadonlyMap<string, TypeGuess>,
  { schema, table }: { readonly schema: string; readonly table: string },
  key: readonly string[],
  isComplete: boolean,
): TableDefinition {
  const columns: ColumnDefinition[] = [...guesses].map(([name, guess]) => ({
    name,
    type: formatColumnType(guess.type(isComplete)),
    ...(key.includes(name) ? { notNull: true } : {}),
  }))
  for (const name of key) {
    if (guesses.has(name)) continue
    const hint = nearest(name, guesses.keys())
    throw new ReplogError('NOT_FOUND', `the file has no column ${JSON.stringify(name)} for the key${hint}`)
  }
  if (key.length > 0) return { schema, name: table, columns, primaryKey: key }
  const rowId = freeName(guesses)
  return {
    schema,
    name: table,
    columns: [{ name: rowId, type: 'BIGINT', notNull: true, autoIncrement: true }, ...columns],
    primaryKey: [rowId],
  }
}

function freeName(taken: ReadonlyMap<string, unknown>): string {
  let name = ROW_ID_COLUMN
  for (let number = 2; taken.has(name); number++) name = `${ROW_ID_COLUMN}_${number}`
  return name
}

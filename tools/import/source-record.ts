/** A row as it stands in the file, before it is fitted to the columns of a table. */
import { ReplogError } from '../../core/errors.js'
import { ROW_BYTES_MAX } from '../../core/limits.js'
import type { SourceValue } from './json-value.js'

export interface SourceRecord {
  /** Line of the file on which it begins, counted from 1. */
  readonly line: number
  readonly names: readonly string[]
  /** One for each name. */
  readonly values: readonly SourceValue[]
  /** Characters of its text in the file. */
  readonly length: number
}

/** How a file is written, and with it what its values are: text alone, or values with types. */
export type SourceFormat = 'csv' | 'ndjson' | 'json'

/** Longest text of one row: JSON may take several characters for one byte of the row. */
export const RECORD_LENGTH_MAX = 4 * ROW_BYTES_MAX

/** A fault in the file; the line is all that a user needs to find it. */
export function faultAt(
  line: number,
  message: string,
  code: 'INVALID_ARGUMENT' | 'TOO_LARGE' = 'INVALID_ARGUMENT',
): ReplogError {
  return new ReplogError(code, `line ${line}: ${message}`, { details: { line } })
}

export function tooLong(line: number): ReplogError {
  return faultAt(
    line,
    `a row of more than ${RECORD_LENGTH_MAX} characters begins here; is a quote or a bracket not closed?`,
    'TOO_LARGE',
  )
}

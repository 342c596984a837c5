/** Fits the records of a file to the columns of a table; a fault names its line and column. */
import { ReplogError, isReplogError } from '../../core/errors.js'
import { nearest } from '../../ddl/nearest.js'
import type { JsonValue } from '../../log/codec/column-type.js'
import { type FitValue, fitterFor } from './fit-value.js'
import type { TargetColumn } from './import-target.js'
import type { SourceRecord } from './source-record.js'

export type FittedRow = Record<string, JsonValue>

interface Fitted {
  readonly column: TargetColumn
  readonly fit: FitValue
}

export class RowFitter {
  readonly #columns: ReadonlyMap<string, Fitted>
  readonly #required: readonly string[]

  constructor(columns: readonly TargetColumn[], isText: boolean) {
    this.#columns = new Map(columns.map((column) => [column.name, { column, fit: fitterFor(column.type, isText) }]))
    this.#required = columns.filter(({ isRequired }) => isRequired).map(({ name }) => name)
  }

  /** @throws ReplogError INVALID_VALUE, NOT_FOUND (no such column), with the line in message and details */
  fit({ names, values, line }: SourceRecord): FittedRow {
    const row: FittedRow = {}
    for (let at = 0; at < names.length; at++) {
      const name = names[at]!
      const fitted = this.#columns.get(name)
      if (fitted === undefined) throw this.#unknownColumn(name, line)
      let value: JsonValue
      try {
        value = fitted.fit(values[at]!)
      } catch (error) {
        if (!isReplogError(error)) throw error
        throw new ReplogError(error.code, `line ${line}, column ${JSON.stringify(name)}: ${error.message}`, {
          cause: error,
          details: { line, column: name },
        })
      }
      if (value === null && !fitted.column.takesNull) throw noValue(name, line)
      row[name] = value
    }
    for (const name of this.#required) if (!Object.hasOwn(row, name)) throw noValue(name, line)
    return row
  }

  #unknownColumn(name: string, line: number): ReplogError {
    const hint = nearest(name, this.#columns.keys())
    return new ReplogError('NOT_FOUND', `line ${line}: the table has no column ${JSON.stringify(name)}${hint}`, {
      details: { line, column: name },
    })
  }
}

function noValue(name: string, line: number): ReplogError {
  const message = `line ${line}: column ${JSON.stringify(name)} is NOT NULL and has no value`
  return new ReplogError('INVALID_VALUE', message, { details: { line, column: name } })
}

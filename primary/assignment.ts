/**
 * The `set` of an update: new values, and additions to the value that the row has when the update is ordered.
 *
 * NULL plus anything is NULL, as in SQL. A sum that the column cannot hold is refused; nothing wraps or rounds.
 */
import { ReplogError } from '../core/errors.js'
import { type CompiledColumn, type CompiledTable, acceptValue } from '../ddl/compiled-table.js'
import type { Row, Value } from '../log/codec/column-type.js'
import type { SetInput } from './statement.js'

interface Assignment {
  readonly column: CompiledColumn
  /** For `add`: the checked addend. */
  readonly value: Value
  readonly add: boolean
}

/** Rough memory of one assignment beside its value, in bytes. */
const ASSIGNMENT_OVERHEAD_BYTES = 64

export class Assignments {
  readonly #assignments: readonly Assignment[]
  /** True when a value depends on the one before: such an update can run in the lane without a conflict. */
  readonly hasAddition: boolean
  /** Memory that the values take while they wait for the lane, in bytes. */
  readonly bytes: number

  private constructor(assignments: readonly Assignment[]) {
    this.#assignments = assignments
    this.hasAddition = assignments.some((assignment) => assignment.add)
    this.bytes = assignments.reduce(
      (sum, { column, value }) => sum + ASSIGNMENT_OVERHEAD_BYTES + (value === null ? 0 : column.codec.sizeMax(value)),
      0,
    )
  }

  /** @throws ReplogError INVALID_VALUE, NOT_FOUND (column), INVALID_ARGUMENT */
  static parse(table: CompiledTable, set: SetInput): Assignments {
    if (typeof set !== 'object' || set === null || Array.isArray(set)) {
      throw new ReplogError('INVALID_ARGUMENT', '`set` is an object of column names and new values')
    }
    const assignments: Assignment[] = []
    for (const name of Object.keys(set)) {
      const column = table.column(name)
      const input = set[name]
      if (input === undefined) continue
      if (column.message.type.kind !== 'JSON' && isAddition(input)) {
        assignments.push({ column, value: addendOf(column, input.add), add: true })
      } else {
        assignments.push({ column, value: input === null ? null : acceptValue(column, input), add: false })
      }
    }
    if (assignments.length === 0) throw new ReplogError('INVALID_ARGUMENT', '`set` names no column')
    return new Assignments(assignments)
  }

  /** Whether a column of the primary key or of an index is set: then other statements meet the row by its new value. */
  touchesKeys(table: CompiledTable): boolean {
    return this.#assignments.some(
      ({ column }) =>
        table.keyOrdinals.includes(column.ordinal) ||
        table.indexes.some((index) => index.ordinals.includes(column.ordinal)),
    )
  }

  /** The row after the update. @throws ReplogError INVALID_VALUE */
  apply(table: CompiledTable, row: Row): Row {
    return table.withValues(
      row,
      this.#assignments.map(({ column, value, add }) => [
        column,
        add ? sum(column, row[column.ordinal]!, value) : value,
      ]),
    )
  }
}

function isAddition(input: unknown): input is { add: unknown } {
  // Its keys are counted last: those of the bytes of a BLOB are as many as it has bytes.
  return typeof input === 'object' && input !== null && 'add' in input && Object.keys(input).length === 1
}

/** The addend of a numeric column; for DATE and the like there is no addition. */
function addendOf(column: CompiledColumn, input: unknown): Value {
  switch (column.message.type.kind) {
    case 'INTEGER':
    case 'BIGINT':
    case 'DOUBLE':
    case 'DECIMAL':
      return acceptValue(column, input)
    case 'BOOLEAN':
    case 'VARCHAR':
    case 'TEXT':
    case 'BLOB':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'UUID':
    case 'ENUM':
    case 'JSON':
      throw new ReplogError(
        'INVALID_VALUE',
        `column ${JSON.stringify(column.message.name)}: a ${column.message.type.kind} cannot be added to`,
      )
  }
}

function sum(column: CompiledColumn, current: Value, addend: Value): Value {
  if (current === null) return null
  const { type } = column.message
  if (type.kind === 'DECIMAL') {
    const total = unscaled(current as string, type.scale) + unscaled(addend as string, type.scale)
    return acceptValue(column, scaled(total, type.scale))
  }
  if (typeof current === 'bigint') return acceptValue(column, current + (addend as bigint))
  return acceptValue(column, (current as number) + (addend as number))
}

/** "12.50" with scale 2 as 1250n. The text is canonical, so it has exactly `scale` fraction digits. */
function unscaled(text: string, scale: number): bigint {
  return BigInt(scale === 0 ? text : text.replace('.', ''))
}

function scaled(value: bigint, scale: number): string {
  if (scale === 0) return value.toString()
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

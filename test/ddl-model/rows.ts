/**
 * Rows in the model: inserts, updates, deletes, what these set off by foreign keys, and what constraints say of rows.
 *
 * A foreign key is judged at the commit; CASCADE and SET NULL happen with the statement, oldest foreign key first, rows in
 * the order of their keys, and what these changes set off in turn comes last.
 */
import type { ErrorCode } from '../../core/errors.js'
import type { InsertInput, KeyInput, StatementResult, UpdateInput } from '../../primary/statement.js'
import {
  type Column,
  type ForeignKey,
  type Row,
  type State,
  type Table,
  columnById,
  columnsOf,
  hasNull,
  keyOf,
  refuse,
  sortedRows,
  tableOf,
  tupleText,
  withTable,
} from './catalog.js'
import type { Doubts } from './doubts.js'
import { evaluate } from './expressions.js'
import { type Value, accept } from './types.js'
import { defaultValue } from './unknown-values.js'

/** What a statement does when it is not refused. */
export interface Success {
  /** The state after it, but for what only the answer says. */
  readonly preview: State
  /** Checks the answer, and gives the state after it. @throws WrongAnswer */
  readonly settle: (result: StatementResult) => State
}

/** It has one answer, and the state after it. */
export function answers(preview: State, expected: StatementResult): Success {
  return {
    preview,
    settle: (result) => {
      requireAnswer(result, expected)
      return preview
    },
  }
}

/** The product answered something else than it should have. */
export class WrongAnswer extends Error {}

export function requireAnswer(result: StatementResult, expected: StatementResult): void {
  const shown = (one: StatementResult): string =>
    JSON.stringify(one, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  if (shown(result) !== shown(expected)) throw new WrongAnswer(`answered ${shown(result)}, expected ${shown(expected)}`)
}

export function insert(state: State, input: InsertInput, doubts: Doubts): Success {
  const table = tableOf(state, input.table)
  const auto = table.columns.find(({ autoIncrement }) => autoIncrement)
  const inserted = (chosen: readonly bigint[] | undefined): State => {
    let next = table
    for (const [ordinal, values] of input.rows.entries()) {
      const row = newRow(next, values, chosen?.[ordinal] ?? freeValue(next))
      requireRow(next, row, undefined, doubts)
      next = putRow(next, row)
    }
    return withTable(state, next)
  }
  const settle = (result: StatementResult): State => {
    const chosen = 'autoIncrement' in result ? result.autoIncrement : undefined
    requireAnswer(result, { inserted: input.rows.length, ...(auto && { autoIncrement: chosen ?? [] }) })
    if (auto !== undefined) requireFresh(table, auto, input.rows, chosen ?? [])
    return inserted(chosen)
  }
  return { preview: inserted(undefined), settle }
}

/** One that AUTO_INCREMENT may choose. */
function freeValue(table: Table): bigint {
  let { mark } = table
  for (const row of table.rows.values()) mark = markWith({ ...table, mark }, row)
  return mark + 1n
}

/** Values that the product chose lie above all that there ever were. */
function requireFresh(table: Table, auto: Column, rows: InsertInput['rows'], chosen: readonly bigint[]): void {
  let { mark } = table
  for (const [ordinal, row] of rows.entries()) {
    const value = chosen[ordinal]
    const given = row[auto.name]
    if (value === undefined) throw new WrongAnswer(`no AUTO_INCREMENT value for row ${ordinal}`)
    if (given == null && value <= mark) throw new WrongAnswer(`AUTO_INCREMENT chose ${value}, and ${mark} is taken`)
    if (given != null && accept(given, auto.type) !== accept(value, auto.type)) {
      throw new WrongAnswer(`AUTO_INCREMENT says ${value} for row ${ordinal}, which has another value`)
    }
    if (value > mark) mark = value
  }
}

function newRow(table: Table, values: Readonly<Record<string, unknown>>, next: bigint): Row {
  const flaws = new Set<ErrorCode>()
  for (const name of Object.keys(values)) {
    if (!table.columns.some((column) => column.name === name)) flaws.add('NOT_FOUND')
  }
  const row: Record<number, Value> = {}
  for (const { id, name, type, notNull, autoIncrement, default: given } of table.columns) {
    const input = values[name]
    let value = input === undefined ? defaultValue(given) : accept(input, type)
    if (value === null && autoIncrement) value = accept(next, type)
    if (value === undefined || (value === null && notNull)) flaws.add('INVALID_VALUE')
    row[id] = value ?? null
  }
  if (flaws.size > 0) refuse(...flaws)
  return row
}

/** The table with one more row, or with another one under its key. */
export function putRow(table: Table, row: Row): Table {
  const rows = new Map(table.rows).set(keyOf(table, row), row)
  return { ...table, rows, mark: markWith(table, row) }
}

export function markWith({ columns, mark }: Table, row: Row): bigint {
  const auto = columns.find(({ autoIncrement }) => autoIncrement)
  const value = auto && row[auto.id]
  return value != null && BigInt(value) > mark ? BigInt(value) : mark
}

/** Refuses a row that constraints of its own table do not allow in place of `before`. */
function requireRow(table: Table, row: Row, before: Row | undefined, doubts: Doubts): void {
  const flaws = new Set<ErrorCode>()
  if (violatesCheck(table, row)) flaws.add('CHECK_VIOLATION')
  const key = keyOf(table, row)
  const beforeKey = before && keyOf(table, before)
  if (key !== beforeKey && table.rows.has(key)) flaws.add('DUPLICATE_KEY')
  for (const { unique, parts, maybeBuilding } of table.indexes) {
    const columns = columnsOf(parts)
    if (!unique || hasNull(row, columns)) continue
    const tuple = tupleText(row, columns)
    if (before !== undefined && !hasNull(before, columns) && tupleText(before, columns) === tuple) continue
    for (const [otherKey, other] of table.rows) {
      if (otherKey === beforeKey || hasNull(other, columns) || tupleText(other, columns) !== tuple) continue
      if (maybeBuilding) doubts.add('DUPLICATE_KEY')
      else flaws.add('DUPLICATE_KEY')
    }
  }
  if (flaws.size > 0) refuse(...flaws)
}

export function violatesCheck(table: Table, row: Row): boolean {
  const read = (id: number) => ({ value: row[id]!, type: columnById(table, id).type })
  return table.checks.some(({ expression }) => evaluate(expression, read) === false)
}

/** Whether two rows have equal values, none of them NULL, in columns. */
export function hasDuplicates(table: Table, columns: readonly number[]): boolean {
  const met = new Set<string>()
  for (const row of table.rows.values()) {
    if (hasNull(row, columns)) continue
    const text = tupleText(row, columns)
    if (met.has(text)) return true
    met.add(text)
  }
  return false
}

export function hasTarget(state: State, { columns, target, targetColumns }: ForeignKey, row: Row): boolean {
  if (hasNull(row, columns)) return true
  const wanted = tupleText(row, columns)
  const rows = [...state.tables.get(target)!.rows.values()]
  return rows.some((one) => !hasNull(one, targetColumns) && tupleText(one, targetColumns) === wanted)
}

/** Whether some row refers to one that does not exist. */
export function violatesForeignKey(state: State): boolean {
  for (const { foreignKeys, rows } of state.tables.values()) {
    for (const foreignKey of foreignKeys) {
      for (const row of rows.values()) if (!hasTarget(state, foreignKey, row)) return true
    }
  }
  return false
}

export function update(state: State, input: UpdateInput, doubts: Doubts): Success {
  const table = tableOf(state, input.table)
  const key = keyText(table, input.key)
  const names = Object.keys(input.set).filter((name) => input.set[name] !== undefined)
  if (names.length === 0) refuse('INVALID_ARGUMENT')
  const flaws = new Set<ErrorCode>()
  const set: ((row: Row) => Value | undefined)[] = []
  const columns: Column[] = []
  for (const name of names) {
    const column = table.columns.find((one) => one.name === name)
    const given = input.set[name]
    if (column === undefined) {
      flaws.add('NOT_FOUND')
      continue
    }
    const isAddition = typeof given === 'object' && given !== null && 'add' in given
    const value = accept(isAddition ? given.add : given, column.type)
    const isNumber = ['INTEGER', 'BIGINT', 'DOUBLE', 'DECIMAL'].includes(column.type.kind)
    if (value === undefined || (isAddition && (!isNumber || value === null))) flaws.add('INVALID_VALUE')
    columns.push(column)
    set.push(isAddition ? (row) => added(row[column.id]!, value!, column) : () => value)
  }
  if (flaws.size > 0) refuse(...flaws)
  const before = table.rows.get(key)
  const changed = (): State => {
    if (before === undefined) return state
    const after: Record<number, Value> = { ...before }
    for (const [ordinal, column] of columns.entries()) {
      const value = set[ordinal]!(before)
      if (value === undefined || (value === null && column.notNull)) refuse('INVALID_VALUE')
      after[column.id] = value
    }
    return new Changes(state, doubts).run(table.id, before, after)
  }
  return answers(changed(), { updated: before === undefined ? 0 : 1 })
}

function added(current: Value, addend: Value, { type }: Column): Value | undefined {
  if (current === null) return null
  if (type.kind === 'INTEGER' || type.kind === 'DOUBLE') return accept(Number(current) + Number(addend), type)
  if (type.kind === 'BIGINT') return accept((current as bigint) + (addend as bigint), type)
  if (type.kind !== 'DECIMAL') return undefined
  const unscaled = [current, addend].map((value) => BigInt((value as string).replace('.', '')))
  const sum = (unscaled[0]! + unscaled[1]!).toString()
  const [sign, digits] = sum.startsWith('-') ? ['-', sum.slice(1)] : ['', sum]
  const padded = digits.padStart(type.scale + 1, '0')
  const point = padded.length - type.scale
  return accept(`${sign}${padded.slice(0, point)}${type.scale === 0 ? '' : `.${padded.slice(point)}`}`, type)
}

export function remove(state: State, input: KeyInput, doubts: Doubts): Success {
  const table = tableOf(state, input.table)
  const before = table.rows.get(keyText(table, input.key))
  const next = before === undefined ? state : new Changes(state, doubts).run(table.id, before, undefined)
  return answers(next, { deleted: before === undefined ? 0 : 1 })
}

/** Of a key that a user gives: a value, not NULL, for exactly the columns of the primary key. */
export function keyText(table: Table, key: Readonly<Record<string, unknown>>): string {
  const flaws = new Set<ErrorCode>()
  const row: Record<number, Value> = {}
  const columns = columnsOf(table.primaryKey)
  for (const name of Object.keys(key)) {
    const column = table.columns.find((one) => one.name === name)
    const value = column && accept(key[name], column.type)
    if (column === undefined) flaws.add('NOT_FOUND')
    else if (!columns.includes(column.id) || value == null) flaws.add('INVALID_VALUE')
    else row[column.id] = value
  }
  if (flaws.size > 0) refuse(...flaws)
  if (columns.some((id) => row[id] === undefined)) refuse('INVALID_VALUE')
  return tupleText(row, columns)
}

/** Values of a row that foreign keys may refer to, and what has taken their place. */
interface Abandoned {
  readonly table: number
  readonly foreignKey: number
  readonly values: string
  readonly replaced: readonly Value[] | undefined
}

/** The changes of one statement. */
class Changes {
  #state: State
  readonly #doubts: Doubts
  readonly #abandoned: Abandoned[] = []

  constructor(state: State, doubts: Doubts) {
    this.#state = state
    this.#doubts = doubts
  }

  /** A row changes, or goes; @returns the state when all that it set off has happened */
  run(tableId: number, before: Row, after: Row | undefined): State {
    this.#change(tableId, before, after)
    for (const one of this.#abandoned) this.#follow(one)
    return this.#state
  }

  #change(tableId: number, before: Row, after: Row | undefined): void {
    const table = this.#state.tables.get(tableId)!
    const rows = new Map(table.rows)
    rows.delete(keyOf(table, before))
    if (after !== undefined) requireRow(table, after, before, this.#doubts)
    const next = after === undefined ? { ...table, rows } : putRow({ ...table, rows }, after)
    this.#state = withTable(this.#state, next)
    for (const { table: referring, foreignKey } of table.referencedBy) {
      const { targetColumns } = this.#foreignKey(referring, foreignKey)
      if (hasNull(before, targetColumns)) continue
      const values = tupleText(before, targetColumns)
      if (after !== undefined && tupleText(after, targetColumns) === values) continue
      const replaced = after && targetColumns.map((id) => after[id]!)
      this.#abandoned.push({ table: referring, foreignKey, values, replaced })
    }
  }

  #follow({ table: tableId, foreignKey: id, values, replaced }: Abandoned): void {
    const { columns, onDelete, onUpdate } = this.#foreignKey(tableId, id)
    const action = replaced === undefined ? onDelete : onUpdate
    if (action === 'restrict') return
    const table = this.#state.tables.get(tableId)!
    const order = columns.map((column) => ({ column, descending: false }))
    for (const row of sortedRows(table, order)) {
      if (hasNull(row, columns) || tupleText(row, columns) !== values) continue
      // A row before this one may have changed it.
      if (this.#state.tables.get(tableId)!.rows.get(keyOf(table, row)) !== row) continue
      if (action === 'cascade' && replaced === undefined) {
        this.#change(tableId, row, undefined)
        continue
      }
      const after: Record<number, Value> = { ...row }
      for (const [ordinal, column] of columns.entries()) {
        const value = action === 'set null' ? null : accept(replaced![ordinal]!, columnById(table, column).type)
        after[column] = value ?? (action === 'set null' ? null : refuse('INVALID_VALUE'))
      }
      this.#change(tableId, row, after)
    }
  }

  #foreignKey(table: number, id: number): ForeignKey {
    return this.#state.tables.get(table)!.foreignKeys.find((one) => one.id === id)!
  }
}

/** A row by its key. */
export function get(state: State, input: KeyInput): Row | undefined {
  const table = tableOf(state, input.table)
  return table.rows.get(keyText(table, input.key))
}

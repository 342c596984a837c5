/**
 * ALTER TABLE, CREATE INDEX and DROP INDEX in the model: the changes one after another on a working copy, rows with them,
 * and at the end what the rows that are there say to the definition that has become of it.
 */
import type { ErrorCode } from '../../core/errors.js'
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import type { AlterTableInput, CreateIndexInput, DropIndexInput, StatementResult } from '../../primary/statement.js'
import {
  type Column,
  type ForeignKey,
  type Index,
  type Row,
  type State,
  type Table,
  columnNamed,
  columnsOf,
  hasNull,
  keyOf,
  refuse,
  tableOf,
  withTable,
} from './catalog.js'
import {
  acceptDefault,
  beginsWith,
  makeColumn,
  makeIndex,
  makeKey,
  requireName,
  targetKey,
  withCheck,
  withForeignKey,
  withReferences,
  withoutReferences,
} from './definitions.js'
import { columnsIn, retyped } from './expressions.js'
import type { Doubts } from './doubts.js'
import { type Success, answers, hasDuplicates, hasTarget, requireAnswer, violatesCheck } from './rows.js'
import { mergedOptions } from './tables.js'
import { type Type, convert, isConvertible, isReferable, isText, isWidening, parseType, sameType } from './types.js'
import { EACH_ANOTHER, defaultValue } from './unknown-values.js'

/** How the server decides where it makes the entries of an index. */
export interface IndexBuilding {
  /** Rows up to which the statement itself makes them. */
  readonly rowsMax: number
  /** Whether the transaction has written before, which counts like rows. */
  readonly hasWritten: boolean
}

/** @returns undefined when the changes leave the table as it was */
function altered(
  state: State,
  before: Table,
  changes: readonly AlterTableChange[],
  building: IndexBuilding,
  doubts: Doubts,
): State | undefined {
  const work = new Alteration(state, before, building, doubts)
  for (const change of changes) work.apply(change)
  return work.finish()
}

export function alterTable(state: State, input: AlterTableInput, building: IndexBuilding, doubts: Doubts): Success {
  const table = tableOf(state, input.table)
  if (input.changes.length === 0) refuse('INVALID_ARGUMENT')
  const next = altered(state, table, input.changes, building, doubts)
  return answers(next ?? state, { altered: next !== undefined })
}

export function createIndex(state: State, input: CreateIndexInput, building: IndexBuilding, doubts: Doubts): Success {
  const table = tableOf(state, input.table)
  if (table.indexes.some(({ name }) => name === input.index.name)) {
    if (input.ifNotExists !== true) refuse('ALREADY_EXISTS')
    return answers(state, { created: false })
  }
  const next = altered(state, table, [{ addIndex: input.index }], building, doubts)!
  const settle = (result: StatementResult): State => {
    const after = next.tables.get(table.id)!
    const index = after.indexes.at(-1)!
    const isBuilding = 'building' in result && result.building
    requireAnswer(result, { created: true, ...(isBuilding && index.maybeBuilding ? { building: true } : {}) })
    return withTable(next, withIndex(after, { ...index, maybeBuilding: isBuilding }))
  }
  return { preview: next, settle }
}

export function dropIndex(state: State, input: DropIndexInput, doubts: Doubts): Success {
  const table = tableOf(state, input.table)
  const exists = table.indexes.some(({ name }) => name === input.index)
  const next =
    !exists && input.ifExists === true
      ? state
      : altered(state, table, [{ dropIndex: { name: input.index } }], { rowsMax: Infinity, hasWritten: false }, doubts)!
  return answers(next, { dropped: exists })
}

export function withIndex(table: Table, next: Index): Table {
  return { ...table, indexes: table.indexes.map((index) => (index.id === next.id ? next : index)) }
}

/** Whether a unique index, perhaps one that the server is still making, stands for rows that it cannot have. */
export function cannotBe(table: Table, { unique, parts }: Index): boolean {
  return unique && hasDuplicates(table, columnsOf(parts))
}

type Bodies = { readonly [Kind in AlterTableChange as keyof Kind]: Kind[keyof Kind] }

class Alteration {
  readonly #state: State
  readonly #before: Table
  readonly #building: IndexBuilding
  readonly #doubts: Doubts
  readonly #flaws = new Set<ErrorCode>()
  /** Columns of which some value has none in its new type. */
  readonly #unfit = new Set<number>()
  /** Columns whose values were written anew. */
  readonly #converted = new Set<number>()
  #table: Table

  constructor(state: State, before: Table, building: IndexBuilding, doubts: Doubts) {
    this.#state = state
    this.#before = before
    this.#table = before
    this.#building = building
    this.#doubts = doubts
  }

  apply(change: AlterTableChange): void {
    const [kind, body] = Object.entries(change)[0] as [keyof Bodies, never]
    this.#table = this.#changes[kind](body, this.#table)
  }

  /** @throws Refused when rows do not fit */
  finish(): State | undefined {
    const before = this.#before
    const isNew = (items: readonly { readonly id: number }[]) => (one: { readonly id: number }) =>
      !items.some(({ id }) => id === one.id)
    if (isSameDefinition(before, this.#table)) return undefined
    const isRewritten =
      before.rows.size > 0 &&
      (JSON.stringify(before.primaryKey) !== JSON.stringify(this.#table.primaryKey) ||
        this.#table.columns.some(({ id }) => this.#converted.has(id)))
    const added = this.#table.foreignKeys.filter(isNew(before.foreignKeys))
    const dropped = before.foreignKeys.filter(isNew(this.#table.foreignKeys))
    const newIndexes = this.#table.indexes.filter(isNew(before.indexes))
    const { rowsMax, hasWritten } = this.#building
    const mayBuild = before.rows.size > 0 && !isRewritten && (hasWritten || before.rows.size > rowsMax)
    const indexes = this.#table.indexes.map((index) => {
      if (isRewritten) return { ...index, maybeBuilding: false }
      return newIndexes.includes(index) ? { ...index, maybeBuilding: mayBuild } : index
    })
    const rows = [...this.#table.rows.values()]
    const table = this.#rekeyed({ ...this.#table, indexes })
    const state = withTable(this.#state, table)
    if (table.columns.some(({ id }) => this.#unfit.has(id))) this.#flaws.add('INVALID_VALUE')
    this.#judge(state, table, rows, added)
    if (!isRewritten) this.#doubtIndexes(table)
    if (this.#flaws.size > 0) refuse(...this.#flaws)
    return withReferences(withoutReferences(state, dropped), table, added)
  }

  #rekeyed(table: Table): Table {
    const rows = new Map<string, Row>()
    for (const row of table.rows.values()) {
      const key = keyOf(table, row)
      if (rows.has(key)) this.#flaws.add('DUPLICATE_KEY')
      rows.set(key, row)
    }
    return { ...table, rows }
  }

  /** What is wrong with the rows. */
  #judge(state: State, table: Table, rows: readonly Row[], added: readonly ForeignKey[]): void {
    const notNull = table.columns.filter((column) => column.notNull).map(({ id }) => id)
    for (const row of rows) {
      if (hasNull(row, notNull)) this.#flaws.add('INVALID_VALUE')
      if (violatesCheck(table, row)) this.#flaws.add('CHECK_VIOLATION')
      for (const foreignKey of added) {
        if (!hasTarget(state, foreignKey, row)) this.#flaws.add('FOREIGN_KEY_VIOLATION')
      }
    }
    for (const index of table.indexes) {
      if (!cannotBe(table, index)) continue
      if (!index.maybeBuilding) this.#flaws.add('DUPLICATE_KEY')
      else if (!this.#before.indexes.some(({ id }) => id === index.id)) this.#doubts.add('DUPLICATE_KEY')
    }
  }

  /** What foreign keys find rows by must have all its entries. */
  #doubtIndexes(table: Table): void {
    const ready = { ...table, indexes: table.indexes.filter(({ maybeBuilding }) => !maybeBuilding) }
    const isReady =
      table.foreignKeys.every(({ columns }) => leads(ready, columns)) &&
      this.#references(table).every(({ targetColumns }) => targetKey(ready, targetColumns) !== undefined)
    if (!isReady) this.#doubts.add('INDEX_BUILDING')
  }

  readonly #changes: { readonly [Kind in keyof Bodies]: (body: Bodies[Kind], table: Table) => Table } = {
    addColumn: (body, table) => {
      if (table.columns.some(({ name }) => name === body.name)) refuse('ALREADY_EXISTS')
      const column = makeColumn(body)
      const { autoIncrement, notNull } = column
      if (autoIncrement && table.columns.some((one) => one.autoIncrement)) refuse('INVALID_DEFINITION')
      if (table.rows.size > 0 && (autoIncrement || (notNull && column.default === undefined))) {
        refuse('INVALID_DEFINITION')
      }
      const rows = new Map<string, Row>()
      for (const [key, row] of table.rows) rows.set(key, { ...row, [column.id]: defaultValue(column.default) })
      if (column.default === EACH_ANOTHER) this.#converted.add(column.id)
      return placed({ ...table, columns: [...table.columns, column], rows }, column, body)
    },
    dropColumn: ({ name }, table) => {
      const { id } = columnNamed(table, name)
      const uses = [table.primaryKey, ...table.indexes.map(({ parts }) => parts)].flatMap(columnsOf)
      const checked = table.checks.flatMap(({ expression }) => [...columnsIn(expression)])
      if ([...uses, ...checked, ...this.#referringColumns(table)].includes(id)) refuse('DEPENDENT_OBJECTS')
      return { ...table, columns: table.columns.filter((column) => column.id !== id) }
    },
    renameColumn: ({ name, to }, table) => {
      const column = columnNamed(table, name)
      if (name === to) return table
      requireName(to)
      if (table.columns.some((one) => one.name === to)) refuse('ALREADY_EXISTS')
      return withColumn(table, { ...column, name: to })
    },
    moveColumn: ({ name, ...place }, table) => placed(table, columnNamed(table, name), place),
    setDefault: ({ column: name, default: given }, table) => {
      const column = columnNamed(table, name)
      const value = given === undefined ? undefined : acceptDefault(given, column.type)
      if (value === undefined || (value !== null && column.autoIncrement)) refuse('INVALID_DEFINITION')
      return withColumn(table, { ...column, default: value ?? undefined })
    },
    dropDefault: ({ column }, table) => withColumn(table, { ...columnNamed(table, column), default: undefined }),
    setNotNull: ({ column }, table) => notNull(table, columnNamed(table, column)),
    dropNotNull: ({ column: name }, table) => {
      const column = columnNamed(table, name)
      if (columnsOf(table.primaryKey).includes(column.id)) refuse('DEPENDENT_OBJECTS')
      if (column.autoIncrement) refuse('INVALID_DEFINITION')
      return withColumn(table, { ...column, notNull: false })
    },
    setType: ({ column, type }, table) => this.#setType(table, columnNamed(table, column), parseType(type)),
    setColumnComment: ({ column, comment }, table) => withColumn(table, { ...columnNamed(table, column), comment }),
    addIndex: (body, table) => {
      if (table.indexes.some(({ name }) => name === body.name)) refuse('ALREADY_EXISTS')
      return { ...table, indexes: [...table.indexes, makeIndex(body, table.columns)] }
    },
    dropIndex: ({ name }, table) => {
      if (!table.indexes.some((index) => index.name === name)) refuse('NOT_FOUND')
      return this.#requireKeys({ ...table, indexes: table.indexes.filter((index) => index.name !== name) })
    },
    renameIndex: ({ name, to }, table) => {
      const index = table.indexes.find((one) => one.name === name) ?? refuse('NOT_FOUND')
      if (name === to) return table
      requireName(to)
      if (table.indexes.some((one) => one.name === to)) refuse('ALREADY_EXISTS')
      return withIndex(table, { ...index, name: to })
    },
    setPrimaryKey: ({ columns }, table) => {
      const primaryKey = makeKey(columns, table.columns)
      if (JSON.stringify(primaryKey) === JSON.stringify(table.primaryKey)) return table
      let next = table
      for (const { column } of primaryKey)
        next = notNull(
          next,
          next.columns.find(({ id }) => id === column)!,
        )
      return this.#requireKeys({ ...next, primaryKey })
    },
    addForeignKey: (body, table) => {
      requireFreeName(table, body.name)
      return withForeignKey(withTable(this.#state, table), table, body, this.#doubts)
    },
    dropForeignKey: ({ name }, table) => {
      const gone = table.foreignKeys.find((one) => one.name === name) ?? refuse('NOT_FOUND')
      return {
        ...table,
        foreignKeys: table.foreignKeys.filter((one) => one !== gone),
        referencedBy: table.referencedBy.filter(({ foreignKey }) => foreignKey !== gone.id),
      }
    },
    addCheck: (body, table) => {
      requireFreeName(table, body.name)
      return withCheck(table, body)
    },
    dropCheck: ({ name }, table) => {
      if (!table.checks.some((one) => one.name === name)) refuse('NOT_FOUND')
      return { ...table, checks: table.checks.filter((one) => one.name !== name) }
    },
    setComment: ({ comment }, table) => ({ ...table, comment }),
    setOptions: (body, table) => ({ ...table, options: mergedOptions(table.options, body) }),
    setRowImage: ({ rowImage }, table) => {
      if (rowImage !== 'full' && rowImage !== 'minimal') refuse('INVALID_DEFINITION')
      return { ...table, rowImage }
    },
  }

  #setType(table: Table, column: Column, to: Type | undefined): Table {
    if (to === undefined) refuse('INVALID_DEFINITION')
    const { id, type: from } = column
    if (sameType(from, to)) return table
    if (!isConvertible(from, to)) refuse('INVALID_DEFINITION')
    const flaws = new Set<ErrorCode>()
    if (column.autoIncrement && to.kind !== 'INTEGER' && to.kind !== 'BIGINT') flaws.add('INVALID_DEFINITION')
    const keys = [table.primaryKey, ...table.indexes.map(({ parts }) => parts)].flatMap(columnsOf)
    if (to.kind === 'JSON' && keys.includes(id)) flaws.add('DEPENDENT_OBJECTS')
    const isHarmless = isWidening(from, to) && (isText(to) || isReferable(to, from))
    if (!isHarmless && this.#referringColumns(table).includes(id)) flaws.add('DEPENDENT_OBJECTS')
    const isEach = column.default === EACH_ANOTHER
    const given = column.default === undefined || isEach ? undefined : convert(column.default, from, to)
    if (isEach) flaws.add('INVALID_DEFINITION')
    if (column.default !== undefined && !isEach && given === undefined) flaws.add('INVALID_DEFINITION')
    const typeOf = (other: number): Type => table.columns.find((one) => one.id === other)!.type
    const checks = table.checks.map((check) => {
      const expression = retyped(check.expression, { id, from, to }, typeOf)
      if (expression === undefined) flaws.add('DEPENDENT_OBJECTS')
      return { ...check, expression: expression ?? check.expression }
    })
    if (flaws.size > 0) refuse(...flaws)
    if (!isWidening(from, to)) this.#converted.add(id)
    const rows = new Map<string, Row>()
    for (const [key, row] of table.rows) {
      const value = convert(row[id]!, from, to)
      if (value === undefined) this.#unfit.add(id)
      rows.set(key, { ...row, [id]: value ?? null })
    }
    return { ...withColumn(table, { ...column, type: to, default: given ?? undefined }), checks, rows }
  }

  /** Columns that a foreign key leads from or to. */
  #referringColumns(table: Table): readonly number[] {
    const own = table.foreignKeys.flatMap(({ columns }) => columns)
    return [...own, ...this.#references(table).flatMap(({ targetColumns }) => targetColumns)]
  }

  #references(table: Table): readonly ForeignKey[] {
    return table.referencedBy.map(({ table: id, foreignKey }) => {
      const { foreignKeys } = id === table.id ? table : this.#state.tables.get(id)!
      return foreignKeys.find((one) => one.id === foreignKey)!
    })
  }

  /** Refuses what leaves a foreign key without the key that it is looked up by. */
  #requireKeys(table: Table): Table {
    const ready = { ...table, indexes: table.indexes.filter(({ maybeBuilding }) => !maybeBuilding) }
    for (const { targetColumns } of this.#references(table)) {
      if (targetKey(table, targetColumns) === undefined) refuse('DEPENDENT_OBJECTS')
      if (targetKey(ready, targetColumns) === undefined) this.#doubts.add('DEPENDENT_OBJECTS')
    }
    if (!table.foreignKeys.every(({ columns }) => leads(table, columns))) refuse('DEPENDENT_OBJECTS')
    if (!table.foreignKeys.every(({ columns }) => leads(ready, columns))) this.#doubts.add('INDEX_BUILDING')
    return table
  }
}

/** Whether rows are found by these columns. */
function leads({ primaryKey, indexes }: Table, columns: readonly number[]): boolean {
  return [primaryKey, ...indexes.map(({ parts }) => parts)].some((parts) => beginsWith(parts, columns))
}

function isSameDefinition(one: Table, other: Table): boolean {
  const text = ({ columns, primaryKey, indexes, foreignKeys, checks, comment, options, rowImage }: Table): string => {
    const sorted = Object.entries(options).sort()
    const definition = { columns, primaryKey, indexes, foreignKeys, checks, comment, sorted, rowImage }
    return JSON.stringify(definition, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  }
  return text(one) === text(other)
}

function withColumn(table: Table, next: Column): Table {
  return { ...table, columns: table.columns.map((column) => (column.id === next.id ? next : column)) }
}

function notNull(table: Table, column: Column): Table {
  if (column.notNull) return table
  const setsNull = table.foreignKeys.some(
    ({ columns, onDelete, onUpdate }) =>
      columns.includes(column.id) && (onDelete === 'set null' || onUpdate === 'set null'),
  )
  if (setsNull) refuse('DEPENDENT_OBJECTS')
  return withColumn(table, { ...column, notNull: true })
}

function placed(table: Table, column: Column, place: { readonly first?: boolean; readonly after?: string }): Table {
  const others = table.columns.filter(({ id }) => id !== column.id)
  if (place.first === true && place.after !== undefined) refuse('INVALID_DEFINITION')
  if (place.after === undefined) {
    return { ...table, columns: place.first === true ? [column, ...others] : [...others, column] }
  }
  const before = columnNamed(table, place.after)
  if (before.id === column.id) refuse('INVALID_DEFINITION')
  return { ...table, columns: others.flatMap((one) => (one.id === before.id ? [one, column] : [one])) }
}

function requireFreeName(table: Table, name: string | undefined): void {
  if (name === undefined) return
  if ([...table.foreignKeys, ...table.checks].some((one) => one.name === name)) refuse('ALREADY_EXISTS')
}

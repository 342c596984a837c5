/**
 * Random statements on the catalog as it is: most can be done, some of each kind must be refused, and what the model says
 * of them is not known here.
 */
import type { Random } from '../isolation/random.js'
import type { CreateTableAsInput, RowInput, StatementInput } from '../../primary/statement.js'
import { ChangeGenerator } from './change-generator.js'
import { type Row, type State, type Table, columnById, columnsOf, nameOf } from './catalog.js'
import { COLUMN_NAMES, Choices, INDEX_NAMES, SCHEMA_NAMES } from './choices.js'
import { DefinitionGenerator } from './definition-generator.js'
import { pattern } from './patterns.js'
import { keyText } from './rows.js'
import { isUnknown } from './unknown-values.js'

/** Tables with more rows than this lose some. */
const ROWS_MAX = 45
const TABLES_MAX = 6

type Make = (state: State, table: Table) => StatementInput | undefined

export class Generator {
  readonly choices: Choices
  /** Id of the table of the last statement. */
  #focus: number | undefined
  /** What is to come after the last statement. */
  #queue: readonly StatementInput[] = []
  readonly #definitions: DefinitionGenerator
  readonly #changes: ChangeGenerator

  constructor(random: Random) {
    this.choices = new Choices(random)
    this.#definitions = new DefinitionGenerator(this.choices)
    this.#changes = new ChangeGenerator(this.choices, this.#definitions)
  }

  /** A new transaction: it will come back to the table that it begins with, and to those around it. */
  begin(): void {
    this.#focus = undefined
    this.#queue = []
  }

  statement(state: State): StatementInput {
    const { choices } = this
    if (this.#queue.length === 0 && choices.chance(0.05)) this.#queue = this.#pattern(state)
    const [next, ...rest] = this.#queue
    this.#queue = rest
    if (next !== undefined) return next
    if (state.schemas.size === 0) return { createSchema: { schema: choices.pick(SCHEMA_NAMES) } }
    for (;;) {
      if (state.tables.size < 3 || (state.tables.size < TABLES_MAX && choices.chance(0.08)))
        return this.#createTable(state)
      const table = this.#table(state)
      const make = this.#kind()
      const statement = make(state, table)
      if (statement !== undefined) return statement
    }
  }

  #pattern(state: State): readonly StatementInput[] {
    const row = (table: Table): Record<string, unknown> => ({ ...this.#row(state, table, true) })
    return pattern({ choices: this.choices, state, row }) ?? []
  }

  /** Some table; as a rule that of the statement before, or one that a foreign key connects with it. */
  #table(state: State): Table {
    const { choices } = this
    const before = this.#focus === undefined ? undefined : state.tables.get(this.#focus)
    const around = before && [
      ...[before.id, before.id],
      ...before.foreignKeys.map(({ target }) => target),
      ...before.referencedBy.map(({ table }) => table),
    ]
    const id = around === undefined || choices.chance(0.35) ? undefined : choices.pick(around)
    const table = (id === undefined ? undefined : state.tables.get(id)) ?? choices.table(state)!
    this.#focus = table.id
    return table
  }

  #kind(): Make {
    let dice = this.choices.random.below(this.#shares)
    for (const [share, make] of this.#kinds) {
      dice -= share
      if (dice < 0) return make
    }
    return this.#kinds[0]![1]
  }

  readonly #kinds: readonly (readonly [share: number, make: Make])[] = [
    [24, (state, table) => this.#insert(state, table)],
    [14, (state, table) => this.#update(state, table)],
    [9, (state, table) => this.#delete(state, table)],
    [5, (state, table) => ({ get: { table: this.#name(state, table), key: this.#key(table) } })],
    [5, (state, table) => this.#scan(state, table)],
    [
      18,
      (state, table) => ({
        alterTable: { table: this.#name(state, table), changes: this.#changes.changes(state, table) },
      }),
    ],
    [6, (state, table) => this.#createIndex(state, table)],
    [3, (state, table) => this.#dropIndex(state, table)],
    [2, (state) => this.#createTable(state)],
    [3, (state, table) => this.#createTableAs(state, table)],
    [2, (state, table) => this.#dropTable(state, table)],
    [2, (state, table) => ({ truncateTable: { table: this.#name(state, table) } })],
    [4, (state) => this.#rename(state)],
    [2, (state) => this.#schema(state)],
  ]
  readonly #shares = this.#kinds.reduce((sum, [share]) => sum + share, 0)

  #name(state: State, table: Table): string {
    return this.choices.chance(0.015) ? this.choices.pick(['test.nothing', 'nothing.a']) : nameOf(state, table)
  }

  #insert(state: State, table: Table): StatementInput | undefined {
    const { choices } = this
    if (table.rows.size >= ROWS_MAX) return this.#delete(state, table)
    const count = choices.chance(0.12) ? 8 + choices.random.below(10) : 1 + choices.random.below(3)
    const isChosen = choices.chance(0.8)
    const taken = new Set(table.rows.keys())
    const rows: RowInput[] = []
    for (let ordinal = 0; ordinal < count; ordinal++) {
      let row = this.#row(state, table, isChosen)
      for (let attempt = 0; attempt < 4 && this.#isTaken(table, row, taken); attempt++) {
        row = this.#row(state, table, isChosen)
      }
      rows.push(row)
    }
    return { insert: { table: this.#name(state, table), rows } }
  }

  /** Whether a row has the key of another one; its key is taken from here on. */
  #isTaken(table: Table, row: RowInput, taken: Set<string>): boolean {
    const names = columnsOf(table.primaryKey).map((id) => columnById(table, id).name)
    if (names.some((name) => row[name] == null)) return false
    try {
      const key = keyText(table, Object.fromEntries(names.map((name) => [name, row[name]])))
      const isTaken = taken.has(key)
      taken.add(key)
      return isTaken
    } catch {
      return false
    }
  }

  #row(state: State, table: Table, isChosen: boolean): RowInput {
    const { choices } = this
    const row: Record<string, unknown> = {}
    const keys = columnsOf(table.primaryKey)
    for (const column of table.columns) {
      if (column.autoIncrement && isChosen) continue
      const canBeLeftOut = !column.notNull || column.default !== undefined
      if (canBeLeftOut && choices.chance(0.15)) continue
      if (choices.chance(0.006)) row[column.name] = choices.wrongValue(column.type)
      else if (isUnknown(column.default) && choices.chance(0.7)) continue
      else row[column.name] = choices.valueOf(column, keys.includes(column.id) || choices.chance(0.2))
    }
    for (const { columns, target, targetColumns } of table.foreignKeys) {
      const values = this.#targetValues(state.tables.get(target)!, targetColumns)
      if (values === undefined) continue
      for (const [ordinal, id] of columns.entries()) row[columnById(table, id).name] = values[ordinal]
    }
    // Left out: whether a value that is given later meets one that is chosen, nobody can say.
    for (const { name, autoIncrement } of table.columns) if (autoIncrement && isChosen) row[name] = undefined
    if (choices.chance(0.006)) row['nothing'] = 1
    return row
  }

  #targetValues({ rows }: Table, columns: readonly number[]): readonly unknown[] | undefined {
    if (rows.size === 0 || this.choices.chance(0.15)) return undefined
    const row = this.choices.pick([...rows.values()])
    return columns.some((id) => row[id] === null) ? undefined : columns.map((id) => row[id])
  }

  #someRow({ rows }: Table): Row | undefined {
    return rows.size === 0 || this.choices.chance(0.05) ? undefined : this.choices.pick([...rows.values()])
  }

  #key(table: Table): RowInput {
    const row = this.#someRow(table)
    const key: Record<string, unknown> = {}
    for (const id of columnsOf(table.primaryKey)) {
      const { name, type } = columnById(table, id)
      key[name] = row === undefined ? this.choices.value(type, true) : row[id]
    }
    if (this.choices.chance(0.01)) key['nothing'] = 1
    return key
  }

  #update(state: State, table: Table): StatementInput {
    const { choices } = this
    const set: Record<string, unknown> = {}
    for (const column of choices.some(table.columns, 2)) {
      const isNumber = ['INTEGER', 'BIGINT', 'DOUBLE', 'DECIMAL'].includes(column.type.kind)
      if (choices.chance(0.006)) set[column.name] = choices.wrongValue(column.type)
      else if (isNumber && choices.chance(0.3)) set[column.name] = { add: choices.value(column.type) }
      else set[column.name] = choices.valueOf(column, choices.chance(0.5))
    }
    if (choices.chance(0.006)) set['nothing'] = 1
    if (choices.chance(0.5)) {
      for (const { columns, target, targetColumns } of table.foreignKeys) {
        const values = this.#targetValues(state.tables.get(target)!, targetColumns)
        if (values === undefined || columns.some((id) => !(columnById(table, id).name in set))) continue
        for (const [ordinal, id] of columns.entries()) set[columnById(table, id).name] = values[ordinal]
      }
    }
    return { update: { table: this.#name(state, table), key: this.#key(table), set } }
  }

  #delete(state: State, table: Table): StatementInput {
    return { delete: { table: this.#name(state, table), key: this.#key(table) } }
  }

  #scan(state: State, table: Table): StatementInput {
    const { choices } = this
    const indexes = table.indexes.length > 0 || choices.chance(0.1) ? table.indexes : undefined
    const index = choices.chance(0.6)
      ? indexes && choices.pickOr(indexes, { name: 'nothing' } as never).name
      : undefined
    return {
      scan: {
        table: this.#name(state, table),
        ...(index === undefined ? {} : { index }),
        ...(choices.chance(0.4) ? { reverse: true } : {}),
        ...(choices.chance(0.2) ? { limit: choices.random.below(5) } : {}),
      },
    }
  }

  #createTable(state: State): StatementInput {
    const table = this.#definitions.table(state, this.choices.newTableName(state))
    return { createTable: { table, ...(this.choices.chance(0.15) ? { ifNotExists: true } : {}) } }
  }

  #createTableAs(state: State, table: Table): StatementInput {
    const { choices } = this
    const scan = this.#scan(state, table)
    const from = 'scan' in scan ? scan.scan : { table: nameOf(state, table) }
    const projection = choices.some(table.columns, 4).map(({ name }) => {
      return choices.chance(0.2) ? { column: name, as: choices.pick(COLUMN_NAMES) } : name
    })
    const keys = columnsOf(table.primaryKey).map((id) => columnById(table, id).name)
    const isWhole = choices.chance(0.4)
    const columns = isWhole ? undefined : choices.chance(0.8) ? [...new Set([...keys, ...projection])] : projection
    const isUuid = (name: string): boolean => table.columns.some((one) => one.name === name && one.type.kind === 'UUID')
    const names = (columns ?? table.columns.map(({ name }) => name)).flatMap((one) => {
      const [name, as] = typeof one === 'string' ? [one, one] : [one.column, one.as]
      return isUuid(name) ? [] : [as]
    })
    const given = table.columns.filter(({ autoIncrement, type }) => !autoIncrement && type.kind !== 'UUID')
    const input: CreateTableAsInput = {
      table: choices.newTableName(state),
      from,
      ...(columns === undefined ? {} : { columns }),
      ...(choices.chance(0.4) && given.length > 0 ? { where: this.#definitions.expression(given, 1) } : {}),
      ...(choices.chance(0.25) ? { primaryKey: this.#definitions.key(choices.some(names, 2)) } : {}),
      ...(choices.chance(0.1) ? { ifNotExists: true } : {}),
    }
    return { createTableAs: input }
  }

  #createIndex(state: State, table: Table): StatementInput {
    const names = table.columns.filter(({ type }) => type.kind !== 'UUID').map(({ name }) => name)
    const taken = table.indexes.map(({ name }) => name)
    const index = this.#definitions.index(names, this.choices.freeName(INDEX_NAMES, taken))
    const ifNotExists = this.choices.chance(0.2) ? { ifNotExists: true } : {}
    return { createIndex: { table: this.#name(state, table), index, ...ifNotExists } }
  }

  #dropIndex(state: State, table: Table): StatementInput | undefined {
    if (table.indexes.length === 0 && !this.choices.chance(0.1)) return undefined
    const index = this.choices.pickOr(table.indexes, { name: 'nothing' } as never).name
    const ifExists = this.choices.chance(0.2) ? { ifExists: true } : {}
    return { dropIndex: { table: this.#name(state, table), index, ...ifExists } }
  }

  #dropTable(state: State, table: Table): StatementInput {
    return { dropTable: { table: this.#name(state, table), ...(this.choices.chance(0.2) ? { ifExists: true } : {}) } }
  }

  #rename(state: State): StatementInput {
    const { choices } = this
    const tables = choices.some([...state.tables.values()], 3)
    const names = tables.map((table) => nameOf(state, table))
    const dice = choices.random.below(10)
    // A circle, a chain whose end is another name, or each to any name.
    const to =
      dice < 4
        ? [...names.slice(1), names[0]!]
        : dice < 7
          ? [...names.slice(1), choices.newTableName(state)]
          : names.map(() => choices.newTableName(state))
    const renames = names.map((from, ordinal) => ({ from, to: to[ordinal]! }))
    if (choices.chance(0.03)) renames.push({ from: names[0]!, to: 'test.twice' })
    if (choices.chance(0.02)) renames.push({ from: 'test.nothing', to: 'test.something' })
    return { renameTables: { tables: renames } }
  }

  #schema(state: State): StatementInput {
    const { choices } = this
    const schema = choices.schemaName(state)
    const dice = choices.random.below(10)
    if (dice < 4) {
      return {
        createSchema: {
          schema: choices.chance(0.03) ? '' : choices.pick(SCHEMA_NAMES),
          ...(choices.chance(0.3) ? { comment: choices.comment(), options: choices.options() } : {}),
          ...(choices.chance(0.3) ? { ifNotExists: true } : {}),
        },
      }
    }
    if (dice < 8) {
      return {
        alterSchema: {
          schema,
          ...(choices.chance(0.5) ? { name: choices.pick(SCHEMA_NAMES) } : {}),
          ...(choices.chance(0.3) ? { comment: choices.comment() } : {}),
          ...(choices.chance(0.5) ? { options: choices.optionChanges() } : {}),
        },
      }
    }
    return {
      dropSchema: {
        schema,
        ...(choices.chance(0.4) ? { cascade: true } : {}),
        ...(choices.chance(0.3) ? { ifExists: true } : {}),
      },
    }
  }
}

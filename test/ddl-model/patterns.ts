/**
 * Statements that belong together, which chance would seldom bring together: rows that refer to one another and come, go
 * and move in an order that only the commit makes right, with a change of a definition between them.
 */
import type { AlterTableChange } from '../../ddl/alter-definition.js'
import type { RowInput, StatementInput } from '../../primary/statement.js'
import { type ForeignKey, type State, type Table, columnById, columnsOf, nameOf } from './catalog.js'
import { COLUMN_NAMES, type Choices } from './choices.js'
import { typeText } from './types.js'
import { isUnknown } from './unknown-values.js'

export interface PatternContext {
  readonly choices: Choices
  readonly state: State
  /** A row to insert, without what AUTO_INCREMENT is to choose. */
  row(table: Table): Record<string, unknown>
}

type Pattern = (context: PatternContext) => readonly StatementInput[] | undefined

/** Undefined when the catalog has nothing for the one that was chosen. */
export function pattern(context: PatternContext): readonly StatementInput[] | undefined {
  return context.choices.pick(PATTERNS)(context)
}

const PATTERNS: readonly Pattern[] = [childFirst, childFirst, additionToTarget, targetAgain, referenceFromLarge]

interface Connected {
  readonly child: Table
  readonly target: Table
  readonly foreignKey: ForeignKey
}

function connected({ choices, state }: PatternContext): Connected | undefined {
  const all = [...state.tables.values()].flatMap((child) =>
    child.foreignKeys.map((foreignKey) => ({ child, foreignKey, target: state.tables.get(foreignKey.target)! })),
  )
  return all.length === 0 ? undefined : choices.pick(all)
}

/** A row that refers to one that is not there yet, or never will be. */
function childFirst(context: PatternContext): readonly StatementInput[] | undefined {
  const { choices, state } = context
  const found = connected(context)
  if (found === undefined) return undefined
  const { child, target, foreignKey } = found
  const childRow = context.row(child)
  const targetRow = context.row(target)
  for (const [ordinal, id] of foreignKey.columns.entries()) {
    const { name, type } = columnById(child, id)
    childRow[name] = choices.value(type, true)
    targetRow[columnById(target, foreignKey.targetColumns[ordinal]!).name] = childRow[name]
  }
  const table = nameOf(state, child)
  return [
    { insert: { table, rows: [childRow] } },
    ...between(context, child, foreignKey, childRow),
    ...(choices.chance(0.6) ? [{ insert: { table: nameOf(state, target), rows: [targetRow] } }] : []),
  ]
}

/** What may be done with a table that has a row whose target is still to come. */
function between(
  { choices, state }: PatternContext,
  child: Table,
  foreignKey: ForeignKey,
  row: RowInput,
): readonly StatementInput[] {
  const table = nameOf(state, child)
  const alter = (...changes: readonly AlterTableChange[]): StatementInput => ({ alterTable: { table, changes } })
  const keys = columnsOf(child.primaryKey)
  const isKeyGiven = keys.every((id) => row[columnById(child, id).name] !== undefined)
  const others = child.columns.filter(
    ({ id, type }) => type.kind !== 'UUID' && !foreignKey.columns.includes(id) && !keys.includes(id),
  )
  switch (choices.random.below(7)) {
    case 0:
    case 1:
      // Rows are written anew.
      if (others.length === 0) return []
      return [alter({ setType: { column: choices.pick(others).name, type: 'TEXT' } })]
    case 2: {
      if (!isKeyGiven) return []
      const names = keys.map((id) => columnById(child, id).name)
      const key = Object.fromEntries(names.map((name) => [name, row[name]]))
      const moved = columnById(child, choices.pick(keys))
      return [{ update: { table, key, set: { [moved.name]: choices.value(moved.type, true) } } }]
    }
    case 3:
      return [{ truncateTable: { table } }]
    case 4:
      return [alter({ dropForeignKey: { name: foreignKey.name } })]
    case 5:
      return [{ renameTables: { tables: [{ from: table, to: choices.newTableName(state) }] } }]
    default:
      return []
  }
}

/** What is left to the lane is done when the foreign key goes. */
function additionToTarget(context: PatternContext): readonly StatementInput[] | undefined {
  const { choices, state } = context
  const found = connected(context)
  if (found === undefined) return undefined
  const { child, target, foreignKey } = found
  const key = someKey(context, target)
  const counters = target.columns.filter(({ type }) => ['INTEGER', 'BIGINT', 'DECIMAL'].includes(type.kind))
  if (key === undefined || counters.length === 0) return undefined
  const counter = choices.pick(counters)
  const table = nameOf(state, child)
  return [
    { update: { table: nameOf(state, target), key, set: { [counter.name]: { add: choices.value(counter.type) } } } },
    choices.pick<StatementInput>([
      { dropTable: { table } },
      { alterTable: { table, changes: [{ dropForeignKey: { name: foreignKey.name } }] } },
      { truncateTable: { table } },
      { dropSchema: { schema: table.split('.')[0]!, cascade: true } },
    ]),
  ]
}

/** A row goes and comes back before anybody asks. */
function targetAgain(context: PatternContext): readonly StatementInput[] | undefined {
  const { choices, state } = context
  const target = connected(context)?.target
  if (target === undefined || target.rows.size === 0) return undefined
  const row = choices.pick([...target.rows.values()])
  const columns = target.columns.filter(({ id }) => !isUnknown(row[id]))
  const values = Object.fromEntries(columns.map(({ id, name }) => [name, row[id]]))
  const key = Object.fromEntries(columnsOf(target.primaryKey).map((id) => [columnById(target, id).name, row[id]]))
  const table = nameOf(state, target)
  return [{ delete: { table, key } }, { insert: { table, rows: [values] } }]
}

/** A foreign key on a table with so many rows that its index cannot be made at once. */
function referenceFromLarge(context: PatternContext): readonly StatementInput[] | undefined {
  const { choices, state } = context
  const tables = [...state.tables.values()]
  const large = tables.filter(({ rows }) => rows.size > 20)
  const targets = tables.filter(({ primaryKey, rows }) => primaryKey.length === 1 && rows.size > 0)
  if (large.length === 0 || targets.length === 0) return undefined
  const [table, target] = [choices.pick(large), choices.pick(targets)]
  const taken = table.columns.map(({ name }) => name)
  const name = choices.freeName(COLUMN_NAMES, taken)
  const type = typeText(columnById(target, target.primaryKey[0]!.column).type)
  const references = { table: nameOf(state, target) }
  const key = someKey(context, target)
  const index = choices.chance(0.3) ? [{ addIndex: { name: 'i9', columns: [name] } }] : []
  return [
    {
      alterTable: {
        table: nameOf(state, table),
        changes: [{ addColumn: { name, type } }, ...index, { addForeignKey: { columns: [name], references } }],
      },
    },
    ...(key === undefined ? [] : [{ delete: { table: nameOf(state, target), key } }]),
  ]
}

function someKey({ choices }: PatternContext, table: Table): RowInput | undefined {
  if (table.rows.size === 0) return undefined
  const row = choices.pick([...table.rows.values()])
  return Object.fromEntries(columnsOf(table.primaryKey).map((id) => [columnById(table, id).name, row[id]]))
}

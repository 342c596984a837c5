/** Random definitions: tables with keys, indexes, foreign keys and checks; most of them are good, some of each kind are not. */
import type {
  CheckDefinition,
  ColumnDefinition,
  ExpressionDefinition,
  ForeignKeyDefinition,
  IndexDefinition,
  KeyPartDefinition,
  TableDefinition,
} from '../../ddl/table-definition.js'
import { type Column, type State, type Table, columnById, columnsOf, nameOf, splitName } from './catalog.js'
import { COLUMN_NAMES, CONSTRAINT_NAMES, type Choices, INDEX_NAMES } from './choices.js'
import { type Type, literalOf, parseType, typeText } from './types.js'

/** What the parts of a definition have to know of a column. */
export type KnownColumn = Pick<Column, 'name' | 'type' | 'autoIncrement'>

export class DefinitionGenerator {
  readonly #choices: Choices

  constructor(choices: Choices) {
    this.#choices = choices
  }

  column(name: string, type: string = this.#choices.typeText()): ColumnDefinition {
    const { chance, pick } = bound(this.#choices)
    const parsed = parseType(type)
    const hasDefault = parsed !== undefined && chance(0.3)
    const value = hasDefault && this.#default(parsed)
    return {
      name,
      type,
      ...(chance(0.25) ? { notNull: true } : {}),
      ...(hasDefault ? { default: value as never } : {}),
      ...(chance(0.02) ? { autoIncrement: true } : {}),
      ...(chance(0.1) ? { comment: pick(['one', 'two']) } : {}),
    }
  }

  #default(type: Type): unknown {
    if (this.#choices.chance(0.05)) return this.#choices.wrongValue(type)
    if (type.kind === 'UUID' || (type.kind !== 'JSON' && this.#choices.chance(0.01))) return { function: 'uuid' }
    return this.#choices.value(type)
  }

  key(names: readonly string[]): KeyPartDefinition[] {
    return names.map((name) => (this.#choices.chance(0.2) ? { column: name, descending: true } : name))
  }

  index(columns: readonly string[], name: string = this.#choices.pick(INDEX_NAMES)): IndexDefinition {
    const names = this.#choices.some(columns, 2)
    if (this.#choices.chance(0.03)) names.push('nothing')
    return { name, columns: this.key(names), ...(this.#choices.chance(0.4) ? { unique: true } : {}) }
  }

  /** A foreign key of these columns to a table that there is, or to its own. */
  foreignKey(state: State, columns: readonly KnownColumn[], own: Table | undefined): ForeignKeyDefinition | undefined {
    const { chance, pick } = bound(this.#choices)
    const target = own !== undefined && chance(0.15) ? own : this.#choices.table(state)
    if (target === undefined) return undefined
    const keys = [target.primaryKey, ...target.indexes.filter(({ unique }) => unique).map(({ parts }) => parts)]
    const key = columnsOf(pick(keys)).map((id) => columnById(target, id))
    const taken = new Set<string>()
    const referring = key.map(({ type }) => {
      const fitting = columns.filter((one) => !taken.has(one.name) && isAlike(one.type, type))
      const found = fitting.length > 0 ? pick(fitting) : chance(0.1) && columns.length > 0 ? pick(columns) : undefined
      if (found !== undefined) taken.add(found.name)
      return found?.name
    })
    if (!referring.every((name) => name !== undefined)) return undefined
    const inOrder = key.map((_, ordinal) => ordinal)
    const order = chance(0.7) ? inOrder : inOrder.toReversed()
    const isPrimary = key.every(({ id }, ordinal) => target.primaryKey[ordinal]?.column === id)
    const isBare = isPrimary && key.length === target.primaryKey.length && chance(0.4)
    const targetName = chance(0.02) ? 'test.nothing' : nameOf(state, target)
    const targetColumns = isBare ? {} : { columns: order.map((ordinal) => key[ordinal]!.name) }
    return {
      ...(chance(0.7) ? { name: this.#constraintName(own) } : {}),
      columns: isBare ? referring : order.map((ordinal) => referring[ordinal]!),
      references: { table: targetName, ...targetColumns },
      ...(chance(0.6) ? { onDelete: pick(['restrict', 'cascade', 'cascade', 'set null'] as const) } : {}),
      ...(chance(0.6) ? { onUpdate: pick(['restrict', 'cascade', 'cascade', 'set null'] as const) } : {}),
    }
  }

  #constraintName(own: Table | undefined): string {
    const taken = [...(own?.foreignKeys ?? []), ...(own?.checks ?? [])].map(({ name }) => name)
    return this.#choices.freeName(CONSTRAINT_NAMES, taken)
  }

  check(columns: readonly KnownColumn[], own: Table | undefined): CheckDefinition | undefined {
    // What AUTO_INCREMENT chooses is not foretold, so nothing rests on it.
    // Nor on what a UUID is.
    const given = columns.filter(({ autoIncrement, type }) => !autoIncrement && type.kind !== 'UUID')
    if (given.length === 0) return undefined
    const name = this.#choices.chance(0.7) ? { name: this.#constraintName(own) } : {}
    return { ...name, expression: this.expression(given, 2) }
  }

  expression(columns: readonly KnownColumn[], depth: number): ExpressionDefinition {
    const { chance, pick } = bound(this.#choices)
    const column = pick(columns)
    const side = { column: chance(0.02) ? 'nothing' : column.name }
    const literal = () => literalOf(this.#choices.value(column.type)) as never
    const dice = this.#choices.random.below(depth > 0 ? 12 : 9)
    if (dice === 0) return { isNull: side }
    if (dice === 1) return { not: { isNull: side } }
    if (dice === 2) return { in: [side, [literal(), literal(), literal(), literal()]] }
    if (dice === 3) return { like: [side, pick(['%', 'a%', '_%', '%1%', '__'])] }
    if (dice === 4) return { between: [side, literal(), literal()] }
    if (dice === 5) {
      const others = columns.filter(({ name, type }) => name !== column.name && isAlike(type, column.type))
      const other = others.length > 0 ? pick(others) : column
      return { [pick(['ne', 'le', 'ge', 'eq'])]: [side, { column: other.name }] } as never
    }
    if (dice < 9) return this.#broad(column, side)
    const parts = [this.expression(columns, depth - 1), this.expression(columns, depth - 1)]
    if (dice === 9) return { or: [...parts, { isNull: side }] }
    return dice === 10 ? { not: { and: parts } } : { and: parts }
  }

  /** What nearly every value passes. */
  #broad({ type }: KnownColumn, side: { readonly column: string }): ExpressionDefinition {
    switch (type.kind) {
      case 'INTEGER':
      case 'BIGINT':
      case 'DOUBLE':
        return { ge: [side, literalOf(type.kind === 'BIGINT' ? -1n : -1)] }
      case 'DECIMAL':
        return { lt: [side, '150'] }
      case 'VARCHAR':
      case 'TEXT':
        return { ne: [side, 'zz'.slice(0, type.kind === 'VARCHAR' ? type.length : 2)] }
      case 'DATE':
        return { gt: [side, '1990-01-01'] }
      case 'ENUM':
        return { ne: [side, type.labels.at(-1)!] }
      case 'BOOLEAN':
        return { in: [side, [true, false]] }
      case 'JSON':
      case 'UUID':
        return { not: { isNull: side } }
    }
  }

  table(state: State, name: string): TableDefinition {
    const choices = this.#choices
    const { chance, pick } = bound(choices)
    const { schema, name: tableName } = splitName(name)
    const keyType = pick(['INTEGER', 'INTEGER', 'BIGINT', 'BIGINT', 'VARCHAR(4)', 'DECIMAL(6,2)', 'DATE'])
    const isInteger = keyType === 'INTEGER' || keyType === 'BIGINT'
    const columns: ColumnDefinition[] = [
      { name: 'id', type: keyType, ...(isInteger && chance(0.5) ? { autoIncrement: true } : {}) },
    ]
    const names = choices.some(COLUMN_NAMES, 4)
    for (const one of names) columns.push(this.column(one))
    const target = choices.table(state)
    if (target !== undefined && chance(0.6)) columns.push(...this.#referring(target))
    const known = columns.flatMap((column): KnownColumn[] => {
      const type = parseType(column.type)
      return type === undefined ? [] : [{ name: column.name, type, autoIncrement: column.autoIncrement === true }]
    })
    const keyed = known.filter(({ type }) => type.kind !== 'JSON' && type.kind !== 'UUID').map((column) => column.name)
    const indexes = chance(0.6) ? choices.some(INDEX_NAMES, 2).map((one) => this.index(keyed, one)) : []
    const others = keyed.filter((one) => one !== 'id')
    const primaryKey = chance(0.2) && others.length > 0 ? this.key(['id', pick(others)]) : this.key(['id'])
    const foreignKey = chance(0.6) ? this.foreignKey(state, known, undefined) : undefined
    const check = chance(0.35) ? this.check(known, undefined) : undefined
    const definition = {
      schema,
      name: tableName,
      columns,
      primaryKey,
      indexes,
      ...(foreignKey === undefined ? {} : { foreignKeys: [foreignKey] }),
      ...(check === undefined ? {} : { checks: [check] }),
      ...(chance(0.2) ? { comment: choices.comment() } : {}),
      ...(chance(0.2) ? { options: choices.options() } : {}),
      ...(chance(0.3) ? { rowImage: 'minimal' as const } : {}),
    }
    return chance(0.05) ? this.#flawed(definition) : definition
  }

  /** Columns that can refer to a table. */
  #referring(target: Table): ColumnDefinition[] {
    const { chance, pick } = bound(this.#choices)
    const keys = [target.primaryKey, ...target.indexes.filter(({ unique }) => unique).map(({ parts }) => parts)]
    return columnsOf(pick(keys)).map((id, ordinal) => {
      const { type } = columnById(target, id)
      const alike = chance(0.3) ? this.#narrower(type) : type
      return { name: `r${ordinal + 1}`, type: typeText(alike), ...(chance(0.2) ? { notNull: true } : {}) }
    })
  }

  #narrower(type: Type): Type {
    if (type.kind === 'VARCHAR' || type.kind === 'TEXT') return { kind: 'VARCHAR', length: 2 }
    return type.kind === 'DECIMAL' ? { ...type, precision: Math.max(type.scale + 1, type.precision - 2) } : type
  }

  #flawed(definition: TableDefinition): TableDefinition {
    const { columns, primaryKey } = definition
    return this.#choices.pick<TableDefinition>([
      { ...definition, columns: [...columns, columns[0]!] },
      {
        ...definition,
        columns: [
          ...columns,
          { name: 'x1', type: 'INTEGER', autoIncrement: true },
          { name: 'x2', type: 'BIGINT', autoIncrement: true },
        ],
      },
      { ...definition, columns: [] },
      { ...definition, primaryKey: [] },
      { ...definition, primaryKey: [...primaryKey, 'nothing'] },
      { ...definition, primaryKey: [...primaryKey, ...primaryKey] },
      { ...definition, name: '' },
      { ...definition, columns: [...columns, { name: 'x1', type: 'TEXT', autoIncrement: true }] },
      { ...definition, columns: [...columns, { name: '', type: 'TEXT' }] },
      { ...definition, columns: [...columns, { name: 'x1', type: 'JSON' }], primaryKey: ['x1'] },
    ])
  }
}

/** Whether a foreign key may lead from one to the other, or they can be compared; nearly. */
function isAlike(one: Type, other: Type): boolean {
  const text = (type: Type): string => (type.kind === 'VARCHAR' ? 'TEXT' : type.kind)
  return text(one) === text(other)
}

function bound(choices: Choices): Pick<Choices, 'chance' | 'pick'> {
  return {
    chance: (share) => choices.chance(share),
    pick: (items) => choices.pick(items),
  }
}

/** Random lists of changes for ALTER TABLE. Later ones know the names that earlier ones of the list give and take. */
import type { AlterTableChange, ColumnPlace } from '../../ddl/alter-definition.js'
import type { State, Table } from './catalog.js'
import { COLUMN_NAMES, type Choices, INDEX_NAMES } from './choices.js'
import type { DefinitionGenerator, KnownColumn } from './definition-generator.js'
import { type Type, parseType, typeText } from './types.js'

type ChangeKind = AlterTableChange extends infer Change ? (Change extends unknown ? keyof Change : never) : never

const KINDS: readonly (readonly [share: number, kind: ChangeKind])[] = [
  [12, 'addColumn'],
  [7, 'dropColumn'],
  [5, 'renameColumn'],
  [4, 'moveColumn'],
  [4, 'setDefault'],
  [2, 'dropDefault'],
  [5, 'setNotNull'],
  [4, 'dropNotNull'],
  [14, 'setType'],
  [2, 'setColumnComment'],
  [8, 'addIndex'],
  [5, 'dropIndex'],
  [3, 'renameIndex'],
  [6, 'setPrimaryKey'],
  [10, 'addForeignKey'],
  [5, 'dropForeignKey'],
  [6, 'addCheck'],
  [5, 'dropCheck'],
  [2, 'setComment'],
  [2, 'setOptions'],
  [3, 'setRowImage'],
]
const SHARES = KINDS.reduce((sum, [share]) => sum + share, 0)

interface Names {
  columns: KnownColumn[]
  indexes: string[]
  /** Columns whose type was set in this list, or that came with it: what becomes of them twice is nobody's promise. */
  readonly settled: Set<string>
}

export class ChangeGenerator {
  readonly #choices: Choices
  readonly #definitions: DefinitionGenerator

  constructor(choices: Choices, definitions: DefinitionGenerator) {
    this.#choices = choices
    this.#definitions = definitions
  }

  changes(state: State, table: Table): AlterTableChange[] {
    const names: Names = {
      columns: table.columns.map(({ name, type, autoIncrement }) => ({ name, type, autoIncrement })),
      indexes: table.indexes.map(({ name }) => name),
      settled: new Set(),
    }
    const count = this.#choices.pick([1, 1, 1, 1, 2, 2, 3, 4])
    const changes: AlterTableChange[] = []
    while (changes.length < count) {
      const change = this.#change(this.#kind(), state, table, names)
      if (change !== undefined) changes.push(change)
    }
    return changes
  }

  #kind(): ChangeKind {
    let dice = this.#choices.random.below(SHARES)
    for (const [share, kind] of KINDS) {
      dice -= share
      if (dice < 0) return kind
    }
    return 'setComment'
  }

  #change(kind: ChangeKind, state: State, table: Table, names: Names): AlterTableChange | undefined {
    const choices = this.#choices
    const column = (): string => choices.pickOr(names.columns, { name: 'nothing' } as KnownColumn, 0.03).name
    const index = (): string => choices.pickOr(names.indexes, 'nothing')
    // Sometimes it is looked for although the table has none.
    const isPointless = (items: readonly unknown[]): boolean => items.length === 0 && !choices.chance(0.1)
    const columnNames = names.columns.map(({ name }) => name)
    // In what order values stand that only the server knows, is not foretold.
    const keyNames = names.columns.filter(({ type }) => type.kind !== 'UUID').map(({ name }) => name)
    switch (kind) {
      case 'addColumn': {
        const definition = this.#definitions.column(choices.freeName(COLUMN_NAMES, columnNames))
        const type = parseType(definition.type)
        const autoIncrement = definition.autoIncrement === true
        if (type !== undefined) names.columns.push({ name: definition.name, type, autoIncrement })
        names.settled.add(definition.name)
        return { addColumn: { ...definition, ...this.#place(column) } }
      }
      case 'dropColumn': {
        const name = column()
        names.columns = names.columns.filter((one) => one.name !== name)
        return { dropColumn: { name } }
      }
      case 'renameColumn': {
        const name = column()
        const to = choices.chance(0.02) ? '' : choices.freeName(COLUMN_NAMES, columnNames)
        names.columns = names.columns.map((one) => (one.name === name ? { ...one, name: to } : one))
        names.settled.add(to)
        return { renameColumn: { name, to } }
      }
      case 'moveColumn':
        return { moveColumn: { name: column(), ...this.#place(column) } }
      case 'setDefault':
        return this.#setDefault(names)
      case 'dropDefault':
        return { dropDefault: { column: column() } }
      case 'setNotNull':
        return { setNotNull: { column: column() } }
      case 'dropNotNull':
        return { dropNotNull: { column: column() } }
      case 'setType':
        return this.#setType(names)
      case 'setColumnComment':
        return { setColumnComment: { column: column(), comment: choices.comment() } }
      case 'addIndex': {
        const name = choices.freeName(INDEX_NAMES, names.indexes)
        const definition = this.#definitions.index(keyNames, name)
        names.indexes.push(definition.name)
        return { addIndex: definition }
      }
      case 'dropIndex':
        if (isPointless(names.indexes)) return undefined
        return { dropIndex: { name: index() } }
      case 'renameIndex': {
        if (isPointless(names.indexes)) return undefined
        const to = choices.chance(0.02) ? '' : choices.freeName(INDEX_NAMES, names.indexes)
        return { renameIndex: { name: index(), to } }
      }
      case 'setPrimaryKey': {
        const some = choices.some(keyNames, 2)
        const columns = choices.chance(0.5) && !some.includes('id') ? ['id', ...some] : some
        return { setPrimaryKey: { columns: this.#definitions.key(columns) } }
      }
      case 'addForeignKey': {
        const definition = this.#definitions.foreignKey(state, names.columns, table)
        return definition && { addForeignKey: definition }
      }
      case 'dropForeignKey':
        if (isPointless(table.foreignKeys)) return undefined
        return { dropForeignKey: { name: choices.pickOr(table.foreignKeys, { name: 'nothing' } as never).name } }
      case 'addCheck': {
        const definition = this.#definitions.check(names.columns, table)
        return definition && { addCheck: definition }
      }
      case 'dropCheck':
        if (isPointless(table.checks)) return undefined
        return { dropCheck: { name: choices.pickOr(table.checks, { name: 'nothing' } as never).name } }
      case 'setComment':
        return { setComment: { comment: choices.comment() } }
      case 'setOptions':
        return { setOptions: choices.optionChanges() }
      case 'setRowImage':
        return { setRowImage: { rowImage: choices.pickOr(['full', 'minimal'], 'none' as 'full', 0.03) } }
    }
  }

  #place(column: () => string): ColumnPlace {
    const dice = this.#choices.random.below(6)
    if (dice === 0) return { first: true }
    return dice === 1
      ? { after: column() }
      : dice === 2 && this.#choices.chance(0.1)
        ? { first: true, after: column() }
        : {}
  }

  #setDefault({ columns }: Names): AlterTableChange | undefined {
    const choices = this.#choices
    if (columns.length === 0) return undefined
    const { name, type } = choices.pick(columns)
    const given = choices.chance(0.05) ? choices.wrongValue(type) : choices.value(type)
    return { setDefault: { column: name, default: given as never } }
  }

  #setType({ columns, settled }: Names): AlterTableChange | undefined {
    const choices = this.#choices
    // A UUID that only the server knows would be a text that only the server knows.
    const free = columns.filter(({ name, type }) => !settled.has(name) && type.kind !== 'UUID')
    if (free.length === 0) return undefined
    const { name, type } = choices.pick(free)
    settled.add(name)
    const to = choices.chance(0.5) ? typeText(this.#near(type)) : choices.typeText()
    return { setType: { column: choices.chance(0.02) ? 'nothing' : name, type: to } }
  }

  /** A type to which values of the type are likely to go. */
  #near(type: Type): Type {
    const { random } = this.#choices
    const pick = (texts: readonly string[]): Type => parseType(random.pick(texts))!
    switch (type.kind) {
      case 'BOOLEAN':
        return pick(['INTEGER', 'TEXT'])
      case 'INTEGER':
        return pick(['BIGINT', 'BIGINT', 'TEXT', 'DECIMAL(6,2)', 'DOUBLE', 'VARCHAR(8)'])
      case 'BIGINT':
        return pick(['INTEGER', 'TEXT', 'DOUBLE', 'DECIMAL(8,2)'])
      case 'DOUBLE':
        return pick(['DECIMAL(8,2)', 'TEXT'])
      case 'DECIMAL':
        return { ...type, precision: type.precision + random.below(3) }
      case 'VARCHAR':
        return random.chance(0.3) ? { kind: 'TEXT' } : { ...type, length: type.length + random.below(4) }
      case 'TEXT':
        return pick(['VARCHAR(8)', 'VARCHAR(9)', 'VARCHAR(16)', 'JSON'])
      case 'ENUM':
        return random.chance(0.7) ? { ...type, labels: [...type.labels, `l${type.labels.length}`] } : { kind: 'TEXT' }
      case 'DATE':
        return pick(['TEXT', 'VARCHAR(10)'])
      case 'JSON':
      case 'UUID':
        return { kind: 'TEXT' }
    }
  }
}

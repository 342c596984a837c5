/** What the generator takes values, types and names from: few of each, so that rows meet. */
import type { Random } from '../isolation/random.js'
import { type Column, type State, type Table, findTable } from './catalog.js'
import { type Type, type Value, parseType } from './types.js'

export const SCHEMA_NAMES = ['test', 's1', 's2'] as const
export const TABLE_NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as const
export const COLUMN_NAMES = ['c1', 'c2', 'c3', 'c4', 'c5', 'c6'] as const
export const INDEX_NAMES = ['i1', 'i2', 'i3', 'i4'] as const
export const CONSTRAINT_NAMES = ['k1', 'k2', 'k3', 'k4'] as const
const COMMENTS = ['', 'one', 'two'] as const

/** Repeated as often as they are to come. */
const TYPE_TEXTS = [
  ...['INTEGER', 'INTEGER', 'INTEGER', 'BIGINT', 'BIGINT', 'TEXT', 'BOOLEAN', 'DOUBLE', 'DATE', 'JSON', 'UUID'],
  ...['VARCHAR(2)', 'VARCHAR(4)', 'VARCHAR(8)', 'DECIMAL(6,2)', 'DECIMAL(8,2)', 'DECIMAL(4,1)'],
  ...["ENUM('a','b')", "ENUM('a','b','1')"],
] as const
const NO_TYPES = ['INT', 'VARCHAR', 'DECIMAL(1,2)', 'NUMBER'] as const

const TEXTS = ['a', 'b', 'ab', 'abc', '1', '2', '12', 'true', 'zz', '2024-02-29', 'long text'] as const
const DATES = ['2024-02-29', '2024-03-01', '1999-12-31', '2000-01-01'] as const

export class Choices {
  readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  chance(share: number): boolean {
    return this.random.chance(share)
  }

  pick<Item>(items: readonly Item[]): Item {
    return this.random.pick(items)
  }

  /** One of the items; `other` when there are none, and sometimes. */
  pickOr<Item>(items: readonly Item[], other: Item, share = 0.04): Item {
    return items.length === 0 || this.chance(share) ? other : this.pick(items)
  }

  /** Some of the items, in any order. */
  some<Item>(items: readonly Item[], countMax: number): Item[] {
    const rest = [...items]
    const chosen: Item[] = []
    for (let count = 1 + this.random.below(countMax); count > 0 && rest.length > 0; count--) {
      chosen.push(...rest.splice(this.random.below(rest.length), 1))
    }
    return chosen
  }

  comment(): string {
    return this.pick(COMMENTS)
  }

  options(): Record<string, string> {
    return this.chance(0.5) ? {} : { [this.pick(['x', 'y'])]: this.pick(['1', '2']) }
  }

  /** Names and values, where null takes one away. */
  optionChanges(): Record<string, string | null> {
    return { [this.pick(['x', 'y'])]: this.pick(['1', '2', null]) }
  }

  type(): Type {
    return parseType(this.pick(TYPE_TEXTS))!
  }

  typeText(): string {
    return this.chance(0.03) ? this.pick(NO_TYPES) : this.pick(TYPE_TEXTS)
  }

  schemaName(state: State): string {
    return this.pickOr(
      [...state.schemas.values()].map(({ name }) => name),
      this.pick(SCHEMA_NAMES),
    )
  }

  /** "schema.table", as a rule of no table that there is. */
  newTableName(state: State): string {
    const name = (): string => `${this.schemaName(state)}.${this.pick(TABLE_NAMES)}`
    let chosen = name()
    for (let attempt = 0; attempt < 3 && findTable(state, chosen) !== undefined; attempt++) chosen = name()
    return chosen
  }

  /** One of the names, as a rule none of those that are taken. */
  freeName(names: readonly string[], taken: readonly string[]): string {
    const free = names.filter((name) => !taken.includes(name))
    return this.pickOr(free, this.pick(names), 0.1)
  }

  table(state: State): Table | undefined {
    const tables = [...state.tables.values()]
    return tables.length === 0 ? undefined : this.pick(tables)
  }

  /** A value of the type, never NULL. */
  value(type: Type, wide = false): NonNullable<Value> {
    const { random } = this
    const small = random.below(wide ? 60 : 14) - (wide ? 0 : 1)
    switch (type.kind) {
      case 'BOOLEAN':
        return this.chance(0.5)
      case 'INTEGER':
        return small
      case 'BIGINT':
        return BigInt(small)
      case 'DOUBLE':
        return this.pick([0, 0.5, 1, 2, 2.25, -1.5, small])
      case 'DECIMAL': {
        const digits = random.below(this.chance(0.1) ? 10 ** type.precision : 300)
        const text = digits.toString().padStart(type.scale + 1, '0')
        return type.scale === 0 ? text : `${text.slice(0, -type.scale)}.${text.slice(-type.scale)}`
      }
      case 'TEXT':
        return wide ? `t${small}` : this.pick(TEXTS)
      case 'VARCHAR':
        return (wide ? `${small}` : this.pick(TEXTS)).slice(0, type.length)
      case 'ENUM':
        return this.pick(type.labels)
      case 'DATE':
        return wide ? `20${10 + (small % 90)}-01-01` : this.pick(DATES)
      case 'UUID':
        return `00000000-0000-0000-0000-0000000000${random.below(90) + 10}`
      case 'JSON':
        return this.pick<NonNullable<Value>>([1, 2.5, 'a', true])
    }
  }

  /** What no column of the type holds. */
  wrongValue(type: Type): unknown {
    switch (type.kind) {
      case 'BOOLEAN':
        return 'true'
      case 'INTEGER':
        return this.pick<unknown>([2 ** 31, 1.5, 'one', true])
      case 'BIGINT':
        return this.pick<unknown>([2n ** 63n, 1.5, 'one'])
      case 'DOUBLE':
        return 'one'
      case 'DECIMAL':
        return this.pick<unknown>(['1.2345', 'one', 10n ** 20n])
      case 'TEXT':
        return 5
      case 'VARCHAR':
        return this.pick<unknown>(['x'.repeat(type.length + 1), 5])
      case 'ENUM':
        return 'none of them'
      case 'DATE':
        return this.pick<unknown>(['2023-02-29', 'today', 5])
      case 'UUID':
        return 'no uuid'
      case 'JSON':
        return 5n
    }
  }

  valueOf(column: Column, wide = false): Value {
    return !column.notNull && this.chance(0.12) ? null : this.value(column.type, wide)
  }
}

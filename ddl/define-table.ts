/**
 * Tables as typed handles: `defineTable` keeps a definition with its types, and the handle stands wherever a table's name
 * or definition does.
 *
 *   const orders = defineTable({ name: 'orders', columns: [{ name: 'id', type: 'BIGINT' }], primaryKey: ['id'] })
 *   await tx.createTable(orders)
 *   await tx.insert(orders, { id: 1n })
 *
 * A column, key, index or type that does not exist is refused by the compiler; the rest by `createTable`.
 *
 * Invariant: the enumerable properties of a handle are those of its definition, so that it is one.
 */
import type { Value } from '../log/codec/column-type.js'
import type { KindOf, ReadValue } from './column-value.js'
import { DEFAULT_SCHEMA_NAME, checkName, formatTableName } from './identifiers.js'
import { requireObject } from './invalid-definition.js'
import type {
  CheckDefinition,
  ColumnDefinition,
  ForeignKeyDefinition,
  IndexDefinition,
  TableDefinition,
} from './table-definition.js'
import type { ColumnName } from './table-types.js'

/** Under which a handle holds its table's name. Registered, so that two copies of this package understand each other. */
const HANDLE: unique symbol = Symbol.for('replog.table')

interface Handle {
  readonly [HANDLE]: string
}

/** A handle that `defineTable` made: a definition with its types, for use in the place of the table's name. */
export type Table<Definition extends TableDefinition = TableDefinition> = Definition & Handle

/** What nothing is, with the reason for the compiler to show. */
interface Mistake<Reason extends string> {
  readonly mistake: Reason
}

/** What is written beside the known properties is a slip, such as `notnull`. */
type NothingBut<Known, Given> = { readonly [Name in Exclude<keyof Given, keyof Known>]: never }

type PartOf<Name extends string> = Name | { readonly column: Name; readonly descending?: boolean }

type DefaultOf<Type extends string> =
  KindOf<Type> extends 'ENUM' | 'BOOLEAN' ? ReadValue<Type> | null : Value | { readonly function: 'now' | 'uuid' }

type CheckedColumn<Column> = Column extends ColumnDefinition
  ? Column &
      NothingBut<ColumnDefinition, Column> & {
        readonly type: [KindOf<Column['type']>] extends [never]
          ? Mistake<`${Column['type']} is not a column type`>
          : string
        readonly default?: DefaultOf<Column['type']>
        readonly autoIncrement?: KindOf<Column['type']> & ('INTEGER' | 'BIGINT') extends never ? false : boolean
      }
  : never

type CheckedIndex<Index, Name extends string> = Index &
  NothingBut<IndexDefinition, Index> & {
    readonly columns: readonly PartOf<Name>[]
  }

type CheckedForeignKey<ForeignKey, Name extends string> = ForeignKey &
  NothingBut<ForeignKeyDefinition, ForeignKey> & {
    readonly columns: readonly Name[]
  }

/** The columns that an expression names, at any depth. */
type NamedIn<Expression> = Expression extends { readonly column: infer Name }
  ? Name
  : Expression extends readonly (infer Item)[]
    ? NamedIn<Item>
    : Expression extends object
      ? NamedIn<Expression[keyof Expression]>
      : never

/** Of names that are only known as `string` nothing can be said. */
type CheckedCheck<Check, Name extends string> = Check &
  NothingBut<CheckDefinition, Check> &
  (string extends Name
    ? unknown
    : Check extends { readonly expression: infer Expression }
      ? [NamedIn<Expression>] extends [Name]
        ? unknown
        : { readonly expression: Mistake<`there is no column ${Exclude<NamedIn<Expression>, Name> & string}`> }
      : unknown)

// Over parameters of their own, so that a tuple stays one.
type CheckedColumns<Columns> = { readonly [At in keyof Columns]: CheckedColumn<Columns[At]> }
type CheckedIndexes<Indexes, Name extends string> = {
  readonly [At in keyof Indexes]: CheckedIndex<Indexes[At], Name>
}
type CheckedForeignKeys<ForeignKeys, Name extends string> = {
  readonly [At in keyof ForeignKeys]: CheckedForeignKey<ForeignKeys[At], Name>
}
type CheckedChecks<Checks, Name extends string> = { readonly [At in keyof Checks]: CheckedCheck<Checks[At], Name> }

/** What the compiler checks of a definition beyond its form. */
type Checked<Definition extends TableDefinition, Name extends string = ColumnName<Definition>> = NothingBut<
  TableDefinition,
  Definition
> & {
  readonly columns: CheckedColumns<Definition['columns']>
  readonly primaryKey: readonly PartOf<Name>[]
  readonly indexes?: CheckedIndexes<Definition['indexes'], Name>
  readonly foreignKeys?: CheckedForeignKeys<Definition['foreignKeys'], Name>
  readonly checks?: CheckedChecks<Definition['checks'], Name>
}

/**
 * A typed handle of a table, from its definition as a literal: `Row`, `Insert`, `Update`, `Key` and `Change` of `typeof`
 * it are the types of its rows. The schema is `test` when it is left out. Nothing is created: give the handle to
 * `createTable`, or describe a table that is there, as `replog types` does.
 * @throws ReplogError INVALID_DEFINITION when it is no object; INVALID_ARGUMENT for a name that no table can have
 */
export function defineTable<const Definition extends TableDefinition>(
  definition: Definition & Checked<Definition>,
): Table<Definition> {
  requireObject(definition, 'a table definition')
  const { schema = DEFAULT_SCHEMA_NAME, name } = definition as TableDefinition
  const text = formatTableName({ schema: checkName('schema', schema), table: checkName('table', name) })
  const handle = Object.defineProperty({ ...definition }, HANDLE, { value: text })
  return Object.freeze(handle) as unknown as Table<Definition>
}

/**
 * "schema.table" of a table that is given by its name or by its handle. What is neither is returned as it is: whoever
 * takes names refuses it.
 */
export function tableNameOf(table: string | Table): string {
  if (typeof table === 'string') return table
  return (table as Partial<Handle> | null | undefined)?.[HANDLE] ?? (table as unknown as string)
}

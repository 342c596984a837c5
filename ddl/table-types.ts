/**
 * The types of a table's rows, inserts, updates and keys, from the definition in its handle (`define-table.ts`).
 *
 * They say what the definition says: a table that was altered since has rows of another form. Columns of the primary key
 * and AUTO_INCREMENT columns are NOT NULL whether or not the definition says so, as at run time.
 */
import type { Addend, GivenValue, ReadValue } from './column-value.js'
import type { ColumnDefinition, TableDefinition } from './table-definition.js'

/** A column of the definition, as a union of all of them. */
type ColumnOf<Definition extends TableDefinition> = Definition['columns'][number]

/** Name of the column that a part of a key or index means. */
type PartName<Part> = Part extends string
  ? Part
  : Part extends { readonly column: infer Name extends string }
    ? Name
    : never

/** Names of the columns. */
export type ColumnName<Definition extends TableDefinition> = ColumnOf<Definition>['name']

/** Names of the primary key columns. */
export type KeyColumnName<Definition extends TableDefinition> = PartName<Definition['primaryKey'][number]>

/** Names of the indexes of the definition; never where it has none. */
export type IndexName<Definition extends TableDefinition> = string extends Definition['name']
  ? string
  : Definition extends { readonly indexes: readonly { readonly name: infer Name extends string }[] }
    ? Name
    : never

/** Names of the columns of an index. */
export type IndexColumnName<Definition extends TableDefinition, Name extends string> = string extends Definition['name']
  ? string
  : Definition extends { readonly indexes: readonly (infer Index)[] }
    ? Index extends { readonly name: Name; readonly columns: readonly (infer Part)[] }
      ? PartName<Part>
      : never
    : never

/** Of names that are only known as `string` none is said to be in the key. */
type IsKeyColumn<Definition extends TableDefinition, Column extends ColumnDefinition> =
  string extends KeyColumnName<Definition> ? false : Column['name'] extends KeyColumnName<Definition> ? true : false

type IsNotNull<Definition extends TableDefinition, Column extends ColumnDefinition> = Column extends
  { readonly notNull: true } | { readonly autoIncrement: true }
  ? true
  : IsKeyColumn<Definition, Column>

type OrNull<Definition extends TableDefinition, Column extends ColumnDefinition> =
  IsNotNull<Definition, Column> extends true ? never : null

/** A default of null or undefined is none. */
type HasDefault<Column extends ColumnDefinition> = Column extends { readonly default: infer Default }
  ? [Default] extends [null | undefined]
    ? false
    : true
  : false

/** A column that an insert may leave out. */
type IsOptional<Definition extends TableDefinition, Column extends ColumnDefinition> = Column extends {
  readonly autoIncrement: true
}
  ? true
  : HasDefault<Column> extends true
    ? true
    : IsNotNull<Definition, Column> extends true
      ? false
      : true

/** AUTO_INCREMENT takes NULL for "the next one". */
type GivenToInsert<Definition extends TableDefinition, Column extends ColumnDefinition> =
  | GivenValue<Column['type']>
  | OrNull<Definition, Column>
  | (Column extends { readonly autoIncrement: true } ? null : never)

type RequiredColumn<
  Definition extends TableDefinition,
  Column extends ColumnDefinition = ColumnOf<Definition>,
> = Column extends ColumnDefinition ? (IsOptional<Definition, Column> extends true ? never : Column) : never

type OptionalColumn<
  Definition extends TableDefinition,
  Column extends ColumnDefinition = ColumnOf<Definition>,
> = Column extends ColumnDefinition ? (IsOptional<Definition, Column> extends true ? Column : never) : never

type ColumnNamed<Definition extends TableDefinition, Name extends string> = Extract<
  ColumnOf<Definition>,
  { readonly name: Name }
>

type Flat<Type> = { [Name in keyof Type]: Type[Name] }

/** A row as it is read: a value of each column. `Row<typeof orders>` */
export type Row<Definition extends TableDefinition> = {
  [Column in ColumnOf<Definition> as Column['name']]: ReadValue<Column['type']> | OrNull<Definition, Column>
}

/**
 * A row as it is inserted: columns that are NOT NULL and have no default are required. `Insert<typeof orders>`
 * A BIGINT may also be a safe number or decimal text, a DECIMAL a number whose digits are exact, a DATE or TIMESTAMP a
 * `Date`.
 */
export type Insert<Definition extends TableDefinition> = Flat<
  {
    readonly [Column in RequiredColumn<Definition> as Column['name']]: GivenToInsert<Definition, Column>
  } & {
    readonly [Column in OptionalColumn<Definition> as Column['name']]?: GivenToInsert<Definition, Column> | undefined
  }
>

/** New values of an update; `{ add: n }` for a number adds to the newest value. `Update<typeof orders>` */
export type Update<Definition extends TableDefinition> = {
  readonly [Column in ColumnOf<Definition> as Column['name']]?:
    | GivenValue<Column['type']>
    | OrNull<Definition, Column>
    | ([Addend<Column['type']>] extends [never] ? never : { readonly add: Addend<Column['type']> })
    | undefined
}

/** A value for each primary key column. `Key<typeof orders>` */
export type Key<Definition extends TableDefinition> = {
  readonly [Name in KeyColumnName<Definition>]: GivenValue<ColumnNamed<Definition, Name>['type']>
}

/** Some of the values of some columns, NULL where a column may be NULL: for conditions and for the ends of a scan. */
export type Given<Definition extends TableDefinition, Name extends string = ColumnName<Definition>> = {
  readonly [Column in ColumnNamed<Definition, Name> as Column['name']]?:
    GivenValue<Column['type']> | OrNull<Definition, Column> | undefined
}

type Doubled<Text extends string> = Text extends `${infer Head}"${infer Tail}` ? `${Head}""${Doubled<Tail>}` : Text
type QuotedPart<Part extends string> = Part extends `${string}.${string}` | `${string}"${string}`
  ? `"${Doubled<Part>}"`
  : Part

/** "schema.table" as events name the table. */
export type NameOf<Definition extends TableDefinition> = Definition extends {
  readonly schema: infer Schema extends string
}
  ? `${QuotedPart<Schema>}.${QuotedPart<Definition['name']>}`
  : `test.${QuotedPart<Definition['name']>}`

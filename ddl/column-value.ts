/**
 * The TypeScript types of a column's values, worked out by the compiler from the SQL text of the column's type, as
 * `log/codec/types/sql-text.ts` reads it at run time: case and blanks do not matter.
 *
 *   type := name [ "(" parameters ")" ]
 *
 * Invariant: a value that is read has the type `ReadValue`, and the codec takes every value of `GivenValue` that is in
 * the bounds of the column. A text that is only known as `string` stands for any type.
 */
import type { ColumnTypeKind, JsonValue, Value } from '../log/codec/column-type.js'

type Blank = ' ' | '\t' | '\r' | '\n'
type Trimmed<Text extends string> = Text extends `${Blank}${infer Rest}`
  ? Trimmed<Rest>
  : Text extends `${infer Rest}${Blank}`
    ? Trimmed<Rest>
    : Text

type Whole<Text extends string> = Trimmed<Text> extends `${bigint}` ? true : false

/** What follows the quote that opens a label; a quote within one is written twice. */
type LabelsFrom<
  Text extends string,
  Label extends string,
  Found extends string,
> = Text extends `${infer Head}'${infer Tail}`
  ? Tail extends `'${infer More}`
    ? LabelsFrom<More, `${Label}${Head}'`, Found>
    : LabelsBehind<Trimmed<Tail>, Found | `${Label}${Head}`>
  : never
type LabelsBehind<Text extends string, Found extends string> = Text extends ''
  ? Found
  : Text extends `,${infer Rest}`
    ? LabelsIn<Trimmed<Rest>, Found>
    : never
/** The labels of an ENUM as a union; never where the text is no list of them. */
type LabelsIn<Text extends string, Found extends string = never> = Text extends `'${infer Rest}`
  ? LabelsFrom<Rest, '', Found>
  : never

type ParametricKind = 'VARCHAR' | 'DECIMAL' | 'ENUM'

type KindWith<Name extends string, Parameters extends string> = Name extends 'VARCHAR'
  ? Whole<Parameters> extends true
    ? Name
    : never
  : Name extends 'DECIMAL'
    ? Parameters extends `${infer Precision},${infer Scale}`
      ? [Whole<Precision>, Whole<Scale>] extends [true, true]
        ? Name
        : never
      : Whole<Parameters> extends true
        ? Name
        : never
    : Name extends 'ENUM'
      ? [LabelsIn<Trimmed<Parameters>>] extends [never]
        ? never
        : Name
      : never

/** The kind of a type text; never where it is no column type. */
export type KindOf<Text extends string> = string extends Text
  ? ColumnTypeKind
  : Trimmed<Text> extends `${infer Name}(${infer Parameters})`
    ? KindWith<Uppercase<Trimmed<Name>>, Parameters>
    : Uppercase<Trimmed<Text>> extends infer Kind extends Exclude<ColumnTypeKind, ParametricKind>
      ? Kind
      : never

type LabelsOf<Text extends string> =
  Trimmed<Text> extends `${string}(${infer Parameters})` ? LabelsIn<Trimmed<Parameters>> : never

type NotNull = Exclude<Value, null>

interface ReadValues {
  readonly BOOLEAN: boolean
  readonly INTEGER: number
  readonly BIGINT: bigint
  readonly DOUBLE: number
  readonly DECIMAL: string
  readonly VARCHAR: string
  readonly TEXT: string
  readonly BLOB: Uint8Array
  readonly DATE: string
  readonly TIME: string
  readonly TIMESTAMP: string
  readonly UUID: string
  readonly JSON: Exclude<JsonValue, null>
}

/** Beside what is read: other forms of the same value, none of which loses anything. */
interface OtherForms {
  readonly BIGINT: number | string
  readonly DECIMAL: number | bigint
  readonly DATE: Date
  readonly TIMESTAMP: Date
}

/** What a column of this type text holds, without NULL. */
export type ReadValue<Text extends string> = string extends Text
  ? NotNull
  : KindOf<Text> extends infer Kind
    ? Kind extends 'ENUM'
      ? LabelsOf<Text>
      : Kind extends keyof ReadValues
        ? ReadValues[Kind]
        : never
    : never

/** What a column of this type text may be given, without NULL. */
export type GivenValue<Text extends string> =
  | ReadValue<Text>
  | (string extends Text ? Date : KindOf<Text> extends infer Kind extends keyof OtherForms ? OtherForms[Kind] : never)

/** What may be added to a column of this type text; never where there is no addition. */
export type Addend<Text extends string> = KindOf<Text> &
  ('INTEGER' | 'BIGINT' | 'DOUBLE' | 'DECIMAL') extends infer Kind
  ? [Kind] extends [never]
    ? never
    : GivenValue<Text>
  : never

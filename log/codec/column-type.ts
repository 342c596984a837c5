/** Column types and the values they hold. The codec of each type is in `types/`. */

export type ColumnType =
  | { readonly kind: 'BOOLEAN' }
  | { readonly kind: 'INTEGER' }
  | { readonly kind: 'BIGINT' }
  | { readonly kind: 'DOUBLE' }
  | { readonly kind: 'DECIMAL'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'VARCHAR'; readonly length: number }
  | { readonly kind: 'TEXT' }
  | { readonly kind: 'BLOB' }
  | { readonly kind: 'DATE' }
  | { readonly kind: 'TIME' }
  | { readonly kind: 'TIMESTAMP' }
  | { readonly kind: 'UUID' }
  | { readonly kind: 'ENUM'; readonly labels: readonly string[] }
  | { readonly kind: 'JSON' }

export type ColumnTypeKind = ColumnType['kind']

/** What JSON text can say. A number that JSON.parse would round is not kept exactly; put it in a string. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue }

/**
 * A column value as an embedding application sees it; `null` is SQL NULL.
 *
 * | type | JavaScript value | as JSON |
 * | --- | --- | --- |
 * | BOOLEAN | boolean | boolean |
 * | INTEGER | number, a 32-bit integer | number |
 * | BIGINT | bigint, a 64-bit integer | decimal string |
 * | DOUBLE | number, never NaN | number, or "Infinity" / "-Infinity" / "-0" |
 * | DECIMAL(p,s) | string with exactly s fraction digits, such as "12.50" | the same |
 * | VARCHAR(n), TEXT | string | string |
 * | BLOB | Uint8Array | base64 string |
 * | DATE | "YYYY-MM-DD" | the same |
 * | TIME | "HH:MM:SS" with 0, 3 or 6 fraction digits | the same |
 * | TIMESTAMP | "YYYY-MM-DDTHH:MM:SSZ" with 0, 3 or 6 fraction digits (µs, UTC) | the same |
 * | UUID | lower-case text with hyphens | the same |
 * | ENUM | its label | the same |
 * | JSON | any JSON value but a top-level null | the same |
 */
export type Value = JsonValue | bigint | Uint8Array

/** A row as an array of values in the column order of its table version. */
export type Row = Value[]

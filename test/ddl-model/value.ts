/** A column's value in the model; an object of a JSON column is its text. */
export type Value = null | boolean | number | bigint | string

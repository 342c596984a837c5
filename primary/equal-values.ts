/** Equality of a stored value and an input, as a `check` means it: NULL equals NULL, JSON by content. */
import { isDeepStrictEqual } from 'node:util'
import { type CompiledColumn, acceptValue } from '../ddl/compiled-table.js'
import type { Value } from '../log/codec/column-type.js'

/** @throws ReplogError INVALID_VALUE when the input is not of the column's type */
export function equalValues(column: CompiledColumn, stored: Value, input: unknown): boolean {
  if (input === null || input === undefined || stored === null) return stored === (input ?? null)
  const value = acceptValue(column, input)
  if (typeof stored === 'object') return isDeepStrictEqual(stored, value)
  return stored === value
}

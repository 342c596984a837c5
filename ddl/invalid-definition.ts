/** The INVALID_DEFINITION errors of all definitions: which table, and what about it. */
import { ReplogError } from '../core/errors.js'

/** Makes the error for what is wrong; the text before it says where. */
export type Invalid = (message: string) => ReplogError

export const invalidDefinition: Invalid = (message) => new ReplogError('INVALID_DEFINITION', message)

export function invalidTable(table: string): Invalid {
  return (message) => invalidDefinition(`table ${JSON.stringify(table)}: ${message}`)
}

/** @throws ReplogError INVALID_DEFINITION */
export function requireObject(value: unknown, what: string, invalid: Invalid = invalidDefinition): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${what} must be an object`)
}

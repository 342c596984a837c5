/**
 * Names of catalogs, schemas and tables as types of their own, so that one is never passed where another is meant.
 *
 *   table-text := [part "."] part          "test.fan_of"; the schema is `test` when it is left out
 *   part       := plain | quoted
 *   plain      := any characters but "." and the double quote
 *   quoted     := '"' (any character but '"' | '""')* '"'        for names that contain a dot
 */
import { ReplogError } from '../core/errors.js'
import { IDENTIFIER_CODE_POINTS_MAX } from '../core/limits.js'

export const DEFAULT_CATALOG_NAME = 'local'
export const DEFAULT_SCHEMA_NAME = 'test'

export type CatalogIdentifier = string & { readonly __brand: 'CatalogIdentifier' }

export interface SchemaIdentifier {
  readonly catalog: CatalogIdentifier
  readonly schema: string
}

export interface TableIdentifier extends SchemaIdentifier {
  readonly table: string
}

const CONTROL = /\p{Cc}/u

/**
 * Checks one name. Case matters; spaces and any Unicode letter are allowed.
 * @throws ReplogError INVALID_ARGUMENT
 */
export function checkName(what: string, name: unknown): string {
  if (typeof name !== 'string') throw new ReplogError('INVALID_ARGUMENT', `a ${what} name must be a string`)
  if (name.length === 0) throw new ReplogError('INVALID_ARGUMENT', `a ${what} name must not be empty`)
  if (!name.isWellFormed()) {
    throw new ReplogError('INVALID_ARGUMENT', `the ${what} name contains half of a surrogate pair`)
  }
  if (CONTROL.test(name)) {
    throw new ReplogError('INVALID_ARGUMENT', `the ${what} name ${JSON.stringify(name)} contains a control character`)
  }
  if (name === '__proto__') throw new ReplogError('INVALID_ARGUMENT', `a ${what} cannot be named __proto__`)
  if (name.length > IDENTIFIER_CODE_POINTS_MAX && [...name].length > IDENTIFIER_CODE_POINTS_MAX) {
    throw new ReplogError('INVALID_ARGUMENT', `a ${what} name has at most ${IDENTIFIER_CODE_POINTS_MAX} characters`)
  }
  return name
}

export function catalogIdentifier(name: unknown): CatalogIdentifier {
  return checkName('catalog', name) as CatalogIdentifier
}

/** @throws ReplogError INVALID_ARGUMENT when the text is not `table` or `schema.table`. */
export function parseTableName(catalog: CatalogIdentifier, text: unknown): TableIdentifier {
  return { catalog, ...parseQualifiedName(text) }
}

/** A table's name within whatever catalog. @throws ReplogError INVALID_ARGUMENT as `parseTableName` */
export function parseQualifiedName(text: unknown): { schema: string; table: string } {
  if (typeof text !== 'string' || text.length === 0) {
    throw new ReplogError('INVALID_ARGUMENT', 'a table is named as "schema.table"')
  }
  const parts = splitName(text)
  if (parts.length > 2) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `"${text}" has too many parts; name a table as "schema.table" and put quotes around a part with a dot`,
    )
  }
  const table = checkName('table', parts[parts.length - 1])
  const schema = parts.length === 2 ? checkName('schema', parts[0]) : DEFAULT_SCHEMA_NAME
  return { schema, table }
}

/** The parts between the dots, without quotes. @throws ReplogError INVALID_ARGUMENT when quotes do not close */
export function splitName(text: string): string[] {
  const parts: string[] = []
  let offset = 0
  for (;;) {
    if (text[offset] === '"') {
      let part = ''
      offset++
      for (;;) {
        const quote = text.indexOf('"', offset)
        if (quote < 0) throw new ReplogError('INVALID_ARGUMENT', `the quote in ${text} is not closed`)
        part += text.slice(offset, quote)
        offset = quote + 1
        if (text[offset] !== '"') break
        part += '"'
        offset++
      }
      parts.push(part)
    } else {
      const dot = text.indexOf('.', offset)
      const end = dot < 0 ? text.length : dot
      parts.push(text.slice(offset, end))
      offset = end
    }
    if (offset === text.length) return parts
    if (text[offset] !== '.') {
      throw new ReplogError('INVALID_ARGUMENT', `a dot must follow the quoted part in ${text}`)
    }
    offset++
  }
}

/** The text form that `parseTableName` reads back. */
export function formatTableName(identifier: { readonly schema: string; readonly table: string }): string {
  return `${quotePart(identifier.schema)}.${quotePart(identifier.table)}`
}

function quotePart(part: string): string {
  return /[."]/.test(part) ? `"${part.replaceAll('"', '""')}"` : part
}

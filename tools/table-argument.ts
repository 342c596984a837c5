/**
 * A table on the command line: `fan_of`, `test.fan_of` or `local.test.fan_of`; a part with a dot stands in double
 * quotes, as in `parseTableName`.
 */
import { ReplogError } from '../core/errors.js'
import { DEFAULT_SCHEMA_NAME, catalogIdentifier, checkName, formatTableName } from '../ddl/identifiers.js'

export interface TableArgument {
  readonly catalog: string
  readonly schema: string
  readonly table: string
  /** "schema.table", as servers take it. */
  readonly name: string
}

const PART = /(?:"((?:[^"]|"")*)"|([^".]*))(\.|$)/y

/**
 * @param catalog the catalog when the text names none
 * @throws ReplogError INVALID_ARGUMENT
 */
export function parseTableArgument(text: string, catalog: string): TableArgument {
  const parts = splitParts(text)
  if (parts.length > 3) {
    throw new ReplogError(
      'INVALID_ARGUMENT',
      `${JSON.stringify(text)} has too many parts; a table is CATALOG.SCHEMA.TABLE, with quotes around a part with a dot`,
    )
  }
  const table = checkName('table', parts.at(-1))
  const schema = checkName('schema', parts.at(-2) ?? DEFAULT_SCHEMA_NAME)
  return {
    catalog: catalogIdentifier(parts.at(-3) ?? catalog),
    schema,
    table,
    name: formatTableName({ schema, table }),
  }
}

function splitParts(text: string): string[] {
  const parts: string[] = []
  PART.lastIndex = 0
  for (;;) {
    const match = PART.exec(text)
    if (match === null) {
      throw new ReplogError(
        'INVALID_ARGUMENT',
        `${text} is not a table name: a quote is not closed, or no dot follows it`,
      )
    }
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2]!)
    if (match[3] === '') return parts
  }
}

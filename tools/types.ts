/** `replog types URL`: the tables of a catalog as a TypeScript module of typed handles. */
import type { Command } from 'commander'
import { DEFAULT_SCHEMA_NAME, formatTableName } from '../ddl/identifiers.js'
import { isSystem } from '../ddl/system-schema.js'
import type { TableDefinition } from '../ddl/table-definition.js'
import { typescriptOf } from '../ddl/typescript-export.js'
import { definitionsInStore } from './dictionary-source.js'
import { addCatalogFlag } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import { type TableArgument, parseTableArgument } from './table-argument.js'
import { UsageError, type Verb } from './verb.js'

interface Options {
  readonly data?: string
  readonly catalog: string
}

export const verb: Verb<Options> = {
  name: 'types',
  summary: 'Print tables as TypeScript: definitions that give rows, keys and changes their types',
  configure(command: Command) {
    addCatalogFlag(command)
      .argument('[url]', `the server, unless --data is given (default: "${DEFAULT_URL}")`)
      .argument('[tables...]', 'only these: TABLE, SCHEMA.TABLE or CATALOG.SCHEMA.TABLE')
      .option('--data <dir>', 'a data directory that no server has open')
  },
  async run({ args, options, isFromEnvironment, terminal }) {
    const hasUrl = args[0]?.includes('://') === true
    if (hasUrl && options.data !== undefined && !isFromEnvironment('data')) {
      throw new UsageError('give the URL of a running server, or --data DIR, not both')
    }
    const data = hasUrl ? undefined : options.data
    const names = data === undefined ? args.slice(1) : args
    const tables = names.map((name) => parseTableArgument(name, options.catalog))
    const catalog = catalogOf(tables, options.catalog)
    const definitions =
      data === undefined
        ? await definitionsOfServer(new HttpClient(args[0] ?? DEFAULT_URL), catalog, tables)
        : await definitionsInStore(data, catalog, tables)
    // Tables of replog itself are nobody's to define, and are there only for who names them.
    const shown = tables.length > 0 ? definitions : definitions.filter(isOrdinary)
    // The same tables give the same text, wherever they are read and in whatever order they are named.
    shown.sort((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1))
    if (shown.length === 0) terminal.note('no tables')
    terminal.print(typescriptOf(shown, catalog).trimEnd())
  },
}

function catalogOf(tables: readonly TableArgument[], byFlag: string): string {
  const catalogs = new Set(tables.map(({ catalog }) => catalog))
  if (catalogs.size > 1) throw new UsageError('the tables are of several catalogs; write a module for each')
  return tables[0]?.catalog ?? byFlag
}

function isOrdinary({ options = {} }: TableDefinition): boolean {
  return !isSystem({ options })
}

async function definitionsOfServer(
  client: HttpClient,
  catalog: string,
  tables: readonly TableArgument[],
): Promise<TableDefinition[]> {
  const names =
    tables.length > 0 ? tables : (await client.tables(catalog)).map(({ schema, name }) => ({ schema, table: name }))
  const definitions: TableDefinition[] = []
  for (const name of names) definitions.push((await client.table(catalog, name)).definition)
  return definitions
}

function nameOf({ schema = DEFAULT_SCHEMA_NAME, name }: TableDefinition): string {
  return formatTableName({ schema, table: name })
}

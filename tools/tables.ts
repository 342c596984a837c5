/** `replog tables URL`: the tables of a catalog with their rows and digests, or one of them in detail. */
import type { Command } from 'commander'
import { addCatalogFlag, addJsonFlag, addVersionFlag } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import type { RemoteVersion } from './remote-dictionary.js'
import { parseTableArgument } from './table-argument.js'
import { tableDetails } from './table-details.js'
import { alignedTable, formatBytes, formatCount, oneLine } from './table-text.js'
import type { Terminal } from './terminal.js'
import { UsageError, type Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly catalog: string
  readonly schema?: string
  readonly version?: number
  readonly versions?: boolean
}

export const verb: Verb<Options> = {
  name: 'tables',
  summary: 'List the tables of a catalog with row counts and digests, or describe one table and its versions',
  configure(command: Command) {
    addVersionFlag(addCatalogFlag(addJsonFlag(command)))
      .argument('[url]', 'the server', DEFAULT_URL)
      .argument('[table]', 'describe this one: TABLE, SCHEMA.TABLE or CATALOG.SCHEMA.TABLE')
      .option('--schema <name>', 'only the tables of this schema')
      .option('--versions', 'list the versions of the table')
  },
  async run({ args, options, terminal }) {
    const client = new HttpClient(args[0] ?? DEFAULT_URL)
    const table = args[1]
    if (table === undefined) {
      if (options.version !== undefined || options.versions === true) {
        throw new UsageError('--version and --versions are about one table: name it behind the URL')
      }
      await listTables(client, options, terminal)
    } else if (options.schema !== undefined) {
      throw new UsageError('--schema is for the list; a table is named as SCHEMA.TABLE')
    } else if (options.versions === true) {
      if (options.version !== undefined) throw new UsageError('give --version N or --versions, not both')
      await listVersions(client, table, options, terminal)
    } else {
      const name = parseTableArgument(table, options.catalog)
      const described = await client.table(name.catalog, name, options.version)
      if (options.json === true) terminal.printJson(described)
      else await terminal.write(`${tableDetails(described)}\n`)
    }
  },
}

async function listTables(client: HttpClient, options: Options, terminal: Terminal): Promise<void> {
  const all = await client.tables(options.catalog)
  const tables = all.filter(({ schema }) => options.schema === undefined || schema === options.schema)
  if (options.json === true) {
    await terminal.write(`${JSON.stringify(tables)}\n`)
  } else if (tables.length === 0) {
    terminal.note(options.schema === undefined ? 'no tables' : `no tables in schema ${JSON.stringify(options.schema)}`)
  } else {
    const rows = tables.map(({ schema, name, version, rows, bytes, digest }) => {
      return [oneLine(schema), oneLine(name), String(version), formatCount(rows), formatBytes(bytes), digest]
    })
    await terminal.write(`${alignedTable([['schema', 'table', 'version', 'rows', 'bytes', 'digest'], ...rows])}\n`)
  }
}

async function listVersions(client: HttpClient, text: string, options: Options, terminal: Terminal): Promise<void> {
  const table = parseTableArgument(text, options.catalog)
  const versions: RemoteVersion[] = []
  for await (const version of client.tableVersions(table.catalog, table)) versions.push(version)
  if (options.json === true) {
    await terminal.write(`${JSON.stringify(versions)}\n`)
    return
  }
  const rows = versions.map(({ version, schema, name, changedAt }) => {
    return [String(version), oneLine(schema), oneLine(name), changedAt]
  })
  await terminal.write(`${alignedTable([['version', 'schema', 'table', 'changed'], ...rows])}\n`)
}

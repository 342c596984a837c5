/** `replog tables URL`: the tables of a catalog with their rows and digests. */
import type { Command } from 'commander'
import { addCatalogFlag, addJsonFlag } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import { alignedTable, formatCount } from './table-text.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly catalog: string
  readonly schema?: string
}

export const verb: Verb<Options> = {
  name: 'tables',
  summary: 'List the tables of a catalog, with row counts and digests',
  configure(command: Command) {
    addCatalogFlag(addJsonFlag(command))
      .argument('[url]', 'the server', DEFAULT_URL)
      .option('--schema <name>', 'only the tables of this schema')
  },
  async run({ args, options, terminal }) {
    const all = await new HttpClient(args[0] ?? DEFAULT_URL).tables(options.catalog)
    const tables = all.filter(({ schema }) => options.schema === undefined || schema === options.schema)
    if (options.json === true) {
      terminal.printJson(tables)
    } else if (tables.length === 0) {
      terminal.note(
        options.schema === undefined ? 'no tables' : `no tables in schema ${JSON.stringify(options.schema)}`,
      )
    } else {
      terminal.print(
        alignedTable([
          ['schema', 'table', 'version', 'rows', 'digest'],
          ...tables.map(({ schema, name, version, rows, digest }) => [
            schema,
            name,
            String(version),
            formatCount(rows),
            digest,
          ]),
        ]),
      )
    }
  },
}

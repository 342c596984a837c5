/** `replog schemas URL`: the schemas of a catalog with their tables, comments and options. */
import type { Command } from 'commander'
import { addCatalogFlag, addJsonFlag } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import { alignedTable, formatCount, oneLine } from './table-text.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly catalog: string
}

export const verb: Verb<Options> = {
  name: 'schemas',
  summary: 'List the schemas of a catalog, with numbers of tables, comments and options',
  configure(command: Command) {
    addCatalogFlag(addJsonFlag(command)).argument('[url]', 'the server', DEFAULT_URL)
  },
  async run({ args, options, terminal }) {
    const schemas = await new HttpClient(args[0] ?? DEFAULT_URL).schemas(options.catalog)
    if (options.json === true) {
      await terminal.write(`${JSON.stringify(schemas)}\n`)
      return
    }
    const rows = schemas.map(({ name, tables, createdAt, comment, options }) => {
      const pairs = Object.entries(options).map((pair) => pair.join('='))
      return [
        oneLine(name),
        formatCount(tables),
        createdAt,
        oneLine([...(comment === '' ? [] : [comment]), ...pairs].join('; ')),
      ]
    })
    await terminal.write(`${alignedTable([['schema', 'tables', 'created', 'comment and options'], ...rows])}\n`)
  },
}

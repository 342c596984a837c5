/** `replog show-create TABLE`: the SQL text of a table. */
import type { Command } from 'commander'
import { showCreateTable } from '../ddl/show-create.js'
import { showTableInStore } from './dictionary-source.js'
import { type SourceOptions, addCatalogFlag, addSourceFlags, sourceOf } from './flags.js'
import { HttpClient, catalogPath } from './http-client.js'
import { parseTableArgument } from './table-argument.js'
import type { Verb } from './verb.js'

interface Options extends SourceOptions {
  readonly catalog: string
}

export const verb: Verb<Options> = {
  name: 'show-create',
  summary: 'Print the SQL text of a table',
  configure(command: Command) {
    addCatalogFlag(addSourceFlags(command)).argument('<table>', 'TABLE, SCHEMA.TABLE or CATALOG.SCHEMA.TABLE')
  },
  async run(invocation) {
    const { args, options, terminal } = invocation
    const source = sourceOf(invocation)
    const table = parseTableArgument(args[0] ?? '', options.catalog)
    if ('from' in source) {
      const path = catalogPath(table.catalog, 'tables', table.name, 'sql')
      terminal.print((await new HttpClient(source.from).text(path)).trimEnd())
    } else {
      const text = await showTableInStore(source.data, table, (message, tableOf) => {
        return showCreateTable(message, table.schema, tableOf)
      })
      terminal.print(text.trimEnd())
    }
  },
}

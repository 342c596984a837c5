/** `replog show-create TABLE`: the SQL text of a table. */
import type { Command } from 'commander'
import { showCreateTable } from '../ddl/show-create.js'
import { showTableInStore } from './dictionary-source.js'
import { type SourceOptions, addCatalogFlag, addSourceFlags, addVersionFlag, sourceOf } from './flags.js'
import { HttpClient, tablePath } from './http-client.js'
import { parseTableArgument } from './table-argument.js'
import type { Verb } from './verb.js'

interface Options extends SourceOptions {
  readonly catalog: string
  readonly version?: number
}

export const verb: Verb<Options> = {
  name: 'show-create',
  summary: 'Print the SQL text of a table',
  configure(command: Command) {
    addVersionFlag(addCatalogFlag(addSourceFlags(command))).argument(
      '<table>',
      'TABLE, SCHEMA.TABLE or CATALOG.SCHEMA.TABLE',
    )
  },
  async run(invocation) {
    const { args, options, terminal } = invocation
    const source = sourceOf(invocation)
    const table = parseTableArgument(args[0] ?? '', options.catalog)
    const { version } = options
    const text =
      'from' in source
        ? await new HttpClient(source.from).text(tablePath(table.catalog, table, { part: 'sql', version }))
        : await showTableInStore(source.data, table, version, showCreateTable)
    terminal.print(text.trimEnd())
  },
}

/** `replog proto TABLE`: a standalone .proto of a table, from which any language decodes its rows and changes. */
import type { Command } from 'commander'
import { protoOf } from '../ddl/proto-export.js'
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
  name: 'proto',
  summary: 'Print a standalone .proto of a table, from which any language decodes its rows and changes',
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
    const { catalog } = table
    const { version } = options
    const text =
      'from' in source
        ? await new HttpClient(source.from).text(tablePath(catalog, table, { part: 'proto', version }))
        : await showTableInStore(source.data, table, version, (message, schema) =>
            protoOf(message, { catalog, schema }),
          )
    terminal.print(text.trimEnd())
  },
}

/** `replog catalogs URL`: the catalogs of a server with their sizes, comments and options. */
import { addJsonFlag } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import type { RemoteCatalog } from './remote-dictionary.js'
import { alignedTable, formatBytes, formatCount, oneLine } from './table-text.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
}

export const verb: Verb<Options> = {
  name: 'catalogs',
  summary: 'List the catalogs of a server, with tables, rows, bytes, comments and options',
  configure(command) {
    addJsonFlag(command).argument('[url]', 'the server', DEFAULT_URL)
  },
  async run({ args, options, terminal }) {
    const catalogs: RemoteCatalog[] = []
    for await (const catalog of new HttpClient(args[0] ?? DEFAULT_URL).catalogs()) catalogs.push(catalog)
    if (options.json === true) {
      await terminal.write(`${JSON.stringify(catalogs)}\n`)
      return
    }
    const rows = catalogs.map(({ name, tables, rows, bytes, comment, options }) => [
      name,
      formatCount(tables),
      formatCount(rows),
      formatBytes(bytes),
      oneLine(
        [...(comment === '' ? [] : [comment]), ...Object.entries(options).map((pair) => pair.join('='))].join('; '),
      ),
    ])
    await terminal.write(`${alignedTable([['catalog', 'tables', 'rows', 'bytes', 'comment and options'], ...rows])}\n`)
  },
}

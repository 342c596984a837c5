/** `replog catalogs URL`: the catalogs of a server with their sizes. */
import { addJsonFlag } from './flags.js'
import { DEFAULT_URL, HttpClient, type RemoteCatalog } from './http-client.js'
import { alignedTable, formatBytes, formatCount } from './table-text.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
}

export const verb: Verb<Options> = {
  name: 'catalogs',
  summary: 'List the catalogs of a server, with tables, rows and bytes',
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
    const rows = catalogs.map(({ name, tables, rows, bytes }) => [
      name,
      formatCount(tables),
      formatCount(rows),
      formatBytes(bytes),
    ])
    await terminal.write(`${alignedTable([['catalog', 'tables', 'rows', 'bytes'], ...rows])}\n`)
  },
}

/** `replog subscriptions URL`: the subscriptions of a catalog, with how far each is. */
import { addCatalogFlag, addJsonFlag } from './flags.js'
import { DEFAULT_URL, HttpClient, catalogPath } from './http-client.js'
import type { Subscription } from '../primary/subscriptions/catalog-subscriptions.js'
import { alignedTable, formatCount, formatSeconds } from './table-text.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly catalog: string
}

export const verb: Verb<Options> = {
  name: 'subscriptions',
  summary: 'List the subscriptions of a catalog, with lag, workers and those that are lost',
  configure(command) {
    addCatalogFlag(addJsonFlag(command)).argument('[url]', 'the primary', DEFAULT_URL)
  },
  async run({ args, options, terminal }) {
    const answer = await new HttpClient(args[0] ?? DEFAULT_URL).json(catalogPath(options.catalog, 'subscriptions'))
    const { subscriptions } = answer as { readonly subscriptions: readonly Subscription[] }
    if (options.json === true) {
      terminal.printJson(subscriptions)
      return
    }
    const rows = subscriptions.map(({ name, state, lag, workers, tables, acknowledged }) => [
      name,
      state,
      lag === null ? '-' : formatCount(lag.transactions),
      lag === null ? '-' : formatSeconds(lag.seconds),
      formatCount(workers.length),
      tables === null ? 'all' : tables.join(' '),
      acknowledged ?? 'nothing yet',
    ])
    const head = ['subscription', 'log', 'transactions behind', 'age', 'workers', 'tables', 'acknowledged']
    terminal.print(alignedTable([head, ...rows]))
    for (const { problem } of subscriptions) if (problem !== null) terminal.print(problem)
  },
}

/** `replog subscriptions create URL NAME`: makes a subscription, for which the log is kept from then on. */
import { CHANGE_OPERATIONS } from '../log/changes/change-filter.js'
import type { Subscription } from '../primary/subscriptions/catalog-subscriptions.js'
import { addCatalogFlag, addJsonFlag, listOf } from './flags.js'
import { HttpClient, catalogPath } from './http-client.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly catalog: string
  readonly tables?: readonly string[]
  readonly operations?: readonly string[]
  readonly after?: string
  readonly snapshot?: boolean
  readonly ifNotExists?: boolean
}

const text = (part: string): string => part

export const verb: Verb<Options> = {
  name: 'subscriptions create',
  summary: 'Make a subscription: a named place in the changes of a catalog, for which the log is kept',
  configure(command) {
    addCatalogFlag(addJsonFlag(command))
      .argument('<url>', 'the primary')
      .argument('<name>', 'its name')
      .option('--tables <list>', 'tables, such as orders,shop.*; all when left out', listOf(text))
      .option('--operations <list>', `of ${CHANGE_OPERATIONS.join(',')}; all when left out`, listOf(text))
      .option('--after <token>', 'begin behind a token, a position or an LSN; 0: the beginning of the log')
      .option('--snapshot', 'begin with all rows that are there')
      .option('--if-not-exists', 'leave one that is there as it is')
  },
  async run({ args: [url = '', name], options, terminal }) {
    const { json, catalog, ...parts } = options
    const body = JSON.stringify({ name, ...parts })
    const made = (await new HttpClient(url).json(catalogPath(catalog, 'subscriptions'), { body })) as Subscription
    if (json === true) terminal.printJson(made)
    else
      terminal.print(
        `${made.name} begins ${made.acknowledged === null ? 'with a snapshot' : `behind ${made.acknowledged}`}`,
      )
  },
}

/** `replog subscriptions reset URL NAME`: takes a subscription up anew, such as one whose place in the log was purged. */
import type { Subscription } from '../primary/subscriptions/catalog-subscriptions.js'
import { addCatalogFlag, addJsonFlag } from './flags.js'
import { HttpClient, catalogPath } from './http-client.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly catalog: string
  readonly after?: string
  readonly snapshot?: boolean
}

export const verb: Verb<Options> = {
  name: 'subscriptions reset',
  summary: 'Take a subscription up anew: from now on, behind a token, or with a snapshot',
  configure(command) {
    addCatalogFlag(addJsonFlag(command))
      .argument('<url>', 'the primary')
      .argument('<name>', 'its name')
      .option('--after <token>', 'begin behind a token, a position or an LSN; 0: the beginning of the log')
      .option('--snapshot', 'begin with all rows that are there')
  },
  async run({ args: [url = '', name = ''], options, terminal }) {
    const { json, catalog, ...start } = options
    const path = catalogPath(catalog, 'subscriptions', name, 'reset')
    const made = (await new HttpClient(url).json(path, { body: JSON.stringify(start) })) as Subscription
    if (json === true) terminal.printJson(made)
    else
      terminal.print(
        `${made.name} begins ${made.acknowledged === null ? 'with a snapshot' : `behind ${made.acknowledged}`}`,
      )
  },
}

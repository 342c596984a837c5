/** `replog subscriptions ack URL NAME TOKEN`: everything up to the token of a change is done. */
import { addCatalogFlag, addJsonFlag } from './flags.js'
import { HttpClient, catalogPath } from './http-client.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly catalog: string
}

export const verb: Verb<Options> = {
  name: 'subscriptions ack',
  summary: 'Acknowledge everything up to the token of a change, for all workers of a subscription',
  configure(command) {
    addCatalogFlag(addJsonFlag(command))
      .argument('<url>', 'the primary')
      .argument('<name>', 'name of the subscription')
      .argument('<token>', 'the token')
  },
  async run({ args: [url = '', name = '', token], options, terminal }) {
    const path = catalogPath(options.catalog, 'subscriptions', name, 'ack')
    const answer = await new HttpClient(url).json(path, { body: JSON.stringify({ token }) })
    const { acknowledged } = answer as { readonly acknowledged: string }
    if (options.json === true) terminal.printJson(answer)
    else terminal.print(`acknowledged up to ${acknowledged}`)
  },
}

/** `replog subscriptions drop URL NAME`: drops a subscription; the log is not kept for it any more. */
import { addCatalogFlag, addJsonFlag } from './flags.js'
import { HttpClient, catalogPath } from './http-client.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly catalog: string
}

export const verb: Verb<Options> = {
  name: 'subscriptions drop',
  summary: 'Drop a subscription; the log is not kept for it any more',
  configure(command) {
    addCatalogFlag(addJsonFlag(command)).argument('<url>', 'the primary').argument('<name>', 'its name')
  },
  async run({ args: [url = '', name = ''], options, terminal }) {
    const path = catalogPath(options.catalog, 'subscriptions', name)
    const answer = await new HttpClient(url).json(path, { method: 'DELETE' })
    if (options.json === true) terminal.printJson(answer)
    else terminal.print(`${name} dropped`)
  },
}

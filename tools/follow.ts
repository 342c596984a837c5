/** `replog follow URL --from URL`: lets a running replica follow another server. */
import { addJsonFlag } from './flags.js'
import { HttpClient } from './http-client.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly from: string
}

export const verb: Verb<Options> = {
  name: 'follow',
  summary: 'Let a running replica follow another server, until its next start with its own --from',
  configure(command) {
    addJsonFlag(command)
      .argument('<url>', 'the replica')
      .requiredOption('--from <url>', 'address of the primary, or of a replica')
  },
  async run({ args, options, terminal }) {
    const client = new HttpClient(args[0] ?? '')
    const answer = (await client.json('/v1/admin/follow', { body: JSON.stringify({ from: options.from }) })) as Options
    if (options.json === true) terminal.printJson({ from: answer.from })
    else {
      terminal.print(`${client.url} follows ${answer.from}`)
      terminal.print(`At its next start it follows what its command line says: change its --from to ${answer.from}`)
    }
  },
}

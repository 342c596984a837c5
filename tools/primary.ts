/** `replog primary`: serves a primary. */
import { hostname } from 'node:os'
import { ACK_REPLICAS_MAX } from '../core/limits.js'
import { registerPrimaryRoutes } from '../primary/http.js'
import { Primary } from '../primary/primary.js'
import { ServedPrimary } from '../primary/served-primary.js'
import { type AckFlags, ackOf, addAckFlags } from './ack-flags.js'
import { within } from './flags.js'
import { type LimitFlags, addLimitFlags, limitOptions } from './limit-flags.js'
import { type ListenOptions, parsePort, serve } from './serve.js'
import type { Verb } from './verb.js'

interface PrimaryFlags extends ListenOptions, LimitFlags, AckFlags {
  readonly data: string
  readonly name: string
  readonly minReplicas: number
}

export const verb: Verb<PrimaryFlags> = {
  name: 'primary',
  summary: 'Serve a primary: takes transactions, answers reads, feeds replicas',
  configure(command) {
    command
      .requiredOption('--data <dir>', 'data directory; made when it does not exist')
      .option('--host <address>', 'address to listen on', '127.0.0.1')
      .option('--port <port>', 'port to listen on; 0 chooses any', parsePort, 7400)
      .option('--name <name>', 'how this server is called in status and metrics', hostname())
      .option('--min-replicas <n>', 'refuse writes while fewer replicas are connected', within(0, ACK_REPLICAS_MAX), 0)
      .option('--json', 'print events as JSON lines', false)
    addLimitFlags(addAckFlags(command))
  },
  async run({ options, terminal, untilStopped }) {
    const signal = untilStopped()
    const onError = (error: unknown): void => {
      terminal.note(`error: ${error instanceof Error ? error.message : String(error)}`)
    }
    const primary = await Primary.open({
      path: options.data,
      onError,
      limits: limitOptions(options),
      ack: ackOf(options),
      minReplicas: options.minReplicas,
    })
    const node = new ServedPrimary(primary, { name: options.name, onError })
    await serve({
      node,
      options,
      terminal,
      signal,
      configure(app) {
        registerPrimaryRoutes(app, primary)
      },
      attach(server) {
        node.sockets.attach(server)
      },
      closeLink: () => node.close(),
      close: () => primary.close(),
    })
  },
}

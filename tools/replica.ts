/** `replog replica`: follows a primary and serves reads. */
import { hostname } from 'node:os'
import { registerReplicaRoutes } from '../replica/http.js'
import { Replica } from '../replica/replica.js'
import { ServedReplica } from '../replica/served-replica.js'
import { type ListenOptions, parsePort, serve } from './serve.js'
import type { Verb } from './verb.js'

interface ReplicaFlags extends ListenOptions {
  readonly from: string
  readonly data: string
  readonly name: string
}

export const verb: Verb<ReplicaFlags> = {
  name: 'replica',
  summary: 'Serve a replica: follows a primary from its last frame, answers reads',
  configure(command) {
    command
      .requiredOption('--from <url>', 'address of the primary, such as http://127.0.0.1:7400')
      .requiredOption('--data <dir>', 'data directory; made when it does not exist')
      .option('--host <address>', 'address to listen on', '127.0.0.1')
      .option('--port <port>', 'port to listen on; 0 chooses any', parsePort, 7401)
      .option('--name <name>', 'how the primary lists this replica', `${hostname()}-replica`)
      .option('--json', 'print events as JSON lines', false)
  },
  async run({ options, terminal, untilStopped }) {
    const signal = untilStopped()
    const replica = await Replica.open({
      path: options.data,
      from: options.from,
      name: options.name,
      onError(error) {
        terminal.note(`error: ${error instanceof Error ? error.message : String(error)}`)
      },
      onStateChange(state, error) {
        if (signal.aborted) return
        const code = error?.code ?? null
        if (options.json) terminal.printJson({ event: 'replication', state, code, message: error?.message ?? null })
        else terminal.note(`replication: ${state}${error === undefined ? '' : ` (${error.code}: ${error.message})`}`)
      },
    })
    const node = new ServedReplica(replica, { name: options.name })
    await serve({
      node,
      options,
      terminal,
      signal,
      configure(app) {
        registerReplicaRoutes(app, () => replica.from)
      },
      async close() {
        node.close()
        await replica.close()
      },
    })
  },
}

/** `replog primary`: serves a primary. */
import { hostname } from 'node:os'
import { addPrimaryFlags } from './primary-flags.js'
import { type PrimaryFlags, servePrimary } from './serve-primary.js'
import { parsePort } from './serve.js'
import type { Verb } from './verb.js'

export const verb: Verb<PrimaryFlags> = {
  name: 'primary',
  summary: 'Serve a primary: takes transactions, answers reads, feeds replicas',
  configure(command) {
    command
      .requiredOption('--data <dir>', 'data directory; made when it does not exist')
      .option('--host <address>', 'address to listen on', '127.0.0.1')
      .option('--port <port>', 'port to listen on; 0 chooses any', parsePort, 7400)
      .option('--name <name>', 'how this server is called in status and metrics', hostname())
      .option('--json', 'print events as JSON lines', false)
    addPrimaryFlags(command)
  },
  run({ options, terminal, untilStopped }) {
    return servePrimary({ options, terminal, signal: untilStopped() })
  },
}

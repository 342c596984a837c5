/** `replog replication pause URL`: a replica applies nothing until it is told to go on. */
import { type OrderFlags, addOrderFlags, order } from './replication/order.js'
import type { Verb } from './verb.js'

export const verb: Verb<OrderFlags> = {
  name: 'replication pause',
  summary: 'Stop a replica from applying what it receives, also after a restart',
  configure(command) {
    addOrderFlags(command).option('--reason <text>', 'why, for those who read the status later')
  },
  async run({ args: [url = ''], options, terminal }) {
    const { by, reason } = options
    const body = reason === undefined ? { by } : { by, reason }
    await order(
      terminal,
      url,
      'pause',
      body,
      options,
      ({ applied }) => `paused at LSN ${applied.lsn}; go on with: replog replication resume ${url}`,
    )
  },
}

/** `replog replication resume URL`: a replica that was paused, or has stopped, goes on. */
import { type OrderFlags, addOrderFlags, order } from './replication/order.js'
import type { Verb } from './verb.js'

export const verb: Verb<OrderFlags> = {
  name: 'replication resume',
  summary: 'Let a replica that was paused or has stopped go on',
  configure(command) {
    addOrderFlags(command)
  },
  async run({ args: [url = ''], options, terminal }) {
    await order(terminal, url, 'resume', undefined, options, ({ applied }) => `goes on behind LSN ${applied.lsn}`)
  },
}

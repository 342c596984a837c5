/** `replog replication skip URL --lsn N --reason TEXT`: a replica does without a transaction that it cannot apply. */
import { lsnFlag } from './flags.js'
import type { Lsn } from '../core/position.js'
import { type OrderFlags, addOrderFlags, order } from './replication/order.js'
import type { Verb } from './verb.js'

interface SkipFlags extends OrderFlags {
  readonly lsn: Lsn
  readonly reason: string
}

export const verb: Verb<SkipFlags> = {
  name: 'replication skip',
  summary: 'Let a replica do without the one transaction that it cannot apply; its rows differ from then on',
  configure(command) {
    addOrderFlags(command)
      .requiredOption('--lsn <n>', 'the transaction, as the status of the replica names it', lsnFlag)
      .requiredOption('--reason <text>', 'why, for those who read the status later')
  },
  async run({ args: [url = ''], options, terminal }) {
    const { lsn, by, reason } = options
    await order(
      terminal,
      url,
      'skip',
      { lsn: lsn.toString(), by, reason },
      options,
      ({ skipped = [] }) =>
        `goes on without the effects of LSN ${lsn}; the log keeps it. ${skipped.length} skipped so far: its rows differ ` +
        'from those of the primary, which the status says until it is cloned anew',
    )
  },
}

/** The flags of a primary, which a replica has too: it uses them when it is promoted. */
import type { Command } from 'commander'
import { ACK_REPLICAS_MAX } from '../core/limits.js'
import { addAckFlags } from './ack-flags.js'
import { within } from './flags.js'
import { addLimitFlags } from './limit-flags.js'
import { addRetentionFlags } from './retention-flags.js'

export function addPrimaryFlags(command: Command): Command {
  command.option(
    '--min-replicas <n>',
    'as a primary, refuse writes while fewer replicas are connected',
    within(0, ACK_REPLICAS_MAX),
    0,
  )
  return addRetentionFlags(addLimitFlags(addAckFlags(command)))
}

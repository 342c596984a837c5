/** The flags of a primary, which a replica has too: it uses them when it is promoted. */
import type { Command } from 'commander'
import {
  ACK_REPLICAS_MAX,
  SCRUB_RATE_DEFAULT,
  SCRUB_RATE_MAX,
  VERIFY_INTERVAL_MS_DEFAULT,
  VERIFY_INTERVAL_MS_MAX,
} from '../core/limits.js'
import { addAckFlags } from './ack-flags.js'
import { addFailoverFlags } from './failover/failover-flags.js'
import { within } from './flags.js'
import { addLimitFlags } from './limit-flags.js'
import { addNatsFlags } from './nats-flags.js'
import { addRetentionFlags } from './retention-flags.js'

export function addPrimaryFlags(command: Command): Command {
  command
    .option(
      '--min-replicas <n>',
      'as a primary, refuse writes while fewer replicas are connected',
      within(0, ACK_REPLICAS_MAX),
      0,
    )
    .option(
      '--verify-interval <seconds>',
      'as a primary, how often the log says what changed tables hold, for replicas to compare; 0: never',
      within(0, VERIFY_INTERVAL_MS_MAX / 1000),
      VERIFY_INTERVAL_MS_DEFAULT / 1000,
    )
    .option(
      '--scrub-rate <bytes>',
      'bytes per second that the background scrub reads; 0: no scrub runs by itself',
      within(0, SCRUB_RATE_MAX),
      SCRUB_RATE_DEFAULT,
    )
  addFailoverFlags(addNatsFlags(command))
  return addRetentionFlags(addLimitFlags(addAckFlags(command)))
}

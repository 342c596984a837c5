/** `--ack LEVEL` and its details: how safe a commit must be before it is answered, where it does not say itself. */
import { type Command, Option } from 'commander'
import { ACK_REPLICAS_MAX, ACK_TIMEOUT_MS_DEFAULT, ACK_TIMEOUT_MS_MAX } from '../core/limits.js'
import { ACK_LEVELS, type AckLevel, type AckTimeoutAction } from '../log/acknowledgements.js'
import type { AckDemand } from '../primary/ack-gate.js'
import { within } from './flags.js'

export interface AckFlags {
  readonly ack: AckLevel
  readonly ackReplicas: number
  readonly ackTimeoutMs: number
  readonly ackOnTimeout: AckTimeoutAction
}

export function addAckFlags(command: Command): Command {
  return command
    .addOption(
      new Option('--ack <level>', 'answer a commit when it is durable here, or when replicas have it')
        .choices(ACK_LEVELS)
        .default('local'),
    )
    .option('--ack-replicas <n>', 'how many replicas must confirm', within(1, ACK_REPLICAS_MAX), 1)
    .option(
      '--ack-timeout-ms <n>',
      'how long a commit waits for them',
      within(1, ACK_TIMEOUT_MS_MAX),
      ACK_TIMEOUT_MS_DEFAULT,
    )
    .addOption(
      new Option('--ack-on-timeout <action>', 'then: answer ACK_TIMEOUT, or go on without them until they are back')
        .choices(['error', 'continue'])
        .default('error'),
    )
}

export function ackOf({ ack, ackReplicas, ackTimeoutMs, ackOnTimeout }: AckFlags): AckDemand {
  return { level: ack, replicas: ackReplicas, timeoutMs: ackTimeoutMs, onTimeout: ackOnTimeout }
}

/** `--auto-failover` and what belongs to it. */
import type { Command } from 'commander'
import { LEASE_MS_DEFAULT, LEASE_MS_MAX, LEASE_MS_MIN } from '../../core/limits.js'
import { within } from '../flags.js'
import { UsageError } from '../verb.js'

export interface FailoverFlags {
  readonly autoFailover: boolean
  readonly leaseMs: number
  readonly advertise?: string
}

export function addFailoverFlags(command: Command): Command {
  return command
    .option('--auto-failover', 'fail over by itself, with NATS (--nats) as the witness', false)
    .option(
      '--lease-ms <n>',
      'for --auto-failover: how long the primary may be silent, the same on every server',
      within(LEASE_MS_MIN, LEASE_MS_MAX),
      LEASE_MS_DEFAULT,
    )
    .option('--advertise <url>', 'for --auto-failover: how others reach this server; its own address when left out')
}

/** @throws UsageError for flags that exclude each other */
export function checkFailoverFlags(
  { autoFailover }: FailoverFlags,
  others: {
    readonly nats: boolean
    readonly delay?: number | undefined
    readonly only?: readonly string[] | undefined
  },
): void {
  if (!autoFailover) return
  if (!others.nats) throw new UsageError('--auto-failover needs a witness: --nats URL')
  if ((others.delay ?? 0) > 0 || others.only !== undefined) {
    throw new UsageError('a replica with --delay or --only cannot take over; leave out --auto-failover')
  }
}

/** `--nats URL` and how to be let in there. */
import type { Command } from 'commander'
import type { NatsOptions } from '../log/nats/connection.js'
import { NATS_STREAM_AGE_MS_MIN, NATS_STREAM_BYTES_DEFAULT } from '../core/limits.js'
import type { StreamLimits } from '../log/nats/log-stream.js'
import { bytesFlag, durationFlag, listFlag, within } from './flags.js'

export interface NatsFlags {
  readonly nats?: readonly string[]
  readonly natsCreds?: string
  readonly natsUser?: string
  readonly natsPassword?: string
  readonly natsToken?: string
  readonly natsCa?: string
  readonly natsCert?: string
  readonly natsKey?: string
  readonly natsStreamBytes: number
  readonly natsStreamAge?: number
  readonly natsCopies: number
  readonly natsChanges: boolean
}

/** Most servers of a NATS cluster that can keep a stream. */
const COPIES_MAX = 5

export function addNatsFlags(command: Command): Command {
  return command
    .option('--nats <url>', 'a NATS server with JetStream, such as nats://127.0.0.1:4222; may be repeated', listFlag)
    .option('--nats-creds <file>', 'credentials file for NATS')
    .option('--nats-user <name>', 'user for NATS')
    .option('--nats-password <text>', 'its password; better in REPLOG_NATS_PASSWORD')
    .option('--nats-token <text>', 'token for NATS; better in REPLOG_NATS_TOKEN')
    .option('--nats-ca <file>', 'certificate of the authority of the NATS server, PEM')
    .option('--nats-cert <file>', 'certificate of this client for NATS, PEM')
    .option('--nats-key <file>', 'its key, PEM')
    .option(
      '--nats-stream-bytes <bytes>',
      'as a primary: bytes that the stream keeps, such as 10GiB; 0: no bound',
      bytesFlag(0),
      NATS_STREAM_BYTES_DEFAULT,
    )
    .option('--nats-stream-age <time>', 'as a primary: how long the stream keeps a message, such as 7d', durationFlag)
    .option('--nats-changes', 'as a primary: publish the changes of each table, too, for other languages', false)
    .option(
      '--nats-copies <n>',
      'as a primary: servers of a NATS cluster that keep the stream',
      within(1, COPIES_MAX),
      1,
    )
}

/** @param name how this server is called in the monitoring of NATS; undefined without `--nats` */
export function natsOptionsOf(flags: NatsFlags, name: string): NatsOptions | undefined {
  const { nats = [], natsCa, natsCert, natsKey } = flags
  const servers = nats.flatMap((text) => text.split(',')).map((text) => text.trim())
  if (servers.length === 0) return undefined
  const hasTls = natsCa !== undefined || natsCert !== undefined || natsKey !== undefined
  return {
    servers,
    name,
    credsFile: flags.natsCreds,
    user: flags.natsUser,
    password: flags.natsPassword,
    token: flags.natsToken,
    tls: hasTls ? { caFile: natsCa, certFile: natsCert, keyFile: natsKey } : undefined,
  }
}

/** How much of the log the stream of a primary keeps. */
export function streamLimitsOf({ natsStreamBytes, natsStreamAge, natsCopies }: NatsFlags): StreamLimits {
  const ageMsMax = natsStreamAge === undefined ? 0 : Math.max(natsStreamAge, NATS_STREAM_AGE_MS_MIN)
  return { bytesMax: natsStreamBytes, ageMsMax, replicas: natsCopies }
}

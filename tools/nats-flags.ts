/** `--nats URL` and how to be let in there. */
import type { Command } from 'commander'
import type { NatsOptions } from '../log/nats/connection.js'
import { listFlag } from './flags.js'

export interface NatsFlags {
  readonly nats?: readonly string[]
  readonly natsCreds?: string
  readonly natsUser?: string
  readonly natsPassword?: string
  readonly natsToken?: string
  readonly natsCa?: string
  readonly natsCert?: string
  readonly natsKey?: string
}

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

/** What the `replication` verbs have in common: they tell a replica something, with a name and a reason, and show what it says then. */
import { hostname, userInfo } from 'node:os'
import type { Command } from 'commander'
import type { ReplicationStatus } from '../../log/status.js'
import { addJsonFlag } from '../flags.js'
import { HttpClient } from '../http-client.js'
import type { Terminal } from '../terminal.js'

export interface OrderFlags {
  readonly json?: boolean
  readonly by: string
  readonly reason?: string
}

export function addOrderFlags(command: Command): Command {
  return addJsonFlag(command)
    .argument('<url>', 'the replica')
    .option('--by <name>', 'who says so, for those who read the status later', ownName())
}

/** Sends the order and prints the answer. @throws ReplogError of the server, UNREACHABLE */
export async function order(
  terminal: Terminal,
  url: string,
  action: 'pause' | 'resume' | 'skip',
  body: Readonly<Record<string, string>> | undefined,
  { json }: OrderFlags,
  done: (replication: ReplicationStatus) => string,
): Promise<void> {
  const client = new HttpClient(url)
  const options = body === undefined ? { method: 'POST' } : { body: JSON.stringify(body) }
  const answer = await client.json(`/v1/admin/replication/${action}`, options)
  const { replication } = answer as { readonly replication: ReplicationStatus }
  if (json === true) terminal.printJson(answer)
  else terminal.print(done(replication))
}

function ownName(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    // A user without a name, as in some containers.
    return hostname()
  }
}

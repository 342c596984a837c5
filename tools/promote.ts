/** `replog promote URL`: makes a replica the primary. */
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError, isReplogError } from '../core/errors.js'
import { addJsonFlag } from './flags.js'
import { HttpClient } from './http-client.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly force?: boolean
}

interface Promoted {
  readonly epoch: number
  readonly position: string
  readonly fenced: string | null
}

/** How long the server may take to open in its new role. */
const OPEN_MS_MAX = 120_000
const POLL_MS = 50

export const verb: Verb<Options> = {
  name: 'promote',
  summary: 'Make a replica the primary: it takes all that it received, its epoch is one higher, the old one is fenced',
  configure(command) {
    addJsonFlag(command)
      .argument('<url>', 'the replica')
      .option('--force', 'leave behind what a primary in reach has and the replica has not')
  },
  async run({ args, options, terminal }) {
    const client = new HttpClient(args[0] ?? '')
    const body = JSON.stringify({ force: options.force === true })
    const promoted = (await client.json('/v1/admin/promote', { body })) as Promoted
    await untilPrimary(client, promoted.epoch)
    if (options.json === true) terminal.printJson(promoted)
    else {
      terminal.print(`${client.url} is the primary of epoch ${promoted.epoch}, from position ${promoted.position} on`)
      terminal.print(
        promoted.fenced === null
          ? 'The old primary was not reached. Keep it from clients; when it meets the new epoch it takes no writes any more'
          : `The old primary at ${promoted.fenced} takes no writes any more`,
      )
      terminal.print(`Let others follow: replog follow REPLICA --from ${client.url}`)
    }
  },
}

async function untilPrimary(client: HttpClient, epoch: number): Promise<void> {
  const deadlineMs = performance.now() + OPEN_MS_MAX
  for (;;) {
    try {
      const status = await client.status()
      if (status.role === 'primary' && status.epoch >= epoch) return
    } catch (error) {
      if (!isReplogError(error, 'UNREACHABLE') && !isReplogError(error, 'CLOSED')) throw error
    }
    if (performance.now() > deadlineMs) {
      throw new ReplogError(
        'UNREACHABLE',
        `${client.url} has promised to be the primary of epoch ${epoch} and does not answer as one; look at its log. ` +
          'When it is started again with `replog primary`, it finishes the promotion',
      )
    }
    await delay(POLL_MS)
  }
}

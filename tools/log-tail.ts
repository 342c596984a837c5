/** `replog log tail --from URL`: the transactions of a running server as they become durable, until Ctrl-C. */
import { type Command, Option } from 'commander'
import { parsePosition } from '../core/position.js'
import { type StartPoint, startPointFlag } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import { HttpSource } from './log/http-source.js'
import { printLog } from './log/print.js'
import type { Verb } from './verb.js'

interface Options {
  readonly from: string
  readonly after?: StartPoint
  readonly format: 'json' | 'frames'
}

export const verb: Verb<Options> = {
  name: 'log tail',
  summary: 'Print the transactions of a server as they become durable, until Ctrl-C',
  configure(command: Command) {
    command
      .option('--from <url>', 'a running server', DEFAULT_URL)
      .option(
        '--after <position>',
        'start behind this position or LSN; the end of the log when left out',
        startPointFlag,
      )
      .addOption(
        new Option('--format <format>', 'json: one transaction a line; frames: as stored')
          .choices(['json', 'frames'])
          .default('json'),
      )
  },
  async run({ options, terminal, untilStopped }) {
    const signal = untilStopped()
    const client = new HttpClient(options.from)
    const start = options.after ?? (await endOfLog(client))
    const source = new HttpSource(client, { follow: true, signal })
    await printLog(source, start, Infinity, options.format, terminal)
  },
}

async function endOfLog(client: HttpClient): Promise<StartPoint> {
  const position = parsePosition((await client.status()).position)
  return { lsn: position.lsn, position }
}

/** `replog changes URL`: the changes of a catalog as they become durable, a line of JSON each, until Ctrl-C. */
import { type Command, Option } from 'commander'
import { addCatalogFlag } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import { RemoteChanges } from './remote-changes.js'
import type { Verb } from './verb.js'

interface Options {
  readonly catalog: string
  readonly after?: string
  readonly tables?: string
  readonly operations?: string
  readonly snapshot?: true
  readonly transactions?: true
  readonly follow: boolean
  readonly format: 'json' | 'debezium'
}

export const verb: Verb<Options> = {
  name: 'changes',
  summary: 'Print the changes of a catalog as they become durable, until Ctrl-C',
  configure(command: Command) {
    addCatalogFlag(command)
      .argument('[url]', 'a running server', DEFAULT_URL)
      .option(
        '--after <token>',
        'begin behind this token of a change, position or LSN; with the next change when left out',
      )
      .option('--tables <names>', 'only these tables, with commas between them, such as orders,shop.*')
      .option('--operations <names>', 'only these of insert,update,delete,rewrite,definition')
      .option('--snapshot', 'print all rows that are there first')
      .option('--transactions', 'print whole transactions, a line each')
      .option('--no-follow', 'end where the log ends; begins at its beginning when --after is left out')
      .addOption(
        new Option('--format <format>', 'json, or the envelope of Debezium')
          .choices(['json', 'debezium'])
          .default('json'),
      )
  },
  async run({ args, options, terminal, untilStopped }) {
    const signal = untilStopped()
    const { catalog, after, follow, snapshot = false, transactions = false, ...rest } = options
    const client = new HttpClient(args[0] ?? DEFAULT_URL)
    // What is committed while the stream is asked for is told of as well; and who has named no server learns that here.
    const { position } = await client.status()
    const start = after ?? (follow && !snapshot ? position : undefined)
    const changes = new RemoteChanges(client, {
      ...rest,
      catalog,
      after: start,
      follow,
      snapshot,
      transactions,
      signal,
    })
    changes.onRetry = (error) => {
      terminal.note(`replog changes: ${error.message}; it is tried again`)
    }
    for await (const lines of changes.lines()) await terminal.write(lines)
  },
}

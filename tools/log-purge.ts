/** `replog log purge URL --before LSN`: purges the oldest part of a server's log, or says what that would do. */
import type { Command } from 'commander'
import type { Lsn } from '../core/position.js'
import type { PurgeAnswer } from '../log/http/log-purge.js'
import { addJsonFlag, bytesFlag, durationFlag, lsnFlag } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import { formatBytes } from './table-text.js'
import { jsonText } from './terminal.js'
import { UsageError, type Verb } from './verb.js'

interface Options {
  readonly before?: Lsn
  readonly olderThan?: number
  readonly keepBytes?: number
  readonly dryRun?: true
  readonly json?: true
}

export const verb: Verb<Options> = {
  name: 'log purge',
  summary: 'Purge the oldest part of the log of a server, as far as nobody needs it',
  configure(command: Command) {
    command
      .argument('[url]', 'the server', DEFAULT_URL)
      .option('--before <lsn>', 'purge the transactions with lower LSNs', lsnFlag)
      .option('--older-than <time>', 'purge the transactions that are older, such as 7d or 12h', durationFlag)
      .option('--keep-bytes <bytes>', 'purge the oldest, but keep at least so much of the newest', bytesFlag(0))
      .option('--dry-run', 'purge nothing, and say what would be')
    addJsonFlag(command)
  },
  async run({ args, options, terminal }) {
    const { before, olderThan, keepBytes, dryRun = false, json = false } = options
    if ([before, olderThan, keepBytes].filter((value) => value !== undefined).length !== 1) {
      throw new UsageError('give one of --before LSN, --older-than TIME and --keep-bytes BYTES')
    }
    if (before === 0n) throw new UsageError('--before counts from 1: the first LSN that is kept')
    const body = jsonText({ before, olderThanMs: olderThan, keepBytes, dryRun })
    const answer = (await new HttpClient(args[0]!).json('/v1/admin/purge', { body })) as PurgeAnswer
    if (json) terminal.printJson(answer)
    else for (const line of describe(answer)) terminal.print(line)
  },
}

function describe(answer: PurgeAnswer): readonly string[] {
  const { dryRun, transactions, bytes, floor, floorTime, bytesLeft, heldBack } = answer
  const what = `${transactions} transaction${transactions === 1 ? '' : 's'} (${formatBytes(bytes)})`
  const upTo = transactions === 0 ? '' : `, up to ${floor}${floorTime === null ? '' : ` of ${floorTime}`}`
  return [
    dryRun ? `would purge ${what}${upTo}` : `purged ${what}${upTo}`,
    `${dryRun ? 'would leave' : 'left'} ${formatBytes(Number(bytesLeft))}`,
    ...heldBack.map(({ name, lsn, transactions: held }) => `${name} is at LSN ${lsn} and holds ${held} back`),
  ]
}

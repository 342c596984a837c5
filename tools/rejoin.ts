/** `replog rejoin --from URL --data DIR`: makes a replica of an old primary, or of a replica that has diverged. */
import { formatPosition } from '../core/position.js'
import { httpPeer } from './rejoin/http-peer.js'
import { type RejoinReport, rejoin } from './rejoin/rejoin.js'
import type { Terminal } from './terminal.js'
import type { Verb } from './verb.js'

interface Options {
  readonly from: string
  readonly data: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

export const verb: Verb<Options> = {
  name: 'rejoin',
  summary:
    'Undo what a stopped server has and the new primary has not, keep it in a file, and make the server a replica',
  configure(command) {
    command
      .requiredOption('--from <url>', 'the new primary')
      .requiredOption('--data <dir>', 'data directory of the server, which must not run')
      .option('--dry-run', 'only show where the histories part and what would be undone')
      .option('--json', 'print JSON')
  },
  async run({ options, terminal }) {
    const peer = await httpPeer(options.from)
    const report = await rejoin({ path: options.data, peer, dryRun: options.dryRun })
    const { fork, head, ...rest } = report
    if (options.json === true) {
      terminal.printJson({
        fork: formatPosition(fork),
        head: formatPosition(head),
        dryRun: options.dryRun === true,
        ...rest,
      })
    } else {
      show(report, options, peer.url, terminal)
    }
  },
}

function show(report: RejoinReport, options: Options, url: string, terminal: Terminal): void {
  const { transactions, rows, definitions, file, obstacles } = report
  terminal.print(
    `the histories part at ${formatPosition(report.fork)}; this server stood at ${formatPosition(report.head)}`,
  )
  const extra = `${transactions} transactions with ${rows} changes of rows and ${definitions} definition statements`
  if (options.dryRun === true) {
    terminal.print(transactions === 0 ? 'nothing would be undone' : `${extra} would be undone`)
    for (const obstacle of obstacles) terminal.print(`cannot be undone: ${obstacle}`)
    if (obstacles.length > 0) terminal.print('set this server up anew with `replog clone`')
    return
  }
  if (report.resumed) terminal.print('an interrupted rejoin was finished')
  terminal.print(transactions === 0 ? 'nothing had to be undone' : `${extra} were undone`)
  if (file !== null) terminal.print(`they are kept in ${file}`)
  terminal.print(`start it with: replog replica --from ${url} --data ${options.data}`)
}

/** `replog repair`: puts back what a stopped server's store lost, from a peer; with `--dry-run` it says what it would do. */
import type { Command } from 'commander'
import { ReplogError } from '../core/errors.js'
import type { RepairReport } from '../log/verify/repair.js'
import type { TableRepair } from '../log/verify/repair-table.js'
import { addJsonFlag } from './flags.js'
import { repairDirectory } from './repair/repair-directory.js'
import { formatCount } from './table-text.js'
import type { Verb } from './verb.js'

interface Options {
  readonly data: string
  readonly from: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

export const verb: Verb<Options> = {
  name: 'repair',
  summary: 'Mend a damaged log, rows and index entries of a stopped server from a sound peer',
  configure(command: Command) {
    addJsonFlag(command)
      .requiredOption('--data <dir>', 'the damaged data directory; no server may have it open')
      .requiredOption('--from <url>', 'a running server of the same cluster, primary or replica')
      .option('--dry-run', 'say what would be done, and change nothing')
  },
  async run({ options, terminal }) {
    const report = await repairDirectory(options.data, options.from, {
      dryRun: options.dryRun === true,
      onStep(step) {
        terminal.note(step)
      },
    })
    if (options.json === true) terminal.printJson(report)
    else await terminal.write(`${repairText(report)}\n`)
    if (report.dryRun || report.leftCount === 0) return
    throw new ReplogError(
      'CORRUPT',
      `${formatCount(report.leftCount)} places are still damaged, and this peer cannot mend them; copy this server anew with ` +
        `\`replog clone --from ${options.from} --data DIR\`, DIR being a new directory`,
    )
  },
}

export function repairText({ dryRun, log, tables, others, refused, left, leftCount, position }: RepairReport): string {
  const lines = log.map(({ first, last, frames, reason }) => {
    const which = first === last ? `transaction ${first}` : `transactions ${first} to ${last}`
    return `log: ${frames} frames of ${which} put back (${reason})`
  })
  for (const table of tables) lines.push(tableText(table))
  lines.push(...others, ...refused.map((reason) => `not mended: ${reason}`))
  if (lines.length === 0) lines.push('nothing to mend')
  if (dryRun) return ['would be done:', ...lines].join('\n')
  for (const { message } of left) lines.push(`still damaged: ${message}`)
  lines.push(leftCount === 0 ? `sound at ${position}` : `${formatCount(leftCount)} places still damaged`)
  return lines.join('\n')
}

function tableText({ catalog, table, statisticsPut, ...counts }: TableRepair): string {
  const { rowsPut, rowsDeleted, entriesPut, entriesDeleted } = counts
  const parts = [
    `${formatCount(rowsPut)} rows written`,
    `${formatCount(rowsDeleted)} deleted`,
    `${formatCount(entriesPut)} index entries written`,
    `${formatCount(entriesDeleted)} deleted`,
    ...(statisticsPut ? ['statistics written'] : []),
  ]
  return `table ${table} of catalog ${catalog}: ${parts.join(', ')}`
}

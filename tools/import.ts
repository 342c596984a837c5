/** `replog import`: rows of a CSV, NDJSON or JSON file into a table; resumable, with the line in every error. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { ReplogError } from '../core/errors.js'
import { Primary } from '../primary/primary.js'
import { addCatalogFlag, addJsonFlag, positiveInteger } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import { embeddedTarget } from './import/embedded-target.js'
import { httpTarget } from './import/http-target.js'
import { type ImportReport, ROWS_PER_TRANSACTION_DEFAULT, importFile } from './import/import-file.js'
import type { ImportTarget } from './import/import-target.js'
import type { SourceFormat } from './import/source-record.js'
import { ProgressBar } from './progress-bar.js'
import { formatCount, formatSeconds } from './table-text.js'
import type { Terminal } from './terminal.js'
import { type Invocation, UsageError, type Verb } from './verb.js'

interface Options {
  readonly table: string
  readonly to?: string
  readonly data?: string
  readonly catalog: string
  readonly create?: boolean
  readonly key?: readonly string[]
  readonly format?: SourceFormat
  readonly rows: number
  readonly delimiter?: string
  readonly null?: string
  readonly again?: boolean
  readonly json?: boolean
}

export const verb: Verb<Options> = {
  name: 'import',
  summary: 'Store the rows of a CSV, NDJSON or JSON file in a table; takes up where it was stopped',
  configure(command: Command) {
    addCatalogFlag(addJsonFlag(command))
      .argument('<file>', 'CSV (the first line names the columns), one JSON object a line, or a JSON array of objects')
      .requiredOption('--table <table>', 'the table, as SCHEMA.TABLE')
      .option('--to <url>', `a running primary (default: ${DEFAULT_URL})`)
      .option('--data <dir>', 'a data directory that no server has open; made when it is new')
      .option('--create', 'make the table, with columns guessed from the file')
      .option(
        '--key <columns>',
        'with --create: the key columns, with commas between; a counter when left out',
        columnList,
      )
      .addOption(
        new Option('--format <format>', 'told by the file name and its first character when left out').choices([
          'csv',
          'ndjson',
          'json',
        ]),
      )
      .option('--rows <n>', 'rows in one transaction', positiveInteger, ROWS_PER_TRANSACTION_DEFAULT)
      .option('--delimiter <char>', 'CSV: what stands between fields; "tab" for a tab', delimiterFlag)
      .option('--null <text>', 'CSV: the unquoted text that means NULL; empty when left out')
      .option('--again', 'import once more what was imported completely')
  },
  async run(invocation) {
    const { args, options, terminal } = invocation
    if (options.key !== undefined && options.create !== true) throw new UsageError('--key belongs to --create')
    const signal = invocation.untilStopped()
    const bar = new ProgressBar(terminal.stderr)
    const report = await withTarget(invocation, (target) =>
      importFile(
        {
          file: args[0] ?? '',
          table: options.table,
          create: options.create,
          key: options.key,
          format: options.format,
          rowsPerTransaction: options.rows,
          delimiter: options.delimiter,
          nullText: options.null,
          again: options.again,
          signal,
        },
        target,
        (state) => {
          bar.update(state)
        },
      ).finally(() => {
        bar.end()
      }),
    )
    if (!report.isComplete) {
      throw new ReplogError(
        'CLOSED',
        `stopped; the first ${report.rows} rows are stored, and the same command takes the import up behind them`,
      )
    }
    printReport(report, options.json === true, terminal)
  },
}

async function withTarget<Result>(
  { options, isFromEnvironment }: Invocation<Options>,
  use: (target: ImportTarget) => Promise<Result>,
): Promise<Result> {
  const { to, data, catalog } = options
  const isBoth = to !== undefined && data !== undefined
  if (isBoth && isFromEnvironment('to') === isFromEnvironment('data')) {
    throw new UsageError('give --to URL or --data DIR, not both')
  }
  if (data === undefined || (isBoth && isFromEnvironment('data'))) {
    return use(httpTarget(new HttpClient(to ?? DEFAULT_URL), catalog))
  }
  const primary = await Primary.open({ path: data })
  try {
    return await use(embeddedTarget(primary.catalog(catalog)))
  } finally {
    await primary.close()
  }
}

function printReport(report: ImportReport, json: boolean, terminal: Terminal): void {
  if (json) {
    terminal.printJson(report)
    return
  }
  const { file, table, rows, rowsBefore, created, wasComplete, seconds } = report
  if (wasComplete) {
    terminal.print(
      `${file} was imported into ${table} before (${formatCount(rows)} rows); --again imports it once more`,
    )
    return
  }
  const rate = seconds > 0 ? `, ${formatCount(Math.round((rows - rowsBefore) / seconds))} rows/s` : ''
  const resumed = rowsBefore === 0 ? '' : `, ${formatCount(rowsBefore)} of them by earlier runs`
  const where = created ? `the new table ${table}` : table
  terminal.print(`${formatCount(rows)} rows of ${file} are in ${where}${resumed} (${formatSeconds(seconds)}${rate})`)
}

function columnList(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('')) throw new InvalidArgumentError('It is column names with commas between.')
  return names
}

function delimiterFlag(text: string): string {
  if (text === 'tab' || text === '\\t') return '\t'
  if (text.length !== 1) throw new InvalidArgumentError('It is one character, or the word tab.')
  return text
}

/** `replog catalogs create URL NAME…`: makes catalogs, one or a hundred thousand. */
import { CREATE_ITEMS, makeCatalogs, numberedNames } from './catalogs/make-catalogs.js'
import { addJsonFlag, optionFlag, positiveInteger } from './flags.js'
import { HttpClient } from './http-client.js'
import { ProgressBar } from './progress-bar.js'
import { formatCount, formatSeconds } from './table-text.js'
import { UsageError, type Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly count?: number
  readonly prefix: string
  readonly comment?: string
  readonly option?: Readonly<Record<string, string>>
  readonly table?: boolean
  readonly ifNotExists?: boolean
  readonly concurrency: number
}

export const verb: Verb<Options> = {
  name: 'catalogs create',
  summary: 'Make catalogs, by name or as many as you like',
  configure(command) {
    addJsonFlag(command)
      .argument('<url>', 'the server')
      .argument('[names...]', 'names of the catalogs')
      .option('--count <n>', 'make so many, named by --prefix and a number', positiveInteger)
      .option('--prefix <text>', 'what the numbered names begin with', 'catalog-')
      .option('--comment <text>', 'a comment on each')
      .option('--option <key=value>', 'an option of each, for programs that look for it; may be repeated', optionFlag)
      .option('--table', 'make a small table test.items in each')
      .option('--if-not-exists', 'go on where a catalog is there already, such as after a run that was cut off')
      .option('--concurrency <n>', 'requests under way at a time', positiveInteger, 64)
  },
  async run({ args, options, terminal }) {
    const [url = '', ...given] = args
    const { count, prefix, concurrency, comment, option } = options
    const names = count === undefined ? given : [...given, ...numberedNames(prefix, count)]
    if (names.length === 0) throw new UsageError('name a catalog, or give --count')
    const startMs = performance.now()
    const bar = new ProgressBar(terminal.stderr, undefined, 'catalogs')
    const made = await makeCatalogs(new HttpClient(url), names, {
      concurrency,
      catalog: { comment, options: option },
      statements: options.table === true ? [CREATE_ITEMS] : [],
      ifNotExists: options.ifNotExists === true,
      onProgress(done) {
        bar.update({ phase: 'creating', rows: done, fraction: done / names.length })
      },
    }).finally(() => {
      bar.end()
    })
    const seconds = (performance.now() - startMs) / 1000
    if (options.json === true) {
      terminal.printJson({ ...made, seconds })
      return
    }
    const existed = made.existed === 0 ? '' : `, ${formatCount(made.existed)} were there`
    terminal.print(`${formatCount(made.created)} created${existed}, in ${formatSeconds(seconds)}`)
  },
}

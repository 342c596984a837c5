/** `replog catalogs drop URL NAME…`: drops catalogs with all that is in them. */
import { dropCatalogs } from './catalogs/make-catalogs.js'
import { addJsonFlag, positiveInteger } from './flags.js'
import { HttpClient } from './http-client.js'
import { ProgressBar } from './progress-bar.js'
import { formatCount } from './table-text.js'
import type { Verb } from './verb.js'

interface Options {
  readonly json?: boolean
  readonly concurrency: number
}

export const verb: Verb<Options> = {
  name: 'catalogs drop',
  summary: 'Drop catalogs with all that is in them; their data is deleted in the background',
  configure(command) {
    addJsonFlag(command)
      .argument('<url>', 'the server')
      .argument('<names...>', 'names of the catalogs')
      .option('--concurrency <n>', 'requests under way at a time', positiveInteger, 64)
  },
  async run({ args, options, terminal }) {
    const [url = '', ...names] = args
    const bar = new ProgressBar(terminal.stderr, undefined, 'catalogs')
    await dropCatalogs(new HttpClient(url), names, {
      concurrency: options.concurrency,
      onProgress(done) {
        bar.update({ phase: 'dropping', rows: done, fraction: done / names.length })
      },
    }).finally(() => {
      bar.end()
    })
    if (options.json === true) terminal.printJson({ dropped: names.length })
    else terminal.print(`${formatCount(names.length)} dropped`)
  },
}

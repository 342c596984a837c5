/** `replog clone`: a copy of a running server in a new data directory, made while the server works. */
import { clone } from '../replica/clone.js'
import { CloneProgressBar } from './clone/clone-progress.js'
import { httpSource } from './clone/http-source.js'
import { addJsonFlag, bytesFlag } from './flags.js'
import { formatCount, formatSeconds } from './table-text.js'
import type { Verb } from './verb.js'

interface Options {
  readonly from: string
  readonly data: string
  readonly rate?: number
  readonly json?: boolean
}

export const verb: Verb<Options> = {
  name: 'clone',
  summary: 'Copy a running server into a new data directory; goes on where it was cut off',
  configure(command) {
    addJsonFlag(command)
      .requiredOption('--from <url>', 'the server, a primary or a replica')
      .requiredOption('--data <dir>', 'the data directory to be, new or empty; DIR.cloning lies beside it meanwhile')
      .option('--rate <bytes>', 'at most so many bytes a second, such as 20MiB', bytesFlag(1))
  },
  async run({ options, terminal, untilStopped }) {
    const { from, data, rate } = options
    const json = options.json === true
    const startMs = performance.now()
    const bar = new CloneProgressBar(terminal, json)
    const { onProgress, onInterrupted } = bar
    const source = httpSource(from, { rate })
    try {
      const made = await clone({ source, path: data, signal: untilStopped(), onProgress, onInterrupted })
      const seconds = (performance.now() - startMs) / 1000
      bar.end()
      if (json) {
        terminal.printJson({ event: 'cloned', path: data, ...made, seconds })
        return
      }
      terminal.print(
        `${data} is a copy of ${source.name} at LSN ${made.lsn}, with the log from LSN ${made.floor + 1n} on ` +
          `(${formatCount(made.rows)} rows, ${formatSeconds(seconds)}); ` +
          `start it with \`replog replica --from ${from} --data ${data}\``,
      )
    } finally {
      bar.end()
    }
  },
}

/** `replog bench scan`: how fast rows and the log are read, beside an iterator of LevelDB over the same entries. */
import { positiveInteger, within } from '../flags.js'
import { ProgressBar } from '../progress-bar.js'
import type { Verb } from '../verb.js'
import { type FileOptions, addFileFlags, inBenchDirectory, putOut } from './bench-files.js'
import { addProfileFlag } from './profiles.js'
import { measureScan } from './scan/measure.js'
import { plotsOf, reportHtml, reportText } from './scan/report.js'

interface Options extends FileOptions {
  readonly profile: keyof typeof PROFILES
  readonly rows?: number
  readonly repetitions?: number
}

const PROFILES = {
  quick: { rows: 60_000, repetitions: 3 },
  full: { rows: 500_000, repetitions: 7 },
} as const

const PROFILE_NAMES = Object.keys(PROFILES) as (keyof typeof PROFILES)[]
const ROWS_MAX = 100_000_000

export const verb: Verb<Options> = {
  name: 'bench scan',
  summary: 'Measure how fast rows and the log are read, beside LevelDB alone over the same entries',
  configure(command) {
    addProfileFlag(command, PROFILE_NAMES, 'quick')
      .option('--rows <n>', 'how many rows a store has', within(1, ROWS_MAX))
      .option('--repetitions <n>', 'how often all is read, in turns', positiveInteger)
    addFileFlags(command)
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const preset = PROFILES[options.profile]
    const signal = untilStopped()
    const bar = new ProgressBar(terminal.stderr, undefined, 'done')
    await inBenchDirectory(invocation, 'replog-bench-scan-', async (directory) => {
      const report = await measureScan({
        directory,
        rows: options.rows ?? preset.rows,
        repetitions: options.repetitions ?? preset.repetitions,
        keep: options.keep === true,
        signal,
        onProgress(phase, done, of) {
          bar.update({ phase, rows: done, fraction: done / of })
        },
      }).finally(() => {
        bar.end()
      })
      await putOut(invocation, {
        report,
        text: () => reportText(report),
        html: () => reportHtml(report),
        plots: () => plotsOf(report),
      })
    })
  },
}

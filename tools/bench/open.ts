/** `replog bench open`: how long a store takes to open, and a commit in it, as its log grows. */
import { listOf, positiveInteger, within } from '../flags.js'
import { ProgressBar } from '../progress-bar.js'
import type { Verb } from '../verb.js'
import { type FileOptions, addFileFlags, inBenchDirectory, putOut } from './bench-files.js'
import { measureOpen } from './open/measure.js'
import { plotsOf, reportHtml, reportText } from './open/report.js'
import { addProfileFlag } from './profiles.js'

interface Options extends FileOptions {
  readonly profile: keyof typeof PROFILES
  readonly transactions?: readonly number[]
  readonly commits: number
  readonly repetitions?: number
}

const PROFILES = {
  quick: { transactions: [1000, 10_000, 50_000], repetitions: 3 },
  normal: { transactions: [10_000, 100_000, 1_000_000], repetitions: 7 },
  full: { transactions: [10_000, 100_000, 1_000_000, 10_000_000], repetitions: 9 },
} as const

const PROFILE_NAMES = Object.keys(PROFILES) as (keyof typeof PROFILES)[]
const TRANSACTIONS_MIN = 10
const TRANSACTIONS_MAX = 100_000_000

export const verb: Verb<Options> = {
  name: 'bench open',
  summary: 'Measure how long a store takes to open, and a commit in it, as its log grows',
  configure(command) {
    addProfileFlag(command, PROFILE_NAMES, 'normal')
      .option(
        '--transactions <list>',
        'lengths of the log, such as 10000,100000',
        listOf(within(TRANSACTIONS_MIN, TRANSACTIONS_MAX)),
      )
      .option('--commits <n>', 'commits that are timed after each opening', positiveInteger, 500)
      .option('--repetitions <n>', 'how often each store is opened, in turns', positiveInteger)
    addFileFlags(command)
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const preset = PROFILES[options.profile]
    const signal = untilStopped()
    const bar = new ProgressBar(terminal.stderr, undefined, 'done')
    await inBenchDirectory(invocation, 'replog-bench-open-', async (directory) => {
      const report = await measureOpen({
        directory,
        transactions: options.transactions ?? preset.transactions,
        commits: options.commits,
        repetitions: options.repetitions ?? preset.repetitions,
        keep: options.keep === true,
        terminal,
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

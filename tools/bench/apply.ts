/** `replog bench apply`: how fast a replica applies what its primary commits. */
import { positiveInteger, within } from '../flags.js'
import { ProgressBar } from '../progress-bar.js'
import type { Verb } from '../verb.js'
import { measureApply } from './apply/measure.js'
import { plotsOf, reportHtml, reportText } from './apply/report.js'
import { type FileOptions, addFileFlags, inBenchDirectory, putOut } from './bench-files.js'
import { BENCH_ROW_BYTES_MAX, ROW_BYTES_MIN } from './fsync/workload.js'
import { addProfileFlag } from './profiles.js'

interface Options extends FileOptions {
  readonly profile: keyof typeof PROFILES
  readonly transactions?: number
  readonly committers: number
  readonly rowBytes: number
  readonly repetitions?: number
}

const PROFILES = {
  quick: { transactions: 60_000, repetitions: 3 },
  full: { transactions: 500_000, repetitions: 5 },
} as const

const PROFILE_NAMES = Object.keys(PROFILES) as (keyof typeof PROFILES)[]
const COMMITTERS_MAX = 65_536

export const verb: Verb<Options> = {
  name: 'bench apply',
  summary: 'Measure how fast a replica applies what its primary commits',
  configure(command) {
    addProfileFlag(command, PROFILE_NAMES, 'quick')
      .option('--transactions <n>', 'how long the log is', positiveInteger)
      .option('--committers <n>', 'how many commit at the same time', within(1, COMMITTERS_MAX), 1000)
      .option('--row-bytes <n>', 'size of a row', within(ROW_BYTES_MIN, BENCH_ROW_BYTES_MAX), 100)
      .option('--repetitions <n>', 'how often all of it is measured', positiveInteger)
    addFileFlags(command)
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const { profile, transactions, committers, rowBytes, repetitions, keep } = options
    const preset = PROFILES[profile]
    const signal = untilStopped()
    const bar = new ProgressBar(terminal.stderr, undefined, 'parts')
    await inBenchDirectory(invocation, 'replog-bench-apply-', async (directory) => {
      const report = await measureApply({
        directory,
        transactions: transactions ?? preset.transactions,
        committers,
        rowBytes,
        repetitions: repetitions ?? preset.repetitions,
        keep: keep === true,
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

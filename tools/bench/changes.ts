/** `replog bench changes`: how fast a consumer reads a change stream, embedded and over HTTP, and in how much memory. */
import { listOf, positiveInteger, within } from '../flags.js'
import { ProgressBar } from '../progress-bar.js'
import type { Verb } from '../verb.js'
import { type FileOptions, addFileFlags, inBenchDirectory, putOut } from './bench-files.js'
import { measureChanges } from './changes/measure.js'
import { plotsOf, reportHtml, reportText } from './changes/report.js'
import { addProfileFlag } from './profiles.js'

interface Options extends FileOptions {
  readonly profile: keyof typeof PROFILES
  readonly changes?: number
  readonly memoryChanges?: number
  readonly rowsPerTransaction?: readonly number[]
  readonly repetitions?: number
}

const PROFILES = {
  quick: { changes: 60_000, memoryChanges: 200_000, repetitions: 3 },
  full: { changes: 500_000, memoryChanges: 10_000_000, repetitions: 7 },
} as const

const PROFILE_NAMES = Object.keys(PROFILES) as (keyof typeof PROFILES)[]
const CHANGES_MAX = 100_000_000
const ROWS_MAX = 10_000
const ROWS_PER_TRANSACTION = [1, 10, 100]

export const verb: Verb<Options> = {
  name: 'bench changes',
  summary: 'Measure how fast a change stream is read, embedded and as NDJSON over HTTP, and in how much memory',
  configure(command) {
    addProfileFlag(command, PROFILE_NAMES, 'quick')
      .option('--changes <n>', 'how many changes are read to measure the speed', within(1, CHANGES_MAX))
      .option('--memory-changes <n>', 'how many are read to measure the memory', within(1, CHANGES_MAX))
      .option(
        '--rows-per-transaction <list>',
        'how many changes a transaction has, such as 1,100',
        listOf(within(1, ROWS_MAX)),
      )
      .option('--repetitions <n>', 'how often all is read, in turns', positiveInteger)
    addFileFlags(command)
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const preset = PROFILES[options.profile]
    const signal = untilStopped()
    const bar = new ProgressBar(terminal.stderr, undefined, 'done')
    await inBenchDirectory(invocation, 'replog-bench-changes-', async (directory) => {
      const report = await measureChanges({
        directory,
        changes: options.changes ?? preset.changes,
        memoryChanges: options.memoryChanges ?? preset.memoryChanges,
        rowsPerTransaction: options.rowsPerTransaction ?? ROWS_PER_TRANSACTION,
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

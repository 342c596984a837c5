/**
 * `replog bench commit`: embedded one-row transactions, beside LevelDB alone with the same keys and bytes; with --remote
 * over connections, beside peers.
 */
import { listOf, positiveInteger, within } from '../flags.js'
import { ProgressBar } from '../progress-bar.js'
import type { Verb } from '../verb.js'
import { type FileOptions, addFileFlags, inBenchDirectory, putOut } from './bench-files.js'
import { measureCommit } from './commit/measure.js'
import { plotsOf } from './commit/plots.js'
import type { CommitSettings } from './commit/report.js'
import { reportHtml } from './commit/report-html.js'
import { reportText } from './commit/report-text.js'
import { type RemoteFlags, addRemoteFlags, requireNoRemoteFlags, runRemote } from './commit/remote/run-remote.js'
import { BENCH_ROW_BYTES_MAX, ROW_BYTES_MIN } from './fsync/workload.js'
import { addProfileFlag } from './profiles.js'

interface Options extends FileOptions, RemoteFlags {
  readonly profile: keyof typeof PROFILES
  readonly committers?: readonly number[]
  readonly transactions?: number
  readonly rowBytes?: number
  readonly repetitions?: number
}

const PROFILES = {
  quick: {
    committers: [1, 64, 1000],
    transactionsMax: 60_000,
    transactionsPerCommitterMax: 3000,
    rowBytes: 100,
    repetitions: 3,
  },
  full: {
    committers: [1, 16, 64, 256, 1000, 4096],
    transactionsMax: 200_000,
    transactionsPerCommitterMax: 5000,
    rowBytes: 100,
    repetitions: 5,
  },
} as const satisfies Record<string, CommitSettings>

const PROFILE_NAMES = Object.keys(PROFILES) as (keyof typeof PROFILES)[]
const COMMITTERS_MAX = 65_536

export const verb: Verb<Options> = {
  name: 'bench commit',
  summary: 'Measure one-row transactions: embedded beside LevelDB alone, or over connections beside other databases',
  configure(command) {
    addProfileFlag(command, PROFILE_NAMES, 'quick')
      .option(
        '--committers <list>',
        'how many commit at the same time, such as 1,64,1000',
        listOf(within(1, COMMITTERS_MAX)),
      )
      .option('--transactions <n>', 'how many transactions a cell commits at most', positiveInteger)
      .option('--row-bytes <n>', 'size of a row', within(ROW_BYTES_MIN, BENCH_ROW_BYTES_MAX))
      .option('--repetitions <n>', 'how often each cell is measured, in turns', positiveInteger)
    addRemoteFlags(command)
    addFileFlags(command)
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    if (options.remote === true) {
      await runRemote(invocation)
      return
    }
    requireNoRemoteFlags(options)
    const preset = PROFILES[options.profile]
    const signal = untilStopped()
    const bar = new ProgressBar(terminal.stderr, undefined, 'cells')
    await inBenchDirectory(invocation, 'replog-bench-commit-', async (directory) => {
      const report = await measureCommit({
        ...preset,
        committers: options.committers ?? preset.committers,
        transactionsMax: options.transactions ?? preset.transactionsMax,
        rowBytes: options.rowBytes ?? preset.rowBytes,
        repetitions: options.repetitions ?? preset.repetitions,
        directory,
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

/** `replog bench clone`: a copy of a server while transactions go on, cut off midway; what it costs, and that it is equal. */
import { bytesFlag, positiveInteger, within } from '../flags.js'
import { ProgressBar } from '../progress-bar.js'
import type { Verb } from '../verb.js'
import { type FileOptions, addFileFlags, inBenchDirectory, putOut } from './bench-files.js'
import { measureClone } from './clone/measure.js'
import { plotsOf, reportHtml, reportText } from './clone/report.js'
import { addProfileFlag } from './profiles.js'

interface Options extends FileOptions {
  readonly profile: keyof typeof PROFILES
  readonly bytes?: number
  readonly rateOfCommits: number
  readonly rowBytes: number
  readonly rate?: number
}

const PROFILES = {
  quick: { bytes: 256 * 1024 ** 2 },
  full: { bytes: 5 * 1024 ** 3 },
} as const

const PROFILE_NAMES = Object.keys(PROFILES) as (keyof typeof PROFILES)[]
const ROW_BYTES_MAX = 64 * 1024

export const verb: Verb<Options> = {
  name: 'bench clone',
  summary: 'Measure a copy of a server that is made while transactions go on, and what it costs them',
  configure(command) {
    addProfileFlag(command, PROFILE_NAMES, 'quick')
      .option('--bytes <bytes>', 'how much is copied, such as 5GiB', bytesFlag(1))
      .option('--rate-of-commits <n>', 'transactions a second that go on meanwhile', positiveInteger, 2000)
      .option('--row-bytes <n>', 'size of a row', within(16, ROW_BYTES_MAX), 1000)
      .option('--rate <bytes>', 'copy at most so many bytes a second, such as 50MiB', bytesFlag(1))
    addFileFlags(command)
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const { profile, bytes, rateOfCommits, rowBytes, rate } = options
    const signal = untilStopped()
    const bar = new ProgressBar(terminal.stderr, undefined, 'bytes')
    await inBenchDirectory(invocation, 'replog-bench-clone-', async (directory) => {
      const report = await measureClone({
        directory,
        bytes: bytes ?? PROFILES[profile].bytes,
        commitsPerSecond: rateOfCommits,
        rowBytes,
        rate,
        terminal,
        signal,
        onProgress(phase, done, of) {
          bar.update({ phase, rows: done, fraction: of === 0 ? 0 : Math.min(1, done / of) })
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

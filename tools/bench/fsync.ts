/** `replog bench fsync`: what an fsync costs on this device, and what one atomic batch saves against a log beside a store. */
import { type Command, InvalidArgumentError } from 'commander'
import { nearest } from '../../ddl/nearest.js'
import { listOf, positiveInteger, within } from '../flags.js'
import { ProgressBar } from '../progress-bar.js'
import { UsageError, type Verb } from '../verb.js'
import { type FileOptions, addFileFlags, inBenchDirectory, putOut } from './bench-files.js'
import type { CellLength } from './fsync/cell.js'
import { MODE_NAMES, type ModeName } from './fsync/mode.js'
import { plotsOf } from './fsync/plots.js'
import { reportHtml } from './fsync/report-html.js'
import { reportText } from './fsync/report-text.js'
import { type SweepOptions, measureFsync } from './fsync/sweep.js'
import { BENCH_ROW_BYTES_MAX, ROW_BYTES_MIN } from './fsync/workload.js'

interface Options extends FileOptions {
  readonly profile: ProfileName
  readonly modes?: readonly ModeName[]
  readonly committers?: readonly number[]
  readonly rowBytes?: readonly number[]
  readonly fsyncDelayUs?: readonly number[]
  readonly seconds?: number
  readonly transactions?: number
  readonly repetitions?: number
}

type Sweep = Pick<
  SweepOptions,
  'committers' | 'rowBytes' | 'delaysUs' | 'length' | 'repetitions' | 'calibrationSeconds'
>

const PROFILES = {
  quick: {
    committers: [1, 16, 128, 1024],
    rowBytes: [100],
    delaysUs: [0, 1000],
    length: { seconds: 0.12 },
    repetitions: 3,
    calibrationSeconds: 0.3,
  },
  full: {
    committers: [1, 4, 16, 64, 256, 1024, 4096],
    rowBytes: [100, 1000],
    delaysUs: [0, 1000, 5000],
    length: { seconds: 1 },
    repetitions: 3,
    calibrationSeconds: 3,
  },
} as const satisfies Record<string, Sweep>

type ProfileName = keyof typeof PROFILES

const PROFILE_NAMES = Object.keys(PROFILES) as ProfileName[]
const COMMITTERS_MAX = 65_536
const DELAY_US_MAX = 1_000_000
const SECONDS_MAX = 3600

export const verb: Verb<Options> = {
  name: 'bench fsync',
  summary: 'Measure what an fsync costs here, and one atomic batch against two-phase commit and other ways to log',
  configure(command) {
    addFileFlags(addLoadFlags(command))
  },
  async run(invocation) {
    const { options, terminal, untilStopped } = invocation
    const sweep = sweepOf(options)
    const signal = untilStopped()
    const bar = new ProgressBar(terminal.stderr, undefined, 'cells')
    await inBenchDirectory(invocation, 'replog-bench-fsync-', async (directory) => {
      const report = await measureFsync({
        ...sweep,
        directory,
        modes: options.modes ?? MODE_NAMES,
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

function addLoadFlags(command: Command): Command {
  return command
    .option(
      '--profile <name>',
      `${PROFILE_NAMES.join(' or ')}: what is measured unless other flags say`,
      profile,
      'quick',
    )
    .option('--modes <list>', `which of ${MODE_NAMES.join(',')}`, listOf(modeName))
    .option(
      '--committers <list>',
      'how many commit at the same time, such as 1,64,1024',
      listOf(within(1, COMMITTERS_MAX)),
    )
    .option(
      '--row-bytes <list>',
      'sizes of a row, such as 100,1000',
      listOf(within(ROW_BYTES_MIN, BENCH_ROW_BYTES_MAX)),
    )
    .option(
      '--fsync-delay-us <list>',
      'microseconds that every sync takes longer, such as 0,1000: a slower device',
      listOf(within(0, DELAY_US_MAX)),
    )
    .option('--seconds <n>', 'how long each cell is measured', secondsFlag)
    .option('--transactions <n>', 'how many transactions each cell commits, instead of --seconds', positiveInteger)
    .option('--repetitions <n>', 'how often each cell is measured, in turns', positiveInteger)
}

/** @throws UsageError for flags that exclude each other */
function sweepOf({ profile: name, seconds, transactions, ...flags }: Options): Sweep {
  const chosen: Sweep = PROFILES[name]
  if (seconds !== undefined && transactions !== undefined) {
    throw new UsageError('give --seconds or --transactions, not both')
  }
  const length: CellLength =
    transactions !== undefined ? { transactions } : seconds !== undefined ? { seconds } : chosen.length
  return {
    committers: flags.committers ?? chosen.committers,
    rowBytes: flags.rowBytes ?? chosen.rowBytes,
    delaysUs: flags.fsyncDelayUs ?? chosen.delaysUs,
    length,
    repetitions: flags.repetitions ?? chosen.repetitions,
    calibrationSeconds: chosen.calibrationSeconds,
  }
}

function profile(text: string): ProfileName {
  const found = PROFILE_NAMES.find((name) => name === text)
  if (found !== undefined) return found
  throw new InvalidArgumentError(`There is no profile ${JSON.stringify(text)}; there are: ${PROFILE_NAMES.join(', ')}.`)
}

function modeName(text: string): ModeName {
  const found = MODE_NAMES.find((name) => name === text)
  if (found !== undefined) return found
  throw new InvalidArgumentError(
    `There is no mode ${JSON.stringify(text)}${nearest(text, MODE_NAMES)}; there are: ${MODE_NAMES.join(', ')}.`,
  )
}

function secondsFlag(text: string): number {
  const value = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= SECONDS_MAX) return value
  throw new InvalidArgumentError(`It is a number of seconds, above 0 and at most ${SECONDS_MAX}, such as 0.5.`)
}

/** `replog restore`: a backup, and the archived log behind it, as a new data directory. */
import { InvalidArgumentError, Option } from 'commander'
import { type Lsn, formatPosition } from '../core/position.js'
import { type ArchivedUntil, applyArchived } from '../replica/apply-archived.js'
import { clone } from '../replica/clone.js'
import { foundAnew } from '../replica/found-anew.js'
import { archivedFrames } from './archive/read-archive.js'
import { BackupSource } from './backup/backup-source.js'
import { CloneProgressBar } from './clone/clone-progress.js'
import { addJsonFlag, lsnFlag } from './flags.js'
import { UsageError, type Verb } from './verb.js'

interface Options {
  readonly file: string
  readonly data: string
  readonly as: 'primary' | 'replica'
  readonly toLsn?: Lsn
  readonly toTime?: bigint
  readonly orEnd?: true
  readonly archive?: string
  readonly json?: boolean
}

export const verb: Verb<Options> = {
  name: 'restore',
  summary: 'Make a data directory of a backup, up to a transaction or a time with the archived log',
  configure(command) {
    addJsonFlag(command)
      .requiredOption('--file <file>', 'what `replog backup` wrote; - is standard input')
      .requiredOption('--data <dir>', 'the data directory to be, new or empty')
      .addOption(
        new Option('--as <role>', 'a replica of the same cluster, or the first primary of a new one')
          .choices(['replica', 'primary'])
          .default('replica'),
      )
      .option('--archive <dir>', 'what `replog log archive` keeps; all of it when no point is named', undefined)
      .option('--to-lsn <lsn>', 'with --archive: up to this transaction', lsnFlag)
      .option('--to-time <time>', 'with --archive: up to what was committed then, ISO 8601', timeFlag)
      .option(
        '--or-end',
        'with --to-time: take the end of the archive where nothing later shows that it reaches that far',
      )
  },
  async run({ options, terminal, untilStopped }) {
    const { file, data, as, archive, toLsn, toTime, orEnd = false } = options
    if (toLsn !== undefined && toTime !== undefined) throw new UsageError('give --to-lsn or --to-time, not both')
    if (archive === undefined && (toLsn ?? toTime) !== undefined)
      throw new UsageError('--to-lsn and --to-time need --archive')
    if (orEnd && toTime === undefined) throw new UsageError('--or-end needs --to-time')
    const until = untilOf(toLsn, toTime, orEnd)
    const json = options.json === true
    const bar = new CloneProgressBar(terminal, json)
    const { onProgress, onInterrupted } = bar
    const purpose = `as ${as}${archive === undefined ? '' : ` with ${archive} to ${String(toLsn ?? toTime ?? 'its end')}`}`
    let reached: string | undefined
    try {
      const made = await clone({
        source: new BackupSource(file, process.stdin, purpose),
        path: data,
        signal: untilStopped(),
        onProgress,
        onInterrupted,
        async prepare(directory) {
          if (archive !== undefined) {
            const frames = (after: Parameters<typeof archivedFrames>[1]): AsyncIterable<Buffer> =>
              archivedFrames(archive, after)
            reached = formatPosition(await applyArchived({ path: directory, until, frames }))
          }
          if (as === 'primary') await foundAnew(directory)
        },
      })
      bar.end()
      if (json) terminal.printJson({ event: 'restored', path: data, as, lsn: made.lsn, position: reached ?? null })
      else terminal.print(`${data} is restored at ${reached ?? `LSN ${made.lsn}`}; ${nextStep(as, data)}`)
    } finally {
      bar.end()
    }
  },
}

/** The last microsecond that a date can have. */
const END_OF_TIME_US = 8_640_000_000_000_000_000n

function untilOf(toLsn: Lsn | undefined, toTime: bigint | undefined, orEnd: boolean): ArchivedUntil {
  if (toLsn !== undefined) return { lsn: toLsn }
  return toTime === undefined ? { commitUs: END_OF_TIME_US, orEnd: true } : { commitUs: toTime, orEnd }
}

function nextStep(as: Options['as'], data: string): string {
  if (as === 'primary') return `start it with \`replog primary --data ${data}\`: it founds a new cluster`
  return `start it with \`replog replica --data ${data} --from URL\`; \`replog promote\` makes a primary of it`
}

function timeFlag(text: string): bigint {
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw new InvalidArgumentError('It is a time such as 2026-05-01T12:00:00Z.')
  // To the end of that millisecond: status shows times in whole ones.
  return BigInt(ms) * 1000n + 999n
}

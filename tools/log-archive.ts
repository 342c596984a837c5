/** `replog log archive --from URL --dir DIR`: keeps the log of a server in files, for `replog restore` and for ever. */
import type { Command } from 'commander'
import { ReplogError } from '../core/errors.js'
import { ARCHIVE_FILE_BYTES_DEFAULT, ARCHIVE_FILE_BYTES_MIN } from '../core/limits.js'
import { type Position, formatPosition } from '../core/position.js'
import { makeDirectory } from './archive/archive-files.js'
import { lockArchive } from './archive/archive-lock.js'
import { ArchiveWriter } from './archive/archive-writer.js'
import { beginningOf, followLog } from './archive/follow-log.js'
import { archiveStart } from './archive/read-archive.js'
import { addJsonFlag, bytesFlag, positionFlag } from './flags.js'
import { DEFAULT_URL, HttpClient } from './http-client.js'
import type { Verb } from './verb.js'

interface Options {
  readonly from: string
  readonly dir: string
  readonly once?: true
  readonly after?: Position
  readonly fileBytes: number
  readonly compress?: true
  readonly json?: true
}

export const verb: Verb<Options> = {
  name: 'log archive',
  summary: 'Keep the log of a server in files, verified, until Ctrl-C',
  configure(command: Command) {
    command
      .option('--from <url>', 'a running server', DEFAULT_URL)
      .requiredOption('--dir <dir>', 'where the files are; made when it does not exist')
      .option('--once', 'stop at the end of the log')
      .option(
        '--after <position>',
        'begin a new archive behind this position; the beginning when left out',
        positionFlag,
      )
      .option(
        '--file-bytes <bytes>',
        'a file is complete with so many bytes, such as 64MiB',
        bytesFlag(ARCHIVE_FILE_BYTES_MIN),
        ARCHIVE_FILE_BYTES_DEFAULT,
      )
      .option('--compress', 'compress complete files with gzip')
    addJsonFlag(command)
  },
  async run({ options, terminal, untilStopped }) {
    const { from, dir, once = false, after, fileBytes, compress = false, json = false } = options
    const signal = untilStopped()
    const client = new HttpClient(from)
    await makeDirectory(dir)
    const unlock = await lockArchive(dir)
    try {
      await requireNew(dir, after)
      const onComplete = (path: string, end: Position): void => {
        if (json) terminal.printJson({ event: 'complete', path, position: formatPosition(end) })
        else terminal.print(`${path} is complete up to ${formatPosition(end)}`)
      }
      const start = (): Promise<Position> => (after === undefined ? beginningOf(client) : Promise.resolve(after))
      const writer = await ArchiveWriter.open(dir, start, { fileBytes, compress, onComplete })
      const onInterrupted = (error: ReplogError): void => {
        if (json) terminal.printJson({ event: 'interrupted', code: error.code, message: error.message })
        else terminal.note(`waiting for the server: ${error.code}: ${error.message}`)
      }
      try {
        await followLog(client, writer, { once, signal, onInterrupted })
      } finally {
        await writer.close()
      }
      const position = formatPosition(writer.position)
      if (json) terminal.printJson({ event: 'stopped', position })
      else terminal.print(`${dir} holds the log up to ${position}`)
    } finally {
      await unlock()
    }
  },
}

/** @throws ReplogError INVALID_ARGUMENT when --after is given and the archive begins elsewhere */
async function requireNew(dir: string, after: Position | undefined): Promise<void> {
  const start = after && (await archiveStart(dir))
  if (after === undefined || start === undefined || formatPosition(start) === formatPosition(after)) return
  throw new ReplogError(
    'INVALID_ARGUMENT',
    `${dir} holds an archive that begins behind ${formatPosition(start)}; leave out --after to go on with it, or choose another --dir`,
  )
}

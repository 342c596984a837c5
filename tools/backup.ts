/** `replog backup`: a running server as one compressed file, or on standard output. */
import { createWriteStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Writable } from 'node:stream'
import { ReplogError, isReplogError, messageOf } from '../core/errors.js'
import { formatPosition } from '../core/position.js'
import { type BackupOptions, type WrittenBackup, writeBackup } from './backup/write-backup.js'
import { CloneProgressBar } from './clone/clone-progress.js'
import { httpSource } from './clone/http-source.js'
import { bytesFlag } from './flags.js'
import { formatBytes } from './table-text.js'
import type { Terminal } from './terminal.js'
import { UsageError, type Verb } from './verb.js'

interface Options {
  readonly from: string
  readonly file?: string
  readonly rate?: number
}

export const verb: Verb<Options> = {
  name: 'backup',
  summary: 'Write a running server into one compressed file, or to standard output',
  configure(command) {
    command
      .requiredOption('--from <url>', 'the server, a primary or a replica')
      .option('--file <file>', 'the file to be; standard output when left out')
      .option('--rate <bytes>', 'at most so many bytes a second, such as 20MiB', bytesFlag(1))
  },
  async run({ options, terminal, untilStopped }) {
    const { from, file, rate } = options
    if (file === undefined && terminal.stdout.isTTY === true) {
      throw new UsageError('a backup is not for a terminal: give --file FILE, or pipe the output')
    }
    const bar = new CloneProgressBar(terminal, false)
    const { onProgress, onInterrupted } = bar
    const rest = { source: httpSource(from, { rate }), signal: untilStopped(), onProgress, onInterrupted }
    try {
      const { position, bytes } = await (file === undefined
        ? writeBackup({ ...rest, sink: sinkOf(terminal) })
        : toFile(resolve(file), rest))
      bar.end()
      const where = file === undefined ? 'standard output' : file
      terminal.note(`${where} holds ${from} at ${formatPosition(position)}, ${formatBytes(bytes)} before compression`)
    } catch (error) {
      throw rest.signal.aborted ? new ReplogError('CLOSED', 'the backup was stopped', { cause: error }) : error
    } finally {
      bar.end()
    }
  },
}

/** Written beside and renamed: a file of that name is a whole backup. */
async function toFile(file: string, rest: Omit<BackupOptions, 'sink'>): Promise<WrittenBackup> {
  const beside = `${file}.writing`
  try {
    const written = await writeBackup({ ...rest, sink: createWriteStream(beside) })
    await syncPath(beside)
    await rename(beside, file)
    await syncPath(dirname(file))
    return written
  } catch (error) {
    await rm(beside, { force: true })
    if (isReplogError(error) || !(error instanceof Error) || !('code' in error)) throw error
    const code = error.code === 'ENOSPC' ? 'DISK_FULL' : 'INVALID_ARGUMENT'
    throw new ReplogError(code, `${file} cannot be written (${messageOf(error)}); choose another place`, {
      cause: error,
    })
  }
}

function sinkOf(terminal: Terminal): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      terminal.write(chunk).then(() => {
        done()
      }, done)
    },
  })
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

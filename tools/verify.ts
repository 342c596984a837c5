/**
 * `replog verify`: one store against itself, offline (`--data DIR`) or in a running server (`URL`), or two running servers
 * against each other (`URL URL`).
 *
 * It writes nothing and mends nothing. Exit code 1 when something is wrong, with what and where.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import { ReplogError, isReplogError } from '../core/errors.js'
import { type Flaw, flawAt } from '../log/verify/flaw.js'
import type { PassReport } from '../log/verify/scrub-status.js'
import type { VerificationStatus } from '../log/verify/verification.js'
import { verifyStore } from '../log/verify/verify-store.js'
import { closedDatabase } from '../store/data-directory.js'
import { checkTableFiles } from '../store/level-table-check.js'
import { openStoreToRead } from './dictionary-source.js'
import { addJsonFlag } from './flags.js'
import { HttpClient } from './http-client.js'
import { ProgressBar } from './progress-bar.js'
import { formatCount } from './table-text.js'
import type { Terminal } from './terminal.js'
import { UsageError, type Verb } from './verb.js'
import { ServerComparison } from './verify/compare-servers.js'
import { comparisonText, reportText } from './verify/report-text.js'

interface Options {
  readonly data?: string
  readonly json?: boolean
}

const POLL_MS = 500

export const verb: Verb<Options> = {
  name: 'verify',
  summary: 'Read all that a store holds, and name what is damaged, by table and key range',
  configure(command: Command) {
    addJsonFlag(command)
      .argument('[urls...]', 'a running server, which verifies itself while it works; or two, to be compared')
      .option('--data <dir>', 'a data directory that no server has open')
  },
  async run({ args, options, terminal, isFromEnvironment }) {
    const [url, other] = args
    if (args.length > 2) throw new UsageError('two servers can be compared at a time')
    const data = url !== undefined && isFromEnvironment('data') ? undefined : options.data
    if ((url === undefined) === (data === undefined)) {
      throw new UsageError('give the URL of a running server, or --data DIR of one that is stopped')
    }
    if (url !== undefined && other !== undefined) {
      await compare(url, other, options.json === true, terminal)
      return
    }
    const report = url === undefined ? await verifyDirectory(data!, terminal) : await verifyServer(url, terminal)
    if (options.json === true) terminal.printJson(report)
    else await terminal.write(`${reportText(report)}\n`)
    if (report.flawCount === 0) return
    throw new ReplogError(
      'CORRUPT',
      `${formatCount(report.flawCount)} places are damaged. Stop the server and run ` +
        '`replog repair --data DIR --from URL` with the URL of a sound peer, or clone this server anew',
    )
  },
}

async function compare(first: string, second: string, json: boolean, terminal: Terminal): Promise<void> {
  const bar = new ProgressBar(terminal.stderr)
  const comparison = await new ServerComparison(
    new HttpClient(first),
    new HttpClient(second),
    (phase, rows, fraction) => {
      bar.update({ phase, rows, fraction })
    },
  )
    .run()
    .finally(() => {
      bar.end()
    })
  if (json) terminal.printJson(comparison)
  else await terminal.write(`${comparisonText(comparison)}\n`)
  const { length } = comparison.differences
  if (length === 0) return
  throw new ReplogError(
    'DIVERGED',
    `${formatCount(length)} key ranges differ. \`replog verify --data DIR\` on each tells which is damaged; stop that one ` +
      'and run `replog repair --data DIR --from URL` with the URL of the other. Where it finds nothing on either, keep the ' +
      'primary and set the other up anew with `replog clone`',
  )
}

export async function verifyDirectory(path: string, terminal: Terminal): Promise<PassReport> {
  const startedAt = new Date().toISOString()
  const bar = new ProgressBar(terminal.stderr)
  try {
    const files = await tableFileFlaws(path, (phase, fraction) => {
      bar.update({ phase, rows: 0, fraction })
    })
    return files.length > 0 ? unread(startedAt, files) : await verifyOpened(path, startedAt, bar)
  } finally {
    bar.end()
  }
}

/**
 * Of tables whose blocks do not pass their checksums. Such a store is not opened: this LevelDB ends the process when a
 * damaged block leads it astray.
 */
async function tableFileFlaws(path: string, onFile: (file: string, share: number) => void): Promise<Flaw[]> {
  const directory = await closedDatabase(path).catch((error: unknown) => {
    if (!isReplogError(error, 'LOCKED')) throw error
    throw new ReplogError('LOCKED', `a server has ${path} open; verify it by its URL, or stop it first`, {
      cause: error,
    })
  })
  // A directory that is none is told of when it is opened.
  if (directory === undefined) return []
  const flaws = await checkTableFiles(directory, onFile)
  return flaws.map(({ file, flaw }) =>
    flawAt('file', `${file}: ${flaw}. Only a clone mends files of LevelDB; do not run its repair`),
  )
}

function unread(startedAt: string, flaws: readonly Flaw[]): PassReport {
  const read = { tables: 0, rows: 0, entries: 0, frames: 0, bytes: 0 }
  const finishedAt = new Date().toISOString()
  return { startedAt, finishedAt, position: 'unknown', ...read, flaws, flawCount: flaws.length }
}

async function verifyOpened(path: string, startedAt: string, bar: ProgressBar): Promise<PassReport> {
  let store
  try {
    store = await openStoreToRead(path)
  } catch (error) {
    // What the preflight refuses is a finding like any other, and ends the search.
    if (!isReplogError(error, 'CORRUPT')) throw error
    return unread(startedAt, [flawAt('file', error.message)])
  }
  try {
    return await verifyStore(store, {
      onFlaw: () => undefined,
      onProgress: ({ at, rows, share }) => {
        bar.update({ phase: at, rows, fraction: share })
      },
    })
  } finally {
    await store.close()
  }
}

async function verifyServer(url: string, terminal: Terminal): Promise<PassReport> {
  const client = new HttpClient(url)
  const status = async (options?: { readonly body: string }): Promise<VerificationStatus> =>
    (await client.json('/v1/admin/verify', options)) as VerificationStatus
  const before = (await status()).scrub?.last?.startedAt
  // A pass may take longer than a connection lives.
  await status({ body: '{"wait":false}' })
  const bar = new ProgressBar(terminal.stderr)
  try {
    for (;;) {
      const { scrub } = await status()
      if (scrub === null) throw new ReplogError('CLOSED', `${url} is shutting down; its pass did not end`)
      if (scrub.last !== null && scrub.last.startedAt !== before) return scrub.last
      if (!scrub.running) throw new ReplogError('INTERNAL', `the pass of ${url} ended early; its log says why`)
      bar.update({ phase: scrub.at ?? '', rows: scrub.rows, fraction: scrub.share })
      await delay(POLL_MS)
    }
  } finally {
    bar.end()
  }
}

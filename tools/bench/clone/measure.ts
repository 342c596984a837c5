/**
 * The measurement of `bench clone`.
 *
 *   fill ──> load alone ──> copy, killed midway ──> the same command again ──> load ends ──> the copy follows ──> compare
 *
 * Invariants: the load goes on at one rate from its beginning to its end; the copy is made by the command that operators
 * use; a copy whose rows are not those of its server in the end makes the benchmark wrong.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ReplogError } from '../../../core/errors.js'
import { HttpClient } from '../../http-client.js'
import { ChildServer } from '../../pair/child-server.js'
import type { Terminal } from '../../terminal.js'
import { deviceOf } from '../fsync/device.js'
import { thisMachine } from '../machine.js'
import { MeasuringChild } from '../measuring-child.js'
import { rounded } from '../samples.js'
import { benchmarkIsWrong } from '../traced-syncs.js'
import type { CloneReport } from './report.js'
import type { Lap, LoadRequest } from './requests.js'

export interface CloneBenchOptions {
  /** An empty directory on the device that is measured. */
  readonly directory: string
  readonly bytes: number
  readonly commitsPerSecond: number
  readonly rowBytes: number
  /** Bytes a second of the copy; as fast as it goes when undefined. */
  readonly rate: number | undefined
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly onProgress: (phase: string, done: number, of: number) => void
}

const PROGRAM = fileURLToPath(new URL('../../replog.js', import.meta.url))
const LOAD = fileURLToPath(new URL('load-child.js', import.meta.url))
const SAMPLE_MS = 200
const ALONE_MS = 10_000
/** For a run of some megabytes, which tests that everything is measured. */
const SHORT_ALONE_MS = 1000
const SHORT_BYTES = 16 * 1024 ** 2
const FOLLOW_MS_MAX = 600_000

/** @throws ReplogError CLOSED when it was stopped; INTERNAL when the copy is not equal */
export async function measureClone(options: CloneBenchOptions): Promise<CloneReport> {
  const { directory, bytes, commitsPerSecond, rowBytes, rate, terminal, signal, onProgress } = options
  const rows = Math.max(1, Math.floor(bytes / rowBytes))
  const copy = join(directory, 'copy')
  const load = MeasuringChild.start({ module: LOAD, signal, onProgress })
  const servers: ChildServer[] = []
  const start = async (role: 'primary' | 'replica', ...args: string[]): Promise<HttpClient> => {
    const server = await ChildServer.start(role, ['--port', '0', ...args], terminal, fail)
    servers.push(server)
    return new HttpClient(server.url)
  }
  let died: ReplogError | undefined
  const fail = (error: ReplogError): void => {
    died = error
  }
  const ask = <Answer>(request: LoadRequest): Promise<Answer> => {
    signal.throwIfAborted()
    if (died !== undefined) throw died
    return load.ask<Answer>(request)
  }
  try {
    // Of the log that the filling makes the copy needs nothing.
    const primary = await start('primary', '--data', join(directory, 'primary'), '--log-keep-bytes', '256MiB')
    await ask({ kind: 'fill', url: primary.url, rows, rowBytes })
    onProgress('load alone', 0, 1)
    await ask({ kind: 'begin', url: primary.url, rows, commitsPerSecond })
    const aloneMs = bytes <= SHORT_BYTES ? SHORT_ALONE_MS : ALONE_MS
    await delay(aloneMs)
    await ask<Lap>({ kind: 'lap' })
    await delay(aloneMs)
    const alone = await ask<Lap>({ kind: 'lap' })
    const { pid } = servers[0]!
    const before = await memoryOf(pid)

    const startMs = performance.now()
    const copying = new CopyProcess({ primary, pid }, copy, rate, onProgress)
    const sentFirst = await copying.killedMidway()
    const during = await copying.toTheEnd()
    const seconds = (performance.now() - startMs) / 1000
    const meanwhile = await ask<Lap>({ kind: 'lap' })
    await ask<Lap>({ kind: 'end' })

    onProgress('following', 0, 1)
    const replica = await start('replica', '--data', copy, '--from', primary.url)
    const compared = await compare(primary, replica, signal)
    return {
      benchmark: 'clone',
      measuredAt: new Date().toISOString(),
      machine: thisMachine(),
      device: await deviceOf(directory),
      settings: { bytes, rows, rowBytes, commitsPerSecond, rate: rate ?? null },
      alone,
      meanwhile,
      p99Ratio: ratioOf(meanwhile, alone),
      seconds: rounded(seconds, 1),
      bytesSentFirst: sentFirst,
      bytesSent: during.bytesSent,
      memory: { primaryBefore: before, primary: during.primaryMemory, copy: during.copyMemory },
      ...compared,
    }
  } finally {
    for (const server of servers.reverse()) await server.stop()
    await load.stop()
  }
}

/** `replog clone`, run twice. */
class CopyProcess {
  readonly #primary: HttpClient
  readonly #pid: number
  readonly #args: readonly string[]
  readonly #onProgress: CloneBenchOptions['onProgress']
  #primaryMemory = 0
  #copyMemory = 0

  constructor(
    { primary, pid }: { readonly primary: HttpClient; readonly pid: number },
    copy: string,
    rate: number | undefined,
    onProgress: CloneBenchOptions['onProgress'],
  ) {
    this.#primary = primary
    this.#pid = pid
    this.#onProgress = onProgress
    const paced = rate === undefined ? [] : ['--rate', String(rate)]
    this.#args = [PROGRAM, 'clone', '--from', primary.url, '--data', copy, '--json', ...paced]
  }

  /** @returns bytes that were sent until then */
  async killedMidway(): Promise<number> {
    const child = this.#start()
    for (;;) {
      const { copies = [] } = await this.#sample(child)
      const [running] = copies
      if (running !== undefined && running.bytesSent > 0 && running.bytesSent * 2 >= running.bytesEstimate) break
      if (child.exitCode !== null) break
    }
    const exited = child.exitCode === null ? once(child, 'exit') : undefined
    child.kill('SIGKILL')
    await exited
    return (await this.#primary.status()).copied?.bytesSent ?? 0
  }

  async toTheEnd(): Promise<{
    readonly bytesSent: number
    readonly primaryMemory: number
    readonly copyMemory: number
  }> {
    const child = this.#start()
    let errors = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
    while (child.exitCode === null) await this.#sample(child)
    if (child.exitCode !== 0) throw new ReplogError('INTERNAL', `the copy failed: ${errors.trim()}`)
    const { copied } = await this.#primary.status()
    return { bytesSent: copied?.bytesSent ?? 0, primaryMemory: this.#primaryMemory, copyMemory: this.#copyMemory }
  }

  #start(): ChildProcess {
    return spawn(process.execPath, this.#args, { stdio: ['ignore', 'ignore', 'pipe'] })
  }

  async #sample(child: ChildProcess): ReturnType<HttpClient['status']> {
    await delay(SAMPLE_MS)
    this.#primaryMemory = Math.max(this.#primaryMemory, await memoryOf(this.#pid))
    this.#copyMemory = Math.max(this.#copyMemory, await memoryOf(child.pid!))
    const status = await this.#primary.status()
    const [running] = status.copies ?? []
    if (running !== undefined) this.#onProgress('copying', running.bytesSent, running.bytesEstimate)
    return status
  }
}

/**
 * Memory of a process that is its own; 0 when it is gone. LevelDB maps its files, and what the kernel keeps of those in its
 * cache counts as resident: the size of the copy, in the end.
 */
async function memoryOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024
}

/** @throws ReplogError INTERNAL when they are not equal */
async function compare(
  primary: HttpClient,
  replica: HttpClient,
  signal: AbortSignal,
): Promise<Pick<CloneReport, 'position' | 'digest' | 'rowsCompared'>> {
  const startMs = performance.now()
  for (;;) {
    signal.throwIfAborted()
    // The server writes verify markers by itself: both are asked until they stand at one place.
    const { lsn, position } = await primary.status()
    const there = await replica.status()
    if (there.lsn === lsn) {
      const [one, other] = await Promise.all([primary, replica].map((server) => sizeOf(server)))
      if (there.position === position && one!.digest === other!.digest && one!.rows === other!.rows) {
        return { position, digest: one!.digest, rowsCompared: one!.rows }
      }
      throw benchmarkIsWrong(
        `the copy ended at ${there.position} with ${JSON.stringify(other)}, its server at ${position}`,
      )
    }
    if (there.replication?.state === 'stopped' || performance.now() - startMs > FOLLOW_MS_MAX) {
      throw benchmarkIsWrong(`the copy does not follow: ${there.problem ?? 'it takes too long'}`)
    }
    await delay(SAMPLE_MS)
  }
}

async function sizeOf(server: HttpClient): Promise<{ readonly rows: number; readonly digest: string }> {
  const { rows, digest } = (await server.json('/v1/catalogs/local/tables/test.t')) as { rows: number; digest: string }
  return { rows, digest }
}

function ratioOf(meanwhile: Lap, alone: Lap): number | null {
  if (meanwhile.latency === undefined || alone.latency === undefined) return null
  return rounded(meanwhile.latency.p99Ms / alone.latency.p99Ms, 2)
}

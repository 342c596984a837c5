/**
 * A server of a peer as a child process, and the programs that make its data. What they say goes to a file beside the
 * data; of what failed, the end of it is in the error.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError } from '../../../core/errors.js'
import { processTreeCpuSeconds } from './process-tree.js'
import type { SystemUser } from './system-user.js'

export interface ProgramOptions {
  readonly program: string
  readonly args: readonly string[]
  readonly user: SystemUser | undefined
  /** Where it runs, and where it may write. */
  readonly directory: string
  /** Gets what it prints. */
  readonly log: string
  readonly environment?: Readonly<Record<string, string>>
}

const STOP_MS_MAX = 30_000
const POLL_MS = 50
const LOG_LINES = 5

/** To its end. @throws ReplogError CLOSED with what it said, when it fails */
export async function runProgram(options: ProgramOptions, signal: AbortSignal): Promise<void> {
  const child = spawnInto(options, signal)
  const failure = await new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => {
      resolve(`cannot be run (${error.message})`)
    })
    child.on('exit', (code) => {
      resolve(code === 0 ? undefined : `ended with exit code ${code}`)
    })
  })
  signal.throwIfAborted()
  if (failure !== undefined) throw await failureOf(options, failure)
}

export interface ServerOptions extends ProgramOptions {
  /** What ends it. */
  readonly stopSignal: NodeJS.Signals
  readonly onDeath: (error: ReplogError) => void
}

export class ServerProcess {
  readonly #options: ServerOptions
  readonly #child: ChildProcess
  #stopping = false

  constructor(options: ServerOptions) {
    this.#options = options
    this.#child = spawnInto(options)
    this.#child.on('exit', (code, signal) => {
      if (this.#stopping) return
      failureOf(options, `ended by itself (${signal ?? `exit code ${code}`})`).then(options.onDeath, options.onDeath)
    })
  }

  /** Tries until `connect` succeeds. @throws ReplogError CLOSED when the server ends, or takes too long */
  async untilReady<Connection>(
    connect: () => Promise<Connection>,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<Connection> {
    const startMs = performance.now()
    for (;;) {
      signal.throwIfAborted()
      if (this.#hasEnded) throw await failureOf(this.#options, 'did not start')
      try {
        return await connect()
      } catch (error) {
        if (performance.now() - startMs > timeoutMs) {
          throw await failureOf(this.#options, `takes no connections after ${timeoutMs / 1000} s`, error)
        }
      }
      await delay(POLL_MS)
    }
  }

  /** Its own and that of its children, those that have ended included; null where the system does not tell. */
  async cpuSeconds(): Promise<number | null> {
    return processTreeCpuSeconds(this.#child.pid!)
  }

  /** Resolves when it is gone. Safe to call again. */
  async stop(): Promise<void> {
    this.#stopping = true
    if (this.#hasEnded) return
    const gone = once(this.#child, 'exit')
    this.#child.kill(this.#options.stopSignal)
    const cut = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX)
    await gone
    clearTimeout(cut)
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }
}

/** A port of loopback that nobody uses at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address === 'object' && address !== null) return address.port
  throw new ReplogError('UNREACHABLE', 'the system gives no port on 127.0.0.1; see that loopback is up')
}

function spawnInto(
  { program, args, user, directory, log, environment }: ProgramOptions,
  signal?: AbortSignal,
): ChildProcess {
  const file = openSync(log, 'a', 0o600)
  try {
    const child = spawn(program, args, {
      cwd: directory,
      // A process group of its own: Ctrl-C reaches the benchmark, which then ends the server.
      detached: true,
      stdio: ['ignore', file, file],
      // Messages are read by programs, too.
      env: { ...process.env, LC_ALL: 'C', ...environment },
      ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
      ...(signal === undefined ? {} : { signal }),
    })
    // A program that does not start ends, too; `exitCode` says so.
    child.on('error', () => undefined)
    return child
  } finally {
    closeSync(file)
  }
}

async function failureOf({ program, log }: ProgramOptions, what: string, cause?: unknown): Promise<ReplogError> {
  const said = (await readFile(log, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-LOG_LINES).join(' | ')
  return new ReplogError('CLOSED', `${program} ${what}: ${said === '' ? 'it said nothing' : said}`, { cause })
}

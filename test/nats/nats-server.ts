/** A real nats-server for a test: on a free port, with a store directory of its own, ended with the test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { requireTool } from '../house/tools.js'

const READY = /Server is ready/
const PORT_MIN = 20_000
const PORT_MAX = 32_000

export interface NatsServerOptions {
  /** Lines for its configuration file. */
  readonly config?: string
  readonly jetStream?: boolean
  readonly scheme?: 'nats' | 'tls'
  /** How clients call it; a certificate is checked against it. */
  readonly host?: string
}

export class NatsServer {
  readonly #program: string
  readonly #directory: string
  readonly #options: NatsServerOptions
  readonly port: number
  #child: ChildProcess | undefined

  constructor(program: string, directory: string, port: number, options: NatsServerOptions) {
    this.#program = program
    this.#directory = directory
    this.#options = options
    this.port = port
  }

  get url(): string {
    return `${this.#options.scheme ?? 'nats'}://${this.#options.host ?? '127.0.0.1'}:${this.port}`
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const path = join(this.#directory, 'nats.conf')
    const storeDirectory = join(this.#directory, 'store')
    mkdirSync(storeDirectory, { recursive: true })
    const jetStream = this.#options.jetStream === false ? '' : `jetstream { store_dir: "${storeDirectory}" }`
    writeFileSync(path, `listen: "127.0.0.1:${this.port}"\n${jetStream}\n${this.#options.config ?? ''}\n`)
    const child = spawn(this.#program, ['-c', path], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    let said = ''
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (data: Buffer) => {
        said += data.toString()
        if (READY.test(said)) resolve()
      })
      child.once('error', reject)
      child.once('exit', () => {
        reject(new Error(`nats-server ended: ${said}`))
      })
    })
  }

  /** As a power cut of its process: nothing is tidied up. */
  async kill(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined) return
    child.kill('SIGCONT')
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  /** Everything that it kept is gone; only while it does not run. */
  loseStore(): void {
    rmSync(join(this.#directory, 'store'), { recursive: true, force: true })
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name)
  }
}

/** A started server, or undefined where the test was skipped because there is none to start. */
export async function startNats(t: Test, options: NatsServerOptions = {}): Promise<NatsServer | undefined> {
  const program = requireTool(t, 'nats-server')
  if (program === undefined) return undefined
  // Not tap's directory of the test, of which there is one: the test has stores of its own.
  const directory = mkdtempSync(join(tmpdir(), 'replog-nats-'))
  const server = new NatsServer(program, directory, await freePort(), options)
  t.teardown(async () => {
    await server.kill()
    rmSync(directory, { recursive: true, force: true })
  })
  await server.start()
  return server
}

/**
 * A port that nobody listens on now; a server that is started again needs the one it had. Below those that the system
 * gives to clients: one of them could take the port while the server is down, or connect to itself there.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORT_MIN, PORT_MAX)
    const probe = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => {
        resolve(false)
      })
      probe.listen(port, '127.0.0.1', () => {
        resolve(true)
      })
    })
    if (!isFree) continue
    probe.close()
    await once(probe, 'close')
    return port
  }
}

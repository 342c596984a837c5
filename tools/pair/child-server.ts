/**
 * A `replog primary` or `replog replica` as a child process: the same program that an operator starts, on a port of its
 * own choice, ended by SIGTERM.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ReplogError } from '../../core/errors.js'
import { SERVER_NODE_FLAGS } from '../node-flags.js'
import type { Terminal } from '../terminal.js'

const PROGRAM = fileURLToPath(new URL('../replog.js', import.meta.url))
/** How long a child may take to end by itself after SIGTERM, in milliseconds. */
const STOP_MS_MAX = 15_000

export class ChildServer {
  readonly role: 'primary' | 'replica'
  readonly url: string
  readonly #child: ChildProcess
  #stopping = false

  private constructor(
    role: 'primary' | 'replica',
    url: string,
    child: ChildProcess,
    onDeath: (error: ReplogError) => void,
  ) {
    this.role = role
    this.url = url
    this.#child = child
    child.on('exit', (code, signal) => {
      if (this.#stopping) return
      onDeath(new ReplogError('CLOSED', `the ${role} ended by itself (${signal ?? `exit code ${code}`})`))
    })
  }

  /**
   * Resolves when the server listens.
   * @param args flags behind `replog ROLE`
   * @param onDeath told when the process ends without having been asked to
   * @throws ReplogError CLOSED when it ends before; its own error is on the terminal
   */
  static async start(
    role: 'primary' | 'replica',
    args: readonly string[],
    terminal: Terminal,
    onDeath: (error: ReplogError) => void,
  ): Promise<ChildServer> {
    // A process group of its own: Ctrl-C reaches this process, which then ends the servers in order.
    const child = spawn(process.execPath, [...SERVER_NODE_FLAGS, PROGRAM, role, '--json', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const errors: string[] = []
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.startsWith('{"event":"stopped"')) return
      errors.push(line)
      terminal.note(`[${role}] ${line}`)
    })
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const event = parseEvent(line)
        if (event?.event === 'listening' && event.url !== undefined) resolve(event.url)
      })
      child.on('error', reject)
      // Behind the last line that it wrote, which says why.
      child.on('close', (code) => {
        const detail = errors.at(-1) ?? `exit code ${code}`
        reject(new ReplogError('CLOSED', `the ${role} did not start: ${detail}`))
      })
    })
    return new ChildServer(role, url, child, onDeath)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Asks it to drain and end; kills it when it does not. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const cut = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS_MAX)
    await gone
    clearTimeout(cut)
  }
}

function parseEvent(line: string): { event?: string; url?: string } | undefined {
  try {
    return JSON.parse(line) as { event?: string; url?: string }
  } catch {
    return undefined
  }
}

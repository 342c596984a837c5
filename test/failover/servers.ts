/** Servers as an operator starts them: real processes of the program that these tests were compiled with. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { HttpClient } from '../../tools/http-client.js'
import { SERVER_NODE_FLAGS } from '../../tools/node-flags.js'
import { spawnPlain } from '../house/spawn-plain.js'

const PROGRAM = fileURLToPath(new URL('../../tools/replog.js', import.meta.url))

export interface ServerProcess {
  readonly process: ChildProcess
  readonly url: string
  readonly port: number
  readonly client: HttpClient
  /** What it wrote, both streams, a line each. */
  readonly lines: readonly string[]
  readonly signal: (name: NodeJS.Signals) => void
  /** Asks it to end and waits for that. */
  readonly stop: () => Promise<void>
  /** kill -9. */
  readonly kill: () => Promise<void>
  /** Resolves with the exit code when it is gone and all that it wrote has been read. */
  readonly gone: Promise<number | null>
}

/** Resolves when the server listens. */
export async function start(t: Test, role: 'primary' | 'replica', ...args: readonly string[]): Promise<ServerProcess> {
  const child = spawnPlain(process.execPath, [...SERVER_NODE_FLAGS, PROGRAM, role, '--json', '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  const gone = once(child, 'close').then(([code]) => code as number | null)
  createInterface({ input: child.stderr! }).on('line', (line) => lines.push(line))
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      lines.push(line)
      const listening = /"event":"listening".*"url":"([^"]+)"/.exec(line)
      if (listening !== null) resolve(listening[1]!)
    })
    void gone.then((code) => reject(new Error(`the ${role} ended with ${code}: ${lines.join('\n')}`)))
  })
  const end = async (name: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(name)
    await gone
  }
  t.teardown(() => end('SIGKILL'))
  return {
    process: child,
    url,
    port: Number(new URL(url).port),
    client: new HttpClient(url),
    lines,
    signal: (name) => void child.kill(name),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    gone,
  }
}

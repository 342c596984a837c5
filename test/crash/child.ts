/** A child process that talks in lines, with the promise that what it said before it was killed is heard. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { spawnPlain } from '../house/spawn-plain.js'

export class Child {
  readonly process: ChildProcess
  readonly #ended: Promise<unknown>
  #isOver = false

  constructor(command: string, args: readonly string[], onLine: (line: string) => void) {
    this.process = spawnPlain(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    // Writing to a process that was just killed is no fault of the test.
    this.process.stdin!.on('error', () => undefined)
    const lines = createInterface({ input: this.process.stdout! })
    lines.on('line', onLine)
    this.#ended = Promise.all([once(this.process, 'close'), once(lines, 'close')]).then(() => {
      this.#isOver = true
    })
  }

  get isOver(): boolean {
    return this.#isOver
  }

  send(line: string): void {
    this.process.stdin!.write(`${line}\n`)
  }

  /** Resolves when the process is gone and all that it said was heard. */
  async end(): Promise<void> {
    await this.#ended
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.#ended
  }

  /** Asks it to end by closing its input. */
  async finish(): Promise<number | null> {
    this.process.stdin!.end()
    await this.#ended
    return this.process.exitCode
  }
}

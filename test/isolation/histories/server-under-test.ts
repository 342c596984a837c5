/** A primary in a process of its own that is killed and started again on the same port and directory. */
import { fileURLToPath } from 'node:url'
import { Child } from '../../crash/child.js'
import type { Plan } from './plan.js'
import type { PlanAnswer, PlanRequest } from './server-child.js'

const PROGRAM = fileURLToPath(new URL('server-child.js', import.meta.url))

export class ServerUnderTest {
  /** What it said that it should not have. */
  readonly faults: string[] = []
  readonly #path: string
  /** The same through all restarts. */
  readonly port: number
  #child: Child | undefined
  #count = 0
  readonly #waiting = new Map<number, (answer: PlanAnswer | undefined) => void>()
  #isUp: Promise<void> = Promise.resolve()

  /** @param port one that the system does not give to clients, so that nobody has it when the server comes back */
  constructor(path: string, port: number) {
    this.#path = path
    this.port = port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  start(): Promise<void> {
    this.#isUp = this.#start()
    return this.#isUp
  }

  /** Ends it at once, as a power cut would end its process, and starts it again. */
  async killAndRestart(): Promise<void> {
    let up: () => void = () => undefined
    this.#isUp = new Promise((resolve) => (up = resolve))
    await this.#child!.kill()
    await this.#start()
    up()
  }

  /** Ends it as SIGTERM would. @returns its exit code */
  async finish(): Promise<number | null> {
    return this.#child!.finish()
  }

  async kill(): Promise<void> {
    await this.#child?.kill()
  }

  /** Runs a plan inside of the server; undefined when that was killed before it answered. */
  async run(plan: Plan): Promise<PlanAnswer | undefined> {
    await this.#isUp
    const number = ++this.#count
    return new Promise((resolve) => {
      this.#waiting.set(number, resolve)
      this.#child!.send(JSON.stringify({ number, plan } satisfies PlanRequest))
    })
  }

  #start(): Promise<void> {
    return new Promise((resolve, reject) => {
      const child = new Child(process.execPath, [PROGRAM, this.#path, `${this.port}`], (line) => {
        if (line.startsWith('ready ')) {
          resolve()
        } else if (line.startsWith('{')) {
          const answer = JSON.parse(line) as PlanAnswer
          this.#settle(answer.number, answer)
        } else {
          this.faults.push(line)
        }
      })
      this.#child = child
      void child.end().then(() => {
        reject(new Error('the server ended before it was ready'))
        for (const number of [...this.#waiting.keys()]) this.#settle(number, undefined)
      })
    })
  }

  #settle(number: number, answer: PlanAnswer | undefined): void {
    this.#waiting.get(number)?.(answer)
    this.#waiting.delete(number)
  }
}

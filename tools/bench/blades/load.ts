/**
 * The load of a benchmark: its clients, spread over processes of their own, so that what they cost is not taken from the
 * process that measures.
 *
 * Invariants: no run begins before every connection of every process is open; a load that failed or was stopped leaves
 * no process behind.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ReplogError } from '../../../core/errors.js'
import type { FromLoad, LoadShare, ToLoad } from './load-messages.js'
import { Tally, type TallyState } from './tally.js'

const PROGRAM = fileURLToPath(new URL('load-process.js', import.meta.url))

export interface LoadOptions {
  /** ws:// address of the sessions. */
  readonly url: string
  readonly clients: number
  readonly runs: number
  readonly form: LoadShare['form']
  readonly timeoutMs: number
  readonly processes: number
  /** Its reason ends the load. */
  readonly signal: AbortSignal
  readonly onConnected: (connections: number) => void
  readonly onProgress: (runs: number) => void
}

export interface LoadResult {
  readonly tally: Tally
  /** Of the last acknowledged commit, on the clock of `process.hrtime`. */
  readonly lastCommitNs: bigint
  /** Processor time of all load processes. */
  readonly cpuSeconds: number
}

interface Part {
  readonly tally: TallyState
  readonly lastCommitNs: bigint
  readonly cpuSeconds: number
}

export class Load {
  readonly #options: LoadOptions
  readonly #parts: readonly LoadPart[]

  private constructor(options: LoadOptions, parts: readonly LoadPart[]) {
    this.#options = options
    this.#parts = parts
  }

  /** Resolves when every connection is open. @throws ReplogError of a load process; the signal's reason */
  static async connect(options: LoadOptions): Promise<Load> {
    const { clients, processes, runs, signal } = options
    signal.throwIfAborted()
    const parts: LoadPart[] = []
    const load = new Load(options, parts)
    const bounds = Array.from({ length: processes + 1 }, (_, at) => Math.floor((at * clients) / processes))
    for (let at = 0; at < processes; at++) {
      const firstClient = bounds[at]!
      const share = { ...options, firstClient, clients: bounds[at + 1]! - firstClient }
      const { url, form, timeoutMs } = share
      parts.push(
        new LoadPart(
          { url, form, timeoutMs, firstClient, clients: share.clients, clientsTotal: clients, runsTotal: runs },
          () => {
            options.onConnected(load.#sum(({ connections }) => connections))
          },
          () => {
            options.onProgress(load.#sum(({ runs: done }) => done))
          },
        ),
      )
    }
    try {
      await load.#orAborted(Promise.all(parts.map(({ connected }) => connected)))
      return load
    } catch (error) {
      await load.stop()
      throw error
    }
  }

  /** All runs, from the first to the answer of the last. @throws as `connect` */
  async run(): Promise<LoadResult> {
    for (const part of this.#parts) part.go()
    const parts = await this.#orAborted(Promise.all(this.#parts.map(({ done }) => done)))
    const tally = new Tally()
    for (const part of parts) tally.merge(part.tally)
    const lastCommitNs = parts.map((part) => part.lastCommitNs).reduce((left, right) => (left > right ? left : right))
    assert.equal(tally.runs, this.#options.runs, 'every run was made, once')
    const cpuSeconds = parts.reduce((sum, part) => sum + part.cpuSeconds, 0)
    return { tally, lastCommitNs, cpuSeconds }
  }

  /** Ends the processes. Safe to call again. */
  async stop(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.stop()))
  }

  #sum(of: (part: LoadPart) => number): number {
    return this.#parts.reduce((sum, part) => sum + of(part), 0)
  }

  async #orAborted<Value>(work: Promise<Value>): Promise<Value> {
    const { signal } = this.#options
    const aborted = new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason as Error)
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error)
      })
    })
    return Promise.race([work, aborted])
  }
}

/** One load process. */
class LoadPart {
  readonly connected: Promise<undefined>
  readonly done: Promise<Part>
  connections = 0
  runs = 0
  readonly #child: ChildProcess

  constructor(share: LoadShare, onConnected: () => void, onProgress: () => void) {
    // A process group of its own: Ctrl-C reaches the benchmark, which then ends the load.
    const child = fork(PROGRAM, {
      serialization: 'advanced',
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    const connected = deferred<undefined>()
    const done = deferred<Part>()
    this.connected = connected.promise
    this.done = done.promise
    const fail = (error: ReplogError): void => {
      connected.reject(error)
      done.reject(error)
    }
    child.on('message', (message: FromLoad) => {
      switch (message.type) {
        case 'ready':
          this.#tell({ type: 'connect', share })
          return
        case 'connected':
          this.connections = message.connections
          onConnected()
          if (message.connections === share.clients) connected.resolve(undefined)
          return
        case 'progress':
          this.runs = message.runs
          onProgress()
          return
        case 'done':
          this.runs = message.tally.runs
          onProgress()
          done.resolve(message)
          return
        case 'failed':
          fail(new ReplogError(message.code, message.message))
      }
    })
    child.on('error', (cause) => {
      fail(new ReplogError('CLOSED', `a load process did not start: ${cause.message}`, { cause }))
    })
    child.on('exit', (code, signal) => {
      fail(new ReplogError('CLOSED', `a load process ended by itself (${signal ?? `exit code ${code}`})`))
    })
  }

  go(): void {
    this.#tell({ type: 'go' })
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  #tell(message: ToLoad): void {
    // A process that is gone says so by its exit.
    this.#child.send(message, () => undefined)
  }
}

interface Deferred<Value> {
  readonly promise: Promise<Value>
  readonly resolve: (value: Value) => void
  readonly reject: (error: ReplogError) => void
}

/** Rejects in silence when nobody waits for it yet, or any more. */
function deferred<Value>(): Deferred<Value> {
  let resolve: Deferred<Value>['resolve'] | undefined
  let reject: Deferred<Value>['reject'] | undefined
  const promise = new Promise<Value>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  promise.catch(() => undefined)
  return { promise, resolve: resolve!, reject: reject! }
}

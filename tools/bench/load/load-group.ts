/**
 * The load of a benchmark: clients spread over processes of their own, so that what they cost is not taken from the
 * process that measures.
 *
 * Invariants: no load begins before every connection of every process is open; a load that failed or was stopped leaves
 * no process behind.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { ReplogError } from '../../../core/errors.js'
import { SERVER_NODE_FLAGS } from '../../node-flags.js'
import type { FromLoad, ToLoad } from './load-messages.js'

export interface LoadGroupOptions<Share> {
  /** A module that calls `serveLoad`. */
  readonly program: string
  /** One for each process. */
  readonly shares: readonly Share[]
  /** How many connections a share opens. */
  readonly connectionsOf: (share: Share) => number
  /** Its reason ends the load. */
  readonly signal: AbortSignal
  readonly onConnected: (connections: number) => void
  readonly onProgress: (done: number) => void
}

export class LoadGroup<Share, Result> {
  readonly #parts: readonly LoadPart<Share, Result>[]
  readonly #signal: AbortSignal

  private constructor(parts: readonly LoadPart<Share, Result>[], signal: AbortSignal) {
    this.#parts = parts
    this.#signal = signal
  }

  /** Resolves when every connection is open. @throws ReplogError of a load process; the signal's reason */
  static async connect<Share, Result>(options: LoadGroupOptions<Share>): Promise<LoadGroup<Share, Result>> {
    const { program, shares, connectionsOf, signal, onConnected, onProgress } = options
    signal.throwIfAborted()
    const parts: LoadPart<Share, Result>[] = []
    const sum = (of: (part: LoadPart<Share, Result>) => number): number =>
      parts.reduce((total, part) => total + of(part), 0)
    for (const share of shares) {
      parts.push(
        new LoadPart<Share, Result>(program, share, connectionsOf(share), {
          onConnected: () => {
            onConnected(sum(({ connections }) => connections))
          },
          onProgress: () => {
            onProgress(sum(({ progress }) => progress))
          },
        }),
      )
    }
    const group = new LoadGroup(parts, signal)
    try {
      await group.#orAborted(Promise.all(parts.map(({ connected }) => connected)))
      return group
    } catch (error) {
      await group.stop()
      throw error
    }
  }

  /** All of it, to the last answer: what each process says. @throws as `connect` */
  async run(): Promise<readonly Result[]> {
    for (const part of this.#parts) part.go()
    return this.#orAborted(Promise.all(this.#parts.map(({ done }) => done)))
  }

  /** Ends the processes. Safe to call again. */
  async stop(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.stop()))
  }

  async #orAborted<Value>(work: Promise<Value>): Promise<Value> {
    const signal = this.#signal
    let leave: (() => void) | undefined
    const aborted = new Promise<never>((_, reject) => {
      leave = () => {
        reject(signal.reason as Error)
      }
      if (signal.aborted) leave()
      signal.addEventListener('abort', leave)
    })
    try {
      return await Promise.race([work, aborted])
    } finally {
      signal.removeEventListener('abort', leave!)
    }
  }
}

interface PartEvents {
  readonly onConnected: () => void
  readonly onProgress: () => void
}

/** One load process. */
class LoadPart<Share, Result> {
  readonly connected: Promise<undefined>
  readonly done: Promise<Result>
  connections = 0
  progress = 0
  readonly #child: ChildProcess

  constructor(program: string, share: Share, connections: number, { onConnected, onProgress }: PartEvents) {
    // A process group of its own: Ctrl-C reaches the benchmark, which then ends the load.
    const child = fork(program, {
      serialization: 'advanced',
      // What wants to be fast with thousands of connections here is what wants it in a server.
      execArgv: [...SERVER_NODE_FLAGS],
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    const connected = deferred<undefined>()
    const done = deferred<Result>()
    this.connected = connected.promise
    this.done = done.promise
    const fail = (error: ReplogError): void => {
      connected.reject(error)
      done.reject(error)
    }
    child.on('message', (message: FromLoad<Result>) => {
      switch (message.type) {
        case 'ready':
          this.#tell({ type: 'connect', share })
          return
        case 'connected':
          this.connections = message.connections
          onConnected()
          if (message.connections === connections) connected.resolve(undefined)
          return
        case 'progress':
          this.progress = message.done
          onProgress()
          return
        case 'done':
          done.resolve(message.result)
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

  #tell(message: ToLoad<Share>): void {
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

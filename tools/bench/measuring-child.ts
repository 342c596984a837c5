/**
 * A process of its own for one side of a comparison, so that neither side runs in a heap, or with code compiled, that the
 * other has shaped. It does one thing at a time, when it is asked to; sides are measured in turns, and the one that is
 * not asked does nothing.
 *
 * The child's module calls `answerMeasurements`; the parent starts it with `MeasuringChild.start`.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type ErrorCode, ReplogError, isReplogError } from '../../core/errors.js'

type Answer =
  | { readonly result: unknown }
  | { readonly error: { readonly code: ErrorCode; readonly message: string } }
  | { readonly progress: { readonly phase: string; readonly done: number; readonly of: number } }

export interface MeasuringChildOptions {
  /** Path of the compiled module. */
  readonly module: string
  readonly signal: AbortSignal
  readonly onProgress?: (phase: string, done: number, of: number) => void
}

export class MeasuringChild {
  readonly #child: ChildProcess
  readonly #signal: AbortSignal
  readonly #onProgress: NonNullable<MeasuringChildOptions['onProgress']>
  readonly #gone: Promise<void>
  #settle: { resolve(result: unknown): void; reject(error: Error): void } | undefined

  private constructor(child: ChildProcess, { signal, onProgress = () => undefined }: MeasuringChildOptions) {
    this.#child = child
    this.#signal = signal
    this.#onProgress = onProgress
    this.#gone = once(child, 'exit').then(() => undefined)
    child.on('message', (answer: Answer) => {
      this.#answered(answer)
    })
    child.on('exit', (code, killedBy) => {
      this.#settleWith((waiting) => {
        waiting.reject(
          new ReplogError('CLOSED', `a measuring process ended by itself (${killedBy ?? `exit code ${code}`})`),
        )
      })
    })
    signal.addEventListener('abort', this.#onAbort)
  }

  static start(options: MeasuringChildOptions): MeasuringChild {
    options.signal.throwIfAborted()
    // What NODE_OPTIONS may load is no part of what is measured. Garbage of one cell is not collected within the next.
    const { NODE_OPTIONS: _, ...env } = process.env
    return new MeasuringChild(fork(options.module, { env, execArgv: [...heapFlags(), '--expose-gc'] }), options)
  }

  /**
   * Resolves with what the module answers.
   * @throws ReplogError that the module threw; CLOSED when it ended; the reason of the signal
   */
  ask<Result>(request: object): Promise<Result> {
    assert(this.#settle === undefined, 'one question at a time')
    return new Promise<unknown>((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#child.send(request)
    }) as Promise<Result>
  }

  /** Ends it by SIGKILL, as a crash would. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.stop()
  }

  /** Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort)
    if (this.#child.connected) this.#child.disconnect()
    await this.#gone
  }

  readonly #onAbort = (): void => {
    this.#child.kill('SIGKILL')
    this.#settleWith((waiting) => {
      waiting.reject(new ReplogError('CLOSED', 'the benchmark was stopped'))
    })
  }

  #answered(answer: Answer): void {
    if ('progress' in answer) {
      const { phase, done, of } = answer.progress
      this.#onProgress(phase, done, of)
      return
    }
    this.#settleWith((waiting) => {
      if ('error' in answer) waiting.reject(new ReplogError(answer.error.code, answer.error.message))
      else waiting.resolve(answer.result)
    })
  }

  #settleWith(how: (waiting: { resolve(result: unknown): void; reject(error: Error): void }) => void): void {
    const waiting = this.#settle
    this.#settle = undefined
    if (waiting !== undefined) how(waiting)
  }
}

/** How the program that measures was told to keep its heap: children do the same. */
export function heapFlags(): string[] {
  return process.execArgv.filter((flag) => /^--(?:max|min)-/.test(flag))
}

/** What a module does that is started as a measuring child: it answers one request after another until it is let go. */
export function answerMeasurements<Request>(measure: (request: Request) => Promise<object>): void {
  process.on('disconnect', () => {
    process.exit(0)
  })
  process.on('message', (request: Request) => {
    globalThis.gc?.()
    measure(request).then(
      (result) => {
        tell({ result })
      },
      (error: unknown) => {
        // A bug of ours ends the process, and with it the benchmark.
        if (!isReplogError(error)) throw error
        tell({ error: { code: error.code, message: error.message } })
      },
    )
  })
}

/** Tells the parent how far the child is. */
export function tellProgress(phase: string, done: number, of: number): void {
  tell({ progress: { phase, done, of } })
}

function tell(answer: Answer): void {
  process.send?.(answer)
}

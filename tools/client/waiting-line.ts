/**
 * A queue of callers that wait for something there is too little of: first come, first served.
 *
 * Invariants:
 * - who leaves (aborted, timed out) leaves no gap and no timer behind;
 * - the line has an end: who comes when it is full is refused at once;
 * - waiting keeps the process alive, because somebody awaits the answer.
 */
import type { ReplogError } from '../../core/errors.js'

interface Waiter<Served> {
  readonly resolve: (served: Served) => void
  readonly reject: (reason: unknown) => void
}

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs: number
  /** What the caller is told when it waited for too long. */
  readonly timedOut: () => ReplogError
}

export class WaitingLine<Served> {
  readonly #lengthMax: number
  readonly #full: () => ReplogError
  /** In the order in which they came; a Set, so that one in the middle leaves in no time. */
  readonly #waiters = new Set<Waiter<Served>>()

  constructor(lengthMax: number, full: () => ReplogError) {
    this.#lengthMax = lengthMax
    this.#full = full
  }

  get length(): number {
    return this.#waiters.size
  }

  /** @throws the signal's reason; what `timedOut` and `full` make; what `fail` is given */
  wait({ signal, timeoutMs, timedOut }: WaitOptions): Promise<Served> {
    return new Promise<Served>((resolve, reject) => {
      signal?.throwIfAborted()
      if (this.#waiters.size >= this.#lengthMax) throw this.#full()
      const leave = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
        this.#waiters.delete(waiter)
      }
      const waiter: Waiter<Served> = {
        resolve: (served) => {
          leave()
          resolve(served)
        },
        reject: (reason) => {
          leave()
          reject(reason)
        },
      }
      const abort = (): void => {
        waiter.reject(signal!.reason)
      }
      const timer = setTimeout(() => {
        waiter.reject(timedOut())
      }, timeoutMs)
      signal?.addEventListener('abort', abort, { once: true })
      this.#waiters.add(waiter)
    })
  }

  /** Serves the one who has waited longest. False when nobody waits. */
  serveNext(served: Served): boolean {
    const next = this.#waiters.values().next()
    if (next.done === true) return false
    next.value.resolve(served)
    return true
  }

  serveAll(served: Served): void {
    while (this.serveNext(served));
  }

  fail(error: ReplogError): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error)
  }
}

/**
 * One client of rotating blades: a connection of its own, one request at a time, its user ids in order. The same for
 * replog and for its peers; what differs is the wire.
 *
 *   fans ──> isFan ──> execute ─────────────────────────> next run
 *    ^         │  └──> begin ──> insert ──> count ──> commit ──┘
 *    │         └── a fan already, after a timeout: the commit had taken place ──> next run
 *    └── conflict, timeout: the same run again, from its first query
 *
 * Invariants:
 * - a run counts once, when its transaction was acknowledged or its row was found after a lost answer;
 * - after a timeout, and where a transaction may still be open, what was sent is abandoned;
 * - there is no timer and no promise for a request: the load must not be what is measured.
 */
import { ReplogError } from '../../../core/errors.js'
import type { Form, Step, UserIds } from './blades-set.js'
import type { Tally } from './tally.js'
import type { Wire, WireEvents } from './wire.js'

export interface ClientContext {
  readonly form: Form
  /** Longest wait for an answer, in milliseconds. */
  readonly timeoutMs: number
  readonly tally: Tally
  /** A run was counted. */
  readonly onRun: (nowMs: number) => void
  /** All runs of the client are done. */
  readonly onDone: () => void
  /** What cannot be part of the benchmark; the client has stopped. */
  readonly onFailed: (error: ReplogError) => void
}

/** So often a run goes back to its first query before something must be wrong. */
const ATTEMPTS_MAX = 10_000

export class LoadClient implements WireEvents {
  readonly #wire: Wire
  readonly #context: ClientContext
  readonly #lastUserId: number
  #userId: number
  /** The request that is not answered; undefined before the first and after the last run. */
  #step: Step | undefined
  #sentMs = 0
  #runStartMs = 0
  #transactionStartMs = 0
  #attempts = 0
  #hasTimedOut = false
  #isCounted = false

  /** @param openWire what the client speaks through; its events go to the client */
  constructor(openWire: (events: WireEvents) => Wire, userIds: UserIds, context: ClientContext) {
    this.#context = context
    this.#userId = userIds.first - 1
    this.#lastUserId = userIds.last
    this.#wire = openWire(this)
  }

  start(): void {
    this.#nextRun(performance.now())
  }

  /** Called now and then. */
  sweep(nowMs: number): void {
    if (this.#step === undefined || this.#wire.refusesOverdue) return
    if (nowMs - this.#sentMs > this.#context.timeoutMs) this.#again('TIMEOUT', true)
  }

  close(): void {
    this.#step = undefined
    this.#wire.close()
  }

  answered(found: boolean): void {
    const step = this.#step
    if (step === undefined) return
    const nowMs = performance.now()
    if (step !== 'execute') this.#context.tally.times[step].add(nowMs - this.#sentMs)
    switch (step) {
      case 'fans':
        this.#isCounted = found
        this.#send('isFan', nowMs)
        return
      case 'isFan':
        if (found) this.#foundFan(nowMs)
        else this.#send(this.#context.form === 'one-shot' ? 'execute' : 'begin', nowMs)
        return
      case 'begin':
        this.#send('insert', nowMs)
        return
      case 'insert':
        this.#send('count', nowMs)
        return
      case 'count':
        this.#send('commit', nowMs)
        return
      case 'execute':
      case 'commit':
        this.#committed(nowMs)
    }
  }

  refused(cause: string, isOpen: boolean): void {
    if (this.#step !== undefined) this.#again(cause, isOpen)
  }

  failed(error: ReplogError): void {
    this.#step = undefined
    this.#context.onFailed(error)
  }

  #nextRun(nowMs: number): void {
    if (this.#userId >= this.#lastUserId) {
      this.#step = undefined
      this.#context.onDone()
      return
    }
    this.#userId++
    this.#attempts = 1
    this.#hasTimedOut = false
    this.#runStartMs = nowMs
    this.#send('fans', nowMs)
  }

  #send(step: Step, nowMs: number): void {
    this.#step = step
    if (step === 'execute' || step === 'begin') this.#transactionStartMs = nowMs
    this.#sentMs = nowMs
    this.#wire.send(step, this.#userId, this.#isCounted)
  }

  #committed(nowMs: number): void {
    const { tally } = this.#context
    tally.times.transaction.add(nowMs - this.#transactionStartMs)
    this.#endRun(nowMs)
  }

  /** Only an answer that was lost can have hidden it from us: nobody else has this user id. */
  #foundFan(nowMs: number): void {
    if (!this.#hasTimedOut) {
      this.failed(new ReplogError('INTERNAL', `user ${this.#userId} is a fan before its transaction was sent`))
      return
    }
    this.#context.tally.found++
    this.#endRun(nowMs)
  }

  #endRun(nowMs: number): void {
    const { tally, onRun } = this.#context
    tally.runs++
    tally.times.run.add(nowMs - this.#runStartMs)
    onRun(nowMs)
    this.#nextRun(nowMs)
  }

  #again(cause: string, abandon: boolean): void {
    this.#context.tally.retry(cause)
    if (cause === 'TIMEOUT') this.#hasTimedOut = true
    if (++this.#attempts > ATTEMPTS_MAX) {
      this.failed(new ReplogError('CONFLICT', `a run went back to its first query ${ATTEMPTS_MAX} times (${cause})`))
      return
    }
    if (abandon) this.#wire.abandon()
    this.#send('fans', performance.now())
  }
}

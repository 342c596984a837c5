/**
 * One client of rotating blades: a connection of its own, one request at a time, its user ids in order.
 *
 *   fans ──> isFan ──> execute ─────────────────────────> next run
 *    ^         │  └──> begin ──> insert ──> count ──> commit ──┘
 *    │         └── a fan already, after a timeout: the commit had taken place ──> next run
 *    └── conflict, timeout: the same run again, from its first query
 *
 * Invariants:
 * - a run counts once, when its transaction was acknowledged or its row was found after a lost answer;
 * - an answer that came too late is not mistaken for that of a later request: ids are not used again soon;
 * - after a timeout, and where a transaction may still be open, the session is left and a new one used;
 * - there is no timer and no promise for a request: the load must not be what is measured.
 */
import { ReplogError, isReplogError } from '../../../core/errors.js'
import { decodeAnswer } from '../../../log/codec/session/decode-answer.js'
import { encodeRequest } from '../../../log/codec/session/encode-request.js'
import type { SessionError, SessionResult } from '../../../log/codec/session/messages.js'
import { CONFLICTS, type Form, type Step, type UserIds, operationOf } from './blades-set.js'
import type { Tally } from './tally.js'

/** What a client needs of a WebSocket that is open and gives its frames as Buffer. */
export interface LoadSocket {
  on(event: 'message', listener: (data: Buffer) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'close', listener: (code: number, reason: Buffer) => void): unknown
  removeAllListeners(event: 'close'): unknown
  send(frame: Uint8Array): void
  close(code: number, reason: string): void
}

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
const ID_MAX = 0xffff_ffff

export class LoadClient {
  readonly #socket: LoadSocket
  readonly #context: ClientContext
  readonly #lastUserId: number
  #userId: number
  /** The request that is not answered; undefined before the first and after the last run. */
  #step: Step | undefined
  #id = 0
  #session = 1
  #sentMs = 0
  #runStartMs = 0
  #transactionStartMs = 0
  #attempts = 0
  #hasTimedOut = false
  #isCounted = false

  constructor(socket: LoadSocket, userIds: UserIds, context: ClientContext) {
    this.#socket = socket
    this.#context = context
    this.#userId = userIds.first - 1
    this.#lastUserId = userIds.last
    socket.on('message', (data: Buffer) => {
      this.#receive(data)
    })
    socket.on('error', (error) => {
      this.#fail(new ReplogError('PROTOCOL', `a connection of the load broke: ${error.message}`, { cause: error }))
    })
    socket.on('close', (code: number, reason: Buffer) => {
      const said = reason.length === 0 ? `close code ${code}` : reason.toString()
      this.#fail(new ReplogError('UNREACHABLE', `the server closed a connection of the load (${said})`))
    })
  }

  start(): void {
    this.#nextRun(performance.now())
  }

  /** Called now and then. */
  sweep(nowMs: number): void {
    if (this.#step === undefined || nowMs - this.#sentMs <= this.#context.timeoutMs) return
    this.#hasTimedOut = true
    this.#again('TIMEOUT', true)
  }

  close(): void {
    this.#step = undefined
    this.#socket.removeAllListeners('close')
    this.#socket.close(1000, 'the load is done')
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
    this.#newId()
    if (step === 'execute' || step === 'begin') this.#transactionStartMs = nowMs
    this.#sentMs = nowMs
    const operation = operationOf(step, this.#userId, this.#isCounted)
    this.#socket.send(encodeRequest({ id: this.#id, session: this.#session, ...operation }))
  }

  #receive(data: Buffer): void {
    if (this.#step === undefined) return
    try {
      const answer = decodeAnswer(data)
      // The answer to a request that was given up.
      if (answer.id !== this.#id) return
      if ('error' in answer) this.#refused(answer.error)
      else this.#answered(this.#step, answer.result, performance.now())
    } catch (error) {
      if (!isReplogError(error)) throw error
      this.#fail(error)
    }
  }

  #answered(step: Step, result: SessionResult, nowMs: number): void {
    const { times } = this.#context.tally
    if (step !== 'execute') times[step].add(nowMs - this.#sentMs)
    switch (step) {
      case 'fans':
        this.#isCounted = rowOf(result) !== null
        this.#send('isFan', nowMs)
        return
      case 'isFan':
        if (rowOf(result) !== null) this.#foundFan(nowMs)
        else this.#send(this.#context.form === 'one-shot' ? 'execute' : 'begin', nowMs)
        return
      case 'begin':
        this.#send('insert', nowMs)
        return
      case 'insert':
        requireChange(result, 'inserted')
        this.#send('count', nowMs)
        return
      case 'count':
        requireChange(result, this.#isCounted ? 'updated' : 'inserted')
        this.#send('commit', nowMs)
        return
      case 'execute': {
        const [insert, count] = resultsOf(result)
        requireChange(insert, 'inserted')
        requireChange(count, this.#isCounted ? 'updated' : 'inserted')
        this.#committed(nowMs)
        return
      }
      case 'commit':
        this.#committed(nowMs)
    }
  }

  #committed(nowMs: number): void {
    const { tally } = this.#context
    tally.times.transaction.add(nowMs - this.#transactionStartMs)
    this.#endRun(nowMs)
  }

  /** Only an answer that was lost can have hidden it from us: nobody else has this user id. */
  #foundFan(nowMs: number): void {
    if (!this.#hasTimedOut) {
      throw new ReplogError('INTERNAL', `user ${this.#userId} is a fan before its transaction was sent`)
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

  #refused({ code, message, transaction }: SessionError): void {
    if (CONFLICTS.has(code)) this.#again(code, transaction === 'open')
    else this.#fail(new ReplogError(code, `a request of the load was refused: ${message}`))
  }

  #again(cause: string, leaveSession: boolean): void {
    this.#context.tally.retry(cause)
    if (++this.#attempts > ATTEMPTS_MAX) {
      this.#fail(new ReplogError('CONFLICT', `a run went back to its first query ${ATTEMPTS_MAX} times (${cause})`))
      return
    }
    if (leaveSession) {
      // Its answer has an id that nobody waits for.
      this.#newId()
      this.#socket.send(encodeRequest({ id: this.#id, session: this.#session, name: 'closeSession', input: {} }))
      this.#session++
    }
    this.#send('fans', performance.now())
  }

  #newId(): void {
    this.#id = this.#id === ID_MAX ? 1 : this.#id + 1
  }

  #fail(error: ReplogError): void {
    this.#step = undefined
    this.#context.onFailed(error)
  }
}

function resultsOf(result: SessionResult): readonly SessionResult[] {
  if ('results' in result) return result.results
  throw new ReplogError('PROTOCOL', 'the server answers a one-shot transaction without its results')
}

/** Of a one-shot `get`. */
function rowOf(result: SessionResult): unknown {
  const [found] = resultsOf(result)
  if (found !== undefined && 'row' in found) return found.row
  throw new ReplogError('PROTOCOL', 'the server answers a get without a row or the lack of one')
}

/** One row was changed. @throws ReplogError INTERNAL: an acknowledged transaction that did less would be lost */
function requireChange(result: SessionResult | undefined, member: 'inserted' | 'updated'): void {
  const changed = (result as Readonly<Record<string, unknown>> | undefined)?.[member]
  if (changed !== 1) throw new ReplogError('INTERNAL', `a statement of the set ${member} ${String(changed)} rows`)
}

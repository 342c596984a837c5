/**
 * Requests that wait to be sent on one connection, by session.
 *
 * Invariants:
 * - the requests of one session leave in the order in which they came, those of several in turn;
 * - a session has at most `unansweredMax` requests at the server. Together they are fewer than the server takes, so
 *   sessions that wait there for a lock never keep back the commit that would free it;
 * - a session of which nothing waits and nothing is unanswered costs nothing.
 */
import assert from 'node:assert/strict'

interface Outgoing<Request> {
  unanswered: number
  readonly waiting: Set<Request>
}

export class SendQueue<Request extends { readonly session: number; readonly bytes: number }> {
  readonly #unansweredMax: number
  readonly #sessions = new Map<number, Outgoing<Request>>()
  /** Sessions that may send, in turn. */
  readonly #ready = new Set<Outgoing<Request>>()
  #length = 0
  #bytes = 0
  #unanswered = 0

  constructor(unansweredMax: number) {
    this.#unansweredMax = unansweredMax
  }

  /** Requests that wait. */
  get length(): number {
    return this.#length
  }

  /** Bytes of the requests that wait. */
  get bytes(): number {
    return this.#bytes
  }

  /** Requests that were taken and are not answered. */
  get unanswered(): number {
    return this.#unanswered
  }

  add(request: Request): void {
    let outgoing = this.#sessions.get(request.session)
    if (outgoing === undefined) {
      outgoing = { unanswered: 0, waiting: new Set() }
      this.#sessions.set(request.session, outgoing)
    }
    outgoing.waiting.add(request)
    this.#length++
    this.#bytes += request.bytes
    if (outgoing.unanswered < this.#unansweredMax) this.#ready.add(outgoing)
  }

  /** The next request to send, which counts as unanswered from now on; undefined when none may be sent. */
  take(): Request | undefined {
    for (const outgoing of this.#ready) {
      const [request] = outgoing.waiting
      assert(request !== undefined, 'a session that is ready has something to send')
      this.#leave(outgoing, request)
      outgoing.unanswered++
      this.#unanswered++
      // To the end of the line.
      this.#ready.delete(outgoing)
      if (outgoing.waiting.size > 0 && outgoing.unanswered < this.#unansweredMax) this.#ready.add(outgoing)
      return request
    }
    return undefined
  }

  /** A request that was taken has its answer. */
  answered(request: Request): void {
    const outgoing = this.#sessions.get(request.session)
    assert(outgoing !== undefined && outgoing.unanswered > 0, 'what is answered was taken')
    outgoing.unanswered--
    this.#unanswered--
    if (outgoing.waiting.size > 0) this.#ready.add(outgoing)
    this.#forgetIfIdle(request.session, outgoing)
  }

  /** A request that still waits is not to be sent. */
  remove(request: Request): void {
    const outgoing = this.#sessions.get(request.session)
    if (outgoing?.waiting.has(request) !== true) return
    this.#leave(outgoing, request)
    if (outgoing.waiting.size === 0) this.#ready.delete(outgoing)
    this.#forgetIfIdle(request.session, outgoing)
  }

  clear(): void {
    this.#sessions.clear()
    this.#ready.clear()
    this.#length = 0
    this.#bytes = 0
  }

  #leave(outgoing: Outgoing<Request>, request: Request): void {
    outgoing.waiting.delete(request)
    this.#length--
    this.#bytes -= request.bytes
  }

  #forgetIfIdle(session: number, outgoing: Outgoing<Request>): void {
    if (outgoing.unanswered === 0 && outgoing.waiting.size === 0) this.#sessions.delete(session)
  }
}

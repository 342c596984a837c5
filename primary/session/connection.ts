/**
 * One WebSocket with its sessions: frames in, answers out, and no more of either than it may hold.
 *
 *   frame ──> limits ──> session (in order) ──> answer ──> socket
 *     └ paused while too much is not answered or not sent ┘
 *
 * Invariants:
 * - a request is answered exactly once, or its connection ends;
 * - what it holds is bounded: when a peer sends faster than it is answered or reads slower than it asks, it is read no
 *   more, nothing more is run for it, and after a while it is cut off;
 * - when the socket closes, for whatever reason, everything is rolled back and given back.
 */
import type { Duplex } from 'node:stream'
import { ReplogError, isReplogError, messageOf } from '../../core/errors.js'
import type { Operation, SessionAnswer, SessionRequest, TransactionNote } from '../../log/codec/session/messages.js'
import type { WebSocket } from '../../log/socket/socket-routes.js'
import type { Catalog } from '../catalog.js'
import type { Quotas } from '../quotas.js'
import type { ConnectionLimits } from './connection-limits.js'
import { Flow } from './flow.js'
import { answerFrame, frameId, parseFrame } from './frames.js'
import type { HeldBytes } from './held-bytes.js'
import type { ReadTurns } from './read-turns.js'
import { type CutCause, type RollbackCause, type SessionCounters, limitReached } from './session-counters.js'
import { type Outcome, Session } from './session.js'

/** WebSocket close codes; those from 4000 on are for applications. */
const GOING_AWAY = 1001
const CLOSE_MALFORMED = 4400
const CLOSE_SLOW = 4408
/** A reason in a close frame has at most 123 bytes. */
const REASON_LENGTH_MAX = 120
/** How long a peer may take to read what is on its way before its socket is cut, in milliseconds. */
const CUT_MS = 1000

/** What the connections of a server share. */
export interface ConnectionContext {
  readonly limits: ConnectionLimits
  readonly quotas: Quotas
  readonly held: HeldBytes
  readonly turns: ReadTurns
  readonly counters: SessionCounters
  monotonicMs(): number
  after(delayMs: number, callback: () => void): void
  /** Told of faults of this server, which its clients learn as INTERNAL. */
  readonly onError: (error: unknown) => void
}

export class Connection {
  readonly #context: ConnectionContext
  readonly #catalog: Catalog
  readonly #socket: WebSocket
  readonly #sessions = new Map<number, Session>()
  /** Ids of requests that are not answered yet. */
  readonly #unanswered = new Set<number>()
  readonly #flow: Flow
  #isClosed = false
  #onAnswered: (() => void) | undefined

  /** @param stream what the socket lies on */
  constructor(context: ConnectionContext, catalog: Catalog, socket: WebSocket, stream: Duplex) {
    this.#context = context
    this.#catalog = catalog
    this.#socket = socket
    const flow = new Flow(socket, stream, context.limits, context.held, () => context.monotonicMs())
    this.#flow = flow
    for (const control of ['ping', 'pong']) {
      socket.on(control, () => {
        flow.heard()
      })
    }
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      flow.heard()
      this.#take(data, isBinary)
    })
    // A frame that is no frame, not UTF-8 or beyond all bounds; the socket has answered it with a close frame.
    socket.on('error', (error) => {
      this.#fail(messageOf(error))
    })
  }

  /** Asks the peer whether it is there. */
  ping(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping()
  }

  /** Ends what is idle, silent or slow for too long. */
  sweep(nowMs: number): void {
    for (const [number, session] of this.#sessions) {
      if (session.sweep(nowMs)) this.#forget(number)
    }
    if (this.#flow.isSlow(nowMs)) this.#cut('slow', CLOSE_SLOW, 'the answers were not read in time')
    else if (this.#flow.isSilent(nowMs)) {
      this.#context.counters.cut.silent++
      this.#socket.terminate()
    }
  }

  /**
   * Rolls everything back and closes the socket when what is under way, a commit say, is answered.
   * @returns resolves then
   */
  async shutDown(reason: ReplogError): Promise<void> {
    this.#closeSessions(reason, 'shutdown')
    if (this.#unanswered.size > 0 && this.#socket.readyState === this.#socket.OPEN) {
      await new Promise<void>((resolve) => {
        this.#onAnswered = resolve
      })
    }
    this.#flow.flush()
    this.#socket.close(GOING_AWAY, 'the server is shutting down')
  }

  /** Once, when the socket has closed. */
  closed(): void {
    this.#closeSessions(
      new ReplogError('CLOSED', 'the connection of the session was lost; the transaction was rolled back'),
      'disconnect',
    )
    this.#flow.end()
    this.#onAnswered?.()
  }

  #closeSessions(reason: ReplogError, cause: RollbackCause): void {
    this.#isClosed = true
    for (const [number, session] of this.#sessions) {
      session.close(reason, cause)
      this.#forget(number)
    }
    this.#flow.stop()
  }

  #take(bytes: Buffer, isBinary: boolean): void {
    if (this.#isClosed) return
    this.#context.counters.requests++
    const { quotas } = this.#context
    const most = quotas.bound('frameBytes')
    if (bytes.length > most.value) {
      const id = frameId(bytes, isBinary)
      const message = `a frame has at most ${most.value} bytes; send smaller pieces`
      if (id === undefined) this.#refuseFrame(message)
      else this.#refuse(id, isBinary, quotas.beyond(most, this.#catalog.name, message), 0)
      return
    }
    const frame = parseFrame(bytes, isBinary)
    if ('malformed' in frame) this.#refuseFrame(frame.malformed)
    else if ('error' in frame) this.#refuse(frame.id, isBinary, frame.error, frame.session)
    else this.#start(frame.request, bytes.length, isBinary)
  }

  #start(request: SessionRequest, bytes: number, isBinary: boolean): void {
    let session: Session
    try {
      session = this.#admit(request, bytes)
    } catch (error) {
      this.#refuse(request.id, isBinary, error, request.session)
      return
    }
    if (!this.#claim(request.id)) return
    this.#flow.requested(bytes)
    session.submit(request, bytes, (outcome) => {
      if (session.isAtRest && request.name === 'closeSession') this.#forget(request.session, session)
      this.#unanswered.delete(request.id)
      this.#answer(request.id, isBinary, outcome, bytes)
    })
  }

  /** The session of a request that may be run. @throws ReplogError LIMIT */
  #admit(request: SessionRequest, bytes: number): Session {
    const { limits, quotas, held, counters } = this.#context
    const { connectionRequests, connectionSessions } = limits
    if (this.#unanswered.size >= connectionRequests) {
      const message = `${connectionRequests} requests of this connection are not answered yet; wait for answers`
      throw limitReached(counters, 'connectionRequests', connectionRequests, message)
    }
    if (!held.hasRoomFor(bytes)) throw this.#serverIsFull()
    quotas.admitRequest(this.#catalog.name)
    const existing = this.#sessions.get(request.session)
    if (existing !== undefined) return existing
    if (this.#sessions.size >= connectionSessions) {
      const message = `a connection has at most ${connectionSessions} sessions; close some`
      throw limitReached(counters, 'connectionSessions', connectionSessions, message)
    }
    quotas.take('sessions', this.#catalog.name)
    const session: Session = new Session({
      catalog: this.#catalog,
      quotas,
      counters,
      limits,
      monotonicMs: () => this.#context.monotonicMs(),
      mustWait: (operation) => !this.#flow.hasRoom || isLargeRead(operation),
      schedule: (operation, run) => this.#schedule(session, operation, run),
    })
    this.#sessions.set(request.session, session)
    return session
  }

  #schedule(session: Session, operation: Operation, run: () => Promise<Outcome>): Promise<Outcome> {
    return isLargeRead(operation) ? this.#readInTurn(session, run) : this.#flow.whenRoom().then(run)
  }

  /** A large read waits for its turn as well, and is refused when the server is full by then. */
  async #readInTurn(session: Session, run: () => Promise<Outcome>): Promise<Outcome> {
    const { held, turns } = this.#context
    for (;;) {
      // Not in the turn: a slow peer holds up nobody else.
      await this.#flow.whenRoom()
      const outcome = await turns.run(async () => {
        if (!this.#flow.hasRoom) return undefined
        return held.hasRoomFor(0) ? run() : { error: this.#serverIsFull(), transaction: session.note }
      })
      if (outcome !== undefined) return outcome
    }
  }

  #serverIsFull(): ReplogError {
    const { counters, held } = this.#context
    const message = 'the server holds as many requests and answers as it may; retry after a pause'
    return limitReached(counters, 'heldBytes', held.max, message)
  }

  /** @param session when given, only if the number is still that one's */
  #forget(number: number, session = this.#sessions.get(number)): void {
    if (session === undefined || this.#sessions.get(number) !== session) return
    this.#sessions.delete(number)
    this.#context.quotas.give('sessions', this.#catalog.name)
  }

  /** Two answers with one id could not be told apart, so the connection ends instead. */
  #claim(id: number): boolean {
    if (this.#unanswered.has(id)) {
      this.#refuseFrame(`request id ${id} is in use`)
      return false
    }
    this.#unanswered.add(id)
    return true
  }

  /** Answers a request that is not run. */
  #refuse(id: number, isBinary: boolean, error: unknown, session: number): void {
    if (this.#unanswered.has(id)) {
      this.#refuseFrame(`request id ${id} is in use`)
      return
    }
    const transaction: TransactionNote = this.#sessions.get(session)?.note ?? 'none'
    this.#answer(id, isBinary, { error, transaction }, 0)
  }

  #refuseFrame(reason: string): void {
    this.#cut('malformed', CLOSE_MALFORMED, reason)
  }

  #answer(id: number, isBinary: boolean, outcome: Outcome, requestBytes: number): void {
    if (this.#socket.readyState === this.#socket.OPEN) {
      this.#flow.send(this.#frameOf(id, isBinary, outcome), this.#unanswered.size === 0)
    }
    this.#flow.answered(requestBytes)
    if (this.#unanswered.size === 0) this.#onAnswered?.()
  }

  #frameOf(id: number, isBinary: boolean, outcome: Outcome): string | Buffer {
    try {
      return answerFrame(answerOf(id, outcome, this.#context.onError), isBinary)
    } catch (error) {
      this.#context.onError(error)
      const note = 'error' in outcome ? outcome.transaction : 'none'
      return answerFrame({ id, error: fault(note) }, isBinary)
    }
  }

  /** What is wrong is below our frames, and the socket closes by itself. */
  #fail(reason: string): void {
    if (!this.#isClosed) this.#context.counters.cut.malformed++
    this.#closeSessions(new ReplogError('CLOSED', `the connection failed: ${reason}`), 'disconnect')
    this.#cutLater()
  }

  /** Ends the connection for a reason that the peer is told, if it reads. */
  #cut(cause: CutCause, code: number, reason: string): void {
    if (this.#isClosed) return
    this.#context.counters.cut[cause]++
    this.#closeSessions(new ReplogError('CLOSED', `the connection was cut off: ${reason}`), 'disconnect')
    this.#flow.flush()
    this.#socket.close(code, reason.slice(0, REASON_LENGTH_MAX))
    // A paused socket would not see the peer's close frame.
    this.#socket.resume()
    this.#cutLater()
  }

  #cutLater(): void {
    this.#context.after(CUT_MS, () => {
      this.#socket.terminate()
    })
  }
}

/**
 * What waits for a turn. An `execute` that also writes does not: it may wait for locks at its commit, and who holds them
 * may wait for a turn.
 */
function isLargeRead({ name, input }: Operation): boolean {
  if (name === 'scan' || name === 'fetch') return true
  if (name !== 'execute') return false
  let hasScan = false
  for (const one of input.statements) if ('scan' in one) hasScan = true
  return hasScan && input.statements.every((one) => 'scan' in one || 'get' in one || 'check' in one)
}

function answerOf(id: number, outcome: Outcome, onError: (error: unknown) => void): SessionAnswer {
  if ('result' in outcome) return { id, result: outcome.result }
  const { error, transaction } = outcome
  if (!isReplogError(error)) {
    onError(error)
    return { id, error: fault(transaction) }
  }
  if (error.status === 500) onError(error)
  const { code, message, retryable, details } = error
  return { id, error: { code, message, retryable, transaction, details } }
}

function fault(transaction: TransactionNote): Extract<SessionAnswer, { readonly error: unknown }>['error'] {
  const message = 'the server met a fault of its own; its log says more'
  return { code: 'INTERNAL', message, retryable: false, transaction }
}

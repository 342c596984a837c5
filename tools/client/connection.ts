/**
 * One WebSocket to a server and the requests on it.
 *
 *   opening ──> open ──socket closed, silence, garbage, close()──> over
 *
 * Invariants:
 * - every request gets exactly one outcome: its answer, or the error that ended the connection, or its caller's abort;
 * - requests leave in the order in which they were made, so the server sees those of one session in that order;
 * - requests that the server has not answered, and those that wait to be sent, are bounded in number and in bytes;
 * - an id is not given again while its answer may still come, even when nobody waits for that answer any more.
 */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { ReplogError, isReplogError, messageOf } from '../../core/errors.js'
import { CONNECTION_REQUESTS_MAX, SESSION_FRAME_BYTES_MAX } from '../../core/limits.js'
import type { FrameForm } from './frame-form.js'
import { type SocketOptions, brokenText, openSocket } from './open-socket.js'
import type { InputOf, OperationName, ResultOf } from './operations.js'
import { READ_RESULT } from './read-result.js'
import { SendQueue } from './send-queue.js'

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs: number
}

/** A request and what became of it. */
export interface Exchange<Result> {
  readonly answer: Promise<Result>
  /** `sent`: the server may have got it, or may get it yet. */
  readonly state: ExchangeState
}

export type ExchangeState = 'waiting' | 'sent' | 'answered'

export interface ConnectionOptions extends SocketOptions {
  readonly form: FrameForm
  readonly silenceMs: number
  /** Most requests of one session that the server has not answered; the next ones wait here. */
  readonly sessionRequestsMax: number
  /** Called once when an open connection is over, after its requests have failed with the same error. */
  readonly onOver: (connection: Connection, error: ReplogError) => void
}

interface Pending {
  readonly id: number
  readonly session: number
  readonly name: OperationName
  readonly frame: string | Uint8Array
  readonly bytes: number
  readonly resolve: (result: unknown) => void
  readonly reject: (reason: unknown) => void
  state: ExchangeState
}

const ID_MAX = 0xffff_ffff
const UNSENT_BYTES_MAX = 4 * 1024 * 1024
const QUEUE_LENGTH_MAX = 100_000
const QUEUE_BYTES_MAX = 64 * 1024 * 1024
const SILENT_BEATS_MAX = 3
/** What frees something is sent however much waits. */
const FREEING: ReadonlySet<OperationName> = new Set(['rollback', 'closeSession'])
/** How long the server has to answer our closing frame. */
const CUT_MS = 500

/** Close codes of WebSocket that a new connection does not mend: what was sent is at fault. */
const CLOSE_TOO_LARGE = 1009
const CLOSE_MALFORMED = 4400

export class Connection {
  readonly #socket: WebSocket
  readonly #options: ConnectionOptions
  /** Requests without an answer, sent or not, by id. */
  readonly #pending = new Map<number, Pending>()
  readonly #queue: SendQueue<Pending>
  #lastId = 0
  #lastSession = 0
  #over: ReplogError | undefined
  #hasAnswered = false
  /** Heartbeats since something was heard. */
  #silentBeats = 0
  readonly #heartbeat: NodeJS.Timeout

  private constructor(socket: WebSocket, options: ConnectionOptions) {
    this.#socket = socket
    this.#options = options
    this.#queue = new SendQueue(options.sessionRequestsMax)
    const heard = (): void => {
      this.#silentBeats = 0
    }
    socket.on('pong', heard)
    socket.on('ping', heard)
    socket.on('message', (data: Buffer, isBinary) => {
      heard()
      this.#receive(data, isBinary)
    })
    socket.on('error', (error) => {
      // A frame that breaks the rules of WebSocket: `close` follows.
      this.#end(new ReplogError('UNREACHABLE', brokenText(options.url, messageOf(error)), { cause: error }))
    })
    socket.on('close', (code, reason) => {
      this.#end(closeError(options.url, code, reason.toString()))
    })
    this.#heartbeat = setInterval(() => {
      this.#beat()
    }, options.silenceMs / SILENT_BEATS_MAX)
    this.#heartbeat.unref()
  }

  /**
   * @throws ReplogError UNREACHABLE; what the server answers instead of a WebSocket, such as NOT_FOUND; the signal's reason
   */
  static open(options: ConnectionOptions, signal: AbortSignal): Promise<Connection> {
    return openSocket(options, signal, (socket) => new Connection(socket, options))
  }

  get isOpen(): boolean {
    return this.#over === undefined
  }

  /** Whether the server ever answered: one that takes connections and drops them has not. */
  get hasAnswered(): boolean {
    return this.#hasAnswered
  }

  /** A session number of this connection that was not used before. */
  newSession(): number {
    this.#lastSession = this.#lastSession === ID_MAX ? 1 : this.#lastSession + 1
    return this.#lastSession
  }

  /**
   * Sends a request. The promise rejects with the server's error, with what ended the connection, with UNREACHABLE when
   * no answer comes in time, with the signal's reason, or with LIMIT when too much waits to be sent.
   */
  send<Name extends OperationName>(
    session: number,
    name: Name,
    input: InputOf<Name>,
    { signal, timeoutMs }: RequestOptions,
  ): Exchange<ResultOf<Name>> {
    let pending: Pending | undefined
    const answer = new Promise<ResultOf<Name>>((resolve, reject) => {
      signal?.throwIfAborted()
      if (this.#over !== undefined) throw this.#over
      if (!FREEING.has(name)) this.#requireRoom()
      const id = this.#newId()
      const frame = this.#options.form.encode(id, session, name, input)
      const bytes = typeof frame === 'string' ? Buffer.byteLength(frame) : frame.length
      if (bytes > SESSION_FRAME_BYTES_MAX) {
        throw new ReplogError(
          'TOO_LARGE',
          `the request takes ${bytes} bytes of at most ${SESSION_FRAME_BYTES_MAX}; send smaller pieces`,
        )
      }
      const leave = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      const giveUp = (reason: unknown): void => {
        leave()
        this.#withdraw(request)
        reject(reason)
      }
      const abort = (): void => {
        giveUp(signal!.reason)
      }
      const timer = setTimeout(() => {
        giveUp(
          new ReplogError('UNREACHABLE', `the server did not answer \`${name}\` within ${timeoutMs} ms; try again`),
        )
      }, timeoutMs)
      signal?.addEventListener('abort', abort, { once: true })
      const request: Pending = {
        id,
        session,
        name,
        frame,
        bytes,
        state: 'waiting',
        resolve: (result) => {
          leave()
          // What `READ_RESULT` made for this request's name.
          resolve(result as ResultOf<Name>)
        },
        reject: (reason) => {
          leave()
          reject(reason)
        },
      }
      pending = request
      this.#pending.set(id, request)
      this.#queue.add(request)
      this.#pump()
    })
    return {
      answer,
      get state() {
        return pending?.state ?? 'waiting'
      },
    }
  }

  /** Says good-bye; what is still unanswered fails with `reason`. Resolves when the socket is closed. */
  async close(reason: ReplogError): Promise<void> {
    if (this.#over !== undefined) return
    const closed = once(this.#socket, 'close')
    this.#socket.close(1000, 'the client was closed')
    this.#end(reason)
    const cut = setTimeout(() => {
      this.#socket.terminate()
    }, CUT_MS)
    await closed
    clearTimeout(cut)
  }

  #newId(): number {
    do this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1
    while (this.#pending.has(this.#lastId))
    return this.#lastId
  }

  #requireRoom(): void {
    if (this.#queue.length < QUEUE_LENGTH_MAX && this.#queue.bytes < QUEUE_BYTES_MAX) return
    throw new ReplogError('LIMIT', 'too many requests wait to be sent to the server; await the answers of earlier ones')
  }

  /** Sends what the server and the socket have room for. */
  #pump(): void {
    while (this.#queue.unanswered < CONNECTION_REQUESTS_MAX && this.#socket.bufferedAmount < UNSENT_BYTES_MAX) {
      const request = this.#queue.take()
      if (request === undefined) return
      request.state = 'sent'
      this.#socket.send(request.frame, { binary: typeof request.frame !== 'string' }, () => {
        if (this.#over === undefined) this.#pump()
      })
    }
  }

  /** Its caller gave up. One that was sent stays until its answer comes, which is then thrown away. */
  #withdraw(request: Pending): void {
    if (request.state !== 'waiting') return
    this.#queue.remove(request)
    this.#pending.delete(request.id)
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#over !== undefined) return
    try {
      const answer = this.#options.form.decode(data, isBinary)
      const request = this.#pending.get(answer.id)
      if (request?.state !== 'sent') {
        throw new ReplogError('PROTOCOL', `the server answers request ${answer.id}, which was not asked`)
      }
      const outcome = 'error' in answer ? answer.error : READ_RESULT[request.name](answer.result)
      this.#pending.delete(answer.id)
      this.#queue.answered(request)
      this.#hasAnswered = true
      request.state = 'answered'
      if (isReplogError(outcome)) request.reject(outcome)
      else request.resolve(outcome)
      this.#pump()
    } catch (error) {
      if (!isReplogError(error)) throw error
      this.#end(error)
    }
  }

  #beat(): void {
    // Beats are counted, and not time, because time passes too while this process does not get to read.
    if (++this.#silentBeats > SILENT_BEATS_MAX) {
      this.#end(
        new ReplogError(
          'UNREACHABLE',
          brokenText(this.#options.url, `nothing was heard for ${this.#options.silenceMs} ms`),
        ),
      )
      return
    }
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping()
  }

  #end(error: ReplogError): void {
    if (this.#over !== undefined) return
    this.#over = error
    clearInterval(this.#heartbeat)
    if (this.#socket.readyState !== WebSocket.CLOSING) this.#socket.terminate()
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    this.#queue.clear()
    for (const request of pending) request.reject(error)
    this.#options.onOver(this, error)
  }
}

function closeError(url: string, code: number, reason: string): ReplogError {
  const said = reason === '' ? `close code ${code}` : reason
  if (code === CLOSE_MALFORMED) {
    return new ReplogError('PROTOCOL', `the server could not read a request: ${said}; check that versions match`)
  }
  if (code === CLOSE_TOO_LARGE) {
    return new ReplogError('TOO_LARGE', `the server does not take frames that large (${said}); send smaller pieces`)
  }
  return new ReplogError('UNREACHABLE', brokenText(url, said))
}

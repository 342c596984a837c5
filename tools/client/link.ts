/**
 * Keeps one connection to the server: connects, and connects again when it is lost.
 *
 *   connecting ──opened──> connected
 *       ^  └────failed────> pausing <──lost──┘
 *       └───────due────────────┘                any ──close──> closed
 *
 * Pauses are random below a bound that doubles, so that the clients of a server that was restarted do not come back all
 * at once. Only a connection on which the server answered earns a quick attempt: one that is taken and dropped again
 * and again is no progress.
 */
import assert from 'node:assert/strict'
import { ReplogError, isReplogError } from '../../core/errors.js'
import { WaitingLine } from './waiting-line.js'

export type LinkState = 'connecting' | 'connected' | 'pausing' | 'closed'
type LinkEvent = 'opened' | 'failed' | 'lost' | 'due' | 'close'

export const LINK_STATES: Readonly<Record<LinkState, Readonly<Record<LinkEvent, LinkState>>>> = {
  connecting: { opened: 'connected', failed: 'pausing', lost: 'connecting', due: 'connecting', close: 'closed' },
  connected: { opened: 'connected', failed: 'connected', lost: 'pausing', due: 'connected', close: 'closed' },
  pausing: { opened: 'pausing', failed: 'pausing', lost: 'pausing', due: 'connecting', close: 'closed' },
  closed: { opened: 'closed', failed: 'closed', lost: 'closed', due: 'closed', close: 'closed' },
}

/** What a link needs of a connection. */
export interface Linkable {
  readonly isOpen: boolean
  /** Whether the server ever answered on it. */
  readonly hasAnswered: boolean
  close(reason: ReplogError): Promise<void>
}

export interface LinkOptions<Connection extends Linkable> {
  readonly minMs: number
  readonly maxMs: number
  /** Longest wait of a call for a connection. */
  readonly connectTimeoutMs: number
  /** Makes a connection that calls `onOver` when it ends. */
  readonly open: (
    onOver: (connection: Connection, error: ReplogError) => void,
    signal: AbortSignal,
  ) => Promise<Connection>
  /** From 0 up to 1. */
  readonly random: () => number
  readonly onConnected: () => void
  /** `retryInMs` is null when there is no further attempt. */
  readonly onDisconnected: (error: ReplogError, retryInMs: number | null) => void
}

/** Calls wait in the pool, which is bounded, before they wait here. */
const WAITING_MAX = 1_000_000

export class Link<Connection extends Linkable> {
  readonly #options: LinkOptions<Connection>
  readonly #waiting: WaitingLine<Connection>
  readonly #closing = new AbortController()
  #state: LinkState = 'connecting'
  #connection: Connection | undefined
  #pauseMsMax: number
  #timer: NodeJS.Timeout | undefined
  #lastError: ReplogError | undefined
  #onFirstFailure: ((error: ReplogError) => void) | undefined

  constructor(options: LinkOptions<Connection>) {
    this.#options = options
    this.#pauseMsMax = options.minMs
    this.#waiting = new WaitingLine(
      WAITING_MAX,
      () => new ReplogError('LIMIT', 'too many calls wait for a connection; send less at once'),
    )
    this.#connect()
  }

  get state(): LinkState {
    return this.#state
  }

  /**
   * The open connection; waits for it when there is none.
   * @throws ReplogError UNREACHABLE when there is none in time, CLOSED, what the server refuses connections with (such
   * as NOT_FOUND); the signal's reason
   */
  async connection(signal?: AbortSignal): Promise<Connection> {
    signal?.throwIfAborted()
    if (this.#state === 'closed') throw this.#closedError()
    if (this.#connection !== undefined) return this.#connection
    const { connectTimeoutMs } = this.#options
    return this.#waiting.wait({
      signal,
      timeoutMs: connectTimeoutMs,
      timedOut: () =>
        new ReplogError(
          'UNREACHABLE',
          `no connection within ${connectTimeoutMs} ms: ${this.#lastError?.message ?? 'the server does not answer'}`,
          { cause: this.#lastError },
        ),
    })
  }

  /** Resolves with the first connection, or rejects with what the first attempt met. */
  async first(signal?: AbortSignal): Promise<void> {
    const failed = new AbortController()
    this.#onFirstFailure = (error) => {
      failed.abort(error)
    }
    try {
      await this.connection(signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]))
    } finally {
      this.#onFirstFailure = undefined
    }
  }

  /** Resolves when the socket is closed. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return
    const error = this.#closedError()
    this.#move('close')
    clearTimeout(this.#timer)
    this.#closing.abort(error)
    const connection = this.#connection
    this.#connection = undefined
    this.#waiting.fail(error)
    await connection?.close(error)
  }

  #connect(): void {
    this.#options
      .open((connection, error) => {
        this.#lost(connection, error)
      }, this.#closing.signal)
      .then(
        (connection) => {
          this.#opened(connection)
        },
        (error: unknown) => {
          if (this.#state === 'closed') return
          if (!isReplogError(error)) throw error
          this.#failed(error)
        },
      )
  }

  #opened(connection: Connection): void {
    // An attempt is aborted by `close`, and a connection is over no earlier than in the next turn of the event loop.
    assert(this.#state === 'connecting' && connection.isOpen)
    this.#move('opened')
    this.#connection = connection
    this.#options.onConnected()
    this.#waiting.serveAll(connection)
  }

  #failed(error: ReplogError): void {
    this.#move('failed')
    this.#pause(error)
    this.#onFirstFailure?.(error)
    // What the server refuses now it will refuse again soon: those who wait are told.
    if (!error.retryable) this.#waiting.fail(error)
  }

  #lost(connection: Connection, error: ReplogError): void {
    if (connection !== this.#connection || this.#state === 'closed') {
      this.#options.onDisconnected(error, null)
      return
    }
    this.#connection = undefined
    if (connection.hasAnswered) this.#pauseMsMax = this.#options.minMs
    this.#move('lost')
    this.#pause(error)
  }

  #pause(error: ReplogError): void {
    const pauseMs = Math.ceil(this.#options.random() * this.#pauseMsMax)
    this.#pauseMsMax = Math.min(this.#pauseMsMax * 2, this.#options.maxMs)
    this.#lastError = error
    this.#timer = setTimeout(() => {
      this.#move('due')
      this.#connect()
    }, pauseMs)
    this.#options.onDisconnected(error, pauseMs)
  }

  #move(event: LinkEvent): void {
    this.#state = LINK_STATES[this.#state][event]
  }

  #closedError(): ReplogError {
    return new ReplogError('CLOSED', 'the client was closed; make a new one with Client.connect')
  }
}

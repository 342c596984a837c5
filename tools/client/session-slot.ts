/**
 * One place in the pool: a session on whichever connection is open now.
 *
 * A session lives and dies with its connection, so what needs several requests (a transaction) holds a `Channel` and
 * does not move to another; a new transaction asks for the channel anew.
 *
 * Invariant: a channel whose session may hold something that nobody knows of (a request was given up before its answer)
 * is abandoned: the server is told to close that session, and the next user gets a new one.
 */
import { isReplogError } from '../../core/errors.js'
import type { Connection, Exchange, RequestOptions } from './connection.js'
import type { Link } from './link.js'
import type { InputOf, OperationName, ResultOf } from './operations.js'

/** A session on a connection. */
export class Channel {
  readonly connection: Connection
  readonly session: number
  readonly #requestTimeoutMs: number

  constructor(connection: Connection, session: number, requestTimeoutMs: number) {
    this.connection = connection
    this.session = session
    this.#requestTimeoutMs = requestTimeoutMs
  }

  send<Name extends OperationName>(
    name: Name,
    input: InputOf<Name>,
    options: Partial<RequestOptions> = {},
  ): Exchange<ResultOf<Name>> {
    const { signal, timeoutMs = this.#requestTimeoutMs } = options
    return this.connection.send(this.session, name, input, { signal, timeoutMs })
  }

  /** Sends what nobody waits for. */
  tell(name: 'closeSession' | 'rollback'): void {
    this.send(name, {}).answer.catch((error: unknown) => {
      // Where it cannot be told, the connection is over and its sessions with it, or the server's idle limit ends it.
      if (!isReplogError(error)) throw error
    })
  }
}

export class SessionSlot {
  readonly #link: Link<Connection>
  readonly #requestTimeoutMs: number
  #channel: Channel | undefined
  #idle: NodeJS.Timeout | undefined

  constructor(link: Link<Connection>, requestTimeoutMs: number) {
    this.#link = link
    this.#requestTimeoutMs = requestTimeoutMs
  }

  /** Whether the client was closed, so that there will be no further connection. */
  get isClosed(): boolean {
    return this.#link.state === 'closed'
  }

  /** A channel that works at this moment. @throws as `Link.connection` */
  async open(signal?: AbortSignal): Promise<Channel> {
    clearTimeout(this.#idle)
    if (this.#channel?.connection.isOpen === true) return this.#channel
    const connection = await this.#link.connection(signal)
    this.#channel = new Channel(connection, connection.newSession(), this.#requestTimeoutMs)
    return this.#channel
  }

  abandon(channel: Channel): void {
    if (channel !== this.#channel) return
    this.#channel = undefined
    if (channel.connection.isOpen) channel.tell('closeSession')
  }

  /** Nobody uses it; after a while the server need not keep it either. */
  rest(idleTimeoutMs: number): void {
    this.#idle = setTimeout(() => {
      if (this.#channel !== undefined) this.abandon(this.#channel)
    }, idleTimeoutMs)
    this.#idle.unref()
  }

  stop(): void {
    clearTimeout(this.#idle)
  }
}

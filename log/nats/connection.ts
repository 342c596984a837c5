/**
 * The connection to NATS, which stays: it is made again whenever it is lost, until it is closed.
 *
 *   connecting ──> connected ──lost──> connecting …          close: from everywhere
 *
 * Invariants:
 * - whoever uses it is told of every loss and every return, in order: what was under way at a loss is unknown to them;
 * - a server that cannot be reached or refuses us never throws here: it is in `status()`, and is tried again;
 * - faults of the client library leave this folder as `ReplogError`.
 */
import { readFile } from 'node:fs/promises'
import {
  type ConnectionOptions,
  DebugEvents,
  Events,
  type JetStreamClient,
  type JetStreamManager,
  type NatsConnection,
  connect,
  credsAuthenticator,
} from 'nats'
import type { Clock } from '../../core/clock.js'
import { ReplogError } from '../../core/errors.js'
import { NATS_RECONNECT_MS_MAX, NATS_RECONNECT_MS_MIN, NATS_REQUEST_MS_MAX } from '../../core/limits.js'
import { requireOptions } from '../../core/options.js'
import { natsFault } from './faults.js'

export interface NatsTls {
  /** Files in PEM form. Without `caFile` the system's authorities count. */
  readonly caFile?: string | undefined
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
}

export interface NatsOptions {
  /** nats://host:port or tls://host:port, one for each server of a NATS cluster that may be asked first. */
  readonly servers: readonly string[]
  /** How this client is called in the server's monitoring. */
  readonly name: string
  /** A credentials file, as `nsc` makes them. */
  readonly credsFile?: string | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly token?: string | undefined
  readonly tls?: NatsTls | undefined
  /** How long an answer of NATS is waited for. */
  readonly requestMs?: number | undefined
}

export interface NatsLinkStatus {
  readonly servers: readonly string[]
  readonly connected: boolean
  /** Times that the connection was lost. */
  readonly losses: number
  readonly error: { readonly code: string; readonly message: string } | null
}

/** What a connected link gives: one connection with its JetStream. */
export interface NatsHandles {
  readonly connection: NatsConnection
  readonly jetstream: JetStreamClient
  readonly manager: JetStreamManager
}

export class NatsLink {
  readonly #clock: Clock
  readonly #options: NatsOptions
  readonly #listeners = new Set<(isConnected: boolean) => void>()
  #handles: NatsHandles | undefined
  #connected = false
  #losses = 0
  #error: ReplogError | undefined
  #closed = false
  #cancelPause: (() => void) | undefined
  #attempt: Promise<void> = Promise.resolve()

  /** Begins to connect. @throws ReplogError INVALID_ARGUMENT */
  constructor(clock: Clock, options: NatsOptions) {
    checkOptions(options)
    this.#clock = clock
    this.#options = options
    this.#connect(NATS_RECONNECT_MS_MIN)
  }

  get isConnected(): boolean {
    return this.#connected
  }

  status(): NatsLinkStatus {
    const error = this.#connected ? undefined : this.#error
    return {
      servers: this.#options.servers,
      connected: this.#connected,
      losses: this.#losses,
      error: error === undefined ? null : { code: error.code, message: error.message },
    }
  }

  /** @throws ReplogError UNREACHABLE, UNAUTHORIZED or CLOSED while there is no connection */
  handles(): NatsHandles {
    if (this.#closed) throw closed()
    if (this.#handles !== undefined && this.#connected) return this.#handles
    throw this.#error ?? new ReplogError('UNREACHABLE', `NATS is not connected yet (${this.#where()})`)
  }

  /** Told of each loss and each return, not of the present state. */
  onChange(listener: (isConnected: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when there is a connection, at once when there is one. @throws ReplogError CLOSED; UNREACHABLE when aborted */
  connected(signal?: AbortSignal): Promise<NatsHandles> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!this.#closed && !this.#connected && signal?.aborted !== true) return
        stopListening()
        signal?.removeEventListener('abort', look)
        try {
          resolve(this.handles())
        } catch (error) {
          reject(error)
        }
      }
      const stopListening = this.onChange(look)
      signal?.addEventListener('abort', look)
      look()
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#cancelPause?.()
    this.#note(false)
    await this.#attempt
    await this.#handles?.connection.close()
  }

  #where(): string {
    return this.#options.servers.join(', ')
  }

  #connect(pauseMs: number): void {
    this.#attempt = this.#dial().then(
      (connection) => {
        if (this.#closed) return connection.close()
        return this.#opened(connection)
      },
      (error: unknown) => {
        if (this.#closed) return
        this.#error = natsFault(error, this.#where())
        this.#cancelPause = this.#clock.after(pauseMs, () => {
          this.#connect(Math.min(pauseMs * 2, NATS_RECONNECT_MS_MAX))
        })
      },
    )
  }

  async #dial(): Promise<NatsConnection> {
    const { servers, name, credsFile, user, password, token, tls, requestMs = NATS_REQUEST_MS_MAX } = this.#options
    const options: ConnectionOptions = {
      servers: [...servers],
      name,
      timeout: requestMs,
      maxReconnectAttempts: -1,
      reconnectTimeWait: NATS_RECONNECT_MS_MIN,
      // Refused once more is no reason to give up: credentials are mended while we run.
      ignoreAuthErrorAbort: true,
      pingInterval: requestMs,
      maxPingOut: 2,
    }
    if (credsFile !== undefined) options.authenticator = credsAuthenticator(await readCredentials(credsFile))
    if (user !== undefined) options.user = user
    if (password !== undefined) options.pass = password
    if (token !== undefined) options.token = token
    if (tls !== undefined) options.tls = presentOf(tls)
    else if (servers.some((server) => server.startsWith('tls://'))) options.tls = {}
    return connect(options)
  }

  async #opened(connection: NatsConnection): Promise<void> {
    const timeout = this.#options.requestMs ?? NATS_REQUEST_MS_MAX
    const manager = await connection.jetstreamManager({ timeout, checkAPI: false })
    this.#handles = { connection, manager, jetstream: connection.jetstream({ timeout }) }
    void this.#watch(connection)
    this.#note(true)
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type, data } of connection.status()) {
      if (type === Events.Disconnect) this.#note(false, `the connection was lost`)
      else if (type === Events.Reconnect) this.#note(true)
      else if (type === Events.Error) this.#error = natsFault(data, this.#where())
      else if (type === DebugEvents.StaleConnection) this.#note(false, 'the server does not answer')
    }
    // The library has given up for good, which it does on some answers of the server; we do not.
    if (this.#closed) return
    this.#note(false, 'the connection was closed')
    this.#connect(NATS_RECONNECT_MS_MAX)
  }

  #note(isConnected: boolean, why?: string): void {
    if (isConnected === this.#connected && !this.#closed) return
    if (this.#connected && !isConnected) {
      this.#losses++
      this.#error = new ReplogError('UNREACHABLE', `NATS (${this.#where()}): ${why ?? 'closed'}; it is tried again`)
    }
    this.#connected = isConnected
    for (const listener of [...this.#listeners]) listener(isConnected)
  }
}

function closed(): ReplogError {
  return new ReplogError('CLOSED', 'the connection to NATS is closed')
}

function checkOptions(options: NatsOptions): void {
  requireOptions(options)
  const { servers, tls, user, password, token, credsFile } = options
  if (servers.length === 0)
    throw new ReplogError('INVALID_ARGUMENT', 'NATS needs a server, such as nats://127.0.0.1:4222')
  for (const server of servers) {
    if (
      !/^((nats|tls):\/\/)?[^\s/:@]+(:\d{1,5})?\/?$/.test(server) &&
      !/^((nats|tls):\/\/)?\[[0-9a-f:.]+\](:\d{1,5})?$/i.test(server)
    ) {
      throw new ReplogError('INVALID_ARGUMENT', `"${server}" is not a NATS server; one is nats://127.0.0.1:4222`)
    }
  }
  const kinds = [credsFile !== undefined, user !== undefined || password !== undefined, token !== undefined]
  if (kinds.filter(Boolean).length > 1) {
    throw new ReplogError('INVALID_ARGUMENT', 'give NATS one of credentials file, user with password, and token')
  }
  if ((user === undefined) !== (password === undefined)) {
    throw new ReplogError('INVALID_ARGUMENT', 'a NATS user needs a password, and a password a user')
  }
  if ((tls?.certFile === undefined) !== (tls?.keyFile === undefined)) {
    throw new ReplogError('INVALID_ARGUMENT', 'a TLS certificate for NATS needs its key, and a key its certificate')
  }
}

async function readCredentials(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new ReplogError('UNAUTHORIZED', `the NATS credentials file ${path} cannot be read`, { cause })
  }
}

/** The library takes no undefined values. */
function presentOf({ caFile, certFile, keyFile }: NatsTls): NonNullable<ConnectionOptions['tls']> {
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  }
}

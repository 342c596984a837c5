/**
 * Interactive sessions over WebSocket, at `/v1/catalogs/CATALOG/session`: who may connect, and what all connections
 * share.
 *
 * Invariants:
 * - a connection is bound to one catalog, which existed when it was opened, for life;
 * - more than the limits allow is refused at once, with the limit's name;
 * - `close` leaves no transaction open: it rolls back, lets commits that are under way be answered, and closes.
 */
import type { Duplex } from 'node:stream'
import { type Clock, every } from '../../core/clock.js'
import { ReplogError } from '../../core/errors.js'
import { CONNECTION_PING_MS } from '../../core/limits.js'
import { catalogIdentifier } from '../../ddl/identifiers.js'
import type { SocketRoutes, WebSocket } from '../../log/socket/socket-routes.js'
import type { Catalog } from '../catalog.js'
import type { Primary } from '../primary.js'
import { CONNECTION_LIMITS, type ConnectionLimits } from './connection-limits.js'
import { Connection } from './connection.js'
import { HeldBytes } from './held-bytes.js'
import { ReadTurns } from './read-turns.js'
import { type SessionCounters, sessionCounters } from './session-counters.js'

export interface SessionServerOptions {
  /** Bounds of one connection; those of the server and of catalogs are the primary's. */
  readonly limits?: Partial<ConnectionLimits> | undefined
  /** Told of faults of this server. */
  readonly onError: (error: unknown) => void
}

/** Figures for status and metrics: what is open now, and counts since the start. */
export interface SessionStatus extends SessionCounters {
  readonly connections: number
  readonly sessions: number
  readonly cursors: number
  readonly heldBytes: number
}

const PATH = /^\/v1\/catalogs\/([^/]+)\/session$/
const SWEEP_MS = 1000
/** How long `close` waits for commits to be answered, in milliseconds. */
const DRAIN_MS_MAX = 5000
/** Scans and fetches that run at a time: more would not be faster, and their results are held in memory. */
const LARGE_READS_MAX = 16
/** What a peer may send beyond the limit of a frame and still be answered. */
const FRAME_BYTES_EXCESS = 1024 * 1024

export class SessionServer {
  readonly #primary: Primary
  readonly #clock: Clock
  readonly #limits: ConnectionLimits
  readonly #counters = sessionCounters()
  readonly #held: HeldBytes
  readonly #turns = new ReadTurns(LARGE_READS_MAX)
  readonly #onError: (error: unknown) => void
  readonly #connections = new Set<Connection>()
  readonly #timers: readonly (() => void)[]
  #closing: Promise<void> | undefined

  /** Takes the sessions' path of `sockets`. */
  constructor(primary: Primary, sockets: SocketRoutes, clock: Clock, options: SessionServerOptions) {
    this.#primary = primary
    this.#clock = clock
    this.#limits = { ...CONNECTION_LIMITS, ...options.limits }
    this.#onError = options.onError
    this.#held = new HeldBytes(this.#limits.heldBytes)
    sockets.add({
      match: (path) => this.#match(path),
      messageBytesMax: primary.quotas.bound('frameBytes').value + FRAME_BYTES_EXCESS,
      accept: (socket, _address, { catalog }, stream) => {
        this.#accept(socket, this.#primary.catalog(catalog), stream)
      },
    })
    primary.fence.onRaised(() => {
      this.#sendAway()
    })
    this.#timers = [
      every(clock, SWEEP_MS, () => {
        this.#sweep()
      }),
      every(clock, CONNECTION_PING_MS, () => {
        for (const connection of this.#connections) connection.ping()
      }),
    ]
  }

  status(): SessionStatus {
    const { quotas } = this.#primary
    return {
      ...structuredClone(this.#counters),
      connections: this.#connections.size,
      sessions: quotas.inUse('sessions'),
      cursors: quotas.inUse('cursors'),
      heldBytes: this.#held.bytes,
    }
  }

  /**
   * Rolls open transactions back and closes every connection, once the commits that are under way are answered or
   * after a few seconds. Call it before the socket routes are closed and before the primary is.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const cancel of this.#timers) cancel()
    const reason = new ReplogError('CLOSED', 'the server is shutting down; the transaction was rolled back')
    const drained = Promise.all([...this.#connections].map((connection) => connection.shutDown(reason)))
    await new Promise<void>((resolve, reject) => {
      const cancel = this.#clock.after(DRAIN_MS_MAX, resolve)
      drained.then(() => {
        cancel()
        resolve()
      }, reject)
    })
  }

  /** @throws ReplogError NOT_FOUND (catalog), INVALID_ARGUMENT, LIMIT, CLOSED, FENCED */
  #match(path: string): Readonly<Record<string, string>> | undefined {
    const encoded = PATH.exec(path)?.[1]
    if (encoded === undefined) return undefined
    if (this.#closing !== undefined) throw new ReplogError('CLOSED', 'the server is shutting down')
    this.#primary.fence.assertDown()
    const catalog = decodeName(encoded)
    this.#requireCatalog(catalog)
    // Given back at once: `accept` takes it when the handshake is done.
    this.#primary.quotas.take('connections', catalog)
    this.#primary.quotas.give('connections', catalog)
    return { catalog }
  }

  #requireCatalog(name: string): void {
    const { state, names } = this.#primary
    const snapshot = state.openSnapshot()
    try {
      names.lookupCatalog(catalogIdentifier(name), snapshot.lsn, (key, text) => state.readAt(snapshot, key, text))
    } finally {
      state.versions.close(snapshot)
    }
  }

  #accept(socket: WebSocket, catalog: Catalog, stream: Duplex): void {
    const { quotas } = this.#primary
    quotas.take('connections', catalog.name)
    const connection = new Connection(
      {
        limits: this.#limits,
        quotas,
        held: this.#held,
        turns: this.#turns,
        counters: this.#counters,
        monotonicMs: () => this.#clock.monotonicMs(),
        after: (delayMs, callback) => {
          this.#clock.after(delayMs, callback)
        },
        onError: this.#onError,
      },
      catalog,
      socket,
      stream,
    )
    this.#connections.add(connection)
    socket.on('close', () => {
      connection.closed()
      this.#connections.delete(connection)
      quotas.give('connections', catalog.name)
    })
  }

  /** There is another primary: clients end here, and look for it. */
  #sendAway(): void {
    const reason = new ReplogError('CLOSED', 'this server is not the primary any more; the transaction was rolled back')
    for (const connection of this.#connections) connection.shutDown(reason).catch(this.#onError)
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const connection of this.#connections) connection.sweep(nowMs)
  }
}

/** @throws ReplogError INVALID_ARGUMENT */
function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch (error) {
    throw new ReplogError('INVALID_ARGUMENT', `the catalog name ${encoded} is not percent-encoded UTF-8`, {
      cause: error,
    })
  }
}

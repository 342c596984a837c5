/**
 * The client of the session protocol: transactions on a server, over pooled sessions that survive lost connections.
 *
 *   import { Client } from 'replog/client'
 *   const client = await Client.connect('http://127.0.0.1:7400', { catalog: 'local', pool: { max: 8 } })
 *   await client.transaction(async (tx) => {
 *     const row = await tx.getForUpdate('test.t', { id: 1n })
 *     await tx.update('test.t', { id: 1n }, { n: (row!.n as bigint) + 1n })
 *   })
 *   await client.close()
 *
 * Invariants:
 * - nothing commits but what was asked to, and what was asked to takes effect at most once: what is sent again carries an
 *   idempotency key;
 * - every call ends: with its result, an error with a code, or the reason of its signal;
 * - after `close` the client holds no socket and no timer.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { ReplogError } from '../../core/errors.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import type { ScanOptions } from '../../log/scan.js'
import type { StatementInput } from '../../primary/statement.js'
import { binaryForm } from './binary-form.js'
import { Connection } from './connection.js'
import { Link } from './link.js'
import { openFirst } from './open-first.js'
import type { Executed } from './operations.js'
import { type ClientOptions, type Settings, settingsOf } from './options.js'
import { RemoteTransaction } from './remote-transaction.js'
import { isOutage, pauseBefore } from './retry.js'
import { type OneShotOptions, runOneShot } from './run-one-shot.js'
import { type RunContext, type RunOptions, type Work, runTransaction } from './run-transaction.js'
import { type Lease, SessionPool } from './session-pool.js'
import { Session } from './session.js'
import { textForm } from './text-form.js'
import { type CallOptions, TransactionLife } from './transaction-life.js'

export type {
  Altered,
  Annotations,
  BeginInput,
  Committed,
  Created,
  Dropped,
  Executed,
  Inserted,
  Isolation,
} from './operations.js'
export type { ClientEvent, ClientOptions, PoolOptions, ReconnectOptions } from './options.js'
export type { PortableCursor, PortableStatus, PortableTransaction } from './portable-transaction.js'
export type { CursorPage, RemoteCursor } from './remote-cursor.js'
export type { RemoteTransaction } from './remote-transaction.js'
export type { CallOptions, CommitOptions } from './transaction-life.js'
export type { OneShotOptions } from './run-one-shot.js'
export type { RunOptions, Work } from './run-transaction.js'
export type { Session } from './session.js'
export type { RowObject } from '../../ddl/compiled-table.js'
export type { JsonValue, Value } from '../../log/codec/column-type.js'
export type { ScanOptions } from '../../log/scan.js'
export type { AlterTableChange, ColumnPlace } from '../../ddl/alter-definition.js'
export type {
  CheckDefinition,
  ColumnDefinition,
  ExpressionDefinition,
  ForeignKeyDefinition,
  IndexDefinition,
  KeyPartDefinition,
  OperandDefinition,
  TableDefinition,
} from '../../ddl/table-definition.js'
export type {
  ProjectionInput,
  RenameInput,
  RowInput,
  ScanInput,
  SetInput,
  StatementInput,
  StatementResult,
} from '../../primary/statement.js'
export { ERROR_CODES, ReplogError, isReplogError, type ErrorCode } from '../../core/errors.js'

/** How long `close` waits for what is under way. */
const DRAIN_MS = 10_000

/** How long a client that closes waits. */
export interface CloseOptions {
  /** Longest wait for calls under way and sessions in use; after it they fail with CLOSED. Default 10 s. */
  readonly timeoutMs?: number | undefined
}

/** A client of a server: transactions over pooled sessions. From `Client.connect`; close it at the end. */
export class Client {
  readonly #settings: Settings
  readonly #random: () => number = Math.random
  readonly #links: readonly Link<Connection>[]
  readonly #pool: SessionPool
  #closed: Promise<void> | undefined

  private constructor(settings: Settings) {
    this.#settings = settings
    this.#links = Array.from({ length: settings.connections }, () => this.#newLink())
    this.#pool = new SessionPool(this.#links, settings)
  }

  /**
   * Connects to a server. From then on a lost connection is made again for as long as the client is open.
   * @param servers http:// or https:// address of the server; or of all that may be the primary: the one that is takes the
   * connection, and after a failover another one does
   * @throws ReplogError INVALID_ARGUMENT, UNREACHABLE, NOT_FOUND (catalog), UNAUTHORIZED; the signal's reason
   */
  static async connect(
    servers: string | readonly string[],
    options: ClientOptions & CallOptions = {},
  ): Promise<Client> {
    const client = new Client(settingsOf(servers, options))
    try {
      await Promise.all(client.#links.map((link) => link.first(options.signal)))
      return client
    } catch (error) {
      await client.close({ timeoutMs: 0 })
      throw error
    }
  }

  /** Sessions in use, and calls that wait for one. */
  get load(): { readonly inUse: number; readonly waiting: number } {
    return { inUse: this.#pool.inUse, waiting: this.#pool.waiting }
  }

  /**
   * Runs `work` in a transaction and commits it; when `work` throws, everything is rolled back. On a conflict and when the
   * connection is lost it runs `work` again, so `work` must have no effects but through its argument.
   * @returns what `work` returned
   * @throws what `work` throws; ReplogError CONFLICT and its like after too many attempts, UNREACHABLE, LIMIT, CLOSED,
   * COMMIT_UNKNOWN with `details.idempotencyKey`; the signal's reason
   */
  async transaction<Result>(work: Work<Result>, options: RunOptions = {}): Promise<Result> {
    const lease = await this.#pool.acquire(options.signal)
    try {
      const { result } = await runTransaction(this.#on(lease), work, options)
      return result
    } finally {
      lease.release()
    }
  }

  /**
   * Runs statements as one transaction, without a round trip for each. What writes is given an idempotency key, so that it
   * is done once although the connection may break.
   * @throws ReplogError with `details.statement`, the ordinal of the statement that failed; nothing is committed then
   */
  async execute(statements: readonly StatementInput[], options: OneShotOptions = {}): Promise<Executed> {
    const lease = await this.#pool.acquire(options.signal)
    try {
      return await runOneShot(this.#on(lease), statements, options)
    } finally {
      lease.release()
    }
  }

  /**
   * Rows in key order as of one moment, page by page. The session is held until the scan ends or is left.
   * @throws ReplogError UNREACHABLE when the connection breaks after the first rows: begin again
   */
  async *scan(table: string, options: ScanOptions & CallOptions = {}): AsyncGenerator<RowObject, void, undefined> {
    const { signal } = options
    const lease = await this.#pool.acquire(signal)
    try {
      for (let attempt = 1; ; attempt++) {
        const life = await TransactionLife.begin({ ...this.#on(lease), signal, newKey: randomUUID }, { readOnly: true })
        let isBegun = false
        try {
          for await (const row of new RemoteTransaction(life).scan(table, options)) {
            isBegun = true
            yield row
          }
          return
        } catch (error) {
          const isLost = isOutage(error) && life.endedBecause === error
          if (isBegun || !isLost || attempt >= this.#settings.attemptsMax) throw error
          await pauseBefore(attempt, this.#random, signal)
        } finally {
          life.leave()
        }
      }
    } finally {
      lease.release()
    }
  }

  /**
   * A session for transactions that are begun and committed by hand. Release it when done.
   * @throws ReplogError LIMIT (none is free), CLOSED; the signal's reason
   */
  async session(options: CallOptions = {}): Promise<Session> {
    return new Session(await this.#pool.acquire(options.signal), this.#settings, this.#random)
  }

  /** A round trip to the server. @throws ReplogError UNREACHABLE, LIMIT, CLOSED; the signal's reason */
  async ping(options: CallOptions = {}): Promise<void> {
    const lease = await this.#pool.acquire(options.signal)
    try {
      const channel = await lease.slot.open(options.signal)
      const exchange = channel.send('ping', {}, { signal: options.signal })
      try {
        await exchange.answer
      } finally {
        if (exchange.state === 'sent') lease.slot.abandon(channel)
      }
    } finally {
      lease.release()
    }
  }

  /** Takes no further calls, lets those under way end, and closes the connections. Safe to call again. */
  close({ timeoutMs = DRAIN_MS }: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(timeoutMs)
    return this.#closed
  }

  async #close(timeoutMs: number): Promise<void> {
    const reason = new ReplogError('CLOSED', 'the client was closed; make a new one with Client.connect')
    const given = new AbortController()
    await Promise.race([
      this.#pool.drain(reason),
      delay(timeoutMs, undefined, { signal: given.signal }).catch(() => undefined),
    ])
    given.abort()
    this.#pool.stop(reason)
    await Promise.all(this.#links.map((link) => link.close()))
  }

  #on({ slot }: Lease): RunContext {
    return { slot, settings: this.#settings, random: this.#random }
  }

  #newLink(): Link<Connection> {
    const { protocol, reconnect, connectTimeoutMs, onEvent, ...settings } = this.#settings
    const form = protocol === 'binary' ? binaryForm : textForm
    let { url } = settings
    // One that is silent must leave time for the others: a call waits for `connectTimeoutMs` in all.
    const { length } = settings.urls
    const attemptMs = length === 1 ? connectTimeoutMs : Math.max(1, Math.floor(connectTimeoutMs / (length + 1)))
    return new Link({
      ...reconnect,
      connectTimeoutMs,
      open: (onOver, signal) =>
        openFirst(settings.urls, url, signal, async (server) => {
          const attempt = { ...settings, url: server, form, connectTimeoutMs: attemptMs, onOver }
          const connection = await Connection.open(attempt, signal)
          url = server
          return connection
        }),
      random: this.#random,
      onConnected: () => {
        onEvent({ type: 'connected', url })
      },
      onDisconnected: (error, retryInMs) => {
        onEvent({ type: 'disconnected', url, error, retryInMs })
      },
    })
  }
}

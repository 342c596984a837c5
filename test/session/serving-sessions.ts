/** A primary whose sessions are served on a port of their own, and a client that speaks both forms of frames. */
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { type Clock, systemClock } from '../../core/clock.js'
import { decodeAnswer } from '../../log/codec/session/decode-answer.js'
import { encodeRequest } from '../../log/codec/session/encode-request.js'
import type { SessionAnswer, SessionRequest } from '../../log/codec/session/messages.js'
import { SocketRoutes } from '../../log/socket/socket-routes.js'
import type { LimitOptions } from '../../primary/limit-options.js'
import type { AckInput } from '../../primary/ack-gate.js'
import { Primary } from '../../primary/primary.js'
import type { ConnectionLimits } from '../../primary/session/connection-limits.js'
import { SessionServer } from '../../primary/session/session-server.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { GatedEngine } from '../primary/gated-engine.js'

export interface ServingOptions {
  readonly clock?: Clock
  readonly limits?: LimitOptions
  readonly ack?: AckInput
  readonly connectionLimits?: Partial<ConnectionLimits>
}

export interface ServingSessions {
  readonly primary: Primary
  readonly sessions: SessionServer
  readonly engine: GatedEngine
  readonly server: Server
  readonly port: number
  /** Faults that the server was told of. */
  readonly errors: unknown[]
  readonly connect: (catalog?: string) => Promise<SessionClient>
}

/** In memory, closed when the test ends; a fault of the server fails the test. */
export async function serveSessions(t: Test, options: ServingOptions = {}): Promise<ServingSessions> {
  const { clock = systemClock, limits = {}, ack = 'local' } = options
  const errors: unknown[] = []
  const onError = (error: unknown): void => {
    errors.push(error)
  }
  const engine = new GatedEngine(new MemoryEngine())
  const primary = await Primary.open({ path: '/memory', engine, clock, limits, ack, onError })
  const sockets = new SocketRoutes()
  const sessions = new SessionServer(primary, sockets, clock, { onError, limits: options.connectionLimits })
  const server = createServer()
  sockets.attach(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const clients: SessionClient[] = []
  t.teardown(async () => {
    engine.before.open()
    engine.after.open()
    for (const client of clients) client.socket.terminate()
    sockets.close()
    await sessions.close()
    server.closeAllConnections()
    server.close()
    await primary.close()
    if (errors.length > 0) throw new Error('a fault of the server', { cause: errors[0] })
  })
  return {
    primary,
    sessions,
    engine,
    server,
    port,
    errors,
    async connect(catalog = 'local') {
      const client = new SessionClient(`ws://127.0.0.1:${port}/v1/catalogs/${encodeURIComponent(catalog)}/session`)
      clients.push(client)
      await client.opened
      return client
    },
  }
}

export type Form = 'text' | 'binary'
export const FORMS: readonly Form[] = ['text', 'binary']

/** An operation as it stands in a text frame: an object with one key. */
export type Sent = Readonly<Record<string, unknown>>

export interface Refusal {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
  readonly transaction: string
  readonly [detail: string]: unknown
}

export interface Told {
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: Refusal
}

export class SessionClient {
  readonly socket: WebSocket
  readonly opened: Promise<void>
  /** Resolves with close code and reason. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  /** The form of the frames that `tell` sends. */
  form: Form = 'text'
  #nextId = 1
  readonly #waiting = new Map<number, (told: Told) => void>()

  constructor(url: string) {
    this.socket = new WebSocket(url)
    this.opened = new Promise((resolve, reject) => {
      this.socket.on('open', resolve)
      this.socket.on('error', reject)
    })
    this.opened.catch(() => undefined)
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() })
      })
    })
    this.socket.on('message', (data: Buffer, isBinary: boolean) => {
      const { id, ...told } = isBinary ? jsonForm(decodeAnswer(data)) : (JSON.parse(data.toString()) as Answered)
      const resolve = this.#waiting.get(id)
      this.#waiting.delete(id)
      resolve?.(told)
    })
  }

  /** Sends an operation and resolves with its answer, in the form of a text frame. */
  tell(operation: Sent, session = 0, form: Form = this.form): Promise<Told> {
    const id = this.#nextId++
    const answered = new Promise<Told>((resolve) => {
      this.#waiting.set(id, resolve)
    })
    const [[name, input] = ['', {}]] = Object.entries(operation)
    if (form === 'text') this.socket.send(JSON.stringify({ id, session, ...operation }, jsonValue))
    else this.socket.send(encodeRequest({ id, session, name, input } as SessionRequest))
    return answered
  }

  /** The result of an operation that is to succeed. */
  async ask(operation: Sent, session = 0): Promise<Readonly<Record<string, unknown>>> {
    const { result, error } = await this.tell(operation, session)
    if (result === undefined) throw new Error(`${error!.code}: ${error!.message}`)
    return result
  }

  /** The error of an operation that is to fail. */
  async refusal(operation: Sent, session = 0): Promise<Refusal> {
    const { result, error } = await this.tell(operation, session)
    if (error === undefined) throw new Error(`answered ${JSON.stringify(result)}`)
    return error
  }

  /** `CODE, state of the transaction` of an operation that is to fail. */
  async refused(operation: Sent, session = 0): Promise<string> {
    const { code, transaction } = await this.refusal(operation, session)
    return `${code}, ${transaction}`
  }

  /** Without a closing handshake. */
  async vanish(): Promise<void> {
    this.socket.terminate()
    await this.closed
  }
}

type Answered = Told & { readonly id: number }

/** A binary answer as the text frame would have been. */
function jsonForm(answer: SessionAnswer): Answered {
  const plain = JSON.parse(JSON.stringify(answer, jsonValue)) as Answered & { readonly error?: { details?: object } }
  if (plain.error === undefined) return plain
  const { details, ...error } = plain.error
  return { id: plain.id, error: { ...error, ...details } }
}

function jsonValue(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  return value
}

/** A table `test.t` with the key (a, b), an index on c and a unique one on d. */
export const TABLE_T = {
  name: 't',
  columns: [
    { name: 'a', type: 'INTEGER', notNull: true },
    { name: 'b', type: 'VARCHAR(10)', notNull: true },
    { name: 'c', type: 'BIGINT' },
    { name: 'd', type: 'TEXT' },
  ],
  primaryKey: ['a', 'b'],
  indexes: [
    { name: 'by_c', columns: ['c'] },
    { name: 'one_d', columns: ['d'], unique: true },
  ],
}

export const KV = {
  name: 'kv',
  columns: [
    { name: 'id', type: 'INTEGER', notNull: true },
    { name: 'value', type: 'TEXT' },
  ],
  primaryKey: ['id'],
}

/** A table `test.kv` with rows 1 to `rows`. */
export async function makeKv(primary: Primary, rows = 0): Promise<void> {
  const old = Array.from({ length: rows }, (_, index) => ({ id: index + 1, value: 'old' }))
  const statements = [{ createTable: { table: KV } }, { insert: { table: 'kv', rows: old } }]
  await primary.catalog().execute(statements, { ack: 'local' })
}

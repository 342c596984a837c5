/** A server of JSON sessions that answers as a test wants it, garbage included. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'

export interface FakeRequest {
  readonly id: number
  readonly session: number
  readonly name: string
  readonly input: Readonly<Record<string, unknown>>
}

/** Returns the result; undefined to leave it unanswered, for the test to use the socket itself. */
export type Answering = (request: FakeRequest, socket: WebSocket) => object | undefined

export class FakeServer {
  /** Every request so far, in the order in which they came. */
  readonly requests: FakeRequest[] = []
  /** Connections made so far. */
  connections = 0
  answering: Answering
  readonly #server: WebSocketServer

  private constructor(server: WebSocketServer, answering: Answering) {
    this.#server = server
    this.answering = answering
  }

  static async start(t: Test, answering: Answering): Promise<FakeServer> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    const fake = new FakeServer(server, answering)
    server.on('connection', (socket) => {
      fake.connections++
      socket.on('error', () => undefined)
      socket.on('message', (data: Buffer) => {
        fake.#receive(data.toString(), socket)
      })
    })
    t.teardown(() => {
      for (const socket of server.clients) socket.terminate()
      server.close()
    })
    return fake
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get names(): readonly string[] {
    return this.requests.map(({ name }) => name)
  }

  #receive(text: string, socket: WebSocket): void {
    const { id, session, ...operation } = JSON.parse(text) as { id: number; session: number }
    const [name, input] = Object.entries(operation)[0]!
    const request = { id, session, name, input: input as FakeRequest['input'] }
    this.requests.push(request)
    const result = this.answering(request, socket)
    if (result !== undefined) answer(socket, request, result)
  }
}

export function answer(socket: WebSocket, { id }: FakeRequest, result: object): void {
  socket.send(JSON.stringify({ id, result }))
}

export function refuse(socket: WebSocket, { id }: FakeRequest, error: object): void {
  socket.send(JSON.stringify({ id, error }))
}

/** A server on which everything succeeds and nothing happens. */
export const agreeing: Answering = ({ name }) => {
  const committed = { lsn: '1', position: `1.1.${'0'.repeat(32)}`, replayed: false }
  switch (name) {
    case 'commit':
      return committed
    case 'execute':
      return { ...committed, results: [] }
    case 'get':
    case 'getForUpdate':
      return { row: null }
    case 'insert':
      return { inserted: 1 }
    default:
      return {}
  }
}

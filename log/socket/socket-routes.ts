/**
 * WebSocket endpoints of an HTTP server: which path takes an upgrade, and who gets the socket.
 *
 * Invariants:
 * - an upgrade for a path that nobody takes is answered 404, one that is refused with a status and a reason;
 * - a peer that vanishes during the handshake costs nothing;
 * - `close` ends every socket: asked first, cut when it does not answer.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { isReplogError } from '../../core/errors.js'

export type { WebSocket } from 'ws'

export interface SocketRoute {
  /** The parameters of a path that this route takes; undefined for another path. @throws ReplogError to refuse it */
  match(path: string): Readonly<Record<string, string>> | undefined
  /** Longest message that a peer may send, in bytes. */
  readonly messageBytesMax: number
  /** @param stream what the socket lies on, for a `FrameSender` */
  accept(socket: WebSocket, address: string, params: Readonly<Record<string, string>>, stream: Duplex): void
}

/** WebSocket close code for "going away". */
const GOING_AWAY = 1001
const CUT_MS = 500

interface OpenRoute {
  readonly route: SocketRoute
  readonly server: WebSocketServer
}

export class SocketRoutes {
  readonly #routes: OpenRoute[] = []
  #closed = false

  add(route: SocketRoute): void {
    const server = new WebSocketServer({
      noServer: true,
      maxPayload: route.messageBytesMax,
      perMessageDeflate: false,
    })
    this.#routes.push({ route, server })
  }

  /** Takes the upgrade requests of an HTTP server. */
  attach(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy())
      this.#upgrade(request, socket, head)
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const { server } of this.#routes) {
      for (const socket of server.clients) socket.close(GOING_AWAY, 'the server is shutting down')
      server.close()
    }
    setTimeout(() => {
      for (const { server } of this.#routes) for (const socket of server.clients) socket.terminate()
    }, CUT_MS).unref()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = (request.url ?? '/').split('?', 1)[0]!
    if (this.#closed) {
      refuse(socket, 503, 'CLOSED', 'the server is shutting down')
      return
    }
    try {
      for (const { route, server } of this.#routes) {
        const params = route.match(path)
        if (params === undefined) continue
        server.handleUpgrade(request, socket, head, (webSocket) => {
          route.accept(webSocket, request.socket.remoteAddress ?? 'unknown', params, socket)
        })
        return
      }
      refuse(socket, 404, 'NOT_FOUND', `there is no WebSocket at ${path}`)
    } catch (error) {
      if (!isReplogError(error)) throw error
      refuse(socket, error.status, error.code, error.message)
    }
  }
}

function refuse(socket: Duplex, status: number, code: string, detail: string): void {
  const body = JSON.stringify({ type: 'about:blank', title: code, status, detail, code })
  socket.end(
    `HTTP/1.1 ${status} ${code}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

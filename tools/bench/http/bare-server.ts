/**
 * The process beside which replog is held: a Fastify server with a route that does nothing, and a WebSocket that sends
 * back what it gets. Both are served by the libraries, in the versions, that replog is served by.
 */
import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { SocketRoutes } from '../../../log/socket/socket-routes.js'
import { answerMeasurements } from '../measuring-child.js'
import { BARE_ROUTE, ECHO_PATH } from './settings.js'

export type BareRequest = 'start' | 'usage'

export interface BareStarted {
  readonly port: number
}

export interface BareUsage {
  readonly cpuSeconds: number
}

const MESSAGE_BYTES_MAX = 1024 * 1024

answerMeasurements(async (request: { readonly ask: BareRequest }): Promise<BareStarted | BareUsage> => {
  if (request.ask === 'start') return { port: await start() }
  const { user, system } = process.cpuUsage()
  return { cpuSeconds: (user + system) / 1e6 }
})

async function start(): Promise<number> {
  const app = fastify()
  // The body is parsed, as it is of any request with one, and nothing is done with it.
  app.post(BARE_ROUTE, () => ({ ok: true }))
  const sockets = new SocketRoutes()
  sockets.add({
    match: (path) => (path === ECHO_PATH ? {} : undefined),
    messageBytesMax: MESSAGE_BYTES_MAX,
    accept: (socket) => {
      socket.on('message', (data: Buffer) => {
        socket.send(data)
      })
    },
  })
  sockets.attach(app.server)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

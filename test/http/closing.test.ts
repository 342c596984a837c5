/** Listening where it is safe, and closing without cutting off what runs. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { type Socket, connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { formatPosition } from '../../core/position.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import { assertBindable, listen } from '../../log/http/listen.js'
import { POSITION_HEADER } from '../../log/http/position.js'
import { createHttpServer } from '../../log/http/server.js'
import { TABLE_T, serve } from './serving.js'

t.test('only addresses of this machine can be bound without credentials', async (t) => {
  for (const host of ['127.0.0.1', '127.8.9.1', '::1', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1']) {
    t.doesNotThrow(() => {
      assertBindable(host)
    }, host)
  }
  for (const host of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    'example.org',
    '127.0.0.1.example.org',
    '',
    '::ffff:10.0.0.1',
    '128.0.0.1',
  ]) {
    t.throws(() => assertBindable(host), { code: 'UNAUTHORIZED' }, host)
  }
})

t.test('listening says why it cannot', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const app = createHttpServer(serving.served)
  t.teardown(() => app.close())
  await t.rejects(listen(app, { host: '0.0.0.0', port: 0 }), { code: 'UNAUTHORIZED' })
  const port = Number(new URL(serving.url).port)
  await t.rejects(listen(app, { host: '127.0.0.1', port }), {
    code: 'INVALID_ARGUMENT',
    message: /taken; choose another/,
  })
})

t.test('closing ends followers at a frame, and waits, with CLOSED', async (t) => {
  const serving = await serve()
  const following = await fetch(`${serving.url}/v1/log?follow=true`)
  const position = serving.primary.position
  const future = formatPosition({ ...position, lsn: (position.lsn + 1n) as typeof position.lsn })
  const arrived = arrival(serving.app, '/v1/catalogs')
  const waiting = serving.get('/v1/catalogs/local/tables?timeout-ms=60000', { [POSITION_HEADER]: future })
  await arrived
  const [bytes, refused] = await Promise.all([following.arrayBuffer(), waiting, serving.app.close()])
  const reader = new FrameReader()
  t.equal(reader.push(Buffer.from(bytes)).length, 1)
  t.doesNotThrow(() => {
    reader.end()
  }, 'no frame is cut')
  t.match(refused, { status: 503, json: { code: 'CLOSED' } })
  await serving.close()
})

t.test('a request that runs when the server closes is answered, one that comes later is refused', async (t) => {
  let release = (): void => undefined
  let sayClosing = (): void => undefined
  const closing = new Promise<void>((resolve) => (sayClosing = resolve))
  const serving = await serve({
    extend: (app) => {
      app.get('/slow', async () => {
        await new Promise<void>((resolve) => (release = resolve))
        return { done: true }
      })
      app.addHook('preClose', (done) => {
        sayClosing()
        done()
      })
    },
  })
  // Two requests on one connection: the second is read when the first has been answered.
  const socket = await open(serving.url)
  const text = collect(socket)
  const first = arrival(serving.app, '/slow')
  socket.write('GET /slow HTTP/1.1\r\nhost: a\r\n\r\n')
  await first
  const closed = serving.app.close()
  await closing
  const second = arrival(serving.app, '/v1/status')
  socket.write('GET /v1/status HTTP/1.1\r\nhost: a\r\n\r\n')
  await second
  release()
  const said = await text
  await closed
  t.match(said, /^HTTP\/1\.1 200 OK[^]*\{"done":true\}/)
  t.match(said, /HTTP\/1\.1 503 [^]*"code":"CLOSED"/)
  await t.rejects(fetch(serving.url), 'nobody listens any more')
  await serving.close()
})

t.test('requests that do not end are cut off after the bound', async (t) => {
  const serving = await serve({
    drainMsMax: 50,
    extend: (app) => {
      app.get('/never', () => new Promise(() => undefined))
    },
  })
  const arrived = arrival(serving.app, '/never')
  const never = t.rejects(fetch(`${serving.url}/never`))
  await arrived
  await serving.app.close()
  await never
  await serving.close()
})

t.test('connections that are idle, or never said anything, do not hold the server up', async (t) => {
  const serving = await serve({ drainMsMax: 2 ** 31 - 1 })
  await serving.post({ statements: [{ createTable: { table: TABLE_T } }] })
  const idle = await open(serving.url)
  idle.write('GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n')
  await once(idle, 'data')
  const accepted = once(serving.app.server, 'connection')
  const silent = await open(serving.url)
  await accepted
  const gone = Promise.all([once(idle, 'close'), once(silent, 'close')])
  await serving.app.close()
  t.equal((await gone).length, 2)
  await serving.close()
})

/** Resolves when a request for the path is at the server's door. */
function arrival(app: FastifyInstance, path: string): Promise<void> {
  return new Promise((resolve) => {
    app.server.on('request', ({ url = '' }: IncomingMessage) => {
      if (url.startsWith(path)) resolve()
    })
  })
}

async function open(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

function collect(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (bytes) => (text += bytes.toString()))
    socket.on('close', () => resolve(text))
  })
}

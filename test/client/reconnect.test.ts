/** Lost connections: what is retried by itself, what is told, and what events say. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, type Socket, createServer as createTcpServer } from 'node:net'
import t from 'tap'
import { Client } from '../../tools/client/client.js'
import type { ClientOptions } from '../../tools/client/options.js'
import { until } from '../replication/until.js'
import { CuttingProxy } from './cutting-proxy.js'
import { FakeServer, agreeing } from './fake-server.js'
import { codeOf, reasonOf } from './outcome.js'
import { QUICK, Serving, makeTable, patiently, rowsOf } from './serving.js'

void t.test('where nothing is open, a lost connection is no more than a delay', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  await serving.db.execute([{ insert: { table: 'test.t', rows: [{ id: 1n, n: 1n }] } }])
  const proxy = await CuttingProxy.start(t, serving.port)
  const events: string[] = []
  const client = await serving.client(t, { onEvent: ({ type }) => events.push(type) }, proxy.url)

  proxy.next = 'answer'
  const { results } = await client.execute([{ get: { table: 'test.t', key: { id: 1n } } }])
  t.strictSame(results, [{ row: { id: 1n, n: 1n } }], 'a read')

  const session = await client.session()
  proxy.next = 'before'
  const tx = await session.begin()
  t.strictSame(await tx.get('test.t', { id: 1n }), { id: 1n, n: 1n }, 'a begin')
  await session.commit()
  session.release()

  proxy.next = 'answer'
  const rows: unknown[] = []
  for await (const row of client.scan('test.t')) rows.push(row)
  t.strictSame(rows, [{ id: 1n, n: 1n }], 'a scan that has no row yet')
  t.equal(proxy.cuts, 3)
  t.strictSame(
    events,
    ['connected', ...Array.from({ length: 3 }, () => ['disconnected', 'connected'])].flat(),
    'each loss and each new connection is told',
  )
})

void t.test('an open transaction is gone with its connection, and its next call says so', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const proxy = await CuttingProxy.start(t, serving.port)
  const client = await serving.client(t, {}, proxy.url)
  const session = await client.session()
  const tx = await session.begin()
  await tx.insert('test.t', { id: 1n, n: 1n })
  proxy.cutAll()
  const lost = await reasonOf(tx.get('test.t', { id: 1n }))
  t.match(lost, { code: 'UNREACHABLE', retryable: true, message: /rolled back.*run it again/ })
  t.match(lost, { details: { transaction: 'rolled back' } })
  t.equal(tx.status, 'rolled back')
  t.equal(await reasonOf(session.commit()), lost)
  await session.rollback()
  await session.begin()
  await session.commit()
  session.release()
  t.strictSame(await rowsOf(serving.db), [])
})

void t.test('the work is run again when its connection was lost, also when it did not notice', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const proxy = await CuttingProxy.start(t, serving.port)
  const client = await serving.client(t, {}, proxy.url)
  let runs = 0
  await client.transaction(async (tx) => {
    runs++
    await tx.insert('test.t', { id: 1n, n: BigInt(runs) })
    if (runs === 1) proxy.cutAll()
    if (runs === 2) {
      proxy.cutAll()
      // Of two calls under way, both say why.
      const codes = await Promise.all([codeOf(tx.get('test.t', { id: 1n })), codeOf(tx.get('test.t', { id: 2n }))])
      t.strictSame(codes, ['UNREACHABLE', 'UNREACHABLE'])
      return
    }
    await tx.get('test.t', { id: 1n })
  })
  t.equal(runs, 3)
  t.strictSame(await rowsOf(serving.db), [{ id: 1n, n: 3n }])
})

void t.test('a scan that has begun does not go on at another moment', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const rows = Array.from({ length: 1500 }, (_, id) => ({ id: BigInt(id), n: 0n }))
  await serving.db.execute([{ insert: { table: 'test.t', rows } }])
  const proxy = await CuttingProxy.start(t, serving.port)
  const client = await serving.client(t, {}, proxy.url)
  let seen = 0
  const scan = async (): Promise<void> => {
    for await (const row of client.scan('test.t')) {
      if (row['id'] !== BigInt(seen)) t.fail('in order')
      if (seen++ === 0) proxy.cutAll()
    }
  }
  t.equal(await codeOf(scan()), 'UNREACHABLE')
  t.equal(seen, 1000, 'the page that was there is given out')
  t.strictSame(client.load, { inUse: 0, waiting: 0 })
})

void t.test('without a server, a call waits for its time and says why', async (t) => {
  const serving = await Serving.start(t)
  const proxy = await CuttingProxy.start(t, serving.port)
  const pauses: (number | null)[] = []
  let isConnected = false
  const options: ClientOptions = {
    connectTimeoutMs: 100,
    reconnect: { minMs: 1, maxMs: 4 },
    onEvent: (event) => {
      if (event.type !== 'retry') isConnected = event.type === 'connected'
      if (event.type === 'disconnected') pauses.push(event.retryInMs)
    },
  }
  const client = await patiently(() => serving.client(t, options, proxy.url))
  pauses.length = 0
  proxy.refuses = true
  proxy.cutAll()
  t.equal(await codeOf(client.ping()), 'UNREACHABLE')
  t.equal(await codeOf(client.transaction((tx) => tx.get('test.t', { id: 1n }))), 'UNREACHABLE')
  await until(() => pauses.length > 4)
  t.ok(
    pauses.every((pause) => pause !== null && pause <= 4),
    'with bounded pauses',
  )
  proxy.refuses = false
  await until(() => isConnected)
  t.equal(await codeOf(client.ping()), 'ok', 'and it comes back by itself')
})

void t.test('a server that takes connections and drops them is not called ten times a second', async (t) => {
  const server = await FakeServer.start(t, (_request, socket) => {
    socket.terminate()
    return undefined
  })
  const pauses: number[] = []
  const client = await Client.connect(server.url, {
    protocol: 'json',
    reconnect: { minMs: 1, maxMs: 1000 },
    attemptsMax: 7,
    onEvent: (event) => {
      if (event.type === 'disconnected' && event.retryInMs !== null) pauses.push(event.retryInMs)
    },
  })
  const session = await client.session()
  t.equal(await codeOf(session.begin()), 'UNREACHABLE')
  t.equal(server.connections, 7)
  pauses.forEach((pause, attempt) => {
    t.ok(pause <= 2 ** attempt, `pause ${attempt} is below its bound, which doubles`)
  })
  session.release()
  await client.close()
})

void t.test('a silent server is given up', async (t) => {
  const server = await FakeServer.start(t, agreeing)
  let isDead = false
  server.answering = (request, socket) => {
    if (!isDead) return agreeing(request, socket)
    // As a host that lost its power: nothing is read and nothing is answered.
    socket.pause()
    return undefined
  }
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json', silenceMs: 30 })
  const session = await client.session()
  const tx = await session.begin()
  isDead = true
  t.match(await reasonOf(tx.get('test.t', { id: 1n })), { code: 'UNREACHABLE', message: /nothing was heard for 30 ms/ })
  session.release()
  await client.close({ timeoutMs: 0 })
})

void t.test('a proxy that answers for a server that restarts is waited out; one that refuses is not', async (t) => {
  const statuses = [502, 404]
  const http = createServer((_request, response) => {
    response.writeHead(statuses[0]!).end('<html>')
  })
  http.on('upgrade', (_request, socket) => {
    socket.end(`HTTP/1.1 ${statuses[0]!} Nope\r\ncontent-length: 6\r\n\r\n<html>`)
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => http.close())
  const { port } = http.address() as AddressInfo
  t.match(await reasonOf(Client.connect(`http://127.0.0.1:${port}`)), { code: 'UNREACHABLE', message: /502/ })
  statuses.shift()
  t.match(await reasonOf(Client.connect(`http://127.0.0.1:${port}`)), { code: 'PROTOCOL', message: /404/ })
})

void t.test('of several servers a silent one leaves time for the next', async (t) => {
  const serving = await Serving.start(t)
  const silent = createTcpServer(() => undefined)
  const sockets = new Set<Socket>()
  silent.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)))
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const client = await Client.connect([url, url, serving.url], { ...QUICK, connectTimeoutMs: 4_000 })
  t.teardown(() => client.close())
  await client.ping()
  t.equal(sockets.size, 2, 'each was tried once')
})

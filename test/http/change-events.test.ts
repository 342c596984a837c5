/** Changes as Server-Sent Events, read as a browser reads them: what a connection or a server that is lost leaves out, comes. */
import t, { type Test } from 'tap'
import { createHttpServer } from '../../log/http/server.js'
import { listen } from '../../log/http/listen.js'
import { ServedReplica } from '../../replica/served-replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { follow as followPrimary, serve as servePrimary } from '../replication/linked-pair.js'
import { until } from '../replication/until.js'
import { type ServerSentEvent, events, next } from './change-reading.js'
import { type Serving, TABLE_T, serve } from './serving.js'

const ACCEPT = { accept: 'text/event-stream' }

/** An answer; it ends with the test. */
async function read(
  t: Test,
  url: string,
  query: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<AsyncGenerator<ServerSentEvent>> {
  const leave = new AbortController()
  t.teardown(() => leave.abort())
  const answer = await fetch(`${url}/v1/catalogs/local/changes${query}`, {
    headers: { ...ACCEPT, ...headers },
    signal: leave.signal,
  })
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'text/event-stream')
  return events(answer)
}

async function createTable(server: Serving): Promise<void> {
  t.equal((await server.post({ statements: [{ createTable: { table: TABLE_T } }] })).status, 200)
}

async function insert(server: Serving, a: number): Promise<void> {
  const rows = [{ a, b: 'x', d: `two\nlines, "quoted" ${a}` }]
  t.equal((await server.post({ statements: [{ insert: { table: 't', rows } }] })).status, 200)
}

t.test(
  'the first thing that comes is where it begins, so that a browser that comes back misses nothing (G3)',
  async (t) => {
    const server = await serve({ engine: new MemoryEngine() })
    t.teardown(() => server.close())
    await createTable(server)
    const stream = await read(t, server.url, '')
    const opening = await next(stream)
    t.match(opening, { retry: '1000', event: undefined, data: undefined })
    t.equal(opening.id, String((await server.get('/v1/status')).json['position']))
    await insert(server, 1)
    const event = await next(stream)
    t.match(event, { event: 'insert', data: { type: 'insert', after: { d: 'two\nlines, "quoted" 1' } } })
    t.equal(event.id, event.data!['token'])
    await insert(server, 2)
    // What a browser does that lost the connection before the first event.
    const again = await read(t, server.url, '?after=0&snapshot=true', { 'last-event-id': opening.id })
    t.equal((await next(again)).id, opening.id, 'it wins over what the address says')
    t.strictSame(await next(again), event)
    t.match(await next(again), { event: 'insert', data: { key: { a: 2 } } })
  },
)

t.test('a heartbeat is a comment that moves the id, and no event', async (t) => {
  const server = await serve({ engine: new MemoryEngine() })
  t.teardown(() => server.close())
  const stream = await read(t, server.url, '?after=0&operations=delete&heartbeat-ms=10')
  t.match(await next(stream), { id: '0' })
  const beat = await next(stream)
  t.match(beat, { event: undefined, data: undefined, comments: ['heartbeat'] })
  t.equal(beat.id, String((await server.get('/v1/status')).json['position']), 'behind what the filter left out')
})

t.test('a snapshot goes on where the connection was lost', async (t) => {
  const server = await serve({ engine: new MemoryEngine() })
  t.teardown(() => server.close())
  await createTable(server)
  for (let a = 0; a < 5; a++) await insert(server, a)
  const stream = await read(t, server.url, '?snapshot=true')
  t.equal((await next(stream)).id, '', 'before the first row there is nothing to come back to')
  await next(stream)
  const second = await next(stream)
  await insert(server, 5)
  const again = await read(t, server.url, '?snapshot=true', { 'last-event-id': second.id })
  await next(again)
  const seen: unknown[] = []
  for (;;) {
    const { event, data } = await next(again)
    seen.push([event, (data!['key'] as { a: number } | undefined)?.a])
    if (event === 'snapshotEnd') break
  }
  t.same(
    seen.slice(0, 3),
    [2, 3, 4].map((a) => ['snapshot', a]),
  )
})

t.test(
  'a server that dies and comes back, again and again: each change once, by the id of the last (G2, G3)',
  async (t) => {
    let engine = new MemoryEngine()
    let server = await serve({ engine })
    await createTable(server)
    const position = String((await server.get('/v1/status')).json['position'])
    let id = position
    let written = 0
    const seen: number[] = []
    for (let life = 0; life < 3; life++) {
      const stream = await read(t, server.url, '', { 'last-event-id': id })
      await next(stream)
      for (let at = 0; at < 6; at++) await insert(server, written++)
      // Some of them were read before it died.
      for (let at = 0; at < life * 2; at++) {
        const event = await next(stream)
        seen.push((event.data!['key'] as { a: number }).a)
        id = event.id
      }
      server.app.server.closeAllConnections()
      const disk = engine.crash()
      await server.close()
      engine = disk
      server = await serve({ engine })
    }
    t.teardown(() => server.close())
    const stream = await read(t, server.url, '', { 'last-event-id': id })
    await next(stream)
    while (seen.length < written) seen.push(((await next(stream)).data!['key'] as { a: number }).a)
    t.same(
      seen,
      Array.from({ length: written }, (_, a) => a),
    )
  },
)

t.test('a replica gives the same events, and the token of one is good on the other (G7)', async (t) => {
  const engine = new MemoryEngine()
  const { primary, served, url } = await servePrimary(t, { path: '/primary', engine })
  const replica = await followPrimary(t, { path: '/replica', from: url, engine: new MemoryEngine() })
  const onPrimary = createHttpServer(served)
  const servedReplica = new ServedReplica(replica, { name: 'replica' })
  const onReplica = createHttpServer(servedReplica)
  t.teardown(async () => {
    servedReplica.close()
    await Promise.all([onPrimary.close(), onReplica.close()])
  })
  const urls = await Promise.all([onPrimary, onReplica].map((app) => listen(app, { host: '127.0.0.1', port: 0 })))
  const db = primary.catalog()
  await db.transaction((tx) => tx.createTable(TABLE_T as Parameters<typeof tx.createTable>[0]))
  await db.transaction((tx) => tx.insert('t', { a: 1, b: 'x' }))
  await db.transaction((tx) => tx.insert('t', { a: 2, b: 'x' }))
  await until(() => replica.state.durable.lsn === primary.position.lsn)
  const [first, second] = await Promise.all(urls.map((at) => read(t, at, '?after=0')))
  const seen: ServerSentEvent[] = []
  for (let at = 0; at < 6; at++) {
    const event = await next(first!)
    t.strictSame(await next(second!), event)
    seen.push(event)
  }
  const resumed = await read(t, urls[1]!, '', { 'last-event-id': seen[4]!.id })
  await next(resumed)
  t.strictSame(await next(resumed), seen[5])
})

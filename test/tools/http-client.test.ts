/** The client gives a server's refusals back as what they were, and says plainly when there is no server. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { type ReplogError } from '../../core/errors.js'
import { HttpClient, catalogPath } from '../../tools/http-client.js'
import { serve } from '../http/serving.js'

/** A server that is not ours. */
async function otherServer(t: Test, listener: RequestListener): Promise<HttpClient> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return new HttpClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

t.test('a refusal keeps code, message and details', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const client = new HttpClient(serving.url)
  await client.execute('local', [
    { createTable: { table: { name: 't', columns: [{ name: 'k', type: 'INTEGER' }], primaryKey: ['k'] } } },
  ])
  const refused = client.execute('local', [
    { insert: { table: 't', rows: [{ k: 1 }] } },
    { insert: { table: 't', rows: [{ k: 'x' }] } },
  ])
  await t.rejects(refused, {
    name: 'ReplogError',
    code: 'INVALID_VALUE',
    message: /^column "k": "x" does not fit/,
    details: { statement: 1, column: 'k' },
  })
  await t.rejects(client.table('local', { schema: 'test', table: 'tt' }), { code: 'NOT_FOUND' })
})

t.test('rows of any number come in key order, each once', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const client = new HttpClient(serving.url)
  const columns = [
    { name: 'a', type: 'INTEGER' },
    { name: 'b', type: 'BIGINT' },
  ]
  await client.execute('local', [
    { createTable: { table: { name: 't', columns, primaryKey: ['a', { column: 'b', descending: true }] } } },
  ])
  const rows = Array.from({ length: 20_500 }, (_, at) => ({ a: Math.floor(at / 3000), b: String(-at) }))
  await client.execute('local', [{ insert: { table: 't', rows } }])
  const read: unknown[] = []
  for await (const row of client.rows('local', { schema: 'test', table: 't' })) read.push(row)
  t.strictSame(read, rows)
})

t.test('no server: UNREACHABLE, with what to do', async (t) => {
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  await t.rejects(new HttpClient(`127.0.0.1:${port}`).status(), {
    code: 'UNREACHABLE',
    message: /nothing listens there. Start a server with `replog primary`/,
  })
})

t.test('another kind of server: PROTOCOL, with its own words', async (t) => {
  const html = await otherServer(t, (_request, response) => {
    response.writeHead(404).end('<h1>nothing here</h1>')
  })
  await t.rejects(html.status(), { code: 'PROTOCOL', message: /status 404 \(<h1>nothing here<\/h1>\); check the URL/ })
  const text = await otherServer(t, (_request, response) => {
    response.end('hello')
  })
  await t.rejects(text.status(), { code: 'PROTOCOL', message: /not JSON/ })
  const foreignCode = await otherServer(t, (_request, response) => {
    response.writeHead(400).end('{"code":"TEAPOT","detail":"short and stout"}')
  })
  await t.rejects(foreignCode.status(), { code: 'PROTOCOL' })
})

t.test('an answer that is cut off is UNREACHABLE, a stream that was stopped just ends', async (t) => {
  const cutting = await otherServer(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('{"half":', () => response.destroy())
  })
  await t.rejects(cutting.json('/x'), { code: 'UNREACHABLE', message: /broke before the answer was complete/ })
  await t.rejects(drain(cutting.stream('/x')), { code: 'UNREACHABLE' })
  const endless = await otherServer(t, (_request, response) => {
    response.writeHead(200)
    response.write('a')
  })
  const stop = new AbortController()
  let bytes = 0
  for await (const chunk of endless.stream('/x', { signal: stop.signal })) {
    bytes += chunk.length
    stop.abort()
  }
  t.equal(bytes, 1)
})

async function drain(chunks: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0
  for await (const chunk of chunks) bytes += chunk.length
  return bytes
}

t.test('URLs: the scheme may be left out; what is none is refused', async (t) => {
  t.equal(new HttpClient('localhost:7400').url, 'http://localhost:7400')
  t.equal(new HttpClient('https://db.example/').url, 'https://db.example')
  for (const url of ['', 'ftp://x', 'http://', 'http://a b', '::']) {
    t.throws(() => new HttpClient(url), { code: 'INVALID_ARGUMENT' } satisfies Partial<ReplogError>, url)
  }
  t.equal(catalogPath('a/b', 'tables', 'x.y z'), '/v1/catalogs/a%2Fb/tables/x.y%20z')
})

/** The changes of a catalog over HTTP as lines of JSON: beginnings, filters, ends, refusals. */
import { request } from 'node:http'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { formatPosition } from '../../core/position.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { until } from '../replication/until.js'
import { type Message, lines, messagesOf, next } from './change-reading.js'
import { type Serving, type ServingOptions, TABLE_T, serve } from './serving.js'

const PATH = '/v1/catalogs/local/changes'

async function serving(t: Test, options: ServingOptions = {}): Promise<Serving> {
  const server = await serve({ engine: new MemoryEngine(), ...options })
  t.teardown(() => server.close())
  t.equal((await server.post({ statements: [{ createTable: { table: TABLE_T } }] })).status, 200)
  return server
}

async function insert(server: Serving, ...keys: readonly number[]): Promise<string> {
  const rows = keys.map((a) => ({ a, b: 'x' }))
  const answer = await server.post({ statements: [{ insert: { table: 't', rows } }], annotations: { by: 'test' } })
  t.equal(answer.status, 200)
  return String(answer.json['position'])
}

async function messages(server: Serving, query: string): Promise<Message[]> {
  const { status, text, headers } = await server.get(`${PATH}${query}`)
  t.equal(status, 200, text)
  t.equal(headers.get('content-type'), 'application/x-ndjson')
  return messagesOf(text)
}

function keys(changes: readonly Message[]): unknown[] {
  return changes.map(({ key }) => (key as Message)['a'])
}

/** A following answer; it ends with the test. */
async function follow(t: Test, server: Serving, query: string): Promise<AsyncGenerator<string>> {
  const leave = new AbortController()
  t.teardown(() => leave.abort())
  return lines(await fetch(`${server.url}${PATH}?follow=true${query}`, { signal: leave.signal }))
}

t.test('without parameters: all that the log holds, and the answer ends (G3)', async (t) => {
  const server = await serving(t)
  await insert(server, 1, 2)
  const position = await insert(server, 3)
  const changes = await messages(server, '')
  t.match(changes, [
    { type: 'definition', statement: 'createCatalog', lsn: '1', before: null, after: { name: 'local' } },
    { type: 'definition', statement: 'createSchema', after: { name: 'test' } },
    { type: 'definition', statement: 'createTable', table: 'test.t', before: null },
    { type: 'insert', key: { a: 1, b: 'x' }, ordinal: 0, count: 2, lsn: '3', annotations: { by: 'test' } },
    { type: 'insert', key: { a: 2, b: 'x' }, ordinal: 1, count: 2, lsn: '3' },
    { type: 'insert', key: { a: 3, b: 'x' }, lsn: '4', token: position },
  ])
  t.equal(changes.length, 6)
  const {
    rows: _rows,
    bytes: _bytes,
    digest: _digest,
    position: _position,
    ...table
  } = (await server.get('/v1/catalogs/local/tables/t')).json
  t.strictSame(changes[2]!['after'], table, 'a definition is as its own route shows it')
  for (const [at, { token }] of changes.entries()) {
    t.strictSame(await messages(server, `?after=${String(token)}`), changes.slice(at + 1), `behind change ${at}`)
  }
  t.strictSame(await messages(server, '?after=3'), changes.slice(5), 'behind an LSN')
  t.equal((await server.get(PATH)).headers.get('replog-position'), position)
})

t.test('filters, whole transactions, a snapshot', async (t) => {
  const server = await serving(t)
  await server.post({ statements: [{ createTable: { table: { ...TABLE_T, name: 'a,b' } } }] })
  await insert(server, 1)
  await server.post({
    statements: [
      { delete: { table: 't', key: { a: 1, b: 'x' } } },
      { insert: { table: '"a,b"', rows: [{ a: 7, b: 'x' }] } },
      { insert: { table: 't', rows: [{ a: 8, b: 'x' }] } },
    ],
  })
  t.same(keys(await messages(server, '?tables=t&operations=insert')), [1, 8])
  t.same(keys(await messages(server, '?operations=delete,insert')), [1, 1, 7, 8])
  t.same(keys(await messages(server, `?operations=insert&tables=${encodeURIComponent('test."a,b" , x.*')}`)), [7])
  const [first, second] = await messages(server, '?transactions=true&operations=insert&after=3')
  t.match(first, { type: 'transaction', lsn: '4', changes: [{ type: 'insert', ordinal: 0 }] })
  t.match(second, { type: 'transaction', lsn: '5', count: 3, annotations: {} })
  t.same(keys(second!['changes'] as Message[]), [7, 8])
  const rows = await messages(server, '?snapshot=true')
  t.match(rows, [{ type: 'snapshot', key: { a: 8 } }, { type: 'snapshot', key: { a: 7 } }, { type: 'snapshotEnd' }])
  t.match(await messages(server, `?after=${encodeURIComponent(String(rows[0]!['token']))}`), rows.slice(1))
  t.match(await messages(server, '?format=debezium&tables=t&after=4'), [
    { op: 'd', before: { a: 1 }, after: null, source: { lsn: 5, schema: 'test', table: 't' } },
    { op: 'c', before: null, after: { a: 8 }, transaction: { total_order: 3 } },
  ])
})

/** For tests that leave nothing behind but rows. */
let shared: Serving

t.before(async () => {
  shared = await serving(t)
})

t.test(
  'a follower gets each change as it becomes durable, from where the answer says that it began (G2)',
  async (t) => {
    const server = shared
    await insert(server, 1)
    const changes = await follow(t, server, '')
    const later = await follow(t, server, '&after=2&heartbeat-ms=10&operations=insert')
    t.match(JSON.parse(await next(later)), { type: 'insert', key: { a: 1 } })
    t.match(JSON.parse(await next(later)), { type: 'heartbeat', lsn: '3' }, 'told without a change')
    for (let a = 2; a < 12; a++) {
      await insert(server, a)
      t.match(JSON.parse(await next(changes)), { type: 'insert', key: { a } })
    }
    t.same(server.errors, [])
  },
)

t.test('gzip: nothing waits in the compressor, and the whole is one gzip file', async (t) => {
  const server = shared
  const leave = new AbortController()
  const url = `${server.url}${PATH}?follow=true&after=${formatPosition(server.primary.position)}`
  const answer = await fetch(url, { signal: leave.signal, headers: { 'accept-encoding': 'gzip' } })
  t.equal(answer.headers.get('content-encoding'), 'gzip')
  const changes = lines(answer)
  for (let a = 20; a < 25; a++) {
    await insert(server, a)
    t.match(JSON.parse(await next(changes)), { key: { a } })
  }
  leave.abort()
  const raw = await new Promise<Buffer>((resolve, reject) => {
    request(`${server.url}${PATH}`, { headers: { 'accept-encoding': 'br, gzip;q=0.5' } }, (response) => {
      response.toArray().then((chunks) => resolve(Buffer.concat(chunks as Buffer[])), reject)
    })
      .on('error', reject)
      .end()
  })
  const plain = await server.get(PATH, { 'accept-encoding': 'gzip;q=0, identity' })
  t.equal(plain.headers.get('content-encoding'), null)
  t.equal(gunzipSync(raw).toString(), plain.text)
})

t.test('what cannot be meant is refused, with what to do, and nothing is left open', async (t) => {
  const server = shared
  const refused: readonly (readonly [string, RegExp])[] = [
    ['?after=x', /position/],
    ['?after=', /position/],
    ['?after=1.2.ab', /position/],
    ['?after=1&after=2', /must be string/],
    ['?tables=', /name/],
    ['?tables=a.b.c', /too many parts/],
    ['?tables=t,', /name/],
    [`?tables=${',"'.repeat(5000)}`, /name/],
    [`?tables=${','.repeat(40_000)}`, /`tables` .* 32768 characters/],
    [`?operations=${','.repeat(40_000)}`, /`operations` .* 32768 characters/],
    ['?operations=upsert', /"upsert" is no operation .* insert, update/],
    ['?follow=1', /query parameter `follow` must be one of "true", "false"/],
    ['?follow=true&heartbeat-ms=1', /`heartbeat-ms` is 10 to 3600000 milliseconds/],
    ['?heartbeat-ms=1s', /`heartbeat-ms` is malformed/],
    ['?snapshot=true&after=0', /not both/],
    ['?format=xml', /one of "json", "debezium"/],
    ['?afer=0', /did you mean|"after"/],
  ]
  for (const [query, detail] of refused) {
    const answer = await server.get(`${PATH}${query}`)
    t.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8', query)
    t.match(answer, { status: 400, json: { code: 'INVALID_ARGUMENT', detail } }, query)
  }
  t.match(await server.get('/v1/catalogs/none/changes'), { status: 404, json: { code: 'NOT_FOUND' } })
  const forged = formatPosition({ ...server.primary.position, digest: Buffer.alloc(16) })
  t.match(await server.get(`${PATH}?after=${forged}`), { status: 409, json: { code: 'DIVERGED' } })
  // Those of the tests before are noticed to be gone when their sockets close.
  await until(async () => ((await server.get('/v1/status')).json['changeReaders'] as Message)['open'] === 0)
})

t.test('a purged place is HISTORY_LOST with the oldest one that there is (G9)', async (t) => {
  const server = await serving(t)
  for (let a = 0; a < 8; a++) await insert(server, a)
  const body = JSON.stringify({ before: '6' })
  t.equal((await server.send('POST', '/v1/admin/purge', { 'content-type': 'application/json' }, body)).status, 200)
  const oldestPosition = formatPosition(server.primary.state.floor.position)
  for (const query of ['', '?after=4', '?follow=true&after=0']) {
    const lost = await server.get(`${PATH}${query}`)
    t.match(lost, { status: 410, json: { code: 'HISTORY_LOST', oldest: '5', oldestPosition } }, query)
  }
  t.same(keys(await messages(server, `?after=${oldestPosition}`)), [3, 4, 5, 6, 7])
})

t.test('there are as many streams as there may be, of a catalog and in all; one that ends makes room', async (t) => {
  const server = await serving(t, { changeReaders: { server: 3, catalog: 2 } })
  await server.send('POST', '/v1/catalogs', { 'content-type': 'application/json' }, '{"name":"other"}')
  const leave = new AbortController()
  const open = (catalog: string): Promise<Response> =>
    fetch(`${server.url}/v1/catalogs/${catalog}/changes?follow=true`, { signal: leave.signal })
  const [first, second] = [await open('local'), await open('local')]
  t.same([first.status, second.status], [200, 200])
  const third = await open('local')
  t.same([third.status, third.headers.get('retry-after')], [503, '1'])
  t.match(await third.json(), { code: 'LIMIT', detail: /catalog "local" has 2 change streams/ })
  const other = await open('other')
  t.equal(other.status, 200)
  t.match(await (await open('other')).json(), { code: 'LIMIT', detail: /this server has 3 change streams/ })
  t.match((await server.get('/v1/status')).json['changeReaders'], {
    open: 3,
    refused: 2,
    readers: [{ catalog: 'local', address: '127.0.0.1', lagTransactions: 0, sent: 0 }, {}, {}],
  })
  const metrics = (await server.get('/metrics')).text
  for (const sample of ['replog_change_readers 3', 'replog_change_readers_refused_total 2']) t.match(metrics, sample)
  // An answer that nobody has any more would have been given up when memory is collected.
  for (const { bodyUsed } of [first, second, other]) t.equal(bodyUsed, false)
  leave.abort()
  // The server learns that a client went when its socket closes.
  await until(async () => ((await server.get('/v1/status')).json['changeReaders'] as Message)['open'] === 0)
  t.equal((await server.get(PATH)).status, 200)
})

t.test('what goes wrong on the way is the last message, and a server that closes says so', async (t) => {
  const server = await serving(t)
  await server.send('POST', '/v1/catalogs', { 'content-type': 'application/json' }, '{"name":"other"}')
  const leave = new AbortController()
  t.teardown(() => leave.abort())
  const other = lines(await fetch(`${server.url}/v1/catalogs/other/changes?follow=true`, { signal: leave.signal }))
  const local = await follow(t, server, '')
  t.equal((await server.send('DELETE', '/v1/catalogs/other')).status, 200)
  t.match(JSON.parse(await next(other)), { type: 'definition', statement: 'dropCatalog' })
  t.match(JSON.parse(await next(other)), { type: 'error', code: 'NOT_FOUND', detail: /"other" was dropped/ })
  t.equal((await other.next()).done, true, 'and the answer ends')
  const closed = server.app.close()
  t.match(JSON.parse(await next(local)), { type: 'error', code: 'CLOSED' })
  t.equal((await local.next()).done, true)
  await closed
  t.same(server.errors, [])
})

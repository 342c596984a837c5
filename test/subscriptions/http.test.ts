/** Subscriptions over HTTP and on the command line. */
import { once } from 'node:events'
import { type IncomingMessage, get as httpGet } from 'node:http'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { createHttpServer } from '../../log/http/server.js'
import { registerReplicaRoutes } from '../../replica/http.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { type Serving, serve } from '../http/serving.js'
import { ManualClock } from '../primary/manual-clock.js'
import { until } from '../replication/until.js'
import { replog } from '../tools/recording-terminal.js'
import { insertOrders, makeOrders } from './orders.js'

t.setTimeout(120_000)

const PATH = '/v1/catalogs/local/subscriptions'
const JSON_TYPE = { 'content-type': 'application/json' }

type Line = Readonly<Record<string, unknown>>

async function serving(t: Test): Promise<Serving> {
  const server = await serve({ engine: new MemoryEngine() })
  t.teardown(() => server.close())
  await makeOrders(server.primary.catalog())
  return server
}

const post = (server: Serving, path: string, body: object): ReturnType<Serving['send']> =>
  server.send('POST', `${PATH}${path}`, JSON_TYPE, JSON.stringify(body))

/** A worker: its lines as they come. */
class Reader {
  readonly response: IncomingMessage
  readonly #lines: AsyncIterator<string>

  private constructor(response: IncomingMessage) {
    this.response = response
    this.#lines = createInterface({ input: response })[Symbol.asyncIterator]()
  }

  static async open({ url }: Serving, path: string): Promise<Reader> {
    const request = httpGet(`${url}${PATH}${path}`)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return new Reader(response)
  }

  async take(count: number): Promise<Line[]> {
    const lines: Line[] = []
    while (lines.length < count) {
      const line = await this.line()
      if (line === undefined) break
      if (line['type'] !== 'heartbeat') lines.push(line)
    }
    return lines
  }

  /** Undefined at the end. */
  async line(): Promise<Line | undefined> {
    const next = await this.#lines.next()
    return next.done === true ? undefined : (JSON.parse(next.value) as Line)
  }

  close(): void {
    this.response.destroy()
  }
}

t.test('made, listed, read, acknowledged, reset and dropped', async (t) => {
  const server = await serving(t)
  const made = await post(server, '', { name: 'mailer', tables: ['orders'], operations: ['insert'] })
  t.equal(made.status, 201)
  t.match(made.json, { name: 'mailer', tables: ['orders'], operations: ['insert'], state: 'held', workers: [] })
  t.match((await post(server, '', { name: 'mailer' })).json, { code: 'ALREADY_EXISTS' })
  t.equal((await post(server, '', { name: 'mailer', ifNotExists: true })).status, 201)
  await insertOrders(server.primary.catalog(), 1, 2, 3)

  const reader = await Reader.open(server, '/mailer/changes?worker=a')
  t.equal(reader.response.headers['content-type'], 'application/x-ndjson')
  t.equal(reader.response.headers['replog-worker'], 'a')
  const lines = await reader.take(3)
  t.match(
    lines,
    [1, 2, 3].map((id) => ({ type: 'insert', table: 'test.orders', after: { id }, ordinal: 0 })),
  )
  const token = lines[1]!['token']
  t.match((await post(server, '/mailer/ack?worker=a', { token })).json, { acknowledged: token })
  t.match((await server.get(`${PATH}/mailer`)).json, {
    acknowledged: token,
    workers: [{ name: 'a', outstanding: 1 }],
    lag: { transactions: Number, seconds: Number },
  })
  reader.close()
  await until(() => server.primary.subscriptions.status().workers === 0)
  const again = await Reader.open(server, '/mailer/changes')
  t.match(await again.take(1), [{ token: lines[2]!['token'] }])
  again.close()
  await until(() => server.primary.subscriptions.status().active === 0)
  t.match((await post(server, '/mailer/ack', { token: lines[2]!['token'] })).json, { acknowledged: lines[2]!['token'] })
  t.match(
    (await post(server, '/mailer/ack', { token })).json,
    { acknowledged: lines[2]!['token'] },
    'it never goes back',
  )

  t.match((await post(server, '/mailer/reset', { after: '0' })).json, { name: 'mailer', acknowledged: /^0\.0\./ })
  t.match((await server.get(PATH)).json, { subscriptions: [{ name: 'mailer' }] })
  t.match((await server.get('/v1/status')).json, { subscriptions: { count: 1, lostCount: 0 } })
  const metrics = (await server.get('/metrics')).text
  for (const sample of ['replog_subscriptions 1', 'replog_subscriptions_lost 0', 'replog_subscription_workers 0']) {
    t.ok(metrics.includes(`\n${sample}\n`), sample)
  }
  t.match((await server.send('DELETE', `${PATH}/mailer`)).json, { dropped: true })
  t.match((await server.get(PATH)).json, { subscriptions: [] })
})

t.test('changes of a worker whose connection is gone go to another, and say so', async (t) => {
  const server = await serving(t)
  await post(server, '', { name: 'all', tables: ['orders'] })
  await insertOrders(server.primary.catalog(), 1, 2)
  const first = await Reader.open(server, '/all/changes?worker=first')
  const lines = await first.take(2)
  const second = await Reader.open(server, '/all/changes?worker=second')
  first.close()
  t.match(
    await second.take(2),
    lines.map(({ token }) => ({ token, redelivered: true })),
  )
  await server.send('DELETE', `${PATH}/all`)
  t.match(await second.take(1), [{ type: 'error', code: 'NOT_FOUND' }])
})

t.test('what is asked wrongly is a problem with its status', async (t) => {
  const server = await serving(t)
  await post(server, '', { name: 'all' })
  for (const [expected, answer] of [
    [404, await server.get(`${PATH}/none`)],
    [404, await server.get(`${PATH}/none/changes`)],
    [400, await server.get(`${PATH}/all/changes?worker=%20`)],
    [400, await server.get(`${PATH}/all/changes?other=1`)],
    [404, await post(server, '/none/ack', { token: '1.1.00' })],
    [400, await post(server, '/all/ack', { token: 'nonsense' })],
    [400, await post(server, '/all/ack', {})],
    [409, await post(server, '/all/ack', { token: `1.2.${'0'.repeat(32)}` })],
    [400, await post(server, '', { name: '/' })],
    [400, await post(server, '', { name: 'x', operations: ['upsert'] })],
    [404, await server.send('GET', '/v1/catalogs/none/subscriptions')],
  ] as const) {
    t.equal(answer.status, expected, answer.text)
    t.ok(answer.json['code'])
  }
})

t.test('a server that closes ends its readers, which learn why', async (t) => {
  const server = await serve({ engine: new MemoryEngine() })
  await post(server, '', { name: 'all' })
  const reader = await Reader.open(server, '/all/changes')
  const closing = server.close()
  t.match(await reader.take(2), [{ type: 'error', code: 'CLOSED' }])
  await closing
})

t.test('who waits hears that the server is there', async (t) => {
  const clock = new ManualClock()
  const server = await serve({ engine: new MemoryEngine(), clock })
  t.teardown(() => server.close())
  await post(server, '', { name: 'all' })
  const reader = await Reader.open(server, '/all/changes')
  let line: Line | undefined
  void reader.line().then((first) => {
    line = first
  })
  await until(async () => {
    await clock.advance(1000)
    return line !== undefined
  })
  t.strictSame(line, { type: 'heartbeat' })
})

t.test('a replica names the primary', async (t) => {
  const server = await serving(t)
  const replica = createHttpServer(server.served)
  t.teardown(() => replica.close())
  registerReplicaRoutes(replica, () => server.url)
  for (const [method, path] of [
    ['POST', ''],
    ['GET', ''],
    ['GET', '/a'],
    ['DELETE', '/a'],
    ['POST', '/a/ack'],
    ['POST', '/a/reset'],
    ['GET', '/a/changes'],
  ] as const) {
    const answer = await replica.inject({ method, url: `${PATH}${path}` })
    t.match(answer.json(), { code: 'READ_ONLY_REPLICA', primary: server.url }, `${method} ${path}`)
  }
})

t.test('replog subscriptions', async (t) => {
  const server = await serving(t)
  const { url } = server
  const run = async (...args: readonly string[]): Promise<string> => {
    const ran = await replog('subscriptions', ...args)
    t.equal(ran.code, 0, ran.stderr)
    return ran.stdout
  }
  t.match(
    await run('create', url, 'mailer', '--tables', 'orders', '--operations', 'insert,delete'),
    /^mailer begins behind 1\./,
  )
  t.match(await run('create', url, 'mailer', '--if-not-exists'), /^mailer begins/)
  await insertOrders(server.primary.catalog(), 1)
  t.match(await run(url), /mailer +held +\d+ .* orders +1\./)
  const [line] = await (await Reader.open(server, '/mailer/changes?worker=a')).take(1)
  const token = String(line!['token'])
  t.equal(await run('ack', url, 'mailer', token), `acknowledged up to ${token}\n`)
  t.match(JSON.parse(await run(url, '--json')), [{ name: 'mailer', acknowledged: token }])
  t.equal(await run('reset', url, 'mailer', '--snapshot'), 'mailer begins with a snapshot\n')
  t.equal(await run('drop', url, 'mailer'), 'mailer dropped\n')
  const missing = await replog('subscriptions', 'drop', url, 'mailer')
  t.equal(missing.code, 1)
  t.match(missing.stderr, /NOT_FOUND/)
})

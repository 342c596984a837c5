/** Status, health, metrics, the description of the API and the page; and how refusals that no route makes look. */
import { connect } from 'node:net'
import t from 'tap'
import { ReplogError } from '../../core/errors.js'
import { METRIC_DESCRIPTIONS } from '../../log/http/metrics.js'
import type { ServedNode } from '../../log/served-node.js'
import type { FollowerStatus, ReplicationStatus, ServerStatus } from '../../log/status.js'
import { registerReplicaRoutes } from '../../replica/http.js'
import { createHttpServer } from '../../log/http/server.js'
import { listen } from '../../log/http/listen.js'
import { type Serving, TABLE_T, serve } from './serving.js'

const PAGE = '<!doctype html><title>replog</title><style>b{}</style><script>start()</script>'

let serving: Serving
const routes: { readonly method: string; readonly url: string }[] = []
/** What the node says of itself, over the truth. */
let pretended: Partial<ServerStatus> = {}

t.before(async () => {
  serving = await serve({
    page: { html: PAGE },
    node: (served) => ({
      state: served.state,
      jobs: served.jobs,
      purger: served.purger,
      catalog: (name) => served.catalog(name),
      stalenessMs: () => served.stalenessMs(),
      replicas: () => served.replicas(),
      status: () => ({ ...served.status(), ...pretended }),
    }),
    extend: (app) => {
      app.addHook('onRoute', ({ method, url }) => {
        for (const one of [method].flat()) routes.push({ method: one, url })
      })
      app.get('/fault', () => {
        throw new Error('a secret of ours')
      })
      app.get('/corrupt', () => {
        throw new ReplogError('CORRUPT', 'the row is damaged', { details: { code: 'FAKE', status: 1, table: 't' } })
      })
    },
  })
  await serving.post({ statements: [{ createTable: { table: TABLE_T } }] })
})
t.teardown(() => serving.close())

t.test('the status is the node status, and is not cached', async (t) => {
  const answer = await serving.get('/v1/status')
  t.match(answer.json, { role: 'primary', lsn: '2', healthy: true, transactions: { committed: 2 } })
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
  t.equal(answer.headers.get('access-control-allow-origin'), null, 'no other origin may read')
  t.same((await serving.get('/v1/replicas')).json, { replicas: [] })
})

t.test('health and readiness are 200 or 503 with the reason', async (t) => {
  t.teardown(() => (pretended = {}))
  for (const path of ['/healthz', '/readyz']) {
    t.match(await serving.get(path), { status: 200, json: { ok: true, problem: null } })
    t.equal((await serving.send('HEAD', path)).status, 200)
  }
  pretended = { ready: false, problem: 'it is catching up' }
  t.equal((await serving.get('/healthz')).status, 200)
  const notReady = await serving.get('/readyz')
  t.match(notReady, { status: 503, json: { ok: false, problem: 'it is catching up' } })
  t.equal(notReady.headers.get('retry-after'), '1')
  pretended = { healthy: false, ready: false, problem: 'the store failed' }
  t.match(await serving.get('/healthz'), { status: 503, json: { ok: false, problem: 'the store failed' } })
})

interface Exposition {
  readonly help: Map<string, string>
  readonly types: Map<string, string>
  /** Name and labels → value. */
  readonly samples: Map<string, number>
}

/** Reads the text format of Prometheus; throws on a line that it does not allow. */
function parseMetrics(text: string): Exposition {
  const exposition: Exposition = { help: new Map(), types: new Map(), samples: new Map() }
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const comment = /^# (HELP|TYPE) ([a-z_][a-z0-9_]*) (.+)$/.exec(line)
    const sample = /^([a-z_][a-z0-9_]*(?:\{(?:[a-z_]+="(?:[^"\\]|\\.)*",?)*\})?) (\S+)$/.exec(line)
    if (comment !== null) (comment[1] === 'HELP' ? exposition.help : exposition.types).set(comment[2]!, comment[3]!)
    else if (sample !== null) exposition.samples.set(sample[1]!, Number(sample[2]))
    else throw new Error(`not a line of metrics: ${line}`)
  }
  return exposition
}

t.test('metrics parse, each with its help and type, and have the figures of the status', async (t) => {
  const answer = await serving.get('/metrics')
  t.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  const { help, types, samples } = parseMetrics(answer.text)
  for (const { name, help: text, type } of METRIC_DESCRIPTIONS) {
    t.equal(help.get(name), text, name)
    t.equal(types.get(name), type, name)
    t.equal(type === 'counter', name.endsWith('_total'), `${name} is named as its type is`)
  }
  t.equal(samples.get('replog_lsn'), 2)
  t.equal(samples.get('replog_transactions_committed_total'), 2)
  t.equal(samples.get('replog_store_commits_total'), serving.primary.state.store.counters.commits)
  t.equal(samples.get('replog_log_bytes'), Number(serving.primary.state.logBytes))
  t.ok(
    samples.has('process_start_time_seconds') &&
      samples.has('nodejs_version_info{version="'.concat(process.version, '",', processVersionLabels())),
  )
  t.notOk(
    [...samples.keys()].some((name) => name.startsWith('replog_replication')),
    'a primary follows nobody',
  )
})

function processVersionLabels(): string {
  const [major, minor, patch] = process.versions.node.split('.')
  return `major="${major}",minor="${minor}",patch="${patch}"}`
}

const lag = (transactions: number): FollowerStatus['applied'] => ({
  lsn: String(40 - transactions),
  lag: { transactions, bytes: transactions * 100, seconds: transactions / 2 },
})

t.test('lag has three units at three stages, on a primary and on a replica', async (t) => {
  t.teardown(() => (pretended = {}))
  const stages = { received: lag(1), durable: lag(2), applied: lag(3) }
  const follower: FollowerStatus = {
    ...stages,
    serverId: 'beef',
    name: 'say "hi"',
    address: '127.0.0.1',
    connected: true,
    since: '2026-11-20T00:00:00Z',
    delayMs: { last: 1, p50: 2, p99: 30, max: 400 },
  }
  const replication: ReplicationStatus = {
    ...stages,
    from: 'http://127.0.0.1:7400',
    state: 'streaming',
    primaryLsn: '40',
    silenceMs: 250,
    reconnects: 7,
    error: null,
  }
  pretended = { replicas: [follower], replication }
  const { samples } = parseMetrics((await serving.get('/metrics')).text)
  for (const [stage, { lag: expected }] of Object.entries(stages)) {
    for (const [unit, value] of Object.entries(expected)) {
      t.equal(samples.get(`replog_replica_lag_${unit}{replica="beef",stage="${stage}"}`), value, `${unit} ${stage}`)
      t.equal(samples.get(`replog_replication_lag_${unit}{stage="${stage}"}`), value, `own ${unit} ${stage}`)
    }
  }
  t.equal(samples.get('replog_replica_connected{replica="beef",name="say \\"hi\\""}'), 1)
  t.equal(samples.get('replog_replica_delay_seconds{replica="beef",quantile="0.99"}'), 0.03)
  t.equal(samples.get('replog_replication_reconnects_total'), 7)
  t.equal(samples.get('replog_replication_silence_seconds'), 0.25)

  pretended = { replicas: [] }
  const later = parseMetrics((await serving.get('/metrics')).text).samples
  t.notOk(
    [...later.keys()].some((name) => name.includes('beef')),
    'a replica that is gone is not reported any more',
  )
})

t.test('the description of the API lists each route, with summary, answers and parameters', async (t) => {
  const { paths, openapi } = (await serving.get('/openapi.json')).json as {
    openapi: string
    paths: Record<
      string,
      Record<string, { summary?: string; tags?: string[]; responses?: object; parameters?: object[] }>
    >
  }
  t.equal(openapi, '3.1.0')
  const listed = routes.filter(({ method, url }) => method !== 'HEAD' && url !== '/fault' && url !== '/corrupt')
  t.ok(listed.length >= 14)
  for (const { method, url } of listed) {
    const path = url.replaceAll(/:(\w+)/g, '{$1}')
    const operation = paths[path]?.[method.toLowerCase()]
    t.ok(operation, `${method} ${url} is described`)
    t.ok((operation?.summary?.length ?? 0) > 10, `${url}: a summary`)
    t.equal(operation?.tags?.length, 1, `${url}: a tag`)
    t.ok(operation?.responses, `${url}: answers`)
    for (const [, name] of url.matchAll(/:(\w+)/g)) {
      t.match(operation?.parameters, [{ name: /./ }], `${url}: parameters`)
      t.ok(JSON.stringify(operation?.parameters).includes(`"name":"${name}"`), `${url}: ${name}`)
    }
  }
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method} ${path}`),
  )
  t.equal(described.length, listed.length, 'and no other')
})

t.test('the page runs its own scripts and no others', async (t) => {
  const answer = await serving.get('/')
  t.equal(answer.text, PAGE)
  t.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8')
  const policy = answer.headers.get('content-security-policy') ?? ''
  // The hash of "start()", computed once with another tool.
  t.match(policy, "script-src 'sha256-DIm7WJS6ZKDYe5qFLPy+h4JFI9Bol5QmYC57mt3Fb00='")
  t.match(policy, "default-src 'none'")
  const bare = await serve()
  t.teardown(() => bare.close())
  t.match(await bare.get('/'), { status: 404, json: { code: 'NOT_FOUND' } })
})

t.test('tables are described as JSON, SQL and proto', async (t) => {
  const list = await serving.get('/v1/catalogs/local/tables')
  t.match(list.json, { tables: [{ schema: 'test', name: 't', id: 1, version: 1, rows: 0, digest: /^[0-9a-f]{16}$/ }] })
  const table = await serving.get('/v1/catalogs/local/tables/test.t')
  t.match(table.json, {
    catalog: 'local',
    schema: 'test',
    name: 't',
    version: 1,
    rows: 0,
    columns: [{ id: 2, name: 'a', type: 'INTEGER', notNull: true }, { id: 3 }, { id: 4 }, { id: 5 }],
    indexes: [
      { id: 1, name: 'by_c', unique: false },
      { id: 2, name: 'one_d', unique: true },
    ],
  })
  const { definition } = table.json as { definition: { name: string } }
  const again = await serving.post({ statements: [{ createTable: { table: { ...definition, name: 'copy' } } }] })
  t.equal(again.status, 200, 'the definition makes a table like it')
  t.match((await serving.get('/v1/catalogs/local/tables/test.t/sql')).text, /^CREATE TABLE "test"."t" \(/)
  t.match((await serving.get('/v1/catalogs/local/tables/test.t/proto')).text, /syntax = "proto3";/)
  for (const rest of ['', '/sql', '/proto']) {
    t.match(await serving.get(`/v1/catalogs/local/tables/test.tt${rest}`), { status: 404, json: { code: 'NOT_FOUND' } })
  }
})

t.test('what no route takes is a problem, too', async (t) => {
  t.match(await serving.get('/v1/statuss?x=1'), {
    status: 404,
    json: { code: 'NOT_FOUND', detail: /there is no GET \/v1\/statuss; did you mean "\/v1\/status"\?/ },
  })
  t.match((await serving.get('/v1/catalogs/a.b/table')).json, {
    detail: /did you mean "\/v1\/catalogs\/a\.b\/tables"\?/,
  })
  t.match((await serving.get(`/${'x'.repeat(5000)}`)).json, { detail: /\/openapi\.json lists every route/ })
  const wrongMethod = await serving.send('DELETE', '/v1/catalogs/local/transactions')
  t.match(wrongMethod, {
    status: 405,
    json: { code: 'INVALID_ARGUMENT', status: 405, detail: /takes POST, not DELETE/ },
  })
  t.equal(wrongMethod.headers.get('allow'), 'POST')
  t.equal((await serving.send('POST', '/healthz')).headers.get('allow'), 'GET, HEAD')
  t.match(await serving.get('/v1/catalogs/%E0%A4%A/tables'), { status: 400, json: { code: 'INVALID_ARGUMENT' } })
  t.match(await serving.get(`/v1/catalogs/${'x'.repeat(9000)}/tables`), { json: { code: 'INVALID_ARGUMENT' } })
})

t.test('a body of another type, and one that is not UTF-8, are refused', async (t) => {
  const path = '/v1/catalogs/local/transactions'
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream', 'nonsense']) {
    const answer = await serving.send('POST', path, { 'content-type': type }, '{"statements":[]}')
    t.match(answer, { status: 415, json: { code: 'INVALID_ARGUMENT', status: 415, detail: /application\/json/ } }, type)
  }
  t.match(await serving.send('POST', path), { status: 400, json: { code: 'INVALID_ARGUMENT' } }, 'none at all')
  const charset = { 'content-type': 'application/json; charset=utf-8' }
  t.equal((await serving.send('POST', path, charset, '{"statements":[]}')).status, 200)
  const latin1 = Buffer.from('{"statements":[{"get":{"table":"\xe4","key":{}}}]}', 'latin1')
  t.match(await serving.send('POST', path, charset, latin1), { status: 400, json: { detail: /not UTF-8/ } })
})

t.test('a fault of ours is INTERNAL to the client and itself to the operator', async (t) => {
  const answer = await serving.get('/fault')
  t.match(answer, { status: 500, json: { code: 'INTERNAL', type: 'urn:replog:error:INTERNAL' } })
  t.notMatch(answer.text, /secret|\.js/)
  t.match(serving.errors.pop(), { message: 'a secret of ours' })
  const corrupt = await serving.get('/corrupt')
  t.match(corrupt.json, { code: 'CORRUPT', status: 500, table: 't' }, 'details do not replace what the standard names')
  t.match(serving.errors.pop(), { code: 'CORRUPT' }, 'the operator hears of damage')
  t.same(serving.errors, [])
})

t.test('bytes that are not HTTP get a problem and the end of the connection', async (t) => {
  const said = await speak(serving.url, 'nonsense\r\n\r\n')
  t.match(said, /^HTTP\/1\.1 400 Bad Request\r\n/)
  t.match(JSON.parse(said.split('\r\n\r\n')[1]!), { code: 'INVALID_ARGUMENT', status: 400 })
  const long = await speak(serving.url, `GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(70_000)}\r\n\r\n`)
  t.match(long, /^HTTP\/1\.1 431 /)
})

function speak(url: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text))
    socket.on('data', (bytes) => (said += bytes.toString()))
    socket.on('close', () => resolve(said))
    socket.on('error', (error) => (said === '' ? reject(error) : undefined))
  })
}

t.test('a replica refuses writes before it reads them, and names the primary', async (t) => {
  const node: ServedNode = serving.served
  const app = createHttpServer(node)
  registerReplicaRoutes(app, () => 'http://127.0.0.1:7400')
  const url = await listen(app, { host: 'localhost', port: 0 })
  t.teardown(() => app.close())
  const before = serving.primary.state.head.lsn
  for (const body of ['{"statements":[]}', 'nonsense']) {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${url}/v1/catalogs/local/transactions`, { method: 'POST', headers, body })
    t.equal(response.status, 403)
    t.match(await response.json(), {
      code: 'READ_ONLY_REPLICA',
      detail: /127\.0\.0\.1:7400/,
      primary: 'http://127.0.0.1:7400',
    })
  }
  t.equal(serving.primary.state.head.lsn, before)
  const openapi = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object }
  t.ok('/v1/catalogs/{catalog}/transactions' in openapi.paths)
})

t.test('the status may be read by pages of this machine and by no others', async (t) => {
  const allowed = async (origin: string): Promise<string | null> => {
    const response = await fetch(`${serving.url}/v1/status`, { headers: { origin } })
    t.equal(response.status, 200)
    return response.headers.get('access-control-allow-origin')
  }
  for (const origin of ['http://127.0.0.1:7400', 'http://localhost:1', 'http://[::1]:7400']) {
    t.equal(await allowed(origin), origin)
  }
  for (const origin of ['http://example.org', 'http://127.0.0.1.example.org', 'null', 'http://127.0.0.1:7400.evil']) {
    t.equal(await allowed(origin), null, origin)
  }
})

/**
 * Overload over HTTP: what meets a limit passes, what is beyond it is refused at once with 503 and Retry-After (413 for
 * a body), stages nothing, and what was held is given back, however the request ends.
 */
import { type ClientRequest, request } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import type { LimitOptions } from '../../primary/limit-options.js'
import type { CountedLimit, Quotas } from '../../primary/quotas.js'
import { ManualClock } from '../primary/manual-clock.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { TABLE_T, serve, type Serving } from './serving.js'

const JSON_TYPE = { 'content-type': 'application/json' }
const INSERT = { statements: [{ insert: { table: 't', rows: [{ a: 1, b: 'x' }] } }] }
const GET_ONE = '/v1/catalogs/local/tables/t/rows'

async function serveTable(
  limits: LimitOptions,
  instead: { readonly engine?: MemoryEngine; readonly clock?: ManualClock } = {},
): Promise<Serving> {
  const serving = await serve({ limits, ...instead })
  await serving.primary.catalog().execute([{ createTable: { table: TABLE_T } }])
  return serving
}

async function untilInUse(quotas: Quotas, name: CountedLimit, amount: number): Promise<void> {
  while (quotas.inUse(name) !== amount) await setImmediate()
}

function connections(serving: Serving): Promise<number> {
  return new Promise((resolve, reject) => {
    serving.app.server.getConnections((error, count) => {
      if (error === null) resolve(count)
      else reject(error)
    })
  })
}

const rowsOf = (serving: Serving): number => serving.primary.state.statistics.durableTable(1).rows

/** A request whose body stays unfinished until it is ended. */
function unfinished(serving: Serving, headers: Readonly<Record<string, string | number>>): ClientRequest {
  const { port } = new URL(serving.url)
  const path = '/v1/catalogs/local/transactions'
  const sent = request({ host: '127.0.0.1', port, method: 'POST', path, headers: { ...JSON_TYPE, ...headers } })
  sent.on('error', () => undefined)
  sent.flushHeaders()
  return sent
}

for (const scope of ['server', 'catalog'] as const) {
  void t.test(
    `requestsPerSecond of a ${scope}: beyond it 503 with the time to wait; health is not counted`,
    async (t) => {
      const clock = new ManualClock()
      const serving = await serveTable({ [scope]: { requestsPerSecond: 3 } }, { clock })
      t.teardown(() => serving.close())
      await serving.primary.createCatalog('other')
      const answers = await Promise.all([1, 2, 3, 4, 5].map(async () => serving.post(INSERT)))
      const refused = answers.filter(({ status }) => status === 503)
      t.equal(refused.length, 2)
      const catalog = scope === 'catalog' ? { catalog: 'local' } : {}
      t.match(refused[0]!.json, { code: 'LIMIT', limit: 'requestsPerSecond', value: 3, scope, ...catalog })
      t.type(refused[0]!.json['retryAfterMs'], 'number')
      t.equal(refused[0]!.headers.get('retry-after'), '1')
      t.match(await serving.get('/v1/catalogs/other/tables'), { status: scope === 'server' ? 503 : 200 })
      for (let probe = 0; probe < 5; probe++) t.match(await serving.get('/readyz'), { status: 200 })
      t.equal(rowsOf(serving), 1)
    },
  )

  void t.test(`bodyBytes of a ${scope}: 413, whether or not the request says its length`, async (t) => {
    const body = JSON.stringify(INSERT)
    const serving = await serveTable({ [scope]: { bodyBytes: body.length } })
    t.teardown(() => serving.close())
    const { lsn } = serving.primary.position
    const expected = { status: 413, json: { code: 'TOO_LARGE', limit: 'bodyBytes', value: body.length, scope } }
    t.match(await serving.post(`${body} `), expected)
    const chunked = (text: string) => {
      const stream = new Blob([text.slice(0, 10), text.slice(10)]).stream()
      const path = `${serving.url}/v1/catalogs/local/transactions`
      return fetch(path, { method: 'POST', headers: JSON_TYPE, body: stream, duplex: 'half' })
    }
    const refused = await chunked(`${body} `)
    t.match({ status: refused.status, json: await refused.json() }, expected)
    t.equal(serving.primary.position.lsn, lsn)
    t.equal((await chunked(body)).status, 200, 'what meets it passes')
    t.equal(rowsOf(serving), 1)
    await untilInUse(serving.primary.quotas, 'requests', 0)
    t.equal(serving.primary.quotas.inUse('requestBytes'), 0)
  })

  void t.test(`requests of a ${scope}: counted until their work is done, also when the client has gone`, async (t) => {
    let release = (): void => undefined
    let gate = Promise.resolve()
    const engine = new MemoryEngine({ beforeSync: () => gate })
    const serving = await serveTable({ [scope]: { requests: 1 } }, { engine })
    t.teardown(() => serving.close())
    const { quotas, state } = serving.primary
    gate = new Promise((resolve) => {
      release = resolve
    })
    const body = JSON.stringify(INSERT)
    const waiting = unfinished(serving, { 'content-length': body.length })
    waiting.end(body)
    while (state.head.lsn === state.durable.lsn) await setImmediate()
    const refused = await serving.get(GET_ONE)
    const catalog = scope === 'catalog' ? { catalog: 'local' } : {}
    t.match(refused, { status: 503, json: { code: 'LIMIT', limit: 'requests', value: 1, scope, ...catalog } })
    t.equal(refused.headers.get('retry-after'), '1')
    waiting.destroy()
    while ((await connections(serving)) > 1) await setImmediate()
    t.match(await serving.get(GET_ONE), { status: 503 }, 'hanging up makes no room while the work goes on')
    release()
    await untilInUse(quotas, 'requests', 0)
    t.match(await serving.get(GET_ONE), { status: 200 })
    t.equal(quotas.rememberedCatalogs, 0)
  })

  void t.test(`requestBytes of a ${scope}: bodies under way together, given back when a client vanishes`, async (t) => {
    const serving = await serveTable({ [scope]: { requestBytes: 1000 } })
    t.teardown(() => serving.close())
    const { quotas } = serving.primary
    const slow = unfinished(serving, { 'content-length': 950 })
    await untilInUse(quotas, 'requestBytes', 950)
    const chunked = unfinished(serving, { 'transfer-encoding': 'chunked' })
    chunked.write('x'.repeat(20))
    await untilInUse(quotas, 'requestBytes', 970)
    const expected = { status: 503, json: { code: 'LIMIT', limit: 'requestBytes', value: 1000, scope } }
    t.match(await serving.post(INSERT), expected)
    t.equal(rowsOf(serving), 0)
    slow.destroy()
    chunked.destroy()
    await untilInUse(quotas, 'requestBytes', 0)
    await untilInUse(quotas, 'requests', 0)
    t.match(await serving.post(INSERT), { status: 200 })
    t.equal(rowsOf(serving), 1)
  })
}

void t.test('a flood beyond every limit is answered, and leaves nothing behind', async (t) => {
  const serving = await serveTable({ server: { requests: 5, requestBytes: 2000 }, catalog: { openTransactions: 2 } })
  t.teardown(() => serving.close())
  const bodies = Array.from({ length: 200 }, (_, at) => ({
    statements: [
      { insert: { table: 't', rows: [{ a: at, b: 'x' }] } },
      ...(at % 2 === 0 ? [{ scan: { table: 't' } }] : []),
    ],
  }))
  const answers = await Promise.all(bodies.map(async (body) => serving.post(body)))
  const made = answers.filter(({ status }) => status === 200).length
  t.ok(answers.every(({ status, json }) => status === 200 || (status === 503 && json['code'] === 'LIMIT')))
  t.equal(rowsOf(serving), made, 'what was refused stored nothing')
  t.ok(made > 0)
  const { quotas } = serving.primary
  await untilInUse(quotas, 'requests', 0)
  for (const name of ['requestBytes', 'openTransactions', 'stagedBytes'] as const) t.equal(quotas.inUse(name), 0, name)
  t.equal(quotas.rememberedCatalogs, 0)
})

/** Catalogs over HTTP: made, dropped, listed a page at a time on both roles; refusals are problems with a code. */
import t from 'tap'
import { createHttpServer } from '../../log/http/server.js'
import { listen } from '../../log/http/listen.js'
import { registerReplicaRoutes } from '../../replica/http.js'
import { Replica } from '../../replica/replica.js'
import { ServedReplica } from '../../replica/served-replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { TABLE_T, serve, type Serving } from './serving.js'

const JSON_TYPE = { 'content-type': 'application/json' }

const create = (serving: Serving, name: unknown) =>
  serving.send('POST', '/v1/catalogs', JSON_TYPE, JSON.stringify({ name }))

void t.test('a catalog is made, used, listed and dropped; the answers name its position', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const name = 'my "shop"/ü'
  const made = await create(serving, name)
  t.match(made, { status: 201, json: { name, lsn: '2', position: /^1\.2\.[0-9a-f]{32}$/ } })
  const path = `/v1/catalogs/${encodeURIComponent(name)}`
  t.equal(made.headers.get('location'), `${path}/tables`)
  t.match(await serving.get(`${path}/tables`), { status: 200, json: { tables: [] } })
  const rows = [
    { a: 1, b: 'x' },
    { a: 2, b: 'y' },
  ]
  t.match(await serving.post({ statements: [{ createTable: { table: TABLE_T } }] }, name), { status: 200 })
  t.match(await serving.post({ statements: [{ insert: { table: 't', rows } }] }, name), { status: 200 })

  const listed = await serving.get('/v1/catalogs')
  t.match(listed, { status: 200, json: { next: null, position: /^1\.4\./ } })
  t.equal(listed.headers.get('replog-position'), listed.json['position'])
  const { bytes } = serving.primary.state.statistics.durableCatalog(2)
  t.ok(bytes > 0)
  t.match(listed.json['catalogs'], [
    { name: 'local', comment: '', options: {}, tables: 0, rows: 0, bytes: 0 },
    { name, comment: '', options: {}, tables: 1, rows: 2, bytes },
  ])

  t.match(await serving.send('DELETE', path), { status: 200, json: { lsn: '5', position: /^1\.5\./ } })
  t.match(await serving.get(`${path}/tables`), { status: 404, json: { code: 'NOT_FOUND' } })
  t.match((await serving.get('/v1/catalogs')).json['catalogs'], [{ name: 'local' }])
})

void t.test(
  'comment and options are given at the making, changed, and listed; what stays as it is writes nothing',
  async (t) => {
    const serving = await serve()
    t.teardown(() => serving.close())
    const named = { name: 'shop', comment: 'of Ada', options: { tier: 'gold', region: 'eu' } }
    const send = (method: string, path: string, body: object) =>
      serving.send(method, path, JSON_TYPE, JSON.stringify(body))
    const listed = async (): Promise<unknown> => (await serving.get('/v1/catalogs?after=local')).json['catalogs']
    t.equal((await send('POST', '/v1/catalogs', named)).status, 201)
    t.match(await listed(), [named])

    const path = '/v1/catalogs/shop'
    const changed = await send('PATCH', path, { options: { tier: 'silver', region: null, color: 'red' } })
    t.match(changed, { status: 200, json: { altered: true, lsn: '3', position: /^1\.3\.[0-9a-f]{32}$/ } })
    t.match(await listed(), [{ name: 'shop', comment: 'of Ada' }])
    t.same(((await listed()) as { options: object }[])[0]!.options, { tier: 'silver', color: 'red' })
    t.match((await send('PATCH', path, { comment: '' })).json, { altered: true, lsn: '4' })

    for (const body of [{}, { comment: '' }, { options: {} }, { options: { none: null, color: 'red' } }]) {
      t.match(
        await send('PATCH', path, body),
        { status: 200, json: { altered: false, lsn: '4' } },
        JSON.stringify(body),
      )
    }
    t.equal(serving.primary.position.lsn, 4n, 'nothing was written')
    t.match(
      (await send('PATCH', '/v1/catalogs/local', { comment: 'first' })).json,
      { altered: true },
      'also of `local`',
    )

    t.match(await send('PATCH', '/v1/catalogs/nothing', {}), { status: 404, json: { code: 'NOT_FOUND' } })
    const refused: readonly [body: object, detail: RegExp][] = [
      [{ coment: 'x' }, /unknown property "coment"; did you mean "comment"\?/],
      [{ comment: null }, /comment must be string/],
      [{ options: { a: 1 } }, /options\/a must be string or null/],
      [{ options: ['a'] }, /options must be object/],
    ]
    for (const [body, detail] of refused) {
      t.match(await send('PATCH', path, body), { status: 400, json: { code: 'INVALID_ARGUMENT', detail } })
    }
    const long = await send('PATCH', path, { options: { a: 'x'.repeat(20_000) } })
    t.match(long, { status: 422, json: { code: 'INVALID_DEFINITION' } })
    t.match(await send('POST', '/v1/catalogs', { name: 'y', options: { a: null } }), {
      status: 400,
      json: { detail: /options\/a must be string/ },
    })
    t.equal(serving.primary.position.lsn, 5n, 'what is refused writes nothing')
  },
)

void t.test('refusals: names that are taken, none, or for good; bodies that are not exactly right', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const { lsn } = serving.primary.position
  t.match(await create(serving, 'local'), { status: 409, json: { code: 'ALREADY_EXISTS' } })
  for (const name of ['', 'x'.repeat(129), 7, null]) {
    t.match(await create(serving, name), { status: 400, json: { code: 'INVALID_ARGUMENT' } }, JSON.stringify(name))
  }
  const misspelt = await serving.send('POST', '/v1/catalogs', JSON_TYPE, '{"nam":"x"}')
  t.match(misspelt, { status: 400, json: { code: 'INVALID_ARGUMENT', detail: /nam/ } })
  t.match(await serving.send('DELETE', '/v1/catalogs/nothing'), { status: 404, json: { code: 'NOT_FOUND' } })
  t.match(await serving.send('DELETE', '/v1/catalogs/local'), { status: 400, json: { code: 'INVALID_ARGUMENT' } })
  t.match(await serving.send('PUT', '/v1/catalogs', JSON_TYPE, '{}'), { status: 405 })
  t.equal(serving.primary.position.lsn, lsn, 'nothing was committed')
})

void t.test('a listing goes on behind a name, whether or not there is one of it, and misses none', async (t) => {
  const serving = await serve()
  t.teardown(() => serving.close())
  const names = Array.from({ length: 25 }, (_, at) => `c${String(at).padStart(2, '0')}`)
  await Promise.all(names.map((name) => serving.primary.createCatalog(name)))
  for (const limit of [1, 7, 13, 26]) {
    const listed: string[] = []
    let after = ''
    for (let pages = 0; ; pages++) {
      const { json } = await serving.get(`/v1/catalogs?limit=${limit}&after=${encodeURIComponent(after)}`)
      const catalogs = json['catalogs'] as { name: string }[]
      t.ok(catalogs.length <= limit && pages <= 26)
      listed.push(...catalogs.map(({ name }) => name))
      if (json['next'] === null) break
      t.equal(json['next'], listed.at(-1))
      after = json['next'] as string
    }
    t.same(listed, [...names, 'local'], `pages of ${limit}`)
  }
  t.match((await serving.get('/v1/catalogs?after=c235&limit=1')).json['catalogs'], [{ name: 'c24' }])
  t.match((await serving.get('/v1/catalogs?after=zzz')).json, { catalogs: [], next: null })
  for (const query of ['limit=0', 'limit=-1', 'limit=x', 'limit=10001', 'befor=x']) {
    t.match(await serving.get(`/v1/catalogs?${query}`), { status: 400, json: { code: 'INVALID_ARGUMENT' } }, query)
  }
})

void t.test('sizes in a listing are those of durable transactions alone (G2)', async (t) => {
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let isHolding = false
  const engine = new MemoryEngine({ beforeSync: () => (isHolding ? held : Promise.resolve()) })
  const serving = await serve({ engine })
  t.teardown(() => serving.close())
  await serving.primary.catalog().execute([{ createTable: { table: TABLE_T } }])
  isHolding = true
  const insert = serving.primary.catalog().execute([{ insert: { table: 't', rows: [{ a: 1, b: 'x' }] } }])
  t.match((await serving.get('/v1/catalogs')).json['catalogs'], [{ name: 'local', tables: 1, rows: 0, bytes: 0 }])
  release()
  await insert
  t.match((await serving.get('/v1/catalogs')).json['catalogs'], [{ name: 'local', tables: 1, rows: 1 }])
})

void t.test('a replica lists its own and refuses to make or drop any, naming the primary', async (t) => {
  const from = 'http://127.0.0.1:9'
  const replica = await Replica.open({ path: '/replica', engine: new MemoryEngine(), from })
  const node = new ServedReplica(replica, { name: 'replica' })
  const app = createHttpServer(node)
  registerReplicaRoutes(app, () => from)
  const url = await listen(app, { host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    await app.close()
    node.close()
    await replica.close()
  })
  t.match(await (await fetch(`${url}/v1/catalogs`)).json(), { catalogs: [], next: null })
  const refused = { code: 'READ_ONLY_REPLICA', primary: from }
  t.match(await (await fetch(`${url}/v1/catalogs`, { method: 'POST', body: '{' })).json(), refused)
  t.match(await (await fetch(`${url}/v1/catalogs/x`, { method: 'PATCH', body: '{' })).json(), refused)
  t.match(await (await fetch(`${url}/v1/catalogs/x`, { method: 'DELETE' })).json(), refused)
})

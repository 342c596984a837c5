/**
 * A primary that meets a higher epoch takes no write from that moment on, also after a restart, and says so; reads go on.
 * G10: it does not tell outcomes either, for what it committed may be undone.
 */
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { formatPosition } from '../../core/position.js'
import { LINK_PATH, LINK_PROTOCOL } from '../../log/link/protocol.js'
import { Primary } from '../../primary/primary.js'
import { type Serving, TABLE_T, serve } from '../http/serving.js'
import { openOnDisk } from '../primary/open-primary.js'
import { outcomeOf } from '../primary/outcome.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { follow, serve as serveLink } from '../replication/linked-pair.js'
import { until } from '../replication/until.js'

const ROW = { insert: { table: 't', rows: [{ a: 1, b: 'x' }] } }
const NEXT = { insert: { table: 't', rows: [{ a: 2, b: 'x' }] } }
const GET = { get: { table: 't', key: { a: 1, b: 'x' } } }

async function serving(t: Test, path: string): Promise<Serving> {
  const server = await serve({ path })
  t.teardown(() => server.close())
  return server
}

function fence(server: Serving, body: Record<string, unknown>) {
  const clusterId = server.primary.state.identity.clusterId!.toString('hex')
  return server.send(
    'POST',
    '/v1/admin/fence',
    { 'content-type': 'application/json' },
    JSON.stringify({ clusterId, ...body }),
  )
}

void t.test('a fenced primary refuses whatever writes, reads go on, and a restart does not end it', async (t) => {
  const path = join(scratchDirectory(t), 'data')
  const server = await serving(t, path)
  await server.post({ statements: [{ createTable: { table: TABLE_T } }, ROW], idempotencyKey: 'first' })
  const open = server.primary.catalog().begin()
  await open.insert('t', { a: 5, b: 'open' })

  t.match(await fence(server, { epoch: 1 }), { status: 400, json: { code: 'INVALID_ARGUMENT' } }, 'its own epoch')
  t.match(await fence(server, { epoch: 2, clusterId: '0'.repeat(32) }), { json: { code: 'FOREIGN_CLUSTER' } })
  t.match((await server.get('/v1/status')).json, { healthy: true, fencedBy: null, writes: { taken: true } })

  const last = formatPosition(server.primary.position)
  const answer = await fence(server, { epoch: 2, primary: 'http://127.0.0.1:7401' })
  t.match(answer, { status: 200, json: { position: last } }, 'it names the last transaction that it ever makes')

  const refused = { status: 409, json: { code: 'FENCED', epoch: 2, primary: 'http://127.0.0.1:7401' } }
  t.match(await server.post({ statements: [NEXT] }), refused)
  t.match(await server.post({ statements: [NEXT], idempotencyKey: 'first' }), refused, 'a repetition as well')
  t.match(await server.send('POST', '/v1/catalogs', { 'content-type': 'application/json' }, '{"name":"shop"}'), refused)
  t.equal(await outcomeOf(open.commit()), 'FENCED', 'a transaction that was open')
  t.equal(await outcomeOf(server.primary.catalog().outcome('first')), 'FENCED')
  t.match(await server.post({ statements: [GET] }), { status: 200, json: { results: [{ row: { a: 1 } }] } })
  t.equal(formatPosition(server.primary.position), last, 'nothing entered the log')

  const status = (await server.get('/v1/status')).json
  t.match(status, { healthy: false, ready: false, fencedBy: { epoch: 2, primary: 'http://127.0.0.1:7401' } })
  t.match(status, { writes: { taken: false, code: 'FENCED' }, problem: /replog rejoin --from http:\/\/127.0.0.1:7401/ })
  t.equal((await server.get('/healthz')).status, 503)
  t.match((await server.get('/metrics')).text, /^replog_fenced 1$[^]*^replog_writes_taken 0$/m)

  await server.close()
  const { primary, db } = await openOnDisk(t, path)
  t.same(primary.fence.met, { epoch: 2, primary: 'http://127.0.0.1:7401' })
  t.equal(await outcomeOf(db.execute([NEXT])), 'FENCED')
  t.match(await db.execute([GET]), { results: [{ row: { a: 1 } }] })
  await primary.fence.raise({ epoch: 7 as never })
  await primary.fence.raise({ epoch: 3 as never })
  await primary.close()
  const again = await openOnDisk(t, path)
  t.same(again.primary.fence.met, { epoch: 7, primary: undefined }, 'the highest counts')
})

void t.test(
  'a follower that has seen a higher epoch fences the primary; one of another cluster does not',
  async (t) => {
    const { primary, url } = await serveLink(t, { path: join(scratchDirectory(t), 'data') })
    const hello = async (clusterId: string): Promise<string[]> => {
      const socket = new WebSocket(url.replace('http', 'ws') + LINK_PATH)
      const answers: string[] = []
      socket.on('message', (data: Buffer) => answers.push(data.toString('utf8')))
      await once(socket, 'open')
      const position = `4.9.${'ab'.repeat(16)}`
      const identity = { clusterId, serverId: 'cd'.repeat(16), name: 'stranger' }
      socket.send(JSON.stringify({ type: 'hello', protocol: LINK_PROTOCOL, ...identity, position, bytes: '100' }))
      await once(socket, 'close')
      return answers
    }
    t.match(await hello('ef'.repeat(16)), [/FOREIGN_CLUSTER/])
    t.equal(primary.fence.met, undefined)
    t.match(await hello(primary.state.identity.clusterId!.toString('hex')), [/FENCED/])
    t.match(primary.fence.met, { epoch: 4 })
    await t.rejects(primary.createCatalog('shop'), { code: 'FENCED', message: /replog rejoin/ })
  },
)

void t.test(
  'with minReplicas nothing is written until so many replicas are connected, nor when they leave',
  async (t) => {
    const directory = scratchDirectory(t)
    const { primary, served, url } = await serveLink(t, { path: join(directory, 'primary'), minReplicas: 1 })
    const db = primary.catalog()
    const make = (name: string) =>
      db.execute([{ createTable: { table: { name, columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] } } }])
    await t.rejects(make('a'), { code: 'NO_REPLICAS', message: /0 of at least 1/ })
    t.match(served.status(), {
      healthy: true,
      ready: false,
      writes: { taken: false, code: 'NO_REPLICAS', minReplicas: 1, connectedReplicas: 0 },
    })
    const replica = await follow(t, { path: join(directory, 'replica'), from: url })
    await until(() => served.status().writes?.taken === true)
    await make('a')
    await replica.waitFor(primary.position.lsn)
    await replica.close()
    await until(() => served.status().writes?.taken === false)
    t.equal(await outcomeOf(make('b')), 'NO_REPLICAS')

    for (const minReplicas of [-1, 1.5, NaN, 1e9]) {
      const opened = Primary.open({ path: join(directory, 'wrong'), minReplicas })
      await t.rejects(opened, { code: 'INVALID_ARGUMENT', message: /minReplicas/ })
    }
  },
)

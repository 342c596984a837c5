/** A commit that asks for it is answered when a real replica has it on disk, and not before. (G7, G10) */
import t from 'tap'
import { createHttpServer } from '../../log/http/server.js'
import { registerPrimaryRoutes } from '../../primary/http.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { GatedEngine } from '../primary/gated-engine.js'
import { outcomeOf, outcomeSoon } from '../primary/outcome.js'
import { follow, serve } from './linked-pair.js'
import { ITEMS, items } from './tables.js'

void t.test('the commit waits while the replica has not synced it, embedded and over HTTP', async (t) => {
  const { primary, served, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  const engine = new GatedEngine(new MemoryEngine())
  const replica = await follow(t, { path: '/replica', engine, from: url })
  t.teardown(() => engine.before.open())
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }], { ack: 'applied' })
  t.equal(replica.position.lsn, primary.position.lsn, 'it is applied there')

  const app = createHttpServer(served)
  registerPrimaryRoutes(app, primary)
  t.teardown(() => app.close())
  const post = (code: string, ack: unknown) =>
    app.inject({
      method: 'POST',
      url: '/v1/catalogs/local/transactions',
      payload: { statements: [{ insert: { table: 'items', rows: items(1, code) } }], ack },
    })

  engine.before.hold()
  const embedded = db.execute([{ insert: { table: 'items', rows: items(1, 'a') } }], { ack: 'durable' })
  await engine.before.arrival()
  const http = post('b', { level: 'durable', replicas: 1 })
  t.equal(await outcomeSoon(embedded), 'pending')
  t.equal((await post('c', 'local')).statusCode, 200, 'whoever does not ask for it does not wait')
  const late = await post('d', { level: 'applied', timeoutMs: 20 })
  t.equal(late.statusCode, 504)
  t.match(late.json(), { code: 'ACK_TIMEOUT', detail: /committed on this server at LSN \d+, but no replica/ })
  t.equal(await outcomeSoon(embedded), 'pending')
  engine.before.open()
  t.equal(await outcomeOf(embedded), 'resolved')
  t.equal((await http).statusCode, 200)
  t.equal(served.status().acknowledgement?.timeouts, 1)

  t.equal((await post('e', { level: 'durable', replicas: 2, timeoutMs: 20 })).statusCode, 504, 'one is not two')
  t.equal((await post('f', 'durabel')).statusCode, 400)
  t.equal((await post('g', { level: 'durable', replica: 2 })).statusCode, 400)

  const demand = { level: 'durable', replicas: 2, timeoutMs: 3_600_000 }
  const stuck = post('h', demand)
  t.equal(await outcomeSoon(stuck), 'pending')
  await served.close()
  t.equal((await stuck).statusCode, 504, 'a server that shuts down waits for nobody')
  t.equal((await post('i', demand)).statusCode, 504, 'nor for those that come later')
})

/** `replog replication pause`, `resume` and `skip` tell a replica what operators decide, over HTTP, and show what it says then. */
import t from 'tap'
import { listen } from '../../log/http/listen.js'
import { createHttpServer } from '../../log/http/server.js'
import { registerReplicationRoutes } from '../../replica/replication-routes.js'
import type { Replica } from '../../replica/replica.js'
import { ServedReplica } from '../../replica/served-replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { CLUSTER_ID, FakeLog, fakePrimary } from '../replication/fake-primary.js'
import { follow } from '../replication/linked-pair.js'
import { until } from '../replication/until.js'
import { replog } from './recording-terminal.js'

async function serveReplica(t: Parameters<typeof follow>[0], replica: Replica): Promise<string> {
  const node = new ServedReplica(replica, { name: 'replica' })
  const app = createHttpServer(node)
  registerReplicationRoutes(app, replica)
  const url = await listen(app, { host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    await app.close()
    node.close()
  })
  return url
}

void t.test('pause, resume and skip', async (t) => {
  const { url: from } = await fakePrimary(t, (link, hello) => {
    const log = new FakeLog()
    link.welcome(CLUSTER_ID, 3n)
    const rows = [{ after: Buffer.of(8, 1) }]
    const statements = [{ kind: 'insert', tableId: 77, tableVersion: 1, rows } as const]
    link.frames(...[log.next(), log.next({ statements }), log.next()].slice(Number(hello.position.split('.')[1])))
  })
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from })
  const url = await serveReplica(t, replica)
  await until(() => replica.replication().refusedLsn === '2')

  const paused = await replog('replication', 'pause', url, '--by', 'ada', '--reason', 'lunch')
  t.match(paused, { code: 0, stdout: /paused at LSN 1/ })
  t.match(replica.replication().paused, { by: 'ada', reason: 'lunch' })
  const status = await replog('status', url)
  t.match(status.stdout, /Paused.*by ada since .*: lunch/)
  t.match(status.stdout, /LSN 2 cannot be applied here/)
  const resumed = await replog('replication', 'resume', url, '--json')
  t.equal(resumed.code, 0)
  t.match(JSON.parse(resumed.stdout), { replication: { paused: null } })
  await until(() => replica.replication().refusedLsn === '2')

  t.match(await replog('replication', 'skip', url, '--reason', 'x'), { code: 2 }, 'the LSN is to be named')
  t.match(await replog('replication', 'skip', url, '--lsn', '2'), { code: 2 }, 'and the reason')
  const wrong = await replog('replication', 'skip', url, '--lsn', '3', '--reason', 'x')
  t.match(wrong, { code: 1, stderr: /INVALID_ARGUMENT.*LSN 2, not 3/ })
  const skipped = await replog(
    'replication',
    'skip',
    url,
    '--lsn',
    '2',
    '--reason',
    'a table that nobody made',
    '--by',
    'ada',
  )
  t.match(skipped, { code: 0, stdout: /without the effects of LSN 2/ })
  await until(() => replica.position.lsn === 3n)
  const after = await replog('status', url)
  t.match(after.stdout, /Diverged by skip/)
  t.match(after.stdout, /LSN 2, skipped by ada at .*: a table that nobody made/)
  const metrics = await (await fetch(`${url}/metrics`)).text()
  t.match(metrics, /replog_replication_skipped_transactions 1/)
  t.match(metrics, /replog_replication_paused 0/)
})

void t.test('what an order is made of is checked', async (t) => {
  const replica = await follow(t, { path: '/replica', engine: new MemoryEngine(), from: 'http://127.0.0.1:1' })
  const url = await serveReplica(t, replica)
  const post = async (action: string, body?: object): Promise<unknown> => {
    const init = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    return (
      await fetch(`${url}/v1/admin/replication/${action}`, { method: 'POST', ...(body === undefined ? {} : init) })
    ).json()
  }
  for (const body of [{ by: '' }, { reason: 'x'.repeat(501) }, { because: 'x' }]) {
    t.match(await post('pause', body), { code: 'INVALID_ARGUMENT' }, JSON.stringify(body))
  }
  t.match(await post('skip', { lsn: 'x', reason: 'y' }), { code: 'INVALID_ARGUMENT' })
  t.match(await post('skip', { reason: 'y' }), { code: 'INVALID_ARGUMENT' })
  t.match(await post('pause', {}), { replication: { paused: { by: '127.0.0.1', reason: 'no reason given' } } })
  t.match(await post('resume'), { replication: { paused: null } })
})

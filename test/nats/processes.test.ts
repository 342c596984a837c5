/** `replog primary --nats` and `replog replica --nats` as an operator starts them, with a real nats-server. */
import { join } from 'node:path'
import t from 'tap'
import type { ServerStatus } from '../../log/status.js'
import { type ServerProcess, start } from '../failover/servers.js'
import { until } from '../replication/until.js'
import { startNats } from './nats-server.js'

/** The first status that is as wanted. */
async function statusWhen(server: ServerProcess, isWanted: (status: ServerStatus) => boolean): Promise<ServerStatus> {
  let status: ServerStatus | undefined
  await until(async () => {
    status = (await server.client.json('/v1/status')) as ServerStatus
    return isWanted(status)
  })
  return status!
}

t.test('frames come over NATS; without it over the direct link, and over NATS again when it is back', async (t) => {
  const server = await startNats(t, { config: 'authorization { user: "replog", password: "secret" }' })
  if (server === undefined) return
  const directory = t.testdir({})
  const nats = ['--nats', server.url, '--nats-user', 'replog', '--nats-password', 'secret']
  const primary = await start(t, 'primary', '--data', join(directory, 'primary'), ...nats, '--nats-changes')
  const replica = await start(t, 'replica', '--data', join(directory, 'replica'), '--from', primary.url, ...nats)
  const transact = (statement: object): Promise<unknown> =>
    primary.client.json('/v1/catalogs/local/transactions', { body: JSON.stringify({ statements: [statement] }) })
  const columns = [{ name: 'id', type: 'INTEGER' }]
  await transact({ createTable: { table: { name: 'items', columns, primaryKey: ['id'] } } })
  const isFed = ({ replicas }: ServerStatus): boolean =>
    replicas?.some(({ address, connected }) => address === 'nats' && connected) ?? false
  await statusWhen(primary, isFed)
  for (let id = 0; id < 20; id++) {
    await transact({ insert: { table: 'items', rows: [{ id }] } })
    if (id === 10) await server.kill()
  }
  const { lsn } = await statusWhen(primary, () => true)
  const direct = await statusWhen(replica, (status) => status.lsn === lsn)
  t.match(direct.nats, { feed: 'direct', connected: false })
  await server.start()
  const { nats: told } = await statusWhen(
    primary,
    (status) =>
      status.nats?.publisher?.publishedLsn === lsn && status.nats.changes?.publishing === true && isFed(status),
  )
  t.match(told, { connected: true, publisher: { publishing: true, error: null }, changes: { publishing: true } })
  t.match(await statusWhen(replica, () => true), { lsn, nats: { feed: 'stream', connected: true } })
  const metrics = await primary.client.text('/metrics')
  t.match(metrics, /^replog_nats_connected 1$/m)
  t.match(metrics, new RegExp(`^replog_nats_published_lsn ${lsn}$`, 'm'))
  await replica.stop()
  await primary.stop()
  t.same([await primary.gone, await replica.gone], [0, 0], 'SIGTERM ends both')
})

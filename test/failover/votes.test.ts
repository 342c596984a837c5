/** G2: the primary of servers that fail over by themselves knows of each connection whether its replica takes part. */
import t from 'tap'
import { follow, serve } from '../replication/linked-pair.js'
import { until } from '../replication/until.js'

void t.test('a replica that is started again without taking part is known for that', async (t) => {
  const base = t.testdir()
  const { primary, url } = await serve(t, { path: `${base}/primary` })
  const { acknowledgements } = primary
  const path = `${base}/replica`
  const first = await follow(t, { path, from: url, votes: true })
  const serverId = first.state.identity.serverId.toString('hex')
  await until(() => acknowledgements.isConnected(serverId))
  t.strictSame(acknowledgements.votingIds, [serverId])
  await first.close()
  await until(() => !acknowledgements.isConnected(serverId))
  await follow(t, { path, from: url })
  await until(() => acknowledgements.isConnected(serverId))
  t.strictSame(acknowledgements.votingIds, [])
})

/** What the page makes of the statuses: every server and link once, judged as the legend says. */
import t from 'tap'
import { followerHealth, replicationHealth, serverHealth, worstOf } from '../../tools/page/client/health.js'
import { overviewOf } from '../../tools/page/client/overview.js'
import { Recorder } from '../../tools/page/client/recorder.js'
import { follower, replicaStatus, replication, serverStatus, source, stage } from './statuses.js'

const PRIMARY = 'http://127.0.0.1:7400'
const REPLICA = 'http://127.0.0.1:7401'

t.test('a primary asked alone: the replica is shown as the primary knows it', async (t) => {
  const { servers, links } = overviewOf([source(PRIMARY, serverStatus({ replicas: [follower()] }))])
  t.match(servers, [
    { name: 'berlin', role: 'primary', lsn: '7', knownBy: undefined },
    { name: 'hamburg', role: 'replica', lsn: '6', knownBy: 'berlin', status: undefined },
  ])
  t.match(links, [{ replica: 'hamburg', primary: 'berlin', measuredBy: 'primary', health: { word: 'streaming' } }])
})

t.test('a replica asked alone: the primary is shown as the replica knows it', async (t) => {
  const { servers, links } = overviewOf([source(REPLICA, replicaStatus({ primaryLsn: '9' }))])
  t.match(servers, [
    { name: '127.0.0.1:7400', role: 'primary', lsn: '9', knownBy: 'hamburg' },
    { name: 'hamburg', role: 'replica', lsn: '7' },
  ])
  t.match(links, [{ replica: 'hamburg', primary: '127.0.0.1:7400', measuredBy: 'replica' }])
})

t.test('both asked: each server once with its own figures, the link measured by the primary', async (t) => {
  const sources = [source(REPLICA, replicaStatus()), source(PRIMARY, serverStatus({ replicas: [follower()] }))]
  const { servers, links } = overviewOf(sources)
  t.same(
    servers.map(({ name, knownBy }) => [name, knownBy]),
    [
      ['berlin', undefined],
      ['hamburg', undefined],
    ],
  )
  t.match(links, [{ measuredBy: 'primary', replication: { state: 'streaming' }, follower: { serverId: 'bb' } }])
  t.equal(links.length, 1)
})

t.test(
  'the primary does not answer: its last figures are shown as such, the link is told by the replica',
  async (t) => {
    const primary = source(PRIMARY, serverStatus({ replicas: [follower()] }), true)
    const { servers, links } = overviewOf([primary, source(REPLICA, replicaStatus({ state: 'connecting' }))])
    t.match(servers[0], { health: { level: 'action', word: 'unreachable' }, lsn: '7', staleSinceMs: 4000 })
    t.match(links, [
      { measuredBy: 'replica', primary: 'berlin', health: { level: 'attention' }, staleSinceMs: undefined },
    ])
    t.equal(links.length, 1)
  },
)

t.test('what is known only through a server that does not answer is not called good', async (t) => {
  const { servers, links } = overviewOf([source(PRIMARY, serverStatus({ replicas: [follower()] }), true)])
  t.match(servers[1], { name: 'hamburg', health: { level: 'attention', word: 'not known' }, staleSinceMs: 4000 })
  t.match(links, [{ health: { level: 'attention', word: 'not known' }, staleSinceMs: 4000 }])
})

t.test('a server that never answered is shown by its address', async (t) => {
  t.match(overviewOf([source(REPLICA, undefined)]).servers, [{ name: '127.0.0.1:7401', lsn: undefined }])
  t.match(overviewOf([source(REPLICA, undefined, true)]).servers, [{ health: { level: 'action' } }])
})

t.test('a replica that never heard of its primary has no lag: it is unknown, not 0', async (t) => {
  const { servers, links } = overviewOf([source(REPLICA, replicaStatus({ state: 'connecting', silenceMs: null }))])
  t.equal(links[0]!.stages, undefined)
  t.equal(servers[0]!.lsn, undefined)
})

t.test('a replica that says it stopped counts more than a primary that does not know it yet', async (t) => {
  const error = { code: 'DIVERGED', message: 'the logs differ' }
  const sources = [
    source(PRIMARY, serverStatus({ replicas: [follower()] })),
    source(REPLICA, replicaStatus({ state: 'stopped', error })),
  ]
  t.match(overviewOf(sources).links, [{ health: { level: 'action', reason: 'DIVERGED: the logs differ.' } }])
})

t.test('servers are judged by what they say', async (t) => {
  t.match(serverHealth(serverStatus()), { level: 'good', word: 'serving', reason: '' })
  const failed = serverHealth(serverStatus({ healthy: false, ready: false, problem: 'the disk is full' }))
  t.match(failed, { level: 'action', reason: 'The disk is full.' })
  t.match(serverHealth(serverStatus({ ready: false, problem: 'no data yet' })), {
    level: 'attention',
    word: 'not ready',
  })
  t.match(serverHealth(replicaStatus()), { level: 'good', word: 'streaming' })
})

t.test('links are judged by their state and by the age of what readers see', async (t) => {
  t.match(replicationHealth(replication({ state: 'catching up', applied: stage('6', 0.2) })), { level: 'good' })
  t.match(replicationHealth(replication({ applied: stage('6', 1.5) })), { level: 'attention', reason: /1.5 s ago/ })
  t.match(replicationHealth(replication({ state: 'connecting' })), { level: 'attention' })
  t.match(replicationHealth(replication({ state: 'stopped' })), { level: 'action' })
  t.match(followerHealth(follower(), 30), { level: 'good' })
  t.match(followerHealth(follower({ applied: stage('6', 70) }), 30), { level: 'attention', reason: /1 min 10 s ago/ })
  t.match(followerHealth(follower({ connected: false }), 30), { level: 'action', reason: /30 s ago/ })
})

t.test('the page is as well as the least well of its parts', async (t) => {
  t.equal(worstOf([]), 'good')
  t.equal(worstOf(['good', 'attention', 'good']), 'attention')
  t.equal(worstOf(['attention', 'action', 'good']), 'action')
})

t.test('the recorder takes samples of what answered, gaps of what did not, and rates of LSNs', async (t) => {
  const recorder = new Recorder()
  const withReplica = (lsn: string): ReturnType<typeof overviewOf> => {
    const replicas = [follower({ applied: stage(lsn, 0.25) })]
    return overviewOf([
      source(PRIMARY, serverStatus({ replicas })),
      source('http://127.0.0.1:9', serverStatus({ serverId: 'dd' })),
    ])
  }
  recorder.record(withReplica('10'), PRIMARY, 1000)
  recorder.record(withReplica('60'), PRIMARY, 2000)
  recorder.record(overviewOf([source(PRIMARY, serverStatus({ replicas: [follower()] }), true)]), PRIMARY, 3000)
  const values = (key: string): unknown[] => recorder.server(key).throughput.samples.map(({ value }) => value)
  t.same(values('aa'), [100, 100, null])
  t.same(values('bb'), [null, 50, null])
  t.same(values('dd'), [], 'another source is not sampled')
  t.same(
    recorder.link('bb').samples.map(({ value }) => value?.applied.seconds),
    [0.25, 0.25, undefined],
  )
})

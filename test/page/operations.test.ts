/** What operators look after: each fact is told in words, at the level that it deserves, and nothing that does not concern. */
import t from 'tap'
import type { LogPurgeStatus } from '../../log/purge/purge-status.js'
import type { ServerStatus } from '../../log/status.js'
import { operationFacts } from '../../tools/page/client/operations.js'
import { statusText } from '../../tools/status.js'
import { replicaStatus, serverStatus } from './statuses.js'

const AT = '2026-11-20T10:00:00.000Z'

const LOG: LogPurgeStatus = {
  floor: `1.3.${'0'.repeat(32)}`,
  floorTime: AT,
  storedBytes: '2048',
  keepAgeMs: null,
  keepBytes: null,
  bytesMax: null,
  followerHoldMs: 3_600_000,
  running: false,
  deleting: false,
  holders: [],
  last: null,
  transactions: 0,
  bytes: 0,
  leftBehind: [],
}

const WRITES = { taken: true, code: null, problem: null, minReplicas: 0, connectedReplicas: 0 }

const PASS = {
  startedAt: AT,
  finishedAt: AT,
  position: LOG.floor,
  tables: 1,
  rows: 1200,
  entries: 0,
  frames: 7,
  bytes: 100,
  flaws: [],
  flawCount: 0,
}
const SCRUB = { bytesPerSecond: 1000, running: false, at: null, share: 0, rows: 0, bytes: 0, flawsFound: 0, last: PASS }

const CASES: readonly (readonly [string, Partial<ServerStatus>, readonly (readonly [string, string, string])[]])[] = [
  ['nothing is set up', {}, []],
  ['writes are taken', { writes: WRITES, fencedBy: null }, [['Writes', 'taken', 'good']]],
  [
    'writes need a replica',
    { writes: { ...WRITES, minReplicas: 1, connectedReplicas: 2 } },
    [['Writes', 'taken while 1 replica connected; 2 are', 'good']],
  ],
  [
    'writes are refused',
    { writes: { ...WRITES, taken: false, code: 'NO_REPLICAS', problem: 'none is connected' } },
    [['Writes', 'refused: NO_REPLICAS none is connected', 'action']],
  ],
  [
    'fenced',
    { writes: { ...WRITES, taken: false }, fencedBy: { epoch: 4, primary: 'http://b' } },
    [['Writes', 'refused: fenced by epoch 4 of the primary at http://b', 'action']],
  ],
  [
    'acknowledgement in force',
    { acknowledgement: ack({}) },
    [['Acknowledgement', 'commits are answered when durable on 2 replicas', 'good']],
  ],
  [
    'acknowledgement degraded',
    { acknowledgement: ack({ degradedSince: AT, timeouts: 3 }) },
    [['Acknowledgement', `degraded since ${AT}: commits are answered when durable on 2 replicas`, 'attention']],
  ],
  ['acknowledgement is local', { acknowledgement: ack({ level: 'local' }) }, []],
  ['the log is kept', { logPurge: LOG }, [['Log', `2.00 KiB since ${AT}, kept for good`, 'good']]],
  [
    'the log is bounded, purged, held and needed by one who is lost',
    {
      logPurge: {
        ...LOG,
        floorTime: null,
        keepAgeMs: 7_200_000,
        keepBytes: 1024,
        bytesMax: 4096,
        deleting: true,
        holders: [
          { name: 'gone', lsn: '1', seenAt: AT, lost: true },
          { name: 'slow', lsn: '4', seenAt: AT, lost: false },
        ],
      },
    },
    [
      ['Log', '2.00 KiB from LSN 1, kept for 2 h 0 min, up to 1.00 KiB, never beyond 4.00 KiB; purging', 'good'],
      ['Log held for', 'slow, which has 3 transactions to come', 'good'],
      ['Left behind', 'gone needs the log from behind LSN 1, which is purged', 'action'],
    ],
  ],
  [
    'verified and scrubbed',
    { verification: { marker: { lsn: '1234', at: AT, tables: 2 }, scrub: SCRUB } },
    [
      ['Verified', `counts written at LSN 1,234, ${AT}`, 'good'],
      ['Scrub', `1,200 rows sound at ${AT}`, 'good'],
    ],
  ],
  [
    'flaws',
    { verification: { marker: null, scrub: { ...SCRUB, flawsFound: 2, last: null } } },
    [['Scrub', '2 flaws found', 'action']],
  ],
  [
    'a scrub is running',
    { verification: { marker: null, scrub: { ...SCRUB, running: true, share: 0.509, at: 'test.things' } } },
    [['Scrub', '50 % of a pass done, at test.things', 'good']],
  ],
  [
    'a copy is sent',
    {
      copies: [{ name: 'berlin-2', since: AT, startLsn: '7', bytesSent: 1024, bytesEstimate: 10_240, entriesSent: 5 }],
    },
    [['Copy', 'berlin-2: 1.00 KiB of about 10.0 KiB', 'good']],
  ],
  [
    'nobody reads changes over HTTP',
    { changeReaders: { open: 0, sent: 9, refused: 1, cut: 0, lastCut: null, readers: [] } },
    [],
  ],
  [
    'changes are read over HTTP, and somebody was cut',
    {
      changeReaders: {
        open: 1,
        sent: 9,
        refused: 0,
        cut: 2,
        lastCut: { at: AT, catalog: 'local', address: '::1', reason: 'took nothing' },
        readers: [
          { catalog: 'local', address: '::1', since: AT, lsn: '5', lagTransactions: 1234, sent: 9, heldBytes: 0 },
        ],
      },
    },
    [
      [
        'Change streams',
        '1 open over HTTP, the farthest 1,234 transactions behind; 2 cut because they took nothing',
        'good',
      ],
    ],
  ],
]

function ack(changes: Partial<NonNullable<ServerStatus['acknowledgement']>>): ServerStatus['acknowledgement'] & object {
  return {
    level: 'durable',
    replicas: 2,
    timeoutMs: 1000,
    onTimeout: 'continue',
    degradedSince: null,
    waiting: 0,
    timeouts: 0,
    ...changes,
  }
}

const LINK = { servers: ['nats://127.0.0.1:4222'], connected: true, losses: 0, error: null }
const PUBLISHER = {
  stream: 'REPLOG_1',
  publishing: true,
  publishedLsn: '40',
  outstanding: 0,
  messages: 9,
  refills: 0,
  rewound: 0,
  errors: 0,
  error: null,
}
const DOWN = { ...LINK, connected: false, error: { code: 'UNREACHABLE', message: 'nobody listens' } }

t.test('NATS: what is published, where frames come from, and what an operator has to do', (t) => {
  const cases: [Parameters<typeof serverStatus>[0], string, string, string][] = [
    [{ lsn: '40', nats: { ...LINK, publisher: PUBLISHER } }, 'NATS', 'published up to LSN 40', 'good'],
    [
      { lsn: '50', nats: { ...LINK, publisher: { ...PUBLISHER, refills: 2 } } },
      'NATS',
      'published up to LSN 40, 10 transactions behind; filled again 2 times',
      'good',
    ],
    [
      { nats: { ...LINK, publisher: { ...PUBLISHER, publishing: false } } },
      'NATS',
      'the stream is looked at',
      'attention',
    ],
    [
      { nats: { ...LINK, publisher: { ...PUBLISHER, error: { code: 'DIVERGED', message: 'another history' } } } },
      'NATS',
      'not published since LSN 40: DIVERGED another history',
      'action',
    ],
    [
      { nats: { ...LINK, publisher: { ...PUBLISHER, error: { code: 'LOG_GAP', message: 'purged' } } } },
      'NATS',
      'not published since LSN 40: LOG_GAP purged',
      'attention',
    ],
    [{ nats: DOWN }, 'NATS', 'not connected: nobody listens', 'attention'],
    [
      { nats: { ...DOWN, feed: 'direct' } },
      'NATS',
      'not connected; frames come over the direct link: nobody listens',
      'attention',
    ],
    [
      { nats: { ...LINK, feed: 'direct' } },
      'NATS',
      'the stream does not reach back; frames come over the direct link',
      'attention',
    ],
    [{ nats: { ...LINK, feed: 'stream' } }, 'NATS', 'frames come from the stream', 'good'],
  ]
  for (const [changes, label, text, level] of cases) {
    const facts = operationFacts(serverStatus(changes)).filter((fact) => fact.label === label)
    t.same(facts, [{ label, text, level }])
  }
  const both = serverStatus({ nats: { ...LINK, publisher: PUBLISHER, changes: PUBLISHER } })
  t.match(
    operationFacts(both).filter(({ label }) => label.startsWith('NATS')),
    [{ label: 'NATS' }, { label: 'NATS changes', text: 'published up to LSN 40' }],
  )
  t.end()
})

t.test('automatic failover: the newest step of a replica, and whether it follows nobody', (t) => {
  const step = '1 of 2 replicas that are needed have said where they stand'
  const since = '2026-01-01T00:00:00.000Z'
  const failover = { step, since, abandoned: true }
  const expected = { label: 'Failover', text: `no primary: ${step}, since ${since}`, level: 'attention' }
  t.has(operationFacts(serverStatus({ failover })), [expected])
  t.ok(statusText(serverStatus({ failover })).includes(step))
  const quiet = { ...failover, step: 'follows http://a', abandoned: false }
  const [fact] = operationFacts(serverStatus({ failover: quiet })).filter(({ label }) => label === 'Failover')
  t.same(fact, { label: 'Failover', text: `follows http://a, ${since}`, level: 'good' })
  t.end()
})

for (const [name, changes, expected] of CASES) {
  t.test(name, (t) => {
    const status = serverStatus(changes)
    t.same(
      operationFacts(status).map(({ label, text, level }) => [label, text, level]),
      expected,
    )
    const text = statusText(status)
    for (const [, words, level] of expected) t.ok(text.includes(level === 'good' ? words : ` ${words}`), words)
    t.end()
  })
}

t.test('orders given to a replica', (t) => {
  const status = replicaStatus({
    chain: ['a', 'b'],
    paused: { by: 'anna', since: AT, reason: 'a look at the rows' },
    delayMs: 60_000,
    only: ['local.test'],
    refusedLsn: '9',
    skipped: [{ lsn: '5', position: LOG.floor, by: 'anna', reason: 'a bug', at: AT }],
  })
  const facts = operationFacts(status).map(({ label, text, level }) => [label, text, level])
  t.same(facts, [
    ['Paused', `by anna since ${AT}: a look at the rows`, 'attention'],
    ['Delayed', 'kept 1 min 0 s behind on purpose', 'good'],
    ['Filter', 'holds rows of local.test only', 'good'],
    ['Chain', 'the primary is 2 hops away; lag is measured against it', 'good'],
    ['Refused', 'LSN 9 cannot be applied here', 'action'],
    ['Diverged by skip', `LSN 5, skipped by anna at ${AT}: a bug`, 'action'],
  ])
  t.end()
})

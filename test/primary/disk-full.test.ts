/** Writes stop before the disk is full and go on when there is space again, on a primary and on a replica. */
import { BackgroundJobs } from '../../log/background-jobs.js'
import t, { type Test } from 'tap'
import { systemClock } from '../../core/clock.js'
import { DISK_FREE_BYTES_MIN } from '../../core/limits.js'
import { EPOCH_FIRST } from '../../core/position.js'
import { catalogIdentifier } from '../../ddl/identifiers.js'
import { Fence } from '../../log/fence.js'
import { IdCounters } from '../../log/id-counters.js'
import { logBeginning, startOf } from '../../log/log-floor.js'
import { LogPurger } from '../../log/purge/log-purger.js'
import { ReplicatedState } from '../../log/replicated-state.js'
import { TableNames } from '../../log/table-names.js'
import { LogTail } from '../../log/tail.js'
import { Acknowledgements } from '../../log/acknowledgements.js'
import { AckGate } from '../../primary/ack-gate.js'
import { Catalog } from '../../primary/catalog.js'
import { CommitLane } from '../../primary/commit-lane.js'
import { resolveLimits } from '../../primary/limit-options.js'
import { LockTable } from '../../primary/lock-table.js'
import { RunningProjections } from '../../primary/projections/running-projections.js'
import { Quotas } from '../../primary/quotas.js'
import { SubscriptionServer } from '../../primary/subscriptions/subscription-server.js'
import { Transaction } from '../../primary/transaction.js'
import { Triggers } from '../../primary/triggers.js'
import { WriteGate } from '../../primary/write-gate.js'
import { LogFollower } from '../../replica/follow.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { Store } from '../../store/store.js'
import { RecentVersions } from '../../store/versions.js'
import { serve } from '../replication/linked-pair.js'
import { until } from '../replication/until.js'
import { ManualClock } from './manual-clock.js'
import { collect, outcomeOf } from './outcome.js'

const TABLE = { name: 'things', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] }

/** An empty server's state over a disk of which the test says how much is free. */
async function stateOnDisk(t: Test, clusterId: Buffer | undefined, free: { bytes: number }) {
  const clock = new ManualClock()
  const store = new Store({
    engine: new MemoryEngine(),
    clock,
    path: '/data',
    freeBytes: () => Promise.resolve(free.bytes),
  })
  await store.start()
  const state = new ReplicatedState({
    clock,
    store,
    versions: new RecentVersions(),
    tail: new LogTail(),
    identity: { clusterId, serverId: Buffer.alloc(16, 2) },
    position: startOf(clusterId),
    logBytes: 0n,
    ids: new IdCounters(),
    floor: logBeginning(clusterId),
    lastCommitUs: 0n,
  })
  t.teardown(() => state.close())
  return { state, clock }
}

void t.test('a primary refuses with DISK_FULL, stages nothing, goes on reading, and recovers by itself', async (t) => {
  const free = { bytes: DISK_FREE_BYTES_MIN }
  const { state, clock } = await stateOnDisk(t, Buffer.alloc(16, 1), free)
  const names = new TableNames(state)
  const locks = new LockTable(clock)
  const quotas = new Quotas(resolveLimits(), clock)
  const acknowledgements = new Acknowledgements(clock)
  const acks = new AckGate(state, acknowledgements, clock, undefined)
  const gate = new WriteGate(new Fence(state), acknowledgements, 0)
  const triggers = new Triggers<Transaction>()
  const lane = new CommitLane(state, names, clock, locks, quotas, gate, triggers)
  const purger = new LogPurger(state, clock, undefined, () => undefined)
  const subscriptions = new SubscriptionServer(state, clock, purger, () => undefined)
  t.teardown(() => purger.stop())
  lane.raiseEpoch(EPOCH_FIRST)
  const createdUs = 1n
  await lane.commitDefinitions(1n, () => ({
    catalogId: 1,
    statements: [
      { kind: 'createCatalog', after: { id: 1, name: 'local', createdUs, comment: '', options: {} } },
      { kind: 'createSchema', after: { id: 1, catalogId: 1, name: 'test', createdUs, comment: '', options: {} } },
    ],
  }))
  const db = new Catalog(
    {
      state,
      clock,
      names,
      lane,
      quotas,
      acks,
      gate,
      triggers,
      consumers: purger.consumers,
      projections: new RunningProjections(),
      subscriptions,
      begin: (catalog, options) =>
        new Transaction(
          {
            state,
            names,
            lane,
            locks,
            quotas,
            acks,
            triggers,
            ordinal: 1,
            nowUs: 1n,
            nowMs: 0,
            onEnd: () => undefined,
          },
          catalog,
          options,
        ),
      noteRetry: () => undefined,
    },
    catalogIdentifier('local'),
  )
  await db.execute([{ createTable: { table: TABLE } }, { insert: { table: 'things', rows: [{ id: 1 }] } }])
  free.bytes = DISK_FREE_BYTES_MIN - 1
  await clock.advance(2000)
  const { lsn } = state.durable
  t.equal(await outcomeOf(db.execute([{ insert: { table: 'things', rows: [{ id: 2 }] } }])), 'DISK_FULL')
  t.equal(await outcomeOf(db.transaction(async (tx) => tx.insert('things', { id: 2 }))), 'DISK_FULL')
  t.same(await collect(db.scan('things')), [{ id: 1 }])
  t.equal(await outcomeOf(db.execute([{ get: { table: 'things', key: { id: 1 } } }])), 'resolved')
  t.equal(state.head.lsn, lsn)
  free.bytes = DISK_FREE_BYTES_MIN
  await clock.advance(2000)
  const { lsn: next } = await db.execute([{ insert: { table: 'things', rows: [{ id: 2 }] } }])
  t.equal(next, lsn + 1n)
})

void t.test(
  'a replica whose disk is nearly full stops applying, says why, and goes on when there is space',
  async (t) => {
    const { primary, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
    await primary.catalog().execute([{ createTable: { table: TABLE } }])
    const free = { bytes: 0 }
    const { state, clock } = await stateOnDisk(t, undefined, free)
    const follower = new LogFollower(state, new BackgroundJobs(state, undefined, () => undefined), systemClock, {
      from: url,
      name: 'full',
    })
    t.teardown(() => {
      follower.close()
    })
    await until(() => follower.status().error?.code === 'DISK_FULL')
    t.not(follower.state, 'stopped')
    t.equal(state.durable.lsn, 0n)
    free.bytes = DISK_FREE_BYTES_MIN
    await clock.advance(2000)
    await state.whenDurable(primary.position.lsn)
    t.same(state.durable, primary.position)
  },
)

/** G7, G9: a purge waits for replicas that are there or were lately; one that was left behind is told, and so is anybody. */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { Primary } from '../../primary/primary.js'
import type { Replica } from '../../replica/replica.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { commit, commitUpTo, openPrimary, storedLsns } from '../log/purged-log.js'
import { ServedReplica } from '../../replica/served-replica.js'
import { follow, serve } from './linked-pair.js'
import { until } from './until.js'

t.setTimeout(120_000)

/** A table and rows, so that LSNs go up to `last`. */
async function fill(primary: Primary, last: bigint): Promise<void> {
  const columns = [
    { name: 'id', type: 'INTEGER' },
    { name: 'bytes', type: 'BLOB' },
  ]
  await primary.catalog().execute([{ createTable: { table: { name: 'rows', columns, primaryKey: ['id'] } } }])
  await commitUpTo(primary, last)
}

function durableOf(replica: Replica): bigint {
  return replica.position.lsn
}

void t.test(
  'a replica that is stopped holds the log back, finds it when it is back, and then lets it go',
  async (t) => {
    const { primary, url, served } = await serve(t, { path: '/memory', engine: new MemoryEngine() })
    const engine = new MemoryEngine()
    const replica = await follow(t, { path: '/memory', engine, from: url, name: 'r1' })
    await fill(primary, 10n)
    await until(() => served.replicas()[0]?.durable.lsn === '10')
    await replica.close()
    await commitUpTo(primary, 30n)
    await until(() => served.replicas()[0]?.connected === false)
    const held = await primary.purgeLog({ beforeLsn: 25n })
    t.equal(held.transactions, 10)
    t.match(held.heldBack, [{ name: /^replica r1 \(/, lsn: 10n, transactions: 14 }])
    t.match(served.status().logPurge, { holders: [{ lsn: '10', lost: false }], transactions: 10 })

    const back = await follow(t, { path: '/memory', engine: engine.crash(), from: url, name: 'r1' })
    await until(() => durableOf(back) === 30n && served.replicas()[0]?.durable.lsn === '30')
    t.match(await primary.purgeLog({ beforeLsn: 25n }), { transactions: 14, heldBack: [] })
    await commit(primary)
    await until(() => durableOf(back) === 31n)
  },
)

void t.test('the hard cap leaves a stopped replica behind: both sides say so, and another one goes on', async (t) => {
  const bytesMax = 1024 * 1024
  const { primary, url, served, faults } = await serve(t, {
    path: '/memory',
    engine: new MemoryEngine(),
    logRetention: { bytesMax },
  })
  const engine = new MemoryEngine()
  const replica = await follow(t, { path: '/memory', engine, from: url, name: 'late' })
  const other = await follow(t, { path: '/memory', engine: new MemoryEngine(), from: url, name: 'other' })
  await fill(primary, 10n)
  await until(() => served.replicas().every(({ durable }) => durable.lsn === '10') && served.replicas().length === 2)
  await replica.close()
  for (let n = 0; n < 20; n++) {
    await commit(primary, 150_000)
    await until(() => durableOf(other) === primary.position.lsn)
  }
  await primary.purger.idle()
  t.match(served.status().logPurge?.leftBehind, [{ name: /^replica late/, lsn: '10', bytesMax }])
  t.equal(faults.length, 1)
  t.match(faults[0], { code: 'HISTORY_LOST', message: /replica late .* was left behind: .* exceeded its hard cap/ })
  const back = await follow(t, { path: '/memory', engine: engine.crash(), from: url, name: 'late' })
  await until(() => back.replication().state === 'stopped')
  const { error } = back.replication()
  t.match(error, { code: 'HISTORY_LOST' })
  t.match(error?.message, /hard cap of 1048576 bytes.*The oldest position to start after is 1\.\d+\./s)
  t.equal(durableOf(back), 10n, 'it keeps what it has')
  await commit(primary)
  await until(() => durableOf(other) === primary.position.lsn)
})

void t.test('each server purges its own log; a replica waits for those that follow it', async (t) => {
  const { primary, url } = await serve(t, { path: '/memory', engine: new MemoryEngine() })
  const engine = new MemoryEngine()
  const replica = await follow(t, { path: '/memory', engine, from: url })
  const served = new ServedReplica(replica, { name: 'middle' })
  t.teardown(() => served.close())
  await fill(primary, 20n)
  await replica.waitFor(primary.position.lsn)
  const forget = replica.purger.retention.add(() => [{ name: 'behind it', lsn: 6n as never }], 0)
  t.match(await replica.purgeLog({ beforeLsn: 16n }), { transactions: 6, heldBack: [{ name: 'behind it' }] })
  forget()
  await delay(5)
  t.match(await replica.purgeLog({ beforeLsn: 16n }), { transactions: 9 })
  t.same((await storedLsns(engine))[0], 16n)
  t.equal(primary.state.trimFloor, 0n)
  await commit(primary)
  await replica.waitFor(primary.position.lsn)
  t.match(served.status(), { log: { trimFloor: '15' }, logPurge: { transactions: 15 } })
  await replica.close()
  const again = await follow(t, { path: '/memory', engine: engine.crash(), from: url })
  await commit(primary)
  await again.waitFor(primary.position.lsn)
  t.equal(again.state.trimFloor, 15n)
})

void t.test('a new replica of a purged log is told that it needs a copy', async (t) => {
  const engine = new MemoryEngine()
  const source = await openPrimary(engine)
  await commitUpTo(source, 9n)
  await source.purgeLog({ beforeLsn: 5n })
  await source.close()
  const { url } = await serve(t, { path: '/memory', engine: engine.crash() })
  const replica = await follow(t, { path: '/memory', engine: new MemoryEngine(), from: url })
  await until(() => replica.replication().state === 'stopped')
  t.match(replica.replication().error, { code: 'HISTORY_LOST' })
})

/**
 * G9, and a log that stays bounded: the hard cap has its turn between the steps of a purge by hand and beside the sweep of
 * outcomes, and costs nothing while nothing can go.
 */
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Lsn } from '../../core/position.js'
import { COPIED_OUTCOMES_META, encodeCopiedOutcomes } from '../../log/stored-outcome.js'
import { IDEMPOTENCY_PREFIX, LOG_PREFIX, logKey } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { seal } from '../../store/seal.js'
import { ManualClock } from '../primary/manual-clock.js'
import { until } from '../replication/until.js'
import { commit, commitUpTo, openPrimary, storedOutcomes } from './purged-log.js'
import { raiseFloor } from './raise-floor.js'

const MIB = 1024 * 1024

t.setTimeout(120_000)

/** Counts the pages that are read of keys with a prefix, and holds them while there is something to wait for. */
function watchPages(engine: MemoryEngine, prefix: number) {
  const watched = { pages: 0, hold: undefined as Promise<void> | undefined }
  const page = engine.page.bind(engine)
  engine.page = async (range, options) => {
    if (range.from[0] === prefix) {
      watched.pages++
      await watched.hold
    }
    return page(range, options)
  }
  return watched
}

/** A store as a copy has it: outcomes up to 8 without frames, and the log from there on up to 700. */
async function copied(t: Test): Promise<MemoryEngine> {
  const source = new MemoryEngine()
  const first = await openPrimary(source)
  await commitUpTo(first, 700n)
  await raiseFloor(first.state, 600n)
  await first.close()
  const engine = source.crash()
  const batch = engine.batch()
  for (let lsn = 1n; lsn <= 600n; lsn++) batch.del(logKey(lsn as Lsn, 0))
  const record = encodeCopiedOutcomes({ logFloor: 600n as Lsn, outcomeFloor: 0n as Lsn })
  batch.put(COPIED_OUTCOMES_META, seal(COPIED_OUTCOMES_META, record))
  await batch.writeSynced()
  t.equal((await storedOutcomes(engine)).length, 698)
  return engine
}

void t.test('a server that is no copy never walks over its outcomes', async (t) => {
  const engine = new MemoryEngine()
  const outcomes = watchPages(engine, IDEMPOTENCY_PREFIX)
  const primary = await openPrimary(engine)
  t.teardown(() => primary.close())
  await commitUpTo(primary, 20n)
  await primary.purgeLog({ beforeLsn: 12n })
  t.equal(outcomes.pages, 0)
})

void t.test('a copy does so once, beside its purges, and goes on after a restart', async (t) => {
  const engine = await copied(t)
  const outcomes = watchPages(engine, IDEMPOTENCY_PREFIX)
  let go = (): void => undefined
  outcomes.hold = new Promise((resolve) => (go = resolve))
  const primary = await openPrimary(engine, { logRetention: { bytesMax: 2 * MIB } })
  const purging = primary.purgeLog({ beforeLsn: 650n })
  await until(() => outcomes.pages === 1)
  for (let n = 0; n < 30; n++) await commit(primary, 100_000)
  await until(() => primary.state.trimFloor > 700n)
  t.equal(outcomes.pages, 1, 'the hard cap did not wait for it')
  t.equal(primary.purger.status().deleting, true)
  const closing = primary.close()
  go()
  await closing
  await t.rejects(purging, { code: 'CLOSED' })

  const crashed = engine.crash()
  t.ok(
    (await storedOutcomes(crashed)).some((key) => Number(key.slice(4)) > 500 && Number(key.slice(4)) <= 600),
    'not all is deleted',
  )
  const again = watchPages(crashed, IDEMPOTENCY_PREFIX)
  const second = await openPrimary(crashed)
  await second.purger.idle()
  t.ok(again.pages > 0)
  t.equal((await storedOutcomes(crashed)).length, Number(second.position.lsn - second.state.trimFloor))
  t.equal(second.purger.status().deleting, false)
  await second.close()

  const last = crashed.crash()
  const never = watchPages(last, IDEMPOTENCY_PREFIX)
  const third = await openPrimary(last)
  t.teardown(() => third.close())
  await third.purgeLog({ beforeLsn: third.position.lsn })
  t.equal(never.pages, 0, 'it is known to be done')
})

void t.test(
  'the hard cap has its turn between the steps of a dry run, whose answer is about what is left',
  async (t) => {
    const engine = new MemoryEngine()
    const primary = await openPrimary(engine, { logRetention: { bytesMax: 81 * MIB } })
    t.teardown(() => primary.close())
    for (let n = 0; n < 26; n++) await commit(primary, 3 * MIB)
    const frames = watchPages(engine, LOG_PREFIX)
    let go = (): void => undefined
    frames.hold = new Promise((resolve) => (go = resolve))
    const dry = primary.purgeLog({ beforeLsn: 29n, dryRun: true })
    await until(() => frames.pages === 1)
    for (let n = 0; n < 2; n++) await commit(primary, 3 * MIB)
    t.equal(primary.state.trimFloor, 0n)
    frames.hold = undefined
    go()
    const { transactions, floor } = await dry
    t.ok(primary.state.trimFloor > 0n, 'the log is below its cap before the second step')
    t.equal(floor.lsn, 28n)
    t.equal(transactions, Number(28n - primary.state.trimFloor))
    await primary.purger.idle()
  },
)

void t.test('above the hard cap where nothing can go, the log is looked at from timer to timer', async (t) => {
  const engine = new MemoryEngine()
  const clock = new ManualClock()
  const faults: unknown[] = []
  const onError = (error: unknown): void => void faults.push(error)
  const primary = await openPrimary(engine, { clock, onError, logRetention: { bytesMax: MIB } })
  t.teardown(() => primary.close())
  await commitUpTo(primary, 5n)
  await primary.purger.idle()
  const batch = engine.batch()
  batch.del(logKey(1n as Lsn, 0))
  await batch.writeSynced()
  const frames = watchPages(engine, LOG_PREFIX)
  for (let n = 0; n < 12; n++) await commit(primary, 100_000)
  await until(() => faults.length > 0)
  t.match(faults, [{ code: 'CORRUPT' }])
  await primary.purger.idle()
  const before = frames.pages
  for (let n = 0; n < 20; n++) {
    await commit(primary)
    await setImmediate()
  }
  await primary.purger.idle()
  t.equal(frames.pages, before, 'groups start no look')
  await clock.advance(10_000)
  await until(() => frames.pages > before)
})

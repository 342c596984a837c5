/**
 * G1, G3, G7 after kill -9 at random moments of primary and replica under concurrent load: no acknowledged transaction is
 * missing, none is half there or there twice, LSNs are dense, index entries and rows agree, fold(log) is the store, and the
 * replica's log is a byte-identical prefix.
 *
 * REPLOG_TORTURE_ROUNDS sets the rounds, REPLOG_TEST_SEED the choices.
 */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { Pair } from './pair.js'

const ROUNDS = Number(process.env['REPLOG_TORTURE_ROUNDS'] ?? 6)
const CLIENTS = 24

t.setTimeout(80_000 + ROUNDS * 15_000)

void t.test(`${ROUNDS} rounds of kill -9 on primary and replica, seed ${TEST_SEED}`, async (t) => {
  const random = new Random(TEST_SEED)
  const pair = await Pair.make(scratchDirectory(t), random)
  await pair.startPrimary()
  await pair.setUp()
  await pair.startReplica()
  for (let round = 1; round <= ROUNDS; round++) {
    const load = pair.load(CLIENTS)
    // One, the other or both may be restarted in the middle, so that each also catches up under load.
    if (random.chance(0.4)) {
      await pair.acknowledgedMore(random.below(100))
      await pair.killReplica()
      await pair.startReplica()
    }
    await pair.acknowledgedMore(random.below(200))
    await delay(random.below(20))
    if (random.chance(0.5)) {
      await Promise.all([pair.killPrimary(), pair.killReplica()])
    } else {
      await pair.killPrimary()
      await delay(random.below(50))
      await pair.killReplica()
    }
    await load
    t.same(await pair.check(), [], `round ${round}: ${pair.acknowledged.size} acknowledged in all`)
    await pair.startPrimary()
    await pair.startReplica()
  }
  const before = pair.acknowledged.size
  await pair.load(4, () => pair.acknowledged.size > before + 50)
  const last = [...pair.acknowledged.values()].reduce((highest, lsn) => (lsn > highest ? lsn : highest))
  await pair.replicaReaches(last)
  await pair.stop()
  t.same(await pair.check(), [], 'after a clean end')
  t.ok(pair.acknowledged.size > 50, `${pair.acknowledged.size} transactions were acknowledged`)
})

void t.test('kill -9 while a primary is founded leaves one that starts, or none', async (t) => {
  const random = new Random(TEST_SEED + 1)
  const pair = await Pair.make(scratchDirectory(t), random)
  for (let attempt = 0; attempt < 4; attempt++) {
    const started = pair.startPrimary().then(
      () => true,
      () => false,
    )
    await delay(100 + random.below(150))
    await pair.killPrimary()
    await started
  }
  await pair.startPrimary()
  await pair.setUp()
  await pair.startReplica()
  await pair.replicaReaches(2n)
  await pair.stop()
  t.same(await pair.check(), [])
})

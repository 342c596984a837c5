/**
 * G1, G3, G7 with real processes behind a bad network: kill -9, SIGSTOP, cut, delayed and swallowing links. In every round
 * the primary is lost for good; everything that was acknowledged at level `durable` is on the replica that takes over, and
 * in the end three servers have the same log, of which rows are the fold.
 *
 * REPLOG_FAILOVER_ROUNDS sets the rounds, REPLOG_TEST_SEED the choices; the machine orders what runs concurrently.
 */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { Random, TEST_SEED } from '../isolation/random.js'
import { scratchDirectory } from '../primary/scratch-directory.js'
import { factsOf, Load } from './load.js'
import { TortureCluster } from './torture-cluster.js'

const ROUNDS = Number(process.env['REPLOG_FAILOVER_ROUNDS'] ?? 3)
const ZOMBIE_MS = 300

t.setTimeout(60_000 + ROUNDS * 60_000)

void t.test(`${ROUNDS} primaries are lost, seed ${TEST_SEED}`, async (t) => {
  const random = new Random(TEST_SEED)
  const cluster = await TortureCluster.start(t, scratchDirectory(t), random)
  const load = new Load(random)
  await load.setUp(cluster.primary.server.url)
  for (let round = 1; round <= ROUNDS; round++) {
    const before = load.acknowledged.size
    const old = cluster.primary
    load.start(old.server.url)
    for (let count = random.below(4); count > 0; count--) {
      await cluster.harmForAWhile()
      await load.acknowledgedMore(1 + random.below(20))
    }
    // One of the replicas may be behind when it happens: what is acknowledged is on the other one then.
    const mend = random.chance(0.7) ? await cluster.harm(random.pick(cluster.replicas)) : () => Promise.resolve()
    await load.acknowledgedMore(1 + random.below(60))
    const isDead = random.chance(0.6)
    if (isDead) await old.server.kill()
    else old.server.signal('SIGSTOP')
    await load.stop()
    await mend()
    await cluster.failOver()
    if (!isDead) {
      // It wakes up as what it was, and nobody follows it.
      old.server.signal('SIGCONT')
      const known = load.acknowledged.size
      load.start(old.server.url)
      await delay(ZOMBIE_MS)
      await load.stop()
      t.equal(load.acknowledged.size, known, 'a primary that was replaced acknowledges nothing as durable')
      await old.server.kill()
    }
    const { ids, count } = await factsOf(cluster.primary.server.url)
    const lost = [...load.acknowledged].filter((id) => !ids.has(id))
    t.same(lost, [], `round ${round}: all of ${load.acknowledged.size} acknowledged transactions are there`)
    t.equal(count, BigInt(ids.size), 'each transaction is there as a whole, once')
    t.ok(load.acknowledged.size > before, `${load.acknowledged.size - before} were acknowledged in this round`)
    await cluster.rejoin(old)
    await cluster.converged()
  }
  t.same(await cluster.check(), [], 'in the end')
  t.comment(`${load.acknowledged.size} acknowledged, ${load.unknown} not`)
})

/**
 * G1 to G10 on simulated clocks, network and disks: whatever befalls a primary, two replicas and their clients, in the end
 * rows = fold(log) on every server, logs are byte-identical, what was acknowledged is there and what was refused is not.
 *
 * REPLOG_SIMULATOR_SEEDS sets how many runs, REPLOG_TEST_SEED which; `npm run simulate -- --seed N` replays one of them.
 */
import t from 'tap'
import { TEST_SEED } from '../isolation/random.js'
import { Simulation } from './simulation.js'

const SEEDS = Number(process.env['REPLOG_SIMULATOR_SEEDS'] ?? 50)
const FIRST = TEST_SEED * 1000

t.setTimeout(60_000 + SEEDS * 5000)

void t.test(`${SEEDS} runs from seed ${FIRST} on`, async (t) => {
  let [acknowledged, unknown, reads] = [0, 0, 0]
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const result = await new Simulation(seed).run()
    t.same(result.problems, [], `seed ${seed}; npm run simulate -- --seed ${seed}`)
    acknowledged += result.acknowledged
    unknown += result.unknown
    reads += result.reads
  }
  t.ok(acknowledged > SEEDS * 20, `${acknowledged} operations were acknowledged`)
  t.ok(unknown > 0, `the outcome of ${unknown} was never known`)
  t.ok(reads > SEEDS * 5, `${reads} reads`)
})

void t.test('a seed replays exactly, and another one does not', async (t) => {
  const first = await new Simulation(FIRST).run()
  t.same(await new Simulation(FIRST).run(), first)
  t.not((await new Simulation(FIRST + 1).run()).traceDigest, first.traceDigest)
})

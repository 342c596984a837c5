/** G1, G4, G5, G6, G7: the other half of the transactions of `ddl-model.test.ts`, in another process. */
import t from 'tap'
import { TEST_SEED } from '../isolation/random.js'
import { ROUNDS_TIMEOUT_MS, runRounds } from './rounds.js'

// Not a bound on the product: a busy machine may take its time.
t.setTimeout(ROUNDS_TIMEOUT_MS)

void t.test(`transactions do what the model says, seed ${TEST_SEED}`, { timeout: ROUNDS_TIMEOUT_MS }, async (t) => {
  const { done } = await runRounds(t, 2)
  t.ok(done.size > 0)
})

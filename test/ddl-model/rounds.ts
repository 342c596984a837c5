/** Rounds of random transactions, each on a cluster of its own, and what is said when one of them fails. */
import type { Test } from 'tap'
import { Random, TEST_SEED } from '../isolation/random.js'
import { text } from './compare.js'
import { Run } from './run.js'
import { RandomScript } from './script.js'
import { shrink } from './shrink.js'
import { Tally } from './tally.js'

/** Five thousand transactions in the short form; REPLOG_TORTURE_ROUNDS sets how many times as many, by sixes. */
const ROUNDS = 10 * Math.ceil(Number(process.env['REPLOG_TORTURE_ROUNDS'] ?? 6) / 6)
const TRANSACTIONS_PER_ROUND = 500
/** How long a failed history is made shorter, for whoever reads it. */
const SHRINK_MS = 15_000
const SHOWN_TRANSACTIONS = 3

export const ROUNDS_TIMEOUT_MS = 60_000 + ROUNDS * 12_000

/** @param file distinguishes the choices of one test file from those of another */
export async function runRounds(t: Test, file: number): Promise<Tally> {
  const tally = new Tally()
  for (let round = 0; round < ROUNDS; round++) {
    const seed = TEST_SEED * 1_000_003 + file * 100_003 + round
    const run = new Run(new RandomScript(new Random(seed), TRANSACTIONS_PER_ROUND))
    try {
      await run.run()
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      const shortest = await shrink({ history: run.history, message }, SHRINK_MS)
      t.comment(`REPLOG_TEST_SEED=${TEST_SEED}, round ${round}, transaction ${run.transactions}`)
      for (const record of run.history.slice(-SHOWN_TRANSACTIONS)) t.comment(text(record))
      t.comment(`${shortest.history.length} actions of ${run.history.length} bring about: ${shortest.message}`)
      for (const record of shortest.history) t.comment(text(record))
      throw error
    }
    tally.add(run.tally)
  }
  return tally
}

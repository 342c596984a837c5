/**
 * G6, G7, G8: a server is copied again and again while random transactions of any mix of DDL and DML run on it, and while
 * it crashes. Each copy holds, byte for byte, what the log makes at the copy's position: dictionary, rows, index entries,
 * statistics, outcomes, id counters, and the log from where the copying began.
 *
 * REPLOG_TORTURE_ROUNDS sets how many rounds, REPLOG_TEST_SEED which.
 */
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { cloneInto } from '../../replica/clone.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { Problems, sweep } from '../crash/store-contents.js'
import { Cluster } from '../ddl-model/cluster.js'
import { Run } from '../ddl-model/run.js'
import { RandomScript } from '../ddl-model/script.js'
import { Random, TEST_SEED } from '../isolation/random.js'
import { type TakenCopy, copyProblems, takenCopy } from './compare-copy.js'
import { sourceOf } from './sources.js'

const ROUNDS = Math.ceil(Number(process.env['REPLOG_TORTURE_ROUNDS'] ?? 6) / 2)
const TRANSACTIONS_PER_ROUND = 200
const TIMEOUT_MS = 120_000 + ROUNDS * 40_000

/** A cluster whose primary is being copied for as long as it is open. */
class CopiedCluster extends Cluster {
  readonly copies: TakenCopy[] = []
  readonly #random: Random
  #interrupted = 0
  #copying: Promise<void> | undefined
  #ended = false

  constructor(random: Random) {
    super()
    this.#random = random
  }

  /** How often a copy went on after the server was gone. */
  get interrupted(): number {
    return this.#interrupted
  }

  override async open(): Promise<void> {
    await super.open()
    this.#copying ??= this.#copyAgainAndAgain()
  }

  override async close(): Promise<void> {
    this.#ended = true
    await this.#copying
    await super.close()
  }

  async #copyAgainAndAgain(): Promise<void> {
    while (!this.#ended) {
      const engine = new MemoryEngine()
      const source = sourceOf(() => this.primary.state, {
        pageEntriesMax: 1 + this.#random.below(40),
        onSnapshot: async (bytes) => {
          for (let turns = this.#random.below(3); turns > 0; turns--) await turn()
          return bytes
        },
      })
      await cloneInto(engine, {
        source,
        onInterrupted: (error) => {
          this.#interrupted++
          // A crash of the server under the stream, and nothing else.
          if (error.code !== 'CLOSED') this.faults.push(`a copy was interrupted: ${error.code} ${error.message}`)
        },
      })
      this.copies.push(await takenCopy(engine.crash()))
    }
  }

  /** Everything that the primary holds. */
  async contents(): Promise<ReturnType<typeof sweep>> {
    return sweep(this.engine.crash(), new Problems())
  }
}

t.setTimeout(TIMEOUT_MS)

void t.test(`copies of a server under random transactions, seed ${TEST_SEED}`, { timeout: TIMEOUT_MS }, async (t) => {
  let copies = 0
  let interrupted = 0
  let onTop = 0
  for (let round = 0; round < ROUNDS; round++) {
    const random = new Random(TEST_SEED * 1_000_003 + 77_000 + round)
    // Choices of its own: how far a copy gets depends on the machine, what is done to the server does not.
    const cluster = new CopiedCluster(new Random(random.below(2 ** 31)))
    await new Run(new RandomScript(random, TRANSACTIONS_PER_ROUND), cluster).run()
    const source = await cluster.contents()
    for (const copy of cluster.copies) {
      const problems = copyProblems(copy, source)
      if (problems.length > 0) t.same(problems, [], `round ${round}, copy of ${copy.floor} to ${copy.lsn}`)
      if (copy.lsn > copy.floor) onTop++
    }
    copies += cluster.copies.length
    interrupted += cluster.interrupted
  }
  t.comment(`${copies} copies, ${onTop} with transactions on top of their pages, interrupted ${interrupted} times`)
  // Whatever is never tried proves nothing.
  t.ok(onTop >= ROUNDS, 'copies were made while transactions went on')
  t.ok(interrupted > 0, 'and went on after crashes')
})

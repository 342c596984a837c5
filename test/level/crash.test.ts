/** G1, G2: a batch is there whole or not at all, whenever the machine dies, and an acknowledged one is there. */
import t from 'tap'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine, type MemoryEngineHooks } from '../../store/memory-engine.js'
import { ReplogLevel } from '../../tools/level/replog-level.js'
import { checkStore } from '../crash/check-store.js'
import { Random, TEST_SEED } from '../isolation/random.js'

const ROUNDS = Number(process.env['REPLOG_LEVEL_CRASH_ROUNDS'] ?? 25)
const WRITERS = [0, 1, 2, 3]
const KEYS = Array.from({ length: 20 }, (_, key) => `${key}`)

/** An engine's hooks with which the machine dies at one side of a sync: nothing that waits is ever told. */
class Death {
  readonly hooks: MemoryEngineHooks
  /** Resolves when it has come. */
  readonly come: Promise<void>
  #syncsLeft = Infinity
  #tell: () => void = () => undefined

  constructor(side: 'beforeSync' | 'afterSync') {
    this.come = new Promise<void>((resolve) => (this.#tell = resolve))
    this.hooks = { [side]: () => this.#sync() }
  }

  comeAfter(syncs: number): void {
    this.#syncsLeft = syncs
  }

  #sync(): Promise<void> {
    if (this.#syncsLeft-- > 0) return Promise.resolve()
    this.#tell()
    return new Promise(() => undefined)
  }
}

/** Batches that give all keys of the writer the same value, one after the other, for ever. */
async function write(db: ReplogLevel, writer: number, round: number, acknowledged: Map<number, number>): Promise<void> {
  for (let value = round * 1000; ; value++) {
    await db.batch(KEYS.map((key) => ({ type: 'put', key: `${writer}:${key}`, value: `${value}` })))
    acknowledged.set(writer, value)
  }
}

void t.test(`batches of several writers, crash by crash (seed ${TEST_SEED})`, async (t) => {
  const random = new Random(TEST_SEED)
  const acknowledged = new Map<number, number>()
  let engine = new MemoryEngine()
  for (let round = 0; round < ROUNDS; round++) {
    const death = new Death(random.pick(['beforeSync', 'afterSync'] as const))
    engine = engine.crash(death.hooks)
    const primary = await Primary.open({ path: '/memory', engine, verifyIntervalMs: 0 })
    const db = new ReplogLevel({ catalog: primary.catalog() })
    await db.open()
    for (const writer of WRITERS) {
      const values = await db.getMany(KEYS.map((key) => `${writer}:${key}`))
      t.equal(new Set(values).size, 1, `round ${round}: the batches of writer ${writer} are whole`)
      t.ok(Number(values[0] ?? -1) >= (acknowledged.get(writer) ?? -1), 'what was acknowledged is there')
    }
    death.comeAfter(random.below(12))
    const writing = WRITERS.map((writer) => write(db, writer, round, acknowledged))
    await Promise.race([death.come, ...writing])
  }
  t.ok(acknowledged.size === WRITERS.length, 'all writers wrote')
  t.same((await checkStore(engine.crash())).problems, [], 'rows = fold(log)')
})

/** Statistics of more tables than are remembered: the durable ones are read again, those that a group holds stay. (G2) */
import t from 'tap'
import { systemClock } from '../../core/clock.js'
import { Effects } from '../../log/effects.js'
import { ChangedStatistics, Statistics } from '../../log/statistics.js'
import { rowPrefix } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { Store } from '../../store/store.js'
import { WriteSet } from '../../store/write-set.js'

/** As in `log/statistics.ts`. */
const REMEMBERED = 10_000
const CATALOG = 1

function rowOf(storageId: number, number: number): Effects {
  const effects = new Effects()
  effects.writes.put(Buffer.concat([rowPrefix(storageId), Buffer.of(number)]), Buffer.from(`row ${number}`))
  return effects
}

void t.test('what was forgotten is read again, and what a group holds is not forgotten', async (t) => {
  const engine = new MemoryEngine()
  const store = new Store({ engine, clock: systemClock, path: '/', freeBytes: () => Promise.resolve(Infinity) })
  const statistics = new Statistics(store)
  const commit = async (changed: ChangedStatistics): Promise<void> => {
    const writes = new WriteSet()
    statistics.write(changed, writes)
    await store.commit([writes])
    statistics.publish(changed)
  }
  const count = (effects: Effects, changed: ChangedStatistics): void => {
    statistics.load(effects, CATALOG)
    statistics.count(effects, CATALOG, changed)
  }

  const first = new ChangedStatistics()
  count(rowOf(1, 0), first)
  await commit(first)
  const digest = statistics.table(1).digest

  const held = new ChangedStatistics()
  count(rowOf(2, 0), held)
  const many = new ChangedStatistics()
  for (let storageId = 3; storageId <= REMEMBERED + 500; storageId++) count(rowOf(storageId, 0), many)
  await commit(many)

  t.equal(statistics.durableTable(2).rows, 0, 'G2: not shown before its group is durable')
  count(rowOf(2, 1), held)
  t.equal(statistics.table(2).rows, 2, 'the one that an open group holds was not forgotten')
  await commit(held)
  t.equal(statistics.durableTable(2).rows, 2)

  t.equal(statistics.durableTable(1).digest, digest, 'the oldest is read again')
  const again = new ChangedStatistics()
  count(rowOf(1, 1), again)
  t.equal(statistics.table(1).rows, 2, 'and counted on from there')
  t.equal(statistics.durableTable(1).rows, 1)
  await commit(again)
  t.equal(statistics.durableTable(1).rows, 2)
  await store.close()
})

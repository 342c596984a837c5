/** A replica that is to leave its primary, and cannot apply what it received: it says so and waits for nothing. (G10) */
import t, { type Test } from 'tap'
import { MemoryEngine } from '../../store/memory-engine.js'
import { follow, serve } from '../replication/linked-pair.js'
import { ITEMS, items } from '../replication/tables.js'
import { until } from '../replication/until.js'

/** A replica that was paused and has received what it has not applied. */
async function pausedBehind(t: Test, engine: MemoryEngine) {
  const { primary, url } = await serve(t, { path: '/primary', engine: new MemoryEngine() })
  const db = primary.catalog()
  await db.execute([{ createTable: { table: ITEMS } }])
  const replica = await follow(t, { path: '/replica', engine, from: url })
  await replica.waitFor(primary.position.lsn)
  await replica.pause({ by: 'somebody', reason: 'a look' })
  await db.execute([{ insert: { table: 'items', rows: items(3, 'a') } }], { ack: 'received' })
  return { primary, replica }
}

void t.test('one that is paused does not leave, and goes on when it is resumed', async (t) => {
  const { primary, replica } = await pausedBehind(t, new MemoryEngine())
  await t.rejects(replica.leave(), { code: 'PROMOTION_REFUSED', message: /resume it first/ })
  await replica.resume()
  await until(() => replica.position.lsn === primary.position.lsn)
  t.equal((await replica.leave()).lsn, primary.position.lsn)
})

void t.test('one whose store has failed ends with that', async (t) => {
  let isBroken = false
  const beforeSync = (): Promise<void> => (isBroken ? Promise.reject(new Error('no device')) : Promise.resolve())
  const { replica } = await pausedBehind(t, new MemoryEngine({ beforeSync }))
  isBroken = true
  await t.rejects(replica.resume())
  await t.rejects(replica.leave(), { code: /COMMIT_UNKNOWN|STORE_FAILED/ })
})

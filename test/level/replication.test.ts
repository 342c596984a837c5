/** A level is replicated like every table: its copy reads only, sees batches whole, and goes on when it is promoted. (G3, G7) */
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { ReplogLevel } from '../../tools/level/replog-level.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { differences } from '../replication/equal-stores.js'
import { follow, serve } from '../replication/linked-pair.js'

void t.test('a level over a replica reads what the primary committed, and refuses to write', async (t) => {
  const engines = { primary: new MemoryEngine(), replica: new MemoryEngine() }
  const { primary, url, close } = await serve(t, { path: '/primary', engine: engines.primary })
  const replica = await follow(t, { path: '/replica', engine: engines.replica, from: url })
  const written = new ReplogLevel({ catalog: primary.catalog() })
  const early = new ReplogLevel({ catalog: replica.catalog(), table: 'test.other' })
  await t.rejects(early.open(), { cause: { code: 'LEVEL_TABLE_NOT_FOUND', message: /on this replica/ } })

  await written.batch(Array.from({ length: 100 }, (_, n) => ({ type: 'put', key: `${n}`, value: '0' })))
  const users = written.sublevel('users')
  await users.put('ann', '1')
  await replica.waitFor(primary.position)
  const read = new ReplogLevel({ catalog: replica.catalog() })
  await read.open()
  t.equal(read.supports.createIfMissing, false)
  t.equal(await read.sublevel('users').get('ann'), '1')
  const readOnly = { code: 'LEVEL_READONLY', cause: { code: 'READ_ONLY_REPLICA' } }
  await t.rejects(read.put('a', '1'), readOnly)
  await t.rejects(read.del('a'), readOnly)
  await t.rejects(read.batch().put('a', '1').write(), readOnly)
  await t.rejects(read.clear(), readOnly)
  await t.rejects(
    read.transaction((tx) => tx.put('a', '1')),
    readOnly,
  )

  const changed: string[] = []
  const following = (async () => {
    for await (const change of read.changes()) {
      if (change.type === 'put') changed.push(change.key)
      if (change.type === 'put' && change.value === '20') break
    }
  })()
  const snapshot = read.snapshot()
  const rounds = (async () => {
    for (let round = 1; round <= 20; round++) {
      await written.batch(Array.from({ length: 100 }, (_, n) => ({ type: 'put', key: `${n}`, value: `${round}` })))
    }
  })()
  const range = { gte: '0', lt: ':' }
  const torn: string[][] = []
  for (let values: string[] = []; values[0] !== '20';) {
    values = await read.values(range).all()
    if (new Set(values).size !== 1) torn.push(values)
    await setImmediate()
  }
  t.same(torn, [], 'every read sees whole batches')
  await rounds
  t.same([...new Set(await read.values({ ...range, snapshot }).all())], ['0'], 'a snapshot of a replica stays')
  await following
  t.equal(changed[0], '0')

  await Promise.all([read.close(), written.close()])
  await replica.waitFor(primary.position)
  await replica.close()
  await close()
  t.same(await differences(engines.primary, engines.replica), [])
})

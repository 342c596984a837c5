/** The change stream of a level: its commits in order, keys and values decoded, with tokens that resume. (G3) */
import t from 'tap'
import { SCAN_PAGE_ROWS_MAX } from '../../core/limits.js'
import { openGated } from '../primary/open-primary.js'
import { type LevelChange, ReplogLevel } from '../../tools/level/replog-level.js'

/** What changed, without the places. */
function told<K, V>(changes: readonly LevelChange<K, V>[]): unknown[] {
  return changes.map((change) => {
    const { token: _token, lsn: _lsn, ...rest } = change
    return rest
  })
}

async function all<K, V>(changes: AsyncIterable<LevelChange<K, V>>): Promise<LevelChange<K, V>[]> {
  const found: LevelChange<K, V>[] = []
  for await (const change of changes) found.push(change)
  return found
}

void t.test('puts, overwrites, dels and clears of a level and of its sublevels', async (t) => {
  const { db: catalog } = await openGated(t)
  const db = new ReplogLevel({ catalog })
  await db.open()
  const users = db.sublevel<string, { n: number }>('users', { valueEncoding: 'json' })
  const orders = db.sublevel<Buffer, Buffer>('orders', { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  const order = Buffer.of(0, 255, 1)
  await db.batch<string | Buffer, unknown>(
    [
      { type: 'put', sublevel: users, key: 'ann', value: { n: 1 } },
      { type: 'put', sublevel: orders, key: order, value: order },
      { type: 'put', key: 'plain', value: 'x' },
    ],
    {},
  )
  await users.put('ann', { n: 2 })
  await users.del('ann')
  await orders.clear()
  const ofUsers = await all(db.changes({ after: '0', follow: false, sublevel: users }))
  t.same(told(ofUsers), [
    { type: 'put', key: 'ann', value: { n: 1 }, before: undefined, snapshot: false },
    { type: 'put', key: 'ann', value: { n: 2 }, before: { n: 1 }, snapshot: false },
    { type: 'del', key: 'ann', before: { n: 2 } },
  ])
  t.same(
    told(await all(db.changes({ after: ofUsers[0]!.token, follow: false, sublevel: users }))),
    told(ofUsers.slice(1)),
  )
  t.same(told(await all(db.changes({ after: '0', follow: false, sublevel: orders }))), [
    { type: 'put', key: order, value: order, before: undefined, snapshot: false },
    { type: 'del', key: order, before: order },
  ])
  const keys = (await all(db.changes({ after: '0', follow: false }))).map((change) => 'key' in change && change.key)
  t.same(keys, ['!users!ann', '!orders!\0\ufffd\u0001', 'plain', '!users!ann', '!users!ann', '!orders!\0\ufffd\u0001'])
  await catalog.execute([{ truncateTable: { table: 'kv' } }])
  t.same(told(await all(db.changes({ after: '0', follow: false }))).at(-1), { type: 'clear' })
})

void t.test('an update that changes a key is a del and a put, of the sublevel that each key is in', async (t) => {
  const { db: catalog } = await openGated(t)
  const db = new ReplogLevel({ catalog })
  const left = db.sublevel('left')
  const right = db.sublevel('right')
  await left.put('a', '1')
  const [put] = await all(db.changes({ after: '0', follow: false }))
  const [from, to] = ['!left!a', '!right!b'].map((key) => Buffer.from(key))
  await catalog.execute([{ update: { table: 'kv', key: { key: from }, set: { key: to } } }])
  const after = put!.token
  const both = await all(db.changes({ after, follow: false }))
  const del = { type: 'del', before: '1' }
  const again = { type: 'put', value: '1', before: undefined, snapshot: false }
  t.same(told(both), [
    { ...del, key: '!left!a' },
    { ...again, key: '!right!b' },
  ])
  t.same(told(await all(db.changes({ after: both[0]!.token, follow: false }))), told(both), 'none is passed over')
  t.same(await all(db.changes({ after: both[1]!.token, follow: false })), [])
  t.same(told(await all(db.changes({ after, follow: false, sublevel: left }))), [{ ...del, key: 'a' }])
  t.same(told(await all(db.changes({ after, follow: false, sublevel: right }))), [{ ...again, key: 'b' }])
})

void t.test('what is there comes first where that is asked for, and then what is committed', async (t) => {
  const { db: catalog } = await openGated(t)
  const db = new ReplogLevel({ catalog })
  await db.batch([
    { type: 'put', key: 'a', value: '1' },
    { type: 'put', key: 'b', value: '1' },
  ])
  const seen = new Map<string, string>()
  const stop = new AbortController()
  const reading = (async () => {
    for await (const change of db.changes({ snapshot: true, signal: stop.signal })) {
      if (change.type === 'put') seen.set(change.key, change.value)
      if (change.type === 'del') seen.delete(change.key)
      if (change.type === 'snapshotEnd') await db.batch().put('c', '1').del('a').put('last', '1').write()
      if (seen.has('last')) stop.abort(new Error('enough'))
    }
  })()
  await t.rejects(reading, { message: 'enough' })
  t.same([...seen.keys()].sort(), ['b', 'c', 'last'])
})

void t.test('rows of which a snapshot tells only that they were rewritten are puts of it', async (t) => {
  const { db: catalog } = await openGated(t)
  const db = new ReplogLevel({ catalog })
  const keys = Array.from({ length: SCAN_PAGE_ROWS_MAX + 2 }, (_, n) => `${n}`.padStart(5, '0'))
  await db.batch(keys.map((key) => ({ type: 'put', key, value: key })))
  const changes = db.changes({ snapshot: true, follow: false })
  const seen = new Map<string, boolean>()
  const note = (change: LevelChange<string, string> | undefined): void => {
    if (change?.type === 'put') seen.set(change.key, change.snapshot)
  }
  note((await changes.next()).value as LevelChange<string, string>)
  await catalog.execute([
    {
      alterTable: {
        table: 'kv',
        changes: [{ addColumn: { name: 'made', type: 'UUID', default: { function: 'uuid' } } }],
      },
    },
  ])
  for await (const change of changes) note(change)
  t.same([...seen.keys()], keys)
  t.ok([...seen.values()].every((isOfSnapshot) => isOfSnapshot))
})

void t.test(
  'a stream that waits is rejected when its level closes, and begins when its level has opened',
  async (t) => {
    const { db: catalog } = await openGated(t)
    const db = new ReplogLevel({ catalog })
    const changes = db.changes()
    const first = changes.next()
    await db.open()
    await db.put('a', '1')
    const rest = first.then(() => changes.next())
    await first
    const closing = db.close()
    await t.rejects(rest, { code: 'LEVEL_DATABASE_NOT_OPEN', cause: { code: 'CLOSED' } })
    await closing
    t.same(await changes.next(), { done: true, value: undefined })
    await t.rejects(db.changes().next(), { code: 'LEVEL_DATABASE_NOT_OPEN' })
  },
)

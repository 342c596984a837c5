/**
 * G1, G4: what a projection writes and its position are one transaction, so each change counts exactly once in it: over
 * conflicts, errors of the handler, restarts, crashes and second runners.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { PROJECTION_BATCH_CHANGES_MAX, PROJECTION_PAUSE_MS_MAX } from '../../core/limits.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import { Primary } from '../../primary/primary.js'
import type { Projection } from '../../primary/projections/projection.js'
import type { ProjectionChange, ProjectionOptions } from '../../primary/projections/projection-options.js'
import type { Transaction } from '../../primary/transaction.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { checkStore } from '../crash/check-store.js'
import { advancing } from '../log/purged-log.js'
import { ManualClock } from '../primary/manual-clock.js'
import { openGated } from '../primary/open-primary.js'
import { collect } from '../primary/outcome.js'
import { until } from '../replication/until.js'

const ORDERS: TableDefinition = {
  name: 'orders',
  columns: [
    { name: 'id', type: 'BIGINT' },
    { name: 'n', type: 'BIGINT' },
  ],
  primaryKey: ['id'],
}
/** What a projection has seen of each order: how often, and the sum of what changed. */
const SEEN: TableDefinition = {
  name: 'seen',
  columns: [
    { name: 'id', type: 'BIGINT' },
    { name: 'changes', type: 'BIGINT' },
    { name: 'n', type: 'BIGINT' },
  ],
  primaryKey: ['id'],
}
const OF_ORDERS: ProjectionOptions = { tables: ['orders'], operations: ['insert', 'update', 'delete'] }

async function open(
  t: Test,
  options: Parameters<typeof openGated>[1] = {},
): Promise<{ primary: Primary; db: Catalog; memory: MemoryEngine }> {
  const opened = await openGated(t, options)
  await opened.db.execute([{ createTable: { table: ORDERS } }, { createTable: { table: SEEN } }])
  return opened
}

async function count(change: ProjectionChange, transaction: Transaction): Promise<void> {
  if (change.type === 'definition' || change.type === 'snapshotEnd') return
  const before = 'before' in change ? change.before : undefined
  const { after } = change
  const { id } = (after ?? before)!
  const delta = ((after?.n ?? 0n) as bigint) - ((before?.n ?? 0n) as bigint)
  const row = await transaction.get('seen', { id })
  if (row === undefined) await transaction.insert('seen', { id, changes: 1, n: delta })
  else {
    const set = { changes: (row.changes as bigint) + 1n, n: (row.n as bigint) + delta }
    await transaction.update('seen', { id }, set)
  }
}

async function insert(db: Catalog, ...ids: number[]): Promise<void> {
  await db.execute([{ insert: { table: 'orders', rows: ids.map((id) => ({ id, n: id })) } }])
}

/** Until it has looked at all that is durable now. */
async function caughtUp(projection: Projection, db: Catalog): Promise<void> {
  const { lsn } = db.position
  await until(() => {
    const { state, lagTransactions, error } = projection.status
    if (state === 'failed') throw error
    return db.position.lsn - BigInt(lagTransactions) >= lsn
  })
}

async function seen(db: Catalog): Promise<string[]> {
  return (await collect(db.scan('seen'))).map(({ id, changes, n }) => [id, changes, n].map(String).join(' '))
}

t.test('G1: a projection counts each change once, and goes on where it was', async (t) => {
  const { primary, db, memory } = await open(t)
  await insert(db, 1, 2)
  const first = db.project('count', count, OF_ORDERS)
  await caughtUp(first, db)
  t.match(first.status, { state: 'running', changes: 2n, error: undefined })
  await db.execute([{ update: { table: 'orders', key: { id: 1 }, set: { n: 10 } } }])
  await caughtUp(first, db)
  await first.stop()
  await first.done
  t.equal(first.status.state, 'stopped')
  await db.execute([{ delete: { table: 'orders', key: { id: 2 } } }])
  await insert(db, 3)
  t.same(await seen(db), ['1 2 10', '2 1 2'], 'nothing while it stands')
  const second = db.project('count', count, OF_ORDERS)
  await caughtUp(second, db)
  t.same(await seen(db), ['1 2 10', '2 2 0', '3 1 3'])
  await primary.close()
  await second.done
  t.equal(second.status.state, 'stopped', 'a server that closes stops it')
  t.same((await checkStore(memory.crash())).problems, [])
})

t.test('G1: after each crash a projection has applied exactly what its position says', async (t) => {
  let memory = new MemoryEngine()
  let changes = 0
  for (let round = 0; round < 6; round++) {
    const primary = await Primary.open({ path: '/memory', engine: memory })
    const db = primary.catalog()
    if (round === 0) await db.execute([{ createTable: { table: ORDERS } }, { createTable: { table: SEEN } }])
    const projection = db.project('count', count, OF_ORDERS)
    const ids = Array.from({ length: 40 }, (_, at) => round * 40 + at)
    for (const id of ids) await insert(db, id)
    changes += ids.length
    if (round % 2 === 0) await until(() => projection.status.changes > BigInt(changes - 30))
    // What was not synced is gone with the process; what goes on in the old one does not reach the new one.
    memory = memory.crash()
    await primary.close()
    await projection.done
  }
  const primary = await Primary.open({ path: '/memory', engine: memory })
  const db = primary.catalog()
  const projection = db.project('count', count, OF_ORDERS)
  await caughtUp(projection, db)
  t.same(
    await seen(db),
    Array.from({ length: changes }, (_, id) => `${id} 1 ${id}`),
  )
  t.match(await db.projections.list(), [{ name: 'count', changes: BigInt(changes) }])
  await primary.close()
})

t.test('G4: conflicts with other writers are repeated, and still each change counts once', async (t) => {
  const { db } = await open(t)
  await db.execute([{ insert: { table: 'seen', rows: [{ id: 0, changes: 0, n: 0 }] } }])
  const projection = db.project(
    'all',
    async (_change, transaction) => {
      const { changes } = (await transaction.get('seen', { id: 0 }))!
      await transaction.update('seen', { id: 0 }, { changes: (changes as bigint) + 1n })
    },
    OF_ORDERS,
  )
  for (let id = 1; id <= 50; id++) {
    await insert(db, id)
    await db.execute([{ update: { table: 'seen', key: { id: 0 }, set: { n: { add: 1 } } } }])
  }
  await caughtUp(projection, db)
  t.match(db.get('seen', { id: 0 }), { changes: 50n, n: 50n })
})

t.test('G4: of two runners of one name the newer goes on, and nothing is applied twice', async (t) => {
  const { primary, db } = await open(t)
  const runners = [db.project('count', count, OF_ORDERS)]
  for (let id = 0; id < 60; id++) {
    await insert(db, id)
    if (id % 20 === 10) runners.push(primary.catalog().project('count', count, OF_ORDERS))
  }
  const newest = runners.at(-1)!
  await caughtUp(newest, db)
  await insert(db, 60)
  await caughtUp(newest, db)
  for (const old of runners.slice(0, -1)) {
    await t.rejects(old.done, { code: 'PROJECTION_MOVED' })
    t.match(old.status, { state: 'failed', error: { code: 'PROJECTION_MOVED' } })
  }
  t.same(
    await seen(db),
    Array.from({ length: 61 }, (_, id) => `${id} 1 ${id}`),
  )
})

t.test('an error of the handler stops it behind the change before, with nothing of its own left', async (t) => {
  const { db } = await open(t)
  await insert(db, 1)
  await insert(db, 2, 3)
  await insert(db, 4)
  const why = new Error('three')
  let isMended = false
  const failing = async (change: ProjectionChange, transaction: Transaction): Promise<void> => {
    await count(change, transaction)
    if (!isMended && 'after' in change && (change.after as { id?: bigint } | undefined)?.id === 3n) throw why
  }
  const projection = db.project('count', failing, OF_ORDERS)
  await t.rejects(projection.done, why)
  t.match(projection.status, { state: 'failed', error: why, changes: 1n })
  t.same(await seen(db), ['1 1 1'], 'a source transaction is applied whole or not at all')
  isMended = true
  const again = db.project('count', failing, OF_ORDERS)
  await caughtUp(again, db)
  t.same(await seen(db), ['1 1 1', '2 1 2', '3 1 3', '4 1 4'])
})

t.test('with `retry` a handler that fails is called again, as often as asked for', async (t) => {
  const { db } = await open(t)
  await insert(db, 1)
  let calls = 0
  const projection = db.project(
    'count',
    async (change, transaction) => {
      await count(change, transaction)
      if (++calls < 4) throw new Error(`call ${calls}`)
    },
    { ...OF_ORDERS, retry: { attemptsMax: 4, pauseMs: 0 } },
  )
  await caughtUp(projection, db)
  t.same(await seen(db), ['1 1 1'])
  t.equal(calls, 4)
  calls = -100
  const given = db.project(
    'given up',
    () => {
      throw new Error(`call ${++calls}`)
    },
    { ...OF_ORDERS, retry: { attemptsMax: 3, pauseMs: 0 } },
  )
  await t.rejects(given.done, { message: 'call -97' })
})

t.test('whole transactions are applied whole, however large, and small ones together', async (t) => {
  const { primary, db } = await open(t)
  const large = PROJECTION_BATCH_CHANGES_MAX * 2 + 7
  await db.execute([{ insert: { table: 'orders', rows: Array.from({ length: large }, (_, id) => ({ id, n: 1 })) } }])
  for (let id = 0; id < 20; id++) await insert(db, large + id)
  const sizes: number[] = []
  const before = primary.position.lsn
  const projection = db.project(
    'sizes',
    async (change, transaction) => {
      if (change.type !== 'transaction') return
      sizes.push(change.changes.length)
      await transaction.insert('seen', { id: change.lsn, changes: change.changes.length, n: 0 })
    },
    { ...OF_ORDERS, transactions: true },
  )
  await caughtUp(projection, db)
  t.same(sizes, [large, ...Array.from({ length: 20 }, () => 1)])
  t.equal((await collect(db.scan('seen'))).length, 21)
  t.ok(primary.position.lsn - before < 10n, 'with far fewer transactions than it applied')
})

t.test(
  'a first run with `snapshot` begins with the rows that are there, and goes on inside it after a stop',
  async (t) => {
    const { db } = await open(t)
    const rows = Array.from({ length: 3000 }, (_, id) => ({ id, n: id }))
    await db.execute([{ insert: { table: 'orders', rows } }])
    await db.execute([{ update: { table: 'orders', key: { id: 5 }, set: { n: 6 } } }])
    const options = { ...OF_ORDERS, snapshot: true }
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    let calls = 0
    const holding = async (change: ProjectionChange, transaction: Transaction): Promise<void> => {
      if (++calls === 700) await held
      await count(change, transaction)
    }
    const first = db.project('count', holding, options)
    await until(() => calls === 700)
    const stopped = first.stop()
    release()
    await stopped
    t.equal(first.status.inSnapshot, true)
    await insert(db, 5000)
    await db.execute([{ delete: { table: 'orders', key: { id: 0 } } }])
    const second = db.project('count', count, options)
    await caughtUp(second, db)
    await until(() => !second.status.inSnapshot)
    await insert(db, 5001)
    await caughtUp(second, db)
    const counted = new Map((await collect(db.scan('seen'))).map(({ id, n }) => [id, n]))
    t.equal(counted.size, 3002)
    t.ok([...counted].every(([id, n]) => n === (id === 0n ? 0n : id === 5n ? 6n : id)))
  },
)

t.test('`after` begins there, and only on the first run', async (t) => {
  const { db } = await open(t)
  await insert(db, 1)
  const after = String(db.position.lsn)
  await insert(db, 2)
  const first = db.project('count', count, { ...OF_ORDERS, after })
  await caughtUp(first, db)
  await first.stop()
  await insert(db, 3)
  const second = db.project('count', count, { ...OF_ORDERS, after: '0' })
  await caughtUp(second, db)
  t.same(await seen(db), ['2 1 2', '3 1 3'])
  await second.stop()
  await db.projections.reset('count', (transaction) => transaction.truncateTable('seen'))
  t.match(await db.projections.list(), [{ name: 'count', token: undefined, changes: 0n, lagTransactions: undefined }])
  const third = db.project('count', count, { ...OF_ORDERS, after: '0' })
  await caughtUp(third, db)
  t.same(await seen(db), ['1 1 1', '2 1 2', '3 1 3'])
})

t.test('a projection that would feed itself is stopped', async (t) => {
  const { db } = await open(t)
  await insert(db, 1)
  let id = 100
  const feeding: readonly [ProjectionOptions, (transaction: Transaction) => Promise<unknown>][] = [
    [OF_ORDERS, (transaction) => transaction.insert('orders', { id: 100, n: 1 })],
    [{ tables: ['*'] }, (transaction) => transaction.insert('seen', { id: ++id, n: 1 })],
    [{}, (transaction) => transaction.update('orders', { id: 1 }, { n: { add: 1 } })],
  ]
  for (const [options, write] of feeding) {
    const projection = db.project(
      'feeding',
      async (_change, transaction) => {
        await write(transaction)
      },
      options,
    )
    await t.rejects(projection.done, { code: 'PROJECTION_FEEDBACK' })
  }
  t.equal((await collect(db.scan('orders'))).length, 1)
  const allowed = db.project(
    'allowed',
    async (change, transaction) => {
      if (change.type === 'insert') await transaction.update('orders', { id: change.after!.id }, { n: 7 })
    },
    { tables: ['orders'], operations: ['insert'] },
  )
  await caughtUp(allowed, db)
  t.match(db.get('orders', { id: 1 }), { n: 7n }, 'what it is not given does not come back to it')
})

t.test('a handler neither commits nor keeps a transaction that it rolled back', async (t) => {
  const { db } = await open(t)
  await insert(db, 1)
  const rolling = db.project('b', (_change, transaction) => transaction.rollback(), OF_ORDERS)
  await t.rejects(rolling.done, { code: 'NO_TRANSACTION' })
  const awaiting = db.project(
    'c',
    async (_change, transaction) => {
      await transaction.commit()
    },
    OF_ORDERS,
  )
  await t.rejects(awaiting.done, { code: 'INVALID_ARGUMENT' })
  t.same(
    (await db.projections.list()).map(({ changes }) => changes),
    [0n, 0n],
  )
})

t.test('G9: a projection holds the log from its position on, running or not, until it is dropped', async (t) => {
  const { primary, db } = await open(t)
  await insert(db, 1)
  const projection = db.project('count', count, OF_ORDERS)
  await caughtUp(projection, db)
  await projection.stop()
  const held = db.position.lsn
  for (let id = 2; id < 30; id++) await insert(db, id)
  const holder = { name: 'projection count of catalog local' }
  const { heldBack, floor } = await primary.purgeLog({ keepBytes: 0 })
  t.match(heldBack, [holder])
  t.ok(floor.lsn <= held)
  const again = db.project('count', count, OF_ORDERS)
  await caughtUp(again, db)
  t.equal((await seen(db)).length, 29, 'it misses nothing')
  await t.rejects(db.projections.drop('nobody'), { code: 'NOT_FOUND' })
  await db.projections.drop('count')
  await insert(db, 30)
  await t.rejects(again.done, { code: 'PROJECTION_MOVED', message: /dropped/ })
  t.same((await primary.purgeLog({ keepBytes: 0 })).heldBack, [])
  t.same(await db.projections.list(), [])
})

t.test('G9: a projection holds the log from where it begins, though its first change never committed', async (t) => {
  const { primary, db } = await open(t)
  await insert(db, 1)
  const after = String(db.position.lsn)
  await insert(db, 2)
  const why = new Error('the first')
  const fail = (): never => {
    throw why
  }
  await t.rejects(db.project('all', fail, OF_ORDERS).done, why)
  const { token } = (await db.projections.list())[0]!
  t.match(token, /^\d+\.0\./)
  t.same(
    (await primary.purgeLog({ keepBytes: 0 })).heldBack.map(({ name }) => name),
    ['projection all of catalog local'],
  )
  const all = db.project('all', count, OF_ORDERS)
  await caughtUp(all, db)
  t.same(await seen(db), ['1 1 1', '2 1 2'])
  await all.stop()
  await db.projections.drop('all')
  await t.rejects(db.project('behind', fail, { ...OF_ORDERS, after }).done, why)
  await primary.purgeLog({ keepBytes: 0 })
  await t.rejects(db.project('too late', fail, OF_ORDERS).done, { code: 'HISTORY_LOST' }, 'what nobody needs is gone')
  const behind = db.project('behind', count, OF_ORDERS)
  await caughtUp(behind, db)
  t.same(await seen(db), ['1 1 1', '2 2 4'])
})

t.test('G9: a position that cannot be read holds all of the log up to the hard cap, and stops no purge', async (t) => {
  const faults: unknown[] = []
  const bytesMax = 1024 * 1024
  const onError = (error: unknown): unknown => faults.push(error)
  const { primary, db } = await open(t, { logRetention: { bytesMax }, onError })
  await insert(db, 1)
  const projection = db.project('count', count, OF_ORDERS)
  await caughtUp(projection, db)
  await projection.stop()
  const bad = { name: 'bad', token: 'no token', runner: null, changes: 0n, moved_at: new Date(0) }
  await db.transaction((transaction) =>
    transaction.runAsSystem({ insert: { table: 'replog.projections', rows: [bad] } }),
  )
  const { heldBack, transactions } = await primary.purgeLog({ keepBytes: 0 })
  t.equal(transactions, 0)
  t.same(
    heldBack.map(({ name }) => name),
    ['projections that cannot be read', 'projection count of catalog local'],
  )
  await primary.purgeLog({ keepBytes: 0 })
  t.match(faults, [{ code: 'INVALID_ARGUMENT', message: /"no token"/ }])
  t.equal(faults.length, 1, 'the same is reported once')
  await db.projections.drop('bad')
  t.same(
    (await primary.purgeLog({ keepBytes: 0 })).heldBack.map(({ name }) => name),
    ['projection count of catalog local'],
    'who can be read holds as before',
  )
  await db.transaction((transaction) =>
    transaction.runAsSystem({ insert: { table: 'replog.projections', rows: [bad] } }),
  )
  const blobs: TableDefinition = {
    ...ORDERS,
    name: 'blobs',
    columns: [
      { name: 'id', type: 'BIGINT' },
      { name: 'bytes', type: 'BLOB' },
    ],
  }
  await db.execute([{ createTable: { table: blobs } }])
  for (let id = 0; id < 30; id++) {
    await db.execute([{ insert: { table: 'blobs', rows: [{ id, bytes: Buffer.alloc(100_000, id) }] } }])
  }
  primary.purger.check()
  await primary.purger.idle()
  const { storedBytes, leftBehind } = primary.purger.status()
  t.ok(Number(storedBytes) <= bytesMax, `${storedBytes} bytes are left`)
  t.ok(leftBehind.some(({ name }) => name === 'projection count of catalog local'))
})

t.test(
  'a server that closes ends its projections first: those that wait, and handlers that are under way',
  async (t) => {
    const { primary, db, memory } = await open(t)
    await insert(db, 1)
    const failing = db.project(
      'failing',
      () => {
        throw new Error('always')
      },
      { ...OF_ORDERS, retry: { attemptsMax: Infinity, pauseMs: PROJECTION_PAUSE_MS_MAX } },
    )
    await until(() => failing.status.state === 'waiting')
    let release: () => void = () => undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    let isInside = false
    let refused: unknown
    const slow = db.project(
      'slow',
      async (change, transaction) => {
        isInside = true
        await gate
        await count(change, transaction).catch((error: unknown) => {
          refused = error
          throw error
        })
      },
      OF_ORDERS,
    )
    await until(() => isInside)
    let isClosed = false
    const closed = primary.close().then(() => (isClosed = true))
    await nextTurn()
    t.equal(isClosed, false)
    release()
    await closed
    t.equal(failing.status.state, 'stopped')
    t.equal(slow.status.state, 'stopped')
    t.match(refused, { code: 'CLOSED' }, 'its transaction was rolled back')
    t.same((await checkStore(memory.crash())).problems, [])
  },
)

t.test('a handler that does not end does not keep a server from closing for ever', async (t) => {
  const clock = new ManualClock()
  const { primary, db } = await open(t, { clock })
  await insert(db, 1)
  let isInside = false
  const hanging = db.project(
    'hanging',
    () => {
      isInside = true
      return new Promise<void>(() => undefined)
    },
    OF_ORDERS,
  )
  await until(() => isInside)
  const closed = primary.close()
  await advancing(clock, closed)
  t.equal(hanging.status.state, 'running')
})

t.test('an AbortSignal stops it; bad arguments are refused at once', async (t) => {
  const { db } = await open(t)
  const stop = new AbortController()
  const projection = db.project('count', count, { ...OF_ORDERS, signal: stop.signal })
  await insert(db, 1)
  stop.abort()
  await projection.done
  t.equal(projection.status.state, 'stopped')
  const bad: readonly unknown[][] = [
    ['', count],
    ['x'.repeat(1000), count],
    ['x', 'count'],
    ['x', count, { after: 1 }],
    ['x', count, { snapshot: true, after: '0' }],
    ['x', count, { tables: [] }],
    ['x', count, { retry: { attemptsMax: 0 } }],
    ['x', count, { retry: { pauseMs: -1 } }],
    ['x', count, { transactions: 1 }],
    ['x', count, { signal: {} }],
  ]
  for (const args of bad) {
    t.throws(() => (db.project as (...args: unknown[]) => unknown).apply(db, args), { code: 'INVALID_ARGUMENT' })
  }
})

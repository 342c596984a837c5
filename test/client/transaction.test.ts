/** Transactions over a real server: what they do, what an error leaves of them, and when they are run again. */
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { ReplogError } from '../../core/errors.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import { codeOf, reasonOf } from './outcome.js'
import { Serving, makeTable, rowsOf } from './serving.js'

void t.test('a transaction does what its statements say, and returns what its work returns', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const client = await serving.client(t)
  const answers = await client.transaction(async (tx) => {
    const inserted = await tx.insert('test.t', [
      { id: 1n, n: 10n },
      { id: 2n, n: 20n },
    ])
    const updated = await tx.update('test.t', { id: 1n }, { n: { add: 5n } })
    const missed = await tx.update('test.t', { id: 9n }, { n: 1n })
    const deleted = await tx.delete('test.t', { id: 2n })
    await tx.check('test.t', { id: 1n }, { equals: { n: 15n } })
    const row = await tx.get('test.t', { id: 1n })
    const none = await tx.get('test.t', { id: 2n })
    const executed = await tx.execute({ get: { table: 'test.t', key: { id: 1n } } })
    return { inserted, updated, missed, deleted, row, none, executed, status: tx.status }
  })
  t.strictSame(answers, {
    inserted: { inserted: 2 },
    updated: { updated: 1 },
    missed: { updated: 0 },
    deleted: { deleted: 1 },
    row: { id: 1n, n: 15n },
    none: undefined,
    executed: { row: { id: 1n, n: 15n } },
    status: 'open',
  })
  t.strictSame(await rowsOf(serving.db), [{ id: 1n, n: 15n }])
})

void t.test('G5: nothing but commit commits', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const client = await serving.client(t)
  const fault = new Error('of the application')

  t.equal(
    await reasonOf(
      client.transaction(async (tx) => {
        await tx.insert('test.t', { id: 1n, n: 1n })
        throw fault
      }),
    ),
    fault,
    'what the work throws is thrown',
  )
  t.strictSame(await rowsOf(serving.db), [], 'and rolls back')

  const session = await client.session()
  const tx = await session.begin()
  await tx.createTable({ name: 'u', columns: [{ name: 'id', type: 'BIGINT', notNull: true }], primaryKey: ['id'] })
  await tx.insert('test.t', { id: 2n, n: 2n })
  t.equal(await codeOf(session.begin()), 'TRANSACTION_OPEN', 'a nested begin is refused')
  t.equal(tx.status, 'open', 'and leaves the open one open')
  t.equal(await codeOf(tx.insert('test.t', { id: 2n, n: 3n })), 'DUPLICATE_KEY')
  t.equal(tx.status, 'open', 'as does an error of a statement')
  session.release()
  await client.ping()
  t.strictSame(await rowsOf(serving.db), [], 'a session that is released rolls back')
  t.equal(await codeOf(tx.get('test.t', { id: 2n })), 'NO_TRANSACTION')
  t.equal(await codeOf(session.begin()), 'CLOSED')
  t.strictSame(
    (await serving.db.tables()).map(({ name }) => name),
    ['t'],
    'definitions included',
  )
})

void t.test('savepoints undo rows and definitions', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const client = await serving.client(t)
  await client.transaction(async (tx) => {
    await tx.insert('test.t', { id: 1n, n: 1n })
    await tx.savepoint('here')
    await tx.insert('test.t', { id: 2n, n: 2n })
    await tx.createTable({ name: 'u', columns: [{ name: 'id', type: 'BIGINT', notNull: true }], primaryKey: ['id'] })
    await tx.rollbackTo('here')
    await tx.releaseSavepoint('here')
    t.equal(await codeOf(tx.rollbackTo('here')), 'NOT_FOUND')
    await tx.insert('test.t', { id: 3n, n: 3n })
  })
  t.strictSame(await rowsOf(serving.db), [
    { id: 1n, n: 1n },
    { id: 3n, n: 3n },
  ])
  t.equal((await serving.db.tables()).length, 1)
})

void t.test('G4: what conflicts is run again, until every increment counts', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  await serving.db.execute([
    {
      insert: {
        table: 'test.t',
        rows: [
          { id: 1n, n: 0n },
          { id: 2n, n: 0n },
        ],
      },
    },
  ])
  const retries: string[] = []
  const client = await serving.client(t, {
    pool: { max: 8 },
    onEvent: (event) => {
      if (event.type === 'retry') retries.push(event.error.code)
    },
  })
  const optimistic = Array.from({ length: 40 }, () =>
    client.transaction(async (tx) => {
      const row = await tx.get('test.t', { id: 1n })
      await tx.update('test.t', { id: 1n }, { n: (row!['n'] as bigint) + 1n })
    }),
  )
  await Promise.all(optimistic)
  t.ok(retries.includes('CONFLICT'), 'there were conflicts')

  // Locks taken in opposite orders.
  retries.length = 0
  const locking = Array.from({ length: 24 }, (_, ordinal) =>
    client.transaction(async (tx) => {
      for (const id of ordinal % 2 === 0 ? [1n, 2n] : [2n, 1n]) {
        const row = await tx.getForUpdate('test.t', { id }, { timeoutMs: 20_000 })
        await tx.update('test.t', { id }, { n: (row!['n'] as bigint) + 1n })
      }
    }),
  )
  await Promise.all(locking)
  t.ok(retries.includes('DEADLOCK'), 'there were deadlocks')
  t.strictSame(await rowsOf(serving.db), [
    { id: 1n, n: 64n },
    { id: 2n, n: 24n },
  ])
})

void t.test('attempts are bounded, and the last error is thrown', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  await serving.db.execute([{ insert: { table: 'test.t', rows: [{ id: 1n, n: 0n }] } }])
  const client = await serving.client(t)
  let runs = 0
  const code = await codeOf(
    client.transaction(
      async (tx) => {
        runs++
        const row = await tx.get('test.t', { id: 1n })
        await serving.db.execute([{ update: { table: 'test.t', key: { id: 1n }, set: { n: BigInt(runs) } } }])
        await tx.update('test.t', { id: 1n }, { n: (row!['n'] as bigint) + 1n })
      },
      { attemptsMax: 3 },
    ),
  )
  t.equal(code, 'CONFLICT')
  t.equal(runs, 3)
  t.strictSame(await rowsOf(serving.db), [{ id: 1n, n: 3n }], 'none of the attempts was committed')
})

void t.test('an error that ends the transaction ends it here, and is what later calls are told', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  await serving.db.execute([{ insert: { table: 'test.t', rows: [{ id: 1n, n: 0n }] } }])
  const client = await serving.client(t)
  const session = await client.session()
  const tx = await session.begin()
  await tx.get('test.t', { id: 1n })
  await serving.db.execute([{ update: { table: 'test.t', key: { id: 1n }, set: { n: 1n } } }])
  const conflict = await reasonOf(tx.getForUpdate('test.t', { id: 1n }))
  t.match(conflict, { code: 'CONFLICT', retryable: true, details: { transaction: 'rolled back' } })
  t.equal(tx.status, 'rolled back')
  t.equal(await reasonOf(tx.get('test.t', { id: 1n })), conflict)
  t.equal(await reasonOf(session.commit()), conflict)
  await session.begin()
  await session.commit()
  session.release()
})

void t.test('a lock that is not free in time leaves the transaction open', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const client = await serving.client(t)
  const holder = await client.session()
  await (await holder.begin()).getForUpdate('test.t', { id: 1n })
  const waiter = await client.session()
  const tx = await waiter.begin()
  t.equal(await codeOf(tx.getForUpdate('test.t', { id: 1n }, { timeoutMs: 1 })), 'LOCK_TIMEOUT')
  t.equal(tx.status, 'open')
  await holder.rollback()
  t.equal(await tx.getForUpdate('test.t', { id: 1n }), undefined)
  holder.release()
  waiter.release()
})

void t.test('scans read page by page at one snapshot, in order, forwards, backwards and in part', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const rows = Array.from({ length: 2500 }, (_, id) => ({ id: BigInt(id), n: BigInt(id % 7) }))
  await serving.db.execute([{ insert: { table: 'test.t', rows } }])
  const client = await serving.client(t, { pool: { max: 1 } })

  const all: RowObject[] = []
  for await (const row of client.scan('test.t')) {
    if (all.length === 0) await serving.db.execute([{ delete: { table: 'test.t', key: { id: 2000n } } }])
    all.push(row)
  }
  t.strictSame(all, rows, 'what is deleted meanwhile is still there')
  await serving.db.execute([{ insert: { table: 'test.t', rows: [rows[2000]!] } }])

  const last: RowObject[] = []
  for await (const row of client.scan('test.t', { reverse: true, limit: 1200, to: { id: 2400n } })) last.push(row)
  t.strictSame(last, rows.slice(1200, 2400).reverse())

  for await (const row of client.scan('test.t', { from: { id: 5n } })) {
    t.strictSame(row, rows[5])
    break
  }
  await client.ping()
  t.equal(serving.primary.openTransactions, 0, 'a scan that is left holds nothing')

  await client.transaction(async (tx) => {
    await tx.insert('test.t', { id: -1n, n: null })
    const up = await tx.openCursor('test.t')
    const down = await tx.openCursor('test.t', { reverse: true, limit: 3 })
    t.strictSame(await up.fetch(2), { rows: [{ id: -1n, n: null }, rows[0]], done: false }, 'own writes are seen')
    t.strictSame(await down.fetch(2), { rows: [rows[2499], rows[2498]], done: false })
    t.strictSame(await up.fetch(1), { rows: [rows[1]], done: false })
    t.strictSame(await down.fetch(2), { rows: [rows[2497]], done: true }, 'the limit ends it')
    t.strictSame(await down.fetch(2), { rows: [], done: true })
    await up.close()
    await up.close()
    t.equal(await codeOf(up.fetch(1)), 'CURSOR_CLOSED')
    t.equal(await codeOf(tx.openCursor('test.none')), 'NOT_FOUND')
    t.equal(await codeOf(tx.openCursor('test.t', { limit: -1 })), 'INVALID_ARGUMENT')
    t.equal(tx.status, 'open')
  })
})

void t.test('a read-only transaction reads and refuses to write', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const client = await serving.client(t)
  await client.transaction(
    async (tx) => {
      t.equal(await tx.get('test.t', { id: 1n }), undefined)
      t.equal(await codeOf(tx.insert('test.t', { id: 1n, n: 1n })), 'READ_ONLY_TRANSACTION')
    },
    { readOnly: true },
  )
  t.strictSame(await rowsOf(serving.db), [])
})

void t.test('execute runs a list as one transaction', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const client = await serving.client(t)
  const { results, lsn, position, replayed } = await client.execute([
    { insert: { table: 'test.t', rows: [{ id: 1n, n: 1n }] } },
    { update: { table: 'test.t', key: { id: 1n }, set: { n: { add: 1 } } } },
    { get: { table: 'test.t', key: { id: 1n } } },
  ])
  t.strictSame(results, [{ inserted: 1 }, { updated: 1 }, { row: { id: 1n, n: 2n } }])
  t.equal(lsn, position.lsn)
  t.equal(lsn, serving.primary.state.durable.lsn)
  t.equal(replayed, false)

  const refused = await reasonOf(
    client.execute([
      { insert: { table: 'test.t', rows: [{ id: 2n, n: 2n }] } },
      { insert: { table: 'test.t', rows: [{ id: 1n, n: 1n }] } },
    ]),
  )
  t.match(refused, { code: 'DUPLICATE_KEY', details: { statement: 1 } })

  const withScan = await client.execute([
    { insert: { table: 'test.t', rows: [{ id: 3n, n: 3n }] } },
    { scan: { table: 'test.t' } },
  ])
  t.strictSame(
    withScan.results,
    [
      { inserted: 1 },
      {
        rows: [
          { id: 1n, n: 2n },
          { id: 3n, n: 3n },
        ],
      },
    ],
    'a scan sees the rows before it',
  )
  t.equal(
    await codeOf(client.execute([{ get: { table: 'test.t', key: { id: 1n } } }, { scan: { table: 'test.none' } }])),
    'NOT_FOUND',
  )
  t.strictSame((await rowsOf(serving.db)).length, 2)
})

void t.test('execute takes more results than are kept for repetitions', async (t) => {
  const serving = await Serving.start(t)
  await serving.db.transaction((tx) =>
    tx.createTable({
      name: 'a',
      columns: [{ name: 'id', type: 'BIGINT', notNull: true, autoIncrement: true }],
      primaryKey: ['id'],
    }),
  )
  const client = await serving.client(t)
  const rows = Array.from({ length: 5000 }, () => ({}))
  const { results } = await client.execute([{ insert: { table: 'test.a', rows } }])
  const [result] = results
  const kept = await rowsOf(serving.db, 'test.a')
  t.equal(kept.length, 5000, 'once')
  t.ok(
    isDeepStrictEqual(result, { inserted: 5000, autoIncrement: kept.map((row) => (row as { id: bigint }).id) }),
    'and the answer names the ids of the rows',
  )
})

void t.test('G10: a key of the application works across clients: the second does nothing', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const options = { idempotencyKey: 'order-17' }
  for (let round = 0; round < 2; round++) {
    const client = await serving.client(t)
    const executed = await client.execute([{ insert: { table: 'test.t', rows: [{ id: 1n, n: 1n }] } }], options)
    t.equal(executed.replayed, round > 0)
    t.strictSame(executed.results, [{ inserted: 1 }])
    const session = await client.session()
    const tx = await session.begin()
    await tx.insert('test.t', { id: BigInt(10 + round), n: 1n })
    const committed = await tx.commit({ idempotencyKey: 'order-18' })
    t.equal(committed.replayed, round > 0)
    session.release()
  }
  t.strictSame(await rowsOf(serving.db), [
    { id: 1n, n: 1n },
    { id: 10n, n: 1n },
  ])
})

void t.test('every statement may be sent before the one before it is answered', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const client = await serving.client(t)
  await client.transaction(async (tx) => {
    const inserts = Array.from({ length: 1000 }, (_, id) => tx.insert('test.t', { id: BigInt(id), n: 0n }))
    const last = tx.get('test.t', { id: 999n })
    t.strictSame(await last, { id: 999n, n: 0n }, 'they run in order')
    await Promise.all(inserts)
  })
  t.equal((await rowsOf(serving.db)).length, 1000)
})

void t.test('a client of a catalog that does not exist is told so', async (t) => {
  const serving = await Serving.start(t)
  const refusal = await reasonOf(serving.client(t, { catalog: 'none' }))
  t.match(refusal, { code: 'NOT_FOUND' })
  t.type(refusal, ReplogError)
  t.equal(await codeOf(serving.client(t, {}, 'http://127.0.0.1:1')), 'UNREACHABLE')
  t.equal(await codeOf(serving.client(t, {}, 'ftp://127.0.0.1')), 'INVALID_ARGUMENT')
  t.equal(await codeOf(serving.client(t, { pool: { max: 0 } })), 'INVALID_ARGUMENT')
})

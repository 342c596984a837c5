/** Every bound of a transaction is refused with its code, with nothing staged, and ends by itself where it can. */
import t, { type Test } from 'tap'
import { ANNOTATIONS_LENGTH_MAX, TRANSACTION_STATEMENTS_MAX } from '../../core/limits.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { Primary } from '../../primary/primary.js'
import type { StatementInput } from '../../primary/statement.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ManualClock } from './manual-clock.js'
import { openOnDisk } from './open-primary.js'
import { collect, outcomeOf } from './outcome.js'

const MIB = 1024 * 1024
const BLOBS: TableDefinition = {
  name: 'blobs',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'bytes', type: 'BLOB' },
  ],
  primaryKey: ['id'],
}

async function openBlobs(t: Test) {
  const opened = await openOnDisk(t)
  await opened.db.execute([{ createTable: { table: BLOBS } }])
  return opened
}

void t.test(
  'a transaction of more than 64 MiB is refused at the row that is too much, and goes on without it',
  async (t) => {
    const { db } = await openBlobs(t)
    const tx = db.begin()
    const bytes = Buffer.alloc(15 * MIB, 1)
    for (let id = 0; id < 4; id++) await tx.insert('blobs', { id, bytes })
    t.equal(await outcomeOf(tx.insert('blobs', [{ id: 4 }, { id: 5, bytes }])), 'TRANSACTION_TOO_LARGE')
    t.equal(await tx.get('blobs', { id: 4 }), undefined)
    await tx.insert('blobs', { id: 6 })
    tx.rollback()
    t.same(await collect(db.scan('blobs')), [])

    const inserts = [0, 1, 2, 3, 4].map((id): StatementInput => ({ insert: { table: 'blobs', rows: [{ id, bytes }] } }))
    t.equal(await outcomeOf(db.execute(inserts)), 'TRANSACTION_TOO_LARGE')
    t.same(await collect(db.scan('blobs')), [])
  },
)

void t.test('a row past its bound is refused', async (t) => {
  const { db } = await openBlobs(t)
  const statement: StatementInput = { insert: { table: 'blobs', rows: [{ id: 1, bytes: Buffer.alloc(17 * MIB) }] } }
  t.equal(await outcomeOf(db.execute([statement])), 'TOO_LARGE')
})

void t.test('too many statements in a one-shot transaction', async (t) => {
  const { db } = await openBlobs(t)
  const get: StatementInput = { get: { table: 'blobs', key: { id: 1 } } }
  const statements = new Array<StatementInput>(TRANSACTION_STATEMENTS_MAX + 1).fill(get)
  t.equal(await outcomeOf(db.execute(statements)), 'TRANSACTION_TOO_LARGE')
  t.equal(await outcomeOf(db.execute(statements.slice(1))), 'resolved')
})

void t.test('annotations that the log cannot carry are refused, and the next transaction is not harmed', async (t) => {
  const { db, primary } = await openBlobs(t)
  const { lsn } = primary.position
  const bad: Record<string, string>[] = [
    { note: '\ud800' },
    { '\udc00': 'x' },
    { note: 'x'.repeat(ANNOTATIONS_LENGTH_MAX + 1) },
    { note: 7 as unknown as string },
  ]
  for (const annotations of bad) {
    const insert: StatementInput = { insert: { table: 'blobs', rows: [{ id: 1 }] } }
    t.match(await outcomeOf(db.execute([insert], { annotations })), /^(INVALID_ARGUMENT|TOO_LARGE)$/)
    const inTransaction = db.transaction(async (tx) => tx.insert('blobs', { id: 1 }), { annotations })
    t.match(await outcomeOf(inTransaction), /^(INVALID_ARGUMENT|TOO_LARGE)$/)
  }
  t.equal(primary.position.lsn, lsn)
  const { lsn: next } = await db.execute([{ insert: { table: 'blobs', rows: [{ id: 1 }] } }], {
    annotations: { a: 'ü' },
  })
  t.equal(next, lsn + 1n)
})

void t.test('statements that are none are refused by code', async (t) => {
  const { db } = await openBlobs(t)
  const malformed: unknown[] = [
    [null],
    ['insert'],
    [{}],
    [{ isnert: {} }],
    [{ insert: null }],
    [{ insert: { table: 'blobs' } }],
    [{ insert: { table: 'blobs', rows: 7 } }],
    [{ insert: { table: 'blobs', rows: [null] } }],
    [{ get: { table: 'blobs' } }],
    [{ update: { table: 'blobs', key: { id: 1 } } }],
    [{ createTable: {} }],
    [{ scan: {} }],
    {},
  ]
  for (const statements of malformed) {
    const outcome = await outcomeOf(db.execute(statements as StatementInput[]))
    t.match(outcome, /^(INVALID_ARGUMENT|INVALID_VALUE|INVALID_DEFINITION)$/, JSON.stringify(statements))
  }
})

void t.test('a transaction that is open too long is rolled back; a scan in it is told so', async (t) => {
  const clock = new ManualClock()
  const limits = { server: { transactionAgeMs: 5000 } }
  const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine(), clock, limits })
  t.teardown(() => primary.close())
  const db = primary.catalog()
  await db.execute([
    { createTable: { table: BLOBS } },
    { insert: { table: 'blobs', rows: Array.from({ length: 2500 }, (_, id) => ({ id })) } },
  ])
  const tx = db.begin()
  await tx.insert('blobs', { id: 9999 })
  const scan = tx.scan('blobs')
  for (let count = 0; count < 1000; count++) await scan.next()
  const between = tx.scan('blobs')
  await between.next()
  await clock.advance(4000)
  t.equal(tx.status, 'open')
  await clock.advance(2000)
  t.equal(tx.status, 'rolled back')
  t.equal(await outcomeOf(scan.next()), 'SNAPSHOT_TOO_OLD', 'where the next page begins')
  t.equal(await outcomeOf(between.next()), 'SNAPSHOT_TOO_OLD', 'in the middle of a page')
  t.equal(await outcomeOf(tx.insert('blobs', { id: 1 })), 'SNAPSHOT_TOO_OLD')
  t.equal(await outcomeOf(tx.commit()), 'SNAPSHOT_TOO_OLD')
  t.equal(db.get('blobs', { id: 9999 }), undefined)
  t.equal(primary.openTransactions, 0)
  t.equal(primary.state.versions.openSnapshots, 0)
})

void t.test('a scan that is running when its transaction ends is told so', async (t) => {
  const { db, primary } = await openBlobs(t)
  const rows = Array.from({ length: 1500 }, (_, id) => ({ id }))
  await db.execute([{ insert: { table: 'blobs', rows } }])
  for (const end of ['commit', 'rollback', 'close'] as const) {
    const tx = db.begin()
    const scan = tx.scan('blobs')
    for (let count = 0; count < 1000; count++) await scan.next()
    const page = outcomeOf(scan.next())
    if (end === 'commit') await tx.commit()
    else if (end === 'rollback') tx.rollback()
    else await primary.close()
    t.match(await page, /^(NO_TRANSACTION|CLOSED)$/, `${end} while a page is read`)
  }
})

void t.test('closing rolls open transactions back and refuses new ones', async (t) => {
  const { db, primary } = await openBlobs(t)
  const tx = db.begin()
  await tx.insert('blobs', { id: 1 })
  const underWay = db.execute([{ insert: { table: 'blobs', rows: [{ id: 2 }] } }])
  const closing = primary.close()
  t.equal(await outcomeOf(underWay), 'resolved', 'what was in a group is finished')
  await closing
  t.equal(await outcomeOf(tx.commit()), 'CLOSED')
  t.equal(await outcomeOf(db.execute([{ insert: { table: 'blobs', rows: [{ id: 3 }] } }])), 'CLOSED')
  t.throws(() => db.begin(), { code: 'CLOSED' })
  t.throws(() => db.get('blobs', { id: 2 }), { code: 'CLOSED' })
  await primary.close()
})

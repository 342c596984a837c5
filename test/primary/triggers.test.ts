/**
 * G4, G5: a trigger sees every change of its tables before it is committed, inside the transaction, whoever commits it;
 * what it adds commits with it or not at all, and what it refuses is not committed.
 */
import t, { type Test } from 'tap'
import { ReplogError } from '../../core/errors.js'
import { TRIGGER_ROUNDS_MAX } from '../../core/limits.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import type { StagedChange } from '../../primary/staged-changes.js'
import { checkStore } from '../crash/check-store.js'
import { openGated } from './open-primary.js'
import { collect } from './outcome.js'

const ITEMS: TableDefinition = {
  name: 'items',
  columns: [
    { name: 'id', type: 'BIGINT' },
    { name: 'n', type: 'BIGINT' },
  ],
  primaryKey: ['id'],
}
const TOTALS: TableDefinition = { ...ITEMS, name: 'totals' }
const OTHER: TableDefinition = { ...ITEMS, name: 'other' }

async function open(t: Test): Promise<{ db: Catalog; check: () => Promise<void> }> {
  const { primary, db, memory } = await openGated(t)
  await db.execute([{ createTable: { table: ITEMS } }, { createTable: { table: TOTALS } }])
  await db.execute([{ createTable: { table: OTHER } }, { insert: { table: 'totals', rows: [{ id: 0, n: 0 }] } }])
  const check = async (): Promise<void> => {
    await primary.close()
    t.same((await checkStore(memory.crash())).problems, [])
  }
  return { db, check }
}

/** Keeps the sum of `items.n` in `totals`. */
function keepTotal(db: Catalog): () => void {
  return db.onCommit('items', async (changes, transaction) => {
    let sum = 0n
    for (const { before, after } of changes) sum += ((after?.n ?? 0n) as bigint) - ((before?.n ?? 0n) as bigint)
    const total = await transaction.get('totals', { id: 0 })
    await transaction.update('totals', { id: 0 }, { n: (total!.n as bigint) + sum })
  })
}

async function requireTotal(t: Test, db: Catalog, what: string): Promise<void> {
  const rows = await collect(db.scan('items'))
  const sum = rows.reduce((all, { n }) => all + (n as bigint), 0n)
  t.equal(db.get('totals', { id: 0 })!.n, sum, what)
}

t.test('G4: what a trigger keeps holds after each commit, in transactions and one-shots of every kind', async (t) => {
  const { db, check } = await open(t)
  keepTotal(db)
  await db.execute([{ insert: { table: 'items', rows: [1, 2, 3].map((id) => ({ id, n: id * 10 })) } }])
  await requireTotal(t, db, 'a one-shot insert')
  await db.execute([{ update: { table: 'items', key: { id: 1 }, set: { n: { add: 5 } } } }])
  await requireTotal(t, db, 'a one-shot addition')
  await db.writeRows([
    { upsert: { table: 'items', key: { id: 1 }, set: { n: 3 } } },
    { upsert: { table: 'items', key: { id: 9 }, set: { n: 9 } } },
  ])
  await requireTotal(t, db, 'rows that are written whatever stands there')
  await db.transaction(async (transaction) => {
    await transaction.update('items', { id: 2 }, { n: { add: 7 } })
    await transaction.delete('items', { id: 3 })
    await transaction.insert('items', { id: 4, n: 1 })
  })
  await requireTotal(t, db, 'a transaction, with an addition that was left to the lane')
  await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      at % 2 === 0
        ? db.execute([{ update: { table: 'items', key: { id: 1 }, set: { n: { add: 1 } } } }])
        : db.transaction((transaction) => transaction.insert('items', { id: 100 + at, n: at })),
    ),
  )
  await requireTotal(t, db, 'many at once')
  const repeated = { idempotencyKey: 'k' }
  const first = await db.execute([{ insert: { table: 'items', rows: [{ id: 50, n: 50 }] } }], repeated)
  const again = await db.execute([{ insert: { table: 'items', rows: [{ id: 50, n: 50 }] } }], repeated)
  t.match(again, { replayed: true, lsn: first.lsn })
  await requireTotal(t, db, 'a repetition runs no trigger')
  await check()
})

t.test(
  'a trigger is told the rows before and after, in order, under the names and types of the transaction',
  async (t) => {
    const { db } = await open(t)
    const told: StagedChange[] = []
    db.onCommit(['items', 'renamed'], (changes) => {
      told.push(...changes)
    })
    await db.transaction(async (transaction) => {
      await transaction.insert('items', { id: 1, n: 1 })
      await transaction.alterTable('items', [{ addColumn: { name: 'x', type: 'TEXT', default: 'd' } }])
      await transaction.update('items', { id: 1 }, { n: 2 })
      await transaction.renameTables([{ from: 'items', to: 'renamed' }])
      await transaction.delete('renamed', { id: 1 })
      await transaction.insert('other', { id: 1, n: 1 })
    })
    t.same(told, [
      { type: 'insert', table: 'test.renamed', before: undefined, after: { id: 1n, n: 1n } },
      { type: 'update', table: 'test.renamed', before: { id: 1n, n: 1n, x: 'd' }, after: { id: 1n, n: 2n, x: 'd' } },
      { type: 'delete', table: 'test.renamed', before: { id: 1n, n: 2n, x: 'd' }, after: undefined },
    ])
    told.length = 0
    await db.execute([{ alterTable: { table: 'renamed', changes: [{ setRowImage: { rowImage: 'minimal' } }] } }])
    await db.execute([{ insert: { table: 'renamed', rows: [{ id: 2, n: 2 }] } }])
    await db.execute([{ delete: { table: 'renamed', key: { id: 2 } } }])
    t.same(
      told.map(({ type, before }) => [type, before]),
      [
        ['insert', undefined],
        ['delete', { id: 2n, n: 2n, x: 'd' }],
      ],
      'whole, also where the log carries the key alone',
    )
  },
)

t.test('G5: what a trigger refuses is not committed, and the committer is told why', async (t) => {
  const { db, check } = await open(t)
  const why = new Error('n is odd')
  const forget = db.onCommit('items', async (changes, transaction) => {
    await transaction.insert('other', { id: 1, n: 1 })
    if (changes.some(({ after }) => (after?.n as bigint) % 2n === 1n)) throw why
  })
  const odd = { insert: { table: 'items', rows: [{ id: 1, n: 1 }] } }
  await t.rejects(db.execute([odd]), { code: 'TRIGGER_REFUSED', message: 'n is odd' })
  const transaction = db.begin()
  await transaction.insert('totals', { id: 1, n: 1 })
  await transaction.insert('items', { id: 1, n: 1 })
  await t.rejects(transaction.commit(), { code: 'TRIGGER_REFUSED', cause: why })
  t.equal(transaction.status, 'rolled back')
  await t.rejects(transaction.insert('items', { id: 2, n: 2 }), { code: 'TRIGGER_REFUSED' })
  t.same(await collect(db.scan('other')), [], 'nor is what it had written')
  t.equal(db.get('totals', { id: 1 }), undefined)
  forget()
  await db.execute([odd])
  t.same(await collect(db.scan('other')), [], 'one that was taken away sees nothing')
  db.onCommit('items', () => {
    throw new ReplogError('CHECK_FAILED', 'typed')
  })
  await t.rejects(db.execute([{ delete: { table: 'items', key: { id: 1 } } }]), { code: 'CHECK_FAILED' })
  await check()
})

t.test('triggers set one another off, up to a bound', async (t) => {
  const { db } = await open(t)
  db.onCommit('items', async (changes, transaction) => {
    for (const { after } of changes) await transaction.insert('totals', { ...after!, n: 1 })
  })
  db.onCommit('totals', async (changes, transaction) => {
    for (const { after } of changes) await transaction.insert('other', { ...after!, n: 2 })
  })
  await db.execute([{ insert: { table: 'items', rows: [{ id: 7, n: 0 }] } }])
  t.same(db.get('totals', { id: 7 }), { id: 7n, n: 1n })
  t.same(db.get('other', { id: 7 }), { id: 7n, n: 2n })
  let runs = 0
  db.onCommit('other', async (changes, transaction) => {
    runs++
    for (const { after } of changes) await transaction.update('other', { id: after!.id }, { n: { add: 1 } })
  })
  const endless = db.execute([{ update: { table: 'other', key: { id: 7 }, set: { n: 0 } } }])
  await t.rejects(endless, { code: 'TRIGGER_LOOP', message: /test\.other/ })
  t.equal(runs, TRIGGER_ROUNDS_MAX)
  t.same(db.get('other', { id: 7 }), { id: 7n, n: 2n })
})

t.test('G5: a trigger neither ends the transaction nor takes back what it is shown', async (t) => {
  const { db } = await open(t)
  const attempts: Promise<unknown>[] = []
  db.onCommit('items', async (_changes, transaction) => {
    attempts.push(t.rejects(transaction.commit(), { code: 'INVALID_ARGUMENT' }))
    t.throws(
      () => {
        transaction.rollbackTo('s')
      },
      { code: 'INVALID_ARGUMENT' },
    )
    await attempts.at(-1)
  })
  const transaction = db.begin()
  transaction.savepoint('s')
  await transaction.insert('items', { id: 1, n: 1 })
  await transaction.commit()
  t.equal(attempts.length, 1)
  t.same(db.get('items', { id: 1 }), { id: 1n, n: 1n })
  db.onCommit('items', (_changes, own) => {
    own.rollback()
  })
  const undone = db.begin()
  await undone.insert('items', { id: 2, n: 2 })
  await t.rejects(undone.commit(), { code: 'NO_TRANSACTION' })
  t.equal(db.get('items', { id: 2 }), undefined)
})

t.test('G4: a write that comes while triggers run is shown to them as well', async (t) => {
  const { db } = await open(t)
  let release: () => void = () => undefined
  const gate = new Promise<void>((resolve) => (release = resolve))
  let entered: () => void = () => undefined
  const inside = new Promise<void>((resolve) => (entered = resolve))
  const told: unknown[] = []
  db.onCommit('items', async (changes) => {
    told.push(...changes.map(({ after }) => after?.id))
    entered()
    await gate
  })
  const transaction = db.begin()
  await transaction.insert('items', { id: 1, n: 1 })
  const committed = transaction.commit()
  await inside
  await transaction.insert('items', { id: 2, n: 2 })
  release()
  await committed
  t.same(told, [1n, 2n])
  t.equal((await collect(db.scan('items'))).length, 2)
})

t.test(
  'G4: no trigger sees a change twice: a commit that is refused before them leaves them out, one after them ends',
  async (t) => {
    const { db } = await open(t)
    await db.execute([{ insert: { table: 'other', rows: [{ id: 1, n: 1 }] } }])
    let told = 0
    const forget = db.onCommit('items', () => {
      told++
    })
    const locking = db.begin()
    await locking.getForUpdate('other', { id: 1 })
    const transaction = db.begin()
    await transaction.insert('items', { id: 1, n: 1 })
    const waiting = transaction.getForUpdate('other', { id: 1 })
    await t.rejects(transaction.commit(), { code: 'INVALID_ARGUMENT', message: /still waits/ })
    t.equal(told, 0)
    locking.rollback()
    await waiting
    await transaction.commit()
    t.equal(told, 1)
    forget()

    const again = db.begin()
    await again.getForUpdate('other', { id: 1 })
    let asked: Promise<unknown> = Promise.resolve()
    db.onCommit('items', (_changes, own) => {
      asked = t.rejects(own.getForUpdate('other', { id: 1 }), { code: 'INVALID_ARGUMENT' })
    })
    const careless = db.begin()
    await careless.insert('items', { id: 2, n: 2 })
    await t.rejects(careless.commit(), { code: 'INVALID_ARGUMENT', message: /still waits/ })
    t.equal(careless.status, 'rolled back')
    again.rollback()
    await asked
    t.equal(db.get('items', { id: 2 }), undefined)
  },
)

t.test('G4: what a trigger has read holds at the commit, whatever the isolation of the transaction', async (t) => {
  const { db } = await open(t)
  const isolation = 'snapshot' as const
  // Half of an order is `items`, the other half `other`: no more than one of them.
  const byKey = db.onCommit(['items', 'other'], async ([change], transaction) => {
    const there = await transaction.get(change!.table === 'test.items' ? 'other' : 'items', { id: change!.after!.id })
    if (there !== undefined) throw new Error('no more than one')
  })
  const attempt = async (id: number): Promise<void> => {
    const [left, right] = [db.begin({ isolation }), db.begin({ isolation })]
    await left.insert('items', { id, n: 1 })
    await right.insert('other', { id, n: 1 })
    await left.commit()
    await t.rejects(right.commit(), { code: 'CONFLICT' })
  }
  await attempt(1)
  byKey()
  db.onCommit(['items', 'other'], async ([change], transaction) => {
    const rows = transaction.scan(change!.table === 'test.items' ? 'other' : 'items', {
      prefix: { id: change!.after!.id },
    })
    if ((await collect(rows)).length > 0) throw new Error('no more than one')
  })
  await attempt(2)
  const reader = db.begin({ isolation })
  await reader.get('totals', { id: 0 })
  await reader.insert('items', { id: 3, n: 3 })
  await db.execute([{ update: { table: 'totals', key: { id: 0 }, set: { n: 7 } } }])
  await reader.commit()
  t.same(db.get('items', { id: 3 }), { id: 3n, n: 3n }, 'what only the transaction has read may change')
})

t.test('triggers are of a catalog, and of tables that are named as in a change stream', async (t) => {
  const { primary, db } = await openGated(t)
  await primary.createCatalog('tenant')
  const tenant = primary.catalog('tenant')
  for (const one of [db, tenant]) await one.execute([{ createTable: { table: ITEMS } }])
  let told = 0
  tenant.onCommit('test.*', () => {
    told++
  })
  await db.execute([{ insert: { table: 'items', rows: [{ id: 1, n: 1 }] } }])
  t.equal(told, 0)
  await tenant.execute([{ insert: { table: 'items', rows: [{ id: 1, n: 1 }] } }])
  t.equal(told, 1)
  t.throws(() => db.onCommit([], () => undefined), { code: 'INVALID_ARGUMENT' })
  t.throws(() => db.onCommit('a.b.c', () => undefined), { code: 'INVALID_ARGUMENT' })
  t.throws(() => db.onCommit('items', undefined as never), { code: 'INVALID_ARGUMENT' })
})

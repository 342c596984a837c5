/** Cursors of an embedded transaction: the rows of a scan, some at a time, at one snapshot. (G4) */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { ReplogError } from '../../core/errors.js'
import { SCAN_RESULT_ROWS_MAX } from '../../core/limits.js'
import type { RowObject } from '../../ddl/compiled-table.js'
import type { ScanOptions } from '../../log/scan.js'
import type { Catalog } from '../../primary/catalog.js'
import type { Cursor } from '../../primary/cursor.js'
import type { Transaction } from '../../primary/transaction.js'
import { openGated } from '../primary/open-primary.js'
import { collect, outcomeOf } from '../primary/outcome.js'

const ITEMS = {
  name: 'items',
  columns: [
    { name: 'a', type: 'INTEGER', notNull: true },
    { name: 'b', type: 'INTEGER', notNull: true },
    { name: 'c', type: 'INTEGER' },
    { name: 'text', type: 'TEXT' },
  ],
  primaryKey: ['a', 'b'],
  indexes: [
    { name: 'by_c', columns: ['c'] },
    { name: 'down', columns: [{ column: 'c', descending: true }, 'b'] },
  ],
}

/** Rows (a, b) for a in 0 … 4 and b in 0 … 9; c is b modulo 3. */
const GRID = Array.from({ length: 50 }, (_, n) => ({ a: Math.floor(n / 10), b: n % 10, c: (n % 10) % 3 }))

async function openGrid(t: Test): Promise<Awaited<ReturnType<typeof openGated>>> {
  const opened = await openGated(t)
  await opened.db.execute([{ createTable: { table: ITEMS } }, { insert: { table: 'items', rows: GRID } }])
  return opened
}

async function drain(cursor: Cursor, sizes: readonly number[] = [7]): Promise<RowObject[]> {
  const rows: RowObject[] = []
  for (let turn = 0; ; turn++) {
    const size = sizes[turn % sizes.length]!
    const page = await cursor.fetch(size)
    assert.ok(page.rows.length <= size)
    assert.ok(page.rows.length > 0 || page.done, 'an empty page is the last')
    rows.push(...page.rows)
    if (page.done) return rows
  }
}

const keys = (rows: readonly RowObject[]): string => rows.map(({ a, b }) => `${a as number}.${b as number}`).join(' ')

const small = fc.integer({ min: -1, max: 5 })
const options: fc.Arbitrary<ScanOptions> = fc
  .record({
    kind: fc.constantFrom('all', 'prefix', 'range', 'both', 'by_c', 'down', 'down range'),
    x: small,
    y: small,
    z: fc.integer({ min: -1, max: 10 }),
    reverse: fc.boolean(),
    limit: fc.option(fc.nat(60), { nil: undefined }),
  })
  .map(({ kind, x, y, z, reverse, limit }) => {
    const rest = { reverse, ...(limit === undefined ? {} : { limit }) }
    switch (kind) {
      case 'prefix':
        return { prefix: { a: x }, ...rest }
      case 'range':
        return { from: { a: x, b: z }, to: { a: y }, ...rest }
      case 'both':
        return { prefix: { a: x }, from: { b: y }, to: { b: z }, ...rest }
      case 'by_c':
        return { index: 'by_c', from: { c: x }, ...rest }
      case 'down':
        return { index: 'down', prefix: { c: x }, ...rest }
      case 'down range':
        return { index: 'down', from: { c: x, b: z }, to: { c: y }, ...rest }
      default:
        return rest
    }
  })

const change = fc.record({
  kind: fc.constantFrom('insert', 'update', 'delete', 'add'),
  a: small,
  b: fc.integer({ min: 0, max: 10 }),
  c: fc.option(small),
})

async function make(
  transaction: Transaction,
  { kind, a, b, c }: { kind: string; a: number; b: number; c: number | null },
): Promise<void> {
  if (kind === 'insert') await transaction.insert('items', { a, b, c }).catch(ignoreDuplicate)
  else if (kind === 'update') await transaction.update('items', { a, b }, { c })
  else if (kind === 'add') await transaction.update('items', { a, b }, { c: { add: 1 } })
  else await transaction.delete('items', { a, b })
}

function ignoreDuplicate(error: unknown): void {
  if (!(error instanceof ReplogError) || error.code !== 'DUPLICATE_KEY') throw error
}

t.test('a cursor gives the rows of a scan, whatever its range, the own writes and the size of its pages', async (t) => {
  const { db } = await openGrid(t)
  await fc.assert(
    fc.asyncProperty(
      options,
      fc.array(change, { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
      async (scan, changes, sizes) => {
        const transaction = db.begin()
        try {
          for (const each of changes) await make(transaction, each)
          const expected = await collect(transaction.scan('items', scan))
          assert.deepEqual(await drain(transaction.openCursor('items', scan), sizes), expected)
        } finally {
          transaction.rollback()
        }
      },
    ),
    { numRuns: 150 },
  )
})

t.test('several cursors go on side by side, each at its own place', async (t) => {
  const { db } = await openGrid(t)
  const transaction = db.begin()
  const forwards = transaction.openCursor('items', { prefix: { a: 1 } })
  const backwards = transaction.openCursor('items', { prefix: { a: 1 }, reverse: true })
  const byIndex = transaction.openCursor('items', { index: 'down', prefix: { c: 2 } })
  const seen: RowObject[][] = [[], [], []]
  for (let turn = 0; turn < 3; turn++) {
    for (const [ordinal, cursor] of [forwards, backwards, byIndex].entries()) {
      seen[ordinal]!.push(...(await cursor.fetch(2)).rows)
    }
  }
  t.same(seen.map(keys), ['1.0 1.1 1.2 1.3 1.4 1.5', '1.9 1.8 1.7 1.6 1.5 1.4', '0.2 1.2 2.2 3.2 4.2 0.5'])
  transaction.rollback()
})

t.test('what others commit meanwhile does not show', async (t) => {
  const { db } = await openGrid(t)
  const transaction = db.begin({ readOnly: true })
  const cursor = transaction.openCursor('items')
  const backwards = transaction.openCursor('items', { index: 'by_c', reverse: true })
  const first = [...(await cursor.fetch(5)).rows]
  const last = [...(await backwards.fetch(5)).rows]
  await db.execute([
    {
      insert: {
        table: 'items',
        rows: [
          { a: 0, b: 77, c: 1 },
          { a: 9, b: 0, c: 0 },
        ],
      },
    },
    { update: { table: 'items', key: { a: 2, b: 2 }, set: { c: 99 } } },
    { delete: { table: 'items', key: { a: 3, b: 3 } } },
  ])
  const rows = [...first, ...(await drain(cursor))]
  t.same(
    rows.map(({ a, b, c }) => ({ a, b, c })),
    GRID,
  )
  t.same([...last, ...(await drain(backwards))].length, GRID.length)
  transaction.rollback()
})

t.test('own writes ahead of the cursor are seen by its next fetch, those behind it are not', async (t) => {
  const { db } = await openGrid(t)
  const transaction = db.begin()
  const cursor = transaction.openCursor('items', { from: { a: 4 } })
  t.equal(keys((await cursor.fetch(5)).rows), '4.0 4.1 4.2 4.3 4.4')
  await transaction.insert('items', [
    { a: 4, b: -1 },
    { a: 4, b: 50 },
  ])
  await transaction.delete('items', { a: 4, b: 6 })
  await transaction.update('items', { a: 4, b: 7 }, { text: 'mine' })
  await transaction.update('items', { a: 4, b: 8 }, { c: { add: 100 } })
  const { rows, done } = await cursor.fetch(100)
  t.equal(keys(rows), '4.5 4.7 4.8 4.9 4.50')
  t.match(rows, [{}, { text: 'mine' }, { c: 102 }])
  t.ok(done)
  transaction.rollback()
})

t.test('what was fetched is validated at commit, what was not is not', async (t) => {
  const { db } = await openGrid(t)
  const run = async (fetched: number): Promise<string> => {
    const transaction = db.begin()
    await transaction.openCursor('items').fetch(fetched)
    await transaction.update('items', { a: 0, b: 0 }, { text: `after ${fetched}` })
    await db.execute([{ update: { table: 'items', key: { a: 0, b: 5 }, set: { text: `theirs ${fetched}` } } }])
    return outcomeOf(transaction.commit())
  }
  t.equal(await run(3), 'resolved')
  t.equal(await run(6), 'CONFLICT')
})

t.test('an error sticks to its cursor and to no other', async (t) => {
  const { db, engine } = await openGrid(t)
  const transaction = db.begin()
  const cursor = transaction.openCursor('items')
  const other = transaction.openCursor('items')
  t.equal(keys((await cursor.fetch(1)).rows), '0.0')
  const page = engine.page.bind(engine)
  engine.page = () => Promise.reject(new ReplogError('CORRUPT', 'a table file is damaged'))
  const error: unknown = await cursor.fetch(1).catch((caught: unknown) => caught)
  t.match(error, { code: 'CORRUPT' })
  engine.page = page
  t.equal(await cursor.fetch(1).catch((caught: unknown) => caught), error, 'the very same')
  t.equal(await cursor.fetch(9).catch((caught: unknown) => caught), error)
  t.equal(cursor.state, 'failed')
  t.equal(keys((await other.fetch(2)).rows), '0.0 0.1')
  t.equal(transaction.status, 'open')
  cursor.close()
  t.equal(await outcomeOf(cursor.fetch(1)), 'CURSOR_CLOSED')
  transaction.rollback()
})

t.test('a table that its transaction drops or makes anew is an error that sticks', async (t) => {
  const { db } = await openGrid(t)
  const transaction = db.begin()
  const dropped = transaction.openCursor('items')
  const altered = transaction.openCursor('items')
  await dropped.fetch(1)
  transaction.savepoint('before')
  await transaction.dropTable('items')
  t.equal(await outcomeOf(dropped.fetch(1)), 'NOT_FOUND')
  await transaction.createTable(ITEMS)
  t.equal(await outcomeOf(altered.fetch(1)), 'SCHEMA_CHANGED')
  transaction.rollbackTo('before')
  t.equal(await outcomeOf(dropped.fetch(1)), 'NOT_FOUND')
  t.equal(await outcomeOf(altered.fetch(1)), 'SCHEMA_CHANGED')
  t.equal(keys((await transaction.openCursor('items').fetch(1)).rows), '0.0')
  transaction.rollback()
})

t.test('a number of rows that is none is refused and does not stick', async (t) => {
  const { db } = await openGrid(t)
  const transaction = db.begin()
  const cursor = transaction.openCursor('items')
  for (const rows of [0, -1, 1.5, NaN, SCAN_RESULT_ROWS_MAX + 1]) {
    t.equal(await outcomeOf(cursor.fetch(rows)), 'INVALID_ARGUMENT', String(rows))
  }
  t.equal((await drain(cursor, [SCAN_RESULT_ROWS_MAX])).length, GRID.length)
  t.same(await cursor.fetch(1), { rows: [], done: true }, 'the end stays the end')
  transaction.rollback()
})

t.test('a closed cursor is CURSOR_CLOSED, also when it closes while it reads', async (t) => {
  const { db, engine } = await openGrid(t)
  const transaction = db.begin()
  const cursor = transaction.openCursor('items')
  const page = engine.page.bind(engine)
  engine.page = async (range, pageOptions) => {
    const read = await page(range, pageOptions)
    cursor.close()
    return read
  }
  t.equal(await outcomeOf(cursor.fetch(1)), 'CURSOR_CLOSED')
  engine.page = page
  cursor.close()
  t.equal(await outcomeOf(cursor.fetch(1)), 'CURSOR_CLOSED')
  t.equal(cursor.state, 'closed')
  transaction.rollback()
})

t.test('the end of its transaction closes a cursor', async (t) => {
  const { db } = await openGrid(t)
  const ends: readonly ((transaction: Transaction) => unknown)[] = [
    (transaction) => transaction.commit(),
    (transaction) => {
      transaction.rollback()
    },
    (transaction) => {
      transaction.expire(new ReplogError('LIMIT', 'idle'))
    },
  ]
  for (const end of ends) {
    const transaction = db.begin()
    const fresh = transaction.openCursor('items')
    const used = transaction.openCursor('items')
    await used.fetch(1)
    await end(transaction)
    t.equal(fresh.state, 'closed')
    t.equal(await outcomeOf(used.fetch(1)), 'CURSOR_CLOSED')
    t.equal(await outcomeOf(fresh.fetch(1)), 'CURSOR_CLOSED')
  }
})

t.test('a transaction that ends while a cursor reads says why', async (t) => {
  const { db, engine } = await openGrid(t)
  const transaction = db.begin()
  const cursor = transaction.openCursor('items')
  const page = engine.page.bind(engine)
  engine.page = async (range, pageOptions) => {
    const read = await page(range, pageOptions)
    transaction.expire(new ReplogError('SNAPSHOT_TOO_OLD', 'too old'))
    return read
  }
  t.equal(await outcomeOf(cursor.fetch(1)), 'SNAPSHOT_TOO_OLD')
  t.equal(await outcomeOf(cursor.fetch(1)), 'CURSOR_CLOSED')
})

t.test('fetches that are not waited for come one after the other', async (t) => {
  const { db } = await openGrid(t)
  const transaction = db.begin()
  const cursor = transaction.openCursor('items', { prefix: { a: 0 } })
  const pages = await Promise.all([cursor.fetch(3), cursor.fetch(3), cursor.fetch(30), cursor.fetch(3)])
  t.same(
    pages.map(({ rows }) => keys(rows)),
    ['0.0 0.1 0.2', '0.3 0.4 0.5', '0.6 0.7 0.8 0.9', ''],
  )
  transaction.rollback()
})

t.test('large rows end a page early, and none is lost', async (t) => {
  const { db } = await openGated(t)
  await db.execute([{ createTable: { table: ITEMS } }])
  const text = 'x'.repeat(400_000)
  await insertLarge(db, text)
  const transaction = db.begin()
  const cursor = transaction.openCursor('items')
  const { rows, done } = await cursor.fetch(SCAN_RESULT_ROWS_MAX)
  t.ok(rows.length < 40 && rows.length > 0, `${rows.length} rows`)
  t.notOk(done)
  t.equal(rows.length + (await drain(cursor, [SCAN_RESULT_ROWS_MAX])).length, 40)
  transaction.rollback()
})

async function insertLarge(db: Catalog, text: string): Promise<void> {
  for (let b = 0; b < 40; b++) await db.execute([{ insert: { table: 'items', rows: [{ a: 0, b, text }] } }])
}

t.test('a cursor leaves nothing behind: no snapshot, however many were opened and however they ended', async (t) => {
  const { db, primary } = await openGrid(t)
  for (let round = 0; round < 20; round++) {
    const transaction = db.begin()
    for (let n = 0; n < 20; n++) await transaction.openCursor('items', { reverse: n % 2 === 0 }).fetch(1 + n)
    transaction.rollback()
  }
  t.equal(primary.state.versions.openSnapshots, 0)
  t.equal(primary.openTransactions, 0)
})

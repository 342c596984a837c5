/** G4, G5, G6: definition statements that look at rows, beside everything else that goes on. */
import t from 'tap'
import type { Test } from 'tap'
import { TABLE_CONSTRAINTS_MAX } from '../../core/limits.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { Primary } from '../../primary/primary.js'
import { jobPrefix, prefixRange } from '../../store/keys.js'
import { type GatedPrimary, openGated } from './open-primary.js'
import { collect, outcomeOf, outcomeSoon } from './outcome.js'

async function openWithRows(t: Test, rows = 50): Promise<GatedPrimary> {
  const opened = await openGated(t)
  await opened.db.execute([
    {
      createTable: {
        table: {
          name: 'items',
          columns: [
            { name: 'id', type: 'INTEGER', autoIncrement: true },
            { name: 'price', type: 'INTEGER' },
          ],
          primaryKey: ['id'],
        },
      },
    },
    { insert: { table: 'items', rows: Array.from({ length: rows }, (_, price) => ({ price })) } },
  ])
  return opened
}

const NOT_NULL = [{ setNotNull: { column: 'price' } }]
const RETYPED = [{ setType: { column: 'price', type: 'TEXT' } }]

void t.test('who writes to a table whose rows are looked at waits, and then meets the new definition', async (t) => {
  const { db } = await openWithRows(t)
  const tx = db.begin()
  await tx.alterTable('items', RETYPED)
  const oneShot = db.execute([{ insert: { table: 'items', rows: [{ price: 7 }] } }])
  const retried = db.transaction((other) => other.update('items', { id: 1 }, { price: null }))
  const other = db.begin()
  await other.update('items', { id: 2 }, { price: 2 })
  const lost = outcomeOf(other.commit())
  t.equal(await outcomeSoon(oneShot), 'pending')
  await tx.commit()
  t.equal(await outcomeOf(oneShot), 'INVALID_VALUE', 'a number is no TEXT')
  t.equal(await outcomeOf(retried), 'resolved')
  t.equal(await lost, 'SCHEMA_CHANGED')
  t.same(db.get('items', { id: 1 }), { id: 1, price: null })
  t.same(db.get('items', { id: 2 }), { id: 2, price: '1' })
})

void t.test('a busy table: the change waits for nobody for long, and no write is lost', async (t) => {
  const { db } = await openWithRows(t)
  let isChanging = true
  let added = 0
  const write = async (): Promise<void> => {
    while (isChanging) {
      await db.execute([{ update: { table: 'items', key: { id: 1 }, set: { price: { add: 1 } } } }])
      added++
    }
  }
  const writing = [write(), write(), write()]
  for (const type of ['BIGINT', 'DECIMAL(12,0)', 'DOUBLE', 'DECIMAL(20,0)']) {
    const changes = [
      { setType: { column: 'price', type } },
      { addCheck: { expression: { ge: [{ column: 'price' }, 0] as const } } },
    ]
    t.same((await db.execute([{ alterTable: { table: 'items', changes } }])).results, [{ altered: true }])
    await db.execute([
      { alterTable: { table: 'items', changes: [{ dropCheck: { name: checkOf(db.table('items')) } }] } },
    ])
  }
  isChanging = false
  await Promise.all(writing)
  t.ok(added > 0)
  t.same(db.get('items', { id: 1 }), { id: 1, price: String(added) })
})

void t.test('statements that are called while another one takes its time wait for their turn', async (t) => {
  const { db } = await openWithRows(t)
  const tx = db.begin()
  const altered = tx.alterTable('items', [...RETYPED, { renameColumn: { name: 'price', to: 'text' } }])
  const inserted = tx.insert('items', { text: 'new' })
  const found = tx.get('items', { id: 51 })
  const failed = outcomeOf(tx.insert('items', { price: 1 }))
  t.equal(await outcomeOf(tx.commit()), 'INVALID_ARGUMENT', 'a statement still runs')
  t.throws(
    () => {
      tx.savepoint('s')
    },
    { code: 'INVALID_ARGUMENT' },
  )
  t.same(await altered, { altered: true })
  t.same(await inserted, { inserted: 1, autoIncrement: [51n] })
  t.same(await found, { id: 51, text: 'new' })
  t.equal(await failed, 'NOT_FOUND')
  await tx.commit()
  t.same(db.get('items', { id: 3 }), { id: 3, text: '2' })
})

void t.test('a rollback and an expiry while a statement takes its time leave nothing, no lock either', async (t) => {
  const { primary, db } = await openWithRows(t, 3000)
  const before = db.table('items').message
  for (const end of ['rollback', 'close'] as const) {
    const tx = db.begin()
    const altered = outcomeOf(tx.alterTable('items', RETYPED))
    if (end === 'rollback') tx.rollback()
    else await new Promise(setImmediate).then(() => tx.rollback())
    t.match(await altered, /^(NO_TRANSACTION|resolved)$/)
    t.equal(tx.status, 'rolled back')
    t.equal(primary.locks.size, 0)
    t.same(db.table('items').message, before)
  }
  await db.execute([{ update: { table: 'items', key: { id: 1 }, set: { price: 5 } } }])
})

void t.test('a change that rows refuse leaves the transaction open and as it was', async (t) => {
  const { db } = await openWithRows(t)
  await db.execute([{ insert: { table: 'items', rows: [{ price: null }, { price: 3 }] } }])
  const tx = db.begin()
  await tx.insert('items', { price: 9 })
  t.equal(await outcomeOf(tx.alterTable('items', NOT_NULL)), 'INVALID_VALUE')
  t.equal(await outcomeOf(tx.createIndex('items', { name: 'p', columns: ['price'], unique: true })), 'DUPLICATE_KEY')
  const check = { addCheck: { expression: { lt: [{ column: 'price' }, 9] as const } } }
  t.equal(await outcomeOf(tx.alterTable('items', [{ setComment: { comment: 'x' } }, check])), 'CHECK_VIOLATION')
  t.equal(await outcomeOf(tx.alterTable('items', [{ setPrimaryKey: { columns: ['price'] } }])), 'INVALID_VALUE')
  t.equal(tx.status, 'open')
  t.same((await collect(tx.scan('items'))).length, 53)
  await tx.commit()
  t.equal(db.table('items').version, 1)
  t.equal(db.table('items').message.comment, '')
})

void t.test('too many rows to rewrite: the refusal says how many', async (t) => {
  const { primary } = await openGated(t, { limits: { catalog: { transactionRows: 20 } } })
  const db = primary.catalog()
  const table = { name: 'items', columns: [{ name: 'id', type: 'INTEGER' }], primaryKey: ['id'] }
  await db.execute([{ createTable: { table } }])
  for (let from = 0; from < 30; from += 10) {
    const rows = Array.from({ length: 10 }, (_, at) => ({ id: from + at }))
    await db.execute([{ insert: { table: 'items', rows } }])
  }
  const refused = db.execute([
    { alterTable: { table: 'items', changes: [{ setType: { column: 'id', type: 'TEXT' } }] } },
  ])
  await t.rejects(refused, {
    code: 'TRANSACTION_TOO_LARGE',
    message: /rewrites the 30 rows of table "items".* at most 20/,
  })
})

void t.test(
  'a reader of an older snapshot keeps rows and definition through rewrite, rename and truncate',
  async (t) => {
    const { primary, db } = await openWithRows(t, 2500)
    const old = db.begin({ readOnly: true })
    const pages = old.scanPages('items')
    const first = await pages.next()
    await db.execute([{ alterTable: { table: 'items', changes: RETYPED } }])
    await db.execute([{ renameTables: { tables: [{ from: 'items', to: 'things' }] } }])
    await db.execute([{ truncateTable: { table: 'things' } }])
    const rest: unknown[] = [...((first.value as unknown[] | undefined) ?? [])]
    for await (const page of pages) rest.push(...page)
    t.equal(rest.length, 2500)
    t.same(rest[2499], { id: 2500, price: 2499 })
    t.same(await old.get('items', { id: 1 }), { id: 1, price: 0 })
    old.rollback()
    await primary.jobsDone()
    t.equal((await primary.state.store.page(prefixRange(jobPrefix()), PAGE)).entries.length, 0)
    t.equal(
      (await primary.state.store.page(prefixRange(Buffer.from('R')), PAGE)).entries.length,
      0,
      'both storages are gone',
    )
  },
)

void t.test('G6: AUTO_INCREMENT goes on after truncate, rewrite, rollback and a crash', async (t) => {
  const { db, memory } = await openWithRows(t, 10)
  await db.execute([{ delete: { table: 'items', key: { id: 10 } } }])
  await db.execute([{ alterTable: { table: 'items', changes: RETYPED } }])
  const next = async (catalog = db): Promise<unknown> => {
    const { results } = await catalog.execute([{ insert: { table: 'items', rows: [{}] } }])
    return (results[0] as unknown as { autoIncrement: bigint[] }).autoIncrement[0]
  }
  t.equal(await next(), 11n)
  await db.execute([{ truncateTable: { table: 'items' } }])
  t.equal(await next(), 12n)
  const tx = db.begin()
  await tx.insert('items', [{}, {}])
  await tx.truncateTable('items')
  await tx.commit()
  const reopened = await Primary.open({ path: '/memory', engine: memory.crash() })
  t.equal(await next(reopened.catalog()), 15n, 'those of the transaction itself are stepped over, too')
  await reopened.close()
})

void t.test('CREATE TABLE AS takes columns, names and rows as asked, in one transaction', async (t) => {
  const { db } = await openWithRows(t)
  const { results } = await db.execute([
    {
      createTableAs: {
        table: 'cheap',
        from: { table: 'items', reverse: true },
        columns: ['price', { column: 'id', as: 'item' }],
        where: { or: [{ lt: [{ column: 'price' }, 3] }, { eq: [{ column: 'id' }, 50] }] },
        primaryKey: ['price', 'item'],
      },
    },
    { insert: { table: 'cheap', rows: [{ price: -1, item: 0 }] } },
  ])
  t.same(results, [{ created: true, inserted: 4 }, { inserted: 1 }])
  t.same(await collect(db.scan('cheap')), [
    { price: -1, item: 0 },
    { price: 0, item: 1 },
    { price: 1, item: 2 },
    { price: 2, item: 3 },
    { price: 49, item: 50 },
  ])
  const without = { createTableAs: { table: 'x', from: { table: 'items' }, columns: ['price'] } }
  t.equal(await outcomeOf(db.execute([without])), 'INVALID_DEFINITION', 'its key is not among the columns')
})

void t.test('G10: a repeated key answers what the first one did, for statements that look at rows too', async (t) => {
  const { db } = await openWithRows(t)
  const statements = [{ alterTable: { table: 'items', changes: RETYPED } }, { get: { table: 'items', key: { id: 1 } } }]
  const first = await db.execute(statements, { idempotencyKey: 'k' })
  const again = await db.execute(statements, { idempotencyKey: 'k' })
  t.same(again, { ...first, replayed: true })
  t.equal(db.table('items').version, 2)
  const racing = await Promise.all(
    [1, 2, 3].map(() =>
      db.execute([{ alterTable: { table: 'items', changes: [{ setComment: { comment: 'c' } }] } }], {
        idempotencyKey: 'r',
      }),
    ),
  )
  t.equal(racing.filter(({ replayed }) => !replayed).length, 1)
  t.same(new Set(racing.map(({ results }) => JSON.stringify(results))), new Set(['[{"altered":true}]']))
})

const PAGE = { entriesMax: 10_000, bytesMax: 1 << 24, reverse: false }

function checkOf(table: { readonly message: { readonly checks: readonly { readonly name: string }[] } }): string {
  return table.message.checks[0]!.name
}

void t.test('G5: a definition statement that throws in its middle leaves nothing of itself', async (t) => {
  const { db } = await openWithRows(t)
  const referring = (name: string): TableDefinition => ({
    name,
    columns: [{ name: 'id', type: 'INTEGER' }],
    primaryKey: ['id'],
    foreignKeys: [{ columns: ['id'], references: { table: 'items' } }],
  })
  for (let at = 0; at < TABLE_CONSTRAINTS_MAX; at += 64) {
    const names = Array.from({ length: 64 }, (_, one) => `c${at + one}`)
    await db.execute(names.map((name) => ({ createTable: { table: referring(name) } })))
  }
  const tx = db.begin()
  t.equal(await outcomeOf(tx.createTable(referring('one_more'))), 'INVALID_DEFINITION')
  t.equal(await outcomeOf(tx.get('one_more', { id: 1 })), 'NOT_FOUND')
  await tx.insert('items', {})
  await tx.commit()
  t.throws(() => db.table('one_more'), { code: 'NOT_FOUND' })
})

void t.test('scans and cursors of a transaction end where it alters what they read', async (t) => {
  const { db } = await openWithRows(t, 3000)
  const tx = db.begin()
  const scan = tx.scanPages('items')
  await scan.next()
  tx.savepoint('s')
  await tx.alterTable('items', [{ addColumn: { name: 'a', type: 'INTEGER' } }])
  t.equal(await outcomeOf(scan.next()), 'SCHEMA_CHANGED')
  const cursor = tx.openCursor('items')
  await cursor.fetch(1)
  tx.rollbackTo('s')
  await tx.alterTable('items', [{ addColumn: { name: 'b', type: 'TEXT' } }])
  t.equal(await outcomeOf(cursor.fetch(1)), 'SCHEMA_CHANGED', 'the version is the same, the definition is another')
  tx.rollback()
})

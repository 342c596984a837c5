/**
 * Catalogs are isolated name spaces that come and go like tables do: what is dropped is gone for everybody who comes
 * later, is read to the end by who came before, and leaves no key behind, wherever a crash cuts its purge off. (G6)
 */
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import { Primary } from '../../primary/primary.js'
import type { Engine } from '../../store/engine.js'
import { DICTIONARY_PREFIX, LOG_PREFIX, describeKey } from '../../store/keys.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { openGated } from './open-primary.js'
import { collect, outcomeOf } from './outcome.js'

const GOODS: TableDefinition = {
  name: 'goods',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'name', type: 'TEXT' },
  ],
  primaryKey: ['id'],
  indexes: [{ name: 'name', columns: ['name'] }],
}
const ROWS = 2500
const VERSION_LETTER = 'v'.charCodeAt(0)

const goods = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => ({ id: from + at, name: `n${at}` }))

/** Every key of the store but those that stay by design: the log, and versions that decode its messages. */
async function keysOf(engine: Engine): Promise<string[]> {
  const range = { from: Buffer.of(0), to: Buffer.of(0xff) }
  const { entries, exhausted } = await engine.page(range, { entriesMax: 1e6, bytesMax: 1e9, reverse: false })
  if (!exhausted) throw new Error('the store is larger than this test expects')
  return entries
    .map(({ key }) => key)
    .filter((key) => key[0] !== LOG_PREFIX && !(key[0] === DICTIONARY_PREFIX && key[1] === VERSION_LETTER))
    .map(describeKey)
}

/** Fills a catalog with everything that a catalog can have. */
async function fill(db: Catalog): Promise<void> {
  await db.execute([{ createTable: { table: GOODS } }, { insert: { table: 'goods', rows: goods(0, ROWS) } }])
  await db.execute([{ createTable: { table: { ...GOODS, name: 'few' } } }])
  await db.execute([{ insert: { table: 'few', rows: goods(0, 3) } }], { idempotencyKey: 'once' })
  await db.execute([{ createTable: { table: { ...GOODS, name: 'gone' } } }])
  await db.execute([{ insert: { table: 'gone', rows: goods(0, 3) } }, { dropTable: { table: 'gone' } }])
}

void t.test(
  'no statement reaches across: equal names are different tables, with statistics of their own',
  async (t) => {
    const { primary, db } = await openGated(t)
    await primary.createCatalog('shop')
    const shop = primary.catalog('shop')
    await db.execute([{ createTable: { table: GOODS } }, { insert: { table: 'goods', rows: goods(0, 5) } }])
    t.equal(await outcomeOf(collect(shop.scan('goods'))), 'NOT_FOUND')
    await shop.execute([{ createTable: { table: GOODS } }, { insert: { table: 'goods', rows: goods(0, 2) } }])
    t.equal((await collect(db.scan('goods'))).length, 5)
    t.equal((await collect(shop.scan('goods', { index: 'name' }))).length, 2)
    t.not(shop.table('goods').id, db.table('goods').id)
    t.equal(await outcomeOf(shop.execute([{ get: { table: 'local.test.goods', key: { id: 1 } } }])), 'INVALID_ARGUMENT')
    await db.execute([{ delete: { table: 'goods', key: { id: 0 } } }], { idempotencyKey: 'same' })
    const other = await shop.execute([{ delete: { table: 'goods', key: { id: 1 } } }], { idempotencyKey: 'same' })
    t.equal(other.replayed, false, 'idempotency keys are each catalog’s own')
    await db.execute([{ dropTable: { table: 'goods' } }])
    t.equal((await collect(shop.scan('goods'))).length, 1)
  },
)

void t.test('names: made once, free again after a drop, and the default stays', async (t) => {
  const { primary } = await openGated(t)
  const [one, other] = await Promise.all(['shop', 'shop'].map((name) => outcomeOf(primary.createCatalog(name))))
  t.same([one, other].sort(), ['ALREADY_EXISTS', 'resolved'])
  await primary.catalog('shop').execute([{ createTable: { table: GOODS } }])
  await primary.dropCatalog('shop')
  t.equal(await outcomeOf(primary.dropCatalog('shop')), 'NOT_FOUND')
  t.throws(() => primary.catalog('shop').begin(), { code: 'NOT_FOUND' })
  t.throws(() => primary.catalog('shop').get('goods', { id: 1 }), { code: 'NOT_FOUND' })
  await primary.createCatalog('shop')
  t.same(await primary.catalog('shop').tables(), [], 'it begins empty')
  t.throws(() => primary.dropCatalog('local'), { code: 'INVALID_ARGUMENT' })
  for (const name of ['', 'x'.repeat(129), '\ud800']) {
    t.throws(() => primary.createCatalog(name), { code: 'INVALID_ARGUMENT' }, JSON.stringify(name))
  }
})

void t.test('a drop and transactions that use the catalog meet like any two transactions', async (t) => {
  const { primary } = await openGated(t)
  await primary.createCatalog('shop')
  const shop = primary.catalog('shop')
  await fill(shop)
  const reader = shop.begin({ readOnly: true })
  const writer = shop.begin()
  await writer.insert('goods', { id: 9999 })
  const pages = shop.scanPages('goods')
  await pages.next()
  await primary.dropCatalog('shop')
  t.equal(await outcomeOf(writer.commit()), 'SCHEMA_CHANGED')
  await delay(60)
  t.equal((await collect(reader.scan('goods', { index: 'name' }))).length, ROWS, 'who came before reads to the end')
  t.match(await reader.get('few', { id: 2 }), { name: 'n2' })
  let rest = 0
  for await (const page of pages) rest += page.length
  t.ok(rest >= ROWS - 1000)
  await reader.commit()
  await primary.jobsDone()
  t.throws(() => shop.begin(), { code: 'NOT_FOUND' })
})

void t.test('a dropped catalog leaves no key, wherever a crash cuts the drop or its purge off', async (t) => {
  const prepared = new MemoryEngine()
  const first = await Primary.open({ path: '/memory', engine: prepared })
  await first.createCatalog('other')
  const other = first.catalog('other')
  await other.execute([{ createTable: { table: GOODS } }, { insert: { table: 'goods', rows: goods(0, 10) } }])
  const before = await keysOf(prepared)
  await first.createCatalog('shop')
  await fill(first.catalog('shop'))
  await first.jobsDone()
  t.ok((await keysOf(prepared)).length > before.length + ROWS)
  await first.close()

  const requireGone = async (engine: MemoryEngine, step: string): Promise<void> => {
    const primary = await Primary.open({ path: '/memory', engine })
    const isThere =
      (await outcomeOf(Promise.resolve().then(() => primary.catalog('shop').begin().rollback()))) === 'resolved'
    if (isThere) {
      const rows = await collect(primary.catalog('shop').scan('goods'))
      t.equal(rows.length, ROWS, `${step}: the old state is whole`)
      await primary.dropCatalog('shop')
    }
    await primary.jobsDone()
    t.same(await keysOf(engine), before, `${step}: nothing is left and nothing else is gone`)
    t.equal((await collect(primary.catalog('other').scan('goods', { index: 'name' }))).length, 10)
    await primary.close()
  }

  for (const side of ['beforeSync', 'afterSync'] as const) {
    let steps = 0
    for (let step = 1; ; step++) {
      let syncs = 0
      let left: MemoryEngine | undefined
      const engine = prepared.crash({
        [side]: () => {
          if (++syncs === step) left = engine.crash()
          return Promise.resolve()
        },
      })
      const primary = await Primary.open({ path: '/memory', engine })
      await outcomeOf(primary.dropCatalog('shop'))
      await primary.jobsDone()
      await primary.close()
      if (left === undefined) break
      steps = step
      await requireGone(left, `${side} of batch ${step}`)
    }
    t.ok(steps >= 8, `${side}: ${steps} batches from the drop to the end of its purge`)
  }
})

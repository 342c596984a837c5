/**
 * Each limit on transactions: what meets it passes, what is beyond it is refused with its code and its name, and nothing
 * of the refused is staged or stored. (G5)
 */
import t, { type Test } from 'tap'
import { ReplogError } from '../../core/errors.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { LIMITS, type LimitName } from '../../primary/limit-table.js'
import type { LimitOptions } from '../../primary/limit-options.js'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { repositoryText } from '../house/repository.js'
import { ManualClock } from './manual-clock.js'
import { collect, outcomeOf } from './outcome.js'

const NOTES: TableDefinition = {
  name: 'notes',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'text', type: 'TEXT' },
  ],
  primaryKey: ['id'],
}

async function openNotes(t: Test, limits: LimitOptions) {
  const clock = new ManualClock()
  const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine(), clock, limits })
  t.teardown(() => primary.close())
  const db = primary.catalog()
  await db.execute([{ createTable: { table: NOTES } }])
  return { primary, db, clock }
}

const rowsOf = (...ids: readonly number[]) => ids.map((id) => ({ id, text: 'x'.repeat(100) }))
const insert = (...ids: readonly number[]) => ({ insert: { table: 'notes', rows: rowsOf(...ids) } })

/** What a refusal is, and whose limit it names. */
async function refusal(promise: Promise<unknown>): Promise<Readonly<Record<string, unknown>>> {
  try {
    await promise
    return { code: 'resolved' }
  } catch (error) {
    if (!(error instanceof ReplogError)) throw error
    return { code: error.code, ...error.details }
  }
}

/** Bounds of one transaction, in both scopes: what fits exactly, and what is one too much. */
const PER_TRANSACTION = {
  transactionRows: { value: 3, fits: [insert(1, 2), insert(3)], more: insert(4) },
  transactionBytes: { value: 330, fits: [insert(1, 2, 3)], more: insert(4) },
  transactionStatements: { value: 2, fits: [insert(1), insert(2)], more: insert(3) },
} as const

for (const [name, { value, fits, more }] of Object.entries(PER_TRANSACTION)) {
  for (const scope of ['server', 'catalog'] as const) {
    void t.test(`${name} of a ${scope}: what is beyond does nothing, and the transaction goes on`, async (t) => {
      const { db, primary } = await openNotes(t, { [scope]: { [name]: value } })
      const { code } = LIMITS[name as LimitName]
      const expected = { code, limit: name, value, scope, catalog: 'local' }
      const tx = db.begin()
      for (const statement of fits) await tx.execute(statement)
      const staged = primary.quotas.inUse('stagedBytes')
      t.same(await refusal(tx.execute(more)), expected)
      t.equal(tx.status, 'open')
      t.equal(primary.quotas.inUse('stagedBytes'), staged, 'what was refused holds no memory')
      await tx.commit()
      const stored = await collect(db.scan('notes'))
      t.equal(
        stored.length,
        fits.reduce((sum, statement) => sum + statement.insert.rows.length, 0),
      )

      const { lsn } = primary.position
      const oneShot = [...fits, more].map((statement) => ({
        insert: { table: 'notes', rows: statement.insert.rows.map((row) => ({ ...row, id: row.id + 100 })) },
      }))
      t.match(await refusal(db.execute(oneShot)), expected, 'a one-shot transaction as a whole')
      t.equal(primary.position.lsn, lsn)
      t.equal((await collect(db.scan('notes'))).length, stored.length)
    })
  }
}

for (const scope of ['server', 'catalog'] as const) {
  void t.test(`oneShotStatements of a ${scope}`, async (t) => {
    const { db, primary } = await openNotes(t, { [scope]: { oneShotStatements: 2 } })
    const { lsn } = primary.position
    const expected = { code: 'TRANSACTION_TOO_LARGE', limit: 'oneShotStatements', value: 2, scope, catalog: 'local' }
    t.same(await refusal(db.execute([insert(1), insert(2), insert(3)])), expected)
    t.equal(primary.position.lsn, lsn)
    await db.execute([insert(1), insert(2)])
    const tx = db.begin()
    for (const id of [3, 4, 5]) await tx.execute(insert(id))
    await tx.commit()
    t.equal((await collect(db.scan('notes'))).length, 5, 'interactive ones are not meant')
  })

  void t.test(`openTransactions of a ${scope}: the begin is refused, and whatever ends makes room`, async (t) => {
    const { db, primary, clock } = await openNotes(t, { [scope]: { openTransactions: 2 } })
    await primary.createCatalog('other')
    const catalog = scope === 'catalog' ? { catalog: 'local' } : {}
    const expected = { code: 'LIMIT', details: { limit: 'openTransactions', value: 2, scope, ...catalog } }
    const ends: readonly ((tx: ReturnType<typeof db.begin>) => unknown)[] = [
      async (tx) => tx.commit(),
      (tx) => {
        tx.rollback()
      },
      async (tx) => {
        await tx.insert('notes', rowsOf(1))
        await db.execute([insert(1)])
        t.equal(await outcomeOf(tx.commit()), 'CONFLICT')
      },
      () => clock.advance(61_000),
    ]
    for (const end of ends) {
      const open = [db.begin(), db.begin()]
      t.throws(() => db.begin(), expected)
      if (scope === 'catalog') primary.catalog('other').begin().rollback()
      else t.throws(() => primary.catalog('other').begin(), expected)
      t.throws(() => primary.catalog('nothing').begin(), { code: scope === 'server' ? 'LIMIT' : 'NOT_FOUND' })
      await end(open[0]!)
      db.begin().rollback()
      open[1]!.rollback()
      t.equal(primary.quotas.inUse('openTransactions'), 0)
    }
    await db.execute([insert(2)])
    t.equal(primary.quotas.rememberedCatalogs, 0)
  })

  void t.test(`transactionAgeMs of a ${scope}: rolled back, and what comes later is told why`, async (t) => {
    const { db, primary, clock } = await openNotes(t, { [scope]: { transactionAgeMs: 5000 } })
    const tx = db.begin()
    await tx.insert('notes', rowsOf(1))
    await clock.advance(4000)
    t.equal(tx.status, 'open')
    await clock.advance(2000)
    const expected = { code: 'SNAPSHOT_TOO_OLD', limit: 'transactionAgeMs', value: 5000, scope, catalog: 'local' }
    t.same(await refusal(tx.commit()), expected)
    t.same(await collect(db.scan('notes')), [])
    t.equal(primary.quotas.inUse('stagedBytes'), 0)
  })

  void t.test(`stagedBytes of a ${scope}: memory of all open transactions; who gives up makes room`, async (t) => {
    const { db, primary } = await openNotes(t, { [scope]: { stagedBytes: 500 } })
    const [one, other] = [db.begin(), db.begin()]
    await one.execute(insert(1, 2))
    other.savepoint('before')
    await other.execute(insert(3, 4))
    const full = primary.quotas.inUse('stagedBytes')
    const catalog = scope === 'catalog' ? { catalog: 'local' } : {}
    t.match(await refusal(other.execute(insert(5))), { code: 'LIMIT', limit: 'stagedBytes', scope, ...catalog })
    t.equal(await other.get('notes', { id: 5 }), undefined)
    t.equal(primary.quotas.inUse('stagedBytes'), full)
    other.rollbackTo('before')
    t.ok(primary.quotas.inUse('stagedBytes') < full, 'a savepoint gives it back')
    await one.execute(insert(5))
    one.rollback()
    await other.execute(insert(3, 4, 5, 6))
    await other.commit()
    t.equal(primary.quotas.inUse('stagedBytes'), 0)
    t.same(
      (await collect(db.scan('notes'))).map(({ id }) => id),
      [3, 4, 5, 6],
    )
    await db.execute([insert(10, 11, 12, 13, 14, 15)])
    t.pass('a one-shot transaction stages nothing that stays')
  })
}

void t.test('undoBytes: the oldest snapshots are given up, and no memory is held for them', async (t) => {
  const { db, primary } = await openNotes(t, { server: { undoBytes: 50_000 } })
  await db.execute([insert(1)])
  const tx = db.begin()
  await tx.get('notes', { id: 1 })
  for (let round = 0; round < 100; round++) {
    await db.execute([{ update: { table: 'notes', key: { id: 1 }, set: { text: 'y'.repeat(1000) + String(round) } } }])
  }
  t.ok(primary.state.versions.bytes <= 50_000, 'memory stays bounded')
  t.equal(await outcomeOf(tx.get('notes', { id: 1 })), 'SNAPSHOT_TOO_OLD')
  t.match(db.get('notes', { id: 1 }), { text: /99$/ })
})

void t.test('tables of a catalog: as many as may be, in any way of making them; dropping one makes room', async (t) => {
  const { db, primary } = await openNotes(t, { catalog: { tables: 3 } })
  const create = (name: string) => ({ createTable: { table: { ...NOTES, name } } })
  await db.execute([create('b'), create('c')])
  const expected = { code: 'STORAGE_LIMIT', limit: 'tables', value: 3, scope: 'catalog', catalog: 'local' }
  const { lsn } = primary.position
  t.same(await refusal(db.execute([create('d')])), expected)
  const tx = db.begin()
  await tx.createTable({ ...NOTES, name: 'd' })
  await tx.insert('notes', rowsOf(1))
  t.same(await refusal(tx.commit()), expected)
  t.equal(tx.status, 'rolled back')
  t.equal(primary.position.lsn, lsn, 'nothing was committed')
  t.same(await collect(db.scan('notes')), [])
  t.same(
    (await db.tables()).map(({ name }) => name),
    ['b', 'c', 'notes'],
  )
  await db.execute([{ dropTable: { table: 'b' } }, create('d')])
  await db.execute([{ dropTable: { table: 'c' } }])
  const [one, other] = [db.begin(), db.begin()]
  await one.createTable({ ...NOTES, name: 'e' })
  await other.createTable({ ...NOTES, name: 'f' })
  await one.commit()
  t.same(await refusal(other.commit()), expected, 'of two that each had room one has it')
  await primary.createCatalog('other')
  await primary.catalog('other').execute([create('a'), create('b'), create('c')])
})

void t.test('storedBytes of a catalog: growth beyond it is refused, shrinking never', async (t) => {
  const { db, primary } = await openNotes(t, { catalog: { storedBytes: 1000 } })
  const catalogId = db.table('notes').message.catalogId
  const bytes = (): number => primary.state.statistics.catalog(catalogId).bytes
  await db.execute([insert(1)])
  const row = bytes()
  const fitting = Math.floor(1000 / row)
  const ids = Array.from({ length: fitting }, (_, at) => at + 1)
  await db.execute([insert(...ids.slice(1))])
  t.equal(bytes(), fitting * row)

  const { lsn } = primary.position
  const expected = { code: 'STORAGE_LIMIT', limit: 'storedBytes', value: 1000, scope: 'catalog', catalog: 'local' }
  t.same(await refusal(db.execute([insert(100)])), expected)
  const tx = db.begin()
  await tx.insert('notes', rowsOf(100))
  t.same(await refusal(tx.commit()), expected)
  const longer = { update: { table: 'notes', key: { id: 1 }, set: { text: 'y'.repeat(300) } } }
  t.same(await refusal(db.execute([longer])), expected, 'an update that grows')
  t.equal(primary.position.lsn, lsn)
  t.equal(bytes(), fitting * row)

  await db.execute([{ delete: { table: 'notes', key: { id: 1 } } }, insert(100)])
  await db.execute([{ update: { table: 'notes', key: { id: 100 }, set: { text: 'short' } } }])
  t.ok(bytes() < fitting * row)
  await db.execute([
    insert(...ids.map((id) => id + 1000)),
    { dropTable: { table: 'notes' } },
    { createTable: { table: NOTES } },
    insert(1),
  ])
  t.equal(bytes(), row, 'a table that goes takes its bytes along, also those of the same transaction')
})

void t.test('a catalog that is over its limit, since that was lowered, can shrink step by step', async (t) => {
  const engine = new MemoryEngine()
  const first = await Primary.open({ path: '/memory', engine })
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9]
  await first.catalog().execute([{ createTable: { table: NOTES } }, insert(...all)])
  await first.close()
  const limits = { catalog: { storedBytes: 300, tables: 1 } }
  const primary = await Primary.open({ path: '/memory', engine: engine.crash(), limits })
  t.teardown(() => primary.close())
  const db = primary.catalog()
  for (const id of all) {
    t.equal(await outcomeOf(db.execute([insert(1000)])), id <= 8 ? 'STORAGE_LIMIT' : 'resolved', `with ${10 - id} rows`)
    await db.execute([{ delete: { table: 'notes', key: { id } } }])
  }
})

/** Where each limit has its tests; a new one does not compile without. */
const TESTED: Readonly<Record<LimitName, string>> = {
  transactionBytes: 'primary/quotas-transactions',
  transactionRows: 'primary/quotas-transactions',
  transactionStatements: 'primary/quotas-transactions',
  indexBuildRows: 'primary/index-build',
  oneShotStatements: 'primary/quotas-transactions',
  openTransactions: 'primary/quotas-transactions',
  transactionAgeMs: 'primary/quotas-transactions',
  stagedBytes: 'primary/quotas-transactions',
  undoBytes: 'primary/quotas-transactions',
  tables: 'primary/quotas-transactions',
  storedBytes: 'primary/quotas-transactions',
  bodyBytes: 'http/limits',
  requestsPerSecond: 'http/limits',
  requests: 'http/limits',
  requestBytes: 'http/limits',
  frameBytes: 'session/limits',
  connections: 'session/limits',
  sessions: 'session/limits',
  cursors: 'session/limits',
  transactionIdleMs: 'session/endings',
  sessionIdleMs: 'session/endings',
}

void t.test('every limit is met by a test', async (t) => {
  for (const [name, file] of Object.entries(TESTED)) {
    t.match(repositoryText(`test/${file}.test.ts`), new RegExp(`\\b${name}\\b.*\\d`), name)
  }
})

/**
 * G5, G6: rolling back to a savepoint undoes rows, index entries, definitions, pending additions and counters, whole and
 * exactly; what is committed afterwards is the fold of the log, on the primary and on a replica.
 */
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { TRANSACTION_SAVEPOINTS_MAX } from '../../core/limits.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import type { Catalog } from '../../primary/catalog.js'
import { Primary } from '../../primary/primary.js'
import type { Transaction } from '../../primary/transaction.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { checkStore } from '../crash/check-store.js'
import { differences } from '../replication/equal-stores.js'
import { follow, serve } from '../replication/linked-pair.js'
import { openGated } from './open-primary.js'
import { collect, outcomeOf } from './outcome.js'
import { scratchDirectory } from './scratch-directory.js'

const TABLE: TableDefinition = {
  name: 'items',
  columns: [
    { name: 'id', type: 'BIGINT', autoIncrement: true },
    { name: 'code', type: 'VARCHAR(10)' },
    { name: 'n', type: 'BIGINT' },
  ],
  primaryKey: ['id'],
  indexes: [
    { name: 'code', columns: ['code'], unique: true },
    { name: 'by_code', columns: [{ column: 'code', descending: true }] },
    // None on `n`, so that additions to it are pending until the commit.
  ],
}

async function makeItems(db: Catalog): Promise<void> {
  await db.execute([
    { createTable: { table: TABLE } },
    {
      insert: {
        table: 'items',
        rows: [
          { code: 'a', n: 1 },
          { code: 'b', n: 2 },
          { code: 'c', n: 3 },
        ],
      },
    },
  ])
}

async function open(t: Test): Promise<{ db: Catalog; check: () => Promise<void> }> {
  const { primary, db, memory } = await openGated(t)
  await makeItems(db)
  const check = async (): Promise<void> => {
    await primary.jobsDone()
    await primary.close()
    t.same((await checkStore(memory.crash())).problems, [])
  }
  return { db, check }
}

type Rows = readonly (readonly [unknown, unknown, unknown])[]

async function rowsOf(from: Pick<Transaction | Catalog, 'scan'>): Promise<Rows> {
  return (await collect(from.scan('items'))).map(({ id, code, n }) => [id, code, n])
}

const START: Rows = [
  [1n, 'a', 1n],
  [2n, 'b', 2n],
  [3n, 'c', 3n],
]

void t.test(
  'everything done since the savepoint is undone, what was done before it stays, the savepoint too',
  async (t) => {
    const { db, check } = await open(t)
    const tx = db.begin()
    await tx.insert('items', { code: 'd', n: 4 })
    await tx.update('items', { id: 1 }, { n: 11 })
    const before = await rowsOf(tx)
    tx.savepoint('s')
    for (let turn = 0; turn < 3; turn++) {
      await tx.insert('items', [{ code: 'e' }, { code: 'f' }])
      await tx.update('items', { id: 1 }, { n: 12, code: 'z' })
      await tx.update('items', { id: 2 }, { id: 20 })
      await tx.delete('items', { id: 3 })
      await tx.delete('items', { id: 4 })
      t.equal(await outcomeOf(tx.insert('items', { code: 'z' })), 'DUPLICATE_KEY')
      tx.rollbackTo('s')
      t.same(await rowsOf(tx), before)
      t.same(
        (await collect(tx.scan('items', { index: 'code', reverse: true }))).map((row) => row['code']),
        ['d', 'c', 'b', 'a'],
      )
      t.match(await tx.get('items', { id: 2 }), { code: 'b' })
    }
    await tx.insert('items', { id: 40, code: 'z' })
    await tx.commit()
    t.same(await rowsOf(db), [...before, [40n, 'z', null]])
    await check()
  },
)

void t.test('a savepoint at the very beginning takes the transaction back to nothing', async (t) => {
  const { db, check } = await open(t)
  const tx = db.begin()
  tx.savepoint('start')
  await tx.insert('items', { code: 'x' })
  await tx.update('items', { id: 1 }, { n: { add: 5 } })
  await tx.createTable({ ...TABLE, name: 'more' })
  tx.rollbackTo('start')
  const { lsn } = db.position
  const { position } = await tx.commit()
  t.equal(position.lsn, lsn, 'nothing was written')
  t.same(await rowsOf(db), START)
  await check()
})

void t.test(
  'savepoints nest: a rollback forgets the later ones, a release forgets it and the later ones',
  async (t) => {
    const { db, check } = await open(t)
    const tx = db.begin()
    const add = (code: string): Promise<unknown> => tx.insert('items', { code })
    const codes = async (): Promise<string> => (await rowsOf(tx)).map(([, code]) => String(code)).join('')
    tx.savepoint('one')
    await add('1')
    tx.savepoint('two')
    await add('2')
    tx.savepoint('three')
    await add('3')
    t.equal(await codes(), 'abc123')
    tx.rollbackTo('two')
    t.equal(await codes(), 'abc1')
    t.throws(() => tx.rollbackTo('three'), { code: 'NOT_FOUND' }, 'set after it')
    tx.rollbackTo('two')
    await add('4')
    tx.savepoint('three')
    await add('5')
    tx.releaseSavepoint('two')
    t.equal(await codes(), 'abc145', 'a release keeps what was done')
    t.throws(() => tx.rollbackTo('two'), { code: 'NOT_FOUND' })
    t.throws(() => tx.releaseSavepoint('three'), { code: 'NOT_FOUND' })
    tx.rollbackTo('one')
    t.equal(await codes(), 'abc')
    tx.releaseSavepoint('one')
    t.throws(() => tx.rollbackTo('one'), { code: 'NOT_FOUND' })
    t.throws(() => tx.rollbackTo('never'), { code: 'NOT_FOUND', message: /"never"/ })
    t.equal(tx.status, 'open')
    await add('6')
    await tx.commit()
    t.equal((await rowsOf(db)).length, 4)
    await check()
  },
)

void t.test('setting a name again moves it here; names that differ in case are two', async (t) => {
  const { db, check } = await open(t)
  const tx = db.begin()
  tx.savepoint('s')
  await tx.insert('items', { code: '1' })
  tx.savepoint('other')
  tx.savepoint('S')
  await tx.insert('items', { code: '2' })
  tx.savepoint('s')
  await tx.insert('items', { code: '3' })
  tx.rollbackTo('s')
  t.equal((await rowsOf(tx)).length, 5)
  tx.rollbackTo('S')
  t.equal((await rowsOf(tx)).length, 4)
  t.throws(() => tx.rollbackTo('s'), { code: 'NOT_FOUND' }, 'it was moved behind the other')
  tx.rollbackTo('other')
  await tx.commit()
  t.equal((await rowsOf(db)).length, 4)
  await check()
})

void t.test('definitions are undone like rows: create, drop, create again', async (t) => {
  const { db, check } = await open(t)
  const tx = db.begin()
  await tx.createTable({ ...TABLE, name: 'kept' })
  await tx.insert('kept', { code: 'k' })
  tx.savepoint('s')
  await tx.createTable({ ...TABLE, name: 'undone' })
  await tx.insert('undone', { code: 'u' })
  await tx.dropTable('kept')
  await tx.dropTable('items')
  t.equal(await outcomeOf(tx.get('items', { id: 1 })), 'NOT_FOUND')
  await tx.createTable({ ...TABLE, name: 'items', indexes: [] })
  await tx.insert('items', [{ code: 'same' }, { code: 'same' }])
  t.equal((await rowsOf(tx)).length, 2)
  tx.rollbackTo('s')
  t.same(await rowsOf(tx), START)
  t.match(await tx.get('kept', { id: 1 }), { code: 'k' })
  t.equal(await outcomeOf(tx.get('undone', { id: 1 })), 'NOT_FOUND')
  await tx.createTable({ ...TABLE, name: 'undone', columns: [{ name: 'id', type: 'INTEGER' }], indexes: [] })
  await tx.insert('undone', { id: 5 })
  t.equal(await outcomeOf(tx.insert('items', { code: 'a' })), 'DUPLICATE_KEY', 'the index is back')
  await tx.insert('items', { code: 'd' })
  await tx.commit()
  t.same(
    (await db.tables()).map(({ name, rows }) => [name, rows]),
    [
      ['items', 4],
      ['kept', 1],
      ['undone', 1],
    ],
  )
  await check()
})

void t.test('a drop that is undone leaves no job that would purge the table', async (t) => {
  const { db, check } = await open(t)
  await db.transaction(async (tx) => {
    tx.savepoint('s')
    await tx.dropTable('items')
    tx.rollbackTo('s')
    await tx.createTable({ ...TABLE, name: 'reason to commit' })
  })
  t.same(await rowsOf(db), START)
  await check()
})

void t.test('pending additions are undone whether or not somebody looked at them since', async (t) => {
  const { db, check } = await open(t)
  for (const look of [false, true]) {
    const start = db.get('items', { id: 1 })?.['n'] as bigint
    const tx = db.begin()
    await tx.update('items', { id: 1 }, { n: { add: 10 } })
    tx.savepoint('s')
    await tx.update('items', { id: 1 }, { n: { add: 100 } })
    await tx.update('items', { id: 2 }, { n: { add: 100 } })
    if (look) t.match(await tx.get('items', { id: 1 }), { n: start + 110n })
    if (look) await tx.update('items', { id: 1 }, { n: 7 })
    tx.rollbackTo('s')
    if (look) t.match(await tx.get('items', { id: 1 }), { n: start + 10n })
    await tx.update('items', { id: 3 }, { n: { add: 1000 } })
    tx.rollback()

    const again = db.begin()
    await again.update('items', { id: 1 }, { n: { add: 10 } })
    again.savepoint('s')
    await again.update('items', { id: 1 }, { n: { add: 100 } })
    await again.update('items', { id: 2 }, { n: { add: 100 } })
    if (look) await again.get('items', { id: 2 })
    again.rollbackTo('s')
    await again.update('items', { id: 3 }, { n: { add: 1000 } })
    await again.commit()
  }
  t.same(
    (await rowsOf(db)).map(([, , n]) => n),
    [21n, 2n, 2003n],
  )
  await check()
})

void t.test('an addition that a look before the savepoint made an update of stays one', async (t) => {
  const { db, check } = await open(t)
  const tx = db.begin()
  await tx.update('items', { id: 1 }, { n: { add: 10 } })
  tx.savepoint('s')
  t.match(await tx.get('items', { id: 1 }), { n: 11n })
  tx.rollbackTo('s')
  await tx.update('items', { id: 1 }, { n: { add: 1 } })
  t.match(await tx.get('items', { id: 1 }), { n: 12n })
  await tx.commit()
  t.same((await rowsOf(db))[0], [1n, 'a', 12n])
  await check()
})

void t.test('a statement that fails between savepoints leaves them as they are', async (t) => {
  const { db, check } = await open(t)
  const tx = db.begin()
  tx.savepoint('s')
  await tx.insert('items', { code: 'd' })
  t.equal(await outcomeOf(tx.insert('items', [{ code: 'e' }, { code: 'd' }])), 'DUPLICATE_KEY')
  tx.savepoint('u')
  t.equal(await outcomeOf(tx.insert('items', [{ code: 'f' }, { code: 'a' }])), 'DUPLICATE_KEY')
  t.equal(await outcomeOf(tx.createTable(TABLE)), 'ALREADY_EXISTS')
  t.throws(
    () => {
      tx.savepoint('')
    },
    { code: 'INVALID_ARGUMENT' },
  )
  tx.rollbackTo('u')
  t.equal((await rowsOf(tx)).length, 4)
  tx.rollbackTo('s')
  t.equal((await rowsOf(tx)).length, 3)
  await tx.insert('items', { code: 'd' })
  await tx.commit()
  t.equal((await rowsOf(db)).length, 4)
  await check()
})

void t.test('what was read and then undone is validated all the same', async (t) => {
  const { db } = await open(t)
  const tx = db.begin()
  tx.savepoint('s')
  await tx.update('items', { id: 1 }, { n: 5 })
  tx.rollbackTo('s')
  await tx.update('items', { id: 2 }, { n: 5 })
  await db.execute([{ update: { table: 'items', key: { id: 1 }, set: { n: 9 } } }])
  t.equal(await outcomeOf(tx.commit()), 'CONFLICT')
})

void t.test('AUTO_INCREMENT marks: an undone value is no mark of the log, and never comes again', async (t) => {
  const { db, check } = await open(t)
  const tx = db.begin()
  tx.savepoint('s')
  t.same(await tx.insert('items', [{ code: 'd' }, { id: 1000, code: 'e' }]), {
    inserted: 2,
    autoIncrement: [4n, 1000n],
  })
  tx.rollbackTo('s')
  t.same(await tx.insert('items', { code: 'f' }), { inserted: 1, autoIncrement: [5n] })
  tx.savepoint('u')
  await tx.insert('items', { id: 5000, code: 'g' })
  tx.rollbackTo('u')
  await tx.commit()
  await check()
})

void t.test('only so many savepoints at a time; moving or releasing one makes no more', async (t) => {
  const { db } = await open(t)
  const tx = db.begin()
  for (let ordinal = 0; ordinal < TRANSACTION_SAVEPOINTS_MAX; ordinal++) tx.savepoint(`s${ordinal}`)
  t.throws(
    () => {
      tx.savepoint('one more')
    },
    { code: 'LIMIT' },
  )
  tx.savepoint('s0')
  tx.releaseSavepoint('s0')
  tx.savepoint('one more')
  t.equal(tx.status, 'open')
  tx.rollback()
  t.throws(
    () => {
      tx.savepoint('s')
    },
    { code: 'NO_TRANSACTION' },
  )
})

/** One thing that a transaction does; `model` does the same to a copy of the rows. */
interface Model {
  rows: Map<bigint, { code: string | null; n: bigint | null }>
  tables: Set<string>
}

type Action =
  | { readonly kind: 'insert' | 'update' | 'add' | 'delete' | 'move'; readonly id: bigint; readonly code: string }
  | { readonly kind: 'savepoint' | 'release' | 'rollbackTo' | 'create' | 'drop'; readonly name: string }

const id = fc.bigInt({ min: 1n, max: 8n })
const code = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('insert', 'update', 'add', 'delete', 'move'), id, code }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('savepoint', 'rollbackTo', 'rollbackTo', 'release'),
      name: fc.constantFrom('p', 'q'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('create', 'drop'), name: fc.constantFrom('x', 'y') }) },
)

function copyOf(model: Model): Model {
  return { rows: new Map([...model.rows].map(([key, row]) => [key, { ...row }])), tables: new Set(model.tables) }
}

/** What the action makes of the rows; undefined when it must be refused. */
function applied(model: Model, { kind, id, code }: Extract<Action, { id: bigint }>): Model | undefined {
  const next = copyOf(model)
  const row = next.rows.get(id)
  const isTaken = (by: string): boolean => [...next.rows].some(([key, other]) => key !== id && other.code === by)
  if (kind === 'insert') {
    if (row !== undefined || isTaken(code)) return undefined
    next.rows.set(id, { code, n: 0n })
  } else if (row === undefined) {
    return next
  } else if (kind === 'update') {
    if (isTaken(code)) return undefined
    row.code = code
  } else if (kind === 'add') {
    row.n = (row.n ?? 0n) + id
  } else if (kind === 'delete') {
    next.rows.delete(id)
  } else {
    const to = id + 1n
    if (next.rows.has(to)) return undefined
    next.rows.delete(id)
    next.rows.set(to, row)
  }
  return next
}

async function perform(tx: Transaction, { kind, id, code }: Extract<Action, { id: bigint }>): Promise<string> {
  if (kind === 'insert') return outcomeOf(tx.insert('items', { id, code, n: 0 }))
  if (kind === 'update') return outcomeOf(tx.update('items', { id }, { code }))
  if (kind === 'add') return outcomeOf(tx.update('items', { id }, { n: { add: id } }))
  if (kind === 'delete') return outcomeOf(tx.delete('items', { id }))
  return outcomeOf(tx.update('items', { id }, { id: id + 1n }))
}

void t.test(
  'any mix of statements and savepoints leaves what a copy of the rows at each savepoint would',
  async (t) => {
    const counts = { rollbacks: 0, refusals: 0 }
    const run = async (actions: readonly Action[], looks: readonly number[]): Promise<string[]> => {
      const engine = new MemoryEngine()
      const primary = await Primary.open({ path: '/memory', engine })
      const db = primary.catalog()
      await db.execute([{ createTable: { table: TABLE } }])
      await db.execute([
        {
          insert: {
            table: 'items',
            rows: [
              { id: 1, code: 'a', n: 1 },
              { id: 5, code: 'b', n: 1 },
            ],
          },
        },
      ])
      let model: Model = {
        rows: new Map([
          [1n, { code: 'a', n: 1n }],
          [5n, { code: 'b', n: 1n }],
        ]),
        tables: new Set(),
      }
      let savepoints: { readonly name: string; readonly model: Model }[] = []
      const problems: string[] = []
      const tx = db.begin()
      for (const [at, one] of actions.entries()) {
        const expect = (what: string, expected: string): void => {
          if (what !== expected)
            problems.push(`${at}: ${JSON.stringify({ ...one, id: undefined })} ${what}, not ${expected}`)
          if (expected !== 'resolved') counts.refusals++
        }
        if ('id' in one) {
          const next = applied(model, one)
          expect(await perform(tx, one), next === undefined ? 'DUPLICATE_KEY' : 'resolved')
          model = next ?? model
        } else if (one.kind === 'create') {
          const outcome = await outcomeOf(tx.createTable({ ...TABLE, name: one.name }))
          expect(outcome, model.tables.has(one.name) ? 'ALREADY_EXISTS' : 'resolved')
          model = copyOf(model)
          model.tables.add(one.name)
        } else if (one.kind === 'drop') {
          const outcome = await outcomeOf(tx.dropTable(one.name))
          expect(outcome, model.tables.has(one.name) ? 'resolved' : 'NOT_FOUND')
          model = copyOf(model)
          model.tables.delete(one.name)
        } else if (one.kind === 'savepoint') {
          tx.savepoint(one.name)
          savepoints = [...savepoints.filter(({ name }) => name !== one.name), { name: one.name, model: copyOf(model) }]
        } else {
          const place = savepoints.findIndex(({ name }) => name === one.name)
          const outcome = await outcomeOf(
            (async () => {
              if (one.kind === 'release') tx.releaseSavepoint(one.name)
              else tx.rollbackTo(one.name)
            })(),
          )
          expect(outcome, place < 0 ? 'NOT_FOUND' : 'resolved')
          if (place < 0) continue
          if (one.kind === 'rollbackTo') {
            counts.rollbacks++
            model = copyOf(savepoints[place]!.model)
          }
          savepoints.length = one.kind === 'rollbackTo' ? place + 1 : place
        }
        // Looking makes updates of pending additions, so not every step looks.
        if (looks.includes(at)) compare(await rowsOf(tx), model, `after ${at}`, problems)
      }
      await tx.commit()
      compare(await rowsOf(db), model, 'after the commit', problems)
      await primary.jobsDone()
      await primary.close()
      return [...problems, ...(await checkStore(engine.crash())).problems]
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { maxLength: 40, size: 'max' }),
        fc.array(fc.nat(40), { maxLength: 6 }),
        async (actions, looks) => {
          const problems = await run(actions, looks)
          if (problems.length > 0) throw new Error(problems.join('\n'))
        },
      ),
      { numRuns: 200 },
    )
    t.ok(counts.rollbacks > 20 && counts.refusals > 100, JSON.stringify(counts))
  },
)

function compare(rows: Rows, model: Model, when: string, problems: string[]): void {
  const text = (all: Rows): string => all.map((row) => row.map(String).join(' ')).join(', ')
  const expected: Rows = [...model.rows]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([id, { code, n }]) => [id, code, n])
  if (text(rows) !== text(expected)) problems.push(`${when}: [${text(rows)}], not [${text(expected)}]`)
}

void t.test('G7: a replica of transactions that went back to savepoints has the same store', async (t) => {
  const directory = scratchDirectory(t)
  const { primary, url, close } = await serve(t, { path: join(directory, 'primary') })
  const db = primary.catalog()
  await makeItems(db)
  const replica = await follow(t, { path: join(directory, 'replica'), from: url })
  for (let round = 0; round < 5; round++) {
    await db.transaction(async (tx) => {
      await tx.insert('items', { code: `kept ${round}` })
      tx.savepoint('s')
      await tx.insert('items', { id: 100 * (round + 1), code: 'undone' })
      await tx.update('items', { id: 1 }, { n: { add: 5 } })
      await tx.createTable({ ...TABLE, name: `undone ${round}` })
      tx.rollbackTo('s')
      await tx.createTable({ ...TABLE, name: `kept ${round}` })
      await tx.insert(`kept ${round}`, { code: 'x' })
      await tx.update('items', { id: 1 }, { n: { add: 1 } })
    })
  }
  await replica.waitFor(primary.position.lsn)
  t.same(await replica.catalog().tables(), await db.tables())
  await replica.close()
  await close()
  t.same(await differences(join(directory, 'primary'), join(directory, 'replica')), [])
})

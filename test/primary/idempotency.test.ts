/**
 * G10: the same idempotency key gets the first outcome and has one effect: at once, in one group, after a crash, and on a
 * replica's copy of the store.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { IDEMPOTENCY_KEY_LENGTH_MAX, OUTCOME_BYTES_MAX } from '../../core/limits.js'
import { formatPosition } from '../../core/position.js'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { findOutcome } from '../../log/stored-outcome.js'
import type { Catalog } from '../../primary/catalog.js'
import type { StatementInput } from '../../primary/statement.js'
import { checkStore } from '../crash/check-store.js'
import { differences } from '../replication/equal-stores.js'
import { follow, serve } from '../replication/linked-pair.js'
import { type GatedPrimary, openGated, openOnDisk } from './open-primary.js'
import { outcomeOf, outcomeSoon } from './outcome.js'
import { scratchDirectory } from './scratch-directory.js'

const TABLE: TableDefinition = {
  name: 'things',
  columns: [
    { name: 'id', type: 'BIGINT', autoIncrement: true },
    { name: 'n', type: 'BIGINT' },
    { name: 'ratio', type: 'DOUBLE' },
    { name: 'bytes', type: 'BLOB' },
    { name: 'data', type: 'JSON' },
    { name: 'text', type: 'TEXT' },
  ],
  primaryKey: ['id'],
}

const ADD: readonly StatementInput[] = [{ update: { table: 'things', key: { id: 1 }, set: { n: { add: 1 } } } }]

async function openThings(t: Test): Promise<GatedPrimary> {
  const opened = await openGated(t)
  await makeThings(opened.db)
  return opened
}

async function makeThings(db: Catalog): Promise<void> {
  await db.execute([{ createTable: { table: TABLE } }, { insert: { table: 'things', rows: [{ n: 0 }] } }])
}

function counterOf(db: Catalog): unknown {
  return db.get('things', { id: 1 })?.['n']
}

void t.test('a repeated one-shot does nothing and answers what the first one did, also after a crash', async (t) => {
  const { db, primary, memory } = await openThings(t)
  const statements: StatementInput[] = [
    { insert: { table: 'things', rows: [{ n: 5 }, { n: 6 }] } },
    ...ADD,
    { get: { table: 'things', key: { id: 1 } } },
    { get: { table: 'things', key: { id: 99 } } },
    { delete: { table: 'things', key: { id: 99 } } },
    { check: { table: 'things', key: { id: 1 } } },
    { createTable: { table: { ...TABLE, name: 'more' } } },
  ]
  const first = await db.execute(statements, { idempotencyKey: 'order 7' })
  t.notOk(first.replayed)
  t.equal(first.results.length, statements.length)
  await db.execute(ADD)
  const again = await db.execute(statements, { idempotencyKey: 'order 7' })
  t.ok(again.replayed)
  t.same({ ...again, replayed: false }, first)
  t.equal(formatPosition(again.position), formatPosition(first.position))
  // Whatever it asks for: it is the key that says what it is.
  t.same((await db.execute(ADD, { idempotencyKey: 'order 7' })).results, first.results)
  t.equal(counterOf(db), 2n)

  const reopened = await openGated(t, {}, memory.crash())
  const after = await reopened.db.execute(statements, { idempotencyKey: 'order 7' })
  t.same({ ...after, replayed: false }, first)
  t.ok(after.replayed)
  t.equal(reopened.primary.position.lsn, primary.position.lsn, 'no LSN was used up')
  t.same(await reopened.db.outcome('order 7'), { position: first.position })
  await reopened.primary.close()
  t.same((await checkStore(reopened.memory.crash())).problems, [])
})

void t.test('every value comes back as it was: bigint, bytes, -0, infinities, JSON with a member "$"', async (t) => {
  const { db, memory } = await openThings(t)
  const values = {
    n: -9223372036854775808n,
    ratio: -0,
    bytes: Buffer.from([0, 255, 36]),
    data: { $: 'i', v: '7', list: [{ $: 'o', v: { $: 'b' } }, null, -0.5, { v: 1 }], __proto: { $: 1 }, '': [[]] },
    text: '{"$":"i","v":"1"} \u2028 😀 \0',
  }
  const rows = [
    values,
    { ratio: Infinity, data: null },
    { ratio: -Infinity, data: [true, 'x'], bytes: Buffer.alloc(0) },
    { ratio: 5e-324, data: '$' },
    { ratio: 0, data: JSON.parse('{"__proto__": {"$": "d", "v": "-0"}}') as unknown, text: '' },
  ]
  const statements: StatementInput[] = [
    { insert: { table: 'things', rows } },
    ...rows.map((_, ordinal) => ({ get: { table: 'things', key: { id: 2 + ordinal } } })),
  ]
  const first = await db.execute(statements, { idempotencyKey: 'values' })
  for (const where of ['at once', 'after a crash']) {
    const source = where === 'at once' ? db : (await openGated(t, {}, memory.crash())).db
    const again = await source.execute(statements, { idempotencyKey: 'values' })
    t.strictSame(again.results, first.results, where)
    const row = rowIn(again.results[1])
    t.ok(Object.is(row['ratio'], -0), 'minus zero')
    t.strictSame(row['data'], values.data)
    t.equal(Buffer.from(row['bytes'] as Uint8Array).toString('hex'), '00ff24')
    const last = rowIn(again.results[5])
    t.equal(JSON.stringify(last['data']), '{"__proto__":{"$":"d","v":"-0"}}')
  }
})

function rowIn(result: unknown): Record<string, unknown> {
  return (result as { readonly row: Record<string, unknown> }).row
}

void t.test('senders of one key at the same time have one effect, whether its sync returned or not', async (t) => {
  const { db, engine, primary } = await openThings(t)
  const { lsn } = primary.position
  engine.before.hold()
  const sent = Array.from({ length: 20 }, (_, sender) => async () => {
    if (sender % 2 === 0) return db.execute(ADD, { idempotencyKey: 'k' })
    const tx = db.begin()
    await tx.update('things', { id: 1 }, { n: { add: 1 } })
    return tx.commit({ idempotencyKey: 'k' })
  }).map((send) => send())
  await engine.before.arrival()
  const late = db.execute(ADD, { idempotencyKey: 'k' })
  const asked = db.outcome('k')
  t.equal(await outcomeSoon(Promise.race([...sent, late, asked])), 'pending', 'nobody is told before it is durable')
  engine.before.open()
  const answers = [...(await Promise.all(sent)), await late]
  t.equal(answers.filter(({ replayed }) => !replayed).length, 1)
  t.equal(new Set(answers.map(({ position }) => formatPosition(position))).size, 1)
  t.same(await asked, { position: answers[0]!.position })
  t.equal(primary.position.lsn, lsn + 1n)
  t.equal(counterOf(db), 1n)
})

void t.test('an interactive commit with a used key is replayed: its own writes are dropped', async (t) => {
  const { db, primary } = await openThings(t)
  const first = db.begin()
  await first.update('things', { id: 1 }, { n: 5 })
  const { position, replayed } = await first.commit({ idempotencyKey: 'k' })
  t.notOk(replayed)
  const again = db.begin()
  await again.update('things', { id: 1 }, { n: 6 })
  await again.insert('things', { id: 50 })
  t.same(await again.commit({ idempotencyKey: 'k' }), { position, replayed: true })
  t.equal(again.status, 'committed')
  t.equal(counterOf(db), 5n)
  t.equal(db.get('things', { id: 50 }), undefined)
  t.equal(primary.position.lsn, position.lsn)
  let runs = 0
  await db.transaction(
    async (tx) => {
      runs++
      await tx.update('things', { id: 1 }, { n: 7 })
    },
    { idempotencyKey: 'k' },
  )
  t.equal(runs, 1)
  t.equal(counterOf(db), 5n)
})

void t.test('a replay wins over a conflict and over a locked row: the outcome is known already', async (t) => {
  const { db } = await openThings(t)
  const late = db.begin()
  await late.get('things', { id: 1 })
  await late.update('things', { id: 1 }, { n: 100 })
  const { position } = await db.execute(ADD, { idempotencyKey: 'k' })
  t.same(await late.commit({ idempotencyKey: 'k' }), { position, replayed: true }, 'it read what has changed since')

  const holder = db.begin()
  await holder.getForUpdate('things', { id: 1 })
  t.ok((await db.execute(ADD, { idempotencyKey: 'k' })).replayed)
  const blocked = db.begin()
  await blocked.update('things', { id: 1 }, { n: 100 })
  t.ok((await blocked.commit({ idempotencyKey: 'k' })).replayed)
  holder.rollback()
  t.equal(counterOf(db), 1n)
})

void t.test('what did not commit uses up no key: a conflict, a refusal, a rollback', async (t) => {
  const { db } = await openThings(t)
  const conflicting = db.begin()
  await conflicting.update('things', { id: 1 }, { n: 100 })
  await db.execute(ADD)
  t.equal(await outcomeOf(conflicting.commit({ idempotencyKey: 'k' })), 'CONFLICT')
  const refused = [...ADD, { insert: { table: 'things', rows: [{ id: 1 }] } }]
  t.equal(await outcomeOf(db.execute(refused, { idempotencyKey: 'k' })), 'DUPLICATE_KEY')
  t.equal(await db.outcome('k'), undefined)
  const { replayed } = await db.execute(ADD, { idempotencyKey: 'k' })
  t.notOk(replayed)
  t.equal(counterOf(db), 2n)
})

void t.test('a transaction without effects has no outcome to keep', async (t) => {
  const { db } = await openThings(t)
  const nothing: StatementInput[] = [{ delete: { table: 'things', key: { id: 99 } } }]
  t.notOk((await db.execute(nothing, { idempotencyKey: 'k' })).replayed)
  t.equal(await db.outcome('k'), undefined)
  t.notOk((await db.execute(nothing, { idempotencyKey: 'k' })).replayed)
})

void t.test('a key is of its catalog: the same one elsewhere is another', async (t) => {
  const { db, primary, memory } = await openThings(t)
  await primary.createCatalog('other')
  const other = primary.catalog('other')
  await makeThings(other)
  const first = await db.execute(ADD, { idempotencyKey: 'k' })
  t.equal(await other.outcome('k'), undefined)
  const second = await other.execute(ADD, { idempotencyKey: 'k' })
  t.notOk(second.replayed)
  t.same(await db.outcome('k'), { position: first.position })
  t.same(await other.outcome('k'), { position: second.position })
  await primary.dropCatalog('other')
  t.equal(await outcomeOf(other.outcome('k')), 'NOT_FOUND')
  await primary.createCatalog('other')
  t.equal(await other.outcome('k'), undefined, 'a catalog of the same name is another catalog')
  await primary.jobsDone()
  await primary.close()
  t.same((await checkStore(memory.crash())).problems, [])
})

void t.test(
  'answers that are too large to keep are not kept: a repetition has one effect, and gets the position alone',
  async (t) => {
    const { db, primary } = await openThings(t)
    const text = 'x'.repeat(OUTCOME_BYTES_MAX)
    const statements: StatementInput[] = [
      { insert: { table: 'things', rows: [{ id: 5, text }] } },
      { get: { table: 'things', key: { id: 5 } } },
    ]
    const first = await db.execute(statements, { idempotencyKey: 'k' })
    t.equal(rowIn(first.results[1])['text'], text)
    const again = await db.execute(statements, { idempotencyKey: 'k' })
    t.same(again, { ...first, results: [], replayed: true })
    t.equal(primary.position.lsn, first.lsn)
    t.same(await db.outcome('k'), { position: first.position })
  },
)

void t.test('what is no key is refused, and nothing is done', async (t) => {
  const { db } = await openThings(t)
  const wrong = ['', 'k'.repeat(IDEMPOTENCY_KEY_LENGTH_MAX + 1), 'half \ud800', 7 as unknown as string]
  for (const idempotencyKey of wrong) {
    t.equal(await outcomeOf(db.execute(ADD, { idempotencyKey })), 'INVALID_ARGUMENT')
    t.equal(await outcomeOf(db.outcome(idempotencyKey)), 'INVALID_ARGUMENT')
    const tx = db.begin()
    await tx.update('things', { id: 1 }, { n: { add: 1 } })
    t.equal(await outcomeOf(tx.commit({ idempotencyKey })), 'INVALID_ARGUMENT')
    tx.rollback()
  }
  t.equal(await outcomeOf(db.outcome(undefined as unknown as string)), 'INVALID_ARGUMENT')
  t.equal(await outcomeOf(db.execute([{ scan: { table: 'things' } }], { idempotencyKey: 'k' })), 'INVALID_ARGUMENT')
  t.equal(counterOf(db), 0n)
  for (const idempotencyKey of ['k'.repeat(IDEMPOTENCY_KEY_LENGTH_MAX), '😀\0"', ' ']) {
    t.notOk((await db.execute(ADD, { idempotencyKey })).replayed)
    t.ok((await db.execute(ADD, { idempotencyKey })).replayed)
  }
})

void t.test(
  'outcome() of a group in the device waits for it; of a lost one it says so, and the truth after reopening',
  async (t) => {
    for (const side of ['before', 'after'] as const) {
      const { db, engine, memory } = await openThings(t)
      t.equal(await db.outcome('never used'), undefined)
      engine[side].hold()
      const commit = outcomeOf(db.execute(ADD, { idempotencyKey: 'k' }))
      await engine[side].arrival()
      const asked = outcomeOf(db.outcome('k'))
      const other = outcomeOf(db.outcome('other'))
      t.same([await outcomeSoon(asked), await outcomeSoon(other)], ['pending', 'pending'])
      engine[side].fail(new Error('EIO'))
      t.equal(await commit, 'COMMIT_UNKNOWN')
      t.match(await asked, /STORE_FAILED|COMMIT_UNKNOWN/, 'not that there is none')

      const reopened = await openGated(t, {}, memory.crash())
      const truth = await reopened.db.outcome('k')
      t.equal(truth !== undefined, side === 'after')
      const { replayed } = await reopened.db.execute(ADD, { idempotencyKey: 'k' })
      t.equal(replayed, side === 'after')
      t.equal(counterOf(reopened.db), 1n, 'once, whatever became of the first attempt')
    }
  },
)

void t.test('on LevelDB, closed and reopened, the key is there', async (t) => {
  const path = scratchDirectory(t)
  const opened = await openOnDisk(t, path)
  await makeThings(opened.db)
  const first = await opened.db.execute(ADD, { idempotencyKey: 'k' })
  await opened.primary.close()
  const { db } = await openOnDisk(t, path)
  t.same(await db.execute(ADD, { idempotencyKey: 'k' }), { ...first, replayed: true })
})

void t.test("G7: a replica's copy has the key and the outcome, to the byte", async (t) => {
  const directory = scratchDirectory(t)
  const { primary, url, close } = await serve(t, { path: join(directory, 'primary') })
  const db = primary.catalog()
  await makeThings(db)
  const before = await db.execute([...ADD, { get: { table: 'things', key: { id: 1 } } }], { idempotencyKey: 'before' })
  const replica = await follow(t, { path: join(directory, 'replica'), from: url })
  const tx = db.begin()
  await tx.insert('things', { n: 3 })
  const after = await tx.commit({ idempotencyKey: 'after' })
  await replica.waitFor(primary.position.lsn)
  const { id } = primary.names.lookupCatalog(db.name, primary.state.head.lsn, primary.state.readNewest)
  for (const [key, position] of [
    ['before', before.position],
    ['after', after.position],
  ] as const) {
    const there = findOutcome(replica.state.readNewest, replica.state.trimFloor, id, key)
    const here = findOutcome(primary.state.readNewest, primary.state.trimFloor, id, key)
    t.same(there?.position, position)
    t.same(there, here)
  }
  t.equal(findOutcome(replica.state.readNewest, replica.state.trimFloor, id, 'never'), undefined)
  await replica.close()
  await close()
  t.same(await differences(join(directory, 'primary'), join(directory, 'replica')), [])
})

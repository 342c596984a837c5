/** G2 durable before visible, G3 one order for all, G10 unknown is called unknown: on an engine whose syncs a test holds. */
import t from 'tap'
import type { TableDefinition } from '../../ddl/table-definition.js'
import { statsKey, keyText } from '../../store/keys.js'
import type { StatementInput } from '../../primary/statement.js'
import { openGated, openOnDisk, type GatedPrimary } from './open-primary.js'
import { collect, outcomeOf, outcomeSoon } from './outcome.js'

const TABLE: TableDefinition = {
  name: 'things',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'n', type: 'INTEGER' },
    { name: 'm', type: 'INTEGER' },
    { name: 'bytes', type: 'BLOB' },
  ],
  primaryKey: ['id'],
  indexes: [{ name: 'n', columns: ['n'], unique: true }],
}

const FIVE_MIB = Buffer.alloc(5 * 1024 * 1024)

async function openThings(t: Parameters<typeof openGated>[0]): Promise<GatedPrimary> {
  const opened = await openGated(t)
  await opened.db.execute([
    { createTable: { table: TABLE } },
    { insert: { table: 'things', rows: [{ id: 1, n: 1, m: 1 }] } },
  ])
  return opened
}

for (const side of ['before', 'after'] as const) {
  void t.test(
    `nothing of a group is shown or acknowledged while its sync is held ${side} the batch is in the store`,
    async (t) => {
      const { primary, db, engine } = await openThings(t)
      const { position } = primary
      const { logBytes } = primary.state
      engine[side].hold()
      const writes = [
        db.execute([{ update: { table: 'things', key: { id: 1 }, set: { n: 2 } } }]),
        db.execute([{ insert: { table: 'things', rows: [{ id: 2, n: 9 }] } }]),
        db.transaction(async (tx) => tx.insert('things', { id: 3, n: 3 })),
        db.execute([{ createTable: { table: { ...TABLE, name: 'later' } } }]),
      ]
      await engine[side].arrival()
      const answersThatWait = [
        db.execute([{ get: { table: 'things', key: { id: 1 } } }, { check: { table: 'things', key: { id: 1 } } }]),
        db.execute([{ check: { table: 'things', key: { id: 2 } } }]),
        db.execute([{ insert: { table: 'things', rows: [{ id: 2 }] } }]),
        db.execute([{ update: { table: 'things', key: { id: 2 }, set: { n: { add: -7 } } } }]),
        db.transaction(async (tx) => tx.update('things', { id: 1 }, { bytes: 'AA==' })),
      ]
      t.same(
        await Promise.all([...writes, ...answersThatWait].map((promise) => outcomeSoon(promise))),
        new Array(9).fill('pending'),
      )
      t.same(primary.position, position)
      t.equal(primary.state.logBytes, logBytes)
      t.equal(primary.state.tail.get((position.lsn + 1n) as typeof position.lsn), undefined)
      t.match(db.get('things', { id: 1 }), { n: 1 })
      t.equal(db.get('things', { id: 2 }), undefined)
      const onlyReads = await db.execute([
        { get: { table: 'things', key: { id: 1 } } },
        { get: { table: 'things', key: { id: 2 } } },
      ])
      t.match(
        onlyReads,
        { position, results: [{ row: { id: 1, n: 1 } }, { row: null }] },
        'reads alone wait for nothing',
      )
      t.equal(await outcomeOf(db.execute([{ get: { table: 'later', key: { id: 1 } } }])), 'NOT_FOUND')
      t.same(
        (await collect(db.scan('things'))).map((row) => row['id']),
        [1],
      )
      t.same(
        (await collect(db.scan('things', { index: 'n', reverse: true }))).map((row) => row['n']),
        [1],
      )
      t.equal(await outcomeOf(collect(db.scan('later'))), 'NOT_FOUND')
      t.same(
        (await db.tables()).map(({ name, rows }) => [name, rows]),
        [['things', 1]],
      )
      const reading = db.begin()
      t.match(await reading.get('things', { id: 1 }), { n: 1 })
      t.equal((await reading.commit()).position.lsn, position.lsn)

      engine[side].open()
      t.same(await Promise.all([...writes, ...answersThatWait].map(outcomeOf)), [
        'resolved',
        'resolved',
        'resolved',
        'resolved',
        'resolved',
        'resolved',
        'DUPLICATE_KEY',
        'DUPLICATE_KEY',
        'resolved',
      ])
      t.match(await answersThatWait[0], { results: [{ row: { id: 1, n: 2 } }, { checked: true }] })
      t.same(
        (await db.tables()).map(({ name, rows }) => [name, rows]),
        [
          ['later', 0],
          ['things', 3],
        ],
      )
    },
  )
}

void t.test(
  'G2 G4: a one-shot that only reads is of the durable LSN, definitions included, and waits for nothing',
  async (t) => {
    const { primary, db, engine } = await openThings(t)
    const { position } = primary
    engine.before.hold()
    const writes = db.transaction(async (tx) => {
      await tx.alterTable('things', [{ renameColumn: { name: 'n', to: 'number' } }])
      await tx.update('things', { id: 1 }, { m: 7 })
      await tx.insert('things', { id: 2, m: 8 })
    })
    await engine.before.arrival()
    const get = (id: number): StatementInput => ({ get: { table: 'things', key: { id } } })
    const before = await db.execute([get(1), get(2), get(1)])
    const row = { id: 1, n: 1, m: 1, bytes: null }
    t.same(before.results, [{ row }, { row: null }, { row }], 'names and rows as they are durable')
    t.same([before.position, before.lsn], [position, position.lsn])
    t.equal(await outcomeSoon(writes), 'pending')
    engine.before.open()
    await writes
    const after = await db.execute([get(1), get(2)])
    t.match(
      after.results,
      [{ row: { id: 1, number: 1, m: 7 } }, { row: { id: 2, m: 8 } }],
      'acknowledged, so it is seen',
    )
    t.same(after.position, primary.position)
    const refused = db.execute([get(1), { get: { table: 'nowhere', key: { id: 1 } } }])
    await t.rejects(refused, { code: 'NOT_FOUND', details: { statement: 1 } })
  },
)

void t.test('a refusal in the lane that rests on rows which are not durable waits for them', async (t) => {
  const { db, engine } = await openThings(t)
  const tx = db.begin()
  await tx.update('things', { id: 1 }, { m: { add: 1_000_000_000 } })
  await tx.update('things', { id: 1 }, { m: { add: 1_147_483_646 } })
  engine.before.hold()
  const other = db.execute([{ update: { table: 'things', key: { id: 1 }, set: { m: 2 } } }])
  await engine.before.arrival()
  const commit = outcomeOf(tx.commit())
  t.equal(await outcomeSoon(commit), 'pending')
  engine.before.open()
  t.equal(await commit, 'INVALID_VALUE', 'only with the other update is the sum too large')
  t.equal(await outcomeOf(other), 'resolved')
})

void t.test('acknowledgements come in the order of the log, one sync for a group', async (t) => {
  const { primary, db, engine } = await openThings(t)
  const { syncs } = engine
  engine.before.hold()
  const order: bigint[] = []
  const run = async (id: number): Promise<void> => {
    const { lsn } = await db.execute([{ insert: { table: 'things', rows: [{ id }] } }])
    order.push(lsn)
  }
  const first = run(100)
  await engine.before.arrival()
  const rest = Array.from({ length: 300 }, (_, ordinal) => run(101 + ordinal))
  engine.before.open()
  await Promise.all([first, ...rest])
  t.equal(engine.syncs - syncs, 2, 'one sync for the first, one for the 300 that came meanwhile')
  t.same(
    order,
    order.toSorted((left, right) => (left < right ? -1 : 1)),
  )
  t.equal(order.at(-1), primary.position.lsn)
})

void t.test('500 transactions one after another cost 500 syncs, 500 from 100 senders fewer than 50', async (t) => {
  const { db, primary } = await openOnDisk(t)
  await db.execute([{ createTable: { table: TABLE } }])
  const syncs = (): number => primary.state.store.counters.syncs
  let before = syncs()
  for (let id = 0; id < 500; id++) await db.execute([{ insert: { table: 'things', rows: [{ id }] } }])
  t.equal(syncs() - before, 500)
  before = syncs()
  await Promise.all(
    Array.from({ length: 100 }, async (_, sender) => {
      for (let turn = 0; turn < 5; turn++) {
        await db.execute([{ insert: { table: 'things', rows: [{ id: 1000 + sender * 5 + turn }] } }])
      }
    }),
  )
  t.ok(syncs() - before < 50, `${syncs() - before} syncs`)
})

for (const side of ['before', 'after'] as const) {
  void t.test(
    `a sync that fails ${side} the batch is in the store: COMMIT_UNKNOWN, then STORE_FAILED, reads stay right`,
    async (t) => {
      const { primary, db, engine, memory } = await openThings(t)
      const { position } = primary
      engine[side].hold()
      const inFlight = outcomeOf(db.execute([{ update: { table: 'things', key: { id: 1 }, set: { n: 2 } } }]))
      await engine[side].arrival()
      const inOpenGroup = [
        outcomeOf(db.execute([{ insert: { table: 'things', rows: [{ id: 2, n: 2_000 }] } }])),
        outcomeOf(db.transaction(async (tx) => tx.insert('things', { id: 3 }))),
      ]
      const read = outcomeOf(
        db.execute([{ get: { table: 'things', key: { id: 1 } } }, { check: { table: 'things', key: { id: 1 } } }]),
      )
      const waiting = outcomeOf(primary.state.whenDurable(primary.state.head.lsn))
      const waitingForMore = outcomeOf(primary.state.whenDurable((primary.state.head.lsn + 10n) as typeof position.lsn))
      engine[side].fail(new Error('EIO: i/o error, fdatasync'))

      t.equal(await inFlight, 'COMMIT_UNKNOWN')
      t.same(await Promise.all(inOpenGroup), ['COMMIT_UNKNOWN', 'COMMIT_UNKNOWN'])
      t.equal(await outcomeSoon(read), 'STORE_FAILED', 'a read that rested on it')
      t.match(await outcomeSoon(waiting), /COMMIT_UNKNOWN|STORE_FAILED/)
      t.match(await outcomeSoon(waitingForMore), /COMMIT_UNKNOWN|STORE_FAILED/)
      t.match(
        await outcomeSoon(primary.state.whenDurable(primary.state.head.lsn)),
        primary.state.head.lsn === position.lsn ? 'resolved' : /COMMIT_UNKNOWN|STORE_FAILED/,
        'waiting that begins after the failure ends, too',
      )

      t.equal(await outcomeSoon(db.execute([{ insert: { table: 'things', rows: [{ id: 4 }] } }])), 'STORE_FAILED')
      t.equal(await outcomeSoon(db.transaction(async (tx) => tx.insert('things', { id: 4 }))), 'STORE_FAILED')
      t.same(primary.position, position)
      t.match(db.get('things', { id: 1 }), { n: 1 })
      t.same(
        (await collect(db.scan('things'))).map((row) => [row['id'], row['n']]),
        [[1, 1]],
      )
      t.same(
        (await collect(db.scan('things', { index: 'n' }))).map((row) => row['n']),
        [1],
      )
      t.same(
        (await db.tables()).map(({ name, rows }) => [name, rows]),
        [['things', 1]],
      )

      const reopened = await openGated(t, {}, memory.crash())
      t.match(reopened.db.get('things', { id: 1 }), { n: side === 'after' ? 2 : 1 })
      t.equal(reopened.primary.position.lsn, position.lsn + (side === 'after' ? 1n : 0n))
      await reopened.db.execute([{ insert: { table: 'things', rows: [{ id: 4 }] } }])
    },
  )
}

void t.test('transactions that wait for a place in a group hear of the failure, too', async (t) => {
  const { db, engine } = await openThings(t)
  engine.before.hold()
  const insert = (id: number) =>
    outcomeOf(db.execute([{ insert: { table: 'things', rows: [{ id, bytes: FIVE_MIB }] } }]))
  const inFlight = insert(2)
  await engine.before.arrival()
  // Three or four of these fill the open group of 16 MiB; the rest waits.
  const rest = Array.from({ length: 8 }, (_, ordinal) => insert(3 + ordinal))
  engine.before.fail(new Error('EIO'))
  t.equal(await inFlight, 'COMMIT_UNKNOWN')
  const outcomes = await Promise.all(rest.map((promise) => outcomeSoon(promise)))
  t.equal(outcomes.indexOf('pending'), -1)
  t.same(
    [...new Set(outcomes)].sort(),
    ['COMMIT_UNKNOWN', 'STORE_FAILED'],
    'those without a place surely did not commit',
  )
})

void t.test('transactions that wait for a place in a group get one', async (t) => {
  const { db, engine } = await openThings(t)
  engine.before.hold()
  const insert = (id: number) =>
    outcomeOf(db.execute([{ insert: { table: 'things', rows: [{ id, bytes: FIVE_MIB }] } }]))
  const all = Array.from({ length: 10 }, (_, ordinal) => insert(2 + ordinal))
  await engine.before.arrival()
  engine.before.open()
  t.same(new Set(await Promise.all(all)), new Set(['resolved']))
  t.equal((await collect(db.scan('things'))).length, 11)
})

void t.test('a transaction that conflicts with one whose commit then fails is not called unknown', async (t) => {
  const { db, engine } = await openThings(t)
  let other: Promise<string> | undefined
  const loser = outcomeOf(
    db.transaction(async (tx) => {
      const row = await tx.get('things', { id: 1 })
      if (other === undefined) {
        engine.before.hold()
        other = outcomeOf(db.execute([{ update: { table: 'things', key: { id: 1 }, set: { n: 2 } } }]))
        await engine.before.arrival()
      }
      await tx.update('things', { id: 1 }, { n: Number(row?.['n']) + 10 })
    }),
  )
  t.equal(await outcomeSoon(loser), 'pending')
  engine.before.fail(new Error('EIO'))
  t.equal(await loser, 'STORE_FAILED')
  t.equal(await other, 'COMMIT_UNKNOWN')
})

void t.test('damage in a counter that a commit needs refuses that commit alone, and shows nothing of it', async (t) => {
  const { db, engine, memory } = await openThings(t)
  await db.execute([{ createTable: { table: { ...TABLE, name: 'sound' } } }])
  const { id } = db.table('things')
  const reopened = await openGated(t, {}, memory.crash())
  reopened.engine.damaged.add(keyText(statsKey(id)))
  const insert = (table: string) => reopened.db.execute([{ insert: { table, rows: [{ id: 5 }] } }])
  t.equal(await outcomeOf(insert('things')), 'CORRUPT')
  t.equal(await outcomeOf(insert('sound')), 'resolved')
  t.match(await reopened.db.execute([{ get: { table: 'things', key: { id: 5 } } }]), { results: [{ row: null }] })
  reopened.engine.damaged.clear()
  t.equal(await outcomeOf(insert('things')), 'resolved')
  t.equal(engine.damaged.size, 0)
})

/** G6: each change is told with the names and types that its table had at its place of the log, whatever it is today. */
import t from 'tap'
import type { Change } from '../../log/changes/change.js'
import type { ChangeOptions } from '../../log/changes/change-source.js'
import type { Catalog } from '../../primary/catalog.js'
import { openGated } from '../primary/open-primary.js'
import { outcomeOf } from '../primary/outcome.js'
import { SchemaNames } from '../../log/changes/schema-names.js'
import { changesOf } from './changes-of.js'

const COLUMNS = [
  { name: 'id', type: 'INTEGER' },
  { name: 'v', type: 'INTEGER' },
]
const create = (name: string, schema = 'test') => ({
  createTable: { table: { schema, name, columns: COLUMNS, primaryKey: ['id'] } },
})
const insert = (table: string, row: object) => ({ insert: { table, rows: [row as Record<string, unknown>] } })

function brief(change: Change): unknown {
  switch (change.type) {
    case 'insert':
    case 'update':
    case 'delete':
    case 'rewrite':
      return [change.type, change.table, change.before ?? null, change.after ?? null]
    case 'definition':
      return [change.statement, change.table ?? null]
    default:
      return [change.type]
  }
}

async function told(db: Catalog, options: ChangeOptions = {}): Promise<unknown[]> {
  return (await changesOf(db, { after: '1', ...options })).map(brief)
}

void t.test('columns that are added, dropped, renamed, retyped; in transactions of their own and in one', async (t) => {
  for (const isOne of [false, true]) {
    const { db } = await openGated(t)
    const statements = [
      create('a'),
      insert('a', { id: 1, v: 1 }),
      { alterTable: { table: 'a', changes: [{ addColumn: { name: 'w', type: 'TEXT', default: 'new' } }] } },
      insert('a', { id: 2 }),
      { update: { table: 'a', key: { id: 1 }, set: { v: 2 } } },
      {
        alterTable: { table: 'a', changes: [{ renameColumn: { name: 'w', to: 'x' } }, { dropColumn: { name: 'v' } }] },
      },
      { delete: { table: 'a', key: { id: 2 } } },
      { alterTable: { table: 'a', changes: [{ setType: { column: 'id', type: 'VARCHAR(9)' } }] } },
      { update: { table: 'a', key: { id: '1' }, set: { id: 'one' } } },
    ]
    if (isOne) await db.execute(statements)
    else for (const statement of statements) await db.execute([statement])
    t.same(await told(db), [
      ['createTable', 'test.a'],
      ['insert', 'test.a', null, { id: 1, v: 1 }],
      ['alterTable', 'test.a'],
      ['insert', 'test.a', null, { id: 2, v: null, w: 'new' }],
      ['update', 'test.a', { id: 1, v: 1, w: 'new' }, { id: 1, v: 2, w: 'new' }],
      ['alterTable', 'test.a'],
      ['delete', 'test.a', { id: 2, x: 'new' }, null],
      ['alterTable', 'test.a'],
      ['rewrite', 'test.a', null, { id: '1', x: 'new' }],
      ['update', 'test.a', { id: '1', x: 'new' }, { id: 'one', x: 'new' }],
    ])
  }
})

void t.test('minimal images: the key alone is known of the row before', async (t) => {
  const { db } = await openGated(t)
  const table = { name: 'a', columns: COLUMNS, primaryKey: ['id'], rowImage: 'minimal' as const }
  await db.execute([{ createTable: { table } }, insert('a', { id: 1, v: 1 })])
  await db.execute([
    { update: { table: 'a', key: { id: 1 }, set: { id: 5 } } },
    { delete: { table: 'a', key: { id: 5 } } },
  ])
  const changes = (await changesOf(db, { after: '2' })).filter(({ type }) => type === 'update' || type === 'delete')
  t.same(changes.map(brief), [
    ['update', 'test.a', null, { id: 5, v: 1 }],
    ['delete', 'test.a', null, null],
  ])
  const [update, deletion] = changes
  t.ok(update?.type === 'update' && deletion?.type === 'delete')
  if (update?.type !== 'update' || deletion?.type !== 'delete') return
  t.same([update.key, deletion.key], [{ id: 1 }, { id: 5 }])
  t.same(update.newKeyBytes, deletion.keyBytes)
  t.notSame(update.keyBytes, deletion.keyBytes)
})

void t.test('names of tables are those of their place: renamed, exchanged, dropped and made again', async (t) => {
  const { db } = await openGated(t)
  await db.execute([create('a'), create('b')])
  await db.execute([insert('a', { id: 1 }), insert('b', { id: 2 })])
  await db.execute([
    {
      renameTables: {
        tables: [
          { from: 'a', to: 'b' },
          { from: 'b', to: 'a' },
        ],
      },
    },
  ])
  await db.execute([insert('a', { id: 3 }), { dropTable: { table: 'b' } }, create('b'), insert('b', { id: 4 })])
  await db.execute([{ truncateTable: { table: 'a' } }, insert('a', { id: 5 })])
  t.same(await told(db, { after: '2' }), [
    ['insert', 'test.a', null, { id: 1, v: null }],
    ['insert', 'test.b', null, { id: 2, v: null }],
    ['renameTable', 'test.b'],
    ['renameTable', 'test.a'],
    ['insert', 'test.a', null, { id: 3, v: null }],
    ['dropTable', 'test.b'],
    ['createTable', 'test.b'],
    ['insert', 'test.b', null, { id: 4, v: null }],
    ['truncateTable', 'test.a'],
    ['insert', 'test.a', null, { id: 5, v: null }],
  ])
})

void t.test('a schema that was dropped while the reader is behind has the name that it had', async (t) => {
  const { primary, db } = await openGated(t)
  await db.execute([{ createSchema: { schema: 'one' } }, create('a', 'one')])
  await db.execute([insert('one.a', { id: 1 })])
  await db.execute([{ alterSchema: { schema: 'one', name: 'two' } }])
  await db.execute([insert('two.a', { id: 2 })])
  const running = db.changes({ after: '1' })
  const first = await running.next()
  await db.execute([{ dropSchema: { schema: 'two', cascade: true } }])
  await primary.jobsDone()
  const expected = [
    ['createSchema', null],
    ['createTable', 'one.a'],
    ['insert', 'one.a', null, { id: 1, v: null }],
    ['alterSchema', null],
    ['insert', 'two.a', null, { id: 2, v: null }],
    ['dropTable', 'two.a'],
    ['dropSchema', null],
  ]
  t.same(await told(db), expected)
  for (const [at, change] of (await changesOf(db, { after: '1' })).entries()) {
    t.same(await told(db, { after: change.token }), expected.slice(at + 1))
  }
  t.same(await told(db, { tables: ['one.*'] }), [expected[0], expected[1], expected[2], expected[3]])
  // The one that had begun before goes on with the name that it began with, up to where it began.
  const rest = [brief(first.value!)]
  while (rest.length < expected.length) rest.push(brief((await running.next()).value!))
  t.same(
    rest.map((change) => (change as unknown[])[0]),
    expected.map(([what]) => what),
  )
  await running.return()
  const gone = AbortSignal.abort(new Error('gone'))
  const { state } = primary
  await t.rejects(new SchemaNames(state).lookAhead(1, new Set([99]), state.floor.position, gone), { message: 'gone' })
})

void t.test('a stream that runs calls a schema what it is called at each place, from where it began on', async (t) => {
  const { db } = await openGated(t)
  await db.execute([{ createSchema: { schema: 'one' } }, create('a', 'one')])
  const stream = db.changes()
  const waiting = stream.next()
  await db.execute([insert('one.a', { id: 1 })])
  await db.execute([{ alterSchema: { schema: 'one', name: 'two' } }])
  await db.execute([{ createSchema: { schema: 'one' } }, create('a', 'one'), insert('one.a', { id: 1 })])
  await db.execute([insert('two.a', { id: 2 })])
  const seen = [brief((await waiting).value!)]
  while (seen.length < 6) seen.push(brief((await stream.next()).value!))
  t.same(seen, [
    ['insert', 'one.a', null, { id: 1, v: null }],
    ['alterSchema', null],
    ['createSchema', null],
    ['createTable', 'one.a'],
    ['insert', 'one.a', null, { id: 1, v: null }],
    ['insert', 'two.a', null, { id: 2, v: null }],
  ])
  await stream.return()
})

void t.test('a catalog that is dropped ends its stream, behind all its changes', async (t) => {
  const { primary } = await openGated(t)
  await primary.createCatalog('gone')
  const db = primary.catalog('gone')
  const stream = db.changes({ after: '1' })
  const snapshot = db.changes({ snapshot: true })
  await stream.next()
  await db.execute([create('a'), insert('a', { id: 1 })])
  await snapshot.next()
  await primary.dropCatalog('gone')
  await primary.jobsDone()
  const types: unknown[] = []
  try {
    for await (const change of stream) types.push(brief(change))
    t.fail('it ends with an error')
  } catch (error) {
    t.match(error, { code: 'NOT_FOUND' })
  }
  t.same(types.slice(-3), [
    ['createTable', 'test.a'],
    ['insert', 'test.a', null, { id: 1, v: null }],
    ['dropCatalog', null],
  ])
  t.same(await stream.next(), { done: true, value: undefined })
  const outcomes: unknown[] = []
  for (let left = 9; left > 0 && outcomes.at(-1) !== 'NOT_FOUND'; left--)
    outcomes.push(await outcomeOf(snapshot.next()))
  t.equal(outcomes.at(-1), 'NOT_FOUND', 'in the midst of a snapshot as well')
  t.equal(await outcomeOf(primary.catalog('gone').changes().next()), 'NOT_FOUND', 'there is no other')
})

void t.test('annotations, times, server and count are those of the transaction', async (t) => {
  const { primary, db } = await openGated(t)
  await db.execute([create('a')])
  const rows = Array.from({ length: 3 }, (_, id) => ({ id }))
  const { position } = await db.execute([{ insert: { table: 'a', rows } }], { annotations: { who: 'me' } })
  const [transaction] = await changesOf(db, { after: '2', transactions: true })
  t.ok(transaction?.type === 'transaction')
  if (transaction?.type !== 'transaction') return
  const { origin, annotations, changes, lsn } = transaction
  t.same([annotations, changes.length, origin.count, lsn], [{ who: 'me' }, 3, 3, position.lsn])
  t.equal(origin.serverId, primary.state.identity.serverId.toString('hex'))
  t.equal(origin.commitTimestampUs, primary.state.lastCommitUs)
  t.equal(origin.committedAt.getTime(), Number(origin.commitTimestampUs / 1000n))
  t.equal(transaction.token, changes.at(-1)!.token)
})

/** G6, G7: every definition statement means the same on a replica, to the last byte; what takes a job is built by each. */
import t from 'tap'
import { MemoryEngine } from '../../store/memory-engine.js'
import type { StatementInput } from '../../primary/statement.js'
import { Replica } from '../../replica/replica.js'
import { collect, outcomeOf } from '../primary/outcome.js'
import { differences } from './equal-stores.js'
import { follow, serve } from './linked-pair.js'

const LIMITS = { server: { indexBuildRows: 100 } }

const PEOPLE = {
  name: 'people',
  columns: [
    { name: 'id', type: 'INTEGER', autoIncrement: true },
    { name: 'name', type: 'VARCHAR(20)' },
    { name: 'age', type: 'INTEGER' },
  ],
  primaryKey: ['id'],
}

function people(count: number, from = 0): StatementInput {
  const rows = Array.from({ length: count }, (_, at) => ({ name: `n${from + at}`, age: (from + at) % 50 }))
  return { insert: { table: 'people', rows } }
}

/** Each is one transaction. */
const TRANSACTIONS: readonly (readonly StatementInput[])[] = [
  [{ createTable: { table: PEOPLE } }, people(60)],
  [{ createIndex: { table: 'people', index: { name: 'by_name', columns: ['name'], unique: true } } }, people(5, 60)],
  [
    people(5, 65),
    { createIndex: { table: 'people', index: { name: 'by_age', columns: [{ column: 'age', descending: true }] } } },
  ],
  [
    {
      alterTable: {
        table: 'people',
        changes: [
          { addColumn: { name: 'city', type: 'TEXT', notNull: true, default: 'Ulm', first: true } },
          { setType: { column: 'name', type: 'TEXT' } },
          { addCheck: { name: 'grown', expression: { lt: [{ column: 'age' }, 200] } } },
          { addIndex: { name: 'by_city', columns: ['city', 'name'] } },
        ],
      },
    },
  ],
  [{ alterTable: { table: 'people', changes: [{ setRowImage: { rowImage: 'minimal' } }] } }],
  [
    { update: { table: 'people', key: { id: 3 }, set: { age: 99, name: 'changed' } } },
    { update: { table: 'people', key: { id: 4 }, set: { age: { add: 1 } } } },
    { delete: { table: 'people', key: { id: 5 } } },
  ],
  [
    {
      alterTable: {
        table: 'people',
        changes: [{ dropCheck: { name: 'grown' } }, { setType: { column: 'age', type: 'TEXT' } }],
      },
    },
  ],
  [{ alterTable: { table: 'people', changes: [{ setPrimaryKey: { columns: ['name', 'id'] } }] } }],
  [
    { createSchema: { schema: 'other', comment: 'a place' } },
    { createTableAs: { table: 'other.grown', from: { table: 'people' }, where: { ge: [{ column: 'age' }, '4'] } } },
    {
      renameTables: {
        tables: [
          { from: 'people', to: 'other.people' },
          { from: 'other.grown', to: 'people' },
        ],
      },
    },
  ],
  [
    {
      createTable: {
        table: {
          name: 'visits',
          columns: [
            { name: 'id', type: 'UUID', default: { function: 'uuid' } },
            { name: 'name', type: 'TEXT' },
            { name: 'id_of', type: 'INTEGER' },
          ],
          primaryKey: ['id'],
          foreignKeys: [
            { columns: ['name', 'id_of'], references: { table: 'people' }, onDelete: 'cascade', onUpdate: 'cascade' },
          ],
        },
      },
    },
    { insert: { table: 'visits', rows: [{ name: 'n6', id_of: 7 }] } },
  ],
  [{ delete: { table: 'people', key: { name: 'n6', id: 7 } } }],
  [
    { truncateTable: { table: 'visits' } },
    { alterSchema: { schema: 'other', name: 'elsewhere', options: { a: 'b' } } },
  ],
  [{ dropIndex: { table: 'elsewhere.people', index: 'by_age' } }],
  [{ dropTable: { table: 'visits' } }, { dropSchema: { schema: 'elsewhere', cascade: true } }],
]

void t.test(
  'each statement leaves the same rows, entries and dictionary; also rebuilt from the log alone',
  async (t) => {
    const [first, second, third] = [new MemoryEngine(), new MemoryEngine(), new MemoryEngine()]
    const { primary, url, faults, close } = await serve(t, { path: '/primary', engine: first, limits: LIMITS })
    const db = primary.catalog()
    const replica = await follow(t, { path: '/replica', from: url, engine: second })
    for (const [at, statements] of TRANSACTIONS.entries()) {
      const { lsn } = await db.execute(statements)
      await replica.waitFor(lsn)
      t.same(await tablesOf(replica), await tablesOf(primary), `after transaction ${at}`)
    }
    const rebuilt = await follow(t, { path: '/rebuilt', from: url, engine: third })
    await rebuilt.waitFor(primary.position.lsn)
    t.same(await tablesOf(replica), await tablesOf(primary))
    t.same(await tablesOf(rebuilt), await tablesOf(primary))
    t.same(faults, [])
    await Promise.all([primary.jobsDone(), replica.jobsDone(), rebuilt.jobsDone()])
    await Promise.all([replica.close(), rebuilt.close()])
    await close()
    t.same(await differences(first, second), [])
    t.same(await differences(first, third), [])
  },
)

void t.test('large indexes are built on both sides, under writes; a replica shows one when it has it', async (t) => {
  const [first, second] = [new MemoryEngine(), new MemoryEngine()]
  const { primary, url, close } = await serve(t, { path: '/primary', engine: first, limits: LIMITS })
  const db = primary.catalog()
  const replica = await follow(t, { path: '/replica', from: url, engine: second })
  await db.execute([{ createTable: { table: PEOPLE } }, people(3000)])
  const indexes = [
    { name: 'by_name', columns: ['name'], unique: true },
    { name: 'by_age', columns: ['age'] },
    { name: 'never', columns: ['age'], unique: true },
  ]
  let isBuilding = true
  const write = async (from: number): Promise<void> => {
    for (let at = from; isBuilding; at += 2) {
      await db.execute([people(1, at)])
      await db.execute([{ update: { table: 'people', key: { id: at % 3000 }, set: { name: `u${at}` } } }])
      await db.execute([{ delete: { table: 'people', key: { id: (at * 7) % 3000 } } }])
    }
  }
  const writing = [write(3000), write(3001)]
  for (const index of indexes) {
    t.same((await db.execute([{ createIndex: { table: 'people', index } }])).results, [
      { created: true, building: true },
    ])
  }
  await primary.jobsDone()
  isBuilding = false
  await Promise.all(writing)
  const { lsn } = await db.execute([people(1, 1_000_000)])
  await replica.waitFor(lsn)
  t.same(
    replica
      .catalog()
      .table('people')
      .message.indexes.map(({ name, building }) => [name, building]),
    [
      ['by_name', false],
      ['by_age', false],
    ],
  )
  const rows = await collect(db.scan('people', { index: 'by_name' }))
  t.same(await collect(replica.catalog().scan('people', { index: 'by_name' })), rows)
  t.equal(rows.length, (await collect(db.scan('people'))).length)
  t.equal(await outcomeOf(collect(db.scan('people', { index: 'never' }))), 'NOT_FOUND')
  await Promise.all([primary.jobsDone(), replica.jobsDone()])
  await replica.close()
  await close()
  t.same(await differences(first, second), [])
})

void t.test(
  'a replica that is killed while it builds goes on, and applies that the index is built afterwards',
  async (t) => {
    const first = new MemoryEngine()
    let second = new MemoryEngine()
    const { primary, url, close } = await serve(t, { path: '/primary', engine: first, limits: LIMITS })
    const db = primary.catalog()
    let replica = await Replica.open({ path: '/replica', from: url, engine: second })
    await db.execute([{ createTable: { table: PEOPLE } }, people(5000)])
    const index = { name: 'by_name', columns: ['name'], unique: true }
    await db.execute([{ createIndex: { table: 'people', index } }])
    for (let kill = 0; kill < 5; kill++) {
      await replica.waitFor(replica.position.lsn)
      const left = second.crash()
      await replica.close().catch(() => undefined)
      second = left
      replica = await Replica.open({ path: '/replica', from: url, engine: second })
    }
    await primary.jobsDone()
    await replica.waitFor(primary.position.lsn)
    t.match(replica.catalog().table('people').message.indexes, [{ building: false }])
    await Promise.all([primary.jobsDone(), replica.jobsDone()])
    await replica.close()
    await close()
    t.same(await differences(first, second), [])
  },
)

async function tablesOf(node: Pick<Replica, 'catalog'>): Promise<unknown[]> {
  const catalog = node.catalog()
  const tables = await catalog.tables()
  return Promise.all(
    tables.map(async ({ schema, name, rows, digest, message }) => {
      const stored = await collect(catalog.scan(`${schema}.${name}`))
      return { schema, name, rows, digest, message, stored }
    }),
  )
}

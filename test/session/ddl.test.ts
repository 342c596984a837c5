/**
 * Definition statements in sessions, as text frames and as binary ones. G5: none of them commits, and one that is refused
 * leaves the transaction open. G6: a rollback takes definitions and rows back together, whoever causes it.
 */
import t, { type Test } from 'tap'
import { DDL_CONVERSATION, DDL_PEOPLE } from './ddl-conversation.js'
import { FORMS, type ServingSessions, type SessionClient, makeKv, serveSessions } from './serving-sessions.js'

async function tables({ primary }: ServingSessions): Promise<string[]> {
  const listed = await primary.catalog().tables()
  return listed.map(({ schema, name }) => `${schema}.${name}`)
}

/** Has the whole conversation in an open transaction, which stays open and unseen throughout. */
async function converse(t: Test, serving: ServingSessions, client: SessionClient): Promise<void> {
  for (const [operation, expected] of DDL_CONVERSATION) {
    const { result, error } = await client.tell(operation)
    const told = error === undefined ? result : `${error.code}, ${error.transaction}`
    t.same(told, expected, `${Object.keys(operation).join()} ${error?.message ?? ''}`)
    t.same(await tables(serving), ['test.kv'], 'others see nothing of it')
    t.equal(serving.primary.openTransactions, 1, 'the transaction stays open')
  }
}

for (const form of FORMS) {
  t.test(
    `${form} frames: each definition statement answers, commits nothing, and is rolled back with its rows`,
    async (t) => {
      const serving = await serveSessions(t)
      await makeKv(serving.primary, 2)
      const client = await serving.connect()
      client.form = form
      const { lsn } = serving.primary.position

      await client.ask({ begin: {} })
      await client.ask({ alterTable: { table: 'kv', changes: [{ addColumn: { name: 'more', type: 'TEXT' } }] } })
      await client.ask({ update: { table: 'kv', key: { id: 1 }, set: { more: 'x' } } })
      await converse(t, serving, client)
      await client.ask({ rollback: {} })
      t.equal(serving.primary.position.lsn, lsn, 'nothing was written')
      t.same(
        serving.primary.catalog().get('kv', { id: 1 }),
        { id: 1, value: 'old' },
        'neither column nor value is there',
      )
      t.same(await tables(serving), ['test.kv'])

      await client.ask({ begin: {} })
      await converse(t, serving, client)
      const { lsn: committed } = await client.ask({ commit: {} })
      t.equal(committed, String(lsn + 1n), 'the same statements again, in one transaction')
      t.same(await tables(serving), ['test.kv', 'test.people'])
    },
  )

  t.test(`${form} frames: a savepoint undoes definitions and rows behind it, and keeps those before`, async (t) => {
    const serving = await serveSessions(t)
    await makeKv(serving.primary, 2)
    const client = await serving.connect()
    client.form = form
    await client.ask({ begin: {} })
    await client.ask({ createTable: { table: DDL_PEOPLE } })
    await client.ask({ insert: { table: 'people', rows: [{ id: 1n, age: 1 }] } })
    await client.ask({ savepoint: { name: 's' } })
    await client.ask({ truncateTable: { table: 'people' } })
    await client.ask({ renameTables: { tables: [{ from: 'people', to: 'folk' }] } })
    await client.ask({ createSchema: { schema: 'more' } })
    await client.ask({ createTableAs: { table: 'more.kv', from: { table: 'kv' } } })
    await client.ask({ rollbackTo: { name: 's' } })
    await client.ask({ commit: {} })
    t.same(await tables(serving), ['test.kv', 'test.people'])
    t.same(serving.primary.catalog().get('people', { id: 1n }), { id: 1n, name: null, age: 1 })
  })

  t.test(`${form} frames: a one-shot transaction of definitions is done whole or not at all`, async (t) => {
    const serving = await serveSessions(t)
    await makeKv(serving.primary, 2)
    const client = await serving.connect()
    client.form = form
    const statements = DDL_CONVERSATION.flatMap(([statement, expected]) =>
      typeof expected === 'string' ? [] : [statement],
    )
    const { lsn } = serving.primary.position
    const last = { dropTable: { table: 'none' } }
    const { code, statement, transaction } = await client.refusal({ execute: { statements: [...statements, last] } })
    t.match({ code, statement, transaction }, { code: 'NOT_FOUND', statement: statements.length, transaction: 'none' })
    t.equal(serving.primary.position.lsn, lsn)
    t.same(await tables(serving), ['test.kv'])

    const { results } = await client.ask({ execute: { statements } })
    t.same(
      results,
      DDL_CONVERSATION.map(([, expected]) => expected).filter((expected) => typeof expected !== 'string'),
    )
    t.same(await tables(serving), ['test.kv', 'test.people'])
  })
}

t.test('a client that vanishes leaves neither definitions nor rows behind (G5)', async (t) => {
  const serving = await serveSessions(t)
  await makeKv(serving.primary, 2)
  const client = await serving.connect()
  await client.ask({ begin: {} })
  await converse(t, serving, client)
  await client.vanish()
  const other = await serving.connect()
  await other.ask({ begin: {} })
  await other.ask({ getForUpdate: { table: 'kv', key: { id: 1 } } })
  t.same(await other.ask({ createTable: { table: DDL_PEOPLE } }), { created: true }, 'its names are free')
  await other.ask({ commit: {} })
  t.same(await tables(serving), ['test.kv', 'test.people'])
})

t.test(
  'a mistyped definition statement is refused with the nearest name and leaves the transaction open',
  async (t) => {
    const serving = await serveSessions(t)
    await makeKv(serving.primary, 1)
    const client = await serving.connect()
    await client.ask({ begin: {} })
    await client.ask({ insert: { table: 'kv', rows: [{ id: 7 }] } })
    for (const form of FORMS) {
      client.form = form
      const change = { alterTable: { table: 'kv', changes: [{ addColum: { name: 'a', type: 'TEXT' } }] } }
      t.match(await client.refusal(change), {
        code: 'INVALID_ARGUMENT',
        message: 'alterTable/changes/0 has the unknown property "addColum"; did you mean "addColumn"?',
        transaction: 'open',
        pointer: '/alterTable/changes/0',
      })
    }
    client.form = 'text'
    t.match(await client.refusal({ trunkateTable: { table: 'kv' } }), {
      code: 'INVALID_ARGUMENT',
      message: /did you mean "truncateTable"/,
      transaction: 'open',
    })
    await client.ask({ commit: {} })
    t.same(serving.primary.catalog().get('kv', { id: 7 }), { id: 7, value: null })
  },
)

/** Definition statements over HTTP: what each answers, and that a transaction of them is done whole or not at all (G6). */
import t, { type Test } from 'tap'
import { type Serving, serve } from './serving.js'

type Json = Readonly<Record<string, unknown>>

const PEOPLE = {
  name: 'people',
  columns: [
    { name: 'id', type: 'BIGINT', notNull: true },
    { name: 'name', type: 'VARCHAR(20)' },
    { name: 'age', type: 'INTEGER' },
  ],
  primaryKey: ['id'],
  checks: [{ name: 'grown', expression: { ge: [{ column: 'age' }, 0] } }],
  options: { owner: 'hr' },
}
const PETS = {
  name: 'pets',
  columns: [
    { name: 'id', type: 'INTEGER', notNull: true },
    { name: 'person', type: 'BIGINT' },
  ],
  primaryKey: ['id'],
  foreignKeys: [{ name: 'of', columns: ['person'], references: { table: 'people' }, onDelete: 'cascade' }],
}
const ROWS = [
  { id: '1', name: 'Ada', age: 36 },
  { id: '2', name: 'Bob', age: 7 },
  { id: '3', name: 'Cy', age: 70 },
]

async function served(t: Test): Promise<Serving> {
  const serving = await serve()
  t.teardown(() => serving.close())
  return serving
}

/** The results of a transaction that is to succeed. */
async function run(serving: Serving, ...statements: object[]): Promise<readonly Json[]> {
  const { status, json, text } = await serving.post({ statements })
  if (status !== 200) throw new Error(text)
  return json['results'] as Json[]
}

async function tableNames(serving: Serving): Promise<string[]> {
  const { json } = await serving.get('/v1/catalogs/local/tables')
  return (json['tables'] as { schema: string; name: string }[]).map(({ schema, name }) => `${schema}.${name}`)
}

t.test('each definition statement answers what it did, in one transaction with rows', async (t) => {
  const serving = await served(t)
  const before = serving.primary.position.lsn
  const results = await run(
    serving,
    { createSchema: { schema: 'attic', comment: 'old things', options: { tier: 'cold' } } },
    { createSchema: { schema: 'attic', ifNotExists: true } },
    { createTable: { table: PEOPLE } },
    { createTable: { table: PETS } },
    { insert: { table: 'people', rows: ROWS } },
    {
      createTableAs: {
        table: 'attic.old',
        from: { table: 'people' },
        columns: ['id', { column: 'name', as: 'called' }],
        where: { gt: [{ column: 'age' }, 30] },
      },
    },
    { createTableAs: { table: 'attic.old', from: { table: 'people' }, ifNotExists: true } },
    {
      alterTable: {
        table: 'people',
        changes: [
          { addColumn: { name: 'note', type: 'TEXT', default: 'new', after: 'id' } },
          { renameColumn: { name: 'name', to: 'called' } },
          { setOptions: { owner: null, seen: 'yes' } },
        ],
      },
    },
    { alterTable: { table: 'people', changes: [{ setComment: { comment: '' } }] } },
    { createIndex: { table: 'people', index: { name: 'by_age', columns: [{ column: 'age', descending: true }] } } },
    { createIndex: { table: 'people', index: { name: 'by_age', columns: ['age'] }, ifNotExists: true } },
    { scan: { table: 'people', index: 'by_age', limit: 1 } },
    { createIndex: { table: 'people', index: { name: 'gone', columns: ['called'] } } },
    { dropIndex: { table: 'people', index: 'gone' } },
    { dropIndex: { table: 'people', index: 'gone', ifExists: true } },
    {
      renameTables: {
        tables: [
          { from: 'pets', to: 'attic.pets' },
          { from: 'attic.old', to: 'old' },
        ],
      },
    },
    { truncateTable: { table: 'attic.pets' } },
    { alterSchema: { schema: 'attic', name: 'cellar', options: { tier: null } } },
    { alterSchema: { schema: 'cellar', comment: 'old things' } },
    { dropTable: { table: 'none', ifExists: true } },
    { get: { table: 'old', key: { id: '3' } } },
  )
  t.same(results, [
    { created: true },
    { created: false },
    { created: true },
    { created: true },
    { inserted: 3 },
    { created: true, inserted: 2 },
    { created: false, inserted: 0 },
    { altered: true },
    { altered: false },
    { created: true },
    { created: false },
    { rows: [{ id: '3', note: 'new', called: 'Cy', age: 70 }] },
    { created: true },
    { dropped: true },
    { dropped: false },
    { renamed: 2 },
    { truncated: true },
    { altered: true },
    { altered: false },
    { dropped: false },
    { row: { id: '3', called: 'Cy' } },
  ])
  t.equal(serving.primary.position.lsn, before + 1n, 'one transaction')
  t.same(await tableNames(serving), ['cellar.pets', 'test.old', 'test.people'])

  t.match(await serving.post({ statements: [{ dropSchema: { schema: 'cellar' } }] }), {
    status: 409,
    json: { code: 'DEPENDENT_OBJECTS', statement: 0 },
  })
  t.same(await run(serving, { dropSchema: { schema: 'cellar', cascade: true } }, { dropTable: { table: 'old' } }), [
    { dropped: true },
    { dropped: true },
  ])
  t.same(await run(serving, { dropSchema: { schema: 'cellar', ifExists: true } }), [{ dropped: false }])
  t.same(await tableNames(serving), ['test.people'])
})

t.test('G6: when one statement is refused, none of the definitions and none of the rows are there', async (t) => {
  const serving = await served(t)
  await run(serving, { createTable: { table: PEOPLE } }, { createTable: { table: PETS } })
  await run(serving, { insert: { table: 'people', rows: ROWS } })
  const state = async (): Promise<unknown[]> => [
    await tableNames(serving),
    (await serving.get('/v1/catalogs/local/tables/people')).json['definition'],
    await run(serving, { scan: { table: 'people' } }),
    serving.primary.position.lsn,
  ]
  const before = await state()
  const refused: readonly [statement: object, code: string][] = [
    [{ insert: { table: 'people', rows: [{ id: '9', age: -1 }] } }, 'CHECK_VIOLATION'],
    [{ truncateTable: { table: 'people' } }, 'DEPENDENT_OBJECTS'],
    [{ dropTable: { table: 'people' } }, 'DEPENDENT_OBJECTS'],
    [{ createTable: { table: { ...PEOPLE, name: 'new' } } }, 'ALREADY_EXISTS'],
    [{ renameTables: { tables: [{ from: 'new', to: 'people' }] } }, 'ALREADY_EXISTS'],
    [{ alterTable: { table: 'people', changes: [{ dropColumn: { name: 'agee' } }] } }, 'NOT_FOUND'],
    [
      { alterTable: { table: 'people', changes: [{ setType: { column: 'age', type: 'INTEGERR' } }] } },
      'INVALID_DEFINITION',
    ],
    [{ createIndex: { table: 'nothing', index: { name: 'i', columns: ['a'] } } }, 'NOT_FOUND'],
    [{ dropIndex: { table: 'people', index: 'none' } }, 'NOT_FOUND'],
    [{ createSchema: { schema: 'made' } }, 'ALREADY_EXISTS'],
    [{ alterSchema: { schema: 'none', comment: 'x' } }, 'NOT_FOUND'],
    [{ dropSchema: { schema: 'none' } }, 'NOT_FOUND'],
    [{ createTableAs: { table: 'people', from: { table: 'pets' } } }, 'ALREADY_EXISTS'],
  ]
  for (const [statement, code] of refused) {
    const answer = await serving.post({
      statements: [
        { createSchema: { schema: 'made' } },
        { createTableAs: { table: 'new', from: { table: 'people' } } },
        { alterTable: { table: 'people', changes: [{ addColumn: { name: 'more', type: 'TEXT' } }] } },
        { insert: { table: 'people', rows: [{ id: '4', more: 'x' }] } },
        statement,
      ],
    })
    t.match(answer.json, { code, statement: 4 }, `${code} ${answer.text}`)
    t.same(await state(), before, Object.keys(statement).join())
  }
  const orphan = await serving.post({ statements: [{ insert: { table: 'pets', rows: [{ id: 1, person: '77' }] } }] })
  t.match(orphan, { status: 409, json: { code: 'FOREIGN_KEY_VIOLATION' } })
  t.same(await state(), before)
})

t.test(
  'the description of a table makes a table like it, checks, foreign keys, options and row image included',
  async (t) => {
    const serving = await served(t)
    const pets = { ...PETS, rowImage: 'minimal', comment: 'they', options: { a: 'b' } }
    await run(serving, { createTable: { table: PEOPLE } }, { createTable: { table: pets } })
    const definition = async (name: string): Promise<Json> =>
      (await serving.get(`/v1/catalogs/local/tables/${name}`)).json['definition'] as Json
    for (const name of ['people', 'pets']) {
      const original = await definition(name)
      await run(serving, { createTable: { table: { ...original, name: `${name}2` } } })
      t.same({ ...(await definition(`${name}2`)), name }, original)
    }
  },
)

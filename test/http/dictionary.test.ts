/**
 * The dictionary over HTTP: all that a table message holds, every version that a table had, schemas, and the table
 * messages that messages of the log are decoded with. (G6)
 */
import t, { type Test } from 'tap'
import { decodeTableMessage } from '../../log/codec/definition-codec.js'
import { type Answer, type Serving, serve } from './serving.js'

const AUTHORS = {
  name: 'authors',
  columns: [
    { name: 'id', type: 'BIGINT', autoIncrement: true },
    { name: 'name', type: 'VARCHAR(40)', notNull: true, default: 'anonymous', comment: 'as on the cover' },
    { name: 'joined', type: 'TIMESTAMP', default: { function: 'now' } },
  ],
  primaryKey: ['id'],
  indexes: [{ name: 'by_name', columns: ['name', { column: 'id', descending: true }], unique: true }],
  comment: 'people who write',
  options: { owner: 'library' },
}
const BOOKS = {
  schema: 'shelf',
  name: 'books',
  columns: [
    { name: 'isbn', type: 'TEXT' },
    { name: 'author', type: 'BIGINT' },
    { name: 'pages', type: 'INTEGER' },
  ],
  primaryKey: ['isbn'],
  foreignKeys: [
    {
      name: 'written',
      columns: ['author'],
      references: { table: 'authors' },
      onDelete: 'cascade',
      onUpdate: 'set null',
    },
  ],
  checks: [{ name: 'thick', expression: { gt: [{ column: 'pages' }, 0] } }],
  rowImage: 'minimal',
}

async function served(t: Test, ...statements: object[]): Promise<Serving> {
  const serving = await serve()
  t.teardown(() => serving.close())
  if (statements.length > 0) await run(serving, ...statements)
  return serving
}

async function run(serving: Serving, ...statements: object[]): Promise<void> {
  const { status, text } = await serving.post({ statements })
  if (status !== 200) throw new Error(text)
}

const LIBRARY = [
  { createSchema: { schema: 'shelf' } },
  { createTable: { table: AUTHORS } },
  { createTable: { table: BOOKS } },
]

function table(serving: Serving, rest: string): Promise<Answer> {
  return serving.get(`/v1/catalogs/local/tables/${rest}`)
}

t.test(
  'a table is described whole: columns, keys, constraints with the names of their tables, sizes, times',
  async (t) => {
    const serving = await served(t, ...LIBRARY, { insert: { table: 'authors', rows: [{ name: 'Ada' }] } })
    const authors = (await table(serving, 'authors')).json
    t.match(authors, {
      catalog: 'local',
      schema: 'test',
      name: 'authors',
      id: 1,
      version: 2,
      storageId: 1,
      rows: 1,
      bytes: Number,
      digest: /^[0-9a-f]{16}$/,
      createdAt: /^\d{4}-.*Z$/,
      changedAt: /^\d{4}-.*Z$/,
    })
    t.ok((authors['bytes'] as number) > 10)
    t.strictSame(authors['columns'], [
      { id: 2, name: 'id', type: 'BIGINT', notNull: true, autoIncrement: true, addedInVersion: 1, comment: '' },
      {
        id: 3,
        name: 'name',
        type: 'VARCHAR(40)',
        notNull: true,
        default: 'anonymous',
        autoIncrement: false,
        addedInVersion: 1,
        comment: 'as on the cover',
      },
      {
        id: 4,
        name: 'joined',
        type: 'TIMESTAMP',
        notNull: false,
        default: { function: 'now' },
        autoIncrement: false,
        addedInVersion: 1,
        comment: '',
      },
    ])
    const rest = ({
      comment,
      options,
      rowImage,
      primaryKey,
      indexes,
      foreignKeys,
      checks,
      referencedBy,
    }: typeof authors) => {
      return { comment, options, rowImage, primaryKey, indexes, foreignKeys, checks, referencedBy }
    }
    t.strictSame(rest(authors), {
      comment: 'people who write',
      options: { owner: 'library' },
      rowImage: 'full',
      primaryKey: [{ column: 'id', descending: false }],
      indexes: [
        {
          id: 1,
          name: 'by_name',
          unique: true,
          columns: [
            { column: 'name', descending: false },
            { column: 'id', descending: true },
          ],
          building: false,
          validating: false,
        },
      ],
      foreignKeys: [],
      checks: [],
      referencedBy: [{ schema: 'shelf', table: 'books', tableId: 2, foreignKey: 'written', foreignKeyId: 1 }],
    })
    const books = (await table(serving, 'shelf.books')).json
    t.match(rest(books), {
      comment: '',
      options: {},
      rowImage: 'minimal',
      foreignKeys: [
        {
          id: 1,
          name: 'written',
          columns: ['author'],
          references: { schema: 'test', table: 'authors', tableId: 1, columns: ['id'] },
          onDelete: 'cascade',
          onUpdate: 'set null',
        },
      ],
      checks: [{ id: 2, name: 'thick', expression: BOOKS.checks[0]!.expression, sql: '"pages" > 0' }],
      referencedBy: [],
    })

    await run(serving, { renameTables: { tables: [{ from: 'authors', to: 'shelf.writers' }] } })
    t.match((await table(serving, 'shelf.books')).json['foreignKeys'], [
      { references: { schema: 'shelf', table: 'writers' } },
    ])
    t.match((await table(serving, 'shelf.books/sql')).text, 'REFERENCES "shelf"."writers" ("id")')
    t.match((await table(serving, 'shelf.writers')).json['referencedBy'], [{ schema: 'shelf', table: 'books' }])
  },
)

t.test('a table that refers to itself names itself', async (t) => {
  const columns = [
    { name: 'id', type: 'INTEGER' },
    { name: 'parent', type: 'INTEGER' },
  ]
  const foreignKeys = [{ name: 'up', columns: ['parent'], references: { table: 'tree' } }]
  const serving = await served(t, {
    createTable: { table: { name: 'tree', columns, primaryKey: ['id'], foreignKeys } },
  })
  t.match((await table(serving, 'tree')).json, {
    foreignKeys: [{ references: { schema: 'test', table: 'tree', tableId: 1 } }],
    referencedBy: [{ schema: 'test', table: 'tree', foreignKey: 'up' }],
  })
})

t.test('each version of a table stays as it was: as JSON, SQL and proto', async (t) => {
  const serving = await served(t, ...LIBRARY)
  const alter = (change: object): object => ({ alterTable: { table: 'shelf.books', changes: [change] } })
  const shown = async (version: number | undefined): Promise<unknown[]> => {
    const query = version === undefined ? '' : `?version=${version}`
    const { rows: _rows, bytes: _bytes, digest: _digest, ...json } = (await table(serving, `shelf.books${query}`)).json
    return [
      json,
      (await table(serving, `shelf.books/sql${query}`)).text,
      (await table(serving, `shelf.books/proto${query}`)).text,
    ]
  }
  const changes = [
    alter({ addColumn: { name: 'title', type: 'TEXT', default: 'untitled' } }),
    alter({ renameColumn: { name: 'pages', to: 'leaves' } }),
    alter({ dropCheck: { name: 'thick' } }),
    alter({ setType: { column: 'leaves', type: 'TEXT' } }),
    alter({ dropColumn: { name: 'leaves' } }),
    { createIndex: { table: 'shelf.books', index: { name: 'by_title', columns: ['title'] } } },
    { truncateTable: { table: 'shelf.books' } },
  ]
  const versions = [await shown(undefined)]
  await run(serving, { insert: { table: 'shelf.books', rows: [{ isbn: 'a', pages: 3 }] } })
  for (const change of changes) {
    await run(serving, change)
    versions.push(await shown(undefined))
  }
  for (const [ordinal, expected] of versions.entries()) {
    t.strictSame(await shown(ordinal + 1), expected, `version ${ordinal + 1}`)
  }
  t.match((await table(serving, 'shelf.books?version=2')).json, { rows: null, bytes: null, digest: null, storageId: 2 })
  t.match((await table(serving, 'shelf.books?version=2')).json['columns'], [
    {},
    {},
    {},
    { name: 'title', addedInVersion: 2, missingValue: 'untitled' },
  ])
  t.match((await table(serving, 'shelf.books?version=8')).json, { version: 8, rows: 0, digest: '0'.repeat(16) })
  t.not((await table(serving, 'shelf.books')).json['storageId'], 2, 'truncating gave it another storage')

  const first = (await table(serving, 'shelf.books?version=1')).json['definition']
  await run(serving, { createTable: { table: { ...(first as object), name: 'again' } } })
  const again = (await table(serving, 'shelf.again')).json['definition']
  t.strictSame({ ...(again as object), name: 'books' }, first, 'an old definition makes a table as it was')
})

t.test('a version that there is not is NOT_FOUND, and one that is no number is refused', async (t) => {
  const serving = await served(t, ...LIBRARY)
  for (const part of ['', '/sql', '/proto']) {
    t.match(await table(serving, `shelf.books${part}?version=2`), {
      status: 404,
      json: { code: 'NOT_FOUND', detail: /has no version 2; its newest is 1/ },
    })
    t.match(await table(serving, `shelf.books${part}?version=9999999999`), { status: 404 }, 'more than an id can be')
    for (const version of ['0', '-1', 'x', '1.5', '']) {
      t.match(await table(serving, `shelf.books${part}?version=${version}`), {
        status: 400,
        json: { code: 'INVALID_ARGUMENT' },
      })
    }
  }
  t.match(await table(serving, 'none?version=1'), { status: 404, json: { detail: /table test.none does not exist/ } })
})

t.test('the versions of a table are listed with the name and time of each, a page at a time', async (t) => {
  const serving = await served(t, ...LIBRARY)
  const rename = (from: string, to: string): Promise<void> => run(serving, { renameTables: { tables: [{ from, to }] } })
  await rename('shelf.books', 'shelf.volumes')
  await rename('shelf.volumes', 'tomes')
  const { json } = await table(serving, 'tomes/versions')
  t.match(json, {
    versions: [
      { version: 1, schema: 'shelf', name: 'books' },
      { version: 2, schema: 'shelf', name: 'volumes' },
      { version: 3, schema: 'test', name: 'tomes' },
    ],
    next: null,
    position: /^1\./,
  })
  const all = json['versions'] as { changedAt: string }[]
  const times = all.map(({ changedAt }) => Date.parse(changedAt))
  t.same(times.toSorted(), times)
  t.same((await table(serving, 'tomes/versions?limit=2')).json, { ...json, versions: all.slice(0, 2), next: 2 })
  t.same((await table(serving, 'tomes/versions?limit=2&after=2')).json['versions'], all.slice(2))
  t.match((await table(serving, 'tomes/versions?limit=3')).json, { next: null })
  t.match((await table(serving, 'tomes/versions?after=9999999999')).json, { versions: [], next: null })
  t.match(await table(serving, 'tomes/versions?limit=10001'), { status: 400, json: { code: 'INVALID_ARGUMENT' } })
  t.match(await table(serving, 'books/versions'), { status: 404 }, 'a table is found by the name that it has')

  await run(serving, { dropSchema: { schema: 'shelf' } })
  t.match((await table(serving, 'tomes/versions?limit=1')).json, { versions: [{ schema: 'schema 2', name: 'books' }] })
  t.match((await table(serving, 'tomes/sql?version=1')).text, 'CREATE TABLE "schema 2"."books"')
})

t.test(
  'G6: the message of each version is there by its ids, as it was, when the table and the catalog are gone',
  async (t) => {
    const serving = await served(t)
    await serving.primary.createCatalog('shop')
    const shop = serving.primary.catalog('shop')
    await shop.execute([{ createTable: { table: { ...AUTHORS, name: 'a' } } }])
    const { message } = shop.table('a')
    await shop.execute([{ alterTable: { table: 'a', changes: [{ setComment: { comment: 'new' } }] } }])
    const expected = [message, shop.table('a').message]
    const check = async (schema: string | null, when: string): Promise<void> => {
      for (const version of expected) {
        const { json, status } = await serving.get(`/v1/table-versions/${version.id}/${version.version}`)
        t.equal(status, 200)
        const { message: bytes, ...others } = json
        t.strictSame(decodeTableMessage(Buffer.from(String(bytes), 'base64')), version, when)
        t.strictSame(others, { id: version.id, version: version.version, catalogId: 2, schema, name: 'a' })
      }
    }
    await check('test', 'while it is there')
    await shop.execute([{ dropTable: { table: 'a' } }])
    await serving.primary.jobsDone()
    await check('test', 'when the table was dropped')
    await serving.primary.dropCatalog('shop')
    await serving.primary.jobsDone()
    await check(null, 'when the catalog was dropped')
    for (const ids of [`${message.id}/3`, '99/1', '4294967296/1', '1/9999999999']) {
      t.match(await serving.get(`/v1/table-versions/${ids}`), { status: 404, json: { code: 'NOT_FOUND' } }, ids)
    }
    for (const ids of ['0/1', '1/0', 'a/1', '1/-1']) {
      t.match(await serving.get(`/v1/table-versions/${ids}`), { status: 400, json: { code: 'INVALID_ARGUMENT' } }, ids)
    }
  },
)

t.test('schemas are listed with their tables, comments and options; catalogs have ids and times', async (t) => {
  const serving = await served(
    t,
    { createSchema: { schema: 'attic', comment: 'old things', options: { tier: 'cold' } } },
    ...LIBRARY,
    { createTable: { table: { ...AUTHORS, schema: 'shelf', name: 'more' } } },
  )
  const { json, headers } = await serving.get('/v1/catalogs/local/schemas')
  t.match(json, {
    schemas: [
      { id: 2, name: 'attic', comment: 'old things', options: { tier: 'cold' }, tables: 0, createdAt: /^\d{4}-.*Z$/ },
      { id: 3, name: 'shelf', comment: '', options: {}, tables: 2 },
      { id: 1, name: 'test', tables: 1 },
    ],
    position: /^1\.2\./,
  })
  t.equal(headers.get('replog-position'), json['position'])
  t.match(await serving.get('/v1/catalogs/none/schemas'), { status: 404, json: { code: 'NOT_FOUND' } })
  t.match((await serving.get('/v1/catalogs')).json, { catalogs: [{ id: 1, name: 'local', createdAt: /^\d{4}-.*Z$/ }] })
})

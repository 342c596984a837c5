/** One-shot transactions over HTTP: what they answer, and that a refused one leaves nothing behind. */
import t from 'tap'
import { HTTP_BODY_BYTES_MAX, TRANSACTION_STATEMENTS_MAX } from '../../core/limits.js'
import { parsePosition } from '../../core/position.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { readFrame } from '../../log/codec/frame.js'
import { STATEMENT_NAMES } from '../../primary/run-statement.js'
import { STATEMENT_SCHEMAS } from '../../primary/statement-schema.js'
import { type Serving, TABLE_T, serve } from './serving.js'

let serving: Serving

t.before(async () => {
  serving = await serve({ bodyBytesMax: 64 * 1024 })
  const created = await serving.post({ statements: [{ createTable: { table: TABLE_T } }] })
  t.equal(created.status, 200, created.text)
})
t.teardown(() => serving.close())

t.test('every statement that exists has a schema', async (t) => {
  t.same(Object.keys(STATEMENT_SCHEMAS).sort(), [...STATEMENT_NAMES].sort())
})

t.test('each statement answers in its place, and the whole with its LSN and position', async (t) => {
  const before = serving.primary.position.lsn
  const answer = await serving.post({
    ack: 'local',
    statements: [
      {
        insert: {
          table: 'test.t',
          rows: [
            { a: 1, b: 'x', c: '9007199254740993', d: 'ä' },
            { a: 1, b: 'y' },
          ],
        },
      },
      { get: { table: 't', key: { a: 1, b: 'x' } } },
      { get: { table: 't', key: { a: 1, b: 'none' } } },
      { update: { table: 't', key: { a: 1, b: 'x' }, set: { c: { add: '1' } } } },
      { update: { table: 't', key: { a: 9, b: 'x' }, set: { c: '1' } } },
      { check: { table: 't', key: { a: 1, b: 'x' }, equals: { c: '9007199254740994' } } },
      { delete: { table: 't', key: { a: 1, b: 'y' } } },
      { delete: { table: 't', key: { a: 1, b: 'y' } } },
      { createTable: { table: TABLE_T, ifNotExists: true } },
      { dropTable: { table: 'none', ifExists: true } },
    ],
  })
  t.equal(answer.status, 200, answer.text)
  t.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
  t.same(answer.json['results'], [
    { inserted: 2 },
    { row: { a: 1, b: 'x', c: '9007199254740993', d: 'ä' } },
    { row: null },
    { updated: 1 },
    { updated: 0 },
    { checked: true },
    { deleted: 1 },
    { deleted: 0 },
    { created: false },
    { dropped: false },
  ])
  t.equal(answer.json['lsn'], String(before + 1n))
  t.equal(parsePosition(answer.json['position'] as string).lsn, before + 1n)

  const scanned = await serving.post({ statements: [{ scan: { table: 't', prefix: { a: 1 }, limit: 5 } }] })
  t.same(scanned.json['results'], [{ rows: [{ a: 1, b: 'x', c: '9007199254740994', d: 'ä' }] }])
  t.equal(scanned.json['position'], answer.json['position'], 'a transaction that only reads has no LSN of its own')
})

t.test('AUTO_INCREMENT values are answered as decimal text', async (t) => {
  const answer = await serving.post({
    statements: [
      {
        createTable: {
          table: { name: 'n', columns: [{ name: 'id', type: 'BIGINT', autoIncrement: true }], primaryKey: ['id'] },
        },
      },
      { insert: { table: 'n', rows: [{}, { id: '9223372036854775806' }, {}] } },
    ],
  })
  t.same(answer.json['results'], [
    { created: true },
    { inserted: 3, autoIncrement: ['1', '9223372036854775806', '9223372036854775807'] },
  ])
  const used = await serving.post({ statements: [{ insert: { table: 'n', rows: [{}] } }] })
  t.equal(used.json['code'], 'LIMIT', 'and are not reused')
  t.equal(used.headers.get('retry-after'), '1')
})

t.test('annotations stand in the log', async (t) => {
  const annotations = { source: 'test', ключ: '値', __proto__x: '' }
  const answer = await serving.post({
    statements: [{ insert: { table: 't', rows: [{ a: 50, b: 'n' }] } }],
    annotations,
  })
  t.equal(answer.status, 200, answer.text)
  const entry = serving.primary.state.tail.get(serving.primary.position.lsn)!
  const message = decodeTransaction([readFrame(entry.frames[0]!)!.payload])
  t.same(message.annotations, annotations)
})

/** Each of these must leave rows, LSN and head as they were. */
interface Refused {
  readonly what: string
  readonly body: unknown
  readonly status: number
  readonly code: string
  readonly detail?: RegExp
  readonly statement?: number
  readonly catalog?: string
}

const GOOD = { insert: { table: 't', rows: [{ a: 7, b: 'good' }] } }

const one = (statement: unknown): unknown => ({ statements: [GOOD, statement] })

const REFUSED: readonly Refused[] = [
  { what: 'malformed JSON', body: '{"statements":[', status: 400, code: 'INVALID_ARGUMENT', detail: /not JSON/ },
  { what: 'an empty body', body: '', status: 400, code: 'INVALID_ARGUMENT', detail: /empty/ },
  {
    what: 'a body that is no object',
    body: [],
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /^the body must be object$/,
  },
  { what: 'no statements', body: {}, status: 400, code: 'INVALID_ARGUMENT', detail: /lacks "statements"/ },
  {
    what: 'misspelt statements',
    body: { statement: [] },
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /lacks "statements"; is it meant by "statement"\?/,
  },
  {
    what: 'an unknown property',
    body: { statements: [GOOD], acks: 'local' },
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /"acks"; did you mean "ack"\?/,
  },
  {
    what: 'an acknowledgement that there is not',
    body: { statements: [GOOD], ack: 'everywhere' },
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /^ack must be one of "local", "received", "durable", "applied"$/,
  },
  {
    what: 'an annotation that is no text',
    body: { statements: [GOOD], annotations: { a: 1 } },
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /^annotations\/a must be string$/,
  },
  {
    what: 'an annotation with half of a character',
    body: '{"statements":[],"annotations":{"a":"\\ud800"}}',
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /surrogate/,
  },
  {
    what: 'an annotation that is too long',
    body: { statements: [GOOD], annotations: { a: 'x'.repeat(1025) } },
    status: 400,
    code: 'INVALID_ARGUMENT',
  },
  {
    what: 'an unknown statement',
    body: one({ insrt: {} }),
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /^statements\/1 has the unknown property "insrt"; did you mean "insert"\?$/,
    statement: 1,
  },
  {
    what: 'a statement with two keys',
    body: one({ ...GOOD, get: { table: 't', key: {} } }),
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /exactly one of the properties insert, update/,
    statement: 1,
  },
  { what: 'a statement without a key', body: one({}), status: 400, code: 'INVALID_ARGUMENT', statement: 1 },
  { what: 'a statement that is null', body: one(null), status: 400, code: 'INVALID_ARGUMENT', statement: 1 },
  {
    what: 'rows that are no list',
    body: one({ insert: { table: 't', rows: {} } }),
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /^statements\/1\/insert\/rows must be array$/,
    statement: 1,
  },
  {
    what: 'a row that is no object',
    body: one({ insert: { table: 't', rows: [[1]] } }),
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /^statements\/1\/insert\/rows\/0 must be object$/,
    statement: 1,
  },
  {
    what: 'a misspelt part of a statement',
    body: one({ update: { table: 't', key: {}, sets: {} } }),
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /^statements\/1\/update lacks "set"; is it meant by "sets"\?$/,
    statement: 1,
  },
  {
    what: 'a limit as text',
    body: one({ scan: { table: 't', limit: '5' } }),
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /^statements\/1\/scan\/limit must be integer$/,
    statement: 1,
  },
  {
    what: 'a key part that is a number',
    body: one({ createTable: { table: { name: 'z', columns: [], primaryKey: [1] } } }),
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /primaryKey\/0 must be string or object$/,
    statement: 1,
  },
  {
    what: 'too many statements',
    body: { statements: new Array(TRANSACTION_STATEMENTS_MAX + 1).fill({}) },
    status: 400,
    code: 'INVALID_ARGUMENT',
    detail: /NOT have more than 10000 items/,
  },
  {
    what: 'an unknown table',
    body: one({ insert: { table: 'test.tt', rows: [] } }),
    status: 404,
    code: 'NOT_FOUND',
    detail: /tt/,
    statement: 1,
  },
  {
    what: 'an unknown schema',
    body: one({ get: { table: 'tset.t', key: {} } }),
    status: 404,
    code: 'NOT_FOUND',
    statement: 1,
  },
  { what: 'an unknown catalog', body: one(GOOD), status: 404, code: 'NOT_FOUND', catalog: 'nowhere' },
  {
    what: 'an unknown column',
    body: one({ insert: { table: 't', rows: [{ a: 8, b: 'x', cc: 1 }] } }),
    status: 404,
    code: 'NOT_FOUND',
    detail: /"cc"; did you mean "c"\?/,
    statement: 1,
  },
  {
    what: 'a column called __proto__',
    body: '{"statements":[{"insert":{"table":"t","rows":[{"a":8,"b":"x","__proto__":1}]}}]}',
    status: 404,
    code: 'NOT_FOUND',
    statement: 0,
  },
  {
    what: 'a NOT NULL column without a value',
    body: one({ insert: { table: 't', rows: [{ a: 8 }] } }),
    status: 422,
    code: 'INVALID_VALUE',
    detail: /"b" is NOT NULL/,
    statement: 1,
  },
  {
    what: 'a NOT NULL column with null',
    body: one({ insert: { table: 't', rows: [{ a: null, b: 'x' }] } }),
    status: 422,
    code: 'INVALID_VALUE',
    statement: 1,
  },
  {
    what: 'a primary key that exists, behind a row that does not',
    body: one({
      insert: {
        table: 't',
        rows: [
          { a: 8, b: 'new' },
          { a: 1, b: 'x' },
        ],
      },
    }),
    status: 409,
    code: 'DUPLICATE_KEY',
    statement: 1,
  },
  {
    what: 'a unique value that exists',
    body: one({ insert: { table: 't', rows: [{ a: 8, b: 'x', d: 'ä' }] } }),
    status: 409,
    code: 'DUPLICATE_KEY',
    detail: /one_d/,
    statement: 1,
  },
  {
    what: 'a primary key that is there twice',
    body: { statements: [GOOD, GOOD] },
    status: 409,
    code: 'DUPLICATE_KEY',
    statement: 1,
  },
  {
    what: 'half of a key',
    body: one({ delete: { table: 't', key: { a: 1 } } }),
    status: 422,
    code: 'INVALID_VALUE',
    statement: 1,
  },
  {
    what: 'a check that does not hold',
    body: one({ check: { table: 't', key: { a: 1, b: 'x' }, exists: false } }),
    status: 412,
    code: 'CHECK_FAILED',
    statement: 1,
  },
  {
    what: 'a table that exists',
    body: one({ createTable: { table: TABLE_T } }),
    status: 409,
    code: 'ALREADY_EXISTS',
    statement: 1,
  },
  {
    what: 'a type that there is not',
    body: one({ createTable: { table: { name: 'z', columns: [{ name: 'a', type: 'INT8' }], primaryKey: ['a'] } } }),
    status: 422,
    code: 'INVALID_DEFINITION',
    statement: 1,
  },
  {
    what: 'a table without a primary key',
    body: one({ createTable: { table: { name: 'z', columns: [{ name: 'a', type: 'TEXT' }], primaryKey: [] } } }),
    status: 422,
    code: 'INVALID_DEFINITION',
    statement: 1,
  },
  {
    what: 'a table to drop that is not there',
    body: one({ dropTable: { table: 'z' } }),
    status: 404,
    code: 'NOT_FOUND',
    statement: 1,
  },
  {
    what: 'a body that is too large',
    body: one({ insert: { table: 't', rows: [{ a: 8, b: 'x', d: 'x'.repeat(65 * 1024) }] } }),
    status: 413,
    code: 'TOO_LARGE',
    detail: /at most 65536 bytes/,
  },
]

for (const { what, body, status, code, detail, statement, catalog } of REFUSED) {
  t.test(`${what} is refused as ${code} and nothing is staged (G5)`, async (t) => {
    const { primary } = serving
    const before = { head: primary.state.head.lsn, rows: await rowsOf() }
    const answer = await serving.post(body, catalog)
    t.equal(answer.status, status, answer.text)
    t.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8')
    t.match(answer.json, { type: `urn:replog:error:${code}`, title: /./, status, detail: detail ?? /./, code })
    t.equal(answer.json['statement'], statement)
    t.same({ head: primary.state.head.lsn, rows: await rowsOf() }, before)
  })
}

async function rowsOf(): Promise<unknown[]> {
  const rows: unknown[] = []
  for await (const row of serving.primary.catalog().scan('t')) rows.push(row)
  return rows
}

t.test('by default a body may have as many bytes as the table of limits says', async (t) => {
  const large = await serve()
  t.teardown(() => large.close())
  const columns = [
    { name: 'a', type: 'INTEGER' },
    { name: 'd', type: 'TEXT' },
  ]
  await large.post({ statements: [{ createTable: { table: { name: 't', columns, primaryKey: ['a'] } } }] })
  const around = JSON.stringify({ statements: [{ insert: { table: 't', rows: [{ a: 1, d: '' }] } }] })
  const text = 'x'.repeat(8 * 1024 * 1024)
  const answer = await large.post(around.replace('"d":""', `"d":"${text}"`))
  t.equal(answer.status, 200, answer.text)
  const read = await large.get(`/v1/catalogs/local/tables/t/rows?key=${encodeURIComponent('{"a":1}')}`)
  t.equal((read.json['rows'] as { d: string }[])[0]!.d, text)
  const headers = { 'content-type': 'application/json' }
  const body = 'x'.repeat(HTTP_BODY_BYTES_MAX + 1)
  t.equal((await large.send('POST', '/v1/catalogs/local/transactions', headers, body)).json['code'], 'TOO_LARGE')
})

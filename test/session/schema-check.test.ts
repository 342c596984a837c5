/** The checker of session requests against the validator of the HTTP server, on the schemas that both use. */
import assert from 'node:assert/strict'
import { fastify } from 'fastify'
import fc from 'fast-check'
import t from 'tap'
import { isReplogError } from '../../core/errors.js'
import { VALIDATOR_OPTIONS, validationError } from '../../log/http/validation.js'
import { OPERATION_SCHEMAS, SHARED_SCHEMAS, checkRequest } from '../../primary/session/request-schema.js'
import { type Schema, compileCheck } from '../../primary/session/schema-check.js'

type Validate = (value: unknown) => string | undefined

/** The message of the HTTP server's validator, or undefined when it takes the value. */
async function validators(): Promise<ReadonlyMap<string, Validate>> {
  const app = fastify({ ajv: { customOptions: VALIDATOR_OPTIONS } })
  for (const schema of SHARED_SCHEMAS) app.addSchema(schema)
  const compiled = new Map<string, Validate>()
  app.post('/', async (request) => {
    for (const [name, schema] of Object.entries(OPERATION_SCHEMAS)) {
      const validate = request.compileValidationSchema(schema)
      compiled.set(name, (value) => {
        if (validate(value)) return undefined
        return validationError((validate.errors ?? []) as Parameters<typeof validationError>[0], 'request').message
      })
    }
    return {}
  })
  await app.inject({ method: 'POST', url: '/' })
  await app.close()
  return compiled
}

const word = fc.constantFrom(
  'table',
  'rows',
  'row',
  'key',
  'set',
  'index',
  'prefix',
  'from',
  'limit',
  'reverse',
  'exists',
  'cursor',
  'name',
  'statements',
  'isolation',
  'readOnly',
  'annotations',
  'ifExists',
  'columns',
  'type',
  'primaryKey',
  'insert',
  'get',
  'changes',
  'addColumn',
  'setOptions',
  'tables',
  'to',
  'schema',
  'options',
  'where',
  'and',
  'not',
  'eq',
  'isNull',
  'x/~',
)
const input = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, 'snapshot', 'x', 0, 1, 1.5, -1, 20_000),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(word, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value

t.test('a value is refused by both or by neither', async () => {
  const validate = await validators()
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(OPERATION_SCHEMAS)), input, (name, value) => {
      const theirs = validate.get(name)!(value)
      const ours = compileCheck(OPERATION_SCHEMAS[name as keyof typeof OPERATION_SCHEMAS], SHARED_SCHEMAS)(value)
      assert.equal(ours === undefined, theirs === undefined, `${theirs ?? 'taken'} / ${JSON.stringify(ours)}`)
    }),
    { numRuns: 2000 },
  )
})

const TABLE = { name: 't', columns: [{ name: 'a', type: 'INTEGER' }], primaryKey: ['a'] }

/** Each with one mistake, so that there is one thing to say. */
const MISTAKES: readonly (readonly [operation: keyof typeof OPERATION_SCHEMAS, value: unknown])[] = [
  ['insert', 1],
  ['insert', { table: 't' }],
  ['insert', { table: 1, rows: [] }],
  ['insert', { table: 't', rows: [{}, 1] }],
  ['insert', { table: 't', rows: [], colunms: 1 }],
  ['scan', { table: 't', limit: -1 }],
  ['scan', { table: 't', limit: 1.5 }],
  ['begin', { isolation: 'dirty' }],
  ['begin', { annotations: { 'a/b': 1 } }],
  ['createTable', { table: { ...TABLE, columns: [{ name: 'a' }] } }],
  ['createTable', { table: { ...TABLE, primaryKey: [1] } }],
  ['createTable', { table: { ...TABLE, indexes: [{ name: 'i', columns: ['a'], uniqe: true }] } }],
  ['createTable', { table: { ...TABLE, foreignKeys: [{ columns: ['a'], references: { tabel: 'u' } }] } }],
  ['createTable', { table: { ...TABLE, foreignKeys: [{ columns: ['a'], references: {}, onDelete: 'restrict' }] } }],
  [
    'createTable',
    { table: { ...TABLE, foreignKeys: [{ columns: [], references: { table: 'u' }, onDelete: 'drop' }] } },
  ],
  ['createTable', { table: { ...TABLE, checks: [{ expression: 'a > 0' }] } }],
  ['createTable', { table: { ...TABLE, checks: [{ expression: {} }] } }],
  ['createTable', { table: { ...TABLE, checks: [{ expression: { and: [{ not: { gtt: [1, 2] } }] } }] } }],
  ['createTable', { table: { ...TABLE, checks: [{ expression: { or: [{ not: { eq: [1] } }] } }] } }],
  ['createTable', { table: { ...TABLE, checks: [{ expression: { between: [1, 2, 3, 4] } }] } }],
  ['createTable', { table: { ...TABLE, options: { a: 1 } } }],
  ['createTable', { table: { ...TABLE, rowImage: 'none' } }],
  ['createTableAs', { table: 't', from: { table: 'u', limit: -1 } }],
  ['createTableAs', { table: 't', from: { table: 'u' }, columns: ['a', { column: 'b' }] }],
  ['createTableAs', { table: 't', from: { table: 'u' }, where: { is_null: { column: 'a' } } }],
  ['alterTable', { table: 't' }],
  ['alterTable', { table: 't', changes: [{}] }],
  ['alterTable', { table: 't', changes: [{ addColum: { name: 'a', type: 'TEXT' } }] }],
  ['alterTable', { table: 't', changes: [{ dropCheck: { name: 'a' } }, { addColumn: { name: 'a' } }] }],
  ['alterTable', { table: 't', changes: [{ addColumn: { name: 'a', type: 'TEXT', befor: 'b' } }] }],
  ['alterTable', { table: 't', changes: [{ dropCheck: { name: 'a' }, dropIndex: { name: 'a' } }] }],
  ['alterTable', { table: 't', changes: [{ setOptions: { a: 1 } }] }],
  ['alterTable', { table: 't', changes: Array.from({ length: 1001 }, () => ({})) }],
  ['renameTables', { tables: [{ from: 'a', too: 'b' }] }],
  ['truncateTable', { table: 1 }],
  ['createIndex', { table: 't', index: { name: 'i', colums: ['a'] } }],
  ['dropIndex', { table: 't', index: { name: 'i' } }],
  ['createSchema', { schema: 's', ifExists: true }],
  ['alterSchema', { schema: 's', options: { a: false } }],
  ['dropSchema', { schema: 's', cascad: true }],
  ['fetch', { cursor: 0, rows: 1 }],
  ['fetch', { cursor: 1, rows: 10_001 }],
  ['execute', { statements: [{ get: { table: 't', key: {} }, insert: {} }] }],
  ['execute', { statements: [{ gett: { table: 't', key: {} } }] }],
  ['execute', { statements: {} }],
  ['execute', { statements: Array.from({ length: 10_001 }, () => ({})) }],
]

t.test('and with the same words', async (t) => {
  const validate = await validators()
  for (const [name, value] of MISTAKES) {
    const theirs = validate.get(name)!(value)!
    try {
      checkRequest({ id: 0, session: 0, name, input: value })
      t.fail(`taken: ${JSON.stringify(value)}`)
    } catch (error) {
      if (!isReplogError(error, 'INVALID_ARGUMENT')) throw error
      // Theirs speaks of the request itself, ours of the operation in it.
      const expected = theirs.startsWith('request ') ? theirs.replace('request', name) : `${name}/${theirs}`
      t.equal(error.message, expected)
    }
  }
})

t.test('a schema with a keyword or a type that is not checked is refused when it is compiled', async (t) => {
  t.throws(() => compileCheck({ type: 'string', pattern: 'x' } as Schema), /pattern/)
  t.throws(() => compileCheck({ type: 'object', properties: { a: { oneOf: [] } as Schema } }), /oneOf/)
  t.throws(() => compileCheck({ type: 'date' }), /date/)
  t.throws(() => compileCheck({ type: 'array', items: { $ref: 'Nothing#' } }), /Nothing/)
})

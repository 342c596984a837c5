/** The form of definition statements over HTTP: each is taken as it is described, and a mistyped one names the nearest. */
import t from 'tap'
import { EXPRESSION_DEPTH_MAX } from '../../core/limits.js'
import { STATEMENT_SCHEMAS } from '../../primary/statement-schema.js'
import { type Serving, serve } from './serving.js'

let serving: Serving

t.before(async () => {
  serving = await serve()
})
t.teardown(() => serving.close())

type Statement = Readonly<Record<string, unknown>>

const EXPRESSIONS: readonly Statement[] = [
  { and: [{ eq: [{ column: 'a' }, 1] }, { ne: [{ column: 'b' }, 'x'] }] },
  { or: [{ lt: [{ column: 'a' }, '9007199254740993'] }, { le: [1, { column: 'a' }] }] },
  { not: { gt: [{ column: 'a' }, 1.5] } },
  { ge: [{ column: 'a' }, true] },
  { in: [{ column: 'b' }, ['x', 'y', null]] },
  { between: [{ column: 'a' }, 1, { column: 'c' }] },
  { like: [{ column: 'b' }, '%x\\%'] },
  { isNull: { column: 'a' } },
  deepExpression(EXPRESSION_DEPTH_MAX - 1),
]

function deepExpression(depth: number): Statement {
  let expression: Statement = { isNull: { column: 'a' } }
  for (let level = 0; level < depth; level++) expression = level % 2 === 0 ? { not: expression } : { and: [expression] }
  return expression
}

const FOREIGN_KEY = {
  name: 'fk',
  columns: ['a', 'b'],
  references: { table: 'other.u', columns: ['c', 'd'] },
  onDelete: 'set null',
  onUpdate: 'cascade',
}

const COLUMN = { name: 'a', type: 'BIGINT', notNull: true, default: '7', comment: 'a column' }

const FULL_TABLE = {
  schema: 'test',
  name: 't',
  columns: [COLUMN, { name: 'b', type: 'UUID', default: { function: 'uuid' } }],
  primaryKey: [{ column: 'a', descending: true }, 'b'],
  indexes: [{ name: 'i', columns: ['b'], unique: true }],
  foreignKeys: [FOREIGN_KEY, { columns: ['a'], references: { table: 'u' } }],
  checks: [...EXPRESSIONS.map((expression) => ({ expression })), { name: 'named', expression: EXPRESSIONS[0] }],
  comment: 'a table',
  options: { owner: 'me' },
  rowImage: 'minimal',
}

const CHANGES: readonly Statement[] = [
  { addColumn: { ...COLUMN, first: true } },
  { addColumn: { name: 'c', type: 'TEXT', default: null, after: 'b' } },
  { dropColumn: { name: 'a' } },
  { renameColumn: { name: 'a', to: 'b' } },
  { moveColumn: { name: 'a', after: 'b' } },
  { moveColumn: { name: 'a', first: true } },
  { setDefault: { column: 'a', default: { function: 'now' } } },
  { setDefault: { column: 'a', default: null } },
  { dropDefault: { column: 'a' } },
  { setNotNull: { column: 'a' } },
  { dropNotNull: { column: 'a' } },
  { setType: { column: 'a', type: 'DECIMAL(10,2)' } },
  { setColumnComment: { column: 'a', comment: '' } },
  { addIndex: { name: 'i', columns: [{ column: 'a' }], unique: false } },
  { dropIndex: { name: 'i' } },
  { renameIndex: { name: 'i', to: 'j' } },
  { setPrimaryKey: { columns: ['a'] } },
  { addForeignKey: FOREIGN_KEY },
  { dropForeignKey: { name: 'fk' } },
  { addCheck: { expression: EXPRESSIONS[0] } },
  { dropCheck: { name: 'c' } },
  { setComment: { comment: 'new' } },
  { setOptions: { owner: 'you', old: null } },
  { setRowImage: { rowImage: 'full' } },
]

const TAKEN: readonly Statement[] = [
  { createTable: { table: FULL_TABLE, ifNotExists: true } },
  { createTableAs: { table: 't', from: { table: 'u' } } },
  {
    createTableAs: {
      table: 's.t',
      from: { table: 'u', index: 'i', prefix: { a: 1 }, from: { b: 1 }, to: { b: 9 }, limit: 10, reverse: true },
      columns: ['a', { column: 'b', as: 'c' }],
      where: EXPRESSIONS[0],
      primaryKey: ['a', { column: 'c', descending: true }],
      ifNotExists: true,
    },
  },
  { alterTable: { table: 't', changes: CHANGES } },
  { alterTable: { table: 't', changes: [] } },
  {
    renameTables: {
      tables: [
        { from: 'a', to: 'b' },
        { from: 'b', to: 'other.a' },
      ],
    },
  },
  { truncateTable: { table: 't' } },
  { dropTable: { table: 't', ifExists: true } },
  { createIndex: { table: 't', index: { name: 'i', columns: ['a'] }, ifNotExists: true } },
  { dropIndex: { table: 't', index: 'i', ifExists: true } },
  { createSchema: { schema: 's', comment: 'new', options: { a: 'b' }, ifNotExists: true } },
  { alterSchema: { schema: 's', name: 'r', comment: '', options: { a: null, b: 'c' } } },
  { dropSchema: { schema: 's', ifExists: true, cascade: true } },
]

/** Fails for its own reason when the schemas have taken all statements. */
const STOP = { get: { table: 'nothing.like_this', key: {} } }

t.test('each statement is taken in the form that it has', async (t) => {
  const asked = new Set<string>()
  for (const statement of TAKEN) {
    const answer = await serving.post({ statements: [STOP, statement] })
    t.match(answer.json, { code: 'NOT_FOUND', statement: 0 }, Object.keys(statement).join())
    asked.add(Object.keys(statement)[0]!)
  }
  const reading = ['insert', 'update', 'delete', 'get', 'scan', 'check']
  t.same(
    [...asked].sort(),
    Object.keys(STATEMENT_SCHEMAS)
      .filter((name) => !reading.includes(name))
      .sort(),
  )
})

const table = (part: object): Statement => ({
  createTable: { table: { name: 't', columns: [{ name: 'a', type: 'TEXT' }], primaryKey: ['a'], ...part } },
})
const check = (expression: unknown): Statement => table({ checks: [{ expression }] })
const alter = (change: object): Statement => ({
  alterTable: { table: 't', changes: [{ dropCheck: { name: 'c' } }, change] },
})

const REFUSED: readonly (readonly [statement: Statement, detail: string])[] = [
  [{ alterTabel: {} }, ' has the unknown property "alterTabel"; did you mean "alterTable"?'],
  [{ truncate: {} }, /^ has the unknown property "truncate"; allowed are insert, .*truncateTable/.source],
  [{ createSchema: { name: 's' } }, '/createSchema lacks "schema"'],
  [{ createSchema: { shcema: 's' } }, '/createSchema lacks "schema"; is it meant by "shcema"?'],
  [
    { dropSchema: { schema: 's', cascad: true } },
    '/dropSchema has the unknown property "cascad"; did you mean "cascade"?',
  ],
  [{ alterSchema: { schema: 's', options: { a: 1 } } }, '/alterSchema/options/a must be string or null'],
  [{ createSchema: { schema: 's', options: { a: null } } }, '/createSchema/options/a must be string'],
  [{ renameTables: { tables: [{ from: 'a', too: 'b' }] } }, '/renameTables/tables/0 lacks "to"; is it meant by "too"?'],
  [{ renameTables: { from: 'a', to: 'b' } }, '/renameTables lacks "tables"'],
  [
    { truncateTable: { table: 't', cascade: true } },
    '/truncateTable has the unknown property "cascade"; allowed are table',
  ],
  [{ createIndex: { table: 't', name: 'i', columns: ['a'] } }, '/createIndex lacks "index"'],
  [
    { createIndex: { table: 't', index: { name: 'i', columns: ['a'], uniqe: true } } },
    '/createIndex/index has the unknown property "uniqe"; did you mean "unique"?',
  ],
  [{ dropIndex: { table: 't', index: 7 } }, '/dropIndex/index must be string'],
  [{ createTableAs: { table: 't', form: { table: 'u' } } }, '/createTableAs lacks "from"; is it meant by "form"?'],
  [
    { createTableAs: { table: 't', from: { table: 'u', limits: 1 } } },
    '/createTableAs/from has the unknown property "limits"; did you mean "limit"?',
  ],
  [
    { createTableAs: { table: 't', from: { table: 'u' }, columns: [{ column: 'a', ass: 'b' }] } },
    '/createTableAs/columns/0 lacks "as"; is it meant by "ass"?',
  ],
  [
    { createTableAs: { table: 't', from: { table: 'u' }, where: { equal: [] } } },
    /^\/createTableAs\/where has the unknown property "equal"/.source,
  ],
  [{ alterTable: { table: 't', changes: {} } }, '/alterTable/changes must be array'],
  [alter({ addColum: {} }), '/alterTable/changes/1 has the unknown property "addColum"; did you mean "addColumn"?'],
  [
    alter({ dropColumn: { name: 'a' }, dropIndex: { name: 'i' } }),
    /^\/alterTable\/changes\/1 must have exactly one of the properties addColumn, /.source,
  ],
  [alter({}), /^\/alterTable\/changes\/1 must have exactly one of the properties addColumn, /.source],
  [
    alter({ addColumn: { name: 'a', type: 'TEXT', befor: 'b' } }),
    /^\/alterTable\/changes\/1\/addColumn has the unknown property "befor"; allowed are name, .*after/.source,
  ],
  [alter({ dropColumn: { column: 'a' } }), '/alterTable/changes/1/dropColumn lacks "name"'],
  [alter({ setDefault: { column: 'a' } }), '/alterTable/changes/1/setDefault lacks "default"'],
  [
    alter({ setRowImage: { rowImage: 'none' } }),
    '/alterTable/changes/1/setRowImage/rowImage must be one of "full", "minimal"',
  ],
  [table({ foreignKey: [] }), '/createTable/table has the unknown property "foreignKey"; did you mean "foreignKeys"?'],
  [
    table({ foreignKeys: [{ columns: ['a'], references: { tabel: 'u' } }] }),
    '/createTable/table/foreignKeys/0/references lacks "table"; is it meant by "tabel"?',
  ],
  [
    table({ foreignKeys: [{ columns: ['a'], references: { table: 'u' }, onDelete: 'setNull' }] }),
    '/createTable/table/foreignKeys/0/onDelete must be one of "restrict", "cascade", "set null"',
  ],
  [check('a > 0'), '/createTable/table/checks/0/expression must be object'],
  [
    check({ and: [{ not: { betwen: [1, 2, 3] } }] }),
    '/createTable/table/checks/0/expression/and/0/not has the unknown property "betwen"; did you mean "between"?',
  ],
  [check({ or: [{ eq: [1] }] }), '/createTable/table/checks/0/expression/or/0/eq must NOT have fewer than 2 items'],
  [check({ in: ['a', 'b', 'c'] }), '/createTable/table/checks/0/expression/in must NOT have more than 2 items'],
]

t.test('a mistyped statement is refused with the place, and the nearest name', async (t) => {
  const { lsn } = serving.primary.position
  for (const [statement, expected] of REFUSED) {
    const { status, json } = await serving.post({ statements: [STOP, statement] })
    t.match(json, { code: 'INVALID_ARGUMENT', statement: 1 })
    t.equal(status, 400)
    const detail = String(json['detail'])
    const [, place = ''] = /^statements\/1(.*)$/s.exec(detail) ?? []
    if (expected.startsWith('^')) t.match(place, new RegExp(expected), detail)
    else t.equal(place, expected)
  }
  t.equal(serving.primary.position.lsn, lsn, 'nothing was committed')
})

t.test('an expression that nests without bound is a refusal and no fault', async (t) => {
  for (const depth of [150, 50_000]) {
    let text = '{"isNull":{"column":"a"}}'
    text = `${'{"not":'.repeat(depth)}${text}${'}'.repeat(depth)}`
    const body = `{"statements":[{"createTable":{"table":{"name":"t","columns":[{"name":"a","type":"TEXT"}],"primaryKey":["a"],"checks":[{"expression":${text}}]}}}]}`
    const { status, json } = await serving.post(body)
    t.ok(status === 400 || status === 422, `${status} ${String(json['detail'])}`)
    t.match(json['code'], /^INVALID_/)
  }
  t.same(serving.errors, [])
})

t.test('the description of the API has every statement, and what it refers to', async (t) => {
  const description = (await serving.get('/openapi.json')).json
  const text = JSON.stringify(description)
  for (const name of Object.keys(STATEMENT_SCHEMAS)) t.ok(text.includes(`"${name}":{`), name)
  const references = new Set([...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference!))
  t.ok(references.has('#/components/schemas/Expression'), [...references].join(' '))
  for (const reference of references) {
    let at: unknown = description
    for (const step of reference.replace(/^#\//, '').split('/')) at = (at as Record<string, unknown>)[step]
    t.type(at, 'object', reference)
  }
})

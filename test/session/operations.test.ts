/** Every operation of a session over a real socket, as a text frame and as a binary one: the same answers. */
import t from 'tap'
import { parsePosition } from '../../core/position.js'
import { OPERATION_SCHEMAS } from '../../primary/session/request-schema.js'
import { DDL_CONVERSATION } from './ddl-conversation.js'
import { FORMS, type Sent, TABLE_T, serveSessions } from './serving-sessions.js'

/** Operations in order, each with its answer. Numbers of LSNs and positions are checked apart. */
const CONVERSATION: readonly (readonly [operation: Sent, result: unknown])[] = [
  [{ ping: {} }, {}],
  [{ begin: { annotations: { who: 'test' } } }, {}],
  [{ createTable: { table: TABLE_T } }, { created: true }],
  [{ createTable: { table: TABLE_T, ifNotExists: true } }, { created: false }],
  [
    {
      insert: {
        table: 't',
        rows: [
          { a: 1, b: 'x', c: 9007199254740993n, d: 'ä' },
          { a: 1, b: 'y', d: null },
          { a: 2, b: 'z', c: -5n },
        ],
      },
    },
    { inserted: 3 },
  ],
  [{ get: { table: 'test.t', key: { a: 1, b: 'x' } } }, { row: { a: 1, b: 'x', c: '9007199254740993', d: 'ä' } }],
  [{ get: { table: 't', key: { a: 1, b: 'none' } } }, { row: null }],
  [{ update: { table: 't', key: { a: 1, b: 'x' }, set: { c: { add: 1n }, d: 'ö' } } }, { updated: 1 }],
  [{ update: { table: 't', key: { a: 9, b: 'x' }, set: { d: null } } }, { updated: 0 }],
  [{ check: { table: 't', key: { a: 1, b: 'x' }, equals: { c: 9007199254740994n } } }, { checked: true }],
  [{ check: { table: 't', key: { a: 3, b: 'x' }, exists: false } }, { checked: true }],
  [
    { getForUpdate: { table: 't', key: { a: 2, b: 'z' }, timeoutMs: 1000 } },
    { row: { a: 2, b: 'z', c: '-5', d: null } },
  ],
  [{ delete: { table: 't', key: { a: 1, b: 'y' } } }, { deleted: 1 }],
  [{ delete: { table: 't', key: { a: 1, b: 'y' } } }, { deleted: 0 }],
  [
    { scan: { table: 't', index: 'by_c', from: { c: 0n }, reverse: true, limit: 5 } },
    { rows: [{ a: 1, b: 'x', c: '9007199254740994', d: 'ö' }] },
  ],
  [{ openCursor: { table: 't' } }, { cursor: 1 }],
  [{ openCursor: { table: 't', prefix: { a: 2 }, reverse: true } }, { cursor: 2 }],
  [{ fetch: { cursor: 1, rows: 1 } }, { rows: [{ a: 1, b: 'x', c: '9007199254740994', d: 'ö' }], done: false }],
  [{ fetch: { cursor: 2, rows: 9 } }, { rows: [{ a: 2, b: 'z', c: '-5', d: null }], done: true }],
  [{ fetch: { cursor: 1, rows: 9 } }, { rows: [{ a: 2, b: 'z', c: '-5', d: null }], done: true }],
  [{ fetch: { cursor: 1, rows: 9 } }, { rows: [], done: true }],
  [{ closeCursor: { cursor: 1 } }, {}],
  [{ savepoint: { name: 'one' } }, {}],
  [{ dropTable: { table: 't' } }, { dropped: true }],
  [{ dropTable: { table: 't', ifExists: true } }, { dropped: false }],
  [{ rollbackTo: { name: 'one' } }, {}],
  [{ releaseSavepoint: { name: 'one' } }, {}],
  [{ get: { table: 't', key: { a: 2, b: 'z' } } }, { row: { a: 2, b: 'z', c: '-5', d: null } }],
  [{ begin: { isolation: 'snapshot', readOnly: true } }, 'TRANSACTION_OPEN, open'],
  [{ rollback: {} }, {}],
  [{ rollback: {} }, 'NO_TRANSACTION, none'],
  [{ begin: { isolation: 'snapshot', readOnly: true } }, {}],
  [{ createTable: { table: TABLE_T } }, 'READ_ONLY_TRANSACTION, open'],
  [{ closeSession: {} }, {}],
  [{ closeSession: {} }, {}],
  [{ get: { table: 't', key: { a: 1, b: 'x' } } }, 'NO_TRANSACTION, none'],
]

for (const form of FORMS) {
  t.test(`${form} frames: each operation answers as it should`, async (t) => {
    const { connect, sessions, primary } = await serveSessions(t)
    const client = await connect()
    client.form = form
    for (const [operation, expected] of CONVERSATION) {
      const { result, error } = await client.tell(operation)
      const told = error === undefined ? result : `${error.code}, ${error.transaction}`
      t.same(told, expected, JSON.stringify(Object.keys(operation)))
    }
    t.equal(sessions.status().sessions, 1, 'the last request began a session again')
    t.equal(primary.openTransactions, 0)
  })

  t.test(`${form} frames: commit and execute answer with their position`, async (t) => {
    const { connect, primary } = await serveSessions(t)
    const client = await connect()
    client.form = form
    const before = primary.position.lsn
    await client.ask({ begin: {} })
    await client.ask({ createTable: { table: TABLE_T } })
    await client.ask({ insert: { table: 't', rows: [{ a: 1, b: 'x' }] } })
    const committed = await client.ask({ commit: { idempotencyKey: 'once' } })
    t.equal(committed['lsn'], String(before + 1n))
    t.equal(parsePosition(committed['position'] as string).lsn, before + 1n)
    t.equal(committed['replayed'], false)

    await client.ask({ begin: {} })
    await client.ask({ insert: { table: 't', rows: [{ a: 2, b: 'x' }] } })
    const repeated = await client.ask({ commit: { idempotencyKey: 'once' } })
    t.same(repeated, { ...committed, replayed: true }, 'G10: a repeated key gives the first outcome')

    await client.ask({ begin: {} })
    const statements = [
      { insert: { table: 't', rows: [{ a: 3, b: 'x', c: 1n }] } },
      { update: { table: 't', key: { a: 3, b: 'x' }, set: { c: { add: 2n } } } },
      { get: { table: 't', key: { a: 3, b: 'x' } } },
      { scan: { table: 't', prefix: { a: 3 } } },
      { check: { table: 't', key: { a: 3, b: 'x' } } },
      { delete: { table: 't', key: { a: 3, b: 'x' } } },
      { dropTable: { table: 'none', ifExists: true } },
    ]
    const row = { a: 3, b: 'x', c: '3', d: null }
    const executed = await client.ask({ execute: { statements, annotations: { a: 'b' } } })
    t.same(executed['results'], [
      { inserted: 1 },
      { updated: 1 },
      { row },
      { rows: [row] },
      { checked: true },
      { deleted: 1 },
      { dropped: false },
    ])
    t.equal(executed['lsn'], String(before + 2n), 'a one-shot transaction commits beside the open one')
    const again = { execute: { statements: [{ get: { table: 't', key: { a: 1, b: 'x' } } }], idempotencyKey: 'two' } }
    t.same((await client.ask(again))['results'], [{ row: { a: 1, b: 'x', c: null, d: null } }])
    t.equal(await client.refused({ execute: { statements: [{ get: { table: 'none', key: {} } }] } }), 'NOT_FOUND, open')
    t.same(await client.ask({ get: { table: 't', key: { a: 3, b: 'x' } } }), { row: null }, 'which sees nothing of it')
    await client.ask({ rollback: {} })
  })

  t.test(`${form} frames: AUTO_INCREMENT, BLOB, DOUBLE and JSON values arrive as they were sent`, async (t) => {
    const { connect } = await serveSessions(t)
    const client = await connect()
    client.form = form
    const columns = ['id BIGINT', 'blob BLOB', 'double DOUBLE', 'json JSON', 'flag BOOLEAN', 'price DECIMAL(10,2)']
    const table = {
      name: 'v',
      columns: columns.map((text) => {
        const [name, type] = text.split(' ')
        return { name, type, ...(name === 'id' ? { autoIncrement: true } : {}) }
      }),
      primaryKey: ['id'],
    }
    await client.ask({ begin: {} })
    await client.ask({ createTable: { table } })
    const json = { nested: [1, { '': 'x' }, null, true], add: 1 }
    const rows = [
      { blob: new Uint8Array([0, 255, 128]), double: 1.5, json, flag: true, price: '12.50' },
      { id: 41n, double: 3, json: [], flag: false, price: '-0.01' },
      { double: 1e300, json: 7 },
    ]
    t.same(await client.ask({ insert: { table: 'v', rows } }), { inserted: 3, autoIncrement: ['1', '41', '42'] })
    t.same(await client.ask({ scan: { table: 'v' } }), {
      rows: [
        { id: '1', blob: 'AP+A', double: 1.5, json, flag: true, price: '12.50' },
        { id: '41', blob: null, double: 3, json: [], flag: false, price: '-0.01' },
        { id: '42', blob: null, double: 1e300, json: 7, flag: null, price: null },
      ],
    })
    await client.ask({ update: { table: 'v', key: { id: 1n }, set: { json: { add: 5 }, double: { add: 0.5 } } } })
    t.match(await client.ask({ get: { table: 'v', key: { id: 1n } } }), { row: { json: { add: 5 }, double: 2 } })
  })
}

t.test('every operation was asked for', async (t) => {
  const asked = new Set(
    [...CONVERSATION, ...DDL_CONVERSATION].map(([operation]) => Object.keys(operation)[0]).concat('commit', 'execute'),
  )
  t.same([...asked].sort(), Object.keys(OPERATION_SCHEMAS).sort())
})

t.test('a client may mix both forms, and each answer comes in the form of its request', async (t) => {
  const { connect } = await serveSessions(t)
  const client = await connect()
  const kinds: boolean[] = []
  client.socket.on('message', (_data, isBinary) => kinds.push(isBinary))
  await client.tell({ begin: {} }, 0, 'binary')
  await client.tell({ begin: {} }, 0, 'text')
  await client.tell({ rollback: {} }, 0, 'binary')
  t.same(kinds, [true, false, true])
})

t.test('sessions of one connection have transactions of their own, requests of one session run in order', async (t) => {
  const { connect, sessions } = await serveSessions(t)
  const client = await connect()
  await client.ask({ execute: { statements: [{ createTable: { table: TABLE_T } }] } }, 9)
  const insert = (a: number): Sent => ({ insert: { table: 't', rows: [{ a, b: 'x' }] } })
  const told = await Promise.all([
    client.tell({ begin: {} }, 1),
    client.tell({ begin: {} }, 2),
    client.tell(insert(1), 1),
    client.tell(insert(2), 2),
    client.tell({ scan: { table: 't' } }, 1),
    client.tell({ commit: {} }, 2),
    client.tell({ rollback: {} }, 1),
    client.tell({ begin: {} }, 1),
    client.tell({ scan: { table: 't' } }, 2),
  ])
  t.same(told[4]?.result, { rows: [{ a: 1, b: 'x', c: null, d: null }] }, 'each sees its own writes')
  t.equal(told[8]?.error?.code, 'NO_TRANSACTION')
  t.equal(sessions.status().sessions, 3)
  const counted = await client.ask({ scan: { table: 't' } }, 1)
  t.match(counted, { rows: [{ a: 2 }] })
})

t.test('a connection is bound to its catalog, which must exist', async (t) => {
  const { connect, primary } = await serveSessions(t)
  await primary.createCatalog('ten/ant ö')
  const tenant = await connect('ten/ant ö')
  await tenant.ask({ execute: { statements: [{ createTable: { table: TABLE_T } }] } })
  const local = await connect()
  await local.ask({ begin: {} })
  t.equal(await local.refused({ scan: { table: 't' } }), 'NOT_FOUND, open', 'no statement reaches across')
  await t.rejects(connect('missing'), /404/)
  await t.rejects(connect('\u0000'), /400/)
})

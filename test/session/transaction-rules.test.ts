/** G5 over sessions: nothing but `commit` commits, and an error leaves the transaction open unless it must end it. */
import t, { type Test } from 'tap'
import { ReplogError } from '../../core/errors.js'
import {
  type Sent,
  type ServingSessions,
  type SessionClient,
  TABLE_T,
  makeKv,
  serveSessions,
} from './serving-sessions.js'

const INSERT = { insert: { table: 'kv', rows: [{ id: 100, value: 'mine' }] } }
const GET_MINE = { get: { table: 'kv', key: { id: 100 } } }
const setValue = (id: number, value: string): Sent => ({ update: { table: 'kv', key: { id }, set: { value } } })

/** A session with an open transaction that has inserted row 100 into kv, and another client. */
async function begun(t: Test): Promise<ServingSessions & { mine: SessionClient; other: SessionClient }> {
  const serving = await serveSessions(t)
  await makeKv(serving.primary, 3)
  const mine = await serving.connect()
  const other = await serving.connect()
  await mine.ask({ begin: {} })
  await mine.ask(INSERT)
  return { ...serving, mine, other }
}

async function mineIsCommitted({ primary }: ServingSessions): Promise<boolean> {
  return primary.catalog().get('kv', { id: 100 }) !== undefined
}

t.test('a nested begin is refused and leaves the open transaction open and uncommitted', async (t) => {
  const serving = await begun(t)
  const { mine } = serving
  for (const begin of [{}, { readOnly: true }, { isolation: 'snapshot' }]) {
    t.equal(await mine.refused({ begin }), 'TRANSACTION_OPEN, open')
    t.notOk(await mineIsCommitted(serving))
  }
  t.same(await mine.ask(GET_MINE), { row: { id: 100, value: 'mine' } })
  await mine.ask({ commit: {} })
  t.ok(await mineIsCommitted(serving))
})

/** Each class of error that a statement can meet. The transaction stays open, and what it did before stays done. */
const LEAVE_OPEN: readonly (readonly [what: string, operation: Sent, code: string])[] = [
  ['a table that does not exist', { get: { table: 'none', key: { id: 1 } } }, 'NOT_FOUND'],
  ['a column that does not exist', { get: { table: 'kv', key: { ids: 1 } } }, 'NOT_FOUND'],
  ['a key that lacks a column', { get: { table: 'kv', key: {} } }, 'INVALID_VALUE'],
  ['a value of another type', { insert: { table: 'kv', rows: [{ id: 'x' }] } }, 'INVALID_VALUE'],
  ['a NOT NULL column without a value', { insert: { table: 'kv', rows: [{ value: 'x' }] } }, 'INVALID_VALUE'],
  ['a duplicate key', { insert: { table: 'kv', rows: [{ id: 50 }, { id: 1 }] } }, 'DUPLICATE_KEY'],
  ['a duplicate of its own row', INSERT, 'DUPLICATE_KEY'],
  ['a check that does not hold', { check: { table: 'kv', key: { id: 1 }, exists: false } }, 'CHECK_FAILED'],
  ['an index that does not exist', { scan: { table: 'kv', index: 'none' } }, 'NOT_FOUND'],
  ['a range over no key column', { scan: { table: 'kv', from: { value: 'x' } } }, 'INVALID_ARGUMENT'],
  ['a table that exists', { createTable: { table: { ...TABLE_T, name: 'kv' } } }, 'ALREADY_EXISTS'],
  ['a definition that is none', { createTable: { table: { ...TABLE_T, primaryKey: [] } } }, 'INVALID_DEFINITION'],
  ['a table to drop that does not exist', { dropTable: { table: 'none' } }, 'NOT_FOUND'],
  ['a savepoint that does not exist', { rollbackTo: { name: 'none' } }, 'NOT_FOUND'],
  ['a savepoint to release that does not exist', { releaseSavepoint: { name: 'none' } }, 'NOT_FOUND'],
  ['a savepoint without a name', { savepoint: { name: '' } }, 'INVALID_ARGUMENT'],
  ['a cursor over no table', { openCursor: { table: 'none' } }, 'NOT_FOUND'],
  ['a cursor that was never opened', { fetch: { cursor: 9, rows: 1 } }, 'NOT_FOUND'],
  ['a lock that takes too long', { getForUpdate: { table: 'kv', key: { id: 3 }, timeoutMs: 1 } }, 'LOCK_TIMEOUT'],
  ['an idempotency key that is none', { commit: { idempotencyKey: '' } }, 'INVALID_ARGUMENT'],
  ['an operation that does not exist', { comit: {} }, 'INVALID_ARGUMENT'],
  ['two operations at once', { commit: {}, rollback: {} }, 'INVALID_ARGUMENT'],
  ['no operation', {}, 'INVALID_ARGUMENT'],
  ['an operation that lacks its input', { insert: {} }, 'INVALID_ARGUMENT'],
  ['an operation with a misspelt property', { commit: { idempotencykey: 'x' } }, 'INVALID_ARGUMENT'],
  ['a one-shot transaction that fails', { execute: { statements: [INSERT, INSERT] } }, 'DUPLICATE_KEY'],
  [
    'a one-shot lock',
    { execute: { statements: [{ getForUpdate: { table: 'kv', key: { id: 1 } } }] } },
    'INVALID_ARGUMENT',
  ],
  ['a nested begin', { begin: {} }, 'TRANSACTION_OPEN'],
]

t.test('an error leaves the transaction open as it was, and says so', async (t) => {
  const serving = await begun(t)
  const { mine, other } = serving
  await other.ask({ begin: {} })
  await other.ask({ getForUpdate: { table: 'kv', key: { id: 3 } } })
  for (const [what, operation, code] of LEAVE_OPEN) {
    t.equal(await mine.refused(operation), `${code}, open`, what)
    t.same(await mine.ask(GET_MINE), { row: { id: 100, value: 'mine' } }, 'what it did is still there')
    t.same(await mine.ask({ get: { table: 'kv', key: { id: 50 } } }), { row: null }, 'and nothing of what failed')
    t.notOk(await mineIsCommitted(serving), 'and nothing was committed')
  }
  await other.ask({ rollback: {} })
  await mine.ask({ commit: {} })
  t.ok(await mineIsCommitted(serving))
})

t.test('outside of a transaction each operation that needs one is refused and does nothing', async (t) => {
  const serving = await serveSessions(t)
  await makeKv(serving.primary, 3)
  const client = await serving.connect()
  const before = serving.primary.position.lsn
  const needing: readonly Sent[] = [
    INSERT,
    setValue(1, 'x'),
    { delete: { table: 'kv', key: { id: 1 } } },
    { get: { table: 'kv', key: { id: 1 } } },
    { getForUpdate: { table: 'kv', key: { id: 1 } } },
    { check: { table: 'kv', key: { id: 1 } } },
    { scan: { table: 'kv' } },
    { createTable: { table: TABLE_T } },
    { dropTable: { table: 'kv' } },
    { openCursor: { table: 'kv' } },
    { savepoint: { name: 's' } },
    { releaseSavepoint: { name: 's' } },
    { rollbackTo: { name: 's' } },
    { commit: {} },
    { rollback: {} },
  ]
  for (const operation of needing)
    t.equal(await client.refused(operation), 'NO_TRANSACTION, none', JSON.stringify(operation))
  t.equal(serving.primary.position.lsn, before)
})

t.test('CONFLICT, SCHEMA_CHANGED and DEADLOCK end the transaction, say so, and are retryable', async (t) => {
  const serving = await serveSessions(t)
  await makeKv(serving.primary, 3)
  const mine = await serving.connect()
  const other = await serving.connect()
  const ended = async (client: SessionClient, operation: Sent, code: string): Promise<void> => {
    const { retryable, transaction, ...error } = await client.refusal(operation)
    t.equal(error.code, code)
    t.equal(transaction, 'rolled back')
    t.equal(retryable, true)
    t.equal(await client.refused({ rollback: {} }), 'NO_TRANSACTION, none')
    await client.ask({ begin: {} })
    await client.ask({ rollback: {} })
  }

  await mine.ask({ begin: {} })
  await mine.ask({ get: { table: 'kv', key: { id: 1 } } })
  await mine.ask(setValue(2, 'mine'))
  await other.ask({ execute: { statements: [setValue(1, 'theirs')] } })
  await ended(mine, { commit: {} }, 'CONFLICT')

  await mine.ask({ begin: {} })
  await mine.ask(setValue(2, 'mine'))
  await other.ask({ execute: { statements: [{ dropTable: { table: 'kv' } }] } })
  await ended(mine, { commit: {} }, 'SCHEMA_CHANGED')

  await makeKv(serving.primary, 3)
  await mine.ask({ begin: {} })
  await other.ask({ begin: {} })
  const lock = (id: number): Sent => ({ getForUpdate: { table: 'kv', key: { id } } })
  await mine.ask(lock(1))
  await other.ask(lock(2))
  const waiting = mine.tell(lock(2))
  const closing = other.tell(lock(1))
  const [first, second] = await Promise.all([waiting, closing])
  const refusals = [first.error, second.error].filter((error) => error !== undefined)
  t.equal(refusals.length, 1, 'one of the two gives way')
  t.match(refusals[0], { code: 'DEADLOCK', retryable: true, transaction: 'rolled back' })
  const [winner, loser] = first.error === undefined ? [mine, other] : [other, mine]
  t.equal(await loser.refused({ commit: {} }), 'NO_TRANSACTION, none')
  await winner.ask({ commit: {} })
  t.equal(serving.sessions.status().rolledBack.error, 3)
})

t.test('G10: COMMIT_UNKNOWN claims nothing of the transaction', async (t) => {
  const serving = await begun(t)
  serving.engine.before.fail(new Error('the disk is gone'))
  t.equal(await serving.mine.refused({ commit: {} }), 'COMMIT_UNKNOWN, none')
  t.equal(await serving.mine.refused({ commit: {} }), 'NO_TRANSACTION, none')
  t.equal(serving.sessions.status().rolledBack.error, 0, 'nor does the server count it as rolled back')
  t.equal(serving.errors.splice(0).length > 0, true, 'the server was told')
})

t.test('G6: a rollback takes definitions back with the rows, and other clients never saw them', async (t) => {
  const { connect, primary } = await serveSessions(t)
  await makeKv(primary, 2)
  const mine = await connect()
  const other = await connect()
  await other.ask({ begin: {} })
  await mine.ask({ begin: {} })
  await mine.ask({ createTable: { table: TABLE_T } })
  await mine.ask({ insert: { table: 't', rows: [{ a: 1, b: 'x' }] } })
  await mine.ask({ dropTable: { table: 'kv' } })
  t.equal(await mine.refused({ scan: { table: 'kv' } }), 'NOT_FOUND, open')
  t.equal(await other.refused({ scan: { table: 't' } }), 'NOT_FOUND, open')
  t.match(await other.ask({ scan: { table: 'kv' } }), { rows: [{ id: 1 }, { id: 2 }] })
  await mine.ask({ rollback: {} })
  t.same(
    (await primary.catalog().tables()).map(({ name }) => name),
    ['kv'],
  )
  await mine.ask({ begin: {} })
  t.match(await mine.ask({ scan: { table: 'kv' } }), { rows: [{ id: 1 }, { id: 2 }] })
})

t.test('savepoints take back definitions and rows alike, and keep what was before', async (t) => {
  const { connect, primary } = await serveSessions(t)
  await makeKv(primary, 2)
  const client = await connect()
  await client.ask({ begin: {} })
  await client.ask(setValue(1, 'before'))
  await client.ask({ savepoint: { name: 'outer' } })
  await client.ask({ createTable: { table: TABLE_T } })
  await client.ask({ insert: { table: 't', rows: [{ a: 1, b: 'x' }] } })
  await client.ask({ savepoint: { name: 'inner' } })
  await client.ask({ dropTable: { table: 'kv' } })
  await client.ask({ dropTable: { table: 't' } })
  await client.ask({ createTable: { table: { ...TABLE_T, primaryKey: ['b', 'a'] } } })
  await client.ask({ rollbackTo: { name: 'inner' } })
  t.match(await client.ask({ scan: { table: 't' } }), { rows: [{ a: 1, b: 'x' }] })
  t.match(await client.ask({ scan: { table: 'kv' } }), { rows: [{ id: 1, value: 'before' }, { id: 2 }] })
  await client.ask({ rollbackTo: { name: 'outer' } })
  t.equal(await client.refused({ rollbackTo: { name: 'inner' } }), 'NOT_FOUND, open', 'later savepoints are gone')
  t.equal(await client.refused({ scan: { table: 't' } }), 'NOT_FOUND, open')
  await client.ask({ releaseSavepoint: { name: 'outer' } })
  await client.ask({ commit: {} })
  t.match(primary.catalog().get('kv', { id: 1 }), { value: 'before' })
  t.same(
    (await primary.catalog().tables()).map(({ name }) => name),
    ['kv'],
  )
})

/**
 * What commits implicitly in MySQL, failing or not (dev.mysql.com, "Statements That Cause an Implicit Commit"), in the
 * forms that exist here. None of it may.
 */
const TEMPTATIONS: readonly (readonly [what: string, operation: Sent])[] = [
  ['BEGIN', { begin: {} }],
  ['START TRANSACTION READ ONLY', { begin: { readOnly: true } }],
  ['CREATE TABLE', { createTable: { table: TABLE_T } }],
  ['CREATE TABLE that fails', { createTable: { table: { ...TABLE_T, name: 'kv' } } }],
  [
    'CREATE TABLE IF NOT EXISTS that does nothing',
    { createTable: { table: { ...TABLE_T, name: 'kv' }, ifNotExists: true } },
  ],
  ['DROP TABLE', { dropTable: { table: 't' } }],
  ['DROP TABLE that fails', { dropTable: { table: 'none' } }],
  ['DROP TABLE IF EXISTS that does nothing', { dropTable: { table: 'none', ifExists: true } }],
  ['a row lock', { getForUpdate: { table: 'kv', key: { id: 1 } } }],
  ['a statement that fails', { insert: { table: 'kv', rows: [{ id: 1 }] } }],
  ['a one-shot transaction beside it', { execute: { statements: [{ get: { table: 'kv', key: { id: 1 } } }] } }],
  [
    'a one-shot definition beside it',
    { execute: { statements: [{ createTable: { table: { ...TABLE_T, name: 'u' } } }] } },
  ],
  ['a cursor', { openCursor: { table: 'kv' } }],
  ['a savepoint', { savepoint: { name: 's' } }],
  ['a release of it', { releaseSavepoint: { name: 's' } }],
  ['a ping', { ping: {} }],
  ['a request that is none', { analyze: { table: 'kv' } }],
]

t.test('nothing that commits implicitly in MySQL does here', async (t) => {
  const serving = await begun(t)
  for (const [what, operation] of TEMPTATIONS) {
    await serving.mine.tell(operation)
    t.notOk(await mineIsCommitted(serving), what)
  }
  t.same(await serving.mine.ask(GET_MINE), { row: { id: 100, value: 'mine' } })
  await serving.mine.ask({ rollback: {} })
  t.notOk(await mineIsCommitted(serving))
  t.same(
    (await serving.primary.catalog().tables()).map(({ name }) => name),
    ['kv', 'u'],
  )
})

t.test('a fault of the server ends the transaction, whose contents nobody knows, and hides its cause', async (t) => {
  const serving = await begun(t)
  const { mine, engine, errors } = serving
  const get = engine.get.bind(engine)
  engine.get = () => {
    throw new RangeError('a bug')
  }
  const { message, ...told } = await mine.refusal({ get: { table: 'kv', key: { id: 2 } } })
  engine.get = get
  t.match(told, { code: 'INTERNAL', transaction: 'rolled back', retryable: false })
  t.notMatch(message, /a bug/)
  t.match(errors.splice(0), [{ message: 'a bug' }])
  t.equal(await mine.refused({ commit: {} }), 'NO_TRANSACTION, none')
  t.notOk(await mineIsCommitted(serving))
})

t.test('a corrupt row is CORRUPT to the client and told to the server', async (t) => {
  const serving = await begun(t)
  const { mine, errors } = serving
  serving.engine.get = () => {
    throw new ReplogError('CORRUPT', 'a row fails its checksum')
  }
  t.equal(await mine.refused({ get: { table: 'kv', key: { id: 2 } } }), 'CORRUPT, open')
  t.equal(errors.splice(0).length, 1)
})

t.test('a one-shot that would wait for a lock of its own session is refused at once, and no other', async (t) => {
  const serving = await begun(t)
  const { mine, other } = serving
  await other.ask({ execute: { statements: [{ createTable: { table: TABLE_T } }] } })
  const execute = (...statements: Sent[]): Sent => ({ execute: { statements } })
  const write = execute(setValue(1, 'one-shot'))
  await mine.ask({ getForUpdate: { table: 'kv', key: { id: 1 } } })

  const { code, message, transaction } = await mine.refusal(write)
  t.match({ code, message, transaction }, { code: 'TRANSACTION_OPEN', message: /first/, transaction: 'open' })
  t.equal(await mine.refused(execute({ scan: { table: 'kv' } }, setValue(1, 'x'))), 'TRANSACTION_OPEN, open', 'a scan')
  await mine.ask({ savepoint: { name: 's' } })
  await mine.ask({ rollbackTo: { name: 's' } })
  t.equal(await mine.refused(write), 'TRANSACTION_OPEN, open', 'locks stay held')
  t.match(await mine.ask(execute(setValue(2, 'b'))), { results: [{ updated: 1 }] }, 'another row is not locked')
  t.match(await mine.ask(execute({ get: { table: 'kv', key: { id: 1 } } })), { results: [{ row: { value: 'old' } }] })

  // Nor does it wait for who waits for its own session.
  await other.ask({ begin: {} })
  await other.ask({ getForUpdate: { table: 'kv', key: { id: 3 } } })
  const behind = other.tell({ getForUpdate: { table: 'kv', key: { id: 1 } } })
  await other.tell({ ping: {} }, 1)
  t.equal(await mine.refused(execute(setValue(3, 'x'))), 'TRANSACTION_OPEN, open', 'a row locked by who waits')

  const waiting = mine.tell(write, 1)
  t.same(await mine.ask(setValue(1, 'mine')), { updated: 1 })
  await mine.ask({ commit: {} })
  t.match((await behind).result, { row: { value: 'mine' } })
  await other.ask({ rollback: {} })
  t.match((await waiting).result, { results: [{ updated: 1 }] }, 'a one-shot of another session waits in line')
  t.same(serving.primary.catalog().get('kv', { id: 1 }), { id: 1, value: 'one-shot' })
  t.ok(await mineIsCommitted(serving), 'the open transaction was committed by `commit` alone (G5)')

  await mine.ask({ begin: {} })
  await mine.ask({ createIndex: { table: 't', index: { name: 'by_b', columns: ['b'] } } })
  const insert = { insert: { table: 't', rows: [{ a: 1, b: 'x' }] } }
  t.equal(await mine.refused(execute(insert)), 'TRANSACTION_OPEN, open', 'a lock on a whole table')
  t.match(await mine.ask(write), { results: [{ updated: 1 }] }, 'and none of the transaction before')
  await mine.ask({ rollback: {} })
  t.match(await mine.ask(execute(insert)), { results: [{ inserted: 1 }] })
})

t.test('a commit that replicas do not confirm in time is committed, and no transaction is left (G10)', async (t) => {
  const { primary, connect } = await serveSessions(t, { ack: { level: 'durable', timeoutMs: 10 } })
  await makeKv(primary)
  const client = await connect()
  const row = { insert: { table: 'kv', rows: [{ id: 1 }] } }
  t.equal(await client.refused({ execute: { statements: [row] } }), 'ACK_TIMEOUT, none')
  await client.ask({ begin: {} })
  await client.ask({ insert: { table: 'kv', rows: [{ id: 2 }] } })
  t.equal(await client.refused({ commit: {} }), 'ACK_TIMEOUT, none')
  await client.ask({ begin: {} })
  t.match(await client.ask({ get: { table: 'kv', key: { id: 2 } } }), { row: { id: 2 } })
  await client.ask({ rollback: {} })
})

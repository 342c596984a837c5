/** Calls that are given up: at once, with the caller's own reason, and without leaving anything half done. */
import t from 'tap'
import { Client } from '../../tools/client/client.js'
import { type FakeRequest, FakeServer, agreeing, answer } from './fake-server.js'
import { codeOf, reasonOf } from './outcome.js'
import { QUICK, Serving, makeTable, rowsOf } from './serving.js'

void t.test('a statement that is given up rolls its transaction back', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const client = await serving.client(t)
  const holder = await client.session()
  await (await holder.begin()).getForUpdate('test.t', { id: 1n })

  const session = await client.session()
  const tx = await session.begin()
  await tx.insert('test.t', { id: 2n, n: 2n })
  const giveUp = new AbortController()
  const reason = new Error('the request was cancelled')
  const waiting = reasonOf(tx.getForUpdate('test.t', { id: 1n }, { signal: giveUp.signal }))
  setImmediate(() => {
    giveUp.abort(reason)
  })
  t.equal(await waiting, reason)
  t.equal(tx.status, 'rolled back')
  t.match(await reasonOf(session.commit()), { code: 'NO_TRANSACTION', cause: reason })
  await (await session.begin()).get('test.t', { id: 2n })
  t.equal(await codeOf(session.commit()), 'ok', 'the session does not wait for what was given up')
  session.release()
  holder.release()
  t.strictSame(await rowsOf(serving.db), [])
})

void t.test('a signal of the whole transaction ends it wherever it is', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const client = await serving.client(t)
  const reason = new Error('enough')
  for (const when of ['before', 'in a statement', 'between', 'at the end'] as const) {
    const giveUp = new AbortController()
    if (when === 'before') giveUp.abort(reason)
    const outcome = await reasonOf(
      client.transaction(
        async (tx) => {
          const statement = tx.insert('test.t', { id: 1n, n: 1n })
          if (when === 'in a statement') giveUp.abort(reason)
          await statement
          if (when === 'between') giveUp.abort(reason)
          await tx.get('test.t', { id: 1n })
          if (when === 'at the end') giveUp.abort(reason)
        },
        { signal: giveUp.signal },
      ),
    )
    t.equal(outcome, reason, when)
  }
  t.strictSame(await rowsOf(serving.db), [])
  t.strictSame(client.load, { inUse: 0, waiting: 0 })
})

void t.test('a commit that is given up is unknown, and says so', async (t) => {
  const server = await FakeServer.start(t, (request, socket) =>
    request.name === 'commit' ? undefined : agreeing(request, socket),
  )
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json' })
  const session = await client.session()
  const tx = await session.begin()
  await tx.insert('test.t', { id: 1n })
  const giveUp = new AbortController()
  const reason = new Error('enough')
  const committing = reasonOf(session.commit({ signal: giveUp.signal, idempotencyKey: 'k' }))
  giveUp.abort(reason)
  t.match(await committing, { code: 'COMMIT_UNKNOWN', cause: reason, details: { idempotencyKey: 'k' } })
  t.equal(tx.status, 'unknown')
  t.equal(await codeOf(tx.get('test.t', { id: 1n })), 'NO_TRANSACTION')
  session.release()
  await client.close()
})

void t.test('a request without an answer in time fails, and its late answer is not taken for another', async (t) => {
  const late: (() => void)[] = []
  const server = await FakeServer.start(t, (request, socket) => {
    if (request.name !== 'get' || late.length > 0) return agreeing(request, socket)
    late.push(() => {
      answer(socket, request, { row: { id: '1', late: true } })
    })
    return undefined
  })
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json', requestTimeoutMs: 1000 })
  const session = await client.session()
  const first = await session.begin()
  t.match(await reasonOf(first.get('test.t', { id: 1n })), { code: 'UNREACHABLE', message: /within 1000 ms/ })
  t.equal(first.status, 'rolled back')
  const second = await session.begin()
  const answered = second.get('test.t', { id: 1n })
  late[0]!()
  t.equal(await answered, undefined)
  await session.commit()
  session.release()
  t.equal(server.connections, 1, 'the connection goes on')
  const sessionOf = (name: string): readonly number[] =>
    server.requests.filter((request: FakeRequest) => request.name === name).map(({ session: number }) => number)
  t.strictSame(sessionOf('closeSession'), [1], 'the server is told to drop the session in doubt')
  t.strictSame(sessionOf('begin'), [1, 2], 'and another one is used')
  await client.close()
})

void t.test('what was not sent yet is taken back, and leaves the transaction open', async (t) => {
  const held: (() => void)[] = []
  const server = await FakeServer.start(t, (request, socket) => {
    if (request.name !== 'get') return agreeing(request, socket)
    held.push(() => {
      answer(socket, request, { row: null })
    })
    return undefined
  })
  // Five hundred sessions on a connection leave one request at the server for each.
  const client = await Client.connect(server.url, {
    ...QUICK,
    protocol: 'json',
    pool: { max: 500 },
    connections: 1,
  })
  const session = await client.session()
  const tx = await session.begin()
  const first = tx.get('test.t', { id: 1n })
  const giveUp = new AbortController()
  const reason = new Error('enough')
  const second = reasonOf(tx.insert('test.t', { id: 1n }, { signal: giveUp.signal }))
  giveUp.abort(reason)
  t.equal(await second, reason)
  t.equal(tx.status, 'open')
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve))
  held[0]!()
  t.equal(await first, undefined)
  await session.commit()
  t.strictSame(server.names, ['begin', 'get', 'commit'])
  session.release()
  await client.close()
})

/** The pool: at most so many sessions in use, the rest waits in a fair line that has an end. */
import t from 'tap'
import { Client } from '../../tools/client/client.js'
import { FakeServer, agreeing, refuse } from './fake-server.js'
import { codeOf, reasonOf } from './outcome.js'
import { QUICK } from './serving.js'

void t.test('who has waited longest is served first', async (t) => {
  const server = await FakeServer.start(t, agreeing)
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json', pool: { max: 2 } })
  const held = [await client.session(), await client.session()]
  const order: number[] = []
  const waiting = Array.from({ length: 20 }, (_, ordinal) =>
    client.transaction(async (tx) => {
      order.push(ordinal)
      await tx.get('test.t', { id: 1n })
    }),
  )
  t.strictSame(client.load, { inUse: 2, waiting: 20 })
  for (const session of held) session.release()
  await Promise.all(waiting)
  t.strictSame(
    order,
    [...order].sort((left, right) => left - right),
  )
  t.equal(order.length, 20)
  t.strictSame(client.load, { inUse: 0, waiting: 0 })
  t.equal(new Set(server.requests.map(({ session }) => session)).size, 2, 'on two sessions')
  await client.close()
})

void t.test('a line that is full refuses at once; one that does not move, in time', async (t) => {
  const server = await FakeServer.start(t, agreeing)
  const client = await Client.connect(server.url, {
    ...QUICK,
    protocol: 'json',
    pool: { max: 1, waitingMax: 1, acquireTimeoutMs: 20 },
  })
  const session = await client.session()
  const late = reasonOf(client.ping())
  t.match(await reasonOf(client.ping()), { code: 'LIMIT', message: /1 calls wait/ })
  t.match(await late, { code: 'LIMIT', message: /within 20 ms/ })
  session.release()
  session.release()
  t.equal(await codeOf(client.ping()), 'ok', 'and the session is there for the next')
  t.strictSame(client.load, { inUse: 0, waiting: 0 }, 'which a second release gives back once')
  await client.close()
})

void t.test('who stops waiting does not hold up those behind', async (t) => {
  const server = await FakeServer.start(t, agreeing)
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json', pool: { max: 1 } })
  const session = await client.session()
  const giveUp = new AbortController()
  const reason = new Error('not needed any more')
  const first = reasonOf(client.ping({ signal: giveUp.signal }))
  const second = codeOf(client.ping())
  giveUp.abort(reason)
  t.equal(await first, reason)
  session.release()
  t.equal(await second, 'ok')
  t.equal(await reasonOf(client.ping({ signal: giveUp.signal })), reason, 'an aborted call is not begun')
  await client.close()
})

void t.test('sessions at rest are closed on the server, and made anew when they are needed', async (t) => {
  const server = await FakeServer.start(t, agreeing)
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json', pool: { idleTimeoutMs: 1 } })
  await client.ping()
  while (!server.names.includes('closeSession')) await new Promise((resolve) => setTimeout(resolve, 1))
  await client.ping()
  t.strictSame(server.requests.map(({ name, session }) => `${name} ${session}`).slice(0, 3), [
    'ping 1',
    'closeSession 1',
    'ping 2',
  ])
  await client.close()
})

void t.test('several connections share the sessions', async (t) => {
  const server = await FakeServer.start(t, agreeing)
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json', pool: { max: 4 }, connections: 2 })
  t.equal(server.connections, 2)
  await Promise.all(Array.from({ length: 4 }, () => client.ping()))
  t.strictSame(server.requests.map(({ session }) => session).sort(), [1, 1, 2, 2])
  await client.close()
})

void t.test('a session in which the server could not roll back is not used again', async (t) => {
  let refusals = 1
  const open = new Set<number>()
  const server = await FakeServer.start(t, (request, socket) => {
    const { name, session } = request
    if (name === 'rollback' && refusals-- > 0) {
      refuse(socket, request, { code: 'LIMIT', message: 'too many requests', retryable: true, transaction: 'open' })
      return undefined
    }
    if (name === 'begin' && open.has(session)) {
      refuse(socket, request, { code: 'TRANSACTION_OPEN', message: 'open', retryable: false, transaction: 'open' })
      return undefined
    }
    if (name === 'begin') open.add(session)
    else open.delete(session)
    return agreeing(request, socket)
  })
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json', pool: { max: 1 } })
  const session = await client.session()
  await session.begin()
  session.release()
  await client.transaction(async (tx) => {
    t.equal(tx.status, 'open')
  })
  t.strictSame(
    server.requests.map((request) => `${request.name} ${request.session}`),
    ['begin 1', 'rollback 1', 'begin 1', 'closeSession 1', 'begin 2', 'commit 2'],
  )
  await client.close()
})

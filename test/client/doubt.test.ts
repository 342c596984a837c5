/**
 * G10: an outcome in doubt stays in doubt until the server has answered for its key.
 *
 * The server here loses the answer of the first commit, and says that it does not know its key although the commit is
 * still on its way: a lock held it up. What it says later decides.
 */
import t, { type Test } from 'tap'
import { Client } from '../../tools/client/client.js'
import { type FakeRequest, FakeServer, agreeing } from './fake-server.js'
import { QUICK } from './serving.js'
import { reasonOf } from './outcome.js'

const OUTCOME = { lsn: '5', position: `1.5.${'0'.repeat(32)}` }

interface Script {
  /** Whether the server has the key, at each look. */
  readonly looks: readonly boolean[]
  /** What the second commit is answered. */
  readonly replayed?: boolean
}

async function clientOf(t: Test, { looks, replayed = false }: Script): Promise<{ client: Client; server: FakeServer }> {
  let commits = 0
  let look = 0
  const server = await FakeServer.start(t, (request, socket) => {
    if (request.name === 'execute') return { ...OUTCOME, replayed: looks[look++] ?? false, results: [] }
    if (request.name !== 'commit') return agreeing(request, socket)
    if (++commits > 1) return { ...OUTCOME, replayed }
    socket.terminate()
    return undefined
  })
  const client = await Client.connect(server.url, { ...QUICK, protocol: 'json' })
  t.teardown(() => client.close({ timeoutMs: 0 }))
  return { client, server }
}

const keysOf = (server: FakeServer): ReadonlySet<unknown> =>
  new Set(
    server.requests
      .filter(({ name }: FakeRequest) => name === 'commit' || name === 'execute')
      .map(({ input }) => input['idempotencyKey']),
  )

void t.test('the repetition learns that the first was committed: the first result counts', async (t) => {
  const { client, server } = await clientOf(t, { looks: [false], replayed: true })
  let run = 0
  const result = await client.transaction(async (tx) => {
    await tx.insert('test.t', { id: 1n })
    return ++run
  })
  t.equal(result, 1)
  t.equal(run, 2)
  t.equal(keysOf(server).size, 1, 'all under one key')
})

void t.test('the repetition is the one that is committed: its result counts', async (t) => {
  const { client } = await clientOf(t, { looks: [false], replayed: false })
  let run = 0
  const result = await client.transaction(async (tx) => {
    await tx.insert('test.t', { id: 1n })
    return ++run
  })
  t.equal(result, 2)
})

void t.test('the repetition fails because the first was committed meanwhile: the first result counts', async (t) => {
  const { client } = await clientOf(t, { looks: [false, true] })
  let run = 0
  const result = await client.transaction(async (tx) => {
    await tx.insert('test.t', { id: 1n })
    if (++run === 2) throw new Error('the row is there')
    return run
  })
  t.equal(result, 1)
})

void t.test(
  'the repetition fails and the key stays unknown: so is the outcome, with the failure as its cause',
  async (t) => {
    const { client, server } = await clientOf(t, { looks: [false, false] })
    const fault = new Error('the work does not work')
    let run = 0
    const outcome = await reasonOf(
      client.transaction(async (tx) => {
        await tx.insert('test.t', { id: 1n })
        if (++run === 2) throw fault
      }),
    )
    const [idempotencyKey] = keysOf(server)
    t.match(outcome, { code: 'COMMIT_UNKNOWN', cause: fault, details: { idempotencyKey } })
  },
)

void t.test('the repetition has nothing to write: only the key can tell', async (t) => {
  for (const isFound of [true, false]) {
    const { client } = await clientOf(t, { looks: [false, isFound] })
    let run = 0
    const work = client.transaction(async (tx) => {
      if (++run === 1) await tx.insert('test.t', { id: 1n })
      return run
    })
    if (isFound) t.equal(await work, 1)
    else t.match(await reasonOf(work), { code: 'COMMIT_UNKNOWN' })
  }
})

void t.test('work that wrote nothing is not looked for, only run again', async (t) => {
  const { client, server } = await clientOf(t, { looks: [] })
  let run = 0
  t.equal(
    await client.transaction(async (tx) => {
      await tx.get('test.t', { id: 1n })
      return ++run
    }),
    2,
  )
  t.strictSame([...keysOf(server)], [undefined], 'and has no key')
})

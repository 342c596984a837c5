/**
 * G10 and exactly once: the connection breaks around a commit, 200 times, and every piece of work takes effect once and
 * is answered with what it returned when it did.
 */
import t from 'tap'
import { type Cut, CuttingProxy } from './cutting-proxy.js'
import { reasonOf } from './outcome.js'
import type { ClientOptions } from '../../tools/client/options.js'
import { until } from '../replication/until.js'
import { Serving, makeTable, patiently, rowsOf } from './serving.js'

const ROUNDS = 200
const CUTS: readonly Cut[] = ['before', 'after', 'answer']

void t.test('a transaction whose commit loses its answer takes effect once', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  await serving.db.execute([{ insert: { table: 'test.t', rows: [{ id: 0n, n: 0n }] } }])
  const proxy = await CuttingProxy.start(t, serving.port)
  const runs: number[] = []
  const client = await serving.client(t, { pool: { max: 1 } }, proxy.url)
  for (let round = 1; round <= ROUNDS; round++) {
    let run = 0
    const seen = await client.transaction(async (tx) => {
      run++
      const counter = await tx.get('test.t', { id: 0n })
      // The row makes a second run fail once the first is committed, and the counter would show it.
      await tx.insert('test.t', { id: BigInt(round), n: BigInt(run) })
      await tx.update('test.t', { id: 0n }, { n: (counter!['n'] as bigint) + 1n })
      if (run === 1) proxy.next = CUTS[round % CUTS.length]
      return counter!['n']
    })
    if (seen !== BigInt(round - 1)) t.fail(`round ${round} is answered with the result of the run that counts`)
    runs.push(run)
  }
  t.equal(proxy.cuts, ROUNDS)
  const [counter, ...rows] = (await rowsOf(serving.db)) as { readonly id: bigint; readonly n: bigint }[]
  t.equal(counter!.n, BigInt(ROUNDS), 'each round counts once')
  t.equal(rows.length, ROUNDS)
  t.ok(
    runs.some((run) => run === 1),
    'where the commit is found by its key, the work is not run again',
  )
  t.ok(
    runs.some((run) => run === 2),
    'where it never arrived, it is',
  )
})

void t.test('a one-shot that loses its answer takes effect once', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  await serving.db.execute([{ insert: { table: 'test.t', rows: [{ id: 0n, n: 0n }] } }])
  const proxy = await CuttingProxy.start(t, serving.port)
  const client = await serving.client(t, { pool: { max: 1 } }, proxy.url)
  const replayed: boolean[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    proxy.next = CUTS[round % CUTS.length]
    const executed = await client.execute([
      { update: { table: 'test.t', key: { id: 0n }, set: { n: { add: 1n } } } },
      { get: { table: 'test.t', key: { id: 0n } } },
    ])
    replayed.push(executed.replayed)
    const expected = [{ updated: 1 }, { row: { id: 0n, n: BigInt(round) } }]
    if (JSON.stringify(executed.results, text) !== JSON.stringify(expected, text)) t.same(executed.results, expected)
  }
  t.equal(proxy.cuts, ROUNDS)
  t.strictSame(await rowsOf(serving.db), [{ id: 0n, n: BigInt(ROUNDS) }])
  t.ok(replayed.includes(true) && replayed.includes(false), 'some had been done, and some had not')
})

void t.test('a commit by hand is found by its key, or called unknown with the key that settles it', async (t) => {
  const serving = await Serving.start(t)
  await makeTable(serving.db)
  const proxy = await CuttingProxy.start(t, serving.port)
  const client = await serving.client(t, {}, proxy.url)
  const session = await client.session()
  let tx = await session.begin()
  await tx.insert('test.t', { id: 1n, n: 1n })
  proxy.next = 'answer'
  t.match(await session.commit(), { replayed: true }, 'found')
  t.equal(tx.status, 'committed')

  tx = await session.begin()
  await tx.insert('test.t', { id: 2n, n: 2n })
  proxy.next = 'before'
  const unknown = await reasonOf(session.commit())
  t.match(unknown, { code: 'COMMIT_UNKNOWN', details: { idempotencyKey: String } })
  t.equal(tx.status, 'unknown')
  const { idempotencyKey } = (unknown as { readonly details: { readonly idempotencyKey: string } }).details
  tx = await session.begin()
  await tx.insert('test.t', { id: 2n, n: 2n })
  t.match(await session.commit({ idempotencyKey }), { replayed: false }, 'it had not arrived')
  session.release()
  t.equal((await rowsOf(serving.db)).length, 2)
})

void t.test(
  'without a server to ask, an outcome is called unknown when the time is up or the caller gives up',
  async (t) => {
    const serving = await Serving.start(t)
    await makeTable(serving.db)
    const proxy = await CuttingProxy.start(t, serving.port)
    let isConnected = false
    const options: ClientOptions = {
      resolveTimeoutMs: 50,
      connectTimeoutMs: 50,
      onEvent: ({ type }) => {
        if (type !== 'retry') isConnected = type === 'connected'
      },
    }
    const client = await patiently(() => serving.client(t, options, proxy.url))
    const giveUp = new AbortController()
    const impatient = await serving.client(
      t,
      {
        onEvent: ({ type }) => {
          if (type === 'disconnected') giveUp.abort(new Error('the caller has gone'))
        },
      },
      proxy.url,
    )
    const insert = (id: bigint) => [{ insert: { table: 'test.t', rows: [{ id, n: 1n }] } }]
    await client.ping()

    proxy.next = 'answer'
    proxy.refuses = true
    t.match(await reasonOf(client.execute(insert(1n))), {
      code: 'COMMIT_UNKNOWN',
      details: { idempotencyKey: String },
    })
    t.match(
      await reasonOf(
        impatient.transaction(
          async (tx) => {
            await tx.insert('test.t', { id: 2n, n: 1n })
            proxy.next = 'before'
          },
          { signal: giveUp.signal },
        ),
      ),
      { code: 'COMMIT_UNKNOWN', cause: { message: 'the caller has gone' }, details: { idempotencyKey: String } },
    )
    proxy.refuses = false
    await until(() => isConnected)
    await client.execute(insert(3n))
    t.match(await rowsOf(serving.db), [{ id: 1n }, { id: 3n }], 'the first had arrived')
  },
)

function text(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}

/**
 * G4, G5, G10: 32 clients, embedded in the server, over HTTP and over sessions, while connections are cut and the server
 * is killed with kill -9 and started again: what they saw is what some serial execution would have shown, in an order that agrees with real
 * time; under `snapshot` there is write skew, and nothing else. The log then holds what was acknowledged, once.
 *
 * REPLOG_TORTURE_ROUNDS sets the kills, REPLOG_TEST_SEED the choices.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openDataDirectory } from '../../../store/data-directory.js'
import { Primary } from '../../../primary/primary.js'
import { Client } from '../../../tools/client/client.js'
import { CuttingProxy } from '../../client/cutting-proxy.js'
import { checkStore } from '../../crash/check-store.js'
import { freePort } from '../../nats/nats-server.js'
import { scratchDirectory } from '../../primary/scratch-directory.js'
import { Random, TEST_SEED } from '../random.js'
import { type Anomaly, anomaliesIn, forbiddenAt } from './anomalies.js'
import { Load } from './load.js'
import { ServerUnderTest } from './server-under-test.js'
import { setUpStatements } from './things.js'

const KILLS = Math.ceil(Number(process.env['REPLOG_TORTURE_ROUNDS'] ?? 6) / 3)
const EMBEDDED = 10
const OVER_HTTP = 8
const SESSIONS = 14
const COMMITS_BETWEEN_KILLS = 100
const CUT_EVERY_MS = 150

t.setTimeout(60_000 + KILLS * 30_000)

for (const level of ['serializable', 'snapshot'] as const) {
  void t.test(
    `${EMBEDDED + OVER_HTTP + SESSIONS} clients, ${level}, ${KILLS} times kill -9, seed ${TEST_SEED}`,
    async (t) => {
      const path = join(scratchDirectory(t), 'data')
      const random = new Random(TEST_SEED)
      const primary = await Primary.open({ path })
      await primary.catalog().execute(setUpStatements())
      await primary.close()

      const server = new ServerUnderTest(path, await freePort())
      await server.start()
      t.teardown(() => server.kill())
      const load = new Load(server, level, random)
      await run(t, server, load, random)
      t.same(load.faults, [])
      t.same(server.faults, [])
      t.same(await logProblems(path, load), [])

      const { history } = load.recorder
      const anomalies = anomaliesIn(history)
      const forbidden = forbiddenAt(level, anomalies)
      t.same(forbidden.map(inWords), [])
      for (const transaction of history) {
        if (forbidden.some(({ text }) => text.split(' ').includes(transaction.id)))
          t.comment(JSON.stringify(transaction))
      }
      const committed = history.filter(({ outcome }) => outcome === 'committed').length
      t.comment(`${history.length} transactions: ${JSON.stringify(load.counts)}`)
      t.ok(committed > KILLS * COMMITS_BETWEEN_KILLS, `${committed} committed`)
      t.ok((load.counts['CONFLICT'] ?? 0) > 0, 'some met conflicts, so there was something to find')
      if (level === 'snapshot') t.ok(anomalies.length > 0, `write skew is found: ${anomalies.map(inWords).join('; ')}`)
    },
  )
}

async function run(t: Test, server: ServerUnderTest, load: Load, random: Random): Promise<void> {
  const proxy = await CuttingProxy.start(t, server.port)
  const clients = await Promise.all(
    (['binary', 'json'] as const).map((protocol) =>
      Client.connect(proxy.url, {
        protocol,
        connections: 2,
        pool: { max: SESSIONS / 2 },
        reconnect: { minMs: 5, maxMs: 50 },
        connectTimeoutMs: 60_000,
      }),
    ),
  )
  const running = Promise.all([
    ...Array.from({ length: EMBEDDED }, () => load.embeddedClient()),
    ...Array.from({ length: OVER_HTTP }, () => load.httpClient()),
    ...Array.from({ length: SESSIONS }, (_, at) => load.sessionClient(clients[at % 2]!)),
  ])
  const cutter = setInterval(() => {
    proxy.next = random.pick(['before', 'after', 'answer'])
  }, CUT_EVERY_MS)
  for (let kill = 0; kill < KILLS; kill++) {
    await load.committedMore(COMMITS_BETWEEN_KILLS)
    await delay(random.below(10))
    await server.killAndRestart()
  }
  await load.committedMore(COMMITS_BETWEEN_KILLS)
  load.stop()
  clearInterval(cutter)
  await running
  t.ok(proxy.cuts > 0, `${proxy.cuts} connections were cut`)
  await load.readAll()
  await Promise.all(clients.map((client) => client.close()))
  t.equal(await server.finish(), 0, 'it ends cleanly')
}

/** The log against what the clients were told: acknowledged once, rolled back never. */
async function logProblems(path: string, load: Load): Promise<string[]> {
  const lsns = new Map<string, bigint>()
  const problems: string[] = []
  const { engine } = await openDataDirectory(path)
  const report = await checkStore(engine, {
    onTransaction: ({ lsn, annotations }) => {
      const call = annotations?.['call']
      if (call === undefined) return
      if (lsns.has(call)) problems.push(`${call} stands in the log twice`)
      lsns.set(call, lsn)
    },
  })
  await engine.close()
  for (const [call, { outcome, lsn, writes }] of load.calls) {
    const found = lsns.get(call)
    if (outcome === 'committed' && writes && found === undefined)
      problems.push(`${call} was acknowledged and is not in the log`)
    if (outcome === 'aborted' && found !== undefined) problems.push(`${call} was rolled back and is in the log`)
    if (lsn !== undefined && writes && found !== undefined && found !== BigInt(lsn)) {
      problems.push(`${call} was acknowledged at LSN ${lsn} and stands at ${found}`)
    }
  }
  return [...report.problems, ...problems]
}

function inWords({ name, text }: Anomaly): string {
  return `${name}: ${text}`
}

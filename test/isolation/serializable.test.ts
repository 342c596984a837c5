/**
 * G4: what concurrent clients see of read-modify-writes, write skews and phantoms is what some serial execution would
 * show, in an order that agrees with real time.
 *
 * REPLOG_TORTURE_ROUNDS sets the rounds, REPLOG_TEST_SEED the choices.
 */
import t from 'tap'
import { openOnDisk } from '../primary/open-primary.js'
import { anomaliesIn } from './anomalies.js'
import { History } from './history.js'
import { ListClients, makeLists } from './isolated-lists.js'
import { Random, TEST_SEED } from './random.js'

const ROUNDS = Math.ceil(Number(process.env['REPLOG_TORTURE_ROUNDS'] ?? 6) / 3)
const CLIENTS = 32
const TRANSACTIONS = 20

t.setTimeout(30_000 + ROUNDS * 20_000)

for (let round = 0; round < ROUNDS; round++) {
  const seed = TEST_SEED + round
  void t.test(`${CLIENTS} clients, ${TRANSACTIONS} transactions each, are serializable; seed ${seed}`, async (t) => {
    const { db, primary } = await openOnDisk(t)
    const history = new History()
    const clients = new ListClients(db, history, new Random(seed))
    await makeLists(db)
    await Promise.all(Array.from({ length: CLIENTS }, () => clients.run(TRANSACTIONS)))
    await clients.readAll()
    t.same(anomaliesIn(history.transactions), [])
    const aborted = history.transactions.filter(({ outcome }) => outcome === 'aborted').length
    t.ok(aborted > 20, `${aborted} of ${history.transactions.length} met a conflict, so there was something to find`)
    t.equal(history.transactions.filter(({ outcome }) => outcome === 'unknown').length, 0)
    t.equal(primary.openTransactions, 0)
    t.equal(primary.state.versions.openSnapshots, 0)
  })
}

void t.test('the same clients, reading outside of their transactions, are caught: the test can see', async (t) => {
  const { db } = await openOnDisk(t)
  const history = new History()
  const clients = new ListClients(db, history, new Random(TEST_SEED))
  await makeLists(db)
  await Promise.all(Array.from({ length: 16 }, () => clients.runCareless(5)))
  await clients.readAll()
  t.not(anomaliesIn(history.transactions).length, 0)
})

/** G4, G7: 64 writers move money between 100 accounts; every snapshot, on the primary and on a replica, has the same sum. */
import { join } from 'node:path'
import t from 'tap'
import { scratchDirectory } from '../primary/scratch-directory.js'
import type { CatalogReader } from '../../log/catalog-reader.js'
import { follow, serve } from '../replication/linked-pair.js'
import { Random, TEST_SEED } from './random.js'

const ACCOUNTS = 100
const START = 1000n
const WRITERS = 64
const TRANSFERS = 25 * Math.ceil(Number(process.env['REPLOG_TORTURE_ROUNDS'] ?? 6) / 6)

t.setTimeout(60_000 + TRANSFERS * 1000)

void t.test(`the sum of ${ACCOUNTS} accounts under ${WRITERS} writers, seed ${TEST_SEED}`, async (t) => {
  const directory = scratchDirectory(t)
  const { primary, url } = await serve(t, { path: join(directory, 'primary') })
  const db = primary.catalog()
  await db.execute([
    {
      createTable: {
        table: {
          name: 'accounts',
          columns: [
            { name: 'id', type: 'INTEGER' },
            { name: 'balance', type: 'BIGINT', notNull: true },
          ],
          primaryKey: ['id'],
          indexes: [{ name: 'balance', columns: ['balance'] }],
        },
      },
    },
    { insert: { table: 'accounts', rows: Array.from({ length: ACCOUNTS }, (_, id) => ({ id, balance: START })) } },
  ])
  const replica = await follow(t, { path: join(directory, 'replica'), from: url })
  await replica.waitFor(primary.position.lsn)

  const random = new Random(TEST_SEED)
  let writing = true
  let conditions = 0
  const writer = async (number: number): Promise<void> => {
    for (let turn = 0; turn < TRANSFERS; turn++) {
      const from = random.below(ACCOUNTS)
      const to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS
      const amount = BigInt(random.below(200))
      if (number % 3 === 0) {
        // In the lane, with a condition: whether it holds or not, nothing is lost.
        const { results } = await db.execute([
          { update: { table: 'accounts', key: { id: from }, set: { balance: { add: -amount } } } },
          { update: { table: 'accounts', key: { id: to }, set: { balance: { add: amount } } } },
        ])
        conditions += results.length
      } else if (number % 3 === 1) {
        await db.transaction(async (tx) => {
          const payer = await tx.get('accounts', { id: from })
          const payee = await tx.get('accounts', { id: to })
          await tx.update('accounts', { id: from }, { balance: (payer?.['balance'] as bigint) - amount })
          await tx.update('accounts', { id: to }, { balance: (payee?.['balance'] as bigint) + amount })
        })
      } else {
        await db.transaction(async (tx) => {
          await tx.update('accounts', { id: from }, { balance: { add: -amount } })
          await tx.update('accounts', { id: to }, { balance: { add: amount } })
        })
      }
    }
  }
  const reads = { primary: 0, replica: 0 }
  const wrong: string[] = []
  const reader = async (where: keyof typeof reads, catalog: CatalogReader): Promise<void> => {
    // Some reads at least, however soon the writers have ended.
    while (writing || reads[where] <= 10) {
      for (const index of [undefined, 'balance']) {
        let sum = 0n
        let count = 0
        for await (const { balance } of catalog.scan('accounts', { index, reverse: count % 2 === 1 })) {
          sum += balance as bigint
          count++
        }
        if (sum !== START * BigInt(ACCOUNTS) || count !== ACCOUNTS)
          wrong.push(`${where}: ${count} accounts, sum ${sum}`)
        reads[where]++
      }
    }
  }
  const readers = [
    reader('primary', db),
    reader('primary', primary.catalog()),
    reader('replica', replica.catalog()),
    reader('replica', replica.catalog()),
  ]
  await Promise.all(Array.from({ length: WRITERS }, (_, number) => writer(number)))
  await replica.waitFor(primary.position.lsn)
  writing = false
  await Promise.all(readers)
  t.same(wrong, [])
  t.ok(
    reads.primary > 10 && reads.replica > 10,
    `${reads.primary} sums on the primary, ${reads.replica} on the replica`,
  )
  t.ok(conditions > 0)
  t.same(await replica.catalog().tables(), await db.tables(), 'row counts and digests agree')
  t.same(replica.position, primary.position)
})

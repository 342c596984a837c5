/** Code written against `PortableTransaction` runs embedded and remote, and does the same in both. */
import t from 'tap'
import type { Transaction } from '../../primary/transaction.js'
import type { PortableTransaction } from '../../tools/client/portable-transaction.js'
import type { RemoteTransaction } from '../../tools/client/remote-transaction.js'
import { codeOf } from './outcome.js'
import { Serving, makeTable } from './serving.js'

/** Compiles only when `Kind` is a `PortableTransaction`. */
type Portable<Kind extends PortableTransaction> = Kind

/** The embedded transaction and the remote one are both. */
type Both = Portable<Transaction> | Portable<RemoteTransaction>

async function work(tx: PortableTransaction): Promise<unknown[]> {
  const seen: unknown[] = []
  seen.push(await tx.insert('test.t', [{ id: 1n, n: 1n }, { id: 2n }]))
  seen.push(await tx.insert('test.t', { id: 3n, n: 3n }))
  await tx.savepoint('here')
  seen.push(await tx.update('test.t', { id: 1n }, { n: { add: 1 } }))
  seen.push(await tx.delete('test.t', { id: 2n }))
  seen.push(
    await tx.createTable({ name: 'u', columns: [{ name: 'k', type: 'TEXT', notNull: true }], primaryKey: ['k'] }),
  )
  seen.push(
    await tx.createTable(
      { name: 'u', columns: [{ name: 'k', type: 'TEXT' }], primaryKey: ['k'] },
      { ifNotExists: true },
    ),
  )
  await tx.rollbackTo('here')
  await tx.releaseSavepoint('here')
  seen.push(await tx.dropTable('test.u', { ifExists: true }))
  seen.push(await codeOf(tx.dropTable('test.u')))
  seen.push(await codeOf(tx.insert('test.t', { id: 1n })))
  seen.push(await codeOf(tx.check('test.t', { id: 1n }, { exists: false })))
  seen.push(await tx.get('test.t', { id: 2n }), await tx.get('test.t', { id: 9n }))
  seen.push(await tx.getForUpdate('test.t', { id: 1n }, { timeoutMs: 1000 }))
  for await (const row of tx.scan('test.t', { reverse: true, limit: 2 })) seen.push(row)
  const cursor = await tx.openCursor('test.t', { from: { id: 2n } })
  seen.push(await cursor.fetch(1), await cursor.fetch(5), await cursor.fetch(5))
  await cursor.close()
  seen.push(await codeOf(cursor.fetch(1)))
  seen.push(await tx.execute({ get: { table: 'test.t', key: { id: 3n } } }))
  seen.push(tx.status)
  const { replayed } = await tx.commit({ idempotencyKey: 'once' })
  seen.push(replayed, tx.status)
  await tx.rollback()
  seen.push(tx.status, await codeOf(tx.get('test.t', { id: 1n })))
  return seen
}

void t.test('the same work gives the same answers', async (t) => {
  const embedded = await Serving.start(t)
  const remote = await Serving.start(t)
  await makeTable(embedded.db)
  await makeTable(remote.db)
  const client = await remote.client(t)
  const session = await client.session()
  const transactions: Both[] = [embedded.db.begin(), await session.begin()]
  const [first, second] = await Promise.all(transactions.map(work))
  t.strictSame(second, first)
  session.release()
})

/** G1, G3: what a commit leaves in the log: its statements with whole images, one message each, in an order that time keeps. */
import t from 'tap'
import type { Clock } from '../../core/clock.js'
import { LogCursor } from '../../log/log-cursor.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import type { RowChanges, Transaction } from '../../log/codec/message.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import type { Lsn } from '../../core/position.js'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { ManualClock } from './manual-clock.js'

/** All transactions of one segment after an LSN. */
async function logAfter(primary: Primary, after: bigint): Promise<Transaction[]> {
  const cursor = new LogCursor(primary.state, after as Lsn)
  const transactions: Transaction[] = []
  while (!cursor.atHead) {
    for (const { payload } of new FrameReader().push((await cursor.read(1_000_000)).bytes)) {
      transactions.push(decodeTransaction([payload]))
    }
  }
  return transactions
}

const TABLE = {
  name: 'things',
  columns: [
    { name: 'id', type: 'INTEGER' },
    { name: 'n', type: 'INTEGER' },
  ],
  primaryKey: ['id'],
}

void t.test('a message holds the statements in order, with what was before and what is after', async (t) => {
  const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine(), clock: new ManualClock() })
  t.teardown(() => primary.close())
  const db = primary.catalog()
  const { lsn } = primary.position
  await db.transaction(
    async (tx) => {
      await tx.createTable(TABLE)
      await tx.insert('things', [
        { id: 1, n: 1 },
        { id: 2, n: 2 },
      ])
      await tx.insert('things', { id: 3 })
      await tx.update('things', { id: 1 }, { n: { add: 4 } })
      await tx.delete('things', { id: 2 })
      await tx.get('things', { id: 1 })
    },
    { annotations: { who: 'test', empty: '' } },
  )
  const [message] = await logAfter(primary, lsn)
  const table = db.table('things')
  t.match(message, { lsn: lsn + 1n, epoch: 1, catalogId: 1, annotations: { who: 'test', empty: '' } })
  t.same(Buffer.from(message!.originServerId), primary.state.identity.serverId)
  t.ok(message!.startTimestampUs <= message!.commitTimestampUs)
  const decoded = (image: Uint8Array | undefined) => image && table.toObject(table.rows.decode(image))
  const shown = message!.statements.map((statement) =>
    'rows' in statement
      ? [statement.kind, ...statement.rows.map(({ before, after }) => [decoded(before), decoded(after)])]
      : statement.kind,
  )
  t.same(shown, [
    'createTable',
    ['insert', [undefined, { id: 1, n: 1 }], [undefined, { id: 2, n: 2 }], [undefined, { id: 3, n: null }]],
    [
      'update',
      [
        { id: 1, n: 1 },
        { id: 1, n: 5 },
      ],
    ],
    ['delete', [{ id: 2, n: 2 }, undefined]],
  ])
})

void t.test('a statement that failed and a transaction that was rolled back are not in it', async (t) => {
  const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine() })
  t.teardown(() => primary.close())
  const db = primary.catalog()
  await db.execute([{ createTable: { table: TABLE } }])
  const { lsn } = primary.position
  const lost = db.begin()
  await lost.insert('things', { id: 9 })
  lost.rollback()
  await db.transaction(async (tx) => {
    await tx.insert('things', { id: 1 })
    await tx.insert('things', [{ id: 2 }, { id: 1 }]).catch(() => undefined)
    await tx.insert('things', { id: 3 })
  })
  const messages = await logAfter(primary, lsn)
  t.equal(messages.length, 1)
  const rows = messages[0]!.statements.flatMap((statement) => (statement as RowChanges).rows)
  t.equal(rows.length, 2)
})

void t.test('commit timestamps do not go back when the clock does, nor over a restart', async (t) => {
  let nowUs = 5_000_000n
  const clock: Clock = {
    nowUs: () => nowUs,
    monotonicMs: () => 0,
    after: () => () => undefined,
  }
  const engine = new MemoryEngine()
  let primary = await Primary.open({ path: '/memory', engine, clock })
  await primary.catalog().execute([{ createTable: { table: TABLE } }])
  for (const [id, time] of [7_000_000n, 6_000_000n, 1n, 8_000_000n].entries()) {
    nowUs = time
    await primary.catalog().execute([{ insert: { table: 'things', rows: [{ id }] } }])
  }
  await primary.close()
  nowUs = 2n
  primary = await Primary.open({ path: '/memory', engine: engine.crash(), clock })
  t.teardown(() => primary.close())
  await primary.catalog().execute([{ insert: { table: 'things', rows: [{ id: 99 }] } }])
  const times = (await logAfter(primary, 2n)).map(({ commitTimestampUs }) => commitTimestampUs / 1_000_000n)
  t.same(times, [7n, 7n, 7n, 8n, 8n])
})

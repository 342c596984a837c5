/** Verify markers: a replica compares what its tables hold at the same LSN, and stops where they differ. (G7, G8) */
import t, { type Test } from 'tap'
import type { Lsn } from '../../core/position.js'
import { LogCursor } from '../../log/log-cursor.js'
import { FrameReader } from '../../log/codec/frame-reader.js'
import type { Statement } from '../../log/codec/message.js'
import { decodeTransaction } from '../../log/codec/transaction-codec.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { statsKey } from '../../store/keys.js'
import { seal } from '../../store/seal.js'
import { follow, serve } from './linked-pair.js'
import { until } from './until.js'

const NOTES = {
  schema: 'test',
  name: 'notes',
  columns: [
    { name: 'id', type: 'BIGINT', notNull: true },
    { name: 'text', type: 'VARCHAR(100)' },
  ],
  primaryKey: ['id'],
} as const

async function pair(test: Test) {
  const engine = new MemoryEngine()
  const served = await serve(test, { path: 'primary', engine, verifyIntervalMs: 0 })
  const replicaEngine = new MemoryEngine()
  return { ...served, engine, replicaEngine }
}

void t.test('a marker counts exactly the LSN before it, and a replica that has the same goes on', async (t) => {
  const { primary, url, replicaEngine } = await pair(t)
  const db = primary.catalog()
  await db.transaction((tx) => tx.createTable(NOTES))
  await db.transaction((tx) => tx.insert('test.notes', { id: 1n, text: 'one' }))
  const replica = await follow(t, { path: 'replica', from: url, engine: replicaEngine })
  // Others commit while the marker takes its place.
  const writes = Array.from({ length: 50 }, (_, at) =>
    db.transaction((tx) => tx.insert('test.notes', { id: BigInt(at + 2), text: 'more' })),
  )
  await primary.markers.write()
  await Promise.all(writes)
  await db.transaction((tx) => tx.insert('test.notes', { id: 52n, text: 'so that there is something to say' }))
  await primary.markers.write()
  await replica.waitFor(primary.position.lsn)
  const markers = (await statements(primary.state)).filter(({ statement }) => statement.kind === 'verifyMarker')
  t.equal(markers.length, 2)
  const { statement, lsn } = markers.at(-1)!
  t.equal(statement.kind === 'verifyMarker' && statement.counts[0]?.rows, 52)
  t.equal(replica.state.verification.marker?.lsn, lsn, 'it was compared')
  t.equal(primary.state.verification.marker?.lsn, lsn)
  t.match(replica.state.verification.status().marker, { lsn: lsn.toString(), tables: 1 })

  const { lsn: before } = primary.position
  await primary.markers.write()
  t.equal(primary.position.lsn, before, 'nothing changed, so there is nothing to say')
})

void t.test('a table whose rows were replaced at once, and one that was dropped', async (t) => {
  const { primary, url, replicaEngine } = await pair(t)
  const db = primary.catalog()
  await db.transaction(async (tx) => {
    await tx.createTable(NOTES)
    await tx.createTable({ ...NOTES, name: 'gone' })
  })
  await db.transaction((tx) => tx.insert('test.gone', { id: 1n }))
  await db.transaction((tx) => tx.truncateTable('test.notes'))
  await db.transaction((tx) => tx.insert('test.notes', { id: 7n, text: 'new storage' }))
  await db.transaction((tx) => tx.dropTable('test.gone'))
  await primary.markers.write()
  const replica = await follow(t, { path: 'replica', from: url, engine: replicaEngine })
  await replica.waitFor(primary.position.lsn)
  const [marker] = (await statements(primary.state)).filter(({ statement }) => statement.kind === 'verifyMarker')
  t.match(marker?.statement, { counts: [{ rows: 1 }] })
  t.not(
    marker?.statement.kind === 'verifyMarker' && marker.statement.counts[0]!.storageId,
    marker?.statement.kind === 'verifyMarker' && marker.statement.counts[0]!.tableId,
  )
  t.equal(replica.state.verification.marker?.lsn, primary.position.lsn)
})

void t.test('a replica whose rows differ stops as DIVERGED, and names table, counts and digests', async (t) => {
  const { primary, url, replicaEngine } = await pair(t)
  const db = primary.catalog()
  await db.transaction((tx) => tx.createTable(NOTES))
  await db.transaction((tx) => tx.insert('test.notes', { id: 1n, text: 'one' }))
  const first = await follow(t, { path: 'replica', from: url, engine: replicaEngine })
  await first.waitFor(primary.position.lsn)
  const { storageId } = first.catalog().table('test.notes')
  await first.close()
  // A silent difference: every seal holds.
  const engine = replicaEngine.crash()
  const stored = engine.get(statsKey(storageId))!
  const payload = Buffer.from(stored.subarray(4))
  payload.writeDoubleBE(payload.readDoubleBE(0) + 1, 0)
  const batch = engine.batch()
  batch.put(statsKey(storageId), Buffer.from(seal(statsKey(storageId), payload)))
  await batch.writeSynced()

  const replica = await follow(t, { path: 'replica', from: url, engine })
  await db.transaction((tx) => tx.insert('test.notes', { id: 2n, text: 'two' }))
  const { lsn } = primary.position
  await primary.markers.write()
  await db.transaction((tx) => tx.insert('test.notes', { id: 3n, text: 'three' }))
  await until(() => replica.replication().state === 'stopped')
  t.match(replica.replication().error, {
    code: 'DIVERGED',
    message: new RegExp(
      `^at LSN ${lsn} .*table test.notes of catalog local has 3 rows of digest [0-9a-f]{16} here and 2 rows of digest`,
    ),
  })
  const { message } = replica.replication().error!
  t.match(message, /`replog verify URL URL`.*`replog clone`$/)
  t.notMatch(message, /repair/, 'rows that agree with their own counts are none that a repair finds')
  await replica.waitFor(lsn)
  t.equal(replica.position.lsn, lsn, 'nothing behind it is applied')
  t.equal(replica.state.verification.marker, undefined)

  // Once the operator accepts that, and the status says so for good, later markers do not stop it again.
  await replica.skip((lsn + 1n) as Lsn, { by: 'operator', reason: 'test' })
  await db.transaction((tx) => tx.insert('test.notes', { id: 4n, text: 'four' }))
  await primary.markers.write()
  await replica.waitFor(primary.position.lsn)
  t.equal(replica.state.verification.marker, undefined, 'and are not said to be equal')
})

async function statements(state: Parameters<typeof cursorOf>[0]): Promise<{ lsn: Lsn; statement: Statement }[]> {
  const cursor = cursorOf(state)
  const reader = new FrameReader()
  const all: { lsn: Lsn; statement: Statement }[] = []
  while (!cursor.atHead) {
    for (const frame of reader.push((await cursor.read(1 << 20)).bytes)) {
      for (const statement of decodeTransaction([frame.payload]).statements) all.push({ lsn: frame.lsn, statement })
    }
  }
  return all
}

function cursorOf(state: ConstructorParameters<typeof LogCursor>[0]): LogCursor {
  return new LogCursor(state, 0n as Lsn)
}

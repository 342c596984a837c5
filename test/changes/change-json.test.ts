/** The JSON of a change says what the change says, of every type of value and every kind of change. */
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { RowObject } from '../../ddl/compiled-table.js'
import { EVENTS, LINES } from '../../log/changes/change-format.js'
import { ChangeJson } from '../../log/changes/change-json.js'
import type { Change, RowEvent, TransactionEvent } from '../../log/changes/change.js'
import { formatPosition } from '../../core/position.js'
import { formatColumnType } from '../../log/codec/types/sql-text.js'
import { timestampOf } from '../../log/codec/types/timestamp.js'
import { valueCodec } from '../../log/codec/type-codecs.js'
import { Primary } from '../../primary/primary.js'
import { MemoryEngine } from '../../store/memory-engine.js'
import { TYPE_SAMPLES } from '../codec/values-arbitraries.js'
import { changesOf } from './changes-of.js'

const NAMES = TYPE_SAMPLES.map((_sample, at) => `c "${at}"`)
const codecs = new Map(TYPE_SAMPLES.map(({ type }, at) => [NAMES[at]!, valueCodec(type)]))

async function openPrimary(t: Test): Promise<Primary> {
  const primary = await Primary.open({ path: '/memory', engine: new MemoryEngine(), scrubBytesPerSecond: 0 })
  t.teardown(() => primary.close())
  return primary
}

/** The JSON of a row by the codec of each column, which knows nothing of changes. */
function asJson(row: RowObject | undefined): object | null {
  if (row === undefined) return null
  const values = Object.entries(row).map(([name, value]) => {
    const codec = codecs.get(name)
    return [name, value === null || codec === undefined ? value : codec.toJson(value)]
  })
  return JSON.parse(JSON.stringify(Object.fromEntries(values))) as object
}

function asMembers(event: RowEvent): object {
  const { type, table, tableId, tableVersion, key, before, after, ordinal } = event
  const images = { key: asJson(key as RowObject), before: asJson(before), after: asJson(after) }
  return { type, table, tableId, tableVersion, ...images, ordinal }
}

function asMessage(event: RowEvent): object {
  const { count, lsn, commitTimestampUs, annotations } = event.transaction
  const shared = { count, lsn: lsn.toString(), commitTimestamp: timestampOf(commitTimestampUs) }
  const annotated = Object.keys(annotations).length === 0 ? {} : { annotations }
  return { ...asMembers(event), ...shared, ...annotated, token: event.token }
}

t.test('parsed, it is the event, for all types of values', async (t) => {
  const primary = await openPrimary(t)
  const db = primary.catalog()
  const columns = TYPE_SAMPLES.map(({ type }, at) => ({ name: NAMES[at]!, type: formatColumnType(type) }))
  const id = { name: 'id', type: 'INTEGER' }
  await db.transaction((tx) => tx.createTable({ name: 'all', columns: [id, ...columns], primaryKey: ['id'] }))
  const rows = fc.tuple(...TYPE_SAMPLES.map(({ values }) => fc.option(values)))
  let key = 0
  await fc.assert(
    fc.asyncProperty(
      rows,
      rows,
      fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { maxKeys: 2, noNullPrototype: true }),
      async (first, second, annotations) => {
        const after = formatPosition(primary.position)
        const row = (values: readonly unknown[]): Record<string, unknown> =>
          Object.fromEntries(values.map((value, at) => [NAMES[at]!, value]))
        await db.transaction(
          async (tx) => {
            await tx.insert('all', { id: ++key, ...row(first) })
            await tx.update('all', { id: key }, row(second))
            await tx.delete('all', { id: key })
          },
          { annotations },
        )
        const changes = (await changesOf(db, { after })) as RowEvent[]
        const json = new ChangeJson(primary.state, 'local', LINES)
        t.strictSame(
          changes.map((change) => JSON.parse(json.text(change)) as object),
          changes.map(asMessage),
        )
        const [transaction] = (await changesOf(db, { after, transactions: true })) as TransactionEvent[]
        const { origin, token, lsn } = transaction!
        t.strictSame(JSON.parse([...json.transaction(transaction!)].join('')), {
          type: 'transaction',
          lsn: lsn.toString(),
          position: formatPosition(origin.position),
          commitTimestamp: timestampOf(origin.commitTimestampUs),
          startTimestamp: timestampOf(origin.startTimestampUs),
          serverId: primary.state.identity.serverId.toString('hex'),
          annotations,
          count: changes.length,
          changes: changes.map(asMembers),
          token,
        })
      },
    ),
    { numRuns: 15 },
  )
})

t.test('a snapshot, its end and heartbeats', async (t) => {
  const primary = await openPrimary(t)
  const db = primary.catalog()
  const columns = [
    { name: 'b', type: 'TEXT' },
    { name: 'a', type: 'BIGINT' },
  ]
  await db.transaction((tx) => tx.createTable({ name: 'pairs', columns, primaryKey: ['a', 'b'] }))
  await db.transaction((tx) => tx.insert('pairs', { a: 2n ** 60n, b: 'line\n"quoted"' }))
  const json = new ChangeJson(primary.state, 'local', LINES)
  const [row, end] = (await changesOf(db, { snapshot: true })) as Exclude<Change, TransactionEvent>[]
  const position = formatPosition(primary.position)
  const lsn = primary.position.lsn.toString()
  const image = { b: 'line\n"quoted"', a: (2n ** 60n).toString() }
  t.strictSame(JSON.parse(json.text(row!)), {
    type: 'snapshot',
    table: 'test.pairs',
    tableId: 1,
    tableVersion: 1,
    key: { a: image.a, b: image.b },
    after: image,
    lsn,
    token: row!.token,
  })
  t.strictSame(JSON.parse(json.text(end!)), { type: 'snapshotEnd', lsn, position, token: position })
  const beat = { type: 'heartbeat', lsn: primary.position.lsn, position: primary.position, token: position } as const
  t.strictSame(JSON.parse(json.text(beat)), { type: 'heartbeat', lsn, position, token: position })
})

t.test('with minimal images the key is all that is known of the row before', async (t) => {
  const primary = await openPrimary(t)
  const db = primary.catalog()
  const columns = [
    { name: 'id', type: 'INTEGER' },
    { name: 'v', type: 'TEXT' },
  ]
  await db.transaction((tx) => tx.createTable({ name: 'small', columns, primaryKey: ['id'], rowImage: 'minimal' }))
  const after = formatPosition(primary.position)
  await db.transaction(async (tx) => {
    await tx.insert('small', { id: 1, v: 'a' })
    await tx.update('small', { id: 1 }, { id: 2, v: 'b' })
    await tx.delete('small', { id: 2 })
  })
  const json = new ChangeJson(primary.state, 'local', LINES)
  const changes = (await changesOf(db, { after })) as RowEvent[]
  t.match(
    changes.map((change) => JSON.parse(json.text(change)) as object),
    [
      { key: { id: 1 }, before: null, after: { id: 1, v: 'a' } },
      { key: { id: 1 }, before: null, after: { id: 2, v: 'b' } },
      { key: { id: 2 }, before: null, after: null },
    ],
  )
})

t.test('an event has the token as its id, and its JSON in one line', async (t) => {
  const primary = await openPrimary(t)
  const json = new ChangeJson(primary.state, 'local', EVENTS)
  for (const change of (await changesOf(primary.catalog(), { after: '0' })) as Exclude<Change, TransactionEvent>[]) {
    const text = json.text(change)
    const data = new ChangeJson(primary.state, 'local', LINES).text(change)
    t.equal(text, `id: ${change.token}\nevent: ${change.type}\ndata: ${data}\n`)
    t.equal(data.indexOf('\n'), data.length - 1)
  }
})

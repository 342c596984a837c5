/** G1, G7: effects follow from the message alone, and are the same on the server that made it and on one that reads it. */
import fc from 'fast-check'
import t from 'tap'
import { EPOCH_FIRST, type Lsn } from '../../core/position.js'
import { CompiledTable } from '../../ddl/compiled-table.js'
import { tableMessageOf } from '../../ddl/table-definition.js'
import { applyRowChange, applyTransaction } from '../../log/apply.js'
import type { CommittedRows } from '../../log/committed-rows.js'
import { Effects } from '../../log/effects.js'
import type { Value } from '../../log/codec/column-type.js'
import type { RowChanges, Statement, Transaction } from '../../log/codec/message.js'
import { decodeTransaction, encodeTransaction } from '../../log/codec/transaction-codec.js'
import { describeKey, indexPrefix, jobKey, keyText, tableKey, tableVersionKey } from '../../store/keys.js'
import { PURGE_JOB, decodePurgeJob } from '../../log/purge-job.js'
import type { WriteSet } from '../../store/write-set.js'

const message = tableMessageOf(
  {
    name: 'things',
    columns: [
      { name: 'id', type: 'INTEGER', autoIncrement: true },
      { name: 'u', type: 'INTEGER' },
      { name: 'text', type: 'TEXT' },
    ],
    primaryKey: ['id'],
    indexes: [
      { name: 'u', columns: ['u'], unique: true },
      { name: 'text', columns: [{ column: 'text', descending: true }, 'u'] },
    ],
  },
  {
    id: 7,
    catalogId: 1,
    schemaId: 1,
    schema: 'test',
    nowUs: 0n,
    target: () => {
      throw new Error('it has no foreign keys')
    },
  },
)
const table = new CompiledTable(message)
const tables = () => table

const NO_ROWS: CommittedRows = { read: () => undefined, rows: () => [] }

function committed(...rows: ThingRow[]): CommittedRows {
  const stored = new Map(rows.map((row) => [keyText(table.rowKey(row)), table.rows.encode(row)]))
  return {
    read: (_key, text) => stored.get(text),
    rows: (storageId) => (storageId === 7 ? [...stored].map(([text, value]) => ({ text, value })) : []),
  }
}

function transactionOf(statements: readonly Statement[]): Transaction {
  return {
    lsn: 5n as Lsn,
    epoch: EPOCH_FIRST,
    originServerId: Buffer.alloc(16, 1),
    catalogId: 1,
    startTimestampUs: 0n,
    commitTimestampUs: 0n,
    statements,
  }
}

function shown(writes: WriteSet): unknown[] {
  const hex = (bytes: Buffer | undefined) => bytes?.toString('hex')
  return writes.texts.map((text, at) => [text, hex(writes.befores[at]), hex(writes.afters[at])])
}

/** The image of a store after the operations, and whether each before image was what stood there. */
class Image {
  readonly entries = new Map<string, string>()
  readonly wrong: string[] = []

  apply({ keys, texts, befores, afters }: WriteSet): void {
    for (const [at, text] of texts.entries()) {
      if (befores[at]?.toString('hex') !== this.entries.get(text)) this.wrong.push(describeKey(keys[at]!))
      const after = afters[at]
      if (after === undefined) this.entries.delete(text)
      else this.entries.set(text, after.toString('hex'))
    }
  }
}

type ThingRow = [id: number, u: number | null, text: string | null]

/** What the store must hold for these rows: each row and one entry per index. */
function imageOf(rows: Iterable<ThingRow>): Map<string, string> {
  const image = new Map<string, string>()
  for (const row of rows) {
    const key = table.rowKey(row)
    image.set(keyText(key), table.rows.encode(row).toString('hex'))
    for (const index of table.indexes) {
      image.set(keyText(table.indexKey(index, row, key)), table.indexPayload(index, row, key).toString('hex'))
    }
  }
  return image
}

const row: fc.Arbitrary<ThingRow> = fc.tuple(
  fc.integer({ min: 0, max: 6 }),
  fc.option(fc.integer({ min: 0, max: 20 })),
  fc.option(fc.constantFrom('', 'a', 'ab', '\u0000', 'é')),
)

void t.test('any valid changes: keys derived from images alone add up to the rows and their entries', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(row, fc.boolean(), fc.nat(6)), { maxLength: 40 }), (steps) => {
      const rows = new Map<number, ThingRow>()
      const image = new Image()
      const statements: RowChanges[] = []
      for (const [after, isDelete, target] of steps) {
        const taken = (id: number) =>
          [...rows.values()].some((other) => other[0] !== id && other[1] !== null && other[1] === after[1])
        const before = rows.get(target)
        const make = (values: Value[]): Buffer => table.rows.encode(values)
        const change = { tableId: 7, tableVersion: 1 }
        if (before !== undefined && isDelete) {
          statements.push({ kind: 'delete', ...change, rows: [{ before: make(before) }] })
          rows.delete(target)
        } else if (before !== undefined && !taken(target) && (after[0] === target || !rows.has(after[0]))) {
          // The key may move.
          statements.push({ kind: 'update', ...change, rows: [{ before: make(before), after: make(after) }] })
          rows.delete(target)
          rows.set(after[0], after)
        } else if (!rows.has(after[0]) && !taken(after[0])) {
          statements.push({ kind: 'insert', ...change, rows: [{ after: make(after) }] })
          rows.set(after[0], after)
        }
      }
      const effects = applyTransaction(transactionOf(statements), tables, NO_ROWS)
      image.apply(effects.writes)
      t.same(image.wrong, [])
      t.same(image.entries, imageOf(rows.values()))
      if (statements.length === 0) return
      // As a replica does: from the bytes.
      const payloads = encodeTransaction(transactionOf(statements))
      const again = applyTransaction(decodeTransaction(payloads), tables, NO_ROWS)
      t.same(shown(again.writes), shown(effects.writes))
      t.same(again.autoIncrement, effects.autoIncrement)
    }),
    { numRuns: 150 },
  )
  t.end()
})

void t.test('images that the writer has at hand give the same keys as decoded ones', (t) => {
  const before: ThingRow = [1, 2, 'a']
  const after: ThingRow = [3, null, 'b']
  const images = { before: table.rows.encode(before), after: table.rows.encode(after) }
  const [withRows, without] = [new Effects(), new Effects()]
  applyRowChange('update', { ...images, beforeRow: before, afterRow: after }, table, withRows, NO_ROWS)
  applyRowChange('update', images, table, without, NO_ROWS)
  t.same(shown(withRows.writes), shown(without.writes))
  t.equal(without.writes.length, 6, 'the row and two entries go from one key to another')
  t.same([...(without.autoIncrement ?? [])], [[7, 3n]])
  t.end()
})

void t.test('an unchanged index entry is not written again; a unique one that points elsewhere is', (t) => {
  const effects = new Effects()
  const change = (before: ThingRow, after: ThingRow) => ({
    before: table.rows.encode(before),
    after: table.rows.encode(after),
  })
  applyRowChange('update', change([1, 2, 'a'], [1, 3, 'a']), table, effects, NO_ROWS)
  t.equal(effects.writes.length, 5)
  const moved = new Effects()
  applyRowChange('update', change([1, 2, null], [9, 2, null]), table, moved, NO_ROWS)
  const unique = keyText(table.indexKey(table.indexes[0]!, [9, 2, null], table.rowKey([9, 2, null])))
  const at = moved.writes.lastIndexOf(unique)
  t.ok(at >= 0 && moved.writes.befores[at] !== undefined && moved.writes.afters[at] !== undefined)
  t.end()
})

void t.test('a table is usable in the message that makes it; a drop leaves a job and the old versions', (t) => {
  const asked: string[] = []
  const source = (tableId: number, version: number): CompiledTable => {
    asked.push(`${tableId}.${version}`)
    return table
  }
  const { writes, definitions } = applyTransaction(
    transactionOf([
      { kind: 'createTable', after: message },
      { kind: 'insert', tableId: 7, tableVersion: 1, rows: [{ after: table.rows.encode([1, null, null]) }] },
      { kind: 'dropTable', before: message },
    ]),
    source,
    NO_ROWS,
  )
  t.same(asked, [])
  t.equal(definitions?.length, 2)
  const at = (key: Buffer): Buffer | undefined => writes.afters[writes.lastIndexOf(keyText(key))]
  t.equal(at(tableKey(1, 1, 'things')), undefined)
  t.type(at(tableVersionKey(7, 1)), Buffer)
  t.same(decodePurgeJob(at(jobKey(PURGE_JOB, 7n))!), { tableId: 7, indexIds: [1, 2] })
  t.end()
})

void t.test('a change without the image that it needs is CORRUPT', (t) => {
  const change = { tableId: 7, tableVersion: 1, rows: [{}] }
  for (const kind of ['insert', 'update', 'delete'] as const) {
    t.throws(() => applyTransaction(transactionOf([{ kind, ...change }]), tables, NO_ROWS), { code: 'CORRUPT' })
  }
  const noVersion = { kind: 'insert' as const, tableId: 7, tableVersion: 1, rows: [{ after: Buffer.of(1, 2, 3) }] }
  t.throws(() => applyTransaction(transactionOf([noVersion]), tables, NO_ROWS), { code: 'CORRUPT' })
  t.end()
})

void t.test(
  'with the key alone the row before comes from the transaction itself, else from where it is stored',
  (t) => {
    const before: ThingRow = [1, 2, 'a']
    const key = table.rows.encodePart(before, table.keyOrdinals)
    const full = { before: table.rows.encode(before), after: table.rows.encode([1, 3, 'b']) }
    const change = { tableId: 7, tableVersion: 1 }
    const whole = applyTransaction(transactionOf([{ kind: 'update', ...change, rows: [full] }]), tables, NO_ROWS)
    const stored = applyTransaction(
      transactionOf([{ kind: 'update', ...change, rows: [{ key, after: full.after }] }]),
      tables,
      committed(before),
    )
    t.same(shown(stored.writes), shown(whole.writes))
    const own = applyTransaction(
      transactionOf([
        { kind: 'insert', ...change, rows: [{ after: full.before }] },
        { kind: 'update', ...change, rows: [{ key, after: full.after }] },
        { kind: 'delete', ...change, rows: [{ key }] },
      ]),
      tables,
      NO_ROWS,
    )
    const image = new Image()
    image.apply(own.writes)
    t.same(image.wrong, [])
    t.equal(image.entries.size, 0)
    t.end()
  },
)

void t.test('an index made on a table with rows has an entry for each row at its place in the log', (t) => {
  const [u, text] = message.indexes
  const bare = { ...message, indexes: [text!] }
  const after = { ...message, version: 2 }
  const change = { tableId: 7, tableVersion: 1 }
  const insert = (row: ThingRow): RowChanges => ({
    kind: 'insert',
    ...change,
    rows: [{ after: table.rows.encode(row) }],
  })
  const without = new CompiledTable(bare)
  const statements: Statement[] = [
    insert([3, 30, 'c']),
    { kind: 'delete', ...change, rows: [{ before: table.rows.encode([1, 10, 'a']) }] },
    { kind: 'createIndex', before: bare, after },
    { ...insert([4, 40, 'd']), tableVersion: 2 },
  ]
  const source = (_id: number, version: number): CompiledTable => (version === 1 ? without : table)
  const { writes } = applyTransaction(transactionOf(statements), source, committed([1, 10, 'a'], [2, 20, 'b']))
  const entries = writes.texts.filter((one) => one.startsWith(keyText(indexPrefix(7, u!.id))))
  const expected = [2, 3, 4].map((id) => {
    const row: ThingRow = [id, id * 10, 'x']
    return keyText(table.indexKey(table.indexes[0]!, row, table.rowKey(row)))
  })
  t.same(entries.sort(), expected.sort())
  const twice = [insert([3, 20, 'c']), { kind: 'createIndex' as const, before: bare, after }]
  t.throws(() => applyTransaction(transactionOf(twice), source, committed([2, 20, 'b'])), { code: 'DUPLICATE_KEY' })
  t.end()
})

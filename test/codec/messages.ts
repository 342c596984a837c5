/** Replication messages for the codec tests: arbitrary ones, protobufjs' view of them, and a comparable text of both. */
import fc from 'fast-check'
import protobuf from 'protobufjs/light.js'
import { asEpoch, asLsn, LSN_MAX } from '../../core/position.js'
import type { ColumnType } from '../../log/codec/column-type.js'
import { REPLICATION_DESCRIPTOR } from '../../log/codec/generated/replication.js'
import type {
  CatalogMessage,
  ColumnMessage,
  RowChange,
  RowChanges,
  SchemaMessage,
  Statement,
  TableMessage,
  Transaction,
} from '../../log/codec/message.js'

const root = protobuf.Root.fromJSON(REPLICATION_DESCRIPTOR)

/** protobufjs' type of a message of replication.proto. */
export function protoType(name: string): protobuf.Type {
  return root.lookupType(`replog.v1.${name}`)
}

/** What protobufjs writes for a message given as a plain object. */
export function protoBytes(name: string, message: object): Buffer {
  const type = protoType(name)
  return Buffer.from(type.encode(type.fromObject(message)).finish())
}

/** A transaction, or one segment of it, as protobufjs wants it. */
export function protoTransaction(transaction: Transaction, segment = 0, lastSegment = true): object {
  const { statements, annotations, ...head } = transaction
  return { ...head, segment, lastSegment, statements: statements.map(protoStatement), annotations: annotations ?? {} }
}

function protoStatement(statement: Statement): object {
  const { kind, ...body } = statement
  return { [kind]: body }
}

/** A text that is equal for equal messages: bytes as hex, whatever their class, and no undefined properties. */
export function text(value: unknown): string {
  return JSON.stringify(comparable(value), undefined, 1)
}

function comparable(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Uint8Array) return `hex:${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, property]) => property !== undefined)
  return entries.map(([name, property]) => [name, comparable(property)]).sort(byName)
}

function byName(one: unknown[], other: unknown[]): number {
  return String(one[0]) < String(other[0]) ? -1 : 1
}

const counted = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 0xffff_ffff }))
const time = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const image = fc.uint8Array({ minLength: 1, maxLength: 200 })
const serverId = fc.uint8Array({ minLength: 16, maxLength: 16 })
const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
const words = fc.string({ unit: 'grapheme', maxLength: 40 })

const columnType: fc.Arbitrary<ColumnType> = fc.oneof(
  fc.constantFrom<ColumnType>(
    { kind: 'BOOLEAN' },
    { kind: 'INTEGER' },
    { kind: 'BIGINT' },
    { kind: 'DOUBLE' },
    { kind: 'TEXT' },
    { kind: 'BLOB' },
    { kind: 'DATE' },
    { kind: 'TIME' },
    { kind: 'TIMESTAMP' },
    { kind: 'UUID' },
    { kind: 'JSON' },
  ),
  fc.integer({ min: 1, max: 65_535 }).map((length): ColumnType => ({ kind: 'VARCHAR', length })),
  fc
    .tuple(fc.integer({ min: 1, max: 65 }), fc.integer({ min: 0, max: 65 }))
    .map(([precision, scale]): ColumnType => ({ kind: 'DECIMAL', precision, scale: Math.min(precision, scale) })),
  fc.array(words, { minLength: 1, maxLength: 4 }).map((labels): ColumnType => ({ kind: 'ENUM', labels })),
)

const columnBody = fc.record({
  type: columnType,
  notNull: fc.boolean(),
  default: fc.option(
    fc.oneof(
      words.map((literal) => ({ literal })),
      fc.constantFrom({ function: 'NOW' } as const, { function: 'UUID' } as const),
    ),
    { nil: undefined },
  ),
  autoIncrement: fc.boolean(),
  addedInVersion: fc.integer({ min: 0, max: 3 }),
  missingValue: fc.option(words, { nil: undefined }),
  comment: words,
})

export const tableMessage: fc.Arbitrary<TableMessage> = fc
  .record({
    id: counted,
    version: fc.integer({ min: 3, max: 0xffff_ffff }),
    catalogId: counted,
    schemaId: counted,
    name: word,
    columns: fc.uniqueArray(fc.tuple(word, columnBody), { minLength: 1, maxLength: 5, selector: ([name]) => name }),
    indexNames: fc.array(fc.tuple(word, fc.boolean(), fc.boolean()), { maxLength: 3 }),
    comment: words,
    createdUs: time,
    changedUs: time,
  })
  .map(({ columns, indexNames, ...table }) => ({
    ...table,
    columns: columns.map(([name, body], index): ColumnMessage => ({ id: 2 + index, name, ...body })),
    primaryKey: [{ columnId: 2, descending: false }],
    indexes: indexNames.map(([name, unique, descending], index) => ({
      id: index + 1,
      name,
      unique,
      parts: [{ columnId: 1 + columns.length, descending }],
    })),
    nextColumnId: 2 + columns.length,
    nextIndexId: 1 + indexNames.length,
  }))

export const schemaMessage: fc.Arbitrary<SchemaMessage> = fc.record({
  id: counted,
  catalogId: counted,
  name: word,
  createdUs: time,
})

export const catalogMessage: fc.Arbitrary<CatalogMessage> = fc.record({ id: counted, name: word, createdUs: time })

/** Images are long enough for segments of a few hundred bytes to be cut. */
const rowChanges: fc.Arbitrary<RowChanges> = fc
  .record({ kind: fc.constantFrom('insert', 'update', 'delete'), tableId: counted, tableVersion: counted })
  .chain((head) => fc.array(rowChange(head.kind), { maxLength: 8 }).map((rows) => ({ ...head, rows })))

function rowChange(kind: RowChanges['kind']): fc.Arbitrary<RowChange> {
  if (kind === 'insert') return fc.record({ after: image })
  const which = fc.oneof(fc.record({ before: image }), fc.record({ key: image }))
  if (kind === 'delete') return which
  return fc.tuple(which, image).map(([row, after]) => ({ ...row, after }))
}

export const statement: fc.Arbitrary<Statement> = fc.oneof(
  { weight: 6, arbitrary: rowChanges },
  { weight: 1, arbitrary: tableMessage.map((after) => ({ kind: 'createTable', after }) as const) },
  { weight: 1, arbitrary: tableMessage.map((before) => ({ kind: 'dropTable', before }) as const) },
  { weight: 1, arbitrary: schemaMessage.map((after) => ({ kind: 'createSchema', after }) as const) },
  { weight: 1, arbitrary: catalogMessage.map((after) => ({ kind: 'createCatalog', after }) as const) },
  { weight: 1, arbitrary: catalogMessage.map((before) => ({ kind: 'dropCatalog', before }) as const) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(counted, serverId)
      .map(([epoch, id]) => ({ kind: 'newEpoch', epoch: asEpoch(epoch), serverId: id }) as const),
  },
)

export const transaction: fc.Arbitrary<Transaction> = fc.record({
  lsn: fc.bigInt({ min: 1n, max: LSN_MAX }).map(asLsn),
  epoch: counted.map(asEpoch),
  originServerId: serverId,
  catalogId: fc.nat(0xffff_ffff),
  startTimestampUs: fc.oneof(fc.constant(0n), time),
  commitTimestampUs: time,
  statements: fc.array(statement, { maxLength: 5 }),
  annotations: fc.option(fc.dictionary(words, words, { minKeys: 1, maxKeys: 4 }), { nil: undefined }),
  idempotencyKey: fc.option(
    words.filter((text) => text !== ''),
    { nil: undefined },
  ),
  outcome: fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 }), { nil: undefined }),
})

/** The statements with neighbours of one kind, table and version joined, as they were before any cut. */
export function joined(statements: readonly Statement[]): Statement[] {
  const result: Statement[] = []
  for (const next of statements) {
    const last = result.at(-1)
    if (last !== undefined && 'rows' in last && 'rows' in next && sameTable(last, next)) {
      result[result.length - 1] = { ...last, rows: [...last.rows, ...next.rows] }
    } else {
      result.push(next)
    }
  }
  return result
}

function sameTable(one: RowChanges, other: RowChanges): boolean {
  return one.kind === other.kind && one.tableId === other.tableId && one.tableVersion === other.tableVersion
}

/** A small transaction with one insert, for tests that damage it. */
export const SAMPLE: Transaction = {
  lsn: asLsn(7n),
  epoch: asEpoch(1),
  originServerId: Buffer.from('00112233445566778899aabbccddeeff', 'hex'),
  catalogId: 1,
  startTimestampUs: 1_795_000_000_000_000n,
  commitTimestampUs: 1_795_000_000_000_250n,
  statements: [
    { kind: 'insert', tableId: 3, tableVersion: 1, rows: [{ after: Buffer.from('080110541a0161', 'hex') }] },
  ],
}

export const SAMPLE_TABLE: TableMessage = {
  id: 3,
  version: 1,
  catalogId: 1,
  schemaId: 2,
  name: 'fan_of',
  columns: [
    {
      id: 2,
      name: 'user_id',
      type: { kind: 'BIGINT' },
      notNull: true,
      autoIncrement: false,
      addedInVersion: 1,
      comment: '',
    },
    {
      id: 3,
      name: 'note',
      type: { kind: 'VARCHAR', length: 20 },
      notNull: false,
      autoIncrement: false,
      addedInVersion: 1,
      comment: '',
    },
  ],
  primaryKey: [{ columnId: 2, descending: false }],
  indexes: [{ id: 1, name: 'note', unique: false, parts: [{ columnId: 3, descending: true }] }],
  nextColumnId: 4,
  nextIndexId: 2,
  comment: '',
  createdUs: 1_795_000_000_000_000n,
  changedUs: 1_795_000_000_000_000n,
}

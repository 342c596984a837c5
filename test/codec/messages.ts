/** Replication messages for the codec tests: arbitrary ones, protobufjs' view of them, and a comparable text of both. */
import fc from 'fast-check'
import protobuf from 'protobufjs/light.js'
import { asEpoch, asLsn, LSN_MAX } from '../../core/position.js'
import { REPLICATION_DESCRIPTOR } from '../../log/codec/generated/replication.js'
import type {
  DefinitionStatement,
  RowChange,
  RowChanges,
  Statement,
  TableCount,
  TableMessage,
  Transaction,
  VerifyMarker,
} from '../../log/codec/message.js'
import { catalogMessage, counted, protoTable, schemaMessage, tableMessage, time, words } from './definitions.js'

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
  if (statement.kind === 'renameTables') return { renameTables: { tables: statement.tables.map(protoDefinitions) } }
  const { kind, ...body } = statement
  return { [kind]: protoDefinitions(body) }
}

/** With before and after as protobufjs wants them. */
function protoDefinitions(body: object): object {
  return Object.fromEntries(
    Object.entries(body).map(([name, value]: [string, unknown]) => {
      const isTable = typeof value === 'object' && value !== null && 'columns' in value
      return [name, isTable ? protoTable(value as TableMessage) : value]
    }),
  )
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

const image = fc.uint8Array({ minLength: 1, maxLength: 200 })
const serverId = fc.uint8Array({ minLength: 16, maxLength: 16 })

/** Images are long enough for segments of a few hundred bytes to be cut. */
const rowChanges: fc.Arbitrary<RowChanges> = fc
  .record({ kind: fc.constantFrom('insert', 'update', 'delete', 'rewrite'), tableId: counted, tableVersion: counted })
  .chain((head) => fc.array(rowChange(head.kind), { maxLength: 8 }).map((rows) => ({ ...head, rows })))

function rowChange(kind: RowChanges['kind']): fc.Arbitrary<RowChange> {
  if (kind === 'insert' || kind === 'rewrite') return fc.record({ after: image })
  const which = fc.oneof(fc.record({ before: image }), fc.record({ key: image }))
  if (kind === 'delete') return which
  return fc.tuple(which, image).map(([row, after]) => ({ ...row, after }))
}

/** Two messages of one object. */
function change<Message extends { readonly id: number; readonly catalogId?: number }>(
  message: fc.Arbitrary<Message>,
): fc.Arbitrary<{ before: Message; after: Message }> {
  return fc.tuple(message, message).map(([before, after]) => {
    const { id, catalogId } = before
    return { before, after: { ...after, id, ...(catalogId === undefined ? {} : { catalogId }) } }
  })
}

const tableChange = change(tableMessage)
const autoIncrement = fc.oneof(fc.constant(0n), time)

type DefinitionArbitraries = {
  readonly [Kind in DefinitionStatement['kind']]: fc.Arbitrary<
    Omit<Extract<DefinitionStatement, { readonly kind: Kind }>, 'kind'>
  >
}

/** The body of a statement of each kind. */
const DEFINITIONS: DefinitionArbitraries = {
  createTable: fc.record({ after: tableMessage }),
  dropTable: fc.record({ before: tableMessage }),
  alterTable: fc.tuple(tableChange, autoIncrement).map(([tables, highest]) => ({ ...tables, autoIncrement: highest })),
  truncateTable: fc
    .tuple(tableChange, autoIncrement)
    .map(([tables, highest]) => ({ ...tables, autoIncrement: highest })),
  renameTables: fc.record({ tables: fc.array(tableChange, { minLength: 1, maxLength: 3 }) }),
  createIndex: tableChange,
  dropIndex: fc.tuple(tableChange, words).map(([tables, reason]) => ({ ...tables, reason })),
  createSchema: fc.record({ after: schemaMessage }),
  alterSchema: change(schemaMessage),
  dropSchema: fc.record({ before: schemaMessage }),
  createCatalog: fc.record({ after: catalogMessage }),
  alterCatalog: change(catalogMessage),
  dropCatalog: fc.record({ before: catalogMessage }),
  newEpoch: fc.record({ epoch: counted.map(asEpoch), serverId }),
}

const definition = fc.oneof(
  ...Object.entries(DEFINITIONS).map(([kind, body]) =>
    (body as fc.Arbitrary<object>).map((fields) => ({ kind, ...fields }) as DefinitionStatement),
  ),
)

const count: fc.Arbitrary<TableCount> = fc.record({
  catalogId: counted,
  storageId: counted,
  tableId: counted,
  rows: fc.maxSafeNat(),
  digest: fc.uint8Array({ minLength: 8, maxLength: 8 }),
})

const marker: fc.Arbitrary<VerifyMarker> = fc.record({
  kind: fc.constant('verifyMarker'),
  counts: fc.array(count, { maxLength: 5 }),
})

export const statement: fc.Arbitrary<Statement> = fc.oneof(rowChanges, definition, marker)

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

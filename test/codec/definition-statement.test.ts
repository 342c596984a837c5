/** Definition statements and rewritten rows: what a change must hold, and that nothing else is taken or written. (G8) */
import { AssertionError } from 'node:assert/strict'
import t from 'tap'
import type {
  CatalogMessage,
  RowChanges,
  SchemaMessage,
  Statement,
  TableMessage,
  Transaction,
} from '../../log/codec/message.js'
import { decodeTransaction, encodeTransaction } from '../../log/codec/transaction-codec.js'
import { protoTable, SAMPLE_TABLE } from './definitions.js'
import { protoBytes, protoTransaction, SAMPLE, text } from './messages.js'

const UNCUT = Number.MAX_SAFE_INTEGER

const CATALOG: CatalogMessage = { id: 1, name: 'local', createdUs: 5n, comment: '', options: {} }
const SCHEMA: SchemaMessage = { ...CATALOG, catalogId: 1, id: 2, name: 'test' }
const AFTER: TableMessage = { ...SAMPLE_TABLE, version: 2, comment: 'changed', storageId: 9 }
const TABLES = { before: SAMPLE_TABLE, after: AFTER }

/** One statement of each kind that has a definition, and a rewrite. */
const STATEMENTS: readonly Statement[] = [
  { kind: 'createTable', after: AFTER },
  { kind: 'dropTable', before: AFTER },
  { kind: 'alterTable', ...TABLES, autoIncrement: 77n },
  { kind: 'rewrite', tableId: 3, tableVersion: 2, rows: [{ after: Buffer.from('08021002', 'hex') }] },
  { kind: 'truncateTable', ...TABLES, autoIncrement: -(2n ** 63n) },
  { kind: 'renameTables', tables: [TABLES, { before: AFTER, after: SAMPLE_TABLE }] },
  { kind: 'createIndex', ...TABLES },
  { kind: 'dropIndex', ...TABLES, reason: 'rows have equal values' },
  { kind: 'createSchema', after: SCHEMA },
  { kind: 'alterSchema', before: SCHEMA, after: { ...SCHEMA, name: 'renamed' } },
  { kind: 'dropSchema', before: SCHEMA },
  { kind: 'createCatalog', after: CATALOG },
  { kind: 'alterCatalog', before: CATALOG, after: { ...CATALOG, options: { tier: 'gold' } } },
  { kind: 'dropCatalog', before: CATALOG },
]

function holding(...statements: Statement[]): Transaction {
  return { ...SAMPLE, statements }
}

function encode(transaction: Transaction): Buffer {
  return Buffer.concat(encodeTransaction(transaction, 0, UNCUT))
}

for (const statement of STATEMENTS) {
  t.test(`${statement.kind} comes back as it was, and its bytes are those of protobufjs`, async (t) => {
    const transaction = holding(statement)
    const bytes = encode(transaction)
    t.equal(bytes.compare(protoBytes('Transaction', protoTransaction(transaction))), 0)
    t.equal(text(decodeTransaction([bytes])), text(transaction))
  })
}

t.test('an empty reason and an AUTO_INCREMENT of 0 take no bytes', async (t) => {
  const plain = encode(holding({ kind: 'createIndex', ...TABLES })).length
  t.equal(encode(holding({ kind: 'dropIndex', ...TABLES, reason: '' })).length, plain + 1, 'but for a longer tag')
  t.equal(encode(holding({ kind: 'alterTable', ...TABLES, autoIncrement: 0n })).length, plain)
})

t.test('a change is one piece of a segment, whatever its size', async (t) => {
  const payloads = encodeTransaction(holding(...STATEMENTS), 0, 1)
  t.equal(payloads.length, STATEMENTS.length)
  t.equal(text(decodeTransaction(payloads)), text(holding(...STATEMENTS)))
})

/** The sample transaction with one statement, given as a protobuf object. */
function withStatement(statement: object): Buffer {
  return protoBytes('Transaction', { ...protoTransaction(SAMPLE), statements: [statement] })
}

/** The sample transaction with one statement, given as the tag of its kind and the bytes of its message. */
function withBody(tag: Buffer, ...body: Buffer[]): Buffer {
  const head = withStatement({}).subarray(0, -2)
  return Buffer.concat([head, delimited(Buffer.of(0x4a), delimited(tag, ...body))])
}

function delimited(tag: Buffer, ...content: Buffer[]): Buffer {
  const bytes = Buffer.concat(content)
  const length = bytes.length < 0x80 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >>> 7]
  return Buffer.concat([tag, Buffer.from(length), bytes])
}

const ALTER_TABLE = Buffer.of(0x62)
const CREATE_INDEX = Buffer.of(0x7a)
const DROP_INDEX = Buffer.of(0x82, 0x01)
const before = protoTable(SAMPLE_TABLE)
const after = protoTable(AFTER)
const BEFORE = delimited(Buffer.of(0x0a), protoBytes('TableMessage', before))
const AFTER_BYTES = delimited(Buffer.of(0x12), protoBytes('TableMessage', after))

t.test('UnknownFieldsOfAChangeArePassedOver', async (t) => {
  // Field 4 as a string; in CreateIndex, which has no field 3, that one too.
  const unknown = Buffer.from('22026869', 'hex')
  const [altered] = decodeTransaction([withBody(ALTER_TABLE, BEFORE, AFTER_BYTES, unknown)]).statements
  t.equal(text(altered), text({ kind: 'alterTable', ...TABLES, autoIncrement: 0n }))
  const [created] = decodeTransaction([withBody(CREATE_INDEX, BEFORE, AFTER_BYTES, Buffer.of(0x18, 5))]).statements
  t.equal(text(created), text({ kind: 'createIndex', ...TABLES }))
})

function withRow(row: object): Buffer {
  return withStatement({ rewrite: { tableId: 1, tableVersion: 1, rows: [row] } })
}

const IMAGE = Buffer.from('0801', 'hex')

/** Payloads with exactly one thing wrong. */
const CORRUPTIONS: Record<string, [Uint8Array, RegExp]> = {
  AlterTableWithoutBefore: [withStatement({ alterTable: { after } }), /lacks the definition before/],
  AlterTableWithoutAfter: [withStatement({ alterTable: { before } }), /lacks the definition before or after/],
  AlterTableWithTwoBefores: [withBody(ALTER_TABLE, BEFORE, BEFORE, AFTER_BYTES), /two definitions in one place/],
  AlterTableWithTwoAfters: [withBody(ALTER_TABLE, BEFORE, AFTER_BYTES, AFTER_BYTES), /two definitions in one place/],
  AlterTableOfAnotherTable: [withStatement({ alterTable: { before, after: { ...after, id: 4 } } }), /another object/],
  AlterTableOfAnotherCatalog: [
    withStatement({ alterTable: { before, after: { ...after, catalogId: 4 } } }),
    /another object/,
  ],
  AlterTableWithABadDefinition: [
    withStatement({ alterTable: { before, after: { ...after, columns: [] } } }),
    /no columns/,
  ],
  AlterTableWithATextForAutoIncrement: [
    withBody(ALTER_TABLE, BEFORE, AFTER_BYTES, Buffer.from('1a0161', 'hex')),
    /field 3 .* wrong wire type/,
  ],
  AlterTableWithANumberForBefore: [
    withBody(ALTER_TABLE, Buffer.of(0x08, 1), AFTER_BYTES),
    /field 1 .* wrong wire type/,
  ],
  TruncateTableWithoutAfter: [withStatement({ truncateTable: { before } }), /lacks the definition/],
  RenameOfNothing: [withStatement({ renameTables: {} }), /names no table/],
  RenameWithoutAfter: [withStatement({ renameTables: { tables: [{ before, after }, { before }] } }), /lacks the/],
  RenameOfAnotherTable: [
    withStatement({ renameTables: { tables: [{ before, after: { ...after, id: 4 } }] } }),
    /another object/,
  ],
  CreateIndexWithoutBefore: [withStatement({ createIndex: { after } }), /lacks the definition/],
  DropIndexWithoutAfter: [withStatement({ dropIndex: { before } }), /lacks the definition/],
  DropIndexReasonIsNotUtf8: [withBody(DROP_INDEX, BEFORE, AFTER_BYTES, Buffer.from('1a01ff', 'hex')), /not UTF-8/],
  DropIndexWithANumberForReason: [withBody(DROP_INDEX, BEFORE, AFTER_BYTES, Buffer.of(0x18, 1)), /wrong wire type/],
  AlterSchemaWithoutAfter: [withStatement({ alterSchema: { before: SCHEMA } }), /lacks the definition/],
  AlterSchemaOfAnotherSchema: [
    withStatement({ alterSchema: { before: SCHEMA, after: { ...SCHEMA, id: 9 } } }),
    /another object/,
  ],
  AlterSchemaOfAnotherCatalog: [
    withStatement({ alterSchema: { before: SCHEMA, after: { ...SCHEMA, catalogId: 9 } } }),
    /another object/,
  ],
  DropSchemaWithoutSchema: [withStatement({ dropSchema: {} }), /no definition/],
  DropSchemaWithEmptySchema: [withStatement({ dropSchema: { before: {} } }), /lacks an id/],
  AlterCatalogWithoutBefore: [withStatement({ alterCatalog: { after: CATALOG } }), /lacks the definition/],
  AlterCatalogOfAnotherCatalog: [
    withStatement({ alterCatalog: { before: CATALOG, after: { ...CATALOG, id: 9 } } }),
    /another object/,
  ],
  RewriteWithoutAfter: [withRow({}), /not one image alone/],
  RewriteWithBefore: [withRow({ before: IMAGE, after: IMAGE }), /not one image alone/],
  RewriteWithKey: [withRow({ key: IMAGE, after: IMAGE }), /not one image alone/],
  RewriteWithoutTable: [withStatement({ rewrite: { tableVersion: 1, rows: [] } }), /lack their table/],
}

for (const [name, [payload, message]] of Object.entries(CORRUPTIONS)) {
  t.test(`G8: ${name}IsCorrupt`, async (t) => {
    t.throws(() => decodeTransaction([payload]), { code: 'CORRUPT', message })
  })
}

t.test('G8: NewerDefinitionInAChangeIsRefusedAsNewer', async (t) => {
  const payload = withStatement({ alterTable: { before, after: { ...after, rowImage: 2 } } })
  t.throws(() => decodeTransaction([payload]), { code: 'UNSUPPORTED_VERSION', message: /row image .*upgrade/ })
})

t.test('the encoder takes no statement that the decoder would refuse', async (t) => {
  const rewrite: RowChanges = { kind: 'rewrite', tableId: 3, tableVersion: 2, rows: [] }
  const bent: Record<string, Statement> = {
    'a change of another table': { kind: 'createIndex', before: SAMPLE_TABLE, after: { ...AFTER, id: 4 } },
    'a change of another catalog': { kind: 'createIndex', before: SAMPLE_TABLE, after: { ...AFTER, catalogId: 4 } },
    'a rename of another table': {
      kind: 'renameTables',
      tables: [{ before: SAMPLE_TABLE, after: { ...AFTER, id: 4 } }],
    },
    'a rename of nothing': { kind: 'renameTables', tables: [] },
    'a change of another schema': { kind: 'alterSchema', before: SCHEMA, after: { ...SCHEMA, id: 9 } },
    'a change to another catalog': { kind: 'alterCatalog', before: CATALOG, after: { ...CATALOG, id: 9 } },
    'an AUTO_INCREMENT over 64 bits': { kind: 'alterTable', ...TABLES, autoIncrement: 2n ** 63n },
    'a lone surrogate': { kind: 'dropIndex', ...TABLES, reason: '\ud800' },
    'a rewrite with the row before': { ...rewrite, rows: [{ before: IMAGE, after: IMAGE }] },
    'a rewrite with a key': { ...rewrite, rows: [{ key: IMAGE, after: IMAGE }] },
    'a rewrite of nothing': { ...rewrite, rows: [{}] },
  }
  for (const [what, statement] of Object.entries(bent)) t.throws(() => encode(holding(statement)), AssertionError, what)
})

/** Dictionary messages through protobufjs: what is kept, in which bytes, and the traps of bigint and of maps. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import {
  decodeCatalogMessage,
  decodeSchemaMessage,
  decodeTableMessage,
  encodeCatalogMessage,
  encodeSchemaMessage,
  encodeTableMessage,
} from '../../log/codec/definition-codec.js'
import type { ColumnMessage, TableMessage } from '../../log/codec/message.js'
import { catalogMessage, protoTable, SAMPLE_TABLE, schemaMessage, tableMessage } from './definitions.js'
import { protoBytes, protoType, text } from './messages.js'

t.test('a table comes back as it was, and its bytes are those of protobufjs', async () => {
  fc.assert(
    fc.property(tableMessage, (table) => {
      const bytes = encodeTableMessage(table)
      assert.equal(bytes.compare(protoBytes('TableMessage', protoTable(table))), 0)
      const read = decodeTableMessage(bytes)
      assert.equal(text(read), text(table))
      assert.equal(encodeTableMessage(read).compare(bytes), 0)
    }),
  )
})

t.test('a schema and a catalog come back as they were, and their bytes are those of protobufjs', async () => {
  fc.assert(
    fc.property(schemaMessage, catalogMessage, (schema, catalog) => {
      const schemaBytes = encodeSchemaMessage(schema)
      assert.equal(schemaBytes.compare(protoBytes('SchemaMessage', schema)), 0)
      assert.equal(text(decodeSchemaMessage(schemaBytes)), text(schema))
      const catalogBytes = encodeCatalogMessage(catalog)
      assert.equal(catalogBytes.compare(protoBytes('CatalogMessage', catalog)), 0)
      assert.equal(text(decodeCatalogMessage(catalogBytes)), text(catalog))
    }),
  )
})

t.test('equal tables give equal bytes, whatever the order of their properties', async (t) => {
  const reversed = Object.fromEntries(Object.entries(SAMPLE_TABLE).reverse()) as unknown as TableMessage
  t.equal(encodeTableMessage(reversed).compare(encodeTableMessage(SAMPLE_TABLE)), 0)
})

t.test("equal options give equal bytes, in the order of their names' bytes", async (t) => {
  // Objects list "9" and "10" first whatever the order, and UTF-16 has the emoji before U+FF5E.
  const names = ['', '10', '9', '__proto__', 'a', 'b', '\u{ff5e}', '\u{1f511}']
  const options = (order: readonly string[]) =>
    Object.fromEntries(order.map((name) => [name, `at ${names.indexOf(name)};`]))
  const ascending = options(names)
  const descending = options([...names].reverse())
  const catalog = { id: 1, name: 'local', createdUs: 0n, comment: 'c' }
  const bytes = encodeCatalogMessage({ ...catalog, options: ascending })
  t.equal(encodeCatalogMessage({ ...catalog, options: descending }).compare(bytes), 0)
  const places = names.map((_name, at) => bytes.indexOf(`at ${at};`))
  t.ok(places.every((place, at) => place > (places[at - 1] ?? 0)))
  const read = decodeCatalogMessage(bytes)
  t.equal(text(read), text({ ...catalog, options: ascending }))
  t.equal(Object.getPrototypeOf(read.options), Object.prototype)
  const table = { ...SAMPLE_TABLE, rowImage: 'MINIMAL' } as const
  const tableBytes = encodeTableMessage({ ...table, options: ascending })
  t.equal(encodeTableMessage({ ...table, options: descending }).compare(tableBytes), 0)
  t.equal(text(decodeTableMessage(tableBytes)), text({ ...table, options: ascending }))
})

t.test('a table without new features has the bytes that it had before there were any', async (t) => {
  const { storageId, foreignKeys, checks, nextConstraintId, referencedBy, options, rowImage, ...before } = SAMPLE_TABLE
  const indexes = before.indexes.map(({ building, validating, ...index }) => {
    t.notOk(building || validating)
    return index
  })
  t.strictSame([storageId, nextConstraintId, rowImage], [before.id, 1, 'FULL'])
  t.equal(foreignKeys.length + checks.length + referencedBy.length + Object.keys(options).length, 0)
  t.equal(encodeTableMessage(SAMPLE_TABLE).compare(protoBytes('TableMessage', { ...before, indexes })), 0)
})

t.test('a storage id and a next constraint id that are spelled out are the same as those left out', async (t) => {
  const spelledOut = Buffer.concat([encodeTableMessage(SAMPLE_TABLE), Buffer.from('7003880101', 'hex')])
  t.equal(text(decodeTableMessage(spelledOut)), text(SAMPLE_TABLE))
})

t.test('column ids of foreign keys are read packed and one by one', async (t) => {
  // Field 15: id 1, name "f", column_ids 2 and 3 unpacked, table 9, target_column_ids 4 and 5 unpacked; next id 2.
  const key = Buffer.from('080112016618021803200928042805', 'hex')
  const bytes = Buffer.concat([
    encodeTableMessage(SAMPLE_TABLE),
    Buffer.of(0x7a, key.length),
    key,
    Buffer.from('880102', 'hex'),
  ])
  const [foreignKey] = decodeTableMessage(bytes).foreignKeys
  t.strictSame(
    [foreignKey!.columnIds, foreignKey!.targetColumnIds],
    [
      [2, 3],
      [4, 5],
    ],
  )
})

t.test('a time given as bigint is not lost', async (t) => {
  const catalog = { id: 1, name: 'local', createdUs: 1_795_000_000_000_000n, comment: '', options: {} }
  const type = protoType('CatalogMessage')
  const unguarded = type.toObject(type.decode(type.encode(catalog).finish()), { longs: BigInt })
  t.not(unguarded['createdUs'], catalog.createdUs, 'protobufjs still loses it; the guard is needed')
  t.equal(decodeCatalogMessage(encodeCatalogMessage(catalog)).createdUs, catalog.createdUs)
})

t.test('an empty default and an empty missing value are not the same as none', async (t) => {
  const [first, second] = SAMPLE_TABLE.columns as [ColumnMessage, ColumnMessage]
  const column = { ...second, default: { literal: '' }, missingValue: '' }
  const read = decodeTableMessage(encodeTableMessage({ ...SAMPLE_TABLE, columns: [first, column] }))
  t.strictSame(read.columns[1]!.default, { literal: '' })
  t.equal(read.columns[1]!.missingValue, '')
  t.equal('default' in read.columns[0]!, false)
})

t.test('unknown fields are passed over', async (t) => {
  const unknown = Buffer.from('e2060461626364', 'hex')
  t.equal(text(decodeTableMessage(Buffer.concat([encodeTableMessage(SAMPLE_TABLE), unknown]))), text(SAMPLE_TABLE))
  const catalog = { id: 1, name: 'local', createdUs: 0n, comment: '', options: { a: 'b' } }
  t.equal(text(decodeCatalogMessage(Buffer.concat([encodeCatalogMessage(catalog), unknown]))), text(catalog))
})

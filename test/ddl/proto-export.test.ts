/** The exported .proto of a table reads the bytes that its rows and changes have in the log, in another implementation. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import t from 'tap'
import { nextFreeColumnId } from '../../ddl/column-definition.js'
import { CompiledTable } from '../../ddl/compiled-table.js'
import { protoOf, rowMessageName } from '../../ddl/proto-export.js'
import { tableMessageOf } from '../../ddl/table-definition.js'
import type { ColumnType, Row, Value } from '../../log/codec/column-type.js'
import type { ColumnMessage, TableMessage } from '../../log/codec/message.js'
import { formatColumnType } from '../../log/codec/types/sql-text.js'
import { type Piece, statementSize, writeStatement } from '../../log/codec/statement-codec.js'
import { TYPE_SAMPLES } from '../codec/values-arbitraries.js'
import { requireTool } from '../house/tools.js'
import { PLACE } from './place.js'

const NAMES = { catalog: 'local', schema: 'test' }

function parsed(message: TableMessage, names = NAMES): protobuf.Root {
  return protobuf.parse(protoOf(message, names), { keepCase: true }).root
}

/** One column of each sample type, named c0, c1 …; the key is c1. */
const EVERY_TYPE = tableMessageOf(
  {
    name: 'every_type',
    columns: TYPE_SAMPLES.map(({ type }, at) => ({ name: `c${at}`, type: formatColumnType(type) })),
    primaryKey: ['c1'],
  },
  PLACE,
)
const rows = fc
  .tuple(...TYPE_SAMPLES.map(({ values }, at) => (at === 1 ? values : fc.option(values, { freq: 4, nil: null }))))
  .map((values) => values as Row)

/** What a reader makes of a field, following the comments in the file and nothing else. */
function readAsTold(type: ColumnType, field: unknown): Value {
  if (field === undefined) return null
  switch (type.kind) {
    case 'BIGINT':
      return BigInt(field as string)
    case 'DATE':
      return new Date((field as number) * 86_400_000).toISOString().slice(0, 10)
    case 'TIME':
      return microsText(BigInt(field as string)).slice(11)
    case 'TIMESTAMP':
      return `${microsText(BigInt(field as string))}Z`
    case 'UUID':
      return Buffer.from(field as Uint8Array)
        .toString('hex')
        .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    case 'ENUM':
      return type.labels[(field as number) - 1]!
    case 'JSON':
      return JSON.parse(field as string) as Value
    case 'BLOB':
      return Uint8Array.from(field as Uint8Array)
    default:
      return field as Value
  }
}

function microsText(us: bigint): string {
  const micros = ((us % 1000n) + 1000n) % 1000n
  const text = new Date(Number((us - micros) / 1000n)).toISOString().slice(0, -1)
  return micros > 0n ? `${text}${String(micros).padStart(3, '0')}` : text.replace(/\.000$/, '')
}

t.test('a row of every type decodes to its values', async () => {
  const type = parsed(EVERY_TYPE).lookupType('replog.tables.local.test.EveryType')
  const { rows: codec } = new CompiledTable(EVERY_TYPE)
  fc.assert(
    fc.property(rows, (row) => {
      const fields = type.toObject(type.decode(codec.encode(row)), { longs: String })
      assert.equal(fields['_table_version'], 1)
      EVERY_TYPE.columns.forEach(({ type: columnType, name }, at) => {
        const expected = row[at] instanceof Uint8Array ? Uint8Array.from(row[at]) : row[at]
        assert.deepEqual(readAsTold(columnType, fields[name]), expected, name)
      })
    }),
    { numRuns: 40 },
  )
})

t.test('the bytes of row changes in the log decode as typed changes: one wire form', async (t) => {
  const { rows: codec } = new CompiledTable(EVERY_TYPE)
  const [before, after] = fc.sample(rows, { numRuns: 2, seed: 5 }) as [Row, Row]
  const change = { before: codec.encode(before), after: codec.encode(after), key: codec.encodePart(before, [1]) }
  const changes = { kind: 'update' as const, tableId: 7, tableVersion: 1, rows: [change] }
  const bodyBytes = changesBytes(changes)
  const root = parsed(EVERY_TYPE)
  const decoded = root.lookupType('replog.tables.local.test.EveryTypeChanges').decode(bodyBytes)
  const row = root.lookupType('replog.tables.local.test.EveryType')
  t.match(decoded, { table_id: 7, table_version: 1 })
  const [first] = (decoded as unknown as { rows: { before: object; after: object }[] }).rows
  t.same(Buffer.from(row.encode(first!.before).finish()), change.before)
  t.same(Buffer.from(row.encode(first!.after).finish()), change.after)
})

/** The bytes of the RowChanges message, cut out of a Statement: tag and length stand before them. */
function changesBytes(changes: Extract<Piece, { changes: unknown }>['changes']): Buffer {
  const rowsBytes = changes.rows.map(({ key, before, after }) =>
    Buffer.concat([field(1, key), field(2, before), field(3, after)]),
  )
  const body = Buffer.concat([
    Buffer.of(0x08, changes.tableId, 0x10, changes.tableVersion),
    ...rowsBytes.map((bytes) => field(3, bytes)),
  ])
  // The hand-made bytes are those of the codec, so the test is about what the log really holds.
  const piece: Piece = { changes, from: 0, to: changes.rows.length, bodyBytes: body.length }
  const statement = Buffer.alloc(statementSize(piece) + 10)
  const end = writeStatement(statement, 0, piece)
  if (!statement.subarray(0, end).includes(body)) throw new Error('the codec writes other bytes')
  return body
}

function field(number: number, bytes: Uint8Array | undefined): Buffer {
  if (bytes === undefined) return Buffer.alloc(0)
  return Buffer.from(
    protobuf.Writer.create()
      .uint32((number << 3) | 2)
      .bytes(bytes)
      .finish(),
  )
}

t.test('any names give distinct identifiers that compile, and the original stands beside', async () => {
  const awkward = [
    'a b',
    'a_b',
    'aB',
    'A-B',
    '_a_b',
    'table version',
    '_table_version',
    '名前',
    '2020',
    '__',
    'Größe',
    'optional',
    'message',
    'constructor',
    'toString',
    'hasOwnProperty',
    'x"y\\z',
    'reserved',
    'string',
    'é',
    'e',
    'column_5',
  ]
  const names = fc.uniqueArray(
    fc.oneof(fc.constantFrom(...awkward), fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' })),
    { minLength: 1, maxLength: 12 },
  )
  const legal = names.map((list) =>
    list.filter((name) => !/\p{Cc}/u.test(name) && name !== '__proto__' && name.isWellFormed()),
  )
  fc.assert(
    fc.property(legal, fc.constantFrom(...awkward), (columns, table) => {
      fc.pre(columns.length > 0)
      const message = tableMessageOf(
        { name: table, columns: columns.map((name) => ({ name, type: 'INTEGER' })), primaryKey: [columns[0]!] },
        PLACE,
      )
      const type = parsed(message).lookupType(rowMessageName(message, NAMES))
      assert.equal(type.fieldsArray.length, columns.length + 1)
      const text = protoOf(message, NAMES)
      message.columns.forEach(({ id, name }) => {
        const { name: identifier } = type.fieldsById[id]!
        assert.match(identifier, /^[A-Za-z_][A-Za-z0-9_]*$/)
        assert.ok(identifier === name || text.includes(`column ${JSON.stringify(name)}: `), `${name} is in a comment`)
      })
      const distinguishing = type.fieldsArray.map(({ name }) => name.replaceAll('_', '').toLowerCase())
      assert.equal(new Set(distinguishing).size, distinguishing.length, 'JSON names differ')
    }),
    { numRuns: 150 },
  )
})

t.test('a column that is added later leaves the identifiers of earlier ones alone', async (t) => {
  const named = (names: readonly string[]): string[] => {
    const columns = names.map((name) => ({ name, type: 'INTEGER' }))
    const message = tableMessageOf({ name: 't', columns, primaryKey: [names[0]!] }, PLACE)
    return parsed(message)
      .lookupType('replog.tables.local.test.T')
      .fieldsArray.map(({ name }) => name)
  }
  t.same(named(['a b', 'a.b']), ['_table_version', 'a_b', 'a_b_3'])
  t.same(named(['a b', 'a.b', 'a_b']), ['_table_version', 'a_b', 'a_b_3', 'a_b_4'])
})

t.test('ids of dropped columns are reserved, and a column that was added says what older rows read', async (t) => {
  const full = tableMessageOf(
    { name: 't', columns: [2, 3, 4, 5, 6].map((id) => ({ name: `c${id}`, type: 'INTEGER' })), primaryKey: ['c2'] },
    PLACE,
  )
  const added: ColumnMessage = { ...full.columns[4]!, addedInVersion: 3, missingValue: '42', comment: 'two\nlines' }
  const message = { ...full, version: 3, columns: [full.columns[0]!, added], nextColumnId: 9 }
  const text = protoOf(message, NAMES)
  t.match(text, '  reserved 3 to 5, 7 to 8;\n')
  t.match(text, '  // Rows before version 3 read 42 here.\n  // two\n  // lines\n  optional sint32 c6 = 6;\n')
  t.doesNotThrow(() => parsed(message))
})

t.test(
  'a column that was renamed keeps its number, one of another type has a new one under the old name',
  async (t) => {
    const before = tableMessageOf(
      {
        name: 't',
        columns: [
          { name: 'id', type: 'INTEGER' },
          { name: 'qty', type: 'INTEGER' },
          { name: 'price', type: 'DOUBLE' },
        ],
        primaryKey: ['id'],
      },
      PLACE,
    )
    const [id, qty, price] = before.columns
    const after: TableMessage = {
      ...before,
      version: 2,
      columns: [
        id!,
        { ...price!, id: 5, type: { kind: 'DECIMAL', precision: 9, scale: 2 } },
        { ...qty!, name: 'price_2' },
      ],
      nextColumnId: 6,
      storageId: 8,
    }
    const fields = (message: TableMessage): Record<string, unknown> =>
      Object.fromEntries(
        parsed(message)
          .lookupType(rowMessageName(message, NAMES))
          .fieldsArray.map(({ name, id: number, type }) => [name, [number, type]]),
      )
    t.same(fields(before), {
      _table_version: [1, 'uint32'],
      id: [2, 'sint32'],
      qty: [3, 'sint32'],
      price: [4, 'double'],
    })
    t.same(fields(after), {
      _table_version: [1, 'uint32'],
      id: [2, 'sint32'],
      price_2: [3, 'sint32'],
      price: [5, 'string'],
    })
    t.match(protoOf(after, NAMES), '  reserved 4;\n')
  },
)

t.test('protoc takes the file of a table whose columns came, went and changed', async (t) => {
  const protoc = requireTool(t, 'protoc')
  if (protoc === undefined) return
  const plain = tableMessageOf(
    { name: 't', columns: ['a', 'b', 'c'].map((name) => ({ name, type: 'INTEGER' })), primaryKey: ['a'] },
    PLACE,
  )
  const [a, b, c] = plain.columns
  const last = nextFreeColumnId(19_000)
  const message: TableMessage = {
    ...plain,
    version: 9,
    // Ids from 19000 to 19999 are protobuf's own; dropped ones on both sides of them are reserved together.
    columns: [a!, { ...b!, id: 7, name: 'c' }, { ...c!, id: last, name: 'b', addedInVersion: 9, missingValue: '1' }],
    nextColumnId: last + 3,
    storageId: 8,
  }
  const directory = t.testdir({ 'table.proto': protoOf(message, NAMES) })
  const row = new CompiledTable(message).rows.encode([1, 2, 3])
  const run = spawnSync(protoc, [`--decode=${rowMessageName(message, NAMES)}`, `-I${directory}`, 'table.proto'], {
    input: row,
    encoding: 'utf8',
  })
  t.equal(run.stderr, '')
  t.equal(run.stdout, '_table_version: 9\na: 1\nc: 2\nb: 3\n')
})

t.test('protoc compiles the file and decodes a row with it', async (t) => {
  const protoc = requireTool(t, 'protoc')
  if (protoc === undefined) return
  const message = tableMessageOf(
    {
      name: 'Käufe 2024',
      columns: [
        { name: 'id', type: 'BIGINT' },
        { name: 'optional', type: 'DECIMAL(10,2)' },
        { name: 'Straße & Nr.', type: 'TEXT' },
        { name: 'message', type: "ENUM('a','b')" },
        { name: 'strasse nr', type: 'DATE' },
      ],
      primaryKey: ['id'],
    },
    PLACE,
  )
  const directory = t.testdir({})
  const names = { catalog: 'my catalog', schema: '2' }
  writeFileSync(join(directory, 'table.proto'), protoOf(message, names))
  const row = new CompiledTable(message).rows.encode([-5n, '12.50', 'Ä 1', 'b', '1970-01-03'])
  const run = spawnSync(protoc, [`--decode=${rowMessageName(message, names)}`, `-I${directory}`, 'table.proto'], {
    input: row,
    encoding: 'utf8',
  })
  t.equal(run.stderr, '')
  t.equal(
    run.stdout,
    '_table_version: 1\nid: -5\noptional: "12.50"\nStra_e_Nr: "\\303\\204 1"\nmessage: 2\nstrasse_nr: 2\n',
  )
})

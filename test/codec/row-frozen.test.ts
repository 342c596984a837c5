/** The bytes of rows and keys never change: stores in use, replicas and other languages' decoders hold them. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import type { JsonValue, Value } from '../../log/codec/column-type.js'
import { RowCodec } from '../../log/codec/row.js'
import { TupleCodec } from '../../log/codec/tuple.js'
import { parseColumnType } from '../../log/codec/types/sql-text.js'
import { valueCodec } from '../../log/codec/type-codecs.js'

const ROOT = new URL('../../../', import.meta.url)
const NOTHING = new Uint8Array(0)

interface FrozenValue {
  readonly type: string
  readonly json: JsonValue
  readonly row: string
  readonly ascending?: string
  readonly descending?: string
}

const frozen = JSON.parse(readFileSync(new URL('test/compat/rows-v1.json', ROOT), 'utf8')) as { values: FrozenValue[] }

t.test('the fixture covers every column type', (t) => {
  const kinds = new Set(frozen.values.map(({ type }) => parseColumnType(type).kind))
  t.equal(kinds.size, 14)
  t.end()
})

for (const { type, json, row, ascending, descending } of frozen.values) {
  const text = JSON.stringify(json)
  t.test(`G7: ${type} ${text.length < 40 ? text : `${text.slice(0, 40)}…`} has its frozen bytes`, (t) => {
    const codec = valueCodec(parseColumnType(type))
    const value: Value = json === null ? null : codec.accept(json)
    const rows = new RowCodec(7, [{ id: 2, name: 'c', codec, addedInVersion: 1, missingValue: null }])
    t.equal(rows.encode([value]).toString('hex'), row)
    t.strictSame(rows.decode(Buffer.from(row, 'hex')), [value])
    for (const [bytes, isDescending] of [
      [ascending, false],
      [descending, true],
    ] as const) {
      if (bytes === undefined) continue
      const tuples = new TupleCodec([{ codec, descending: isDescending }])
      t.equal(tuples.encodeValues(NOTHING, [value]).toString('hex'), bytes)
      t.strictSame(tuples.decode(Buffer.from(bytes, 'hex'), 0), { values: [value], end: bytes.length / 2 })
    }
    t.end()
  })
}

/** The bytes in the table under a heading of ROWS.md. */
function documented(heading: string): string {
  const page = readFileSync(new URL('log/codec/ROWS.md', ROOT), 'utf8')
  const section = page.split(`### ${heading}\n`)[1]!.split('\n#')[0]!
  return Array.from(section.matchAll(/^\| `([0-9a-f ]+)` +\|/gm), (match) => match[1]!.replaceAll(' ', '')).join('')
}

t.test('the row of ROWS.md is the one that is written', (t) => {
  const columns = ['BIGINT', 'VARCHAR(20)', 'BOOLEAN', 'TIMESTAMP', 'DECIMAL(10,2)'].map((type, index) => ({
    id: index + 2,
    name: `c${index}`,
    codec: valueCodec(parseColumnType(type)),
    addedInVersion: 1,
    missingValue: null,
  }))
  const row = [12345678n, 'Zoë', true, '2026-11-20T10:00:00.500Z', null]
  t.equal(new RowCodec(3, columns).encode(row).toString('hex'), documented('Worked example: a row'))
  t.end()
})

t.test('the key of ROWS.md is the one that is written', (t) => {
  const codec = new TupleCodec(
    ['VARCHAR(20)', 'INTEGER', 'BIGINT', 'DOUBLE'].map((type, index) => ({
      codec: valueCodec(parseColumnType(type)),
      descending: index === 2,
    })),
  )
  const key = codec.encodeValues(NOTHING, ['a\0b', -300, 12345678n, null])
  t.equal(key.toString('hex'), documented('Worked example: a key'))
  t.end()
})
